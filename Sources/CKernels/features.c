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

// The lesser and the greater of two numbers, lane by lane.
#define LEAST(a, b) SELECT((a) < (b), a, b)
#define MOST(a, b) SELECT((a) < (b), b, a)

// Feature `gap` of each candidate: its prediction over the best of the others.
INLINE void compare(
    const struct ck_scaling *scaling, const struct ck_candidate *readings, long count, long gap,
    double *gaps) {
    // The predictions are gathered in registers, because a vector that is loaded from numbers just
    // stored one by one waits until they have reached memory.
    v4 predictions[CK_CANDIDATES / 4];
    v4 best = SPLAT(__builtin_inf()), second = best;
    for (long first = 0; first < count; first += 4) {
        // Beyond the last candidate the first of the four is read again and replaced.
        const struct ck_candidate *own = readings + first;
        const v4 four = {
            own->prediction, own[first + 1 < count ? 1 : 0].prediction,
            own[first + 2 < count ? 2 : 0].prediction, own[first + 3 < count ? 3 : 0].prediction};
        const v4 known =
            SELECT(((i4){0, 1, 2, 3}) < count - first, four, SPLAT(__builtin_inf()));
        predictions[first / 4] = known;
        // The least and the second of the four, then of those and the earlier ones, in every lane.
        const v4 turned = __builtin_shufflevector(known, known, 1, 0, 3, 2);
        const v4 low = LEAST(known, turned), high = MOST(known, turned);
        const v4 lows = __builtin_shufflevector(low, low, 2, 3, 0, 1);
        const v4 highs = __builtin_shufflevector(high, high, 2, 3, 0, 1);
        const v4 one = LEAST(low, lows), rest = MOST(low, lows), rests = LEAST(high, highs);
        const v4 two = LEAST(rest, rests), seconds = LEAST(second, two), bests = MOST(best, one);
        second = LEAST(seconds, bests);
        best = LEAST(best, one);
    }
    for (long first = 0; first < count; first += 4) {
        const v4 prediction = predictions[first / 4];
        v4 v = prediction / SELECT(prediction > best, best, second), curve;
        v = SELECT(v > scaling->low[gap], v, SPLAT(scaling->low[gap]));
        v = SELECT(v < scaling->high[gap], v, SPLAT(scaling->high[gap]));
        const v4 argument = scaling->one[gap] + v * scaling->scale[gap];
        LOGARITHM(curve, argument);
        STORE(gaps + first, curve * scaling->factor[gap]);
    }
}

KERNEL void ck_fill(
    const struct ck_scaling *scaling, const struct ck_candidate *readings, long count, long gap,
    struct ck_memory *memory, struct ck_candidate *candidates, long step) {
    // This is first because nothing below waits for its long chain of operations until the end of
    // the first candidate.
    double gaps[CK_CANDIDATES];
    if (count > 1) compare(scaling, readings, count, gap, gaps);
    const long place = gap & ~3l;
    const i4 lane = (i4){0, 1, 2, 3} == (gap & 3);
    // One pass: no candidate needs a result of another one, so the processor begins with the next
    // before the logarithms of this one are done.
    for (long k = 0; k < count; k++) {
        const struct ck_candidate *reading = readings + k;
        struct ck_memory *own = memory + (reading->standing.path & (CK_CANDIDATES - 1));
        struct ck_candidate *out = (struct ck_candidate *)((double *)candidates + k * step);
#pragma clang loop unroll(full)
        for (long i = 0; i < CK_FEATURES; i += 4) {
            const v4 raw = LOAD(reading->features + i);
            const u4 bits = (u4)raw ^ (u4)LOAD(own->raw + i);
            v4 features = LOAD(own->features + i);
            if (__builtin_reduce_or(bits) != 0) {
                STORE(own->raw + i, raw);
                SCALE(features, i, raw);
                STORE(own->features + i, features);
            }
            STORE(out->features + i, features);
        }
        // Stored with the three features beside it, because it will be read that way.
        if (count > 1) {
            const v4 four = LOAD(own->features + place);
            STORE(out->features + place, SELECT(lane, SPLAT(gaps[k]), four));
        }
        STORE(&out->prediction, LOAD(&reading->prediction));
        out->loss = reading->loss;
        out->standing = reading->standing;
    }
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
