#include "kernels.h"

KERNEL double ck_observe(
    double *p, double *theta, const double *x, double target, double weight, double decay,
    long size, long stride, double *scratch) {
    // v = P x, by columns: P is symmetric.
    for (long row = 0; row < stride; row += 16) {
        const long blocks = (stride - row) / 4;
        const double *column = p + row;
        v4 s0 = SPLAT(0.0), s1 = s0, s2 = s0, s3 = s0;
        if (blocks >= 4) {
            for (long j = 0; j < size; j++, column += stride) {
                s0 = MULADD(SPLAT(x[j]), LOAD(column), s0);
                s1 = MULADD(SPLAT(x[j]), LOAD(column + 4), s1);
                s2 = MULADD(SPLAT(x[j]), LOAD(column + 8), s2);
                s3 = MULADD(SPLAT(x[j]), LOAD(column + 12), s3);
            }
            STORE(scratch + row, s0);
            STORE(scratch + row + 4, s1);
            STORE(scratch + row + 8, s2);
            STORE(scratch + row + 12, s3);
        } else if (blocks == 3) {
            for (long j = 0; j < size; j++, column += stride) {
                s0 = MULADD(SPLAT(x[j]), LOAD(column), s0);
                s1 = MULADD(SPLAT(x[j]), LOAD(column + 4), s1);
                s2 = MULADD(SPLAT(x[j]), LOAD(column + 8), s2);
            }
            STORE(scratch + row, s0);
            STORE(scratch + row + 4, s1);
            STORE(scratch + row + 8, s2);
        } else {
            for (long block = 0; block < blocks; block++, column = p + row + 4 * block) {
                s0 = SPLAT(0.0);
                for (long j = 0; j < size; j++, column += stride) s0 = MULADD(SPLAT(x[j]), LOAD(column), s0);
                STORE(scratch + row + 4 * block, s0);
            }
        }
    }
    v4 form = SPLAT(0.0), product = form;
    for (long i = 0; i < stride; i += 4) {
        form = MULADD(LOAD(scratch + i), LOAD(x + i), form);
        product = MULADD(LOAD(theta + i), LOAD(x + i), product);
    }
    const double s = decay / weight + SUM(form);
    if (!(s > 0) || !(s < __builtin_inf()) || !(decay > 0)) return s > 0 ? -1 : s;
    const double gain = (target - SUM(product)) / s;
    // Scaling v by a square root keeps v_i v_j and v_j v_i the same number.
    const double root = __builtin_elementwise_sqrt(1 / s);
    for (long i = 0; i < stride; i += 4) {
        const v4 v = LOAD(scratch + i);
        STORE(theta + i, MULADD(SPLAT(gain), v, LOAD(theta + i)));
        STORE(scratch + i, root * v);
    }
    const double growth = 1 / decay;
    double *column = p;
    for (long j = 0; j < size; j++, column += stride) {
        const double factor = scratch[j];
        for (long i = 0; i < stride; i += 4) {
            STORE(
                column + i, MULADD(SPLAT(-factor), LOAD(scratch + i), LOAD(column + i)) * growth);
        }
    }
    return s;
}

KERNEL void ck_add_outer_lower(double *a, const double *x, double w, long size, long stride) {
    for (long j = 0; j < size; j++) {
        const double factor = w * x[j];
        double *column = a + j * stride;
        for (long i = j & ~3l; i < stride; i += 4) {
            STORE(column + i, MULADD(SPLAT(factor), LOAD(x + i), LOAD(column + i)));
        }
    }
}

KERNEL long ck_cholesky(double *a, long size, long stride) {
    for (long j = 0; j < size; j++) {
        double *column = a + j * stride;
        const double pivot = column[j];
        if (!(pivot > 0) || !(pivot < __builtin_inf())) return j;
        const double root = __builtin_elementwise_sqrt(pivot);
        const double reciprocal = 1 / root;
        column[j] = root;
        for (long i = j + 1; i < size; i++) column[i] *= reciprocal;
        for (long k = j + 1; k < size; k++) {
            const double factor = column[k];
            double *target = a + k * stride;
            for (long i = k; i < size; i++) target[i] -= factor * column[i];
        }
    }
    return -1;
}

KERNEL void ck_invert(
    const double *l, long size, long stride, double *inverse, double *scratch) {
    // Row k of L^-1 as column k of its transpose, so that every loop runs down a column.
    for (long k = 0; k < size; k++) {
        double *row = scratch + k * stride;
        for (long i = 0; i < stride; i++) row[i] = 0;
        for (long j = 0; j < k; j++) {
            const double factor = l[k + j * stride];
            const double *earlier = scratch + j * stride;
            for (long i = 0; i <= j; i++) row[i] -= factor * earlier[i];
        }
        const double reciprocal = 1 / l[k + k * stride];
        for (long i = 0; i < k; i++) row[i] *= reciprocal;
        row[k] = reciprocal;
    }
    for (long i = 0; i < size * stride; i++) inverse[i] = 0;
    for (long k = 0; k < size; k++) {
        const double *row = scratch + k * stride;
        for (long j = 0; j <= k; j++) {
            const double factor = row[j];
            double *column = inverse + j * stride;
            for (long i = j; i <= k; i++) column[i] += factor * row[i];
        }
    }
    for (long j = 0; j < size; j++) {
        for (long i = j + 1; i < size; i++) inverse[j + i * stride] = inverse[i + j * stride];
    }
}
