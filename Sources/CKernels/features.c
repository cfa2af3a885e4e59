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

INLINE int moved(const double *reading, const double *memory, long group) {
    const v4 now = LOAD(reading + 4 * group), before = LOAD(memory + 4 * group);
    return DIFFER(now, before);
}

INLINE void extract(
    const struct ck_scaling *scaling, const struct ck_reading *r, struct ck_memory *m,
    struct ck_candidate *out, double *timed) {
    const double *now = (const double *)r, *before = (const double *)&m->reading;
    // What only an acknowledgement or a loss moves, and is divided by.
    const int averages = moved(now, before, 6) || moved(now, before, 7);
    if (averages || moved(now, before, 0)) {
        m->per_rtt = r->rtt > 0 ? 1 / r->rtt : 0;
        const double slope = r->rtt_slow > 0 ? (r->rtt_fast - r->rtt_slow) / r->rtt_slow : 0;
        SCALE(
            *(v4u *)m->features, 0,
            ((v4){r->rtt, r->rtt_variation * m->per_rtt, r->least_rtt, slope}));
    }
    if (averages || moved(now, before, 1)) {
        const double square = r->rate_weight > 0 ? r->rate_squares / r->rate_weight : 0;
        const double deviation = __builtin_elementwise_sqrt(square >= 0 ? square : 0);
        const double variation = r->rate_mean > 0 ? deviation / r->rate_mean : 0;
        SCALE(
            *(v4u *)(m->features + 4), 4, ((v4){r->delay_excess, r->jitter, r->rate, variation}));
    }
    if (averages || moved(now, before, 2)) {
        const double brief = r->lost_short / (r->lost_short + r->delivered_short + 1);
        m->loss = r->lost_long / (r->lost_long + r->delivered_long + 1);
        SCALE(
            *(v4u *)(m->features + 8), 8,
            ((v4){brief, m->loss, r->loss_burst, r->since_loss}));
    }
    // What time and the burst move: three quotients at once.
    const double size = r->burst >= 0 ? r->burst : 0;
    const v4 quotients = (v4){r->in_flight + 1200, r->in_flight + size - r->window, size, 0}
        / (v4){r->rate * r->least_rtt + 1200, r->rate, r->rate, 1};
    STORE(
        timed, ((v4){r->since_reply, r->unanswered * m->per_rtt, quotients[0], r->pacing_delay}));
    for (long group = 4; group < 6; group++) {
        if (moved(now, before, group)) {
            SCALE(*(v4u *)(m->features + 4 * group), 4 * group, LOAD(now + 4 * group));
        }
    }
    for (long i = 0; i < 8; i++) STORE((double *)&m->reading + 4 * i, LOAD(now + 4 * i));
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
}

// Each prediction against the best of the others.
INLINE void compare(
    const struct ck_scaling *scaling, struct ck_candidate *candidates, long step, long count) {
    double best = __builtin_inf(), second = best, predictions[CK_CANDIDATES];
    for (long k = 0; k < count; k++) {
        const double prediction = ((double *)candidates)[k * step + CK_FEATURES];
        predictions[k] = prediction;
        second = prediction < best ? best : prediction < second ? prediction : second;
        best = prediction < best ? prediction : best;
    }
    for (long k = count; k & 3; k++) predictions[k] = best;
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
    for (long k = 0; k < count; k++) ((double *)candidates)[k * step + gap] = predictions[k];
}

KERNEL void ck_fill(
    const struct ck_scaling *scaling, const struct ck_reading *readings, long count,
    struct ck_memory *memory, struct ck_candidate *candidates, long step) {
    double timed[4 * CK_CANDIDATES];
    for (long k = 0; k < count; k++) {
        const long path = readings[k].path;
        struct ck_memory *own = memory + (path < CK_CANDIDATES ? path : CK_CANDIDATES - 1);
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
