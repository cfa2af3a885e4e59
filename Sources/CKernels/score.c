#include "score.h"

KERNEL void ck_score(
    const double *theta, long models, const double *p, long size, long stride, const double *x,
    long step, long count, double *means, double *spreads) {
    for (long first = 0; first < count; first += 4) {
        // Beyond the last candidate the first of the four is computed again and ignored.
        const double *x0 = x + step * first;
        const double *x1 = first + 1 < count ? x0 + step : x0;
        const double *x2 = first + 2 < count ? x1 + step : x0;
        const double *x3 = first + 3 < count ? x2 + step : x0;
        for (long m = 0; m < models; m++) {
            v4 mean;
            mean4(theta + m * stride, size, x0, x1, x2, x3, &mean);
            STORE(means + m * CK_CANDIDATES + first, mean);
        }
        if (p) {
            v4 spread;
            spread4(p, size, stride, x0, x1, x2, x3, &spread);
            STORE(spreads + first, spread);
        }
    }
}
