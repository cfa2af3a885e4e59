#include "kernels.h"

// A mask of the lanes whose bits are set, from candidate `first` on.
#define MEMBERS(bits, first)                                                                     \
    ((((i4){(int64_t)(bits), (int64_t)(bits), (int64_t)(bits), (int64_t)(bits)} >> (first))       \
         & (i4){1, 2, 4, 8}) != 0)
// The least lane.
#define LEAST(result, v)                                                                         \
    do {                                                                                         \
        const v4 half_ = MINIMUM(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));                  \
        const v4 all_ = MINIMUM(half_, __builtin_shufflevector(half_, half_, 1, 0, 3, 2));       \
        (result) = all_[0];                                                                      \
    } while (0)

// The least value of `members`; not-a-number is ignored.
INLINE double least(const double *values, uint32_t members, long count) {
    v4 best = SPLAT(__builtin_inf());
    for (long i = 0; i < count; i += 4) {
        const v4 value = LOAD(values + i);
        best = SELECT(MEMBERS(members, i) & (value < best), value, best);
    }
    double result;
    LEAST(result, best);
    return result;
}

// The members whose value is at most `bar`.
INLINE uint32_t within(const double *values, uint32_t members, double bar, long count) {
    uint32_t result = 0;
    for (long i = 0; i < count; i += 4) result |= BITS(LOAD(values + i) <= bar) << i;
    return result & members;
}

INLINE uint32_t safe_set(
    const double *values, uint32_t members, double ratio, double slack, long count) {
    return within(values, members, ratio * least(values, members, count) + slack, count);
}

// The first member with the least cost.
INLINE uint32_t cheapest(const double *costs, uint32_t members, double cost, long count) {
    const uint32_t found = within(costs, members, cost, count);
    return (uint32_t)__builtin_ctz(found ? found : members);
}

INLINE void name(
    const struct ck_candidate *candidates, long step, long count, uint16_t *actions) {
    for (long k = 0; k < count; k++) {
        const struct ck_candidate *own =
            (const struct ck_candidate *)((const double *)candidates + k * step);
        actions[k] = (uint16_t)(1u << (own->standing.path & 15));
    }
}

KERNEL uint32_t ck_safe_set(
    const double *values, uint32_t members, double ratio, double slack, long count) {
    return safe_set(values, members, ratio, slack, count);
}

KERNEL void ck_choose_least(
    const struct ck_choice *rule, const double *costs, const double *deliveries, uint32_t members,
    const struct ck_candidate *candidates, long step, long count, double *probabilities,
    uint16_t *actions) {
    const uint32_t safe = safe_set(deliveries, members, rule->ratio, rule->slack, count);
    const uint32_t best =
        safe ? cheapest(costs, safe, least(costs, safe, count), count) : CK_CANDIDATES;
    const double floor = rule->epsilon / (safe ? __builtin_popcount(safe) : 1);
    for (long i = 0; i < count; i += 4) {
        const i4 place = {i, i + 1, i + 2, i + 3};
        const v4 share = SELECT(MEMBERS(safe, i), SPLAT(floor), SPLAT(0.0));
        STORE(
            probabilities + i,
            share + SELECT(place == (int64_t)best, SPLAT(1 - rule->epsilon), SPLAT(0.0)));
    }
    name(candidates, step, count, actions);
}

KERNEL void ck_choose_softly(
    const struct ck_choice *rule, const double *rows, uint32_t members,
    const struct ck_candidate *candidates, long step, long count, double *probabilities,
    uint16_t *actions) {
    const double *risks = rows + CK_CANDIDATES, *deliveries = risks + CK_CANDIDATES;
    const double cost = least(rows, members, count);
    const uint32_t best = cheapest(rows, members, cost, count);
    const uint32_t safe =
        within(deliveries, members, rule->ratio * deliveries[best] + rule->slack, count)
        & within(risks, members, risks[best] + rule->risk, count);
    v4 sums = SPLAT(0.0);
    for (long i = 0; i < count; i += 4) {
        v4 share;
        EXPONENTIAL(share, (cost - LOAD(rows + i)) * rule->sharpness);
        share = SELECT(MEMBERS(safe, i), share, SPLAT(0.0));
        sums += share;
        STORE(probabilities + i, share);
    }
    const double floor = rule->epsilon / (safe ? __builtin_popcount(safe) : 1);
    const double rest = (1 - rule->epsilon) / SUM(sums);
    for (long i = 0; i < count; i += 4) {
        const v4 share = floor + rest * LOAD(probabilities + i);
        STORE(probabilities + i, SELECT(MEMBERS(safe, i), share, SPLAT(0.0)));
    }
    name(candidates, step, count, actions);
}
