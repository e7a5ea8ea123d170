/* The scale on which the values of one parameter are drawn and compared. */
#include "domain.h"

static double from_scale(const spt__domain *d, double s)
{
    return d->parameter->log ? exp(s) : s;
}

void spt__domain_init(spt__domain *d, const spt__parameter *parameter)
{
    const spt__parameter *p = parameter;
    *d = (spt__domain){.parameter = p, .points = spt__space_grid_count(p)};
    if (p->type == SPT_PARAMETER_CATEGORICAL || p->type == SPT_PARAMETER_BOOL) {
        d->kind = SPT__DOMAIN_CATEGORY;
        return;
    }
    d->kind = d->points == 0 ? SPT__DOMAIN_CONTINUOUS : SPT__DOMAIN_GRID;
    d->lo = spt__space_edge(p, 0);
    d->hi = spt__space_edge(p, d->points > 0 ? d->points : 1);
}

bool spt__domain_single(const spt__domain *d)
{
    return d->points == 0 ? !(d->parameter->low < d->parameter->high) : d->points == 1;
}

double spt__domain_value(const spt__domain *d, double s)
{
    return spt__space_snap(d->parameter, from_scale(d, s));
}

double spt__domain_scaled(const spt__domain *d, double value)
{
    return spt__space_scale(d->parameter, value);
}

void spt__domain_cell(const spt__domain *d, double value, double *from, double *to)
{
    const int64_t k = spt__space_grid_index(d->parameter, value);
    *from = spt__space_edge(d->parameter, k);
    *to = spt__space_edge(d->parameter, k + 1);
}

double spt__domain_share(const spt__domain *d, double u)
{
    const spt__parameter *p = d->parameter;
    if (spt__domain_single(d)) return p->low;
    if (d->points > 0 && !p->log) {
        int64_t k = (int64_t)(u * (double)d->points);
        return spt__space_grid_value(p, k < d->points ? k : d->points - 1);
    }
    return spt__domain_value(d, d->lo + u * (d->hi - d->lo));
}

double spt__domain_draw(const spt__domain *d, spt__rng *rng)
{
    const spt__parameter *p = d->parameter;
    if (d->points > 1 && !p->log)
        return spt__space_grid_value(p, (int64_t)spt__rng_below(rng, (uint64_t)d->points));
    return spt__domain_share(d, spt__rng_double(rng));
}

double spt__normal_mass(double a, double b)
{
    static const double sqrt_half = 0.70710678118654752440;
    if (a > 0) return 0.5 * (erfc(a * sqrt_half) - erfc(b * sqrt_half));
    return 0.5 * (erfc(-b * sqrt_half) - erfc(-a * sqrt_half));
}
