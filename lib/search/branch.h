/* Branches of a declared tree, that is, sets of parameters that exist together; and when it is time
 * to look into another than the best one. */
#ifndef SPT_LIB_SEARCH_BRANCH_H
#define SPT_LIB_SEARCH_BRANCH_H

#include "sampler.h"

/* The branch of a configuration, as a number. */
uint64_t spt__branch_of(const double *values, int32_t n);

/* Has the search come to rest? True when the last `after` trials that finished lowered the least
 * loss by less than a hundredth of its distance from the median. */
int32_t spt__branch_rests(spt_ctx *ctx, const spt__view *view, int64_t after, bool *rests,
                          spt__err *e);

/* Of the `most` branches with the lowest losses but the best one, the one with the fewest trials,
 * the better one of equals. *found is false if all trials are of one branch. */
int32_t spt__branch_least_tried(spt_ctx *ctx, const spt__view *view, const uint64_t *branches,
                                int64_t most, bool *found, uint64_t *branch, spt__err *e);

#endif
