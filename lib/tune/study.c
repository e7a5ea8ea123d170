/* Opening a study, what is on record with it, its trials as of now. */
#include "study.h"

#include "../base/threads.h"
#include "../space/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- hooks ---- */

static void drop(spt__hook *hook)
{
    const spt__hook old = *hook;
    *hook = (spt__hook){NULL, NULL};
    if (old.destroy != NULL) old.destroy(old.user);
}

/* Takes `user` over, also when it fails; `hook` is one of the study's. */
static int32_t hang(spt_study *study, spt__hook *hook, void *user, spt_destroy_fn destroy)
{
    if (study == NULL || study->running) {
        if (destroy != NULL) destroy(user);
        SPT__REQUIRE(study != NULL);
        return spt__fail(&study->ctx->err, SPT_EBUSY,
                         "the study is running; callbacks are set before");
    }
    drop(hook);
    *hook = (spt__hook){user, destroy};
    return SPT_OK;
}

int32_t spt_study_set_objective(spt_study *study, spt_objective_fn fn, void *user,
                                spt_destroy_fn destroy)
{
    SPT__TRY(hang(study, study != NULL ? &study->objective_hook : NULL, user, destroy));
    study->objective = fn;
    study->cv = NULL;
    return SPT_OK;
}

int32_t spt_study_set_check(spt_study *study, spt_check_fn fn, void *user, spt_destroy_fn destroy)
{
    SPT__TRY(hang(study, study != NULL ? &study->check_hook : NULL, user, destroy));
    study->check = fn;
    return SPT_OK;
}

int32_t spt_study_set_sampler(spt_study *s, spt_sampler *sampler)
{
    spt__buf why;
    SPT__REQUIRE(s != NULL && sampler != NULL);
    spt__err *e = &s->ctx->err;
    if (s->running) return spt__fail(e, SPT_EBUSY, "the study is running");
    if (sampler->ctx != s->ctx)
        return spt__fail(e, SPT_EINVAL, "the sampler is of another context than the study");
    spt__buf_init(&why, s->ctx);
    int32_t status = SPT_OK;
    if (!spt__space_same(sampler->space, s->space, &why))
        status = why.failed
                     ? spt__nomem(e)
                     : spt__fail(e, SPT_EMISMATCH, "the sampler has another space: %s", why.data);
    spt__buf_free(&why);
    if (status < 0) return status;
    spt__sampler *before = s->sampler;
    s->sampler = spt__sampler_ref(sampler);
    s->seen.source = ++sampler->sources;
    spt__sampler_free(before);
    return SPT_OK;
}

int32_t spt_study_set_events(spt_study *study, spt_event_fn fn, void *user, spt_destroy_fn destroy)
{
    SPT__TRY(hang(study, study != NULL ? &study->events_hook : NULL, user, destroy));
    study->events = fn;
    return SPT_OK;
}

/* ---- opening ---- */

/* The space on record must be the one given. One that another program made has none: then what its
 * trials hold must have a place in the one given, which goes on record. */
static int32_t same_space(spt_study *s, const spt_space *given)
{
    spt_space *then = NULL;
    bool inferred = false;
    spt__buf why;
    spt__buf_init(&why, s->ctx);
    int32_t status = spt__store_space(s->store, s->id, &then, &inferred);
    if (status >= 0 && inferred)
        status = spt__store_adopt_space(s->store, s->id, given);
    else if (status >= 0 && !spt__space_same(given, then, &why))
        status = why.failed
                     ? spt__nomem(&s->ctx->err)
                     : spt__fail(&s->ctx->err, SPT_EMISMATCH,
                                 "study '%s' was made with another space: %s", s->name, why.data);
    spt__buf_free(&why);
    spt_space_free(then);
    return status;
}

static int32_t find_or_make(spt_study *s, const spt_space *space)
{
    bool made = false;
    if (space == NULL) {
        SPT__TRY(spt__store_find_study(s->store, s->name, &s->id));
        SPT__TRY(spt__store_space(s->store, s->id, &s->space, &s->foreign));
        if (s->foreign && spt_space_count(s->space) == 0)
            return spt__fail(&s->ctx->err, SPT_EINVAL,
                             "study '%s' was made by another program and has no trial yet that"
                             " tells its space; a space must be given",
                             s->name);
        return spt__space_freeze(s->space, &s->ctx->err);
    }
    SPT__TRY(spt__store_make_study(s->store, s->name, space, &s->id, &made));
    if (!made) SPT__TRY(same_space(s, space));
    s->space = spt__space_ref(space);
    return SPT_OK;
}

/* What may change the last bits (another version of the library, other kernels) is told, not
 * refused. */
static int32_t tell_change(spt_study *s, const char *record, const char *words, const char *now)
{
    char *then = NULL;
    SPT__TRY(spt__store_record(s->store, s->id, record, &then));
    const bool same = then != NULL && strcmp(then, now) == 0;
    if (then != NULL && !same)
        spt__log(s->ctx, SPT_LOG_WARNING, "study '%s' was last worked on with %s %s, now with %s",
                 s->name, words, then, now);
    spt__free(s->ctx, then);
    return same ? SPT_OK : spt__store_set_record(s->store, s->id, record, now);
}

int32_t spt__study_sweep(spt_study *s, double seconds)
{
    spt__stale sweep = {s->id, s->rules.grace, "abandoned", s->rules.retries, 0};
    const double now = spt__now();
    if (s->swept > 0 && now - s->swept < seconds) return SPT_OK;
    SPT__TRY(spt__store_fail_stale(s->store, &sweep));
    s->swept = now;
    if (sweep.failed > 0)
        spt__log(s->ctx, SPT_LOG_INFO,
                 "%lld trials of study '%s' were left unfinished by programs that are gone",
                 (long long)sweep.failed, s->name);
    return SPT_OK;
}

static int32_t open_study(spt_study *s, const spt_space *space, const spt_options *sampler)
{
    SPT__TRY(find_or_make(s, space));
    SPT__TRY(spt__sampler_new(s->ctx, s->space, sampler, &s->sampler, &s->ctx->err));
    s->seen.source = ++s->sampler->sources;
    SPT__TRY(tell_change(s, "library", "version", spt_version()));
    SPT__TRY(tell_change(s, "kernels", "the kernels", spt_ctx_kernels(s->ctx)));
    return spt__history_open(s->store, s->id, s->space, s->foreign, &s->history);
}

int32_t spt_study_open(spt_store *store, const char *name, const spt_space *space,
                       const spt_options *sampler, spt_study **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(store != NULL);
    spt_ctx *ctx = spt__store_ctx(store);
    spt_study *s = spt__calloc(ctx, 1, sizeof *s);
    if (s == NULL) return spt__nomem(&ctx->err);
    s->ctx = spt__ctx_ref(ctx);
    s->refs = 1;
    s->wanted = -1;
    s->tally.best = -1;
    spt__rules_init(&s->rules);
    s->store = spt__store_ref(store);
    s->name = spt__strdup(ctx, name != NULL ? name : "spectune");
    const int32_t status = s->name != NULL ? open_study(s, space, sampler) : spt__nomem(&ctx->err);
    if (status < 0) {
        spt_study_free(s);
        return status;
    }
    *out = s;
    return SPT_OK;
}

void spt_study_free(spt_study *s)
{
    if (s == NULL || --s->refs > 0) return;
    spt_ctx *ctx = s->ctx;
    drop(&s->objective_hook);
    drop(&s->check_hook);
    drop(&s->events_hook);
    spt_history_free(s->history);
    spt__free(ctx, s->marks);
    spt__seen_free(s);
    spt__sampler_free(s->sampler);
    spt_space_free(s->space);
    spt__free(ctx, s->name);
    spt_store_free(s->store);
    spt__free(ctx, s);
    spt__ctx_unref(ctx);
}

int32_t spt_study_pin(spt_study *s, const char *key, const char *text)
{
    SPT__REQUIRE(s != NULL);
    if (key == NULL || *key == '\0' || text == NULL)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a record needs a key and a text");
    return spt__store_pin(s->store, s->id, key, text);
}

int32_t spt_study_pin_block(spt_study *s, const char *key, const void *data, int64_t size)
{
    SPT__REQUIRE(s != NULL);
    if (key == NULL || *key == '\0' || size < 0 || (data == NULL && size > 0))
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a block needs a key and bytes");
    const spt__block block = {key, data, size};
    return spt__store_pin_block(s->store, s->id, &block);
}

static int64_t number_attribute(const spt__row *row, const char *key, int64_t otherwise)
{
    int64_t number;
    const char *text = spt__row_attribute(row, key);
    return text != NULL && spt__parse_int64(text, strlen(text), &number) && number >= 0 ? number
                                                                                        : otherwise;
}

int64_t spt__row_sequence(const spt__row *row)
{
    return number_attribute(row, "sequence", row->number);
}

static spt__mark mark_of(const spt__row *row)
{
    return (spt__mark){
        .row = row,
        .number = row->number,
        .sequence = spt__row_sequence(row),
        .queue = number_attribute(row, "queue", -1),
        .repeats = spt__row_repeats(row),
        .counts = spt__row_counts(row),
        .waits = row->state == SPT_TRIAL_WAITING,
        /* What another program runs may never end: nothing tells whether it does. */
        .works = row->state == SPT_TRIAL_RUNNING && spt__row_attribute(row, "sequence") != NULL,
        .settled = row->state != SPT_TRIAL_RUNNING && row->state != SPT_TRIAL_WAITING};
}

/* Add a mark to the tally (by 1) or take it out (by -1); one that is settled stays. */
static void count_mark(spt_study *s, int64_t index, int64_t by)
{
    const spt__mark *m = &s->marks[index];
    spt__tally *t = &s->tally;
    t->finished += by * m->counts;
    t->running += by * m->works;
    t->queued += by * (m->queue >= 0);
    t->waiting_again += by * (m->waits && m->repeats >= 0);
    if (by < 0 || !m->settled || m->row->state != SPT_TRIAL_COMPLETE || !isfinite(m->row->value))
        return;
    const double value = m->row->value;
    const double least = t->best >= 0 ? s->marks[t->best].row->value : 0;
    const bool better = spt__history_maximizes(s->history) ? value > least : value < least;
    if (t->best < 0 || better || (value == least && index < t->best)) t->best = index;
}

int32_t spt__study_refresh(spt_study *s)
{
    int64_t n;
    SPT__TRY(spt__history_refresh(s->store, s->history));
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    if (n > s->mark_capacity) {
        const int64_t capacity = n + n / 2 + 64;
        spt__mark *marks = spt__realloc(s->ctx, s->marks, (size_t)capacity, sizeof *marks);
        if (marks == NULL) return spt__nomem(&s->ctx->err);
        s->marks = marks;
        s->mark_capacity = capacity;
    }
    for (int64_t i = 0; i < n; i++) {
        if (i < s->n_marks) {
            if (s->marks[i].settled && s->marks[i].row == rows[i]) continue;
            count_mark(s, i, -1);
        }
        s->marks[i] = mark_of(rows[i]);
        count_mark(s, i, 1);
    }
    s->n_marks = n;
    return SPT_OK;
}

int32_t spt_study_history(spt_study *s, spt_history **out)
{
    spt_history *h = NULL;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__history_snapshot(s->history, &h));
    /* In the copy: a proposal may be at work on the rows of ours, and a callback of it asking. */
    const int32_t status = spt__history_renew(s->store, h);
    if (status < 0) {
        spt_history_free(h);
        return status;
    }
    *out = h;
    return SPT_OK;
}
