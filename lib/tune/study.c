/* Opening a study, what is on record with it, ask. */
#include "study.h"

#include "../base/options.h"
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

/* Takes `user` over, also when it fails. */
static int32_t hang(spt_study *study, spt__hook *hook, void *user, spt_destroy_fn destroy)
{
    if (study->running) {
        if (destroy != NULL) destroy(user);
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
    SPT__REQUIRE(study != NULL);
    SPT__TRY(hang(study, &study->objective_hook, user, destroy));
    study->objective = fn;
    return SPT_OK;
}

int32_t spt_study_set_check(spt_study *study, spt_check_fn fn, void *user, spt_destroy_fn destroy)
{
    SPT__REQUIRE(study != NULL);
    SPT__TRY(hang(study, &study->check_hook, user, destroy));
    study->check = fn;
    return SPT_OK;
}

int32_t spt_study_set_events(spt_study *study, spt_event_fn fn, void *user, spt_destroy_fn destroy)
{
    SPT__REQUIRE(study != NULL);
    SPT__TRY(hang(study, &study->events_hook, user, destroy));
    study->events = fn;
    return SPT_OK;
}

/* ---- opening ---- */

/* The space on record must be the one given. */
static int32_t same_space(spt_study *s, const spt_space *given)
{
    spt_space *then = NULL;
    spt__buf why;
    spt__buf_init(&why, s->ctx);
    int32_t status = spt__store_space(s->store, s->id, &then, NULL);
    if (status >= 0 && !spt__space_same(given, then, &why))
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
    bool made = false, inferred = false;
    if (space == NULL) {
        SPT__TRY(spt__store_find_study(s->store, s->name, &s->id));
        SPT__TRY(spt__store_space(s->store, s->id, &s->space, &inferred));
        if (inferred)
            return spt__fail(
                &s->ctx->err, SPT_EUNSUPPORTED,
                "study '%s' was made by another program; it can be read, but not gone on "
                "with",
                s->name);
        return SPT_OK;
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

static int32_t open_study(spt_study *s, const spt_space *space, const spt_options *sampler)
{
    int64_t failed = 0;
    SPT__TRY(find_or_make(s, space));
    SPT__TRY(spt__sampler_new(s->ctx, s->space, sampler, &s->sampler, &s->ctx->err));
    SPT__TRY(spt__store_fail_stale(s->store, s->id, SPT__STALE_SECONDS, "abandoned", &failed));
    if (failed > 0)
        spt__log(s->ctx, SPT_LOG_INFO,
                 "%lld trials of study '%s' were left unfinished by programs that are gone",
                 (long long)failed, s->name);
    SPT__TRY(tell_change(s, "library", "version", spt_version()));
    SPT__TRY(tell_change(s, "kernels", "the kernels", spt_ctx_kernels(s->ctx)));
    return spt__history_open(s->store, s->id, s->space, &s->history);
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

int32_t spt__study_refresh(spt_study *s)
{
    return spt__history_refresh(s->store, s->history);
}

int32_t spt_study_history(spt_study *s, spt_history **out)
{
    spt_history *h = NULL;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    /* Read anew, and not a copy of ours: the records are in it. */
    SPT__TRY(spt__history_open(s->store, s->id, s->space, &h));
    *out = h;
    return SPT_OK;
}

/* ---- ask ---- */

int64_t spt__row_sequence(const spt__row *row)
{
    int64_t sequence;
    for (int64_t i = 0; i < row->n_attrs; i++)
        if (strcmp(row->attrs[i].key, "sequence") == 0 &&
            spt__parse_int64(row->attrs[i].text, strlen(row->attrs[i].text), &sequence) &&
            sequence >= 0)
            return sequence;
    return row->number;
}

/* What the sampler sees: one entry per trial. */
typedef struct entry {
    const spt__row *row;
    int64_t sequence;
    bool finished;
} entry;

static int by_sequence(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->finished != y->finished) return x->finished ? -1 : 1;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    return x->row->number < y->row->number ? -1 : x->row->number > y->row->number;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The trials that count or run, in the sampler's order, and the lowest sequence number that none of
 * them has. */
static int32_t collect(spt_study *s, entry **out, int64_t *count, int64_t *next)
{
    int64_t n, used = 0;
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    entry *entries = spt__alloc(s->ctx, (size_t)n, sizeof *entries);
    int64_t *sequences = spt__alloc(s->ctx, (size_t)n, sizeof *sequences);
    if (entries == NULL || sequences == NULL) {
        spt__free(s->ctx, entries);
        spt__free(s->ctx, sequences);
        return spt__nomem(&s->ctx->err);
    }
    for (int64_t i = 0; i < n; i++) {
        const bool finished = spt__row_counts(rows[i]);
        if (!finished && rows[i]->state != SPT_TRIAL_RUNNING) continue;
        sequences[used] = spt__row_sequence(rows[i]);
        entries[used] = (entry){rows[i], sequences[used], finished};
        used++;
    }
    qsort(entries, (size_t)used, sizeof *entries, by_sequence);
    qsort(sequences, (size_t)used, sizeof *sequences, by_value);
    *next = 0;
    for (int64_t i = 0; i < used && sequences[i] <= *next; i++)
        if (sequences[i] == *next) *next += 1;
    spt__free(s->ctx, sequences);
    *out = entries;
    *count = used;
    return SPT_OK;
}

static int32_t accept(const spt_config *config, void *arg)
{
    spt_study *s = arg;
    return s->check != NULL ? s->check(config, s->check_hook.user) : SPT_OK;
}

static int32_t propose(spt_study *s, const entry *entries, int64_t n, int64_t sequence,
                       spt_config **config)
{
    const size_t p = (size_t)s->space->n;
    double *values = spt__alloc(s->ctx, (size_t)n * p, sizeof *values);
    double *loss = spt__alloc(s->ctx, (size_t)n, sizeof *loss);
    int32_t *state = spt__alloc(s->ctx, (size_t)n, sizeof *state);
    int64_t *order = spt__alloc(s->ctx, (size_t)n, sizeof *order);
    int64_t *steps = spt__alloc(s->ctx, (size_t)n, sizeof *steps);
    int32_t status;
    if (values == NULL || loss == NULL || state == NULL || order == NULL || steps == NULL) {
        status = spt__nomem(&s->ctx->err);
    } else {
        int64_t used = 0;
        for (int64_t i = 0; i < n; i++) {
            const spt__row *row = entries[i].row;
            if (row->config == NULL) continue;
            memcpy(values + (size_t)used * p, row->config->value, p * sizeof *values);
            state[used] = row->state;
            loss[used] = row->state == SPT_TRIAL_COMPLETE || row->state == SPT_TRIAL_PRUNED
                             ? row->value
                             : INFINITY;
            if (isnan(loss[used])) loss[used] = INFINITY;
            steps[used] = row->n_steps;
            order[used++] = entries[i].sequence;
        }
        const spt__view view = {.n = used,
                                .n_params = s->space->n,
                                .values = values,
                                .loss = loss,
                                .state = state,
                                .sequence = order,
                                .steps = steps};
        status = spt__sampler_propose(s->sampler, &view, sequence, accept, s, config, &s->ctx->err);
    }
    spt__free(s->ctx, values);
    spt__free(s->ctx, loss);
    spt__free(s->ctx, state);
    spt__free(s->ctx, order);
    spt__free(s->ctx, steps);
    return status;
}

/* Takes the configuration, also when it fails. */
static int32_t start(spt_study *s, spt_config *config, int64_t sequence, spt_trial **out)
{
    char text[32];
    spt_trial *t = spt__calloc(s->ctx, 1, sizeof *t);
    if (t == NULL) {
        spt_config_free(config);
        return spt__nomem(&s->ctx->err);
    }
    s->refs++;
    t->study = s;
    t->config = config;
    t->sequence = sequence;
    t->state = SPT_TRIAL_RUNNING;
    t->value = NAN;
    spt__format(text, sizeof text, "%lld", (long long)sequence);
    const spt__attr attr = {"sequence", text};
    const int32_t status =
        spt__store_trial_new(s->store, s->id, config, &attr, 1, &t->id, &t->number);
    if (status < 0) {
        t->told = true; /* there is nothing to tell */
        spt_trial_free(t);
        return status;
    }
    *out = t;
    return SPT_OK;
}

int32_t spt_study_ask(spt_study *s, spt_trial **out)
{
    entry *entries = NULL;
    spt_config *config = NULL;
    int64_t n, sequence;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__study_refresh(s));
    SPT__TRY(collect(s, &entries, &n, &sequence));
    const int32_t status = propose(s, entries, n, sequence, &config);
    spt__free(s->ctx, entries);
    return status != SPT_OK ? status : start(s, config, sequence, out);
}

int32_t spt_study_ask_given(spt_study *s, const spt_config *config, spt_trial **out)
{
    entry *entries = NULL;
    spt_config *copy = NULL;
    int64_t n, sequence;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    if (config == NULL) return spt__fail(&s->ctx->err, SPT_EINVAL, "the configuration is NULL");
    if (config->space != s->space) {
        spt__buf why;
        spt__buf_init(&why, s->ctx);
        const bool same = spt__space_same(config->space, s->space, &why);
        if (!same)
            spt__fail(&s->ctx->err, SPT_EMISMATCH, "the configuration is of another space: %s",
                      why.data != NULL ? why.data : "");
        spt__buf_free(&why);
        if (!same) return SPT_EMISMATCH;
    }
    SPT__TRY(spt_config_check(config));
    if (s->check != NULL) SPT__TRY(s->check(config, s->check_hook.user));
    SPT__TRY(spt__config_from_values(s->ctx, s->space, config->value, &copy, &s->ctx->err));
    int32_t status = spt__study_refresh(s);
    if (status >= 0) status = collect(s, &entries, &n, &sequence);
    spt__free(s->ctx, entries);
    if (status < 0) {
        spt_config_free(copy);
        return status;
    }
    return start(s, copy, sequence, out);
}
