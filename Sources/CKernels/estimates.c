#include "include/ckestimates.h"

#include "kernels.h"

// Adds a vector of numbers to lane h of the sums.
#define TAKE(h, x)                                                                               \
    do {                                                                                         \
        const v4 x_ = (x);                                                                       \
        const v4 distance_ = x_ - centre;                                                        \
        t##h += x_;                                                                              \
        f##h += distance_;                                                                       \
        s##h += distance_ * distance_;                                                           \
    } while (0)

// Moments of the numbers VECTOR(i) for rows i to i + 3, and ONE(i) for row i.
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

// The rules, for a vector or a number. The floor avoids 0 / 0 for lambda = 1.
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

// This is inlined once per rule.
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

// Variants with and without a base, so that neither loop has to check.
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
        // All weights become zero, as if clipped at zero.
        return lambda > 0 ? WEIGHTED(CK_SHRINK, lambda) : WEIGHTED(CK_CLIP, 0.0);
    case CK_CORRECT: return WEIGHTED(CK_CORRECT, lambda);
    case CK_PLAIN: break;
    }
    return WEIGHTED(CK_PLAIN, lambda);
}
