// Kernels of training: Gram matrices of blocks of rows.
//
// Unlike the kernels of a decision these may differ in the last bits between kinds of processor;
// on one kind they give the same bits each time.
#ifndef CKGRAM_H
#define CKGRAM_H

// Rows of a block are a multiple of this; what is missing is zero.
#define CK_GRAM_ROWS 4
// Columns of a block are readable up to a multiple of this.
#define CK_GRAM_COLUMNS 12

// Whether `ck_gram` is worth calling: AVX2 and FMA, and for more than some 48 columns no AVX-512,
// where a library with wider vectors does better.
int ck_gram_fits(long columns);

// Rows that are worked on next, fetched from memory meanwhile: no processor sees by itself where
// a block of few rows and many columns goes on.
struct ck_ahead {
    const double *x;
    long rows;
    long stride;
    long columns;
};

// c = c + a'a, lower triangle, for a block in column order whose columns are `stride` apart.
//
// `rows` is a multiple of CK_GRAM_ROWS and `columns` ones are added up; the block has columns up to
// the next multiple of CK_GRAM_COLUMNS, whose content does not matter. Columns of c are `width`
// apart; `ahead` may be null. Returns zero, and does nothing, on a processor without AVX2 and FMA.
int ck_gram(
    const double *a, long rows, long stride, long columns, double *c, long width,
    const struct ck_ahead *ahead);

// out = (x - m) root for m = sum w x / total, of `count` numbers; returns m. Both `weights` and
// `roots`, their square roots, are null for ones.
double ck_centre(
    const double *x, const double *weights, const double *roots, long count, double total,
    double *out);

// Whether all numbers are finite.
int ck_finite(const double *x, long count);

#endif
