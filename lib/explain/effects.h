/* The exact analysis of variance of a tree: doc/explain.md has the definitions.
 *
 * A tree is read leaf by leaf; a leaf is a box, a value and slopes along some axes, and so are all
 * integrals sums over leaves. An effect of a set of axes is what they do together beyond what their
 * subsets do, where all of them exist; these effects are orthogonal under the measure and sum to
 * the tree, so their variances sum to its variance. */
#ifndef SPT_LIB_EXPLAIN_EFFECTS_H
#define SPT_LIB_EXPLAIN_EFFECTS_H

#include "forest.h"

enum { SPT__SUBSET_MOST = 3 };

/* What a leaf says of one axis: a part of it, or a slope, or both. */
typedef struct spt__edge {
    int32_t axis;
    spt__part part;
    double w;    /* measure of the part */
    double mean; /* of the coordinate within the part, and its variance */
    double variance;
    double slope;
} spt__edge;

/* Measure the part of an edge. */
void spt__edge_measure(const spt__lattice *lattice, spt__edge *edge);

typedef struct spt__leaf {
    double w;         /* measure of the box */
    double value;     /* mean of the tree in it, the smooth functions aside */
    int32_t first, n; /* edges; other axes are whole and flat */
} spt__leaf;

/* A tree without its smooth functions. */
typedef struct spt__leaves {
    const spt__tree *tree;
    spt__leaf *leaf;
    int32_t n, capacity;
    spt__edge *edge;
    int32_t n_edges, capacity_edges;
    uint64_t *words; /* what the sets of parts point into */
} spt__leaves;

int32_t spt__leaves_new(const spt__tree *tree, spt__leaves *out, spt__err *e);
void spt__leaves_free(spt__leaves *leaves);

/* Mean and variance of the tree where an activity holds (one per activity of the lattice; the first
 * is the whole). NaN where it never holds. */
int32_t spt__effects_moments(const spt__leaves *leaves, double *mean, double *variance,
                             spt__err *e);

/* Main effects: variance contributed by each axis (d). `curve` (over all bins, may be NULL): the
 * effect itself, mean 0, where the axis exists. */
int32_t spt__effects_main(const spt__leaves *leaves, double *variance, double *curve, spt__err *e);

/* Total effects (d): the mean variance when an axis alone is drawn anew, what it switches coming
 * and going. `curve`: of spt__effects_main(). */
int32_t spt__effects_total(const spt__tree *tree, const double *curve, double *variance,
                           spt__err *e);

/* Interactions of two axes that are not 0, in order of (first, second). */
typedef struct spt__pair_effect {
    int32_t first, second;
    double variance;
} spt__pair_effect;
int32_t spt__effects_pairs(const spt__leaves *leaves, spt__pair_effect **out, int64_t *n,
                           spt__err *e);

/* The effect of 2 or 3 different axes together. */
int32_t spt__effects_subset(const spt__leaves *leaves, const int32_t *axes, int32_t n,
                            double *variance, spt__err *e);

/* The tree's mean at the bins of two axes where both exist: bins of the first x bins of the second;
 * NaN where they do not. */
int32_t spt__effects_surface(const spt__leaves *leaves, int32_t first, int32_t second, double *out,
                             spt__err *e);

#endif
