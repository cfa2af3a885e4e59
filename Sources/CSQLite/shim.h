#ifndef PATHWISE_CSQLITE_H
#define PATHWISE_CSQLITE_H
#include <sqlite3.h>
#endif
