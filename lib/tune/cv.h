/* The cross-validation objective. */
#ifndef SPT_LIB_TUNE_CV_H
#define SPT_LIB_TUNE_CV_H

#include "study.h"

#include "../model/fit.h"

#include <stdatomic.h>

struct spt_cv {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    spt_dataset *dataset; /* as given */
    spt_dataset *applied; /* after the recipe's steps */
    spt_dataset *used;    /* the rows of it that take part */
    spt_prep *prep;
    char *target;
    spt_options *options; /* never NULL */
    int64_t n, p;
    int64_t *rows;  /* n indices into `applied` */
    int32_t *fold;  /* n numbers, 0 to k - 1 */
    int32_t *order; /* k: the order in which folds are run and looked at */
    int64_t *group; /* n numbers, or NULL */
    int32_t k;
    double *y;      /* n, in the target's unit */
    float *weights; /* n, or NULL */
    float *x;       /* n x p x (channels of x_mask) */
    int32_t x_mask;
    char **dropped;
    int32_t n_dropped;
};

extern const spt__knob spt__objective_knobs[];

/* Have the channels of `mask` ready in x. Not while folds run. */
int32_t spt__cv_channels(spt_cv *cv, int32_t mask);
/* The channels that configurations of a space can ask for. */
int32_t spt__cv_space_channels(const spt_space *space);

/* What the jobs of one configuration have in common. */
typedef struct spt__cv_pattern {
    spt_network *network; /* owned */
    int32_t mask;
    int64_t sequence;
    spt__fit_settings settings;
    int32_t most; /* jobs that the memory limit allows at a time; 0: any number */
    int64_t bytes,
        beside; /* of memory: for a job; for the trial beside its jobs and the channels */
} spt__cv_pattern;

/* `epochs`: 0 for those of configuration and options. `kept`: networks that stay until all jobs are
 * done. On the caller's thread; SPT_ELIMIT if memory does not allow one job at a time. Freed also
 * after a failure. */
int32_t spt__cv_pattern_init(spt_cv *cv, const spt_config *config, int64_t sequence, int64_t epochs,
                             int32_t kept, spt__cv_pattern *pattern);
void spt__cv_pattern_free(spt__cv_pattern *pattern);

/* The job of fold `fold`: all other rows train, with early stopping as the options have it. Fold k
 * is none: all rows train, for all epochs. `rows` has room for n entries: those that train, then
 * those that are scored. Any thread. */
void spt__cv_job(const spt_cv *cv, const spt__cv_pattern *pattern, int32_t fold, int64_t *rows,
                 spt__fit_job *job);

/* Watched rows: "inner" or "scored". */
const char *spt__cv_watch(const spt_cv *cv);

#endif
