/* What is kept of a trial of a cross-validation. */
#include "flight.h"

#include <math.h>
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of k numbers, sorted on the way; the mean of the middle two, rounded up, of an even count. */
static int64_t median(int64_t *values, int32_t k)
{
    qsort(values, (size_t)k, sizeof *values, by_number);
    return (values[(k - 1) / 2] + values[k / 2] + 1) / 2;
}

/* Mean of a number over the first n places, and its s.d., NaN for one. */
static double mean_of(const spt__fold_end *ends, int32_t n, bool of_r2, double *sd)
{
    double sum = 0, squares = 0;
    for (int32_t i = 0; i < n; i++)
        sum += of_r2 ? ends[i].r2 : ends[i].rmse;
    const double mean = sum / n;
    for (int32_t i = 0; i < n; i++) {
        const double d = (of_r2 ? ends[i].r2 : ends[i].rmse) - mean;
        squares += d * d;
    }
    *sd = n > 1 ? sqrt(squares / (n - 1)) : NAN;
    return mean;
}

static int32_t keep_predictions(spt__flight *f)
{
    const spt_cv *cv = f->crew->cv;
    float *values = spt__alloc(cv->ctx, (size_t)cv->n, sizeof *values);
    if (values == NULL) return spt__nomem(&cv->ctx->err);
    for (int64_t i = 0; i < cv->n; i++)
        values[i] = (float)f->predicted[i];
    const int32_t status =
        spt_trial_set_block(f->trial, "predictions", values, cv->n * (int64_t)sizeof *values);
    spt__free(cv->ctx, values);
    return status;
}

/* Epochs of each fold that was told, in the order of the folds' numbers as the steps are: what the
 * trial has cost, for whoever weighs one pruner against another. */
static int32_t keep_epochs(spt__flight *f, int32_t n, bool by_rung)
{
    const spt_cv *cv = f->crew->cv;
    int64_t epochs = 0;
    spt__buf b;
    spt__buf_init(&b, cv->ctx);
    for (int32_t fold = 0; fold < cv->k; fold++)
        for (int32_t i = 0; i < n; i++)
            if (cv->order[i] == fold) {
                spt__buf_printf(&b, "%s%lld", b.size > 0 ? " " : "", (long long)f->ends[i].epochs);
                epochs += f->ends[i].epochs;
            }
    int32_t status = b.failed
                         ? spt__nomem(&cv->ctx->err)
                         : spt_trial_set_text(f->trial, "fold_epochs", b.size > 0 ? b.data : "");
    spt__buf_free(&b);
    if (by_rung) epochs = spt__rung_epochs[f->n_rungs - 1];
    if (status >= 0) status = spt_trial_set_number(f->trial, "epochs", (double)epochs);
    return status;
}

/* The lowest watched loss of the first fold after 8, 24, 72, ... epochs, for pruners. */
static int32_t keep_rungs(spt__flight *f)
{
    spt__buf b;
    spt__buf_init(&b, f->crew->ctx);
    for (int32_t i = 0; i < f->n_rungs; i++) {
        if (i > 0) spt__buf_puts(&b, " ");
        spt__buf_double(&b, f->rungs[i]);
    }
    spt__buf_puts(&b, "");
    const int32_t status =
        b.failed ? spt__nomem(&f->crew->ctx->err) : spt_trial_set_text(f->trial, "rungs", b.data);
    spt__buf_free(&b);
    return status;
}

/* What is known of the folds at the first n places; `by_rung`: given up within the first. Where the
 * host gave it up within the first fold, that one may still be running and is not looked at. */
static int32_t keep_folds(spt__flight *f, int32_t n, bool by_rung)
{
    double sd = NAN;
    const struct {
        const char *mean, *sd;
        bool of_r2;
    } keys[] = {{"rmse_mean", "rmse_sd", false}, {"r2_mean", "r2_sd", true}};
    for (int i = 0; i < 2 && n > 0; i++) {
        const double mean = mean_of(f->ends, n, keys[i].of_r2, &sd);
        SPT__TRY(spt_trial_set_number(f->trial, keys[i].mean, mean));
        if (n > 1) SPT__TRY(spt_trial_set_number(f->trial, keys[i].sd, sd));
    }
    SPT__TRY(keep_epochs(f, n, by_rung));
    if (n > 0 || by_rung) SPT__TRY(keep_rungs(f));
    SPT__TRY(
        spt_trial_set_number(f->trial, "weights", (double)spt_network_weights(f->pattern.network)));
    SPT__TRY(spt_trial_set_number(f->trial, "seconds", spt__now() - f->trial->began));
    return spt_trial_set_text(f->trial, "watch", spt__cv_watch(f->crew->cv));
}

static int32_t keep_pooled(spt__flight *f)
{
    const spt_cv *cv = f->crew->cv;
    spt_statistics s;
    spt_record_init(&s, sizeof s);
    SPT__TRY(spt_statistics_compute(cv->y, f->predicted, cv->n, &s));
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"rmse", s.rmse}, {"r2", s.r2},     {"bias", s.bias},
                   {"rpd", s.rpd},   {"rpiq", s.rpiq}, {"ccc", s.ccc}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        SPT__TRY(spt_trial_set_number(f->trial, numbers[i].key, numbers[i].value));
    return SPT_OK;
}

static int32_t keep_best_epoch(spt__flight *f)
{
    const int32_t k = f->crew->cv->k;
    int64_t *best = spt__alloc(f->crew->ctx, (size_t)k, sizeof *best);
    if (best == NULL) return spt__nomem(&f->crew->ctx->err);
    for (int32_t i = 0; i < k; i++)
        best[i] = f->ends[i].best;
    const double middle = (double)median(best, k);
    spt__free(f->crew->ctx, best);
    return spt_trial_set_number(f->trial, "epochs_best", middle);
}

int32_t spt__flight_keep(spt__flight *f, double *loss)
{
    const int32_t k = f->crew->cv->k;
    double sd;
    *loss = mean_of(f->ends, k, false, &sd);
    SPT__TRY(keep_pooled(f));
    SPT__TRY(keep_folds(f, k, false));
    SPT__TRY(keep_best_epoch(f));
    return keep_predictions(f);
}

int32_t spt__flight_keep_part(spt__flight *f, const spt__verdict *verdict, double *loss)
{
    const int32_t k = f->crew->cv->k;
    char reason[128];
    *loss = f->told > 0 ? f->told_sum / f->told : NAN;
    SPT__TRY(keep_folds(f, f->told, verdict == &f->rung_verdict));
    if (verdict == NULL)
        spt__format(reason, sizeof reason, "the host gave it up after %d of %d folds", (int)f->told,
                    (int)k);
    else if (verdict == &f->rung_verdict)
        spt__prune_words(&f->crew->study->rules.prune, verdict, spt__rung_epochs[f->n_rungs - 1],
                         -1, reason, sizeof reason);
    else
        spt__prune_words(&f->crew->study->rules.prune, verdict, f->told, k, reason, sizeof reason);
    SPT__TRY(spt_trial_set_text(f->trial, "reason", reason));
    return SPT_PRUNED;
}
