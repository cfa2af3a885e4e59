// Kernels of a decision: features, linear scores, rank-one updates.
//
// Every function does the same IEEE operations in the same order on every machine and at every
// vector width: products are fused with sums only where the source says so (a processor without the
// instruction does it in software), nothing is reassociated, and the only library function is the
// square root, which is exact. So a decision is the same, bit for bit, live, simulated and offline.
// Where the processor has AVX2 and FMA the same source runs four doubles at a time.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdint.h>

// Most candidates of one call.
#define CK_CANDIDATES 16
// Count of features of a candidate, a multiple of four.
#define CK_FEATURES 24

// How raw quantities become features: one array for each constant, with one element for each
// feature.
//
//     v = raw clamped to low...high (not-a-number becomes low)
//     feature = logarithmic != 0 ? ln(one + v * scale) * factor : v * factor
//
// `one` is 1 for ln(1 + x) and 0 for ln(x).
struct ck_scaling {
    double low[CK_FEATURES];
    double high[CK_FEATURES];
    double scale[CK_FEATURES];
    double one[CK_FEATURES];
    double factor[CK_FEATURES];
    double logarithmic[CK_FEATURES];
};

// The values of a candidate besides its features: its path, the user's settings of it, and its room
// in bytes; the rate is in bytes per second.
struct ck_standing {
    // Below CK_CANDIDATES.
    uint8_t path;
    double weight, price, rate_limit;
    uint8_t is_backup, kind;
    int64_t room, in_flight, window;
    double rate;
};

// A candidate in memory; the next one is `step` doubles on.
struct ck_candidate {
    double features[CK_FEATURES];
    // Seconds: predicted delivery, smoothed round trip, its variation, oldest unanswered packet.
    double prediction, rtt, variation, age;
    double loss;
    struct ck_standing standing;
};

// The raw quantities of a path in its latest decision, and the features made of them.
struct ck_memory {
    double raw[CK_FEATURES];
    double features[CK_FEATURES];
};

// Fills `count` candidates of different paths from readings that hold raw quantities in the place
// of features. Four consecutive features whose raw quantities have the same bits as before are
// taken from the memory of the path. With several candidates, feature `gap` is made of each
// prediction over the least of the others.
void ck_fill(
    const struct ck_scaling *scaling, const struct ck_candidate *readings, long count, long gap,
    struct ck_memory *memory, struct ck_candidate *candidates, long step);

// Natural logarithms and exponentials of `count` numbers, rounded up to whole groups of four.
// Arguments of the logarithm are positive and normal, those of the exponential finite.
void ck_log(const double *x, double *out, long count);
void ck_exp(const double *x, double *out, long count);

// Scores of (x, 1) for candidates whose features lie `step` doubles apart.
//
// means[m * CK_CANDIDATES + k] = theta_m'(x_k, 1) for `models` vectors of weights, `stride` apart;
// spreads[k] = (x_k, 1)' P (x_k, 1) for a symmetric P with columns `stride` apart, where P is not
// null. `size` is the count of features, a multiple of four and at most CK_FEATURES; weights and P
// are one larger.
void ck_score(
    const double *theta, long models, const double *p, long size, long stride, const double *x,
    long step, long count, double *means, double *spreads);

// The parameters of an optimistic policy's costs.
struct ck_optimism {
    double alpha, scale, lowest, highest, per_price;
};

// Costs `ln h + residual - alpha sqrt(scale spread) + price` of candidates, where h is the
// prediction, at least 1e-4, and the residual is `theta'(x, 1)` clamped to lowest...highest; and
// the deliveries `h exp(residual)`. There is no spread if P is null. `size`, P and theta are those
// of ck_score. Results are written in whole groups of four.
void ck_optimistic_costs(
    const struct ck_optimism *optimism, const double *theta, const double *p, long size,
    long stride, const struct ck_candidate *candidates, long step, long count, double *costs,
    double *deliveries);

// The parameters of the learned policy's costs, some by path.
struct ck_learned {
    double offsets[CK_CANDIDATES], excesses[CK_CANDIDATES], bonuses[CK_CANDIDATES];
    // Seconds by which the results of messages are worse than predicted without them.
    double surcharges[CK_CANDIDATES];
    double late_correction, lateness, lowest, highest, switching;
    // Variance of log delivery that is left where a path's errors show none.
    double least_variance;
};

// Costs by the weights of the residual and, `stride` later, those of the logit of P(late).
// `deadline` is that of a message in seconds, and zero for other data. `current` is the path that
// costs no switching, or below zero. Writes rows of CK_CANDIDATES: costs, P(late), expected
// deliveries in seconds and, for a message, expected results: seconds, where being late counts as
// twice the deadline. The cost of a message is the logarithm of its result in place of those of
// delivery and lateness. Returns 0 if a cost is not finite.
long ck_learned_costs(
    const struct ck_learned *learned, double per_price, double deadline, long current,
    const double *theta, long size, long stride, const struct ck_candidate *candidates, long step,
    long count, double *rows);

// How costs become probabilities.
struct ck_choice {
    // The safe set: expected deliveries within `ratio` times the best plus `slack` seconds, and
    // P(late) within `risk` of that.
    double ratio, slack, risk;
    // The share that is spread evenly over the safe set, and one over the temperature for the rest.
    double epsilon, sharpness;
};

// The members (bit k for number k) whose value is within `ratio` times the least of theirs plus
// `slack`. Values are read in whole groups of four.
uint32_t ck_safe_set(
    const double *values, uint32_t members, double ratio, double slack, long count);

// The member of the safe set with the least cost gets `1 - epsilon`, and each one of the set an
// equal share of `epsilon`. Writes probabilities in whole groups of four, and the candidates'
// paths, bit p for path p.
void ck_choose_least(
    const struct ck_choice *rule, const double *costs, const double *deliveries, uint32_t members,
    const struct ck_candidate *candidates, long step, long count, double *probabilities,
    uint16_t *actions);

// The safe set has the members with delivery and P(late) near those of the cheapest; each gets an
// equal share of `epsilon`, and the rest by exp(-cost * sharpness). There is at least one member.
// `rows` are those of ck_learned_costs, and all costs are finite.
void ck_choose_softly(
    const struct ck_choice *rule, const double *rows, uint32_t members,
    const struct ck_candidate *candidates, long step, long count, double *probabilities,
    uint16_t *actions);

// Adds an error of one path to the evidence (sums, squares and counts, CK_CANDIDATES each) after
// discounting all by `decay`.
void ck_learn_offset(double *evidence, long path, double error, double decay);

// Offsets, half their excess variance and bonuses from the evidence: see PathOffsets.
void ck_take_offsets(
    const double *evidence, double usual, double optimism, double shrinkage,
    struct ck_learned *out);

// Adds one observation to a regression that forgets: see SmallKernels.recursiveLeastSquares.
// Returns s = decay / weight + x'Px; changes nothing unless that is above zero and finite.
double ck_observe(
    double *p, double *theta, const double *x, double target, double weight, double decay,
    long size, long stride, double *scratch);

// The outcome of an observation.
enum { CK_REFUSED = 0, CK_PENDING = 1, CK_TAKEN = 2 };

// Adds one observation to a whole regression: to A and b by `share`, as in ck_add_outer_lower, and
// to P and theta by `weight`, without forgetting; P may be null. Changes nothing and returns
// CK_REFUSED if a number is not finite or the share is not above zero; returns CK_PENDING if P and
// theta could not be updated. Fastest for strides of 16, 20, 24 and 28.
long ck_take(
    double *gram, double *moment, double *p, double *theta, const double *x, double target,
    double weight, double share, long size, long stride, double *scratch);

// a = a + w x x' on the lower triangle, by whole vectors, so elements above it may change too.
void ck_add_outer_lower(double *a, const double *x, double w, long size, long stride);

// Replaces the lower triangle of a by L with a = L L'. Returns -1, or the first column whose pivot
// is not positive and finite.
long ck_cholesky(double *a, long size, long stride);

// inverse = (L L')^-1, both triangles with the same bits, and padding zero. `scratch` has size *
// stride doubles.
void ck_invert(const double *l, long size, long stride, double *inverse, double *scratch);

// Instruction set in use, for measurements.
const char *ck_target(void);

#endif
