#include "score.h"

// Four candidates and their values besides features, one per lane.
struct four {
    const struct ck_candidate *at[4];
    v4 prediction, price;
};

INLINE void gather(const struct ck_candidate *first, long step, long count, struct four *four) {
    const double *base = (const double *)first;
    for (long k = 0; k < 4; k++) {
        // Beyond the last candidate, the first of the four is computed again and the result is not
        // used.
        four->at[k] = (const struct ck_candidate *)(base + (k < count ? k : 0) * step);
        four->prediction[k] = four->at[k]->prediction;
        four->price[k] = four->at[k]->standing.price;
    }
}

#define FEATURES(four)                                                                           \
    (four).at[0]->features, (four).at[1]->features, (four).at[2]->features, (four).at[3]->features

KERNEL void ck_optimistic_costs(
    const struct ck_optimism *o, const double *theta, const double *p, long size, long stride,
    const struct ck_candidate *candidates, long step, long count, double *costs,
    double *deliveries) {
    for (long first = 0; first < count; first += 4) {
        struct four four;
        gather(
            (const struct ck_candidate *)((const double *)candidates + first * step), step,
            count - first, &four);
        v4 mean, logarithm, delivery, bonus = SPLAT(0.0);
        LOGARITHM(logarithm, MAXIMUM(four.prediction, SPLAT(1e-4)));
        mean4(theta, size, FEATURES(four), &mean);
        const v4 least = MAXIMUM(mean, SPLAT(o->lowest));
        const v4 residual = MINIMUM(least, SPLAT(o->highest));
        // Computed before the spread, whose sums do not depend on it.
        EXPONENTIAL(delivery, logarithm + residual);
        STORE(deliveries + first, delivery);
        if (p) {
            v4 spread;
            spread4(p, size, stride, FEATURES(four), &spread);
            const v4 share = o->scale * spread;
            bonus = o->alpha * __builtin_elementwise_sqrt(MAXIMUM(SPLAT(0.0), share));
        }
        STORE(costs + first, logarithm + residual - bonus + o->per_price * four.price);
    }
}

KERNEL long ck_learned_costs(
    const struct ck_learned *l, double per_price, double deadline, long current,
    const double *theta, long size, long stride, const struct ck_candidate *candidates, long step,
    long count, double *rows) {
    v4 check = SPLAT(0.0), limit = check;
    if (deadline > 0) LOGARITHM(limit, SPLAT(deadline > 1e-4 ? deadline : 1e-4));
    for (long first = 0; first < count; first += 4) {
        struct four four;
        gather(
            (const struct ck_candidate *)((const double *)candidates + first * step), step,
            count - first, &four);
        v4 mean, logit, logarithm, odds, delivery, offset, excess, bonus, leaving;
        for (long k = 0; k < 4; k++) {
            const long path = four.at[k]->standing.path & (CK_CANDIDATES - 1);
            offset[k] = l->offsets[path];
            excess[k] = l->excesses[path];
            bonus[k] = l->bonuses[path];
            leaving[k] = current < 0 || current == four.at[k]->standing.path ? 0 : l->switching;
        }
        mean4(theta, size, FEATURES(four), &mean);
        mean4(theta + stride, size, FEATURES(four), &logit);
        // The exponential of this is the odds against being late.
        EXPONENTIAL(odds, -(logit + l->late_correction));
        LOGARITHM(logarithm, SELECT(four.prediction > 1e-4, four.prediction, SPLAT(1e-4)));
        const v4 error = mean + offset + excess;
        const v4 least = MAXIMUM(error, SPLAT(l->lowest));
        const v4 longer = MINIMUM(least, SPLAT(l->highest));
        const v4 late = 1.0 / (1.0 + odds);
        const v4 expected = logarithm + longer;
        EXPONENTIAL(delivery, expected);
        v4 basis = expected + l->lateness * late;
        if (deadline > 0) {
            v4 surcharge, against, result;
            for (long k = 0; k < 4; k++) {
                surcharge[k] = l->surcharges[four.at[k]->standing.path & (CK_CANDIDATES - 1)];
            }
            // The logistic distribution that is nearest to the normal one.
            const v4 deviation = __builtin_elementwise_sqrt(2.0 * excess + l->least_variance);
            EXPONENTIAL(against, 1.702 * (limit - expected) / deviation);
            const v4 missed = 1.0 / (1.0 + against);
            const v4 timely = MINIMUM(delivery, SPLAT(deadline));
            result = timely + missed * (2 * deadline - timely) + surcharge;
            result = MAXIMUM(result, 0.3 * timely);
            result = MINIMUM(result, SPLAT(2 * deadline));
            STORE(rows + 3 * CK_CANDIDATES + first, result);
            LOGARITHM(basis, MAXIMUM(result, SPLAT(1e-6)));
        }
        const v4 cost = basis - bonus + per_price * four.price + leaving;
        check += mean * 0.0 + cost * 0.0;
        STORE(rows + first, cost);
        STORE(rows + CK_CANDIDATES + first, late);
        STORE(rows + 2 * CK_CANDIDATES + first, delivery);
    }
    return SUM(check) == 0;
}

KERNEL void ck_learn_offset(double *evidence, long path, double error, double decay) {
    for (long i = 0; i < CK_CANDIDATES; i += 4) {
        const i4 here = (i4){i, i + 1, i + 2, i + 3} == path;
        const v4 samples[3] = {SPLAT(error), SPLAT(error * error), SPLAT(1.0)};
        for (long row = 0; row < 3; row++) {
            double *place = evidence + row * CK_CANDIDATES + i;
            STORE(place, LOAD(place) * decay + SELECT(here, samples[row], SPLAT(0.0)));
        }
    }
}

KERNEL void ck_take_offsets(
    const double *evidence, double usual, double optimism, double shrinkage,
    struct ck_learned *out) {
    for (long i = 0; i < CK_CANDIDATES; i += 4) {
        const v4 count = LOAD(evidence + 2 * CK_CANDIDATES + i) + shrinkage;
        const v4 mean = LOAD(evidence + i) / count;
        const v4 second = (LOAD(evidence + CK_CANDIDATES + i) + shrinkage * usual) / count;
        STORE(out->offsets + i, mean);
        STORE(out->excesses + i, 0.5 * MAXIMUM(SPLAT(0.0), second - mean * mean));
        STORE(out->bonuses + i, optimism * __builtin_elementwise_sqrt(1.0 / count));
    }
}
