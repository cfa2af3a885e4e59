#include "kernels.h"

// One group of four features of their raw quantities.
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

// Bits in which a group of four numbers differs from what it was.
#define MOVED(group) ((u4)LOAD(now + 4 * (group)) ^ (u4)LOAD(m->reading + 4 * (group)))
#define ANY(bits) (__builtin_reduce_or(bits) != 0)
#define KEEP(group) STORE(m->reading + 4 * (group), LOAD(now + 4 * (group)))

// The features of losses.
INLINE void recall(
    const struct ck_scaling *scaling, const struct ck_reading *r, struct ck_memory *m) {
    const struct ck_averages *a = &r->averages;
    const double brief = a->lost_short / (a->lost_short + a->delivered_short + 1);
    m->loss = a->lost_long / (a->lost_long + a->delivered_long + 1);
    SCALE(
        *(v4u *)(m->features + 8), 8, ((v4){brief, m->loss, a->loss_burst, r->since_loss}));
}

// The features that only an acknowledgement or a loss moves.
INLINE void average(
    const struct ck_scaling *scaling, const struct ck_reading *r, struct ck_memory *m) {
    const struct ck_averages *a = &r->averages;
    m->per_rtt = r->rtt > 0 ? 1 / r->rtt : 0;
    const double slope = a->rtt_slow > 0 ? (a->rtt_fast - a->rtt_slow) / a->rtt_slow : 0;
    SCALE(
        *(v4u *)m->features, 0,
        ((v4){r->rtt, r->rtt_variation * m->per_rtt, r->least_rtt, slope}));
    const double square = a->rate_weight > 0 ? a->rate_squares / a->rate_weight : 0;
    const double deviation = __builtin_elementwise_sqrt(square >= 0 ? square : 0);
    const double variation = a->rate_mean > 0 ? deviation / a->rate_mean : 0;
    SCALE(*(v4u *)(m->features + 4), 4, ((v4){a->delay_excess, a->jitter, r->rate, variation}));
    recall(scaling, r, m);
}

INLINE void extract(
    const struct ck_scaling *scaling, const struct ck_reading *r, struct ck_memory *m,
    struct ck_candidate *out, double *timed) {
    const double *now = (const double *)r;
    if (ANY(MOVED(0) | MOVED(1) | MOVED(2) | MOVED(3))) {
        average(scaling, r, m);
        KEEP(0);
        KEEP(1);
        KEEP(2);
        KEEP(3);
        KEEP(7);
    } else if (m->reading[28] != r->since_loss) {
        recall(scaling, r, m);
        KEEP(7);
    }
    if (ANY(MOVED(4) | MOVED(5))) {
        SCALE(*(v4u *)(m->features + 16), 16, LOAD(now + 16));
        SCALE(*(v4u *)(m->features + 20), 20, LOAD(now + 20));
        KEEP(4);
        KEEP(5);
    }
    // What time and the burst move: three quotients at once.
    const double size = r->burst >= 0 ? r->burst : 0;
    const v4 quotients = (v4){r->in_flight + 1200, r->in_flight + size - r->window, size, 0}
        / (v4){r->rate * r->least_rtt + 1200, r->rate, r->rate, 1};
    STORE(
        timed, ((v4){r->since_reply, r->unanswered * m->per_rtt, quotients[0], r->pacing_delay}));
    for (long i = 0; i < CK_FEATURES; i += 4) {
        if (i != 12) STORE(out->features + i, LOAD(m->features + i));
    }
    // Wait for pacer or window, transfer, way, and the silence beyond what is usual.
    const double window = r->pacing_delay <= quotients[1] ? quotients[1] : r->pacing_delay;
    const double wait = window <= 0 ? 0 : window;
    const double margin = 4 * r->rtt_variation <= 0.01 ? 0.01 : 4 * r->rtt_variation;
    const double silence = r->unanswered - (r->rtt + margin);
    const double prediction = wait + quotients[2] + r->delay + (silence >= 0 ? silence : 0);
    STORE(
        &out->prediction,
        ((v4){
            prediction >= 1e-4 ? prediction : 1e-4, r->rtt, r->rtt_variation, r->unanswered}));
    out->loss = m->loss;
    out->standing = r->standing;
}

// Each prediction against the best of the others.
INLINE void compare(
    const struct ck_scaling *scaling, struct ck_candidate *candidates, long step, long count) {
    double *const base = (double *)candidates;
    double predictions[CK_CANDIDATES];
    for (long k = 0; k < ((count + 3) & ~3l); k++) {
        predictions[k] = k < count ? base[k * step + CK_FEATURES] : __builtin_inf();
    }
    double best = __builtin_inf(), second = best;
    for (long first = 0; first < count; first += 4) {
        const double *p = predictions + first;
        // The least and the second of four, then of those and what came before.
        const double a = LEAST(p[0], p[1]), b = LEAST(p[2], p[3]);
        const double c = MOST(p[0], p[1]), d = MOST(p[2], p[3]);
        const double one = LEAST(a, b), ab = MOST(a, b), cd = LEAST(c, d);
        const double two = LEAST(ab, cd), seconds = LEAST(second, two), bests = MOST(best, one);
        second = LEAST(seconds, bests);
        best = LEAST(best, one);
    }
    const long gap = CK_FEATURES - 1;
    for (long first = 0; first < count; first += 4) {
        const v4 prediction = LOAD(predictions + first);
        v4 v = prediction / SELECT(prediction > best, SPLAT(best), SPLAT(second)), curve;
        v = SELECT(v > scaling->low[gap], v, SPLAT(scaling->low[gap]));
        v = SELECT(v < scaling->high[gap], v, SPLAT(scaling->high[gap]));
        const v4 argument = scaling->one[gap] + v * scaling->scale[gap];
        LOGARITHM(curve, argument);
        STORE(predictions + first, curve * scaling->factor[gap]);
    }
    // With the three features beside it, as it will be read.
    for (long k = 0; k < count; k++) {
        double *place = base + k * step + gap - 3;
        STORE(place, SELECT(((i4){0, 0, 0, -1}), SPLAT(predictions[k]), LOAD(place)));
    }
}

KERNEL void ck_fill(
    const struct ck_scaling *scaling, const struct ck_reading *readings, long count,
    struct ck_memory *memory, struct ck_candidate *candidates, long step) {
    double timed[4 * CK_CANDIDATES];
    for (long k = 0; k < count; k++) {
        struct ck_memory *own = memory + (readings[k].standing.path & (CK_CANDIDATES - 1));
        extract(
            scaling, readings + k, own,
            (struct ck_candidate *)((double *)candidates + k * step), timed + 4 * k);
    }
    // Apart from the rest, so that the logarithms of all candidates are under way at once.
    for (long k = 0; k < count; k++) {
        SCALE(*(v4u *)((double *)candidates + k * step + 12), 12, LOAD(timed + 4 * k));
    }
    if (count > 1) compare(scaling, candidates, step, count);
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
