/* Opening a study, what is on record with it, what its sampler sees. */
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

void spt__study_tally(const spt_study *s, int64_t *counting, int64_t *running)
{
    *counting = *running = 0;
    for (int64_t i = 0; i < s->n_marks; i++) {
        *counting += s->marks[i].counts;
        /* What another program runs may never end: nothing tells whether it still does. */
        *running += s->marks[i].row->state == SPT_TRIAL_RUNNING &&
                    spt__row_attribute(s->marks[i].row, "sequence") != NULL;
    }
}

int32_t spt_study_history(spt_study *s, spt_history **out)
{
    spt_history *h = NULL;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    /* Read anew, and not a copy of ours: the records are in it. */
    SPT__TRY(spt__history_open(s->store, s->id, s->space, s->foreign, &h));
    *out = h;
    return SPT_OK;
}

/* ---- what the sampler sees ---- */

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

int32_t spt__study_collect(spt_study *s, spt__entry **out, int64_t *count, int64_t *next)
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
    return spt__study_host_check(s, config);
}

/* A sampler that the host made may have an equal space of its own. */
static int32_t make_ours(spt_study *s, spt_config **config)
{
    spt_config *proposed = *config;
    if (proposed->space == s->space) return SPT_OK;
    *config = NULL;
    const int32_t status =
        spt__config_from_values(s->ctx, s->space, proposed->value, config, &s->ctx->err);
    spt_config_free(proposed);
    return status;
}

static spt__curve curve_of(const spt__row *row)
{
    return (spt__curve){.steps = row->steps,
                        .values = row->step_values,
                        .n = row->n_steps,
                        .complete = row->state == SPT_TRIAL_COMPLETE,
                        .value = row->value};
}

/* The best complete trial that is seen, NULL if there is none. */
static const spt__row *best_seen(const spt_study *s, const spt__entry *entries, int64_t n)
{
    const double sign = spt__history_maximizes(s->history) ? -1 : 1;
    const spt__row *best = NULL;
    for (int64_t i = 0; i < n; i++)
        if (entries[i].finished && entries[i].row->state == SPT_TRIAL_COMPLETE &&
            (best == NULL || sign * entries[i].row->value < sign * best->value))
            best = entries[i].row;
    return best;
}

/* The loss as a sampler sees it. The mean of a pruned trial's folds is not comparable, since the
 * easy ones may come first. */
static double seen_loss(const spt__row *row, int32_t state, const spt__row *best)
{
    double loss = row->value;
    if (state != SPT_TRIAL_COMPLETE && state != SPT_TRIAL_PRUNED) return INFINITY;
    if (state == SPT_TRIAL_PRUNED && best != NULL) {
        const spt__curve own = curve_of(row), complete = curve_of(best);
        const double estimate = spt__prune_estimate(&own, &complete);
        if (!isnan(estimate)) loss = estimate;
    }
    return isnan(loss) ? INFINITY : loss;
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
    int64_t *steps = spt__alloc(s->ctx, (size_t)n, sizeof *steps);
    int32_t status;
    if (values == NULL || loss == NULL || state == NULL || order == NULL || steps == NULL) {
        status = spt__nomem(&s->ctx->err);
    } else {
        int64_t used = 0;
        const spt__row *best = best_seen(s, entries, n);
        const bool maximizes = spt__history_maximizes(s->history);
        for (int64_t i = 0; i < n; i++) {
            const spt__row *row = entries[i].row;
            if (row->config == NULL) continue;
            memcpy(values + (size_t)used * p, row->config->value, p * sizeof *values);
            state[used] = entries[i].finished ? row->state : SPT_TRIAL_RUNNING;
            loss[used] = seen_loss(row, state[used], best);
            if (maximizes && isfinite(loss[used])) loss[used] = -loss[used];
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
        status = spt__sampler_propose(s->sampler, &view, sequence,
                                      accept != NULL ? accept : accept_proposal,
                                      accept != NULL ? arg : &who, config, &s->ctx->err);
        if (status == SPT_OK) status = make_ours(s, config);
    }
    spt__free(s->ctx, values);
    spt__free(s->ctx, loss);
    spt__free(s->ctx, state);
    spt__free(s->ctx, order);
    spt__free(s->ctx, steps);
    return status;
}
