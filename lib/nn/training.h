/* Training: options as numbers, losses, optimisers, the loop. */
#ifndef SPT_LIB_NN_TRAINING_H
#define SPT_LIB_NN_TRAINING_H

#include "network.h"
#include "../base/options.h"

/* Rows of a table of knobs. */
#define SPT__NUMBER(name, low, high, value, text)                   \
    {                                                               \
        name, SPT_OPTION_NUMBER, low, high, value, NULL, NULL, text \
    }
#define SPT__INTEGER(name, low, high, value, text)                   \
    {                                                                \
        name, SPT_OPTION_INTEGER, low, high, value, NULL, NULL, text \
    }
#define SPT__CHOICE(name, choices, value, text)                \
    {                                                          \
        name, SPT_OPTION_CHOICE, 0, 0, 0, choices, value, text \
    }
/* The knobs of training, for tables of options that contain them. */
#define SPT__TRAINING_KNOBS                                                                     \
    SPT__CHOICE("loss", "mse|mae|huber", "mse",                                                 \
                "what training minimises, mean over rows and targets"),                         \
        SPT__NUMBER("huber_delta", 1e-6, 1e6, 1.0,                                              \
                    "huber: error from which on the loss grows linearly"),                      \
        SPT__CHOICE("optimizer", "sgd|adagrad|rmsprop|adam|adamw", "adam", "rule of the step"), \
        SPT__NUMBER("learning_rate", 1e-12, 1e12, 1e-3, "factor of the step"),                  \
        SPT__NUMBER("momentum", 0, 0.999999, 0, "sgd: share of the last step that is kept"),    \
        SPT__NUMBER("rho", 0, 0.999999, 0.9, "rmsprop: share of the mean square that is kept"), \
        SPT__NUMBER("adagrad_start", 0, 1e6, 0.1,                                               \
                    "adagrad: sum of squares before the first step"),                           \
        SPT__NUMBER("beta1", 0, 0.999999, 0.9,                                                  \
                    "adam, adamw: share of the mean gradient that is kept"),                    \
        SPT__NUMBER("beta2", 0, 0.999999, 0.999,                                                \
                    "adam, adamw: share of the mean square that is kept"),                      \
        SPT__NUMBER("epsilon", 1e-16, 1, 1e-7, "added to the denominator of a step"),           \
        SPT__NUMBER("weight_decay", 0, 1e3, 0,                                                  \
                    "adamw: share of a weight taken off at learning rate 1; else times the "    \
                    "weight, added to "                                                         \
                    "its gradient"),                                                            \
        SPT__INTEGER("batch_size", 1, 1e9, 32,                                                  \
                     "rows per step; more than there are is one full batch"),                   \
        SPT__INTEGER("epochs", 1, 1e9, 100, "times through the training rows, at most"),        \
        SPT__INTEGER(                                                                           \
            "patience", 0, 1e9, 60,                                                             \
            "epochs without a better watched loss before training stops; 0 never stops early"), \
        SPT__INTEGER("seed", 0, 9007199254740992.0, 1,                                          \
                     "names the order of the rows and the dropout masks")
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
/* From options of any table that contains the knobs of training. */
spt__training spt__training_from(const spt_options *options, const spt__knob *table);

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
