/* Pruning rules. Sources: Wilcoxon 1945 (signed ranks); Maron & Moore 1994, "Hoeffding races", for
 * the idea of racing, here with paired differences and Student's distribution; Golovin et al. 2017
 * (median rule); Li et al. 2020 (successive halving without waiting). */
#include "prune.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* ---- distributions ------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return x < y ? -1 : x > y;
}

/* Twice the mean rank of d[i], 1 being the lowest: a whole number. *last: the last that ties. */
static int64_t double_rank(const double *d, int64_t n, int64_t i, int64_t *last)
{
    int64_t first = i;
    *last = i;
    while (first > 0 && fabs(d[first - 1]) == fabs(d[i]))
        first--;
    while (*last + 1 < n && fabs(d[*last + 1]) == fabs(d[i]))
        *last += 1;
    return first + *last + 2;
}

/* Each of the 2^n ways to sign the ranks is as likely as any other: count those by their sum. */
static double exact_tail(const double *d, int64_t n, int64_t sum)
{
    enum { SUMS = SPT__WILCOXON_EXACT * (SPT__WILCOXON_EXACT + 1) + 1 };
    double share[SUMS] = {1.0};
    double tail = 0;
    int64_t top = 0, last;
    for (int64_t i = 0; i < n; i++) {
        const int64_t rank = double_rank(d, n, i, &last);
        top += rank;
        for (int64_t s = top; s >= 0; s--)
            share[s] = 0.5 * (share[s] + (s >= rank ? share[s - rank] : 0.0));
    }
    for (int64_t s = sum; s <= top; s++)
        tail += share[s];
    return tail < 1 ? tail : 1;
}

double spt__wilcoxon(double *d, int64_t n)
{
    int64_t used = 0, last, sum = 0;
    double ties = 0;
    for (int64_t i = 0; i < n; i++)
        if (d[i] != 0) d[used++] = d[i];
    if (used == 0) return 1;
    qsort(d, (size_t)used, sizeof *d, by_size);
    for (int64_t i = 0; i < used; i++) {
        const int64_t rank = double_rank(d, used, i, &last);
        if (d[i] > 0) sum += rank;
        if (i == 0 || fabs(d[i]) != fabs(d[i - 1])) {
            const double t = (double)(last - i + 1);
            ties += t * t * t - t;
        }
    }
    if (used <= SPT__WILCOXON_EXACT) return exact_tail(d, used, sum);
    const double m = (double)used;
    const double mean = m * (m + 1) / 4;
    const double variance = m * (m + 1) * (2 * m + 1) / 24 - ties / 48;
    return 0.5 * erfc((0.5 * (double)sum - mean - 0.5) / sqrt(2 * variance));
}

/* Continued fraction of the incomplete beta function (Lentz's way). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 500; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        f *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        if (fabs(c) < tiny) c = tiny;
        f *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON) break;
    }
    return f;
}

/* lgamma() writes to a global; Stirling's series, shifted up, is as good here. */
static double log_gamma(double x)
{
    double shift = 0;
    while (x < 12) {
        shift -= log(x);
        x += 1;
    }
    const double y = 1 / (x * x);
    return shift + (x - 0.5) * log(x) - x + 0.91893853320467274178 +
           (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1260 - y / 1680))) / x;
}

/* I_x(a, b) */
static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double front =
        exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double spt__student_tail(double t, double nu)
{
    if (isnan(t)) return 1;
    const double both = isinf(t) ? 0 : incomplete_beta(0.5 * nu, 0.5, nu / (nu + t * t));
    return t > 0 ? 0.5 * both : 1 - 0.5 * both;
}

/* ---- curves -------------------------------------------------------------------------------- */

static double as_bad(double value)
{
    return isfinite(value) ? value : INFINITY;
}

/* The value of a step; false if the trial has not told it. */
static bool at_step(const spt__curve *c, int64_t step, double *value)
{
    for (int64_t i = 0; i < c->n; i++)
        if (c->steps[i] == step) {
            *value = as_bad(c->values[i]);
            return true;
        }
    return false;
}

/* What a trial is worth after the first n steps of `own`; false if it has not told all of them. */
static bool worth(const spt__prune_rule *rule, const spt__curve *c, const spt__curve *own,
                  int64_t n, double *value)
{
    double sum = 0, lowest = INFINITY, v;
    for (int64_t i = 0; i < n; i++) {
        if (!at_step(c, own->steps[i], &v)) return false;
        sum += v;
        if (v < lowest) lowest = v;
    }
    *value = rule->lowest ? lowest : sum / (double)n;
    return true;
}

static const spt__curve *best_of(const spt__curve *peers, int64_t n)
{
    const spt__curve *best = NULL;
    for (int64_t i = 0; i < n; i++)
        if (peers[i].complete && (best == NULL || peers[i].value < best->value)) best = &peers[i];
    return best;
}

/* ---- against the best ---------------------------------------------------------------------- */

/* Differences of a to b on the steps that both have, up to `most`; positive: a is worse. By ratio
 * (log) where all is positive, since errors spread with their size. Of the first steps of a. */
static int64_t differences(const spt__curve *a, const spt__curve *b, bool ratio, double *d,
                           int64_t most)
{
    int64_t n = 0;
    double v;
    for (int64_t i = 0; i < a->n && n < most; i++) {
        if (!at_step(b, a->steps[i], &v)) continue;
        const double w = as_bad(a->values[i]);
        if (isinf(v)) continue; /* a fold on which the best failed says nothing */
        d[n++] = ratio ? log(w) - log(v) : w - v;
    }
    return n;
}

static bool all_positive(const spt__curve *c)
{
    for (int64_t i = 0; i < c->n; i++)
        if (!(c->values[i] > 0)) return false;
    return true;
}

enum { MOST = 1000 }; /* common steps that are compared */

static spt__verdict wilcoxon(const spt__prune_rule *rule, const spt__curve *own,
                             const spt__curve *best)
{
    double d[MOST], sum = 0;
    const int64_t n = differences(own, best, false, d, MOST);
    for (int64_t i = 0; i < n; i++)
        sum += d[i];
    const double p = spt__wilcoxon(d, n);
    return (spt__verdict){.prune = sum > 0 && p < rule->level, .figure = p};
}

/* Mean and sum of squares about it. */
static double spread(const double *d, int64_t n, double *mean)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += d[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (d[i] - *mean) * (d[i] - *mean);
    return squares;
}

/* How the differences to the best vary from step to step is much the same for all trials, so those
 * that are complete tell it before the trial itself can; they count for so many differences. */
enum { PRIOR_FREEDOM = 8 };

static double pooled(const spt__curve *peers, int64_t n_peers, const spt__curve *best, bool ratio,
                     double *freedom)
{
    double d[MOST], mean, squares = 0;
    *freedom = 0;
    for (int64_t i = 0; i < n_peers; i++) {
        if (&peers[i] == best || !peers[i].complete || (ratio && !all_positive(&peers[i])))
            continue;
        const int64_t n = differences(&peers[i], best, ratio, d, MOST);
        if (n < 2) continue;
        const double s = spread(d, n, &mean);
        if (!isfinite(s)) continue;
        squares += s;
        *freedom += (double)(n - 1);
    }
    const double variance = *freedom > 0 ? squares / *freedom : 0;
    if (*freedom > PRIOR_FREEDOM) *freedom = PRIOR_FREEDOM;
    return variance;
}

/* The best has K steps, j of which are common. With differences of variance s2 the mean over all K
 * strays from the mean over the j by s2 (K - j) / (K j): a sample from a finite number of steps. */
static spt__verdict racing(const spt__prune_rule *rule, const spt__curve *own,
                           const spt__curve *peers, int64_t n_peers, const spt__curve *best)
{
    spt__verdict v = {.figure = NAN};
    double d[MOST], mean, freedom;
    const bool ratio = all_positive(own) && all_positive(best);
    const int64_t j = differences(own, best, ratio, d, MOST);
    if (j == 0 || j >= best->n) return v;
    double squares = spread(d, j, &mean);
    if (!isfinite(mean)) return (spt__verdict){.prune = mean > 0, .figure = 0};
    squares += pooled(peers, n_peers, best, ratio, &freedom) * freedom;
    freedom += (double)(j - 1);
    if (!(freedom > 0)) return v;
    const double k = (double)best->n, m = (double)j;
    const double error = sqrt(squares / freedom * (k - m) / (k * m));
    v.figure = error > 0 ? spt__student_tail(mean / error, freedom) : mean > 0 ? 0 : 1;
    v.prune = mean > 0 && v.figure < rule->level;
    return v;
}

double spt__prune_estimate(const spt__curve *own, const spt__curve *complete)
{
    double mine = 0, theirs = 0, v;
    int64_t n = 0;
    for (int64_t i = 0; i < own->n; i++) {
        if (!at_step(complete, own->steps[i], &v) || isinf(v)) continue;
        mine += as_bad(own->values[i]);
        theirs += v;
        n++;
    }
    if (n == 0) return (double)NAN;
    if (all_positive(own) && all_positive(complete)) return complete->value * (mine / theirs);
    return complete->value + (mine - theirs) / (double)n;
}

/* ---- against all --------------------------------------------------------------------------- */

/* How many peers that can be compared are worth less than `limit`. */
static int64_t count_below(const spt__prune_rule *rule, const spt__curve *own,
                           const spt__curve *peers, int64_t n_peers, double limit,
                           int64_t *compared)
{
    int64_t below = 0;
    double v;
    *compared = 0;
    for (int64_t i = 0; i < n_peers; i++) {
        if (!worth(rule, &peers[i], own, own->n, &v)) continue;
        *compared += 1;
        below += v < limit;
    }
    return below;
}

/* Worse than the median of the others after the same steps: more than half of them are better. */
static spt__verdict median(const spt__prune_rule *rule, const spt__curve *own,
                           const spt__curve *peers, int64_t n_peers)
{
    double v = INFINITY;
    int64_t compared;
    (void)worth(rule, own, own, own->n, &v);
    const int64_t below = count_below(rule, own, peers, n_peers, v, &compared);
    return (spt__verdict){.prune = compared > 0 && 2 * below > compared,
                          .figure = compared > 0 ? (double)below / (double)compared : NAN};
}

/* Rungs stand at after, after * factor, after * factor^2, ... steps; of those that have reached a
 * rung one in `factor` goes on. */
static spt__verdict halving(const spt__prune_rule *rule, const spt__curve *own,
                            const spt__curve *peers, int64_t n_peers)
{
    double rung = (double)rule->after, v = INFINITY;
    int64_t compared;
    while ((int64_t)floor(rung) < own->n)
        rung *= rule->factor;
    if (!rule->every && (int64_t)floor(rung) != own->n) return (spt__verdict){.figure = NAN};
    (void)worth(rule, own, own, own->n, &v);
    const int64_t below = count_below(rule, own, peers, n_peers, v, &compared);
    /* while fewer than `factor` are there the best of them goes on */
    const double on = fmax(1, floor((double)(compared + 1) / rule->factor));
    return (spt__verdict){.prune = compared > 0 && (double)below >= on,
                          .figure = compared > 0 ? (double)below / (double)compared : NAN};
}

spt__verdict spt__prune(const spt__prune_rule *rule, const spt__curve *own, const spt__curve *peers,
                        int64_t n_peers)
{
    int64_t complete = 0;
    for (int64_t i = 0; i < n_peers; i++)
        complete += peers[i].complete;
    const spt__curve *best = best_of(peers, n_peers);
    if (rule->kind == SPT__PRUNE_NONE || own->n < rule->after || own->n < 1 ||
        complete < rule->startup || best == NULL)
        return (spt__verdict){.figure = NAN};
    switch (rule->kind) {
    case SPT__PRUNE_WILCOXON:
        return wilcoxon(rule, own, best);
    case SPT__PRUNE_RACING:
        return racing(rule, own, peers, n_peers, best);
    case SPT__PRUNE_MEDIAN:
        return median(rule, own, peers, n_peers);
    default:
        return halving(rule, own, peers, n_peers);
    }
}
