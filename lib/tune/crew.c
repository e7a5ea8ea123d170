/* Trials in flight: threads, turns, and the end of a trial. */
#include "flight.h"

#include <math.h>

/* ---- turns, under the lock ----------------------------------------------------------------- */

/* No fold of it will start any more, and none runs. */
static bool is_over(const spt__flight *f)
{
    const int32_t k = f->crew->cv->k;
    return f->running == 0 && (f->next >= k || f->next > f->failed || atomic_load(&f->give_up));
}

static bool may_start(const spt__crew *c, const spt__flight *f)
{
    if (f->deferred || f->begun < 0 || f->next >= c->cv->k || f->next > f->failed ||
        atomic_load(&f->give_up))
        return false;
    return c->room == 0 || c->running == 0 || c->bytes + f->pattern.bytes <= c->room;
}

/* The fold to start now. With a pruner the trial that has the fewest folds running ahead of their
 * verdict comes first, as those may be in vain; else the oldest. */
static spt__flight *claim(spt__crew *c, int32_t *place)
{
    spt__flight *best = NULL;
    const bool prunes = c->study->rules.prune.kind != SPT__PRUNE_NONE;
    for (spt__flight *f = c->flights; f != NULL; f = f->next_flight) {
        if (!may_start(c, f)) continue;
        if (best == NULL || (prunes && f->next - f->decided < best->next - best->decided)) best = f;
    }
    if (best == NULL) return NULL;
    if (best->next == 0) best->trial->began = spt__now();
    *place = best->next++;
    best->running++;
    c->running++;
    c->bytes += best->pattern.bytes;
    return best;
}

/* Look at the folds that are done, in order, as far as they reach. */
static void decide(spt__flight *f)
{
    const spt_cv *cv = f->crew->cv;
    const spt_trial *t = f->trial;
    while (f->decided < cv->k && f->ends[f->decided].done && f->pruned == cv->k) {
        f->steps[f->decided] = cv->order[f->decided];
        f->values[f->decided] = f->ends[f->decided].rmse;
        f->decided++;
        if (f->decided == cv->k || t->repeats || spt__prunes_epochs(&f->crew->study->rules.prune))
            continue;
        const spt__curve own = {.steps = f->steps, .values = f->values, .n = f->decided};
        f->verdict = spt__prune(&f->crew->study->rules.prune, &own, t->peers, t->n_peers);
        if (!f->verdict.prune) continue;
        f->pruned = f->decided - 1;
        atomic_store(&f->give_up, 1);
    }
}

static void settle(spt__flight *f, int32_t place, int32_t status, const spt__fold_end *end,
                   const spt__err *e)
{
    spt__crew *c = f->crew;
    f->running--;
    c->running--;
    c->bytes -= f->pattern.bytes;
    f->ended[place] = true;
    f->ends[place] = *end;
    if (status < 0 && place < f->failed) {
        f->failed = place;
        f->err = *e;
        f->err.status = status;
    } else if (status >= 0 && !f->ends[place].done) {
        atomic_store(&f->give_up, 1); /* stopped */
    }
    decide(f);
    spt__mutex_wake(c->lock);
}

/* ---- threads ------------------------------------------------------------------------------- */

static int32_t run_fold(spt__flight *f, int32_t place, spt__fold_end *end, spt__err *e)
{
    e->status = SPT_OK;
    e->text[0] = '\0';
    *end = (spt__fold_end){.done = false};
    return spt__flight_fold(f, place, end, e);
}

static void work(void *arg)
{
    spt__crew *c = arg;
    spt__fold_end end;
    spt__err e;
    int32_t place;
    spt__mutex_lock(c->lock);
    while (!c->closing) {
        spt__flight *f = claim(c, &place);
        if (f == NULL) {
            spt__mutex_wait(c->lock);
            continue;
        }
        spt__mutex_unlock(c->lock);
        const int32_t status = run_fold(f, place, &end, &e);
        spt__mutex_lock(c->lock);
        settle(f, place, status, &end, &e);
    }
    spt__mutex_unlock(c->lock);
}

int32_t spt__crew_new(spt_cv *cv, spt_study *study, int32_t most, spt__crew **out)
{
    spt_ctx *ctx = cv->ctx;
    *out = NULL;
    spt__crew *c = spt__calloc(ctx, 1, sizeof *c);
    if (c == NULL) return spt__nomem(&ctx->err);
    c->ctx = ctx;
    c->cv = cv;
    c->study = study;
    c->last_alive = spt__now();
    c->lock = spt__mutex_new(ctx);
    if (c->lock == NULL) {
        spt__free(ctx, c);
        return spt__nomem(&ctx->err);
    }
    const int64_t folds = (int64_t)most * cv->k;
    const int32_t threads = folds < ctx->threads ? (int32_t)folds : ctx->threads;
    if (threads > 1) c->team = spt__team_new(ctx, threads, work, c);
    *out = c;
    return SPT_OK;
}

static void free_flight(spt__flight *f)
{
    spt_ctx *ctx = f->crew->ctx;
    for (int32_t i = 0; f->first != NULL && i < f->crew->cv->k; i++)
        while (f->first[i] != NULL) {
            spt__fold_post *next = f->first[i]->next;
            spt__free(ctx, f->first[i]);
            f->first[i] = next;
        }
    spt__cv_pattern_free(&f->pattern);
    spt__free(ctx, f->predicted);
    spt__free(ctx, f->ends);
    spt__free(ctx, f->ended);
    spt__free(ctx, (void *)f->first);
    spt__free(ctx, (void *)f->last);
    spt__free(ctx, f->steps);
    spt__free(ctx, f->values);
    spt__free(ctx, f);
}

/* Memory that folds may take beside what lies there anyhow. Under the lock. */
static void measure_room(spt__crew *c)
{
    const int64_t limit = c->ctx->memory_limit;
    int64_t beside = 0;
    c->room = 0;
    if (limit == 0) return;
    for (const spt__flight *f = c->flights; f != NULL; f = f->next_flight)
        beside += f->pattern.beside;
    c->room = limit - spt__fit_channel_bytes(c->cv->n, c->cv->p, c->cv->x_mask) - beside;
    if (c->room < 1) c->room = 1; /* one fold at a time goes on all the same */
}

/* Take the flight from the list and free it, when none of its folds runs any more. */
static void leave(spt__flight *f)
{
    spt__crew *c = f->crew;
    spt__mutex_lock(c->lock);
    atomic_store(&f->give_up, 1);
    while (f->running > 0)
        spt__mutex_wait(c->lock);
    for (spt__flight **at = &c->flights; *at != NULL; at = &(*at)->next_flight)
        if (*at == f) {
            *at = f->next_flight;
            break;
        }
    measure_room(c);
    spt__mutex_unlock(c->lock);
    free_flight(f);
}

void spt__crew_free(spt__crew *c)
{
    if (c == NULL) return;
    while (c->flights != NULL)
        leave(c->flights);
    spt__mutex_lock(c->lock);
    c->closing = true;
    spt__mutex_wake(c->lock);
    spt__mutex_unlock(c->lock);
    spt__team_join(c->team);
    spt__mutex_free(c->ctx, c->lock);
    spt__free(c->ctx, c);
}

/* ---- one trial ----------------------------------------------------------------------------- */

static spt__flight *find(const spt__crew *c, const spt_trial *trial)
{
    spt__flight *f = c->flights;
    while (f != NULL && f->trial != trial)
        f = f->next_flight;
    return f;
}

static void init_pattern(spt__flight *f)
{
    spt_ctx *ctx = f->crew->ctx;
    const spt__err before = ctx->err;
    f->begun =
        spt__cv_pattern_init(f->crew->cv, f->trial->config, f->trial->sequence, 0, 0, &f->pattern);
    if (f->begun >= 0) return;
    f->err = ctx->err;
    ctx->err = before; /* until the trial's turn comes */
}

/* Its turn has come, and it is the oldest. */
static void begin_deferred(spt__flight *f)
{
    spt__crew *c = f->crew;
    if (!f->deferred) return;
    init_pattern(f);
    spt__mutex_lock(c->lock);
    f->deferred = false;
    measure_room(c);
    spt__mutex_wake(c->lock);
    spt__mutex_unlock(c->lock);
}

int32_t spt__flight_begin(spt__crew *c, spt_trial *trial)
{
    spt_ctx *ctx = c->ctx;
    const size_t k = (size_t)c->cv->k;
    spt__flight *f = spt__calloc(ctx, 1, sizeof *f);
    if (f == NULL) return spt__nomem(&ctx->err);
    f->crew = c;
    f->trial = trial;
    f->failed = f->pruned = c->cv->k;
    f->lowest = INFINITY;
    f->predicted = spt__calloc(ctx, (size_t)c->cv->n, sizeof *f->predicted);
    f->ends = spt__calloc(ctx, k, sizeof *f->ends);
    f->ended = spt__calloc(ctx, k, sizeof *f->ended);
    f->first = spt__calloc(ctx, k, sizeof *f->first);
    f->last = spt__calloc(ctx, k, sizeof *f->last);
    f->steps = spt__calloc(ctx, k, sizeof *f->steps);
    f->values = spt__calloc(ctx, k, sizeof *f->values);
    if (f->predicted == NULL || f->ends == NULL || f->ended == NULL || f->first == NULL ||
        f->last == NULL || f->steps == NULL || f->values == NULL) {
        free_flight(f);
        return spt__nomem(&ctx->err);
    }
    /* How much one trial needs beside others is not known before its network is made, so under a
     * limit trials run one after the other, each with as many folds at a time as fit. */
    f->deferred = ctx->memory_limit > 0 && c->flights != NULL;
    if (!f->deferred) init_pattern(f);
    spt__mutex_lock(c->lock);
    spt__flight **at = &c->flights;
    while (*at != NULL)
        at = &(*at)->next_flight;
    *at = f;
    measure_room(c);
    spt__mutex_wake(c->lock);
    spt__mutex_unlock(c->lock);
    return SPT_OK;
}

spt_trial *spt__crew_next(spt__crew *c, bool any)
{
    spt__mutex_lock(c->lock);
    spt__flight *f = c->flights;
    while (any && c->team != NULL && c->ctx->memory_limit == 0 && f != NULL && f->begun >= 0 &&
           !is_over(f)) {
        f = f->next_flight;
        if (f != NULL) continue;
        spt__mutex_wait(c->lock);
        f = c->flights;
    }
    spt_trial *trial = f != NULL ? f->trial : NULL;
    spt__mutex_unlock(c->lock);
    return trial;
}

int32_t spt__flight_post(spt__flight *f, int32_t place, const spt__fold_post *post)
{
    spt__crew *c = f->crew;
    if (c->team == NULL) {
        spt__flight_tell(f, place, post);
        return SPT_OK;
    }
    spt__fold_post *p = spt__alloc(c->ctx, 1, sizeof *p);
    if (p == NULL) return SPT_ENOMEM;
    *p = *post;
    p->next = NULL;
    spt__mutex_lock(c->lock);
    if (f->first[place] != NULL)
        f->last[place]->next = p;
    else
        f->first[place] = p;
    f->last[place] = p;
    spt__mutex_wake(c->lock);
    spt__mutex_unlock(c->lock);
    return SPT_OK;
}

/* Hand out the posts of a place until its fold has ended. */
static void listen(spt__flight *f, int32_t place)
{
    spt__crew *c = f->crew;
    spt__mutex_lock(c->lock);
    for (;;) {
        while (f->first[place] != NULL && f->said == SPT_OK) {
            spt__fold_post *p = f->first[place];
            f->first[place] = p->next;
            spt__mutex_unlock(c->lock);
            spt__flight_tell(f, place, p);
            spt__free(c->ctx, p);
            spt__mutex_lock(c->lock);
        }
        if (f->said != SPT_OK || f->ended[place]) break;
        if (place >= f->next && atomic_load(&f->give_up)) break;
        spt__mutex_wait(c->lock);
    }
    spt__mutex_unlock(c->lock);
}

/* On one thread the fold is run here. */
static void run_here(spt__flight *f, int32_t place)
{
    spt__fold_end end;
    spt__err e;
    if (atomic_load(&f->give_up)) return;
    f->next = place + 1;
    f->running++;
    f->crew->running++;
    f->crew->bytes += f->pattern.bytes;
    if (place == 0) f->trial->began = spt__now();
    const int32_t status = run_fold(f, place, &end, &e);
    spt__mutex_lock(f->crew->lock);
    settle(f, place, status, &end, &e);
    spt__mutex_unlock(f->crew->lock);
}

static int32_t finish(spt__flight *f, double *loss)
{
    spt__crew *c = f->crew;
    spt__err *e = &c->ctx->err;
    *loss = NAN;
    if (f->begun < 0) {
        *e = f->err;
        return f->begun;
    }
    for (int32_t place = 0; place < c->cv->k; place++) {
        if (c->team == NULL)
            run_here(f, place);
        else
            listen(f, place);
        spt__mutex_lock(c->lock);
        const bool failed = f->failed <= place, pruned = f->pruned <= place;
        spt__mutex_unlock(c->lock);
        if (f->said == SPT_PRUNED) return spt__flight_keep_part(f, NULL, loss);
        if (f->said != SPT_OK) return f->said;
        if (failed) {
            *e = f->err;
            return f->err.status;
        }
        if (pruned) return spt__flight_keep_part(f, &f->verdict, loss);
        if (f->ends[place].done) continue;
        if (f->rung_verdict.prune) return spt__flight_keep_part(f, &f->rung_verdict, loss);
        return atomic_load(&f->overdue) ? SPT_STOP_TIME : SPT_STOP_HOST;
    }
    return spt__flight_keep(f, loss);
}

int32_t spt__flight_finish(spt__crew *c, const spt_trial *trial, double *loss)
{
    spt__flight *f = find(c, trial);
    begin_deferred(f);
    const int32_t answer = finish(f, loss);
    leave(f);
    return answer;
}

void spt__flight_drop(spt__crew *c, const spt_trial *trial)
{
    spt__flight *f = find(c, trial);
    if (f != NULL) leave(f); /* else memory ran out when it was to begin */
}
