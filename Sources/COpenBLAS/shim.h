#ifndef PATHWISE_COPENBLAS_H
#define PATHWISE_COPENBLAS_H
#include <cblas.h>
#include <openblas_config.h>
#endif
