/* One parameter as samplers see it: the scale on which its values are drawn and compared, and
 * normal kernels on that scale. Knows nothing of trials and of other parameters. */
#ifndef SPT_LIB_SEARCH_DOMAIN_H
#define SPT_LIB_SEARCH_DOMAIN_H

#include "../base/rng.h"
#include "../space/space.h"

typedef enum {
    SPT__DOMAIN_CONTINUOUS = 1,
    SPT__DOMAIN_GRID = 2,    /* numbers with a step, and ordinals by rank */
    SPT__DOMAIN_CATEGORY = 3 /* 0 .. points - 1, no order */
} spt__domain_kind;

/* The scale is the value, or its natural logarithm. On it a grid point is a cell that reaches half
 * way (in value) to its neighbours; [lo, hi] is what all cells cover together, so masses of the
 * cells add up to 1. The outer cells are as wide as a further neighbour would make them, but the
 * lowest cell of a logarithmic grid whose lower end would lie below half of its value (or below
 * zero) is the mirror image of its upper half. */
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
/* The value at a share u in [0, 1) of the parameter's range: equal shares have equal probability.
 */
double spt__domain_share(const spt__domain *d, double u);
/* Uniform on the scale (on categories: over the categories). */
double spt__domain_draw(const spt__domain *d, spt__rng *rng);

/* Mass of the standard normal distribution between a and b, exact in both tails. */
double spt__normal_mass(double a, double b);

#endif
