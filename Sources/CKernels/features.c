#include "kernels.h"

// Scales a group of four features from their raw quantities.
#define SCALE(result, i, raw)                                                                    \
    do {                                                                                         \
        v4 v_ = (raw);                                                                           \
        const v4 low_limit_ = LOAD(scaling->low + (i));                                          \
        const v4 high_limit_ = LOAD(scaling->high + (i));                                        \
        v_ = SELECT(v_ > low_limit_, v_, low_limit_);                                            \
        v_ = SELECT(v_ < high_limit_, v_, high_limit_);                                          \
        const i4 logarithmic_ = LOAD(scaling->logarithmic + (i)) != 0.0;                         \
        const v4 argument_ = SELECT(                                                             \
            logarithmic_, LOAD(scaling->one + (i)) + v_ * LOAD(scaling->scale + (i)),            \
            SPLAT(1.0));                                                                         \
        v4 curve_;                                                                               \
        LOGARITHM(curve_, argument_);                                                            \
        (result) = SELECT(logarithmic_, curve_, v_) * LOAD(scaling->factor + (i));               \
    } while (0)

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b) ((a) < (b) ? (b) : (a))

// Compares each prediction with the best of the others.
INLINE void compare(
    const struct ck_scaling *scaling, struct ck_candidate *candidates, long step, long count,
    long gap) {
    double *const base = (double *)candidates;
    double predictions[CK_CANDIDATES];
    for (long k = 0; k < ((count + 3) & ~3l); k++) {
        predictions[k] = k < count ? base[k * step + CK_FEATURES] : __builtin_inf();
    }
    double best = __builtin_inf(), second = best;
    for (long first = 0; first < count; first += 4) {
        const double *p = predictions + first;
        // The least and the second of the four, then of those and the earlier ones.
        const double a = LEAST(p[0], p[1]), b = LEAST(p[2], p[3]);
        const double c = MOST(p[0], p[1]), d = MOST(p[2], p[3]);
        const double one = LEAST(a, b), ab = MOST(a, b), cd = LEAST(c, d);
        const double two = LEAST(ab, cd), seconds = LEAST(second, two), bests = MOST(best, one);
        second = LEAST(seconds, bests);
        best = LEAST(best, one);
    }
    for (long first = 0; first < count; first += 4) {
        const v4 prediction = LOAD(predictions + first);
        v4 v = prediction / SELECT(prediction > best, SPLAT(best), SPLAT(second)), curve;
        v = SELECT(v > scaling->low[gap], v, SPLAT(scaling->low[gap]));
        v = SELECT(v < scaling->high[gap], v, SPLAT(scaling->high[gap]));
        const v4 argument = scaling->one[gap] + v * scaling->scale[gap];
        LOGARITHM(curve, argument);
        STORE(predictions + first, curve * scaling->factor[gap]);
    }
    // Stored with the three features beside it, because it will be read that way.
    const i4 lane = (i4){0, 1, 2, 3} == (gap & 3);
    for (long k = 0; k < count; k++) {
        double *place = base + k * step + (gap & ~3l);
        STORE(place, SELECT(lane, SPLAT(predictions[k]), LOAD(place)));
    }
}

KERNEL void ck_fill(
    const struct ck_scaling *scaling, const struct ck_candidate *readings, long count, long gap,
    struct ck_memory *memory, struct ck_candidate *candidates, long step) {
    // Groups of four to scale. They are collected first, so that the logarithms of all candidates
    // are computed in parallel.
    uint32_t moved[CK_CANDIDATES];
    for (long k = 0; k < count; k++) {
        struct ck_memory *own = memory + (readings[k].standing.path & (CK_CANDIDATES - 1));
        moved[k] = 0;
        for (long i = 0; i < CK_FEATURES; i += 4) {
            const v4 raw = LOAD(readings[k].features + i);
            const u4 bits = (u4)raw ^ (u4)LOAD(own->raw + i);
            moved[k] |= (uint32_t)(__builtin_reduce_or(bits) != 0) << (i / 4);
        }
    }
    for (long k = 0; k < count; k++) {
        struct ck_memory *own = memory + (readings[k].standing.path & (CK_CANDIDATES - 1));
        for (uint32_t left = moved[k]; left; left &= left - 1) {
            const long i = 4 * __builtin_ctz(left);
            const v4 raw = LOAD(readings[k].features + i);
            STORE(own->raw + i, raw);
            SCALE(*(v4u *)(own->features + i), i, raw);
        }
    }
    for (long k = 0; k < count; k++) {
        const struct ck_candidate *reading = readings + k;
        const struct ck_memory *own = memory + (reading->standing.path & (CK_CANDIDATES - 1));
        struct ck_candidate *out = (struct ck_candidate *)((double *)candidates + k * step);
        for (long i = 0; i < CK_FEATURES; i += 4) STORE(out->features + i, LOAD(own->features + i));
        STORE(&out->prediction, LOAD(&reading->prediction));
        out->loss = reading->loss;
        out->standing = reading->standing;
    }
    if (count > 1) compare(scaling, candidates, step, count, gap);
}

KERNEL void ck_log(const double *x, double *out, long count) {
    for (long i = 0; i < count; i += 4) {
        v4 result;
        LOGARITHM(result, LOAD(x + i));
        STORE(out + i, result);
    }
}

KERNEL void ck_exp(const double *x, double *out, long count) {
    for (long i = 0; i < count; i += 4) {
        v4 result;
        EXPONENTIAL(result, LOAD(x + i));
        STORE(out + i, result);
    }
}

#if defined(__x86_64__) && defined(__linux__)
const char *ck_target(void) { return __builtin_cpu_supports("avx2") ? "avx2" : "baseline"; }
#else
const char *ck_target(void) { return "baseline"; }
#endif
