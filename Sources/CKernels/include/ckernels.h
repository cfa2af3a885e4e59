// Kernels of a decision: features, linear scores, rank-one updates.
//
// Every function does the same IEEE operations in the same order on every machine and at every
// vector width: products are fused with sums only where the source says so (a processor without
// the instruction does it in software), nothing is reassociated, and no library function is used
// but the square root, which is exact. So a decision is the same, bit for bit, live, simulated and
// offline. Where the processor has AVX2 and FMA the same source runs four doubles at a time.
#ifndef CKERNELS_H
#define CKERNELS_H

// Candidates that one call scores at most.
#define CK_CANDIDATES 16
// Features of a candidate.
#define CK_FEATURES 24

// How raw quantities become features: one array a constant, one element a feature.
//
//     v = raw held within low...high (not-a-number becomes low)
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

// Scales all features of one candidate. `memory` holds CK_FEATURES raw values and the features
// made of them: a group of four whose raw values are still the same bits is not computed again.
// A memory begins with raw values that are not numbers and the features of those.
void ck_scale(
    const struct ck_scaling *scaling, const double *raw, double *memory, double *features);

// Scales one feature of up to CK_CANDIDATES candidates: values in, features out, rounded up to
// whole groups of four.
void ck_scale_one(
    const struct ck_scaling *scaling, long feature, const double *raw, double *out, long count);

// Natural logarithms and exponentials of `count` numbers, rounded up to whole groups of four.
// Arguments of the logarithm are positive and normal, those of the exponential finite.
void ck_log(const double *x, double *out, long count);
void ck_exp(const double *x, double *out, long count);

// Scores of (x, 1) for candidates whose features lie `step` doubles apart.
//
// means[m * CK_CANDIDATES + k] = theta_m'(x_k, 1) for `models` vectors of weights, `stride` apart;
// spreads[k] = (x_k, 1)' P (x_k, 1) for a symmetric P with columns `stride` apart, where P is not
// null. `size` features, a multiple of four and at most CK_FEATURES; weights and P are one larger.
void ck_score(
    const double *theta, long models, const double *p, long size, long stride, const double *x,
    long step, long count, double *means, double *spreads);

// One observation taken into a regression that forgets: see SmallKernels.recursiveLeastSquares.
// Returns s = decay / weight + x'Px; nothing is changed when it is not above zero and finite.
double ck_observe(
    double *p, double *theta, const double *x, double target, double weight, double decay,
    long size, long stride, double *scratch);

// a = a + w x x' on the lower triangle by whole vectors: elements above it may change too.
void ck_add_outer_lower(double *a, const double *x, double w, long size, long stride);

// Replaces the lower triangle of a by L with a = L L'. Returns -1, or the first column whose pivot
// is not positive and finite.
long ck_cholesky(double *a, long size, long stride);

// inverse = (L L')^-1, both triangles alike to the last bit, padding zero. `scratch` has
// size * stride doubles.
void ck_invert(const double *l, long size, long stride, double *inverse, double *scratch);

// Instruction set in use, for measurements.
const char *ck_target(void);

#endif
