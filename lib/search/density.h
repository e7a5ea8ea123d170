/* The two densities of TPE: mixtures with a kernel per trial over the parameters of a declared
 * tree.
 *
 * Parameters form blocks, which exist or not as a whole. The density of a configuration is a
 * product over the blocks that exist in it. A block's factor comes from the trials of one side that
 * have the block, and from the prior kernel; structure "tree" gives it a context, the blocks above
 * it:
 *
 *     p(block | context) = sum_i w_i K_i(context) K_i(block) / sum_i w_i K_i(context)
 *
 * with K_i the product of trial i's kernels, one per parameter. Without a context the lower sum is
 * that of the weights. Each factor sums (or integrates, on the parameters' scales) to 1 over its
 * block, so the whole does over the space. With crossover r a kernel k_i,d in these products stands
 * for (1 - r) k_i,d + r L_d, where L_d is the mixture of the one parameter: a draw takes each
 * coordinate from another trial with probability r. r = 0 is a joint mixture, r = 1 a product of
 * univariate ones. */
#ifndef SPT_LIB_SEARCH_DENSITY_H
#define SPT_LIB_SEARCH_DENSITY_H

#include "record.h"
#include "rule.h"

typedef struct spt__block {
    int32_t n, *members;         /* parameters, ascending; none of them has a single value */
    int32_t n_context, *context; /* blocks, ascending, each lower than this one */
    bool above;                  /* in the context of another block */
} spt__block;

typedef struct spt__blocks {
    spt_ctx *ctx;
    int32_t n;
    spt__block *items;
    int32_t *store; /* members and contexts */
} spt__blocks;

/* structure: of the rule; COMMON: `common` says which parameters are modelled together. */
int32_t spt__blocks_init(spt__blocks *b, spt_ctx *ctx, const spt_space *space,
                         const spt__domain *domains, int structure, const bool *common,
                         spt__err *e);
void spt__blocks_free(spt__blocks *b);

/* One configuration: values, positions on the scales (categories as they are), places on short
 * grids. */
typedef struct spt__point {
    double *value, *position;
    int32_t *place; /* index on the grid; -1: no grid, or a long one */
} spt__point;

/* Give parameter d a value. */
void spt__point_set(spt__point *at, const spt__domain *domain, int32_t d, double value);

typedef struct spt__block_rows {
    int64_t n;
    int32_t *rows;   /* ascending */
    double *weight;  /* n; then the prior's */
    double total;    /* of all weights */
    double log_norm; /* shared kernels: log of the mixture's mass within the bounds */
    double most;     /* the largest weight */
    double odds;     /* log of it over the prior's, at least 0 */
} spt__block_rows;

/* Kernels at the points of a short grid, kept from candidate to candidate and from ask to ask as
 * long as means and sigmas stay the same. */
typedef struct spt__kept {
    int64_t rows;
    int64_t size;
    double *table; /* means, sigmas, then per point a kernel for each row; NaN: not yet needed */
} spt__kept;

enum {
    SPT__LANES = 16,   /* points that are looked at together */
    SPT__SIEVED = 4096 /* so many trials are worth a first look */
};

/* See sieve.c; `bin` NULL: there is none. */
typedef struct spt__sieve {
    uint8_t *bin;    /* p columns of the side's capacity: the record's, or SPT__WIDE where the
                      * bandwidth is not the least one */
    double *peaks;   /* p columns of SPT__SIEVE_BINS: the highest peak of such kernels in a bin */
    uint64_t *table; /* per parameter and bin: the loss at each point */
    uint64_t *loss;  /* per row of the block, at each point */
    int16_t *least;  /* per group of rows */
    double top[SPT__LANES];    /* what the losses are measured from */
    int32_t block;             /* whose trials these are, -1: none were looked at */
    struct spt__stage *stages; /* p: see near.c */
} spt__sieve;

typedef struct spt__side {
    const spt__record *record;
    const spt__tpe_rule *rule;
    const spt__blocks *blocks;
    bool good;
    double width, crossover;
    int weights;
    int64_t capacity;
    /* p columns of capacity, by row; sigma NaN where it is not known. peak: log of what a kernel is
     * multiplied with: 1 / (mass within bounds), and for densities 1 / (sigma sqrt(2 pi)). */
    double *sigma, *peak;
    /* In their place where there is a sieve, as few rows are looked at behind it, but those at all
     * parameters: by row, per parameter mean, sigma, peak. */
    double *kernels;
    int64_t *count; /* p: rows that bandwidths were worked out for */
    double *least;  /* p: no bandwidth is less */
    double *flat;   /* p: log of the highest density of a kernel of that bandwidth */
    /* p: log of what truncation can add to it: half of the mass is lost at an end, or a little more
     * where bandwidths are as wide as the interval */
    double *most_inside;
    /* Of short grids, per parameter: ends of the cells (points + 1), log of the prior's masses. */
    double **cells;
    uint8_t *code;  /* capacity: whose row it was when sigmas were worked out */
    int64_t n_code; /* rows that this is known of; -1: none */
    int32_t *stale; /* parameter and row, of those that have lost a neighbour since */
    int64_t n_stale;
    spt__block_rows *of; /* per block */
    int64_t n_pool;
    int32_t *row_pool;
    double *weight_pool;
    /* Of the configuration that is looked at: log K_i of every block that is above another, per
     * block a column of capacity + 1, the prior's at the end. */
    double *context;
    int64_t context_columns;
    /* Bad side, in columns like these: rows that still matter in a block; places in of[b].rows, or
     * -1. */
    int32_t *alive, *slot;
    int64_t *n_alive;  /* per block */
    double *prior;     /* p: log of the prior's kernels there */
    double *reference; /* p: log of the kernels that others are measured by */
    double *gain;      /* p: how much more than these another kernel's can be, at most */
    double handicap;   /* log of how much less the reference's weight may be */
    double **masses;   /* per parameter: see near.c */
    double *rest;      /* per block: the gains of later blocks */
    double *work;      /* 4 (capacity + 1) */
    int32_t *active;   /* capacity */
    spt__kept *kept;   /* p; good side only */
    spt__sieve sieve;
    int32_t lane; /* which of the points that it saw is looked at */
} spt__side;

int32_t spt__side_init(spt__side *s, const spt__record *record, const spt__tpe_rule *rule,
                       bool good, spt__err *e);
void spt__side_free(spt__side *s);

/* The record is about to replace its rows from `kept` on: note who loses a neighbour. Then, when it
 * has: forget what was known of these rows. */
void spt__side_leave(spt__side *s);
void spt__side_forget(spt__side *s);
/* Fit to the rows of `ranked` (best first; bad side: in any order, ranks do not count). code[row]
 * is `mine` for these rows. losses: per row, for EI weights; threshold: the best loss of the bad
 * side. */
typedef struct spt__side_rows {
    const uint8_t *code;
    uint8_t mine;
    const int32_t *ranked;
    int64_t n;
    const double *loss;
    double threshold;
} spt__side_rows;
int32_t spt__side_fit(spt__side *s, const spt__blocks *blocks, const spt__side_rows *rows,
                      spt__err *e);

/* Log of what the exponential of a kernel of parameter d is multiplied with. */
double spt__peak(const spt__side *s, int32_t d, double mean, double sigma);

/* Points that are known already, rather than being drawn: the bad side needs that. First all of
 * them together, up to SPT__LANES, then each by itself. */
void spt__side_sieve(spt__side *s, const spt__point *points, int32_t n);
void spt__side_begin(spt__side *s, const spt__point *at, int32_t lane);
/* Log of the factor of block b at a point; the blocks of its context have been asked for before, at
 * the same point. Members that do not exist there (structure "common") are left out. */
double spt__side_log(spt__side *s, int32_t b, const spt__point *at);
/* Draw the members of block b; the same rule for its context. rng: one per parameter and block. */
void spt__side_draw(spt__side *s, int32_t b, spt__point *at, spt__rng *rngs);

#endif
