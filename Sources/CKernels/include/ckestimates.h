// Kernels of off-policy evaluation: the sums that estimators need for a block of logged decisions.
//
// They do the same operations in the same order at every vector width; nothing is fused or
// reassociated.
#ifndef CKESTIMATES_H
#define CKESTIMATES_H

// How a weight w is transformed before it multiplies a number.
enum ck_rule {
    // w
    CK_PLAIN,
    // min(w, lambda)
    CK_CLIP,
    // w where w <= lambda, else zero
    CK_SWITCH,
    // lambda w / (w^2 + lambda), zero for lambda = 0
    CK_SHRINK,
    // w / (1 - lambda + lambda w)
    CK_CORRECT,
};

// Sums of numbers x: of x, of x - origin, and of the squares of those.
struct ck_moments {
    double total;
    double first;
    double second;
};

// Moments of `count` numbers about `origin`.
struct ck_moments ck_plain_moments(const double *x, long count, double origin);

// base + rule(w) target for one row; base may be null.
double ck_weighted_score(
    enum ck_rule rule, double lambda, const double *w, const double *target, const double *base);

// Moments of the same for `count` rows.
struct ck_moments ck_weighted_moments(
    enum ck_rule rule, double lambda, const double *w, const double *target, const double *base,
    long count, double origin);

#endif
