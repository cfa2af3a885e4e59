#include "kernels.h"

KERNEL void ck_scale(
    const struct ck_scaling *scaling, const double *raw, double *memory, double *features) {
    double *known = memory + CK_FEATURES;
    for (long i = 0; i < CK_FEATURES; i += 4) {
        v4 v = LOAD(raw + i);
        const u4 changed = (u4)v ^ (u4)LOAD(memory + i);
        if (!(changed[0] | changed[1] | changed[2] | changed[3])) {
            STORE(features + i, LOAD(known + i));
            continue;
        }
        STORE(memory + i, v);
        const v4 low = LOAD(scaling->low + i);
        const v4 high = LOAD(scaling->high + i);
        v = SELECT(v > low, v, low);
        v = SELECT(v < high, v, high);
        const i4 logarithmic = LOAD(scaling->logarithmic + i) != 0.0;
        const v4 argument =
            SELECT(logarithmic, LOAD(scaling->one + i) + v * LOAD(scaling->scale + i), SPLAT(1.0));
        v4 curve;
        LOGARITHM(curve, argument);
        const v4 result = SELECT(logarithmic, curve, v) * LOAD(scaling->factor + i);
        STORE(known + i, result);
        STORE(features + i, result);
    }
}

KERNEL void ck_scale_one(
    const struct ck_scaling *scaling, long feature, const double *raw, double *out, long count) {
    const v4 low = SPLAT(scaling->low[feature]);
    const v4 high = SPLAT(scaling->high[feature]);
    for (long i = 0; i < count; i += 4) {
        v4 v = LOAD(raw + i);
        v = SELECT(v > low, v, low);
        v = SELECT(v < high, v, high);
        if (scaling->logarithmic[feature] != 0) {
            v4 argument = scaling->one[feature] + v * scaling->scale[feature];
            LOGARITHM(v, argument);
        }
        STORE(out + i, v * scaling->factor[feature]);
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
