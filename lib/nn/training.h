/* Training: options as numbers, losses, optimisers, the loop. */
#ifndef SPT_LIB_NN_TRAINING_H
#define SPT_LIB_NN_TRAINING_H

#include "kernels/kernels.h"
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
        SPT__NUMBER("clip_norm", 0, 1e12, 0,                                                    \
                    "largest norm of the whole gradient; a longer one is shortened to it; 0: "  \
                    "any"),                                                                     \
        SPT__CHOICE("schedule", "constant|cosine|plateau", "constant",                          \
                    "learning rate over the epochs: the same, half a wave down, or cut when "   \
                    "the loss no longer falls"),                                                \
        SPT__NUMBER("schedule_floor", 0, 1, 0.01,                                               \
                    "cosine, plateau: share of the learning rate that stays"),                  \
        SPT__INTEGER("schedule_epochs", 0, 1e9, 0,                                              \
                     "cosine: epochs down to the floor; 0: as many as there are at most"),      \
        SPT__NUMBER("plateau_factor", 0.001, 0.999, 0.3, "plateau: what a cut leaves"),         \
        SPT__INTEGER("plateau_patience", 1, 1e9, 15,                                            \
                     "plateau: epochs without a lower loss (watched, else of training) before " \
                     "a cut"),                                                                  \
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
typedef enum { SPT__CONSTANT, SPT__COSINE, SPT__PLATEAU } spt__schedule;
typedef enum { SPT__SGD, SPT__ADAGRAD, SPT__RMSPROP, SPT__ADAM, SPT__ADAMW } spt__optimizer;

typedef struct spt__training {
    spt__loss loss;
    spt__optimizer optimizer;
    double huber_delta, learning_rate, momentum, rho, adagrad_start, beta1, beta2, epsilon,
        weight_decay, clip_norm, schedule_floor, plateau_factor;
    spt__schedule schedule;
    int64_t batch_size, epochs, patience, schedule_epochs, plateau_patience;
    uint64_t seed;
} spt__training;

int32_t spt__training_read(const spt_options *options, spt__training *out, spt__err *e);
/* From options of any table that contains the knobs of training. */
spt__training spt__training_from(const spt_options *options, const spt__knob *table);

/* Outputs of n rows and what they should be, n x t each, and what the rows weigh (NULL: 1 each). */
typedef struct spt__outcome {
    const float *output, *target, *weight;
    int64_t n, t;
} spt__outcome;

/* Sum of the losses, each times its row's weight; with `gradient` also its derivative times
 * `scale`. */
double spt__loss_sum(const spt__training *t, const spt__outcome *o, double scale, float *gradient);

/* The unit in which losses are told: value = output * sd + mean, then expm1 if `log1p`. */
typedef struct spt__unit {
    double mean, sd;
    bool log1p;
    double delta; /* log1p: of huber, in the unit */
} spt__unit;

/* `own`, which is the sum of the losses of `o`, in the unit; of one target. NULL: as it is. */
double spt__loss_told(const spt__training *t, const spt__unit *unit, const spt__outcome *o,
                      double own);

/* Square root of the sum of squares, always in the same order. */
double spt__norm(const float *v, int64_t n);

typedef struct spt__step {
    int64_t number; /* from 1 */
    double rate;    /* learning rate */
    float shrink;   /* factor of the gradient: 1 unless it is clipped */
} spt__step;

/* One step on n weights. a and b are the optimiser's memory, kept from step to step. doc/nn.md has
 * the formulas. */
void spt__optimizer_start(const spt__training *t, int64_t n, float *a, float *b);
void spt__optimizer_step(const spt__kernels *kernels, const spt__training *t, const spt__step *step,
                         int64_t n, float *w, const float *gradient, float *a, float *b);

/* Where a training stands on its schedule. */
typedef struct spt__course {
    int64_t epochs; /* done */
    double share;   /* of the learning rate that is in force now */
    double lowest;  /* plateau: loss so far */
    int64_t since;  /* plateau: epoch of the lowest loss, or of the last cut */
} spt__course;
void spt__course_start(spt__course *c);
/* An epoch has ended with this loss. */
void spt__course_epoch(const spt__training *t, spt__course *c, double loss);

/* What spt_network_fit() does, for worker threads too: errors go to `e`, `fn` is called on the
 * thread that runs it, a stop request on the context is honoured. */
typedef struct spt__fit {
    const float *x, *y;
    const float *weights; /* of the rows of x; NULL: 1 each */
    int64_t n;            /* rows of x, y and weights */
    const int64_t *train, *watch;
    int64_t n_train, n_watch;
    spt__training training;
    spt__stream stream;    /* names shuffling and dropout */
    const spt__unit *unit; /* of the losses that are told; NULL: that of y */
    spt_epoch_fn fn;
    void *user;
} spt__fit;
int32_t spt__network_fit(spt_network *network, const spt__fit *fit, spt_training_report *report,
                         spt__err *e);

#endif
