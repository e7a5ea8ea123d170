/* One fold of a cross-validation: its job, its score, what it tells. */
#include "flight.h"

#include <math.h>
#include <string.h>

enum {
    ALIVE_SECONDS = 30,
    SCORED_ROWS = 1024 /* between two looks whether to stop */
};

typedef struct epoch_arg {
    spt__flight *flight;
    int32_t place;
    double last_alive;
} epoch_arg;

/* ---- on the thread of a fold ---- */

/* At a rung: is it clear by now? Values are kept whatever the rule, for trials to come. */
static void look_at_rung(spt__flight *f, const spt_epoch *epoch)
{
    spt__prune_rule rule = f->crew->study->rules.prune;
    if (epoch->watched < f->lowest) f->lowest = epoch->watched;
    if (f->n_rungs == SPT__RUNGS || epoch->epoch != spt__rung_epochs[f->n_rungs]) return;
    f->rungs[f->n_rungs++] = f->lowest;
    if (!spt__prunes_epochs(&rule) || f->trial->rung_peers == NULL || f->trial->repeats) return;
    rule.every = true;
    const spt__curve own = {.steps = spt__rung_epochs, .values = f->rungs, .n = f->n_rungs};
    f->rung_verdict = spt__prune(&rule, &own, f->trial->rung_peers, f->trial->n_peers);
    if (f->rung_verdict.prune) atomic_store(&f->give_up, 1);
}

static int32_t on_epoch(const spt_epoch *epoch, void *user)
{
    epoch_arg *a = user;
    spt__flight *f = a->flight;
    if (atomic_load_explicit(&f->give_up, memory_order_relaxed)) return SPT_STOP_HOST;
    if (spt__trial_overdue(f->trial)) {
        atomic_store(&f->overdue, 1);
        atomic_store(&f->give_up, 1);
        return SPT_STOP_HOST;
    }
    if (a->place == 0) look_at_rung(f, epoch);
    const double now = spt__now();
    if (f->crew->study->events != NULL) {
        const spt__fold_post p = {.kind = SPT__POST_EPOCH, .epoch = *epoch};
        SPT__TRY(spt__flight_post(f, a->place, &p));
    } else if (now - a->last_alive > ALIVE_SECONDS) {
        const spt__fold_post p = {.kind = SPT__POST_ALIVE};
        a->last_alive = now;
        SPT__TRY(spt__flight_post(f, a->place, &p));
    }
    return a->place == 0 && f->rung_verdict.prune ? SPT_STOP_HOST : SPT_OK;
}

/* Predict the scored rows and put them where they belong. */
static int32_t score(spt__flight *f, const spt__fit_result *result, const int64_t *rows, int64_t n,
                     spt__fold_end *end, spt__err *e)
{
    spt_cv *cv = f->crew->cv;
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
        f->predicted[rows[i]] = z[i];
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

int32_t spt__flight_fold(spt__flight *f, int32_t place, spt__fold_end *out, spt__err *e)
{
    spt_cv *cv = f->crew->cv;
    const int32_t fold = cv->order[place];
    spt__fit_job job;
    spt__fit_result result = {0};
    epoch_arg a = {f, place, spt__now()};
    spt__fold_end end = {.done = false};
    if (atomic_load_explicit(&f->give_up, memory_order_relaxed)) return SPT_OK;
    int64_t *rows = spt__alloc(cv->ctx, (size_t)cv->n, sizeof *rows);
    if (rows == NULL) return spt__nomem(e);
    spt__cv_job(cv, &f->pattern, fold, rows, &job);
    job.fn = on_epoch;
    job.user = &a;
    int32_t status = spt__fit_run(&job, &result, e);
    if (status == SPT_OK) {
        end.epochs = result.report.epochs;
        end.best = result.report.best;
        status = score(f, &result, rows + job.n_train, cv->n - job.n_train, &end, e);
    }
    if (status == SPT_OK) {
        end.done = true;
        const spt__fold_post p = {.kind = SPT__POST_FOLD, .end = end};
        status = spt__flight_post(f, place, &p);
        if (status < 0)
            spt__nomem(e);
        else
            *out = end;
    }
    spt__fit_release(&result);
    spt__free(cv->ctx, rows);
    if (status < 0) return spt__fail_prefix(e, "fold %d of %d: ", (int)fold + 1, (int)cv->k);
    return SPT_OK; /* a stop is seen on the context, or was the host's word */
}

/* ---- on the caller's thread ---- */

static int32_t tell_epoch(spt__flight *f, int32_t place, const spt_epoch *epoch)
{
    spt_event event;
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_EPOCH;
    event.fold = f->crew->cv->order[place];
    event.place = place;
    event.folds = f->crew->cv->k;
    event.epoch = epoch->epoch;
    event.epochs = epoch->epochs;
    event.loss = epoch->loss;
    event.watched = epoch->watched;
    return spt__study_emit(f->crew->study, f->trial, &event);
}

static int32_t tell_fold(spt__flight *f, int32_t place, const spt__fold_end *end)
{
    const int32_t fold = f->crew->cv->order[place];
    spt_event event;
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_FOLD_END;
    event.fold = fold;
    event.place = place;
    event.folds = f->crew->cv->k;
    event.epoch = end->epochs;
    event.loss = end->rmse;
    event.watched = NAN;
    /* that time is over is seen where epochs end */
    const int32_t stored = spt_trial_report(f->trial, fold, end->rmse);
    if (stored < 0) return stored;
    f->told++;
    f->told_sum += end->rmse;
    return spt__study_emit(f->crew->study, f->trial, &event);
}

/* All trials in flight are at work, also those whose turn to tell has not come. */
static int32_t beat(spt__crew *c)
{
    const double now = spt__now();
    if (now - c->last_alive <= ALIVE_SECONDS) return SPT_OK;
    c->last_alive = now;
    for (const spt__flight *f = c->flights; f != NULL; f = f->next_flight)
        SPT__TRY(spt__store_trial_alive(c->study->store, f->trial->id));
    return SPT_OK;
}

void spt__flight_tell(spt__flight *f, int32_t place, const spt__fold_post *p)
{
    if (f->said != SPT_OK) return;
    if (p->kind == SPT__POST_EPOCH)
        f->said = tell_epoch(f, place, &p->epoch);
    else if (p->kind == SPT__POST_FOLD)
        f->said = tell_fold(f, place, &p->end);
    if (f->said == SPT_OK) f->said = beat(f->crew);
    if (f->said != SPT_OK) atomic_store(&f->give_up, 1);
}

/* ---- what the jobs have in common ---- */

/* How many jobs fit into the limit. What any job takes at most is what one takes that trains on all
 * rows. */
static int32_t plan_memory(spt_cv *cv, int32_t kept, spt__cv_pattern *pattern)
{
    const int64_t limit = cv->ctx->memory_limit;
    if (limit == 0) return SPT_OK;
    const int64_t channels = spt__fit_channel_bytes(cv->n, cv->p, cv->x_mask);
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
    pattern->beside = (1 + kept) * network + 64 * cv->n;
    pattern->bytes = spt__fit_memory(&largest);
    SPT__TRY(spt__fit_check_memory(&largest, channels + pattern->beside, &cv->ctx->err));
    const int64_t most = (limit - channels - pattern->beside) / pattern->bytes;
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

/* ---- the objective ---- */

int32_t spt_cv_objective(spt_trial *trial, double *loss, void *user)
{
    spt_cv *cv = user;
    spt__crew *crew = NULL;
    SPT__REQUIRE(trial != NULL && loss != NULL && cv != NULL);
    *loss = NAN;
    SPT__TRY(spt__crew_new(cv, trial->study, 1, &crew));
    int32_t status = spt__flight_begin(crew, trial);
    if (status >= 0) status = spt__flight_finish(crew, trial, loss);
    spt__crew_free(crew);
    return status;
}
