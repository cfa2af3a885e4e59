// Linear scores of candidates, for kernels that use them.
#ifndef SCORE_H
#define SCORE_H

#include "kernels.h"

// One column of P, a vector of four rows, with element `i` of each of four candidates.
#define COLUMN(column, i)                                                                        \
    do {                                                                                         \
        const v4 c_ = LOAD(column);                                                              \
        s0 = MULADD(c_, SPLAT(x0[i]), s0);                                                       \
        s1 = MULADD(c_, SPLAT(x1[i]), s1);                                                       \
        s2 = MULADD(c_, SPLAT(x2[i]), s2);                                                       \
        s3 = MULADD(c_, SPLAT(x3[i]), s3);                                                       \
    } while (0)
// The same for eight rows: six loads for eight independent products.
#define COLUMNS(column, i)                                                                       \
    do {                                                                                         \
        const v4 c_ = LOAD(column), d_ = LOAD((column) + 4);                                     \
        const v4 a_ = SPLAT(x0[i]), b_ = SPLAT(x1[i]);                                           \
        s0 = MULADD(c_, a_, s0);                                                                 \
        s1 = MULADD(c_, b_, s1);                                                                 \
        t0 = MULADD(d_, a_, t0);                                                                 \
        t1 = MULADD(d_, b_, t1);                                                                 \
        const v4 e_ = SPLAT(x2[i]), f_ = SPLAT(x3[i]);                                           \
        s2 = MULADD(c_, e_, s2);                                                                 \
        s3 = MULADD(c_, f_, s3);                                                                 \
        t2 = MULADD(d_, e_, t2);                                                                 \
        t3 = MULADD(d_, f_, t3);                                                                 \
    } while (0)

// Four rows of P x_k, times the elements of x_k from `i` on.
#define ROWS(i)                                                                                  \
    do {                                                                                         \
        u0 = MULADD(s0, LOAD(x0 + (i)), u0);                                                     \
        u1 = MULADD(s1, LOAD(x1 + (i)), u1);                                                     \
        u2 = MULADD(s2, LOAD(x2 + (i)), u2);                                                     \
        u3 = MULADD(s3, LOAD(x3 + (i)), u3);                                                     \
    } while (0)

// (x_k, 1)' P (x_k, 1) of four candidates, one per lane; see ck_score.
INLINE void spread4(
    const double *p, long size, long stride, const double *x0, const double *x1, const double *x2,
    const double *x3, v4 *spread) {
    const double *last = p + size * stride;
    v4 u0 = SPLAT(0.0), u1 = u0, u2 = u0, u3 = u0;
    long row = 0;
    for (; row + 8 <= size; row += 8) {
        // Elements off the diagonal count twice: the column of the constant and, since P is
        // symmetric, the columns down to the block on the diagonal.
        v4 s0 = LOAD(last + row), s1 = s0, s2 = s0, s3 = s0;
        v4 t0 = LOAD(last + row + 4), t1 = t0, t2 = t0, t3 = t0;
        const double *column = p + row;
        for (long j = 0; j < row; j++, column += stride) COLUMNS(column, j);
        s0 += s0, s1 += s1, s2 += s2, s3 += s3;
        for (long j = row; j < row + 4; j++, column += stride) COLUMNS(column, j);
        t0 += t0, t1 += t1, t2 += t2, t3 += t3;
        ROWS(row);
        s0 = t0, s1 = t1, s2 = t2, s3 = t3;
        for (long j = row + 4; j < row + 8; j++, column += stride) COLUMN(column + 4, j);
        ROWS(row + 4);
    }
    if (row < size) {
        v4 s0 = LOAD(last + row), s1 = s0, s2 = s0, s3 = s0;
        const double *column = p + row;
        for (long j = 0; j < row; j++, column += stride) COLUMN(column, j);
        s0 += s0, s1 += s1, s2 += s2, s3 += s3;
        for (long j = row; j < row + 4; j++, column += stride) COLUMN(column, j);
        ROWS(row);
    }
    v4 sum;
    SUMS(sum, u0, u1, u2, u3);
    *spread = sum + last[size];
}

// theta'(x_k, 1) of four candidates, one per lane.
INLINE void mean4(
    const double *theta, long size, const double *x0, const double *x1, const double *x2,
    const double *x3, v4 *mean) {
    v4 s0 = SPLAT(0.0), s1 = s0, s2 = s0, s3 = s0;
    for (long i = 0; i < size; i += 4) {
        const v4 w = LOAD(theta + i);
        s0 = MULADD(w, LOAD(x0 + i), s0);
        s1 = MULADD(w, LOAD(x1 + i), s1);
        s2 = MULADD(w, LOAD(x2 + i), s2);
        s3 = MULADD(w, LOAD(x3 + i), s3);
    }
    v4 sum;
    SUMS(sum, s0, s1, s2, s3);
    *mean = sum + theta[size];
}

#endif
