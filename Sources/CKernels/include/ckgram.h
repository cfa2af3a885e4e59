// Kernels of training: Gram matrices of blocks of rows.
//
// Unlike the kernels of decisions, their results may differ in the last bits between kinds of
// processor; on one kind they are reproducible.
#ifndef CKGRAM_H
#define CKGRAM_H

// The most rows of a block: three groups of four columns fit into the first-level cache, and a
// block of some hundreds of columns into the second.
#define CK_GRAM_ROWS 192
// Doubles from one group to the next: whole cache lines, with room for one more row.
#define CK_GRAM_GROUP 776

// Whether `ck_gram` can be called and is fast: it needs AVX2 and FMA, and for more than about 48
// columns a processor without AVX-512, where a library with wider vectors is faster. The functions
// below do nothing, or trap, on a processor without AVX2 and FMA.
int ck_gram_fits(long columns);

// A block for `ck_gram` has groups of four columns, each row by row: element (row, column) is
// number `column / 4 * CK_GRAM_GROUP + 4 * row + column % 4`. It has memory for one more group; the
// content there, and in columns that pad a group, does not matter.

// Centres the rows of a block by their means m = sum w x / total and scales them: (x - m) root.
// Both `weights` and `roots`, their square roots, are null for ones. `means` has room for whole
// groups of four.
void ck_gram_centre(
    double *block, long rows, long columns, const double *weights, const double *roots,
    double total, double *means);

// sums = sums + a'a, lower triangle, for a block of at most CK_GRAM_ROWS + 1 rows. The number of
// sums is `ck_gram_sums`; they are stored in the order of computation. It is fastest if both are
// aligned to cache lines.
void ck_gram(const double *block, long rows, long columns, double *sums);
long ck_gram_sums(long columns);

// c = c + sums, lower triangle; columns of c are `width` apart.
void ck_gram_lower(const double *sums, long columns, double *c, long width);

// out = (x - m) root for m = sum w x / total, of `count` numbers; returns m. Both `weights` and
// `roots`, their square roots, are null for ones.
double ck_centre(
    const double *x, const double *weights, const double *roots, long count, double total,
    double *out);

// Whether all numbers are finite.
int ck_finite(const double *x, long count);

#endif
