/* A forest that stands for a loss as a function of the parameters: every tree is a smooth function
 * of each parameter for itself plus a regression tree on what those leave, grown on a part of the
 * trials. What it is and why: doc/explain.md. */
#ifndef SPT_LIB_EXPLAIN_FOREST_H
#define SPT_LIB_EXPLAIN_FOREST_H

#include "lattice.h"

#include "../base/rng.h"

/* The trials in the coordinates of a lattice. */
typedef struct spt__table {
    const spt__lattice *lattice;
    int64_t n;
    const uint16_t *code; /* d x n: bins, one row per axis; SPT__NO_BIN where it does not exist */
    const double *y;      /* n */
    const uint8_t *group; /* n x d: bins in a few groups, for looking ahead; of the forest */
} spt__table;

typedef struct spt__forest_settings {
    uint64_t seed;
    int64_t trees;
    int32_t max_depth;
    int64_t min_leaf; /* rows; 0: spt__forest_grow() chooses */
    double features;  /* share of the parameters tried at a split */
} spt__forest_settings;

/* ---- smooth functions of one parameter each (smooth.c) ---- */

/* How one axis is smoothed: by the squares of first or second differences of neighbouring bins
 * (order 1, 2; Whittaker), of an axis without order by the squares of its values (order 1). */
typedef struct spt__smooth {
    int32_t order;  /* 0: the axis has no function */
    double penalty; /* times the number of rows that have the parameter */
} spt__smooth;

/* Choose how much every axis is smoothed by generalised cross-validation on all rows (d). */
int32_t spt__smooth_choose(const spt__table *table, spt__smooth *smooth, spt__err *e);
/* Fit the functions to `residual` (n, of rows[]) by backfitting and take them off it. main: over
 * all bins, every function with mean 0 under the measure. The constant comes as `level`. */
int32_t spt__smooth_fit(const spt__table *table, const int32_t *rows, int32_t n,
                        const spt__smooth *smooth, double *residual, double *main, double *level,
                        spt__err *e);

/* ---- trees (tree.c, split.c) ---- */

typedef struct spt__slope {
    int32_t axis;
    double slope;
} spt__slope;

/* A node adds `step` + slope (z - pivot) to what its parent says, z the coordinate of one axis,
 * shrunk by 1 / (1 + shrink / rows of the parent). A leaf's total is value + sum of slopes. */
typedef struct spt__node {
    int32_t axis;        /* -1: a leaf */
    int32_t left, right; /* indices of nodes */
    int32_t cut;         /* ordered: the last bin that goes left */
    int32_t set;         /* without order: first word of the left side's bins in `sets` */
    int32_t rows;        /* it was grown on */
    int32_t slope_axis;  /* -1: none */
    double step, slope, pivot;
    double value; /* of a leaf, once shrunk: see spt__tree_shrink() */
    int32_t first_slope, n_slopes;
} spt__node;

typedef struct spt__tree {
    const spt__lattice *lattice;
    double *main; /* the smooth functions over all bins; mean 0 under the measure on every axis */
    spt__node *nodes;
    int32_t n_nodes, capacity;
    uint64_t *sets;
    int32_t n_words, capacity_words;
    spt__slope *slopes;
    int32_t n_slopes, capacity_slopes;
} spt__tree;

/* Grow a tree on `rows`, a sample without repetition, which is put into another order. Any thread.
 */
int32_t spt__tree_grow(const spt__table *table, const spt__smooth *smooth,
                       const spt__forest_settings *settings, spt__rng *rng, int32_t *rows,
                       int32_t n, spt__tree *tree, spt__err *e);
void spt__tree_free(spt__tree *tree);
/* Fill the leaves' values and slopes. */
int32_t spt__tree_shrink(spt__tree *tree, double shrink, spt__err *e);
/* Predictions at n values of `shrink` for row i of a table of codes (stride between axes). */
void spt__tree_trial(const spt__tree *tree, const uint16_t *code, int64_t stride,
                     const double *shrink, int32_t n, double *out);
/* Value for d bins; after spt__tree_shrink(). */
double spt__tree_predict(const spt__tree *tree, const uint16_t *code, int64_t stride);
/* The sum of the smooth functions. */
double spt__tree_smooth(const spt__tree *tree, const uint16_t *code, int64_t stride);
static inline bool spt__tree_left(const spt__tree *tree, const spt__node *node, int32_t bin)
{
    return tree->lattice->axes[node->axis].categorical ? spt__set_has(tree->sets + node->set, bin)
                                                       : bin <= node->cut;
}
/* The part of a node's axis that goes left (or right), cut out of `from`. `words` as in
 * spt__part_meet(). */
spt__part spt__tree_side(const spt__tree *tree, const spt__node *node, bool left, spt__part from,
                         uint64_t *words);

/* ---- the forest (forest.c) ---- */

typedef struct spt__forest {
    spt_ctx *ctx;
    spt__tree *trees;
    int64_t n;
    double shrink;     /* chosen by the rows that trees did not see */
    double out_of_bag; /* R2 of the mean of those trees that did not see a row; NaN if none */
} spt__forest;

/* How many of n rows a tree is grown on: four of five. */
int32_t spt__forest_sample(int64_t n);

/* SPT_STOP_HOST on a stop request: the forest is then empty. */
int32_t spt__forest_grow(spt_ctx *ctx, const spt__table *table,
                         const spt__forest_settings *settings, spt__forest *forest);
void spt__forest_free(spt__forest *forest);

#endif
