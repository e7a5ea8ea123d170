/* A pass: the buffers that one batch needs on its way through a network and back, planned once. */
#ifndef SPT_LIB_NN_PASS_H
#define SPT_LIB_NN_PASS_H

#include "kernels/kernels.h"
#include "network.h"

enum {
    SPT__PREDICT = 0,
    SPT__TRAIN = 1,          /* backward is possible, batches have their own statistics, dropout */
    SPT__INPUT_GRADIENT = 2, /* with SPT__TRAIN: back to the input (otherwise nobody reads it) */
    SPT__STEADY = 4 /* without SPT__TRAIN: a sample's output has the same bits in any batch, with
                       every table of kernels (slower with BLIS's products) */
};

/* What a layer keeps of a batch, or needs while it works. Each kind uses its own. */
struct spt__slot {
    float *work;               /* tables per channel */
    float *partial;            /* sums in float, on their way */
    double *sums;              /* sums of the batch */
    uint8_t *mask;             /* 1: kept by dropout */
    uint16_t *place;           /* of the largest value in its window */
    float *panels;             /* weights as forward wants them, NULL if as they are */
    float *turned;             /* and as the input's gradient wants them */
    float *bias;               /* as wide as a row of the product */
    float *grouped;            /* gradient of the weights, positions grouped */
    int64_t group, group_back; /* positions of a convolution in one row of a product */
    int32_t activation;        /* spt_activation applied with this layer, 0: none */
    int32_t gate;              /* spt_activation before this layer, whose derivative it applies */
    bool folded;               /* the batch normalisation behind is part of the weights */
    bool done;                 /* forward: by a layer before */
    bool done_back;            /* backward: by a layer behind */
};

struct spt__pass {
    const spt_network *network;
    const spt__kernels *kernels;
    int64_t capacity;
    int32_t mode;
    int64_t rows; /* of the batch in hand */
    /* The first value of sample x_first[i] between layers; x[0] is the input, x[n_layers] the
     * output. g[i] is the loss's gradient there, from sample g_first[i] on, NULL where nobody needs
     * it. What is held is there for the whole batch, from sample 0, the rest for a block. */
    float **x, **g;
    int64_t *x_first, *g_first;
    bool *x_held, *g_held;
    float *gradient;   /* of the trainable weights, placed as in spt_network.values */
    float *statistics; /* running statistics to keep up to date; NULL: leave them alone */
    spt__slot *slots;
    int32_t first;    /* layer down to which backward goes */
    uint64_t version; /* of the weights that are packed */
    bool packed;
    float *work; /* of products */
    spt__stream stream;
    int64_t step; /* of dropout */
    /* Predictions go over the weights of dense layers forwards and backwards by turns: what one
     * read last is still in the cache when the next begins with it. Changes no value. */
    bool backwards;
    void *memory;
};

/* Hands out pieces of one block; without a block it only measures. */
struct spt__arena {
    char *base;
    size_t used;
    int64_t work; /* floats that the hungriest product wants */
};
void *spt__arena_take(spt__arena *arena, int64_t count, size_t size);
/* Name the room that a product (or a matrix in the making) wants. */
void spt__arena_want(spt__arena *arena, int64_t floats);

/* With the kernels of the network's context, or others (numbers of lib/base/cpu.h). */
int32_t spt__pass_new(const spt_network *network, int64_t capacity, int32_t mode, spt__pass **out,
                      spt__err *e);
int32_t spt__pass_new_with(const spt_network *network, int32_t kernels, int64_t capacity,
                           int32_t mode, spt__pass **out, spt__err *e);
void spt__pass_free(spt__pass *p);
int64_t spt__pass_bytes(const spt_network *network, int64_t capacity, int32_t mode);

/* Copy n samples in: rows[0..n) of x, or the first n with rows NULL. */
void spt__pass_load(spt__pass *p, const float *x, const int64_t *rows, int64_t n);
/* The samples of all layers' layouts: also of the pages that plan them. */
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

/* ---- for the layers -------------------------------------------------------------------------- */

static inline spt__layout spt__boundary_layout(const spt_network *network, int32_t i)
{
    return i < network->n_layers ? network->layers[i].in_layout : network->layers[i - 1].out_layout;
}
/* Sample s between layers i - 1 and i. */
static inline float *spt__pass_x(const spt__pass *p, int32_t i, int64_t s)
{
    return p->x[i] + (s - p->x_first[i]) * spt__boundary_layout(p->network, i).stride;
}
static inline float *spt__pass_g(const spt__pass *p, int32_t i, int64_t s)
{
    return p->g[i] + (s - p->g_first[i]) * spt__boundary_layout(p->network, i).stride;
}

static inline const float *spt__pass_values(const spt__pass *p, const spt__layer *l, int32_t k)
{
    return p->network->values + p->network->tensors[l->tensor + k].offset;
}
static inline float *spt__pass_gradient(const spt__pass *p, const spt__layer *l, int32_t k)
{
    return p->gradient + p->network->tensors[l->tensor + k].offset;
}
static inline int32_t spt__pass_product(const spt__pass *p, spt__product *q)
{
    q->work = p->work;
    q->steady = p->mode & SPT__STEADY;
    return p->kernels->product(q);
}
/* Packing the weights pays: in prediction, where it is done once, and where the product would have
 * to do it by itself. */
static inline bool spt__pass_packs(const spt__pass *p, const spt__product *q)
{
    return !(p->mode & SPT__TRAIN) || p->kernels->product_work(q) > 0;
}
/* The rows of n samples of a layer's input. */
static inline spt__rows spt__layer_rows(const spt__layer *l, int64_t n)
{
    return (spt__rows){n, l->in.length, l->in.channels, l->in_layout.stride};
}

/* factor and shift per channel of layer i + 1, a batch normalisation in prediction. */
void spt__batch_norm_running(const spt__pass *p, int32_t i, float *mean, float *factor,
                             float *shift);

#endif
