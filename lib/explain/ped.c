/* PED-ANOVA (Watanabe, Bansal & Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter
 * importance in arbitrary subspaces"): the Pearson divergence between how a parameter is
 * distributed among good trials and among those of a region,
 *
 *   v = (target / region)^2 (a^2 / b) sum over cells of q (p / q - 1)^2,
 *
 * with a and b the shares of good trials and of the region's that have the parameter (the
 * conditional form: a parameter is compared where it exists). Densities are kernel estimates on at
 * most 50 cells (Scott's bandwidth), categories are counted; one uniform observation is added to
 * each. */
#include "problem.h"

#include "../base/options.h"

#include "spectune/explain.h"
#include "spectune/experimental.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 50 };

static const spt__knob ped_knobs[] = {
    {"target", SPT_OPTION_NUMBER, 0.001, 1, 0.1, NULL, NULL, "quantile of the good trials"},
    {"region", SPT_OPTION_NUMBER, 0.001, 1, 1, NULL, NULL,
     "quantile of the trials that they are compared with"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_ped_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    return spt__options_new(ctx, "PED-ANOVA", ped_knobs, out);
}

/* Places on the cells of one parameter, 0 to cells - 1, of the trials that have it. */
typedef struct sample {
    double *place;
    int64_t n;
} sample;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int32_t cells_of(const spt__parameter *p)
{
    if (p->n_choices > 0) return p->n_choices;
    return p->count > 0 && p->count <= CELLS ? (int32_t)p->count : CELLS;
}

static double place_of(const spt__parameter *p, double value)
{
    const int32_t cells = cells_of(p);
    if (p->n_choices > 0 || p->count == cells) return (double)spt__space_grid_index(p, value);
    const double low = spt__space_edge(p, 0);
    const double high = spt__space_edge(p, p->count > 0 ? p->count : 1);
    const double u = high > low ? (spt__space_scale(p, value) - low) / (high - low) : 0;
    return fmin(floor(u * cells), cells - 1);
}

static double quantile(const double *sorted, int64_t n, double q)
{
    const double at = q * (double)(n - 1);
    const int64_t k = (int64_t)at;
    return k + 1 < n ? sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

static double bandwidth(const sample *s)
{
    double mean = 0, squares = 0;
    qsort(s->place, (size_t)s->n, sizeof *s->place, by_value);
    for (int64_t i = 0; i < s->n; i++)
        mean += s->place[i] / (double)s->n;
    for (int64_t i = 0; i < s->n; i++)
        squares += (s->place[i] - mean) * (s->place[i] - mean);
    const double sd = s->n > 1 ? sqrt(squares / (double)(s->n - 1)) : 0;
    const double iqr = quantile(s->place, s->n, 0.75) - quantile(s->place, s->n, 0.25);
    /* Never so narrow that a kernel falls between two cells. */
    return fmax(1.059 * fmin(iqr / 1.34, sd) * pow((double)s->n, -0.2), 0.5 / 1.64);
}

static double below(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

/* Probabilities of the cells. */
static void density(const sample *s, int32_t cells, bool ordered, double *out)
{
    const double h = ordered ? bandwidth(s) : 0, all = (double)s->n + 1;
    for (int32_t c = 0; c < cells; c++)
        out[c] = 1 / all / cells;
    for (int64_t i = 0; i < s->n; i++) {
        const double x = s->place[i];
        if (!ordered) {
            out[(int32_t)x] += 1 / all;
            continue;
        }
        const double mass = below((cells - 0.5 - x) / h) - below((-0.5 - x) / h);
        for (int32_t c = 0; c < cells; c++)
            out[c] += (below((c + 0.5 - x) / h) - below((c - 0.5 - x) / h)) / mass / all;
    }
}

/* The values of a parameter in the trials that are no worse than a limit. */
static void take(const spt__problem *p, int32_t j, double limit, sample *s)
{
    s->n = 0;
    for (int64_t i = 0; i < p->table.n; i++) {
        const double x = p->value[j * p->table.n + i];
        const bool good = p->maximize ? p->original[i] >= limit : p->original[i] <= limit;
        if (good && !isnan(x)) s->place[s->n++] = place_of(&p->space->parameters[j], x);
    }
}

/* The loss at a quantile of the trials, and how many are no worse (equals count). */
static double limit_at(const spt__problem *p, const double *sorted, double q, int64_t *n)
{
    int64_t k = (int64_t)ceil(q * (double)p->table.n) - 1;
    if (k < 0) k = 0;
    const double limit = sorted[p->maximize ? p->table.n - 1 - k : k];
    *n = 0;
    for (int64_t i = 0; i < p->table.n; i++)
        *n += p->maximize ? sorted[i] >= limit : sorted[i] <= limit;
    return limit;
}

static int32_t compare(const spt__problem *p, double target, double region, double *value,
                       spt__err *e)
{
    int64_t good, all;
    int32_t most = CELLS;
    for (int32_t j = 0; j < p->n_parameters; j++)
        if (cells_of(&p->space->parameters[j]) > most) most = cells_of(&p->space->parameters[j]);
    const size_t n = (size_t)p->table.n;
    double *sorted = spt__alloc(p->ctx, 3 * n + 2 * (size_t)most, sizeof *sorted);
    if (sorted == NULL) return spt__nomem(e);
    sample a = {sorted + n, 0}, b = {sorted + 2 * n, 0};
    double *of_good = sorted + 3 * n, *of_all = of_good + most;
    memcpy(sorted, p->original, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    const double good_limit = limit_at(p, sorted, target, &good);
    const double all_limit = limit_at(p, sorted, region, &all);
    int32_t status = SPT_OK;
    if (good < 2 || good >= all)
        status = spt__fail(e, SPT_EDATA,
                           "%lld good trials among %lld; PED-ANOVA needs 2 or more, and not all",
                           (long long)good, (long long)all);
    for (int32_t j = 0; j < p->n_parameters && status >= 0; j++) {
        const spt__parameter *q = &p->space->parameters[j];
        const int32_t cells = cells_of(q);
        const bool ordered = q->type != SPT_PARAMETER_CATEGORICAL && q->type != SPT_PARAMETER_BOOL;
        double divergence = 0;
        take(p, j, good_limit, &a);
        take(p, j, all_limit, &b);
        value[j] = 0;
        if (a.n < 2 || b.n < 2) continue;
        density(&a, cells, ordered, of_good);
        density(&b, cells, ordered, of_all);
        for (int32_t c = 0; c < cells; c++) {
            const double off = of_good[c] / of_all[c] - 1;
            divergence += of_all[c] * off * off;
        }
        const double share_good = (double)a.n / (double)good, share_all = (double)b.n / (double)all;
        const double part = (double)good / (double)all;
        value[j] = part * part * share_good * share_good / share_all * divergence;
    }
    spt__free(p->ctx, sorted);
    return status;
}

int32_t spt_ped_importance(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                           double *value, int64_t capacity, int64_t *needed)
{
    const spt__problem_settings settings = {.top_quantile = 1};
    spt__problem p;
    SPT__REQUIRE(ctx != NULL && needed != NULL);
    if (history == NULL) return spt__fail(&ctx->err, SPT_EINVAL, "the history is NULL");
    if (!spt__options_are(options, ped_knobs))
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "these are no options of PED-ANOVA; make them with spt_ped_options_new()");
    const double target = spt__option(options, ped_knobs, "target");
    const double region = spt__option(options, ped_knobs, "region");
    SPT__TRY(spt__problem_new(ctx, history, &settings, &p));
    *needed = p.n_parameters;
    int32_t status =
        spt__check_capacity(value != NULL ? capacity : 0, *needed, "the importances", &ctx->err);
    if (status >= 0) status = compare(&p, target, region, value, &ctx->err);
    spt__problem_free(&p);
    return status;
}
