/* The loops in which the time goes, one table of functions per instruction set.
 *
 * The files of this folder are compiled once for each set, with nothing of them shared, and a pass
 * takes the table that its context names. "portable" is plain C, its products are BLIS's; the
 * others have products of their own. All loops of a table work in a fixed order: the same call
 * gives the same bits. */
#ifndef SPT_LIB_NN_KERNELS_H
#define SPT_LIB_NN_KERNELS_H

#include "../gemm.h"

#include <stddef.h>

/* A product with what comes right before and behind it:
 *
 *     c = activation(a b + bias)         c (m x n) rows `c_row` apart
 *     c = a b + c                        with `add`
 *     c = (a b) * derivative of `gate` at the output c      with `gate`: c holds the output of
 *                                        that activation and gets the gradient of its input
 *
 * A value of c depends on its row of a, its column of b and k alone, whatever stands beside it (but
 * for BLIS without `steady`). */
typedef struct spt__product {
    int64_t m, n, k;
    spt__mat a, b;
    const float *panels; /* b packed by pack(), or NULL; b is given all the same */
    float *c;
    int64_t c_row;
    bool add;
    bool steady;
    bool backwards;     /* columns from the last to the first, to the same values */
    const float *bias;  /* n values, or NULL */
    int32_t activation; /* spt_activation, 0: none */
    int32_t gate;       /* spt_activation whose derivative is in its output; 0: none */
    float *work;        /* room for product_work() floats, on a 64-byte line */
} spt__product;

/* Rows of channels: n samples of `length` rows, `stride` floats from sample to sample. */
typedef struct spt__rows {
    int64_t n, length, channels, stride;
} spt__rows;

/* Per-channel values repeat in tables until a table has about this many: rows are then walked in
 * long steps, whatever the number of channels. */
enum { SPT__WIDE = 128 };
/* SPT_ACTIVATION_RELU, which tiles apply themselves. */
enum { SPT__RELU = 1 };
static inline int64_t spt__wide(int64_t channels)
{
    return channels >= SPT__WIDE ? channels : (SPT__WIDE + channels - 1) / channels * channels;
}

/* The windows of a pooling, `before` rows of padding in front. */
typedef struct spt__windows {
    int64_t length, outputs, channels, size, stride, before;
    bool largest; /* else the average of what is inside */
} spt__windows;

/* The factors of one step of an optimiser; doc/nn.md has the formulas. */
typedef struct spt__rule {
    float rate, shrink; /* of the step; of the gradient */
    float decay, kept;  /* added to the gradient; share of a weight that stays */
    float epsilon;
    float first, rest_first;   /* momentum or beta1, and 1 - beta1 */
    float second, rest_second; /* rho or beta2, and 1 - it */
} spt__rule;

typedef struct spt__kernels {
    const char *name;

    /* ---- products ---- */
    /* Floats of b (k x n) packed; 0: this table reads b as it is. */
    int64_t (*panel_size)(int64_t k, int64_t n);
    /* Columns of b times `factor` (n values; NULL: as they are). */
    void (*pack)(int64_t k, int64_t n, spt__mat b, const float *factor, float *panels);
    /* Positions of a convolution with so many filters that are best computed as one row. */
    int64_t (*group)(int64_t window, int64_t step, int64_t filters, int64_t most);
    int64_t (*product_work)(const spt__product *q);
    int32_t (*product)(const spt__product *q);

    /* ---- values one by one ---- */
    void (*activate)(int32_t type, const float *x, float *y, int64_t n);
    /* g * derivative, from the output y (Swish: from the input x). */
    void (*differentiate)(int32_t type, const float *x, const float *y, const float *g, float *out,
                          int64_t n);
    /* y = x * (mask * scale) */
    void (*apply_mask)(const uint8_t *mask, float scale, const float *x, float *y, int64_t n);
    /* Eight bytes per Philox block, blocks `first` on: 1 where 16 bits are at least `limit`. */
    void (*draw_mask)(const uint32_t key[2], const uint32_t counter[3], uint32_t first,
                      int64_t blocks, uint32_t limit, uint8_t *mask);

    /* ---- rows of channels; tables and `partial` have spt__wide(channels) values ---- */
    /* sums[c] += x */
    void (*sums)(const float *x, spt__rows rows, float *partial, double *sums);
    /* sums[c] += (x - mean)^2 */
    void (*squares)(const float *x, spt__rows rows, const float *mean, float *partial,
                    double *sums);
    /* sums[c] += g, sums[channels + c] += g * (x - mean); partial has twice its size */
    void (*products)(const float *x, const float *g, spt__rows x_rows, int64_t g_stride,
                     const float *mean, float *partial, double *sums);
    /* y = activation((x - mean) * factor + shift) */
    void (*normalise)(const float *x, float *y, spt__rows x_rows, int64_t y_stride,
                      const float *mean, const float *factor, const float *shift,
                      int32_t activation);
    /* out = factor * (g - level - (x - mean) * slope) */
    void (*normalise_back)(const float *x, const float *g, float *out, spt__rows x_rows,
                           int64_t g_stride, const float *mean, const float *factor,
                           const float *level, const float *slope);

    /* ---- pooling of one sample; `place` (may be NULL forward) says which row of its window a
     * largest value came from ---- */
    void (*pool)(const spt__windows *w, const float *x, float *y, uint16_t *place);
    void (*pool_back)(const spt__windows *w, const float *g, const uint16_t *place, float *out);

    /* ---- steps of optimisers ---- */
    void (*step_sgd)(const spt__rule *rule, int64_t n, float *w, const float *g, float *velocity);
    void (*step_adagrad)(const spt__rule *rule, int64_t n, float *w, const float *g, float *sum);
    void (*step_rmsprop)(const spt__rule *rule, int64_t n, float *w, const float *g, float *square);
    void (*step_adam)(const spt__rule *rule, int64_t n, float *w, const float *g, float *mean,
                      float *square);
} spt__kernels;

/* By the numbers of lib/base/cpu.h; those that were not built are NULL. */
extern const spt__kernels *const spt__kernels_table[];

#endif
