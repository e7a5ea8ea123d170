/* One trial of a cross-validation: its folds side by side, what is told and what is kept. */
#include "cv.h"

#include "../base/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIVE_SECONDS = 30,
    SCORED_ROWS = 1024 /* between two looks whether to stop */
};

/* What one fold leaves. */
typedef struct fold_end {
    bool done;
    double rmse, r2;
    int64_t epochs, best;
} fold_end;

typedef enum { POST_EPOCH, POST_FOLD, POST_ALIVE } post_kind;

/* From the thread of a fold to the caller's. */
typedef struct post {
    post_kind kind;
    spt_epoch epoch; /* POST_EPOCH */
    fold_end end;    /* POST_FOLD */
} post;

typedef struct crew {
    spt_cv *cv;
    spt_trial *trial;
    spt_study *study;
    spt__cv_pattern pattern;
    double *predicted;  /* n, of the fold in which a row is scored */
    fold_end *ends;     /* k, written by the fold's thread */
    atomic_int give_up; /* the host said so: no fold need go on */
    atomic_int overdue; /* the time that a trial may take is used up */
    int32_t said;       /* SPT_STOP_HOST or SPT_PRUNED by the host, or a failure */
    int32_t told;       /* folds whose end the host knows */
    double told_sum;    /* of their RMSE */
    double last_alive;
} crew;

typedef struct epoch_arg {
    crew *crew;
    spt__events *events;
    int64_t fold;
    double last_alive;
} epoch_arg;

/* ---- on the thread of a fold ---- */

static int32_t on_epoch(const spt_epoch *epoch, void *user)
{
    epoch_arg *a = user;
    if (atomic_load_explicit(&a->crew->give_up, memory_order_relaxed)) return SPT_STOP_HOST;
    if (spt__trial_overdue(a->crew->trial)) {
        atomic_store(&a->crew->overdue, 1);
        atomic_store(&a->crew->give_up, 1);
        return SPT_STOP_HOST;
    }
    const double now = spt__now();
    if (a->crew->study->events != NULL) {
        const post p = {.kind = POST_EPOCH, .epoch = *epoch};
        SPT__TRY(spt__post(a->events, a->fold, &p));
    } else if (now - a->last_alive > ALIVE_SECONDS) {
        const post p = {.kind = POST_ALIVE};
        a->last_alive = now;
        SPT__TRY(spt__post(a->events, a->fold, &p));
    }
    return SPT_OK;
}

/* Predict the scored rows and put them where they belong. */
static int32_t score(crew *c, const spt__fit_result *result, const int64_t *rows, int64_t n,
                     fold_end *end, spt__err *e)
{
    spt_cv *cv = c->cv;
    double *y = spt__alloc(cv->ctx, (size_t)n, sizeof *y);
    double *z = spt__alloc(cv->ctx, (size_t)n, sizeof *z);
    spt_statistics s;
    int32_t status = y != NULL && z != NULL ? SPT_OK : spt__nomem(e);
    for (int64_t i = 0; i < n && status == SPT_OK; i += SCORED_ROWS) {
        const int64_t count = n - i < SCORED_ROWS ? n - i : SCORED_ROWS;
        status = spt__stopping(cv->ctx)
                     ? SPT_STOP_HOST
                     : spt__fit_predict(result, cv->x, cv->x_mask, rows + i, count, z + i, e);
    }
    for (int64_t i = 0; i < n && status == SPT_OK; i++) {
        y[i] = cv->y[rows[i]];
        c->predicted[rows[i]] = z[i];
        if (!isfinite(z[i]))
            status = spt__fail(e, SPT_EDIVERGED, "a prediction is not finite after %lld epochs",
                               (long long)result->report.best);
    }
    if (status == SPT_OK) {
        spt_record_init(&s, sizeof s);
        status = spt_statistics_compute(y, z, n, &s);
        end->rmse = s.rmse;
        end->r2 = s.r2;
    }
    spt__free(cv->ctx, y);
    spt__free(cv->ctx, z);
    return status;
}

static int32_t run_fold(int64_t fold, int32_t worker, spt__events *events, void *arg, spt__err *e)
{
    crew *c = arg;
    spt_cv *cv = c->cv;
    spt__fit_job job;
    spt__fit_result result = {0};
    epoch_arg a = {c, events, fold, spt__now()};
    fold_end *end = &c->ends[fold];
    (void)worker;
    if (atomic_load_explicit(&c->give_up, memory_order_relaxed)) return SPT_OK;
    int64_t *rows = spt__alloc(cv->ctx, (size_t)cv->n, sizeof *rows);
    if (rows == NULL) return spt__nomem(e);
    spt__cv_job(cv, &c->pattern, (int32_t)fold, rows, &job);
    job.fn = on_epoch;
    job.user = &a;
    int32_t status = spt__fit_run(&job, &result, e);
    if (status == SPT_OK) {
        end->epochs = result.report.epochs;
        end->best = result.report.best;
        status = score(c, &result, rows + job.n_train, cv->n - job.n_train, end, e);
    }
    if (status == SPT_OK) {
        end->done = true;
        const post p = {.kind = POST_FOLD, .end = *end};
        status = spt__post(events, fold, &p);
        if (status < 0) spt__nomem(e);
    }
    spt__fit_release(&result);
    spt__free(cv->ctx, rows);
    if (status < 0) return spt__fail_prefix(e, "fold %d of %d: ", (int)fold + 1, (int)cv->k);
    return SPT_OK; /* a stop is seen on the context, or was the host's word */
}

/* ---- on the caller's thread ---- */

static int32_t tell_epoch(crew *c, int64_t fold, const spt_epoch *epoch)
{
    spt_event event;
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_EPOCH;
    event.fold = (int32_t)fold;
    event.folds = c->cv->k;
    event.epoch = epoch->epoch;
    event.epochs = epoch->epochs;
    event.loss = epoch->loss;
    event.watched = epoch->watched;
    return spt__study_emit(c->study, c->trial, &event);
}

static int32_t tell_fold(crew *c, int64_t fold, const fold_end *end)
{
    spt_event event;
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_FOLD_END;
    event.fold = (int32_t)fold;
    event.folds = c->cv->k;
    event.epoch = end->epochs;
    event.loss = end->rmse;
    event.watched = NAN;
    const int32_t stored = spt_trial_report(c->trial, fold, end->rmse);
    if (stored < 0) return stored; /* that time is over is seen where epochs end */
    c->told++;
    c->told_sum += end->rmse;
    c->last_alive = spt__now();
    return spt__study_emit(c->study, c->trial, &event);
}

static int32_t on_post(int64_t fold, const void *event, void *arg)
{
    crew *c = arg;
    const post *p = event;
    int32_t said = SPT_OK;
    if (p->kind == POST_EPOCH)
        said = tell_epoch(c, fold, &p->epoch);
    else if (p->kind == POST_FOLD)
        said = tell_fold(c, fold, &p->end);
    if (said == SPT_OK && p->kind != POST_FOLD && spt__now() - c->last_alive > ALIVE_SECONDS) {
        c->last_alive = spt__now();
        said = spt__store_trial_alive(c->study->store, c->trial->id);
    }
    if (said != SPT_OK) {
        c->said = said;
        atomic_store(&c->give_up, 1);
    }
    return said;
}

/* ---- what is kept ---- */

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

static double sd(const fold_end *ends, int32_t k, double mean, bool of_r2)
{
    double sum = 0;
    for (int32_t f = 0; f < k; f++) {
        const double d = (of_r2 ? ends[f].r2 : ends[f].rmse) - mean;
        sum += d * d;
    }
    return sqrt(sum / (k - 1));
}

static int32_t keep_predictions(crew *c)
{
    const int64_t n = c->cv->n;
    float *values = spt__alloc(c->cv->ctx, (size_t)n, sizeof *values);
    if (values == NULL) return spt__nomem(&c->cv->ctx->err);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)c->predicted[i];
    const int32_t status =
        spt_trial_set_block(c->trial, "predictions", values, n * (int64_t)sizeof *values);
    spt__free(c->cv->ctx, values);
    return status;
}

static int32_t keep_numbers(crew *c, double mean, double seconds)
{
    spt_cv *cv = c->cv;
    int64_t *best = spt__alloc(cv->ctx, (size_t)cv->k, sizeof *best), epochs = 0;
    double r2 = 0;
    spt_statistics s;
    if (best == NULL) return spt__nomem(&cv->ctx->err);
    for (int32_t f = 0; f < cv->k; f++) {
        best[f] = c->ends[f].best;
        epochs += c->ends[f].epochs;
        r2 += c->ends[f].r2 / cv->k;
    }
    spt_record_init(&s, sizeof s);
    const int32_t computed = spt_statistics_compute(cv->y, c->predicted, cv->n, &s);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"rmse", s.rmse},
                   {"rmse_mean", mean},
                   {"rmse_sd", sd(c->ends, cv->k, mean, false)},
                   {"r2", s.r2},
                   {"r2_mean", r2},
                   {"r2_sd", sd(c->ends, cv->k, r2, true)},
                   {"bias", s.bias},
                   {"rpd", s.rpd},
                   {"rpiq", s.rpiq},
                   {"ccc", s.ccc},
                   {"weights", (double)spt_network_weights(c->pattern.network)},
                   {"epochs", (double)epochs},
                   {"epochs_best", (double)median(best, cv->k)},
                   {"seconds", seconds}};
    spt__free(cv->ctx, best);
    SPT__TRY(computed);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        SPT__TRY(spt_trial_set_number(c->trial, numbers[i].key, numbers[i].value));
    return spt_trial_set_text(c->trial, "watch", spt__cv_watch(cv));
}

/* ---- the objective ---- */

/* How many jobs fit into the limit. What any job takes at most is what one takes that trains on all
 * rows. */
static int32_t plan_memory(spt_cv *cv, int32_t kept, spt__cv_pattern *pattern)
{
    const int64_t limit = cv->ctx->memory_limit;
    if (limit == 0) return SPT_OK;
    const spt__fit_job largest = {.ctx = cv->ctx,
                                  .n = cv->n,
                                  .p = cv->p,
                                  .mask = pattern->mask,
                                  .t = 1,
                                  .n_train = cv->n,
                                  .watch = SPT__WATCH_OWN,
                                  .group = cv->group,
                                  .network = pattern->network,
                                  .settings = pattern->settings};
    const int64_t network = pattern->network->n_values * (int64_t)sizeof(float);
    const int64_t beside =
        spt__fit_channel_bytes(cv->n, cv->p, cv->x_mask) + (1 + kept) * network + 64 * cv->n;
    SPT__TRY(spt__fit_check_memory(&largest, beside, &cv->ctx->err));
    const int64_t most = (limit - beside) / spt__fit_memory(&largest);
    pattern->most = most < SPT__THREADS_MAX ? (int32_t)most : SPT__THREADS_MAX;
    return SPT_OK;
}

int32_t spt__cv_pattern_init(spt_cv *cv, const spt_config *config, int64_t sequence, int64_t epochs,
                             int32_t kept, spt__cv_pattern *pattern)
{
    *pattern = (spt__cv_pattern){.sequence = sequence};
    SPT__TRY(spt_config_channels(config, &pattern->mask));
    SPT__TRY(spt__cv_channels(cv, pattern->mask));
    SPT__TRY(spt__fit_settings_init(cv->ctx, cv->options, config, epochs, &pattern->settings));
    SPT__TRY(
        spt__fit_check_targets(&pattern->settings, cv->used, cv->target, cv->y, &cv->ctx->err));
    SPT__TRY(spt__fit_network(cv->ctx, config, cv->p, pattern->mask, 1, &pattern->network));
    return plan_memory(cv, kept, pattern);
}

void spt__cv_pattern_free(spt__cv_pattern *pattern)
{
    spt_network_free(pattern->network);
    pattern->network = NULL;
}

void spt__cv_job(const spt_cv *cv, const spt__cv_pattern *pattern, int32_t fold, int64_t *rows,
                 spt__fit_job *job)
{
    int64_t n_train = 0, last = cv->n;
    for (int64_t i = 0; i < cv->n; i++)
        if (cv->fold[i] != fold) rows[n_train++] = i;
    for (int64_t i = cv->n; i-- > 0;)
        if (cv->fold[i] == fold) rows[--last] = i;
    *job = (spt__fit_job){.ctx = cv->ctx,
                          .x = cv->x,
                          .n = cv->n,
                          .p = cv->p,
                          .x_mask = cv->x_mask,
                          .mask = pattern->mask,
                          .y = cv->y,
                          .t = 1,
                          .weights = cv->weights,
                          .train = rows,
                          .n_train = n_train,
                          .watch = SPT__WATCH_NONE,
                          .group = cv->group,
                          .network = pattern->network,
                          .settings = pattern->settings};
    if (fold < cv->k) {
        if (spt__option_choice(cv->options, spt__objective_knobs, "watch") == 0) {
            job->watch = SPT__WATCH_INNER;
        } else {
            job->watch = SPT__WATCH_GIVEN;
            job->watched = rows + n_train;
            job->n_watched = cv->n - n_train;
        }
    } else {
        /* Nothing is held out, but the last epoch may be one of the bad ones between which training
         * wobbles: of all epochs the one is kept that fits its own rows best, as a fold keeps the
         * best of its epochs. */
        job->watch = SPT__WATCH_OWN;
        job->settings.training.patience = 0;
    }
    job->stream =
        (spt__stream){.seed = (uint64_t)spt__option_int(cv->options, spt__objective_knobs, "seed"),
                      .trial = pattern->sequence,
                      .fold = fold};
}

static bool all_done(const crew *c)
{
    for (int32_t f = 0; f < c->cv->k; f++)
        if (!c->ends[f].done) return false;
    return true;
}

static int32_t finish(crew *c, double began, double *loss)
{
    double sum = 0;
    for (int32_t f = 0; f < c->cv->k; f++)
        sum += c->ends[f].rmse;
    *loss = sum / c->cv->k;
    SPT__TRY(keep_numbers(c, *loss, spt__now() - began));
    return keep_predictions(c);
}

int32_t spt_cv_objective(spt_trial *trial, double *loss, void *user)
{
    spt_cv *cv = user;
    SPT__REQUIRE(trial != NULL && loss != NULL && cv != NULL);
    spt__err *e = &cv->ctx->err;
    crew c = {.cv = cv, .trial = trial, .study = trial->study, .last_alive = spt__now()};
    const double began = spt__now();
    *loss = NAN;
    int32_t status = spt__cv_pattern_init(cv, trial->config, trial->sequence, 0, 0, &c.pattern);
    c.predicted = spt__calloc(cv->ctx, (size_t)cv->n, sizeof *c.predicted);
    c.ends = spt__calloc(cv->ctx, (size_t)cv->k, sizeof *c.ends);
    if (status >= 0 && (c.predicted == NULL || c.ends == NULL)) status = spt__nomem(e);
    if (status >= 0)
        status = spt__parallel_events(cv->ctx, cv->k, c.pattern.most, sizeof(post), run_fold,
                                      on_post, &c, e);
    if (c.said == SPT_PRUNED) {
        /* The folds that were told are the same ones whatever thread was faster. */
        *loss = c.told_sum / (c.told > 0 ? c.told : 1);
        if (c.told == 0) *loss = NAN;
        status = SPT_PRUNED;
    } else if (c.said != SPT_OK && status >= 0) {
        status = c.said;
    } else if (status >= 0 && !all_done(&c)) {
        /* else asked for on the context */
        status = atomic_load(&c.overdue) ? SPT_STOP_TIME : SPT_STOP_HOST;
    } else if (status >= 0) {
        status = finish(&c, began, loss);
    }
    spt__cv_pattern_free(&c.pattern);
    spt__free(cv->ctx, c.predicted);
    spt__free(cv->ctx, c.ends);
    return status;
}
