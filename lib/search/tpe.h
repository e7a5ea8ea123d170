/* The tree-structured Parzen estimator, for tests and for hosts that plot. */
#ifndef SPT_LIB_SEARCH_TPE_H
#define SPT_LIB_SEARCH_TPE_H

#include "density.h"
#include "sampler.h"

enum { SPT__IGNORED = 0, SPT__GOOD = 1, SPT__BAD = 2 };

/* Sort trials into good and bad ones: code[i] is one of the above. ranked (n) gets the good ones,
 * best first; *n_good how many. The best count first: complete trials by loss, then pruned ones by
 * steps (more is better), then by their last value; the earlier of equals first. A trial without a
 * finite loss is a failed one and is never good. *threshold: the lowest loss of a complete bad
 * trial, or infinity. *counted: the trials that count for the start-up. only: the
 * trials that take part, the others are ignored; NULL: all. */
typedef struct spt__split {
    uint8_t *code;
    int32_t *ranked;
    int64_t n_good, counted;
    double threshold;
} spt__split;
int32_t spt__tpe_split(spt_ctx *ctx, const spt__view *view, const spt__tpe_rule *rule,
                       const bool *only, spt__split *split, spt__err *e);

/* Estimate the densities from a view, also during the random start-up; then their logarithms at the
 * values of configurations, until the sampler is asked again. */
int32_t spt__tpe_fit(spt__sampler *s, const spt__view *view, spt__err *e);
void spt__tpe_look(spt__sampler *s, const double *values, double *log_good, double *log_bad);

#endif
