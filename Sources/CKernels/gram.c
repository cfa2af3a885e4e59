#include "include/ckgram.h"

#include "kernels.h"

_Static_assert(CK_GRAM_GROUP >= 4 * (CK_GRAM_ROWS + 1) && CK_GRAM_GROUP % 8 == 0, "a group's rows");

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define GROUP CK_GRAM_GROUP
// Sums of a tile: four columns against twelve.
#define TILE 48

// Adds the twelve vectors of a tile to its sums.
#define ADD(n, vector)                                                                           \
    _mm256_storeu_pd(c + 4 * n, _mm256_add_pd(_mm256_loadu_pd(c + 4 * n), vector))
#define ADD_ALL                                                                                  \
    ADD(0, p0), ADD(1, q0), ADD(2, r0), ADD(3, p1), ADD(4, q1), ADD(5, r1), ADD(6, p2),          \
        ADD(7, q2), ADD(8, r2), ADD(9, p3), ADD(10, q3), ADD(11, r3)

// Assembly keeps the order: if the compiler moves one load forward, there is one value too many for
// sixteen registers, and a sum is spilled to memory in each row.
#define FETCH(x, from)                                                                           \
    __asm__ volatile("vmovupd %1, %0" : "=x"(x) : "m"(*(const double(*)[4])(from)))

// One column of the group at `b` against three groups, with twelve of sixteen registers as sums.
#define AGAINST(n, row)                                                                          \
    __asm__ volatile(                                                                            \
        "vbroadcastsd %[factor], %[all]\n\t"                                                     \
        "vfmadd231pd %[x0], %[all], %[p]\n\t"                                                    \
        "vfmadd231pd %[x1], %[all], %[q]\n\t"                                                    \
        "vfmadd231pd %[x2], %[all], %[r]"                                                        \
        : [p] "+x"(p##n), [q] "+x"(q##n), [r] "+x"(r##n), [all] "=&x"(all)                       \
        : [x0] "x"(x0), [x1] "x"(x1), [x2] "x"(x2), [factor] "m"(b[4 * row + n]))
#define TILE_ROW(row)                                                                            \
    do {                                                                                         \
        __m256d x0, x1, x2, all;                                                                 \
        FETCH(x0, a + 4 * row);                                                                  \
        FETCH(x1, a + 4 * row + GROUP);                                                          \
        FETCH(x2, a + 4 * row + 2 * GROUP);                                                      \
        AGAINST(0, row);                                                                         \
        AGAINST(1, row);                                                                         \
        AGAINST(2, row);                                                                         \
        AGAINST(3, row);                                                                         \
    } while (0)

// The products of the group at `b` with three groups at `a`: twelve sums stay in registers while
// both iterate over the rows, with seven loads per twelve products.
AVX2 static void tile(const double *a, const double *b, long rows, double *c) {
    __m256d p0 = _mm256_setzero_pd(), p1 = p0, p2 = p0, p3 = p0;
    __m256d q0 = p0, q1 = p0, q2 = p0, q3 = p0;
    __m256d r0 = p0, r1 = p0, r2 = p0, r3 = p0;
    // Prefetches the sums for the time when the products are done.
    for (long n = 0; n < TILE; n += 8) __builtin_prefetch(c + n, 1, 3);
    for (; rows >= 2; rows -= 2, a += 8, b += 8) {
        TILE_ROW(0);
        TILE_ROW(1);
    }
    if (rows) TILE_ROW(0);
    ADD_ALL;
}

// One column of either group against those up to the diagonal.
#define CORNER(n, row)                                                                           \
    __asm__ volatile(                                                                            \
        "vbroadcastsd %[first], %[all]\n\t"                                                      \
        "vfmadd231pd %[x0], %[all], %[p]\n\t"                                                    \
        "vbroadcastsd %[second], %[all]\n\t"                                                     \
        "vfmadd231pd %[x0], %[all], %[q]\n\t"                                                    \
        "vfmadd231pd %[x1], %[all], %[r]"                                                        \
        : [p] "+x"(p##n), [q] "+x"(q##n), [r] "+x"(r##n), [all] "=&x"(all)                       \
        : [x0] "x"(x0), [x1] "x"(x1), [first] "m"(a[4 * row + n]),                               \
          [second] "m"(a[4 * row + n + GROUP]))
#define CORNER_ROW(row)                                                                          \
    do {                                                                                         \
        __m256d x0, x1, all;                                                                     \
        FETCH(x0, a + 4 * row);                                                                  \
        FETCH(x1, a + 4 * row + GROUP);                                                          \
        CORNER(0, row);                                                                          \
        CORNER(1, row);                                                                          \
        CORNER(2, row);                                                                          \
        CORNER(3, row);                                                                          \
    } while (0)

// The products of two groups on the diagonal: three times sixteen sums.
AVX2 static void corner(const double *a, long rows, double *c) {
    __m256d p0 = _mm256_setzero_pd(), p1 = p0, p2 = p0, p3 = p0;
    __m256d q0 = p0, q1 = p0, q2 = p0, q3 = p0;
    __m256d r0 = p0, r1 = p0, r2 = p0, r3 = p0;
    for (; rows >= 2; rows -= 2, a += 8) {
        CORNER_ROW(0);
        CORNER_ROW(1);
    }
    if (rows) CORNER_ROW(0);
    ADD_ALL;
}

#define CENTRED(vector, row)                                                                     \
    (roots ? _mm256_mul_pd(_mm256_sub_pd(vector, mean), _mm256_broadcast_sd(roots + (row)))      \
           : _mm256_sub_pd(vector, mean))

// Centres the columns of a block, group by group.
AVX2 static void centre_all(
    double *block, long rows, long columns, const double *weights, const double *roots,
    double total, double *means) {
    for (long column = 0; column < columns; column += 4, block += GROUP) {
        __m256d sum = _mm256_setzero_pd();
        for (long row = 0; row < rows; row++) {
            const __m256d value = _mm256_loadu_pd(block + 4 * row);
            sum = _mm256_add_pd(
                sum, weights ? _mm256_mul_pd(_mm256_broadcast_sd(weights + row), value) : value);
        }
        const __m256d mean = _mm256_div_pd(sum, _mm256_set1_pd(total));
        _mm256_storeu_pd(means + column, mean);
        for (long row = 0; row < rows; row++) {
            _mm256_storeu_pd(
                block + 4 * row, CENTRED(_mm256_loadu_pd(block + 4 * row), row));
        }
    }
}

int ck_gram_fits(long columns) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return columns <= 48 || !__builtin_cpu_supports("avx512f");
}

void ck_gram_centre(
    double *block, long rows, long columns, const double *weights, const double *roots,
    double total, double *means) {
    centre_all(block, rows, columns, weights, roots, total, means);
}

void ck_gram(const double *block, long rows, long columns, double *sums) {
    const long groups = (columns + 3) / 4;
    for (long first = 0; first < groups; first += 3) {
        // These groups stay in the first-level cache while the others stream through.
        const double *a = block + first * GROUP;
        corner(a, rows, sums);
        sums += TILE;
        for (long group = first + 2; group < groups; group++, sums += TILE) {
            tile(a, block + group * GROUP, rows, sums);
        }
    }
}
#else
int ck_gram_fits(long columns) {
    (void)columns;
    return 0;
}

void ck_gram_centre(
    double *block, long rows, long columns, const double *weights, const double *roots,
    double total, double *means) {
    (void)block, (void)rows, (void)columns, (void)weights, (void)roots, (void)total, (void)means;
}

void ck_gram(const double *block, long rows, long columns, double *sums) {
    (void)block, (void)rows, (void)columns, (void)sums;
}
#endif

long ck_gram_sums(long columns) {
    const long groups = (columns + 3) / 4;
    long tiles = 0;
    for (long first = 0; first < groups; first += 3) {
        tiles += first + 2 < groups ? groups - first - 1 : 1;
    }
    return 48 * tiles;
}

void ck_gram_lower(const double *sums, long columns, double *c, long width) {
    const long groups = (columns + 3) / 4;
    for (long first = 0; first < groups; first += 3) {
        for (long group = first + 1; group < groups || group == first + 1; group++) {
            for (long index = 0; index < 48; index++) {
                // The corner's tile begins with the first group against itself.
                const long block = index % 12 / 4;
                const long is_corner = group == first + 1;
                const long row =
                    4 * (is_corner && block == 0 ? first : group) + index / 12;
                const long column =
                    4 * (first + (is_corner ? block / 2 : block)) + index % 4;
                if (row < columns && column <= row) c[row + column * width] += sums[index];
            }
            sums += 48;
        }
    }
}

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
    // x - x is zero for finite numbers and NaN for all others.
    v4 sum = SPLAT(0.0);
    double rest = 0;
    long i = 0;
    for (; i + 4 <= count; i += 4) sum += LOAD(x + i) - LOAD(x + i);
    for (; i < count; i++) rest += x[i] - x[i];
    return SUM(sum) + rest == 0;
}
