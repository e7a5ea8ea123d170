/* Training: options as numbers, losses, optimisers, the loop. */
#ifndef SPT_LIB_NN_TRAINING_H
#define SPT_LIB_NN_TRAINING_H

#include "network.h"
#include "../base/options.h"

extern const spt__knob spt__training_knobs[];

typedef enum { SPT__LOSS_MSE, SPT__LOSS_MAE, SPT__LOSS_HUBER } spt__loss;
typedef enum { SPT__SGD, SPT__ADAGRAD, SPT__RMSPROP, SPT__ADAM, SPT__ADAMW } spt__optimizer;

typedef struct spt__training {
    spt__loss loss;
    spt__optimizer optimizer;
    double huber_delta, learning_rate, momentum, rho, adagrad_start, beta1, beta2, epsilon,
        weight_decay;
    int64_t batch_size, epochs, patience;
    uint64_t seed;
} spt__training;

int32_t spt__training_read(const spt_options *options, spt__training *out, spt__err *e);

/* Sum of the losses of n values; with `gradient` also its derivative times `scale`. */
double spt__loss_sum(const spt__training *t, const float *output, const float *target, int64_t n,
                     float scale, float *gradient);

/* One step on n weights. a and b are the optimiser's memory, kept from step to step; `step` counts
 * from 1. doc/nn.md has the formulas. */
void spt__optimizer_start(const spt__training *t, int64_t n, float *a, float *b);
void spt__optimizer_step(const spt__training *t, int64_t step, int64_t n, float *w,
                         const float *gradient, float *a, float *b);

/* What spt_network_fit() does, for worker threads too: errors go to `e`, `fn` is called on the
 * thread that runs it, a stop request on the context is honoured. */
typedef struct spt__fit {
    const float *x, *y;
    const int64_t *train, *watch;
    int64_t n_train, n_watch;
    spt__training training;
    spt__stream stream; /* names shuffling and dropout */
    spt_epoch_fn fn;
    void *user;
} spt__fit;
int32_t spt__network_fit(spt_network *network, const spt__fit *fit, spt_training_report *report,
                         spt__err *e);

#endif
