/* The adaptive Parzen estimator: bandwidths from neighbours, weights from age (hyperopt 0.3). */
#include "parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SQRT_HALF = 0.70710678118654752440;
static const double LOG_SQRT_2PI = 0.91893853320467274178;

/* Mass of a normal kernel between two standardised limits, exact in both tails. */
static double normal_mass(double a, double b)
{
    if (a > 0) return 0.5 * (erfc(a * SQRT_HALF) - erfc(b * SQRT_HALF));
    return 0.5 * (erfc(-b * SQRT_HALF) - erfc(-a * SQRT_HALF));
}

/* Weight of the observation of age rank `i` (0 the oldest) of `n`. */
static double age_weight(int64_t i, int64_t n, int64_t full)
{
    int64_t old = n - full;
    if (old <= 0 || i >= old) return 1;
    double first = 1.0 / (double)n;
    return old == 1 ? first : first + (1 - first) * (double)i / (double)(old - 1);
}

typedef struct kernel {
    double mean, weight;
    int64_t age; /* -1 for the prior, which goes before observations of the same value */
} kernel;

static int by_mean(const void *pa, const void *pb)
{
    const kernel *a = pa, *b = pb;
    if (a->mean < b->mean) return -1;
    if (a->mean > b->mean) return 1;
    return (a->age > b->age) - (a->age < b->age);
}

/* The larger distance to a neighbour; the outermost have one neighbour, the interval's ends are
 * none. With a single observation its sigma is half the prior's. */
static double bandwidth(const kernel *k, int64_t n, int64_t i, double prior_sigma)
{
    if (n == 2) return prior_sigma / 2;
    double below = i > 0 ? k[i].mean - k[i - 1].mean : 0;
    double above = i < n - 1 ? k[i + 1].mean - k[i].mean : 0;
    return fmax(below, above);
}

static void set_bandwidths(spt__parzen *p, const kernel *k, double prior_sigma)
{
    double low = prior_sigma / fmin(100, 1 + (double)p->n);
    double accept = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double sigma = prior_sigma;
        if (k[i].age >= 0) sigma = fmin(fmax(bandwidth(k, p->n, i, prior_sigma), low), prior_sigma);
        p->mean[i] = k[i].mean;
        p->sigma[i] = sigma;
        p->log_scale[i] = log(p->weight[i] / sigma) - LOG_SQRT_2PI;
        accept += p->weight[i] * normal_mass((p->domain->lo - k[i].mean) / sigma,
                                             (p->domain->hi - k[i].mean) / sigma);
    }
    p->log_accept = log(accept);
}

static void set_weights(spt__parzen *p)
{
    double sum = 0, running = 0;
    for (int64_t i = 0; i < p->n; i++)
        sum += p->weight[i];
    for (int64_t i = 0; i < p->n; i++) {
        p->weight[i] /= sum;
        running += p->weight[i];
        p->cumulative[i] = running;
    }
}

static int32_t fit_numbers(spt_ctx *ctx, const double *values, int64_t n,
                           const spt__parzen_rule *rule, spt__parzen *p, spt__err *e)
{
    kernel *k = spt__alloc(ctx, (size_t)p->n, sizeof *k);
    p->mean = spt__calloc(ctx, (size_t)p->n, sizeof(double));
    p->sigma = spt__calloc(ctx, (size_t)p->n, sizeof(double));
    p->log_scale = spt__calloc(ctx, (size_t)p->n, sizeof(double));
    if (!k || !p->mean || !p->sigma || !p->log_scale) {
        spt__free(ctx, k);
        return spt__nomem(e);
    }
    const spt__domain *d = p->domain;
    for (int64_t i = 0; i < n; i++) {
        k[i].mean = spt__domain_scaled(d, values[i]);
        k[i].weight = age_weight(i, n, rule->forgetting);
        k[i].age = i;
    }
    k[n] = (kernel){.mean = (d->lo + d->hi) / 2, .weight = rule->prior_weight, .age = -1};
    qsort(k, (size_t)p->n, sizeof *k, by_mean);
    for (int64_t i = 0; i < p->n; i++)
        p->weight[i] = k[i].weight;
    set_weights(p);
    set_bandwidths(p, k, d->hi - d->lo);
    spt__free(ctx, k);
    return SPT_OK;
}

int32_t spt__parzen_fit(spt_ctx *ctx, const spt__domain *domain, const double *values, int64_t n,
                        const spt__parzen_rule *rule, spt__parzen *out, spt__err *e)
{
    bool category = domain->kind == SPT__DOMAIN_CATEGORY;
    *out = (spt__parzen){.domain = domain, .n = category ? domain->points : n + 1};
    out->weight = spt__calloc(ctx, (size_t)out->n, sizeof(double));
    out->cumulative = spt__calloc(ctx, (size_t)out->n, sizeof(double));
    int32_t status = out->weight && out->cumulative ? SPT_OK : spt__nomem(e);
    if (status == SPT_OK && category) {
        for (int64_t c = 0; c < out->n; c++)
            out->weight[c] = rule->prior_weight;
        for (int64_t i = 0; i < n; i++)
            out->weight[(int64_t)values[i]] += age_weight(i, n, rule->forgetting);
        set_weights(out);
    } else if (status == SPT_OK) {
        status = fit_numbers(ctx, values, n, rule, out, e);
    }
    if (status < 0) spt__parzen_free(ctx, out);
    return status;
}

void spt__parzen_free(spt_ctx *ctx, spt__parzen *p)
{
    spt__free(ctx, p->mean);
    spt__free(ctx, p->sigma);
    spt__free(ctx, p->weight);
    spt__free(ctx, p->cumulative);
    spt__free(ctx, p->log_scale);
    *p = (spt__parzen){0};
}

/* A component by weight: the first whose running sum exceeds a uniform draw. */
static int64_t pick(const spt__parzen *p, spt__rng *rng)
{
    double u = spt__rng_double(rng) * p->cumulative[p->n - 1];
    int64_t from = 0, to = p->n - 1;
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (p->cumulative[middle] > u)
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

double spt__parzen_draw(const spt__parzen *p, spt__rng *rng)
{
    const spt__domain *d = p->domain;
    int64_t i = pick(p, rng);
    if (d->kind == SPT__DOMAIN_CATEGORY) return (double)i;
    /* Every mean lies within [lo, hi] and no sigma exceeds its width, so at least a third of the
     * draws are accepted. The component is drawn anew with each. */
    for (;;) {
        double s = p->mean[i] + p->sigma[i] * spt__rng_normal(rng);
        if (s >= d->lo && s < d->hi) return spt__domain_value(d, s);
        i = pick(p, rng);
    }
}

static double log_density(const spt__parzen *p, double s)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double z = (s - p->mean[i]) / p->sigma[i];
        double term = p->log_scale[i] - 0.5 * z * z;
        if (term > top) {
            sum = sum * exp(top - term) + 1;
            top = term;
        } else {
            sum += exp(term - top);
        }
    }
    return top + log(sum);
}

double spt__parzen_log(const spt__parzen *p, double value)
{
    const spt__domain *d = p->domain;
    if (d->kind == SPT__DOMAIN_CATEGORY) return log(p->weight[(int64_t)value]);
    if (d->kind == SPT__DOMAIN_CONTINUOUS) {
        double density = log_density(p, spt__domain_scaled(d, value));
        return d->parameter->log ? density : density - p->log_accept;
    }
    double from, to, mass = 0;
    spt__domain_cell(d, value, &from, &to);
    for (int64_t i = 0; i < p->n; i++)
        mass += p->weight[i] *
                normal_mass((from - p->mean[i]) / p->sigma[i], (to - p->mean[i]) / p->sigma[i]);
    return log(mass) - p->log_accept;
}
