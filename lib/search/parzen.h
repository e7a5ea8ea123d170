/* Densities of one parameter, estimated from the values that trials had: the adaptive Parzen
 * estimator of Bergstra et al. 2011 in the form that hyperopt gave it. Knows nothing of trials and
 * of other parameters. */
#ifndef SPT_LIB_SEARCH_PARZEN_H
#define SPT_LIB_SEARCH_PARZEN_H

#include "../base/rng.h"
#include "../space/space.h"

typedef enum {
    SPT__DOMAIN_CONTINUOUS = 1,
    SPT__DOMAIN_GRID = 2,    /* numbers with a step, and ordinals by rank */
    SPT__DOMAIN_CATEGORY = 3 /* 0 .. points - 1, no order */
} spt__domain_kind;

/* One parameter as samplers see it. Estimates are made on its scale: the value, or its natural
 * logarithm. On that scale a grid point is a cell that reaches half way (in value) to its
 * neighbours; [lo, hi] is what all cells cover together, so masses of the cells add up to 1. The
 * outer cells are as wide as a further neighbour would make them; the lowest one of a logarithmic
 * grid is the mirror image of its upper half, because half a step down may lie below zero. */
typedef struct spt__domain {
    const spt__parameter *parameter;
    spt__domain_kind kind;
    int64_t points; /* 0 if continuous */
    double lo, hi;  /* on the scale; 0 and 0 for categories */
} spt__domain;

/* The parameter must outlive the domain. */
void spt__domain_init(spt__domain *d, const spt__parameter *parameter);
/* A parameter with one possible value needs no draw. */
bool spt__domain_single(const spt__domain *d);
/* The value at position `s` of the scale (outside [lo, hi]: the nearest end), and back. */
double spt__domain_value(const spt__domain *d, double s);
double spt__domain_scaled(const spt__domain *d, double value);
/* The cell of a grid value on the scale. */
void spt__domain_cell(const spt__domain *d, double value, double *from, double *to);
/* Uniform on the scale (on categories: over the categories). */
double spt__domain_draw(const spt__domain *d, spt__rng *rng);

/* A mixture of normal kernels on [lo, hi], or a weight per category. */
typedef struct spt__parzen {
    const spt__domain *domain;
    int64_t n;                   /* kernels (observations and the prior), or categories */
    double *mean, *sigma;        /* ascending means; NULL for categories */
    double *weight, *cumulative; /* weights add up to 1 */
    double *log_scale;           /* log(weight / (sigma sqrt(2 pi))) */
    double log_accept;           /* log of the mixture's mass within [lo, hi] */
} spt__parzen;

typedef struct spt__parzen_rule {
    double prior_weight;
    int64_t forgetting; /* so many newest observations count fully, older ones less and less */
} spt__parzen_rule;

/* Fit to `n` values, oldest first. The domain must outlive the mixture. */
int32_t spt__parzen_fit(spt_ctx *ctx, const spt__domain *domain, const double *values, int64_t n,
                        const spt__parzen_rule *rule, spt__parzen *out, spt__err *e);
void spt__parzen_free(spt_ctx *ctx, spt__parzen *p);
/* A value of the domain. */
double spt__parzen_draw(const spt__parzen *p, spt__rng *rng);
/* Log of the mass of a grid value or category; of the density at a continuous value, on the scale.
 * As in hyperopt, the density of a continuous logarithmic parameter is not divided by its mass
 * within [lo, hi]: a constant, which no choice between candidates can see. */
double spt__parzen_log(const spt__parzen *p, double value);

#endif
