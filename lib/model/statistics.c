/* How predictions agree with references: the statistics of ISO 12099 and their kin. */
#include "statistics.h"

#include "../base/ctx.h"

#include <math.h>
#include <string.h>

/* Gamma(a + 1/2) / Gamma(a): the asymptotic series where a is large, the recurrence down to it. No
 * lgamma(): it writes a global. */
static double gamma_ratio(double a)
{
    double factor = 1;
    while (a < 40) {
        factor *= a / (a + 0.5);
        a += 1;
    }
    double u = 1 / a;
    double series =
        1 + u * (-1.0 / 8 +
                 u * (1.0 / 128 +
                      u * (5.0 / 1024 +
                           u * (-21.0 / 32768 + u * (-399.0 / 262144 + u * (869.0 / 4194304))))));
    return factor * sqrt(a) * series;
}

/* Continued fraction of the incomplete beta function I_x(a, b), evaluated by Lentz's method; it
 * converges fast for x below (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m <= 2000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int i = 0; i < 2; i++) {
            double term = i == 0 ? even : odd;
            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            if (fabs(c) < tiny) c = tiny;
            value *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return value;
}

/* P(T > t) of Student's t, for t of 1.9 or more: half of I_x(df/2, 1/2) with x = df / (df + t^2),
 * which is on the good side of the fraction for every such t. */
static double upper_tail(double t, double df)
{
    const double root_pi = 1.7724538509055160273;
    double a = df / 2, x = df / (df + t * t);
    double front = exp(-a * log1p(t * t / df)) * sqrt(1 - x) * gamma_ratio(a) / (a * root_pi);
    return front * beta_fraction(a, 0.5, x) / 2;
}

static double density(double t, double df)
{
    const double root_pi = 1.7724538509055160273;
    return gamma_ratio(df / 2) / (root_pi * sqrt(df)) * exp(-(df + 1) / 2 * log1p(t * t / df));
}

double spt__t975(double df)
{
    const double z = 1.95996398454005423552; /* of the normal distribution */
    if (!(df >= 1)) return NAN;
    if (df > 2000) { /* Fisher & Cornish 1960; the next term is below 1e-12 */
        double z2 = z * z, v = 1 / df;
        return z + v * (z * (z2 + 1) / 4 +
                        v * (z * (5 * z2 * z2 + 16 * z2 + 3) / 96 +
                             v * (z * (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / 384)));
    }
    /* The tail is convex there and z lies left of the solution: Newton's steps stay left of it. */
    double t = z;
    for (int i = 0; i < 100; i++) {
        double step = (upper_tail(t, df) - 0.025) / density(t, df);
        t += step;
        if (fabs(step) <= 1e-15 * t) break;
    }
    return t;
}

/* An integer that orders as the double does. */
static uint64_t order_key(double v)
{
    uint64_t bits;
    v += 0.0; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double from_key(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

typedef struct pairs {
    const double *y, *p;
    int64_t n; /* with those left out */
} pairs;

static int is_pair(const pairs *in, int64_t i)
{
    return !isnan(in->y[i]) && !isnan(in->p[i]);
}

/* The reference of rank `rank` (from 0): bisection on the bits, which needs no memory. */
static double ranked(const pairs *in, int64_t rank)
{
    uint64_t low = 0, high = UINT64_MAX;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t count = 0;
        for (int64_t i = 0; i < in->n; i++)
            count += is_pair(in, i) && order_key(in->y[i]) <= middle;
        if (count > rank)
            high = middle;
        else
            low = middle + 1;
    }
    return from_key(low);
}

/* Type 7 of Hyndman & Fan 1996, as R and numpy have it. */
static double quantile(const pairs *in, int64_t count, double share)
{
    double h = (double)(count - 1) * share;
    int64_t k = (int64_t)floor(h);
    double low = ranked(in, k);
    if (h <= (double)k) return low;
    return low + (h - (double)k) * (ranked(in, k + 1) - low);
}

static void compute(const pairs *in, int64_t count, spt_statistics *s)
{
    double n = (double)count, sum_y = 0, sum_p = 0, sum_e = 0, low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < in->n; i++) {
        if (!is_pair(in, i)) continue;
        sum_y += in->y[i];
        sum_p += in->p[i];
        sum_e += in->p[i] - in->y[i];
        low = fmin(low, in->y[i]);
        high = fmax(high, in->y[i]);
    }
    double my = sum_y / n, mp = sum_p / n, me = sum_e / n;
    double sse = 0, see = 0, syy = 0, spp = 0, syp = 0;
    for (int64_t i = 0; i < in->n; i++) {
        if (!is_pair(in, i)) continue;
        double y = in->y[i] - my, p = in->p[i] - mp, e = in->p[i] - in->y[i];
        sse += e * e;
        see += (e - me) * (e - me);
        syy += y * y;
        spp += p * p;
        syp += y * p;
    }
    s->n = count;
    s->rmse = sqrt(sse / n);
    s->bias = me;
    s->mean = my;
    if (count < 2) return; /* the rest stays NaN */
    s->sd = sqrt(syy / (n - 1));
    s->sep = sqrt(see / (n - 1));
    s->bias_limit = spt__t975(n - 1) * s->sep / sqrt(n);
    s->r2 = syy > 0 ? 1 - sse / syy : NAN;
    s->r2_cor = syy > 0 && spp > 0 ? syp / syy * (syp / spp) : NAN;
    s->slope = spp > 0 ? syp / spp : NAN;
    s->intercept = my - s->slope * mp;
    s->rpd = s->sd / s->rmse;
    s->rpiq = (quantile(in, count, 0.75) - quantile(in, count, 0.25)) / s->rmse;
    s->rer = (high - low) / s->rmse;
    s->ccc = 2 * syp / n / (syy / n + spp / n + (my - mp) * (my - mp));
}

int32_t spt_statistics_compute(const double *reference, const double *predicted, int64_t n,
                               spt_statistics *out)
{
    SPT__REQUIRE(reference && predicted && n > 0 && out);
    pairs in = {reference, predicted, n};
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += is_pair(&in, i);
    if (count == 0) return SPT_EINVAL;
    spt_statistics s = {.struct_size = sizeof s,
                        .rmse = NAN,
                        .bias = NAN,
                        .bias_limit = NAN,
                        .sep = NAN,
                        .slope = NAN,
                        .intercept = NAN,
                        .r2 = NAN,
                        .r2_cor = NAN,
                        .rpd = NAN,
                        .rpiq = NAN,
                        .rer = NAN,
                        .ccc = NAN,
                        .mean = NAN,
                        .sd = NAN};
    compute(&in, count, &s);
    return spt__record_out(out, &s, sizeof s);
}
