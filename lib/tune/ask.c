/* Ask: where a trial's configuration comes from, and what is on record of it from its start. */
#include "study.h"

#include "../base/threads.h"
#include "../space/space.h"

#include <math.h>
#include <string.h>

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

/* ---- what is on record of a trial from its start ---- */

enum { ATTRIBUTES = 8 };

typedef struct labels {
    spt__attr attrs[ATTRIBUTES];
    spt__buf texts[ATTRIBUTES];
    size_t n;
    spt_ctx *ctx;
} labels;

static void labels_init(labels *l, spt_ctx *ctx)
{
    *l = (labels){.ctx = ctx};
}

/* The place of the next one's JSON. */
static spt__buf *label(labels *l, const char *key)
{
    spt__buf *b = &l->texts[l->n];
    spt__buf_init(b, l->ctx);
    l->attrs[l->n++].key = key;
    return b;
}

static int32_t labels_close(labels *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->texts[i].failed) return spt__nomem(&l->ctx->err);
        l->attrs[i].json = l->texts[i].data;
    }
    return SPT_OK;
}

static void labels_free(labels *l)
{
    for (size_t i = 0; i < l->n; i++)
        spt__buf_free(&l->texts[i]);
}

/* What a queued trial has, and one has that comes of it. Copied: rows do not outlive a look at the
 * store. */
static void label_queued(labels *l, const spt__row *queued)
{
    static const char *const numbers[] = {"queue", SPT__REPEATS, "retry"};
    const char *fixed = spt__row_attribute(queued, "fixed");
    if (fixed != NULL) spt__buf_json(label(l, "fixed"), fixed);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const char *text = spt__row_attribute(queued, numbers[i]);
        if (text != NULL) spt__buf_puts(label(l, numbers[i]), text);
    }
}

static int32_t make_labels(const spt_study *s, const spt_trial *t, const spt__entry *entries,
                           int64_t n, const origin *from, labels *l)
{
    spt__buf_printf(label(l, "sequence"), "%lld", (long long)t->sequence);
    if (from->given != NULL || from->queued != NULL) {
        spt__buf_puts(label(l, "given"), "1");
    } else if (spt__sight_unusual(entries, n, t->sequence)) {
        spt__buf *saw = label(l, "saw"), *pending = label(l, "pending");
        SPT__TRY(spt__sight_print(s->ctx, entries, n, saw, pending));
    }
    if (from->queued != NULL) label_queued(l, from->queued);
    return labels_close(l);
}

/* With nobody else beginning a trial: is it still the one to begin? */
static int32_t admit(void *arg)
{
    const spt_trial *t = arg;
    spt_study *s = t->study;
    SPT__TRY(spt__study_refresh(s));
    if (s->wanted >= 0 && s->tally.finished + s->tally.running >= s->wanted) return SPT__ENOUGH;
    for (int64_t i = s->n_marks; i-- > 0;)
        if (s->marks[i].sequence == t->sequence &&
            (s->marks[i].counts || s->marks[i].row->state == SPT_TRIAL_RUNNING))
            return SPT__TAKEN;
    return SPT_OK;
}

static int32_t store_start(spt_study *s, spt_trial *t, const labels *l, int64_t waiting)
{
    const spt__begin begin = {.config = t->config,
                              .attrs = l->attrs,
                              .n_attrs = l->n,
                              .foreign = s->foreign,
                              .admit = admit,
                              .arg = t};
    if (waiting < 0) return spt__store_trial_new(s->store, s->id, &begin, &t->id, &t->number);
    t->id = waiting;
    return spt__store_trial_claim(s->store, s->id, waiting, &begin);
}

/* Takes the configuration, also when it fails. */
static int32_t start(spt_study *s, spt_config *config, int64_t sequence, const spt__entry *entries,
                     int64_t n, const origin *from, spt_trial **out)
{
    const bool waiting = from->queued != NULL && from->queued->state == SPT_TRIAL_WAITING;
    labels l;
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
    t->repeats = from->queued != NULL && spt__row_repeats(from->queued) >= 0;
    t->number = waiting ? from->queued->number : -1;
    labels_init(&l, s->ctx);
    int32_t status = remember_peers(s, t, entries, n);
    if (status >= 0) status = make_labels(s, t, entries, n, from, &l);
    if (status >= 0) status = store_start(s, t, &l, waiting ? from->queued->id : -1);
    labels_free(&l);
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

/* ---- asking ---- */

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

/* One try. *again: somebody else has taken what was enqueued, or the trial's place, or it cannot be
 * run. */
static int32_t try_ask(spt_study *s, const spt_config *given, bool *again, spt_trial **out)
{
    spt__entry *entries = NULL;
    spt_config *config = NULL;
    int64_t n = 0, sequence = 0;
    origin from = {.given = given};
    SPT__TRY(spt__study_refresh(s));
    if (given == NULL) SPT__TRY(spt__queue_next(s, &from.queued));
    const bool waiting = from.queued != NULL && from.queued->state == SPT_TRIAL_WAITING;
    SPT__TRY(spt__study_collect(s, &entries, &n, &sequence));
    int32_t status = check_turn(s, sequence);
    if (status == SPT_OK) {
        status = configure(s, &from, entries, n, sequence, &config);
        if (status == SPT_STOP_EXHAUSTED && waiting) {
            status = spt__queue_refuse(s, from.queued);
            *again = status == SPT_OK || status == SPT_EBUSY;
        } else if (status == SPT_OK) {
            status = start(s, config, sequence, entries, n, &from, out);
            *again = status == SPT__TAKEN || (status == SPT_EBUSY && waiting);
        }
    }
    spt__free(s->ctx, entries);
    return status;
}

enum {
    SWEEP_SECONDS = 10,
    RACES = 3 /* so often others may be faster before we keep them waiting */
};

typedef struct asking {
    spt_study *study;
    const spt_config *given;
    spt_trial **out;
    bool again;
} asking;

/* One that is not in the store after all. */
static void discard(spt_trial **out)
{
    if (*out == NULL) return;
    (*out)->told = true; /* there is nothing to tell */
    spt_trial_free(*out);
    *out = NULL;
}

/* A proposal that nobody can overtake, because nobody else begins a trial meanwhile. May be called
 * again, after a lost connection. */
static int32_t ask_alone(void *arg)
{
    asking *a = arg;
    discard(a->out);
    a->again = false;
    return try_ask(a->study, a->given, &a->again, a->out);
}

/* `given` NULL: what was enqueued, or else what the sampler proposes. */
static int32_t ask(spt_study *s, const spt_config *given, spt_trial **out)
{
    asking a = {s, given, out, false};
    int32_t status;
    *out = NULL;
    SPT__TRY(spt__study_sweep(s, SWEEP_SECONDS));
    for (int races = 0;; races++) {
        const spt__err before = s->ctx->err;
        a.again = false;
        status = races < RACES ? try_ask(s, given, &a.again, out)
                               : spt__store_alone(s->store, s->id, ask_alone, &a);
        if (!a.again) break;
        s->ctx->err = before;
    }
    if (status != SPT_OK) discard(out);
    return status == SPT__ENOUGH ? SPT_STOP_TRIALS : status;
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

int32_t spt__study_host_check(spt_study *s, const spt_config *config)
{
    const int32_t said = s->check != NULL ? s->check(config, s->check_hook.user) : SPT_OK;
    if (said <= 0) return said;
    return spt__fail(&s->ctx->err, SPT_ECALLBACK,
                     "the check returned %d; SPT_OK and negative statuses are possible", (int)said);
}

int32_t spt__study_check_given(spt_study *s, const spt_config *config)
{
    SPT__TRY(spt__study_check_space(s, config));
    SPT__TRY(spt_config_check(config));
    return spt__study_host_check(s, config);
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
