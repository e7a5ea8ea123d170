/* One parameter at one point, as every kernel of a side is compared with it; sums over kernels. For
 * the two files that look at densities. */
#ifndef SPT_LIB_SEARCH_LOOK_H
#define SPT_LIB_SEARCH_LOOK_H

#include "density.h"

static inline bool by_density(const spt__side *s, const spt__domain *d)
{
    return d->kind == SPT__DOMAIN_CONTINUOUS || (s->rule->log_density && d->parameter->log);
}

/* What belongs to one parameter at one point. */
typedef struct look {
    const spt__domain *domain;
    const double *mean, *sigma, *peak; /* of row i at i * stride */
    int64_t stride;
    double at;        /* position */
    double from, to;  /* its cell; densities: both the position */
    double hit, miss; /* categories: probability of the observed one, and of another */
    bool density;
    int32_t place; /* on a short grid, or -1 */
} look;

/* One parameter of a walk, and what a sum of logarithms must have reached behind it. */
typedef struct spt__stage {
    look at;
    double hit, miss; /* logarithms */
    double bar;
} spt__stage;

static inline look look_at(const spt__side *s, int32_t d, const spt__block_rows *of)
{
    const spt__domain *domain = &s->record->domains[d];
    look k = {.domain = domain, .density = by_density(s, domain), .stride = 1};
    if (s->kernels) {
        k.mean = s->kernels + 3 * (int64_t)d;
        k.sigma = k.mean + 1;
        k.peak = k.mean + 2;
        k.stride = 3 * (int64_t)s->record->p;
    } else {
        k.mean = s->record->position + d * s->record->capacity;
        k.sigma = s->sigma + d * s->capacity;
        k.peak = s->peak + d * s->capacity;
    }
    if (domain->kind == SPT__DOMAIN_CATEGORY) {
        const double extra = s->rule->counts ? 0 : s->rule->prior_weight / ((double)of->n + 1);
        const double sum = 1 + (double)domain->points * extra;
        k.hit = (1 + extra) / sum;
        k.miss = extra / sum;
    }
    return k;
}

static inline look look_there(const spt__side *s, int32_t d, const spt__block_rows *of,
                              const spt__point *at)
{
    look k = look_at(s, d, of);
    k.at = at->position[d];
    k.place = at->place[d];
    k.from = k.to = k.at;
    if (k.domain->kind != SPT__DOMAIN_GRID || k.density) return k;
    if (k.place >= 0) {
        k.from = s->cells[d][k.place];
        k.to = s->cells[d][k.place + 1];
    } else {
        spt__domain_cell(k.domain, at->value[d], &k.from, &k.to);
    }
    return k;
}

static inline double kernel(const look *k, double mean, double sigma, double peak)
{
    if (k->density) {
        const double z = (k->at - mean) / sigma;
        return exp(peak - 0.5 * z * z);
    }
    return exp(peak) * spt__normal_mass((k->from - mean) / sigma, (k->to - mean) / sigma);
}

static inline double row_kernel(const look *k, int32_t row)
{
    const int64_t i = row * k->stride;
    if (k->domain->kind == SPT__DOMAIN_CATEGORY) return k->mean[i] == k->at ? k->hit : k->miss;
    return kernel(k, k->mean[i], k->sigma[i], k->peak[i]);
}

/* Log of the prior's kernel: as wide as the interval, in its middle. */
static inline double prior_log(const spt__side *s, int32_t d, const look *k)
{
    static const double log_sqrt_2pi = 0.91893853320467274178;
    static const double log_prior_inside = -0.9599163336956223; /* log(Phi(1/2) - Phi(-1/2)) */
    const spt__domain *domain = k->domain;
    if (domain->kind == SPT__DOMAIN_CATEGORY) return -log((double)domain->points);
    const double sigma = domain->hi - domain->lo, middle = (domain->lo + domain->hi) / 2;
    const double inside = s->rule->shared ? 0 : log_prior_inside;
    if (k->density) {
        const double z = (k->at - middle) / sigma;
        return -0.5 * z * z - log(sigma) - log_sqrt_2pi - inside;
    }
    if (k->place >= 0) return s->cells[d][domain->points + 1 + k->place] - inside;
    return log(spt__normal_mass((k->from - middle) / sigma, (k->to - middle) / sigma)) - inside;
}

/* ---- sums -------------------------------------------------------------------------------- */

/* log sum_i w_i exp(a_i) over n kernels and the prior. */
static inline double log_sum(const double *weight, const double *a, int64_t n, double prior_weight,
                             double prior)
{
    double top = prior;
    for (int64_t i = 0; i < n; i++)
        if (a[i] > top) top = a[i];
    double sum = prior_weight * exp(prior - top);
    for (int64_t i = 0; i < n; i++)
        sum += weight[i] * exp(a[i] - top);
    return top + log(sum);
}

static inline double *context_of(const spt__side *s, int32_t b)
{
    return s->context + b * (s->capacity + 1);
}

/* log K_i(context) of a row (or, at s->capacity, of the prior). */
static inline double context_log(const spt__side *s, const spt__block *block, int64_t row)
{
    double sum = 0;
    for (int32_t c = 0; c < block->n_context; c++)
        sum += context_of(s, block->context[c])[row];
    return sum;
}

/* The bad side's own way to look at a block (near.c). */
double spt__near_log(spt__side *s, int32_t b, const spt__point *at);

#endif
