#include "include/ckgram.h"

#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

// Four sums of the lanes of four vectors.
#define LANES(a, b, c, d)                                                                         \
    _mm256_add_pd(                                                                               \
        _mm256_permute2f128_pd(_mm256_hadd_pd(a, b), _mm256_hadd_pd(c, d), 0x21),                \
        _mm256_blend_pd(_mm256_hadd_pd(a, b), _mm256_hadd_pd(c, d), 0xc))

// One column at `b` against three at `a`: with twelve sums, these four are all sixteen registers.
#define PRODUCTS(n)                                                                              \
    do {                                                                                         \
        const __m256d b_ = _mm256_loadu_pd(b + n * stride);                                      \
        p##n = _mm256_fmadd_pd(x0, b_, p##n);                                                    \
        q##n = _mm256_fmadd_pd(x1, b_, q##n);                                                    \
        r##n = _mm256_fmadd_pd(x2, b_, r##n);                                                    \
    } while (0)

// The products of three columns at `a` with four at `b`: twelve sums stay in registers while both
// run down the rows, seven loads for twelve products.
AVX2 static inline __attribute__((always_inline)) void tile(
    const double *a, const double *b, long rows, long stride, double *out) {
    __m256d p0 = _mm256_setzero_pd(), p1 = p0, p2 = p0, p3 = p0;
    __m256d q0 = p0, q1 = p0, q2 = p0, q3 = p0;
    __m256d r0 = p0, r1 = p0, r2 = p0, r3 = p0;
    for (long row = 0; row < rows; row += 4, a += 4, b += 4) {
        const __m256d x0 = _mm256_loadu_pd(a);
        const __m256d x1 = _mm256_loadu_pd(a + stride);
        const __m256d x2 = _mm256_loadu_pd(a + 2 * stride);
        PRODUCTS(0);
        PRODUCTS(1);
        PRODUCTS(2);
        PRODUCTS(3);
    }
    _mm256_storeu_pd(out, LANES(p0, p1, p2, p3));
    _mm256_storeu_pd(out + 4, LANES(q0, q1, q2, q3));
    _mm256_storeu_pd(out + 8, LANES(r0, r1, r2, r3));
}

// Columns that stay in the first-level cache while the others stream by.
#define PANEL 8

AVX2 static void gram(
    const double *a, long rows, long stride, long columns, double *c, long width,
    const struct ck_ahead *ahead) {
    double sums[12];
    // Where the next cache lines to fetch are.
    long row = 0, column = 0;
    const long lines = 1 + ahead->rows * (ahead->columns + 1) * 4 / (columns * columns + 1);
    for (long panel = 0; panel < columns; panel += PANEL) {
        for (long i = panel - panel % 3; i < columns; i += 3) {
            for (long j = panel; j < panel + PANEL && j < columns && j <= i + 2; j += 4) {
                for (long line = 0; line < lines && column < ahead->columns; line++) {
                    __builtin_prefetch(ahead->x + row + column * ahead->stride, 0, 2);
                    row += 8;
                    if (row >= ahead->rows) {
                        row = 0;
                        column++;
                    }
                }
                tile(a + i * stride, a + j * stride, rows, stride, sums);
                double *corner = c + i + j * width;
                if (j + 3 <= i && i + 3 <= columns) {
                    for (long y = 0; y < 4; y++, corner += width) {
                        corner[0] += sums[y];
                        corner[1] += sums[4 + y];
                        corner[2] += sums[8 + y];
                    }
                    continue;
                }
                for (long x = 0; x < 3 && i + x < columns; x++) {
                    for (long y = 0; y < 4 && j + y <= i + x; y++) {
                        corner[x + y * width] += sums[4 * x + y];
                    }
                }
            }
        }
    }
}

int ck_gram_fits(long columns) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return columns <= 48 || !__builtin_cpu_supports("avx512f");
}

int ck_gram(
    const double *a, long rows, long stride, long columns, double *c, long width,
    const struct ck_ahead *ahead) {
    const struct ck_ahead none = {0, 0, 0, 0};
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    gram(a, rows, stride, columns, c, width, ahead ? ahead : &none);
    return 1;
}
#else
int ck_gram_fits(long columns) {
    (void)columns;
    return 0;
}

int ck_gram(
    const double *a, long rows, long stride, long columns, double *c, long width,
    const struct ck_ahead *ahead) {
    (void)a, (void)rows, (void)stride, (void)columns, (void)c, (void)width, (void)ahead;
    return 0;
}
#endif

KERNEL double ck_centre(
    const double *x, const double *weights, const double *roots, long count, double total,
    double *out) {
    v4 s0 = SPLAT(0.0), s1 = s0, s2 = s0, s3 = s0;
    long i = 0;
    double rest = 0;
    if (weights) {
        for (; i + 8 <= count; i += 8) {
            s0 += LOAD(weights + i) * LOAD(x + i);
            s1 += LOAD(weights + i + 4) * LOAD(x + i + 4);
        }
        for (; i < count; i++) rest += weights[i] * x[i];
    } else {
        for (; i + 16 <= count; i += 16) {
            s0 += LOAD(x + i);
            s1 += LOAD(x + i + 4);
            s2 += LOAD(x + i + 8);
            s3 += LOAD(x + i + 12);
        }
        for (; i < count; i++) rest += x[i];
    }
    const v4 sum = (s0 + s1) + (s2 + s3);
    const double mean = (SUM(sum) + rest) / total;
    if (roots) {
        for (i = 0; i + 4 <= count; i += 4) {
            STORE(out + i, (LOAD(x + i) - mean) * LOAD(roots + i));
        }
        for (; i < count; i++) out[i] = (x[i] - mean) * roots[i];
    } else {
        for (i = 0; i + 4 <= count; i += 4) STORE(out + i, LOAD(x + i) - mean);
        for (; i < count; i++) out[i] = x[i] - mean;
    }
    return mean;
}

KERNEL int ck_finite(const double *x, long count) {
    // x - x is zero for finite numbers and not a number for all others.
    v4 sum = SPLAT(0.0);
    double rest = 0;
    long i = 0;
    for (; i + 4 <= count; i += 4) sum += LOAD(x + i) - LOAD(x + i);
    for (; i < count; i++) rest += x[i] - x[i];
    return SUM(sum) + rest == 0;
}
