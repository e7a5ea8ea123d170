/* Functions with known minima, for comparing samplers (doc/bench.md says which and why). */
#ifndef SPT_TESTS_BENCH_SEARCH_FUNCTIONS_H
#define SPT_TESTS_BENCH_SEARCH_FUNCTIONS_H

#include "spectune.h"

typedef struct search_function {
    const char *name;
    int dimensions; /* of the continuous ones; else 0 */
    double radius;  /* each is searched in [-radius, radius] */
    /* Values of the space's parameters in order, NaN where one does not exist. */
    double (*value)(const double *x, int n);
    int32_t (*space)(spt_ctx *ctx, const struct search_function *f, spt_space **out);
} search_function;

/* NULL if there is none of that name; number `index` of the list, NULL behind the last. */
const search_function *search_find(const char *name);
const search_function *search_at(int index);

/* Thirty parameters of all kinds, a third of them conditional, for timing. */
int32_t search_timing_space(spt_ctx *ctx, spt_space **out);

#endif
