/* A tree at work: what split.c finds and tree.c does. */
#ifndef SPT_LIB_EXPLAIN_GROW_H
#define SPT_LIB_EXPLAIN_GROW_H

#include "forest.h"

enum {
    SPT__SLOPE_ROWS = 5,  /* a slope needs so many rows */
    SPT__GROUPS = 6,      /* of bins, where pairs of axes are looked at */
    SPT__LOOK_DEPTH = 4,  /* down to here */
    SPT__LOOK_LEAST = 64, /* and in nodes with so many rows, */
    SPT__LOOK_MOST = 512, /* of which so many are enough, */
    SPT__LOOK_AXES = 32   /* and so many axes, drawn anew for every node */
};

typedef enum { SPT__NEVER, SPT__MAYBE, SPT__SURELY } spt__presence;

typedef struct spt__split {
    int32_t axis;          /* -1: none */
    bool linear;           /* both sides get a slope along the axis, too */
    int32_t after, before; /* ordered: the cut is drawn from the bins after .. before - 1 */
    double gain;           /* how much the sum of squares falls */
    double df;             /* means, slopes and thresholds that are spent */
    /* Without order: the bins that go left, and those of which anything is known. */
    uint64_t left[SPT__SET_WORDS], known[SPT__SET_WORDS];
} spt__split;

/* Some rows of a node. */
typedef struct spt__rows {
    int32_t first, n; /* of the grower's rows */
    double total;     /* of their residuals */
    double squares;   /* about the mean */
} spt__rows;

typedef struct spt__bin_sum {
    double sum;
    int32_t n;
} spt__bin_sum;

typedef struct spt__grower {
    const spt__table *table;
    const spt__lattice *lattice;
    const spt__forest_settings *settings;
    spt__rng *rng;
    spt__tree *tree;
    int32_t *rows;    /* the sample, put in order by nodes */
    double *residual; /* of rows[] */
    double *inverse;  /* 1 / i, up to the number of rows */
    /* The box of the node at work, and for every activity whether it holds there. */
    spt__part *box;
    uint64_t *box_words;
    uint8_t *presence;
    /* Scratch of the search: bins of one axis (the filled ones, in order), axes. */
    spt__bin_sum *bins; /* of all bins, 0 between searches */
    int32_t *bin, *filled_count;
    double *filled_sum;
    int32_t *order;
    /* Where pairs are looked at: per row of the table the groups of its bins on all axes. */
    const uint8_t *group;
    void *tables;  /* scratch of lookahead.c: LOOK_AXES tables */
    double *cells; /* 6 per bin */
} spt__grower;

/* The split of some rows that leaves the least by Schwarz's criterion; axis -1: there is none. */
void spt__split_find(spt__grower *g, const spt__rows *rows, int32_t depth, spt__split *best);

/* The best split along an axis by squares alone replaces `constant` and `linear` where it gains
 * more. `active`: the rows among `rows` that have the parameter, as many as `rows` unless its
 * activity is not sure. */
void spt__split_axis(spt__grower *g, int32_t axis, const spt__rows *rows, const spt__rows *active,
                     spt__split *constant, spt__split *linear);

/* The index of the lowest bit that is set. */
static inline int32_t spt__lowest_bit(uint64_t x)
{
#if defined(__GNUC__)
    return __builtin_ctzll(x);
#else
    int32_t i = 0;
    while ((x >> i & 1) == 0)
        i++;
    return i;
#endif
}

/* Schwarz's criterion of what is left after a gain; lower is better. */
double spt__split_score(const spt__rows *rows, double gain, double df);

/* Look two splits ahead, for what one alone does not show (lookahead.c): replace `best`, with its
 * score, if that leaves less. */
void spt__look_at_pairs(spt__grower *g, const spt__rows *rows, spt__split *best, double *score);
void spt__look_at_absent(spt__grower *g, const spt__rows *rows, spt__split *best, double *score);

#endif
