#include "kernels.h"

// Four candidates side by side: lane k of every vector belongs to candidate k, so that nothing is
// summed across lanes and each element of P is loaded once for all of them.
KERNEL void ck_score(
    const double *theta, long models, const double *p, long size, long stride, const double *x,
    long step, long count, double *means, double *spreads) {
    v4 columns[CK_FEATURES + 4];
    for (long first = 0; first < count; first += 4) {
        const double *rows[4];
        for (long k = 0; k < 4; k++) {
            // Beyond the last candidate its row is computed again and not used.
            rows[k] = x + step * (first + k < count ? first + k : count - 1);
        }
        for (long j = 0; j < size; j += 4) {
            const v4 a = LOAD(rows[0] + j), b = LOAD(rows[1] + j);
            const v4 c = LOAD(rows[2] + j), d = LOAD(rows[3] + j);
            const v4 ab0 = __builtin_shufflevector(a, b, 0, 4, 2, 6);
            const v4 ab1 = __builtin_shufflevector(a, b, 1, 5, 3, 7);
            const v4 cd0 = __builtin_shufflevector(c, d, 0, 4, 2, 6);
            const v4 cd1 = __builtin_shufflevector(c, d, 1, 5, 3, 7);
            columns[j] = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
            columns[j + 1] = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
            columns[j + 2] = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
            columns[j + 3] = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
        }
        for (long m = 0; m < models; m++) {
            const double *weights = theta + m * stride;
            v4 s0 = SPLAT(weights[size]), s1 = SPLAT(0.0), s2 = s1, s3 = s1;
            for (long j = 0; j < size; j += 4) {
                s0 = MULADD(SPLAT(weights[j]), columns[j], s0);
                s1 = MULADD(SPLAT(weights[j + 1]), columns[j + 1], s1);
                s2 = MULADD(SPLAT(weights[j + 2]), columns[j + 2], s2);
                s3 = MULADD(SPLAT(weights[j + 3]), columns[j + 3], s3);
            }
            STORE(means + m * CK_CANDIDATES + first, (s0 + s1) + (s2 + s3));
        }
        if (!p) continue;
        v4 total = SPLAT(0.0);
        for (long row = 0; row < size; row += 4) {
            // P is symmetric: row i of its lower triangle is column i down to the diagonal.
            const double *p0 = p + row * stride, *p1 = p0 + stride;
            const double *p2 = p1 + stride, *p3 = p2 + stride;
            v4 s0 = SPLAT(0.0), s1 = s0, s2 = s0, s3 = s0;
            v4 t0 = s0, t1 = s0, t2 = s0, t3 = s0;
            // Eight sums, so that products do not wait for each other.
            for (long j = 0; j < row; j += 2) {
                const v4 even = columns[j], odd = columns[j + 1];
                s0 = MULADD(SPLAT(p0[j]), even, s0);
                s1 = MULADD(SPLAT(p1[j]), even, s1);
                s2 = MULADD(SPLAT(p2[j]), even, s2);
                s3 = MULADD(SPLAT(p3[j]), even, s3);
                t0 = MULADD(SPLAT(p0[j + 1]), odd, t0);
                t1 = MULADD(SPLAT(p1[j + 1]), odd, t1);
                t2 = MULADD(SPLAT(p2[j + 1]), odd, t2);
                t3 = MULADD(SPLAT(p3[j + 1]), odd, t3);
            }
            s0 += t0;
            s1 += t1;
            s2 += t2;
            s3 += t3;
            const v4 x0 = columns[row], x1 = columns[row + 1];
            const v4 x2 = columns[row + 2], x3 = columns[row + 3];
            s1 = MULADD(SPLAT(p1[row]), x0, s1);
            s2 = MULADD(SPLAT(p2[row]), x0, MULADD(SPLAT(p2[row + 1]), x1, s2));
            s3 = MULADD(SPLAT(p3[row]), x0, MULADD(SPLAT(p3[row + 1]), x1, s3));
            s3 = MULADD(SPLAT(p3[row + 2]), x2, s3);
            // What lies below the diagonal counts twice.
            const v4 d0 = MULADD(SPLAT(p0[row]), x0, s0 + s0);
            const v4 d1 = MULADD(SPLAT(p1[row + 1]), x1, s1 + s1);
            const v4 d2 = MULADD(SPLAT(p2[row + 2]), x2, s2 + s2);
            const v4 d3 = MULADD(SPLAT(p3[row + 3]), x3, s3 + s3);
            total += MULADD(x0, d0, x1 * d1) + MULADD(x2, d2, x3 * d3);
        }
        const double *last = p + size * stride;
        v4 s0 = SPLAT(0.0), s1 = s0;
        for (long j = 0; j < size; j += 2) {
            s0 = MULADD(SPLAT(last[j]), columns[j], s0);
            s1 = MULADD(SPLAT(last[j + 1]), columns[j + 1], s1);
        }
        const v4 border = s0 + s1;
        STORE(spreads + first, total + ((border + border) + last[size]));
    }
}
