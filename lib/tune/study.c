/* Opening a study, what is on record with it, ask. */
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
    study->cv = NULL;
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
        const spt__row *row = rows[i];
        if (i < s->n_marks && s->marks[i].settled && s->marks[i].row == row) continue;
        s->marks[i] = (spt__mark){.row = row,
                                  .sequence = spt__row_sequence(row),
                                  .queue = number_attribute(row, "queue", -1),
                                  .counts = spt__row_counts(row),
                                  .settled = row->state != SPT_TRIAL_RUNNING &&
                                             row->state != SPT_TRIAL_WAITING};
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
    /* Read anew, and not a copy of ours: the records are in it. */
    SPT__TRY(spt__history_open(s->store, s->id, s->space, &h));
    *out = h;
    return SPT_OK;
}

/* ---- ask ---- */

static int by_sequence(const void *a, const void *b)
{
    const spt__entry *x = a, *y = b;
    if (x->finished != y->finished) return x->finished ? -1 : 1;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    return x->row->number < y->row->number ? -1 : x->row->number > y->row->number;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void spt__entries_sort(spt__entry *entries, int64_t n)
{
    int64_t i = 1;
    while (i < n && by_sequence(&entries[i - 1], &entries[i]) <= 0)
        i++;
    if (i >= n) return; /* the rule */
    qsort(entries, (size_t)n, sizeof *entries, by_sequence);
}

/* The trials that count or run, in the sampler's order, and the lowest sequence number that none of
 * them has. */
static int32_t collect(spt_study *s, spt__entry **out, int64_t *count, int64_t *next)
{
    int64_t used = 0;
    const int64_t n = s->n_marks;
    bool sorted = true;
    spt__entry *entries = spt__alloc(s->ctx, (size_t)n, sizeof *entries);
    int64_t *sequences = spt__alloc(s->ctx, (size_t)n, sizeof *sequences);
    if (entries == NULL || sequences == NULL) {
        spt__free(s->ctx, entries);
        spt__free(s->ctx, sequences);
        return spt__nomem(&s->ctx->err);
    }
    for (int64_t i = 0; i < n; i++) {
        const spt__mark *m = &s->marks[i];
        if (!m->counts && m->row->state != SPT_TRIAL_RUNNING) continue;
        sequences[used] = m->sequence;
        entries[used] = (spt__entry){m->row, m->sequence, m->counts};
        sorted = sorted && (used == 0 || sequences[used - 1] <= sequences[used]);
        used++;
    }
    if (!sorted) qsort(sequences, (size_t)used, sizeof *sequences, by_value);
    *next = 0;
    for (int64_t i = 0; i < used && sequences[i] <= *next; i++)
        if (sequences[i] == *next) *next += 1;
    spt__free(s->ctx, sequences);
    /* With K in flight trial n knows how those up to n - K ended, not those between, whether or not
     * they have ended by now. */
    if (s->rules.wait && s->rules.in_flight > 0)
        for (int64_t i = 0; i < used; i++)
            if (entries[i].sequence > *next - s->rules.in_flight) entries[i].finished = false;
    spt__entries_sort(entries, used);
    *out = entries;
    *count = used;
    return SPT_OK;
}

/* Who asks, for the check of a proposal. */
typedef struct asker {
    spt_study *study;
    const spt__entry *entries;
    int64_t n, refused; /* as duplicates */
} asker;

enum { DUPLICATES_AVOIDED = 100 };

static bool is_duplicate(const asker *a, const spt_config *config)
{
    for (int64_t i = 0; i < a->n; i++)
        if (a->entries[i].row->config != NULL &&
            spt__config_same_values(config, a->entries[i].row->config))
            return true;
    return false;
}

static int32_t accept_proposal(const spt_config *config, void *arg)
{
    asker *a = arg;
    spt_study *s = a->study;
    const spt__duplicates rule = s->rules.duplicates;
    if ((rule == SPT__NEVER || (rule == SPT__AVOID && a->refused < DUPLICATES_AVOIDED)) &&
        is_duplicate(a, config)) {
        a->refused++;
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a trial has had this configuration");
    }
    return s->check != NULL ? s->check(config, s->check_hook.user) : SPT_OK;
}

int32_t spt__study_propose(spt_study *s, const spt__entry *entries, int64_t n, int64_t sequence,
                           spt__accept_fn accept, void *arg, spt_config **config)
{
    asker who = {.study = s, .entries = entries, .n = n};
    const size_t p = (size_t)s->space->n;
    double *values = spt__alloc(s->ctx, (size_t)n * p, sizeof *values);
    double *loss = spt__alloc(s->ctx, (size_t)n, sizeof *loss);
    int32_t *state = spt__alloc(s->ctx, (size_t)n, sizeof *state);
    int64_t *order = spt__alloc(s->ctx, (size_t)n, sizeof *order);
    int32_t status;
    if (values == NULL || loss == NULL || state == NULL || order == NULL) {
        status = spt__nomem(&s->ctx->err);
    } else {
        int64_t used = 0;
        for (int64_t i = 0; i < n; i++) {
            const spt__row *row = entries[i].row;
            if (row->config == NULL) continue;
            memcpy(values + (size_t)used * p, row->config->value, p * sizeof *values);
            state[used] = entries[i].finished ? row->state : SPT_TRIAL_RUNNING;
            loss[used] = state[used] == SPT_TRIAL_COMPLETE || state[used] == SPT_TRIAL_PRUNED
                             ? row->value
                             : INFINITY;
            if (isnan(loss[used])) loss[used] = INFINITY;
            order[used++] = entries[i].sequence;
        }
        const spt__view view = {.n = used,
                                .n_params = s->space->n,
                                .values = values,
                                .loss = loss,
                                .state = state,
                                .sequence = order};
        status = spt__sampler_propose(s->sampler, &view, sequence,
                                      accept != NULL ? accept : accept_proposal,
                                      accept != NULL ? arg : &who, config, &s->ctx->err);
    }
    spt__free(s->ctx, values);
    spt__free(s->ctx, loss);
    spt__free(s->ctx, state);
    spt__free(s->ctx, order);
    return status;
}

/* "0.9 0.8": values at the rungs of another trial. */
static int64_t read_rungs(const char *text, double *values)
{
    int64_t n = 0;
    while (text != NULL && *text != '\0' && n < SPT__RUNGS) {
        const size_t length = strcspn(text, " ");
        if (!spt__parse_double(text, length, '.', &values[n])) break;
        n++;
        text += length + strspn(text + length, " ");
    }
    return n;
}

/* Remember the trials that a pruner may look at: those that the sampler saw. */
static int32_t remember_peers(spt_study *s, spt_trial *t, const spt__entry *entries, int64_t n)
{
    if (s->rules.prune.kind == SPT__PRUNE_NONE || n == 0) return SPT_OK;
    SPT__TRY(spt__history_snapshot(s->history, &t->seen));
    t->peers = spt__alloc(s->ctx, (size_t)n, sizeof *t->peers);
    if (t->peers == NULL) return spt__nomem(&s->ctx->err);
    if (s->rules.prune.lowest) {
        t->rung_peers = spt__alloc(s->ctx, (size_t)n, sizeof *t->rung_peers);
        t->rung_values = spt__alloc(s->ctx, (size_t)n * SPT__RUNGS, sizeof *t->rung_values);
        if (t->rung_peers == NULL || t->rung_values == NULL) return spt__nomem(&s->ctx->err);
    }
    for (int64_t i = 0; i < n; i++) {
        const spt__row *row = entries[i].row;
        const bool complete = row->state == SPT_TRIAL_COMPLETE && isfinite(row->value);
        if (!entries[i].finished || (!complete && row->state != SPT_TRIAL_PRUNED)) continue;
        spt__curve *peer = &t->peers[t->n_peers];
        *peer = (spt__curve){.steps = row->steps,
                             .values = row->step_values,
                             .n = row->n_steps,
                             .complete = complete,
                             .value = row->value};
        if (t->rung_peers != NULL) {
            double *values = t->rung_values + t->n_peers * SPT__RUNGS;
            t->rung_peers[t->n_peers] = *peer;
            t->rung_peers[t->n_peers].steps = spt__rung_epochs;
            t->rung_peers[t->n_peers].values = values;
            t->rung_peers[t->n_peers].n = read_rungs(spt__row_attribute(row, "rungs"), values);
        }
        t->n_peers++;
    }
    return SPT_OK;
}

/* Where a configuration comes from: the host, now or before, or (both NULL) the sampler. */
typedef struct origin {
    const spt_config *given;
    const spt__row *queued;
} origin;

/* What is on record of a trial from its start. */
static int32_t store_start(spt_study *s, spt_trial *t, const spt__entry *entries, int64_t n,
                           const origin *from)
{
    char text[32];
    spt__attr attrs[5];
    size_t n_attrs = 1;
    spt__buf saw, pending;
    spt__buf_init(&saw, s->ctx);
    spt__buf_init(&pending, s->ctx);
    spt__format(text, sizeof text, "%lld", (long long)t->sequence);
    attrs[0] = (spt__attr){"sequence", text};
    int32_t status = SPT_OK;
    if (from->given != NULL || from->queued != NULL) {
        attrs[n_attrs++] = (spt__attr){"given", "1"};
    } else if (spt__sight_unusual(entries, n, t->sequence)) {
        status = spt__sight_print(s->ctx, entries, n, &saw, &pending);
        attrs[n_attrs++] = (spt__attr){"saw", saw.data};
        attrs[n_attrs++] = (spt__attr){"pending", pending.data};
    }
    if (status >= 0 && from->queued != NULL && from->queued->state == SPT_TRIAL_WAITING) {
        t->id = from->queued->id;
        t->number = from->queued->number;
        status = spt__store_trial_claim(s->store, t->id, t->config, attrs, n_attrs);
    } else if (status >= 0) {
        if (from->queued != NULL) { /* it comes again, under another number */
            spt__buf_json(&saw, spt__row_attribute(from->queued, "fixed"));
            if (saw.failed) status = spt__nomem(&s->ctx->err);
            attrs[n_attrs++] = (spt__attr){"fixed", saw.data};
            attrs[n_attrs++] = (spt__attr){"queue", spt__row_attribute(from->queued, "queue")};
        }
        if (status >= 0)
            status = spt__store_trial_new(s->store, s->id, t->config, attrs, n_attrs, &t->id,
                                          &t->number);
    }
    spt__buf_free(&saw);
    spt__buf_free(&pending);
    return status;
}

/* Takes the configuration, also when it fails. */
static int32_t start(spt_study *s, spt_config *config, int64_t sequence, const spt__entry *entries,
                     int64_t n, const origin *from, spt_trial **out)
{
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
    t->began = spt__now();
    int32_t status = remember_peers(s, t, entries, n);
    if (status >= 0) status = store_start(s, t, entries, n, from);
    if (status < 0) {
        t->told = true; /* there is nothing to tell */
        spt_trial_free(t);
        return status;
    }
    t->next_live = s->live;
    s->live = t;
    *out = t;
    return SPT_OK;
}

/* With K in flight a trial waits for the one K before it; the others are not this program's. */
static int32_t check_turn(const spt_study *s, int64_t sequence)
{
    if (!s->rules.wait || s->rules.in_flight == 0) return SPT_OK;
    for (const spt_trial *t = s->live; t != NULL; t = t->next_live)
        if (t->sequence <= sequence - s->rules.in_flight)
            return spt__fail(&s->ctx->err, SPT_EBUSY,
                             "trial %lld must end first: with in_flight %lld the next one sees its "
                             "result",
                             (long long)t->number, (long long)s->rules.in_flight);
    return SPT_OK;
}

static int32_t configure(spt_study *s, const origin *from, const spt__entry *entries, int64_t n,
                         int64_t sequence, spt_config **config)
{
    if (from->given != NULL)
        return spt__config_from_values(s->ctx, s->space, from->given->value, config, &s->ctx->err);
    if (from->queued != NULL)
        return spt__queue_config(s, from->queued, entries, n, sequence, config);
    return spt__study_propose(s, entries, n, sequence, NULL, NULL, config);
}

/* One try. *again: somebody else has taken what was enqueued, or it cannot be run. */
static int32_t try_ask(spt_study *s, origin *from, bool *again, spt_trial **out)
{
    spt__entry *entries = NULL;
    spt_config *config = NULL;
    int64_t n = 0, sequence = 0;
    SPT__TRY(spt__study_refresh(s));
    if (from->given == NULL) SPT__TRY(spt__queue_next(s, &from->queued));
    const bool waiting = from->queued != NULL && from->queued->state == SPT_TRIAL_WAITING;
    SPT__TRY(collect(s, &entries, &n, &sequence));
    int32_t status = check_turn(s, sequence);
    if (status == SPT_OK) {
        status = configure(s, from, entries, n, sequence, &config);
        if (status == SPT_STOP_EXHAUSTED && waiting) {
            status = spt__queue_refuse(s, from->queued);
            *again = status == SPT_OK;
        } else if (status == SPT_OK) {
            status = start(s, config, sequence, entries, n, from, out);
            *again = status == SPT_EBUSY && waiting;
        }
    }
    spt__free(s->ctx, entries);
    return status;
}

/* `given` NULL: what was enqueued, or else what the sampler proposes. */
static int32_t ask(spt_study *s, const spt_config *given, spt_trial **out)
{
    bool again;
    int32_t status;
    do {
        origin from = {.given = given};
        again = false;
        status = try_ask(s, &from, &again, out);
    } while (again);
    return status;
}

int32_t spt__study_ask(spt_study *s, spt_trial **out)
{
    return ask(s, NULL, out);
}

/* A host's check is a callback: while it is asked nothing else may be changed. */
int32_t spt__study_enter(spt_study *s)
{
    if (s->running)
        return spt__fail(&s->ctx->err, SPT_EBUSY,
                         "the study is running; this is not possible from its callbacks");
    s->running = true;
    s->refs++;
    return SPT_OK;
}

void spt__study_leave(spt_study *s)
{
    s->running = false;
    spt_study_free(s);
}

int32_t spt_study_ask(spt_study *s, spt_trial **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__study_enter(s));
    const int32_t status = ask(s, NULL, out);
    spt__study_leave(s);
    return status;
}

int32_t spt__study_check_space(spt_study *s, const spt_config *config)
{
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
    return SPT_OK;
}

int32_t spt__study_check_given(spt_study *s, const spt_config *config)
{
    SPT__TRY(spt__study_check_space(s, config));
    SPT__TRY(spt_config_check(config));
    return s->check != NULL ? s->check(config, s->check_hook.user) : SPT_OK;
}

int32_t spt_study_ask_given(spt_study *s, const spt_config *config, spt_trial **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__study_enter(s));
    int32_t status = spt__study_check_given(s, config);
    if (status >= 0) status = ask(s, config, out);
    spt__study_leave(s);
    return status;
}
