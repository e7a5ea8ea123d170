/* A pass: the buffers that one batch needs on its way through a network and back, planned once. */
#ifndef SPT_LIB_NN_PASS_H
#define SPT_LIB_NN_PASS_H

#include "gemm.h"
#include "network.h"

enum {
    SPT__PREDICT = 0,
    SPT__TRAIN = 1,          /* backward is possible, batches have their own statistics, dropout */
    SPT__INPUT_GRADIENT = 2, /* with SPT__TRAIN: back to the input (otherwise nobody reads it) */
    SPT__STEADY = 4 /* without SPT__TRAIN: slower, but a sample's output has the same bits in any
                       batch */
};

/* What a layer keeps of a batch, or needs while it works. Each kind uses its own. */
struct spt__slot {
    float *work;     /* turned weights; scale and shift; mean and inverse deviation */
    float *partial;  /* sums of one sample */
    double *sums;    /* sums of the batch */
    uint8_t *mask;   /* 1: kept by dropout */
    uint16_t *place; /* of the largest value in its window */
};

struct spt__pass {
    const spt_network *network;
    int64_t capacity;
    int32_t mode;
    /* The first sample's first value between layers; x[0] is the input, x[n_layers] the output.
     * g[i] is the loss's gradient there, NULL where nobody needs it. */
    float **x, **g;
    float *gradient;   /* of the trainable weights, placed as in spt_network.values */
    float *statistics; /* running statistics to keep up to date; NULL: leave them alone */
    spt__slot *slots;
    int32_t first; /* layer down to which backward goes */
    spt__stream stream;
    int64_t step; /* of dropout */
    void *memory;
};

/* Hands out pieces of one block; without a block it only measures. */
struct spt__arena {
    char *base;
    size_t used;
};
void *spt__arena_take(spt__arena *arena, int64_t count, size_t size);

int32_t spt__pass_new(const spt_network *network, int64_t capacity, int32_t mode, spt__pass **out,
                      spt__err *e);
void spt__pass_free(spt__pass *p);
int64_t spt__pass_bytes(const spt_network *network, int64_t capacity, int32_t mode);

/* Copy n samples in: rows[0..n) of x, or the first n with rows NULL. */
void spt__pass_load(spt__pass *p, const float *x, const int64_t *rows, int64_t n);
int32_t spt__pass_forward(spt__pass *p, int64_t n);
/* After forward, with the loss's gradient in p->g[n_layers]. */
int32_t spt__pass_backward(spt__pass *p, int64_t n);
/* Outputs of the last forward, n x t. */
static inline float *spt__pass_output(const spt__pass *p)
{
    return p->x[p->network->n_layers];
}

/* Prediction with a pass of mode SPT__PREDICT or SPT__STEADY: no allocation, the network is only
 * read. */
int32_t spt__network_predict_with(spt__pass *p, const float *x, const int64_t *rows, int64_t n,
                                  float *y);

/* The product of a forward step. */
static inline int32_t spt__pass_gemm(const spt__pass *p, int64_t m, int64_t n, int64_t k,
                                     spt__mat a, spt__mat b, float *c, int64_t c_row)
{
    if (p->mode & SPT__STEADY) return spt__gemm_steady(m, n, k, a, b, false, c, c_row);
    return spt__gemm(m, n, k, a, b, false, c, c_row);
}

static inline const float *spt__pass_values(const spt__pass *p, const spt__layer *l, int32_t k)
{
    return p->network->values + p->network->tensors[l->tensor + k].offset;
}
static inline float *spt__pass_gradient(const spt__pass *p, const spt__layer *l, int32_t k)
{
    return p->gradient + p->network->tensors[l->tensor + k].offset;
}

/* Sum of each channel over n samples of `length` rows: float within a sample, double over them. */
void spt__channel_sums(const float *restrict x, int64_t stride, int64_t n, int64_t length,
                       int64_t channels, float *restrict partial, double *restrict sums);

/* Before a loop whose turns touch nothing of each other's, though it may work in place: without it
 * compilers test for overlap and take the slow road exactly then. */
#if defined(__clang__)
/* Not an error where it cannot be (sanitizers, no vector units). */
#pragma clang diagnostic ignored "-Wpass-failed"
#define SPT__EACH_ALONE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SPT__EACH_ALONE _Pragma("GCC ivdep")
#else
#define SPT__EACH_ALONE
#endif

#endif
