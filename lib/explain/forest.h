/* A regression tree over a box of parameters, and its exact analysis of variance. Plain arrays in,
 * plain numbers out: no study is needed. */
#ifndef SPT_LIB_EXPLAIN_FOREST_H
#define SPT_LIB_EXPLAIN_FOREST_H

#include "../base/ctx.h"
#include "../base/rng.h"

/* One parameter. Its values are coordinates: of a continuous one the position on its scale
 * (logarithmic or not), 0 to 1; else the index of the value, 0 to count - 1. */
typedef struct spt__axis {
    int64_t count;    /* values, 0 = continuous */
    bool categorical; /* without order: splits take sets of values */
    /* The measure of the values 0 .. k - 1 of an ordered discrete parameter is (m(k) - m(0)) /
     * (m(count) - m(0)) with m(k) = log(low + (k - 1/2) step) on a logarithmic scale, else k. */
    bool log;
    double low, step;
} spt__axis;

/* Share of the parameter's measure that lies below the value with index k (0 to count). */
double spt__axis_below(const spt__axis *axis, int64_t k);

typedef struct spt__forest_data {
    int32_t d;
    const spt__axis *axes; /* d */
    int64_t n;
    const double *x; /* d x n: coordinates, one row per parameter */
    const double *y; /* n */
} spt__forest_data;

typedef struct spt__forest_settings {
    uint64_t seed;
    int32_t max_depth;
    int64_t min_leaf;
    double features; /* share of the parameters tried at a split */
} spt__forest_settings;

typedef struct spt__node {
    int32_t axis;        /* -1: a leaf */
    int32_t left, right; /* indices of nodes */
    int32_t set;         /* categorical: first word of the left side's values in `sets` */
    double cut;          /* ordered: left if the coordinate is at most this */
    double value;        /* of a leaf */
} spt__node;

typedef struct spt__tree {
    spt_ctx *ctx;
    const spt__forest_data *data;
    spt__node *nodes;
    int32_t n_nodes, capacity;
    uint64_t *sets;
    int32_t n_words, capacity_words;
} spt__tree;

/* Grow a tree on a bootstrap sample. `out_of_bag` (n, may be NULL) is set to the tree's prediction
 * for the rows outside the sample and to NaN for the others. Any thread. */
int32_t spt__tree_grow(spt_ctx *ctx, const spt__forest_data *data, const spt__forest_settings *s,
                       int64_t number, spt__tree *tree, double *out_of_bag, spt__err *e);
void spt__tree_free(spt__tree *tree);
/* Value for d coordinates. */
double spt__tree_predict(const spt__tree *tree, const double *x);

/* Exact analysis of variance over the whole box: the tree's variance, and of it the variance of
 * each parameter's main effect (d). Any thread. */
int32_t spt__tree_variance(const spt__tree *tree, double *total, double *main, spt__err *e);

#endif
