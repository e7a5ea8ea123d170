/* The same networks once more, in double and by direct sums, written from the definitions. */
#ifndef SPT_TESTS_NN_REFERENCE_H
#define SPT_TESTS_NN_REFERENCE_H

#include "nn/pass.h"

/* One layer to add, in the terms of the public builder. */
typedef struct layer_spec {
    char what; /* c conv, b batch norm, a activation, p pool, o dropout, d dense, 0 end */
    int64_t units, kernel, stride;
    int32_t padding, type;
    double share;
} layer_spec;

#define CONV(units, kernel, stride, padding)      \
    {                                             \
        'c', units, kernel, stride, padding, 0, 0 \
    }
#define NORM                  \
    {                         \
        'b', 0, 0, 0, 0, 0, 0 \
    }
#define ACT(type)                \
    {                            \
        'a', 0, 0, 0, 0, type, 0 \
    }
#define POOL(type, size, stride, padding)      \
    {                                          \
        'p', 0, size, stride, padding, type, 0 \
    }
#define DROP(share)               \
    {                             \
        'o', 0, 0, 0, 0, 0, share \
    }
#define DENSE(units)              \
    {                             \
        'd', units, 0, 0, 0, 0, 0 \
    }

enum { MAX_LAYERS = 16 };

typedef struct net_case {
    int64_t bands, channels, outputs, rows;
    layer_spec layers[MAX_LAYERS];
} net_case;

/* Adds the layers of the case through the public functions. */
int32_t add_layers(spt_network *network, const layer_spec *layers);

/* Outputs of n rows. `w` holds all tensors one after the other in their order. With `train` batches
 * have their own statistics and dropout takes the masks of that pass, and `w` receives the new
 * running statistics if `update`. */
void reference_forward(const net_case *c, double *w, const spt__pass *train, bool update,
                       const double *x, int64_t n, double *y);

#endif
