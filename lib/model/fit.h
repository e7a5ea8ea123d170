/* Training one network on one set of rows: what a fold of a cross-validation, the refit of a trial
 * and spt_model_fit() have in common. */
#ifndef SPT_LIB_MODEL_FIT_H
#define SPT_LIB_MODEL_FIT_H

#include "member.h"

#include "../base/options.h"
#include "../nn/training.h"

typedef enum {
    SPT__WATCH_INNER = 1, /* early stopping on a seeded share of the training rows */
    SPT__WATCH_GIVEN = 2, /* early stopping on the rows given, which do not train */
    SPT__WATCH_NONE = 3,  /* nothing is watched: all epochs of the settings run */
    SPT__WATCH_OWN = 4    /* the rows that train: the epoch that fits them best is kept */
} spt__watch;

typedef enum {
    SPT__TARGET_NONE,        /* as it is */
    SPT__TARGET_STANDARDISE, /* to mean 0, s.d. 1 */
    SPT__TARGET_LOG1P        /* log(1 + y), then the same */
} spt__target;

/* What options and configuration say of fitting. */
typedef struct spt__fit_settings {
    spt__training training;
    int32_t scale; /* spt_scale */
    spt__target target;
    double watch_share; /* WATCH_INNER: of n_train, rounded, at least 1 row */
} spt__fit_settings;

/* Everything here is borrowed and only read, so one network, x, y, ... serve many jobs at a time.
 * Where the losses of callback and report are told, they are in the target's unit (mse and huber:
 * its square) when there is one target; several scaled targets have no unit in common. */
typedef struct spt__fit_job {
    spt_ctx *ctx;               /* memory and the stop request; nothing is reported on it */
    const float *x;             /* n x p x (channels of x_mask), unscaled */
    int64_t n, p;               /* */
    int32_t x_mask;             /* spt_channel bits that x holds */
    int32_t mask;               /* those that the network reads, one or more of them */
    const double *y;            /* n x t in the target's unit; finite at the rows used */
    int64_t t;                  /* */
    const float *weights;       /* n, of rows in losses; NULL: 1 each */
    const int64_t *train;       /* n_train rows of x and y */
    int64_t n_train;            /* at least 1; 2 for WATCH_INNER */
    int32_t watch;              /* spt__watch */
    const int64_t *group;       /* n numbers from 0 to n - 1, or NULL; WATCH_INNER takes
                                   whole groups */
    const int64_t *watched;     /* WATCH_GIVEN: n_watched rows */
    int64_t n_watched;          /* */
    spt__fit_settings settings; /* of spt__fit_settings_init() */
    const spt_network *network; /* pattern, of spt__fit_network(); each job trains a copy */
    spt__stream stream;         /* seed, trial and fold name every random number (initial weights,
                                   watched rows, mini-batches, dropout): no result depends on the
                                   order in which jobs run */
    spt_epoch_fn fn;            /* called on the thread of the job; NULL is fine */
    void *user;
} spt__fit_job;

/* What a job gives. */
typedef struct spt__fit_result {
    spt__member *member; /* network, scaling of inputs and targets; spt__model_make() takes it on */
    int64_t n_watched;   /* rows that were watched */
    spt_training_report report;
} spt__fit_result;

/* Train. Runs on any thread, many jobs at once; no result depends on that.
 *
 * Scaling of inputs and targets is fitted on all n_train rows. The inner watched rows are among
 * them, since they are training rows of the fold; given watched rows have no part in it.
 *
 * SPT_OK; SPT_STOP_HOST (stop request of the context, or fn said so; the result has the best
 * weights so far, report.epochs says of how many epochs, 0 means untrained); SPT_EDIVERGED;
 * SPT_EDATA (too few rows or groups to watch some); SPT_ECALLBACK; SPT_ENOMEM. After a negative
 * status the result is empty. *result need not be initialised. */
int32_t spt__fit_run(const spt__fit_job *job, spt__fit_result *result, spt__err *e);
void spt__fit_release(spt__fit_result *result);

/* Bytes that spt__fit_run(), and spt__fit_predict() behind it, take at most, with the result. What
 * of the job says which rows is not looked at, their numbers are. */
int64_t spt__fit_memory(const spt__fit_job *job);
/* Of n rows of p bands, the channels of a mask in float32. */
int64_t spt__fit_channel_bytes(int64_t n, int64_t p, int32_t mask);
/* May the context's limit hold that and `beside`? Else SPT_ELIMIT, with what would help. */
int32_t spt__fit_check_memory(const spt__fit_job *job, int64_t beside, spt__err *e);

/* Predictions in the target's unit for n rows of x (laid out as in the job; rows NULL: the first
 * n). out: n x t. Any thread; one result may serve many at once. */
int32_t spt__fit_predict(const spt__fit_result *result, const float *x, int32_t x_mask,
                         const int64_t *rows, int64_t n, double *out, spt__err *e);

/* ---- models of results -------------------------------------------------------------------------
 */

/* What spt__model_make() puts together. All is borrowed. */
typedef struct spt__model_parts {
    const spt_dataset *dataset; /* raw: what the sensor delivers; axis and unit are taken from it */
    const spt_prep *prep;       /* NULL for none */
    const spt_dataset
        *applied;        /* spt_prep_apply() of it; n x p; training ranges are taken from it */
    const int64_t *rows; /* n_rows of `applied` that trained; NULL: all */
    int64_t n_rows;
    const char *target;          /* name; a number column of `applied` gives the training range */
    spt__member *const *members; /* of fit results, each gets a reference more */
    int64_t n_members;
} spt__model_parts;

/* On the caller's thread. spt_model_with_note() adds notes. */
int32_t spt__model_make(spt_ctx *ctx, const spt__model_parts *parts, spt_model **out);

/* The rows that WATCH_INNER takes: `mark` has n_train bytes, 1 where train[i] is watched. */
int32_t spt__fit_choose_watched(const spt__fit_job *job, uint8_t *mark, int64_t *n_watched,
                                spt__err *e);

/* ---- samples: on the caller's thread -----------------------------------------------------------
 */

/* The target, a number column. */
int32_t spt__fit_target_column(const spt_dataset *samples, const char *name, int64_t *column,
                               spt__err *e);
/* Weights of the samples from a number column; NULL where the name is "". spt__free() them. */
int32_t spt__fit_weights(spt_ctx *ctx, const spt_dataset *samples, const char *name, float **out,
                         spt__err *e);
/* Can the targets be transformed? */
int32_t spt__fit_check_targets(const spt__fit_settings *settings, const spt_dataset *samples,
                               const char *name, const double *y, spt__err *e);

/* ---- settings: on the caller's thread ----------------------------------------------------------
 */

/* The pattern of the networks of a configuration for p bands and the channels of `mask`. */
int32_t spt__fit_network(spt_ctx *ctx, const spt_config *config, int64_t p, int32_t mask, int64_t t,
                         spt_network **out);

/* The values of `from` (options of any kind that contains the knobs of fitting; NULL: their
 * defaults), over them those of the configuration (may be NULL), over them `epochs` when it is not
 * 0; the learning rate keeps the schedule of the epochs that it replaces. */
int32_t spt__fit_settings_init(spt_ctx *ctx, const spt_options *from, const spt_config *config,
                               int64_t epochs, spt__fit_settings *out);

/* Are all values possible that the space has for parameters which are knobs of fitting? */
int32_t spt__fit_check_space(spt_ctx *ctx, const spt_space *space);

/* Knobs that fitting has beside those of training, for tables of options that contain them. */
#define SPT__FIT_KNOBS                                                                        \
    SPT__CHOICE("scale", "channel|band|centre|none", "centre",                                \
                "standardise the inputs: mean and s.d. per channel, both per band, mean per " \
                "band and s.d. per channel, or not at all"),                                  \
        SPT__CHOICE("target_transform", "none|standardise|log1p", "standardise",              \
                    "train on the target as it is, with mean 0 and s.d. 1, or on log(1 + y) " \
                    "with mean 0 and s.d. 1"),                                                \
        {"weights", SPT_OPTION_TEXT,                                                          \
         0,         0,                                                                        \
         0,         NULL,                                                                     \
         "",        "column that says how much each sample counts in training"},              \
        SPT__NUMBER("watch_share", 0.001, 0.9, 0.1,                                           \
                    "share of the training rows watched for early stopping")

/* All knobs of spt_fit_options_new(): those of training, the above, `group`. */
extern const spt__knob spt__fit_knobs[];

#endif
