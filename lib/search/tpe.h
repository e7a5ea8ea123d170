/* The tree-structured Parzen estimator's view of one parameter, for tests and for hosts that plot.
 */
#ifndef SPT_LIB_SEARCH_TPE_H
#define SPT_LIB_SEARCH_TPE_H

#include "sampler.h"

/* Mark the good trials: the n_below with the lowest losses, the earlier of equals first.
 * n_below = min(ceil(gamma sqrt(n)), cap), or n if that is less. */
int32_t spt__tpe_split(spt_ctx *ctx, const spt__view *view, double gamma, int64_t cap, bool *good,
                       spt__err *e);

/* Between prepare and release: log l(value) - log g(value) of one parameter, by which candidates
 * are compared; 0 during the random start-up. */
double spt__tpe_score(const spt__sampler *s, int32_t parameter, double value);

#endif
