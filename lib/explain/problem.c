#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which trials, and their losses ---- */

static bool complete(const spt__row *row)
{
    return row->state == SPT_TRIAL_COMPLETE && row->config != NULL && isfinite(row->value);
}

static bool usable(const spt__row *row, const spt__problem_settings *s)
{
    if (complete(row)) return true;
    if (row->config == NULL || !spt__row_counts(row)) return false;
    if (row->state == SPT_TRIAL_PRUNED) return s->pruned && isfinite(row->value);
    /* A complete trial with an infinite loss failed, too. */
    return s->failed;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Losses worse than the quantile become it. */
static int32_t cut_losses(spt__problem *p, double quantile, spt__err *e)
{
    const int64_t n = p->table.n;
    p->cut = NAN;
    if (!(quantile < 1)) return SPT_OK;
    double *sorted = spt__alloc(p->ctx, (size_t)n, sizeof *sorted);
    if (sorted == NULL) return spt__nomem(e);
    memcpy(sorted, p->original, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    int64_t k = (int64_t)ceil(quantile * (double)n) - 1;
    if (k < 0) k = 0;
    p->cut = sorted[p->maximize ? n - 1 - k : k];
    for (int64_t i = 0; i < n; i++)
        p->loss[i] = p->maximize ? fmax(p->original[i], p->cut) : fmin(p->original[i], p->cut);
    spt__free(p->ctx, sorted);
    return SPT_OK;
}

static int32_t read_rows(spt__problem *p, const spt_history *history,
                         const spt__problem_settings *s, spt__err *e)
{
    int64_t all, n = 0, k = 0, whole = 0;
    const spt__row *const *rows = spt__history_rows(history, &all);
    double worst = p->maximize ? INFINITY : -INFINITY;
    for (int64_t i = 0; i < all; i++) {
        n += usable(rows[i], s);
        whole += complete(rows[i]);
        if (complete(rows[i]))
            worst = p->maximize ? fmin(worst, rows[i]->value) : fmax(worst, rows[i]->value);
    }
    if (whole < 2)
        return spt__fail(e, SPT_EDATA,
                         "importance needs 2 or more complete trials; study '%s' has %lld",
                         spt_history_name(history), (long long)whole);
    if (n > INT32_MAX / 2)
        return spt__fail(e, SPT_EDATA, "%lld trials; at most %d are possible", (long long)n,
                         INT32_MAX / 2);
    p->table.n = n;
    p->loss = spt__alloc(p->ctx, (size_t)n, sizeof *p->loss);
    p->original = spt__alloc(p->ctx, (size_t)n, sizeof *p->original);
    p->number = spt__alloc(p->ctx, (size_t)n, sizeof *p->number);
    p->value = spt__alloc(p->ctx, (size_t)n * (size_t)p->n_parameters, sizeof *p->value);
    if (p->loss == NULL || p->original == NULL || p->number == NULL || p->value == NULL)
        return spt__nomem(e);
    for (int64_t i = 0; i < all; i++) {
        if (!usable(rows[i], s)) continue;
        const bool told = complete(rows[i]) || rows[i]->state == SPT_TRIAL_PRUNED;
        p->number[k] = rows[i]->number;
        p->loss[k] = p->original[k] = told ? rows[i]->value : worst;
        for (int32_t j = 0; j < p->n_parameters; j++)
            p->value[j * n + k] = rows[i]->config->value[j];
        /* The first of the best; pruned and failed ones are none. */
        if (complete(rows[i]) &&
            (p->best < 0 || (p->maximize ? p->original[k] > p->original[p->best]
                                         : p->original[k] < p->original[p->best])))
            p->best = k;
        k++;
    }
    SPT__TRY(cut_losses(p, s->top_quantile, e));
    for (int64_t i = 1; i < n; i++)
        if (p->loss[i] != p->loss[0]) return SPT_OK;
    if (isnan(p->cut))
        return spt__fail(e, SPT_EDATA, "all %lld trials have the same loss", (long long)n);
    return spt__fail(e, SPT_EDATA,
                     "no loss of %lld trials is better than the quantile %g, which "
                     "is %g; a higher top_quantile is possible",
                     (long long)n, s->top_quantile, p->cut);
}

/* ---- the lattice ---- */

static int32_t bin_parameters(spt__problem *p, spt__draft *d, spt__err *e)
{
    const int64_t n = p->table.n;
    for (int32_t j = 0; j < p->n_parameters; j++) {
        const spt__parameter *parameter = &p->space->parameters[j];
        spt__axis_spec *spec = &d->specs[j];
        SPT__TRY(spt__bins_new(p->ctx, p->space, j, &p->bins[j], e));
        const size_t bins = (size_t)p->bins[j].n;
        spec->bins = p->bins[j].n;
        spec->categorical =
            parameter->type == SPT_PARAMETER_CATEGORICAL || parameter->type == SPT_PARAMETER_BOOL;
        spec->weight = spt__alloc(p->ctx, bins, sizeof *spec->weight);
        spec->at = spt__alloc(p->ctx, bins, sizeof *spec->at);
        if (spec->weight == NULL || spec->at == NULL) return spt__nomem(e);
        spt__bins_measure(parameter, &p->bins[j], (double *)(uintptr_t)spec->weight,
                          (double *)(uintptr_t)spec->at);
        for (int64_t i = 0; i < n; i++) {
            const double x = p->value[j * n + i];
            p->code[j * n + i] =
                isnan(x) ? SPT__NO_BIN : (uint16_t)spt__bins_find(parameter, &p->bins[j], x);
        }
    }
    return SPT_OK;
}

static int32_t new_draft(spt__problem *p, spt__draft *d, spt__err *e)
{
    const size_t n = (size_t)p->n_parameters;
    /* At most one switch per parameter, and those only where the space declares no tree. */
    const size_t most = p->declared ? n : 2 * n;
    *d = (spt__draft){.ctx = p->ctx,
                      .space = p->space,
                      .d = p->n_parameters,
                      .n_parameters = p->n_parameters,
                      .n = p->table.n};
    p->bins = spt__calloc(p->ctx, n, sizeof *p->bins);
    p->hidden = spt__calloc(p->ctx, n, sizeof *p->hidden);
    p->code = spt__alloc(p->ctx, most * (size_t)p->table.n, sizeof *p->code);
    d->specs = spt__calloc(p->ctx, most, sizeof *d->specs);
    d->bins = p->bins;
    d->code = p->code;
    d->hidden = p->hidden;
    if (p->bins == NULL || p->hidden == NULL || p->code == NULL || d->specs == NULL)
        return spt__nomem(e);
    return SPT_OK;
}

static void free_draft(spt__draft *d)
{
    for (int32_t j = 0; j < d->d && d->specs != NULL; j++) {
        spt__axis_spec *spec = &d->specs[j];
        spt__free(d->ctx, (double *)(uintptr_t)spec->weight);
        spt__free(d->ctx, (double *)(uintptr_t)spec->at);
        for (int32_t i = 0; i < spec->n_needs; i++)
            spt__free(d->ctx, (bool *)(uintptr_t)spec->needs[i].in);
        spt__free(d->ctx, (spt__axis_need *)(uintptr_t)spec->needs);
    }
    spt__free(d->ctx, d->specs);
}

/* A parameter has a bin where its needs hold, and nowhere else. The few trials where that is not so
 * (a condition on one value of a continuous parameter, which has no probability) are made so. */
static void reconcile(spt__problem *p)
{
    const spt__lattice *f = &p->lattice;
    const int64_t n = p->table.n;
    for (int32_t j = 0; j < f->d; j++) {
        const spt__activity *a = &f->activities[f->axes[j].activity];
        uint16_t *code = p->code + j * n;
        for (int64_t i = 0; i < n; i++) {
            bool holds = true;
            for (int32_t k = 0; k < a->n && holds; k++) {
                const uint16_t c = p->code[a->needs[k].axis * n + i];
                holds = c != SPT__NO_BIN && spt__part_has(&a->needs[k].part, c);
            }
            if (!holds)
                code[i] = SPT__NO_BIN;
            else if (code[i] == SPT__NO_BIN)
                code[i] = (uint16_t)(f->axes[j].bins / 2);
        }
    }
}

static int32_t build(spt__problem *p, const spt__problem_settings *s, spt__err *e)
{
    spt__draft d;
    int32_t status = new_draft(p, &d, e);
    if (status >= 0) status = bin_parameters(p, &d, e);
    if (status >= 0) status = p->declared ? spt__needs_declared(&d, e) : spt__needs_observed(&d, e);
    p->from_trials = s->prior == 2 || (s->prior == 0 && !p->declared);
    if (status >= 0 && p->from_trials) status = spt__needs_weigh(&d, e);
    if (status >= 0) status = spt__lattice_new(p->ctx, d.specs, d.d, &p->lattice, e);
    if (status >= 0) {
        reconcile(p);
        p->table.lattice = &p->lattice;
        p->table.code = p->code;
        p->table.y = p->loss;
    }
    free_draft(&d);
    return status;
}

int32_t spt__problem_new(spt_ctx *ctx, const spt_history *history,
                         const spt__problem_settings *settings, spt__problem *p)
{
    const spt_space *space = spt_history_space(history);
    *p = (spt__problem){.ctx = ctx, .n_parameters = space->n, .best = -1};
    p->space = spt__space_ref(space);
    p->declared = !spt__history_inferred(history);
    p->maximize = spt__history_maximizes(history);
    int32_t status = SPT_OK;
    if (space->n == 0) status = spt__fail(&ctx->err, SPT_EDATA, "the space has no parameters");
    if (status >= 0) status = read_rows(p, history, settings, &ctx->err);
    if (status >= 0) status = build(p, settings, &ctx->err);
    if (status < 0) spt__problem_free(p);
    return status;
}

void spt__problem_free(spt__problem *p)
{
    if (p->ctx == NULL) return;
    spt_ctx *ctx = p->ctx;
    spt__lattice_free(&p->lattice);
    for (int32_t j = 0; j < p->n_parameters && p->bins != NULL; j++)
        spt__bins_free(ctx, &p->bins[j]);
    spt__free(ctx, p->bins);
    spt__free(ctx, p->hidden);
    spt__free(ctx, p->code);
    spt__free(ctx, p->loss);
    spt__free(ctx, p->original);
    spt__free(ctx, p->value);
    spt__free(ctx, p->number);
    spt_space_free(p->space);
    *p = (spt__problem){.ctx = NULL};
}
