#include "clinuxudp.h"
