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
            if (t->repeats)
                attrs[n_attrs++] =
                    (spt__attr){SPT__REPEATS, spt__row_attribute(from->queued, SPT__REPEATS)};
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
    t->repeats = from->queued != NULL && spt__row_repeats(from->queued) >= 0;
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
    SPT__TRY(spt__study_collect(s, &entries, &n, &sequence));
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
