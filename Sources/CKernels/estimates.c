#include "include/ckestimates.h"

#include "kernels.h"

// Takes a vector of numbers into lane h of the sums.
#define TAKE(h, x)                                                                               \
    do {                                                                                         \
        const v4 x_ = (x);                                                                       \
        const v4 distance_ = x_ - centre;                                                        \
        t##h += x_;                                                                              \
        f##h += distance_;                                                                       \
        s##h += distance_ * distance_;                                                           \
    } while (0)

// Moments of the numbers that VECTOR(i) gives for rows i to i + 3, and ONE(i) for row i.
#define MOMENTS(VECTOR, ONE)                                                                     \
    do {                                                                                         \
        const v4 centre = SPLAT(origin);                                                         \
        v4 t0 = SPLAT(0.0), t1 = t0, f0 = t0, f1 = t0, s0 = t0, s1 = t0;                         \
        long i = 0;                                                                              \
        for (; i + 8 <= count; i += 8) {                                                         \
            TAKE(0, VECTOR(i));                                                                  \
            TAKE(1, VECTOR(i + 4));                                                              \
        }                                                                                        \
        const v4 t = t0 + t1, f = f0 + f1, s = s0 + s1;                                          \
        struct ck_moments sums = {SUM(t), SUM(f), SUM(s)};                                       \
        for (; i < count; i++) {                                                                 \
            const double one_ = ONE(i);                                                          \
            sums.total += one_;                                                                  \
            sums.first += one_ - origin;                                                         \
            sums.second += (one_ - origin) * (one_ - origin);                                    \
        }                                                                                        \
        return sums;                                                                             \
    } while (0)

KERNEL struct ck_moments ck_plain_moments(const double *x, long count, double origin) {
#define VECTOR(i) LOAD(x + (i))
#define ONE(i) x[i]
    MOMENTS(VECTOR, ONE);
#undef VECTOR
#undef ONE
}

// The rules, for a vector or a number. The floor keeps 0 / 0 out for lambda = 1.
#define PLAIN(w) (w)
#define CLIP(w) SELECT((w) < bound, (w), bound)
#define CLIP_ONE(w) ((w) < lambda ? (w) : lambda)
#define SWITCH(w) SELECT((w) <= bound, (w), SPLAT(0.0))
#define SWITCH_ONE(w) ((w) <= lambda ? (w) : 0.0)
#define SHRINK(w) (lambda * (w) / ((w) * (w) + lambda))
#define CORRECT(w) ((w) / SELECT(BOTTOM(w) > least, BOTTOM(w), least))
#define CORRECT_ONE(w) ((w) / (BOTTOM(w) > 1e-300 ? BOTTOM(w) : 1e-300))
#define BOTTOM(w) ((1 - lambda) + lambda * (w))

INLINE double score(
    enum ck_rule rule, double lambda, double w, double target, const double *base) {
    double weight = w;
    switch (rule) {
    case CK_PLAIN: break;
    case CK_CLIP: weight = CLIP_ONE(w); break;
    case CK_SWITCH: weight = SWITCH_ONE(w); break;
    case CK_SHRINK: weight = lambda > 0 ? SHRINK(w) : 0; break;
    case CK_CORRECT: weight = CORRECT_ONE(w); break;
    }
    return base ? *base + weight * target : weight * target;
}

double ck_weighted_score(
    enum ck_rule rule, double lambda, const double *w, const double *target, const double *base) {
    return score(rule, lambda, *w, *target, base);
}

// Inlined once a rule.
INLINE struct ck_moments weighted(
    const enum ck_rule rule, double lambda, const double *w, const double *target,
    const double *base, long count, double origin) {
    const v4 bound = SPLAT(lambda), least = SPLAT(1e-300);
#define RULED(w)                                                                                 \
    (rule == CK_CLIP         ? CLIP(w)                                                           \
        : rule == CK_SWITCH  ? SWITCH(w)                                                         \
        : rule == CK_SHRINK  ? SHRINK(w)                                                         \
        : rule == CK_CORRECT ? CORRECT(w)                                                        \
                             : PLAIN(w))
#define VECTOR(i)                                                                                \
    (base ? LOAD(base + (i)) + RULED(LOAD(w + (i))) * LOAD(target + (i))                         \
          : RULED(LOAD(w + (i))) * LOAD(target + (i)))
#define ONE(i) score(rule, lambda, w[i], target[i], base ? base + (i) : base)
    MOMENTS(VECTOR, ONE);
#undef VECTOR
#undef ONE
}

// With and without a base, so that neither loop asks.
#define WEIGHTED(rule, lambda)                                                                   \
    (base ? weighted(rule, lambda, w, target, base, count, origin)                               \
          : weighted(rule, lambda, w, target, 0, count, origin))

KERNEL struct ck_moments ck_weighted_moments(
    enum ck_rule rule, double lambda, const double *w, const double *target, const double *base,
    long count, double origin) {
    switch (rule) {
    case CK_CLIP: return WEIGHTED(CK_CLIP, lambda);
    case CK_SWITCH: return WEIGHTED(CK_SWITCH, lambda);
    case CK_SHRINK:
        // Nothing is left of a weight: what is clipped at zero.
        return lambda > 0 ? WEIGHTED(CK_SHRINK, lambda) : WEIGHTED(CK_CLIP, 0.0);
    case CK_CORRECT: return WEIGHTED(CK_CORRECT, lambda);
    case CK_PLAIN: break;
    }
    return WEIGHTED(CK_PLAIN, lambda);
}

// Four rows of four become four columns.
#define TRANSPOSE(a, b, c, d, first)                                                             \
    do {                                                                                         \
        const v4 r0_ = LOAD(first), r1_ = LOAD((first) + 4);                                     \
        const v4 r2_ = LOAD((first) + 8), r3_ = LOAD((first) + 12);                              \
        const v4 low0_ = __builtin_shufflevector(r0_, r1_, 0, 4, 2, 6);                          \
        const v4 high0_ = __builtin_shufflevector(r0_, r1_, 1, 5, 3, 7);                         \
        const v4 low1_ = __builtin_shufflevector(r2_, r3_, 0, 4, 2, 6);                          \
        const v4 high1_ = __builtin_shufflevector(r2_, r3_, 1, 5, 3, 7);                         \
        (a) = __builtin_shufflevector(low0_, low1_, 0, 1, 4, 5);                                 \
        (b) = __builtin_shufflevector(high0_, high1_, 0, 1, 4, 5);                               \
        (c) = __builtin_shufflevector(low0_, low1_, 2, 3, 6, 7);                                 \
        (d) = __builtin_shufflevector(high0_, high1_, 2, 3, 6, 7);                               \
    } while (0)

// Of four columns, in each row that of the action.
#define TAKEN(a, b, c, d)                                                                        \
    SELECT(is0, (a), SELECT(is1, (b), SELECT(is2, (c), (d))))

INLINE void gather_four(
    const int *actions, const double *propensities, const double *evaluated,
    const double *expected, long rows, double *weights, double *modelled, double *direct,
    long long *matches) {
    typedef int32_t i4x32 __attribute__((vector_size(16), aligned(4), may_alias));
    typedef i4 i4u __attribute__((aligned(8), may_alias));
    for (long row = 0; row < rows; row += 4) {
        const i4 action = __builtin_convertvector(*(const i4x32 *)(actions + row), i4);
        const i4 is0 = action == 0, is1 = action == 1, is2 = action == 2;
        v4 a, b, c, d;
        TRANSPOSE(a, b, c, d, evaluated + 4 * row);
        const v4 taken = TAKEN(a, b, c, d);
        STORE(weights + row, taken / LOAD(propensities + row));
        if (expected) {
            v4 q0, q1, q2, q3;
            TRANSPOSE(q0, q1, q2, q3, expected + 4 * row);
            const v4 chosen = TAKEN(q0, q1, q2, q3);
            const v4 sum = (a * q0 + c * q2) + (b * q1 + d * q3);
            STORE(modelled + row, chosen);
            STORE(direct + row, sum);
        }
        if (matches) {
            // No action before it as probable, none after it more so.
            const i4 is3 = action == 3;
            const i4 beaten = (i4)(a >= taken) & ~is0;
            const i4 by1 = ((i4)(b >= taken) & (is2 | is3)) | ((i4)(b > taken) & is0);
            const i4 by2 = ((i4)(c >= taken) & is3) | ((i4)(c > taken) & (is0 | is1));
            const i4 by3 = (i4)(d > taken) & ~is3;
            *(i4u *)(matches + row) = ~(beaten | by1 | by2 | by3) & 1;
        }
    }
}

KERNEL void ck_gather_four(
    const int *actions, const double *propensities, const double *evaluated,
    const double *expected, long count, double *weights, double *modelled, double *direct,
    long long *matches) {
    const long rows = count - count % 4;
    gather_four(
        actions, propensities, evaluated, expected, rows, weights, modelled, direct, matches);
    if (rows == count) return;
    // The last rows, with copies of the last one behind them.
    int action[4];
    double propensity[4], share[16], model[16], out[3][4];
    long long match[4];
    for (long i = 0; i < 4; i++) {
        const long row = rows + i < count ? rows + i : count - 1;
        action[i] = actions[row];
        propensity[i] = propensities[row];
        for (long k = 0; k < 4; k++) {
            share[4 * i + k] = evaluated[4 * row + k];
            model[4 * i + k] = expected ? expected[4 * row + k] : 0;
        }
    }
    gather_four(action, propensity, share, model, 4, out[0], out[1], out[2], match);
    for (long row = rows; row < count; row++) {
        weights[row] = out[0][row - rows];
        if (expected) {
            modelled[row] = out[1][row - rows];
            direct[row] = out[2][row - rows];
        }
        if (matches) matches[row] = match[row - rows];
    }
}
