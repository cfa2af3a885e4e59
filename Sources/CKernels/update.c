#include "kernels.h"

KERNEL double ck_observe(
    double *p, double *theta, const double *x, double target, double weight, double decay,
    long size, long stride, double *scratch) {
    // v = P x, by columns, since P is symmetric.
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
                for (long j = 0; j < size; j++, column += stride) {
                    s0 = MULADD(SPLAT(x[j]), LOAD(column), s0);
                }
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
    // Scaling v by a square root keeps v_i v_j and v_j v_i equal.
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

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

// Adds one observation to a regression whose vectors have `blocks` times four elements; `blocks` is
// a constant when inlined, so that they stay in registers.
INLINE long take(
    double *gram, double *moment, double *p, double *theta, const double *x, double target,
    double weight, double share, const long blocks, long size, long stride, double *v) {
    v4 check = SPLAT(target * 0);
    for (long i = 0; i < 4 * blocks; i += 4) check += LOAD(x + i) * 0.0;
    if (!(SUM(check) == 0) || !(share > 0) || !(share < __builtin_inf())) return CK_REFUSED;
    double s = 0, gain = 0, reciprocal = 0;
    if (p) {
        // v = P x by columns, since P is symmetric; few sums are split in two to shorten
        // dependencies.
        v4 sums[7], odd[7];
UNROLL
        for (long i = 0; i < blocks; i++) sums[i] = odd[i] = SPLAT(0.0);
        const double *column = p;
        long j = 0;
        if (blocks <= 5) {
            for (; j + 1 < size; j += 2, column += 2 * stride) {
                const v4 factor = SPLAT(x[j]), other = SPLAT(x[j + 1]);
UNROLL
                for (long i = 0; i < blocks; i++) {
                    sums[i] = MULADD(factor, LOAD(column + 4 * i), sums[i]);
                    odd[i] = MULADD(other, LOAD(column + stride + 4 * i), odd[i]);
                }
            }
        }
        for (; j < size; j++, column += stride) {
            const v4 factor = SPLAT(x[j]);
UNROLL
            for (long i = 0; i < blocks; i++) {
                sums[i] = MULADD(factor, LOAD(column + 4 * i), sums[i]);
            }
        }
UNROLL
        for (long i = 0; i < blocks; i++) sums[i] += odd[i];
        v4 form = SPLAT(0.0), other = form, product = form;
UNROLL
        for (long i = 0; i < blocks; i++) {
            if (i & 1) {
                other = MULADD(sums[i], LOAD(x + 4 * i), other);
            } else {
                form = MULADD(sums[i], LOAD(x + 4 * i), form);
            }
            product = MULADD(LOAD(theta + 4 * i), LOAD(x + 4 * i), product);
            STORE(v + 4 * i, sums[i]);
        }
        form += other;
        s = 1 / weight + SUM(form);
        gain = (target - SUM(product)) / s;
        reciprocal = 1 / s;
    }
    // This overlaps with the divisions.
    double shared[28];
UNROLL
    for (long i = 0; i < blocks; i++) STORE(shared + 4 * i, share * LOAD(x + 4 * i));
    const double weighted = share * target;
    double *own = gram;
UNROLL
    for (long block = 0; block < blocks; block++) {
        for (long j = 4 * block; j < 4 * block + 4 && j < size; j++, own += stride) {
            const v4 factor = SPLAT(shared[j]);
UNROLL
            for (long i = block; i < blocks; i++) {
                STORE(own + 4 * i, MULADD(factor, LOAD(x + 4 * i), LOAD(own + 4 * i)));
            }
        }
    }
    for (long i = 0; i < 4 * blocks; i += 4) {
        STORE(moment + i, LOAD(x + i) * weighted + LOAD(moment + i));
    }
    if (!p || !(s > 0) || !(s < __builtin_inf())) return CK_PENDING;
    v4 vector[7];
UNROLL
    for (long i = 0; i < blocks; i++) {
        vector[i] = LOAD(v + 4 * i);
        STORE(theta + 4 * i, MULADD(SPLAT(gain), vector[i], LOAD(theta + 4 * i)));
    }
    // v_i v_j is computed first: it is rounded to the same number as v_j v_i, so P stays symmetric,
    // and no product depends on s.
    const v4 taken = SPLAT(-reciprocal);
    double *column = p;
    for (long j = 0; j < size; j++, column += stride) {
        const v4 factor = SPLAT(v[j]);
UNROLL
        for (long i = 0; i < blocks; i++) {
            STORE(column + 4 * i, MULADD(taken, factor * vector[i], LOAD(column + 4 * i)));
        }
    }
    return CK_TAKEN;
}

KERNEL long ck_take(
    double *gram, double *moment, double *p, double *theta, const double *x, double target,
    double weight, double share, long size, long stride, double *scratch) {
#define TAKE(blocks)                                                                             \
    take(gram, moment, p, theta, x, target, weight, share, blocks, size, 4 * (blocks), scratch)
    switch (stride) {
    case 16: return TAKE(4);
    case 20: return TAKE(5);
    case 24: return TAKE(6);
    case 28: return TAKE(7);
    }
#undef TAKE
    v4 check = SPLAT(target * 0);
    for (long i = 0; i < stride; i += 4) check += LOAD(x + i) * 0.0;
    if (!(SUM(check) == 0) || !(share > 0) || !(share < __builtin_inf())) return CK_REFUSED;
    ck_add_outer_lower(gram, x, share, size, stride);
    const double weighted = share * target;
    for (long i = 0; i < stride; i += 4) {
        STORE(moment + i, LOAD(x + i) * weighted + LOAD(moment + i));
    }
    if (!p) return CK_PENDING;
    const double s = ck_observe(p, theta, x, target, weight, 1, size, stride, scratch);
    return s > 0 ? CK_TAKEN : CK_PENDING;
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
    // Row k of L^-1 is stored as column k of its transpose, so that every loop runs down a column.
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
