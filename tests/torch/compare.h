/* Our networks against those of PyTorch: reads a file that nets.py wrote, trains the same networks,
 * and measures. */
#ifndef SPT_TESTS_TORCH_COMPARE_H
#define SPT_TESTS_TORCH_COMPARE_H

#include "nn/network.h"

/* What is measured, each as largest difference over largest value of a tensor. */
typedef enum {
    TORCH_OUTPUT,   /* what both make of the same weights: predictions, and the first step's loss */
    TORCH_GRADIENT, /* of every trainable tensor, in the first step */
    TORCH_WEIGHT,   /* every tensor after the last step, and the loss of that step */
    TORCH_MEASURES
} torch_measure;
extern const char *const torch_measure_names[TORCH_MEASURES];
extern const double torch_bars[TORCH_MEASURES];

enum { TORCH_MAX_TENSORS = 64 };
enum {
    TORCH_TRAINABLE = 1,
    /* The exact gradient is zero: the bias before a batch normalisation. What rounding leaves is
     * measured against the gradient of the layer's weight, the tensor before. */
    TORCH_ZERO = 2,
    /* Adam divides that rounding by its own size, so where this tensor goes is not determined. */
    TORCH_UNDETERMINED = 4
};

typedef struct torch_tensor {
    uint32_t flags;
    int64_t size;
    float *initial, *gradient, *final; /* gradient NULL for running statistics */
} torch_tensor;

/* One network with what PyTorch made of it. */
typedef struct torch_case {
    uint32_t seed; /* of the data */
    int64_t bands, channels, outputs, rows, steps;
    uint32_t loss; /* mse, mae, huber */
    double huber_delta, learning_rate, epsilon;
    uint32_t n_layers, n_tensors;
    const unsigned char *layers; /* in the file's form */
    torch_tensor tensors[TORCH_MAX_TENSORS];
    double first_loss, last_loss;
    /* Outputs, rows x outputs: before the first step, in it, after the last step. */
    float *predicted, *trained, *predicted_last;
    float *memory;
} torch_case;

typedef struct torch_file {
    unsigned char *bytes;
    size_t size;
    uint32_t n_cases, steps;
} torch_file;

/* Reading ends the program with a message when the file is not what nets.py writes: it is ours. */
torch_file torch_open(const char *path);
void torch_close(torch_file *file);
torch_case torch_read(const torch_file *file, uint32_t index);
void torch_free(torch_case *c);

typedef struct torch_figures {
    double worst[TORCH_MEASURES];
    char where[TORCH_MEASURES][64]; /* name of the tensor */
    char error[320];                /* of the library; empty when all went well */
} torch_figures;

/* With kernels by name, as spt_ctx_set_kernels() has them. */
torch_figures torch_compare(const torch_case *c, const char *kernels);

#endif
