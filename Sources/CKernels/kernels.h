// Shared definitions of the kernels: vectors of four doubles, and an attribute that compiles a
// function for the baseline processor and for AVX2 with FMA, which is chosen when the program is
// loaded.
#ifndef KERNELS_H
#define KERNELS_H

#include <stdint.h>
#include <string.h>

#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__) && defined(__linux__)
#define KERNEL __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif
#define INLINE static inline __attribute__((always_inline))

typedef double v4 __attribute__((vector_size(32)));
typedef int64_t i4 __attribute__((vector_size(32)));
typedef uint64_t u4 __attribute__((vector_size(32)));

// These are macros, because a function with vector arguments has a different calling convention on
// each target; macros never become calls.
#define LOAD(pointer) (*(const v4u *)(pointer))
#define STORE(pointer, value) (*(v4u *)(pointer) = (value))
// a b + c, rounded once on every machine: by the library's function if there is no instruction.
#define MULADD(a, b, c) __builtin_elementwise_fma((v4)(a), (v4)(b), (v4)(c))
#define SPLAT(value) ((v4){(value), (value), (value), (value)})
#define SELECT(mask, yes, no) ((v4)(((i4)(mask) & (i4)(yes)) | (~(i4)(mask) & (i4)(no))))
#define SUM(v) (((v)[0] + (v)[2]) + ((v)[1] + (v)[3]))
// Swift's `max` and `min` of two numbers, including NaN; the second if they are equal.
#define MAXIMUM(x, y) SELECT((y) >= (x), y, x)
#define MINIMUM(x, y) SELECT((y) < (x), y, x)
// The sums of the lanes of four vectors, one per lane.
#define SUMS(result, a, b, c, d)                                                                 \
    do {                                                                                         \
        const v4 ab_ = __builtin_shufflevector(a, b, 0, 4, 2, 6)                                 \
            + __builtin_shufflevector(a, b, 1, 5, 3, 7);                                         \
        const v4 cd_ = __builtin_shufflevector(c, d, 0, 4, 2, 6)                                 \
            + __builtin_shufflevector(c, d, 1, 5, 3, 7);                                         \
        (result) = __builtin_shufflevector(ab_, cd_, 0, 1, 4, 5)                                 \
            + __builtin_shufflevector(ab_, cd_, 2, 3, 6, 7);                                     \
    } while (0)
// Bit k for lane k of a mask.
#define BITS(mask) ((uint32_t)__builtin_reduce_or((mask) & (i4){1, 2, 4, 8}))
// Bit mask of all candidates.
#define ALL(count) ((uint32_t)((1ull << (count)) - 1))

// The same vector, aligned to eight bytes.
typedef double v4u __attribute__((vector_size(32), aligned(8), may_alias));

// ln of a positive normal number, within 1e-13; the scalar twin is `naturalLogarithm` of
// PathTelemetry, operation by operation. x = m 2^e with m in [0.707, 1.414), and
// ln m = 2 artanh((m - 1) / (m + 1)) by its series, in pairs.
#define LOGARITHM(result, argument)                                                              \
    do {                                                                                         \
        const u4 shifted_ = (u4)(argument) - (0x3fe6a09e667f3bcdull - (1024ull << 52));          \
        const u4 biased_ = shifted_ >> 52;                                                       \
        const v4 m_ = (v4)((u4)(argument) - ((biased_ - 1024ull) << 52));                        \
        const v4 e_ = (v4)(biased_ + 0x4330000000000000ull) - (4503599627370496.0 + 1024.0);     \
        const v4 t_ = (m_ - 1.0) / (m_ + 1.0);                                                   \
        const v4 s_ = t_ * t_;                                                                   \
        const v4 s2_ = s_ * s_;                                                                  \
        const v4 s4_ = s2_ * s2_;                                                                \
        const v4 low_ = (2.0 + s_ * (2.0 / 3)) + s2_ * (2.0 / 5 + s_ * (2.0 / 7));               \
        const v4 high_ = (2.0 / 9 + s_ * (2.0 / 11)) + s2_ * (2.0 / 13 + s_ * (2.0 / 15));       \
        const v4 series_ = low_ + s4_ * (high_ + s4_ * (2.0 / 17));                              \
        (result) = e_ * 0.6931471805599453 + t_ * series_;                                       \
    } while (0)

// exp of a number clamped to -700...700, with a relative error of 1e-14: x = k ln 2 + r, and the
// series of exp(r) to the 11th power for |r| <= 0.347. The series is evaluated in pairs, so that
// products do not depend on each other.
#define EXPONENTIAL(result, argument)                                                            \
    do {                                                                                         \
        v4 a_ = (argument);                                                                      \
        a_ = SELECT(a_ > -700.0, a_, SPLAT(-700.0));                                             \
        a_ = SELECT(a_ < 700.0, a_, SPLAT(700.0));                                               \
        const v4 shifted_ = a_ * 1.4426950408889634 + 6755399441055744.0;                        \
        const v4 k_ = shifted_ - 6755399441055744.0;                                             \
        const v4 r_ = (a_ - k_ * 0.693147180369123816490) - k_ * 1.90821492927058770002e-10;     \
        const v4 r2_ = r_ * r_;                                                                  \
        const v4 r4_ = r2_ * r2_;                                                                \
        const v4 low_ = (1.0 + r_) + r2_ * (0.5 + r_ * (1.0 / 6));                               \
        const v4 middle_ = (1.0 / 24 + r_ * (1.0 / 120)) + r2_ * (1.0 / 720 + r_ * (1.0 / 5040)); \
        const v4 high_ = (1.0 / 40320 + r_ * (1.0 / 362880))                                     \
            + r2_ * (1.0 / 3628800 + r_ * (1.0 / 39916800));                                     \
        const v4 p_ = low_ + r4_ * (middle_ + r4_ * high_);                                      \
        (result) = p_ * (v4)(((u4)shifted_ + 1023ull) << 52);                                    \
    } while (0)

#endif
