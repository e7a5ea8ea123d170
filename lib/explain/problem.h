/* A history as a forest sees it: which trials count, what their losses are, the lattice of the
 * space with its prior, and the trials in it. */
#ifndef SPT_LIB_EXPLAIN_PROBLEM_H
#define SPT_LIB_EXPLAIN_PROBLEM_H

#include "forest.h"

#include "../space/space.h"
#include "../store/store.h"

/* ---- the bins of one parameter (bins.c) ---- */

/* Values start[k] .. start[k + 1] - 1 of the grid; or, of a continuous parameter, from edge[k] to
 * edge[k + 1], a value on an edge belonging to the bin above if `above` says so. */
typedef struct spt__bins {
    int32_t n;
    int64_t *start; /* n + 1, of discrete parameters */
    double *edge;   /* n + 1, of continuous ones */
    bool *above;    /* n + 1 */
} spt__bins;

/* Bins that no condition of the space cuts. */
int32_t spt__bins_new(spt_ctx *ctx, const spt_space *space, int32_t parameter, spt__bins *out,
                      spt__err *e);
void spt__bins_free(spt_ctx *ctx, spt__bins *bins);
int32_t spt__bins_find(const spt__parameter *p, const spt__bins *bins, double value);
/* A value in the middle of a bin. */
double spt__bins_value(const spt__parameter *p, const spt__bins *bins, int32_t bin);
/* The measure of every bin under the prior of the parameter, total 1, and the middle of the bin on
 * its scale, 0 to 1. */
void spt__bins_measure(const spt__parameter *p, const spt__bins *bins, double *weight, double *at);

/* ---- conditions (needs.c) ---- */

/* The axes of a problem while it is set up. */
typedef struct spt__draft {
    spt_ctx *ctx;
    const spt_space *space;
    int32_t d, n_parameters; /* axes behind the parameters: switches that no parameter explains */
    spt__bins *bins;         /* n_parameters */
    spt__axis_spec *specs;   /* d; weights, coordinates and needs belong to the draft */
    int64_t n;
    uint16_t *code;  /* d x n */
    int32_t *hidden; /* per axis behind the parameters: the first that it switches */
} spt__draft;

/* The needs that the space declares. */
int32_t spt__needs_declared(spt__draft *draft, spt__err *e);
/* The needs of a space without a tree, from what the trials have: a parameter that is there for
 * some values of another and for no others needs those values; what nothing explains gets a switch
 * of its own, an axis with the bins "absent" and "present". */
int32_t spt__needs_observed(spt__draft *draft, spt__err *e);
/* Let the measure of what switches parameters be that of the trials: values between which no
 * parameter comes or goes share what was seen of them as the prior says. */
int32_t spt__needs_weigh(spt__draft *draft, spt__err *e);

/* ---- the problem (problem.c) ---- */

typedef struct spt__problem_settings {
    double top_quantile; /* losses worse than this quantile are cut to it; 1: none */
    bool pruned;         /* pruned trials count with their last value */
    bool failed;         /* failed ones with the worst loss of the complete ones */
    int32_t prior;       /* 0: the space's where it declares its tree, else the trials'; 1: the
                          * space's; 2: the trials' */
} spt__problem_settings;

typedef struct spt__problem {
    spt_ctx *ctx;
    spt_space *space;
    spt__lattice lattice;
    spt__table table;
    uint16_t *code;
    double *loss;     /* n: as cut */
    double *original; /* n: as told */
    double *value;    /* parameters x n; NaN where it does not exist */
    int64_t *number;  /* n */
    spt__bins *bins;  /* per parameter */
    int32_t n_parameters;
    int32_t *hidden; /* per axis behind the parameters: the first parameter that it switches */
    double cut;      /* the loss at the quantile; NaN: none */
    bool from_trials, declared, maximize;
    int64_t best; /* row with the best loss */
} spt__problem;

/* SPT_EDATA: too few trials, all losses equal. */
int32_t spt__problem_new(spt_ctx *ctx, const spt_history *history,
                         const spt__problem_settings *settings, spt__problem *out);
void spt__problem_free(spt__problem *problem);

#endif
