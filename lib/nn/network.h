/* The network as the files of this room, the model room and the objective see it.
 *
 * A network is a list of layers and one array with all its weights. What a batch needs on its way
 * through is in a pass; passes share nothing, so any number of them may predict from one network.
 */
#ifndef SPT_LIB_NN_NETWORK_H
#define SPT_LIB_NN_NETWORK_H

#include "spectune/nn.h"

#include "../base/ctx.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct spt__layer spt__layer;
typedef struct spt__pass spt__pass;
typedef struct spt__arena spt__arena;
typedef struct spt__slot spt__slot;

/* One sample between two layers: length x channels, channels last. */
typedef struct spt__shape {
    int64_t length, channels;
    bool flat; /* behind a dense layer */
} spt__shape;

static inline int64_t spt__shape_size(spt__shape s)
{
    return s.length * s.channels;
}

/* Where the samples of a batch stand between two layers: each is contiguous, `stride` floats after
 * the one before, the first `lead` floats into its buffer. Convolutions want room between samples.
 */
typedef struct spt__layout {
    int64_t lead, stride;
} spt__layout;

typedef enum { SPT__INIT_ZERO, SPT__INIT_ONE, SPT__INIT_WEIGHT } spt__init;

enum { SPT__TENSOR_NAME = 32, SPT__NAME = 24 };

typedef struct spt__tensor {
    char name[SPT__TENSOR_NAME];
    int32_t n_dims;
    bool trainable;
    spt__init init;
    int32_t layer;
    int64_t dims[3];
    int64_t size;
    int64_t fan_in, fan_out;
    int64_t offset; /* in spt_network.values */
} spt__tensor;

/* One kind of layer. A new kind is one file with such a record and its line in network.c.
 *
 * A batch goes through in blocks of samples: `first` and `n` name one. A layer that needs the whole
 * batch (batch normalisation in training) gathers block by block while the layers before it run,
 * and settles when all blocks have passed; its own forward comes then. Backward likewise. */
typedef struct spt__layer_kind {
    const char *name; /* "conv": of layers and tensors */
    bool hidden;      /* added by the library, not shown */
    bool elementwise; /* output has the input's shape, and may stand where the input stood */
    bool dense;       /* one product for the whole batch is better than one per block */
    bool epilogue;    /* an activation behind it can be applied with it */
    /* Check the settings against l->in and work out l->out (and what else the layer derives). */
    int32_t (*shape)(spt__layer *l, spt__err *e);
    /* Declare the tensors through spt__add_tensor; NULL if there are none. */
    int32_t (*tensors)(spt_network *network, int32_t layer, spt__err *e);
    /* Take from the arena what the layer keeps, and name the room its products want; NULL if
     * nothing. */
    void (*plan)(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena);
    /* The network's values have changed: pack weights. NULL if there is nothing to do. */
    void (*prepare)(spt__pass *p, int32_t i);
    int32_t (*forward)(spt__pass *p, int32_t i, int64_t first, int64_t n);
    /* From the gradient of the output: of the weights, and of the input if p->g[i] is there. */
    int32_t (*backward)(spt__pass *p, int32_t i, int64_t first, int64_t n);
    /* All four or none. */
    void (*gather)(spt__pass *p, int32_t i, int64_t first, int64_t n);
    void (*settle)(spt__pass *p, int32_t i);
    void (*gather_back)(spt__pass *p, int32_t i, int64_t first, int64_t n);
    void (*settle_back)(spt__pass *p, int32_t i);
    /* May the output take the input's place? Not when the layer before still reads its output, and
     * backward must not read its own input then. NULL: never, never. */
    bool (*in_place)(const spt__layer *l);
    bool (*reads_output)(const spt__layer *l);
    /* A few words on the settings: "8 filters, kernel 11, same". */
    void (*words)(const spt__layer *l, char *out, size_t capacity);
} spt__layer_kind;

extern const spt__layer_kind spt__kind_conv, spt__kind_batch_norm, spt__kind_activation,
    spt__kind_pool, spt__kind_dropout, spt__kind_dense, spt__kind_copy;
extern const spt__layer_kind *const spt__layer_kinds[]; /* ends with NULL */

struct spt__layer {
    const spt__layer_kind *kind;
    char name[SPT__NAME]; /* "conv_1", "output" */
    spt__shape in, out;
    /* settings; each kind uses its own */
    int64_t units; /* filters of a convolution, units of a dense layer */
    int64_t kernel, stride;
    int32_t padding; /* spt_padding */
    int32_t type;    /* spt_activation or spt_pool */
    double share;    /* dropped */
    /* derived */
    int64_t pad_before; /* zeros (or nothing, when pooling) before the first value */
    int64_t pitch;      /* convolution: rows from the windows of one sample to those of the next */
    int32_t tensor;     /* index of the first, when it has some */
    spt__layout in_layout, out_layout;
    bool output_in_place, gradient_in_place;
    bool fouled;   /* what stands between its input's samples must not come between its output's */
    int64_t block; /* samples that go through this and its neighbours at once */
};

struct spt_network {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    int64_t bands, channels, outputs;
    spt__layer *layers;
    int32_t n_layers, layer_capacity;
    spt__tensor *tensors;
    int32_t n_tensors, tensor_capacity;
    bool finished;
    /* All tensors, each on a 64-byte line: the trainable ones, then running statistics. */
    float *values;
    int64_t n_trainable, n_values; /* with the gaps, which stay zero */
    int64_t weights;               /* trainable, without */
    uint64_t version;              /* of the values; moves when they change */
    spt__pass *predictor;          /* of spt_network_predict() */
    bool training;                 /* by spt_network_fit(), whose callback may be at work */
};

/* What the callback of a training may not do. */
int32_t spt__network_idle(const spt_network *network, const char *what);

/* Names a network's random numbers. Hosts have trial and fold 0. */
typedef struct spt__stream {
    uint64_t seed;
    int64_t trial;
    int32_t fold;
} spt__stream;

/* Whoever writes to `values` says so: passes keep the weights packed. */
static inline void spt__network_changed(spt_network *network)
{
    network->version++;
}

void spt__network_unref(spt_network *network);
int32_t spt__add_tensor(spt_network *network, int32_t layer, const char *role, spt__tensor tensor,
                        spt__err *e);
/* Adds layers as spt_network_add_...() do; `settings` has kind and settings, the rest is filled. */
int32_t spt__network_add(spt_network *network, const spt__layer *settings, spt__err *e);
/* Output layer, plan, weights. With `stream` NULL all weights are 0: they will be set. */
int32_t spt__network_finish(spt_network *network, const spt__stream *stream, spt__err *e);
/* Draw the initial weights of a finished network anew. */
void spt__network_init(spt_network *network, const spt__stream *stream);
/* An independent copy of a finished network, for another thread. */
int32_t spt__network_clone(const spt_network *network, spt_network **out, spt__err *e);
/* Bytes that spt_network_fit() takes at most beside data and network. */
int64_t spt__network_memory(const spt_network *network, int64_t batch_size, int64_t n_train,
                            int64_t n_watch);
/* The largest batch with which that is no more than `bytes`; 0 if none is. */
int64_t spt__network_batch_within(const spt_network *network, int64_t bytes, int64_t n_train,
                                  int64_t n_watch);
bool spt__network_same_shape(const spt_network *a, const spt_network *b);
void spt__network_plan(spt_network *network);
const char *spt__activation_name(int32_t activation);

/* Names that a configuration may have beside the network's own; both end with NULL. */
extern const char *const spt__channel_names[];
int32_t spt__network_from_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                 int64_t channels, int64_t outputs, const spt__stream *stream,
                                 bool finish, spt_network **out);

#endif
