/* Trials between ask and tell. */
#include "study.h"

#include "../base/threads.h"

#include <math.h>
#include <string.h>

int64_t spt_trial_number(const spt_trial *trial)
{
    return trial != NULL ? trial->number : SPT_EINVAL;
}

const spt_config *spt_trial_config(const spt_trial *trial)
{
    return trial != NULL ? trial->config : NULL;
}

/* Keep a step for the pruner. */
static int32_t keep_step(spt_trial *t, int64_t step, double value)
{
    spt_ctx *ctx = t->study->ctx;
    if (t->n_steps == t->step_capacity) {
        const int64_t capacity = t->step_capacity > 0 ? 2 * t->step_capacity : 16;
        int64_t *steps = spt__realloc(ctx, t->steps, (size_t)capacity, sizeof *steps);
        if (steps != NULL) t->steps = steps;
        double *values = spt__realloc(ctx, t->values, (size_t)capacity, sizeof *values);
        if (values != NULL) t->values = values;
        if (steps == NULL || values == NULL) return spt__nomem(&ctx->err);
        t->step_capacity = capacity;
    }
    t->steps[t->n_steps] = step;
    t->values[t->n_steps++] = value;
    return SPT_OK;
}

int32_t spt_trial_report(spt_trial *trial, int64_t step, double value)
{
    SPT__REQUIRE(trial != NULL);
    SPT__TRY(keep_step(trial, step, value));
    const int32_t status = spt__store_trial_step(trial->study->store, trial->id, step, value);
    if (status < 0) {
        trial->n_steps--;
        return status;
    }
    return spt__trial_overdue(trial) ? SPT_STOP_TIME : SPT_OK;
}

int32_t spt_trial_heartbeat(spt_trial *trial)
{
    SPT__REQUIRE(trial != NULL);
    if (trial->told)
        return spt__fail(&trial->study->ctx->err, SPT_EBUSY, "trial %lld has ended already",
                         (long long)trial->number);
    SPT__TRY(spt__store_trial_alive(trial->study->store, trial->id));
    return spt__trial_overdue(trial) ? SPT_STOP_TIME : SPT_OK;
}

int32_t spt_trial_should_prune(spt_trial *trial)
{
    SPT__REQUIRE(trial != NULL);
    const spt__prune_rule *rule = &trial->study->rules.prune;
    const spt__curve own = {.steps = trial->steps, .values = trial->values, .n = trial->n_steps};
    if (trial->told || trial->repeats) return SPT_OK;
    const spt__verdict v = spt__prune(rule, &own, trial->peers, trial->n_peers);
    if (!v.prune) return SPT_OK;
    spt__prune_words(rule, &v, trial->n_steps, 0, trial->advice, sizeof trial->advice);
    return SPT_PRUNED;
}

bool spt__trial_overdue(const spt_trial *trial)
{
    const double limit = trial->study->rules.trial_seconds;
    return limit > 0 && spt__now() - trial->began > limit;
}

/* ---- what is attached ---- */

/* What is on record of a trial before it runs. */
static const char *const own_keys[] = {"sequence", "saw",     "pending",    "given", "queue",
                                       "fixed",    "refused", SPT__REPEATS, "retry"};

static int32_t check_key(spt_trial *t, const char *key)
{
    spt__err *e = &t->study->ctx->err;
    if (t->told)
        return spt__fail(e, SPT_EBUSY, "trial %lld has ended already", (long long)t->number);
    if (key == NULL || *key == '\0' || strlen(key) > 512)
        return spt__fail(e, SPT_EINVAL, "the key of an attribute has 1 to 512 bytes");
    for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
        if (strcmp(key, own_keys[i]) == 0)
            return spt__fail(e, SPT_EINVAL, "the attribute '%s' is the library's own", key);
    return SPT_OK;
}

/* Takes json (may be NULL: memory ran out). A key that is there already gets the new value. */
static int32_t attach(spt_trial *t, const char *key, char *json)
{
    spt_ctx *ctx = t->study->ctx;
    if (json == NULL) return spt__nomem(&ctx->err);
    for (int32_t i = 0; i < t->n_texts; i++)
        if (strcmp(t->texts[i].key, key) == 0) {
            spt__free(ctx, t->texts[i].json);
            t->texts[i].json = json;
            return SPT_OK;
        }
    spt__note_text *texts = spt__realloc(ctx, t->texts, (size_t)t->n_texts + 1, sizeof *t->texts);
    if (texts != NULL) t->texts = texts;
    char *name = texts != NULL ? spt__strdup(ctx, key) : NULL;
    if (name == NULL) {
        spt__free(ctx, json);
        return spt__nomem(&ctx->err);
    }
    t->texts[t->n_texts++] = (spt__note_text){name, json};
    return SPT_OK;
}

int32_t spt_trial_set_number(spt_trial *trial, const char *key, double value)
{
    spt__buf b;
    SPT__REQUIRE(trial != NULL);
    SPT__TRY(check_key(trial, key));
    spt__buf_init(&b, trial->study->ctx);
    spt__json_number(&b, value);
    return attach(trial, key, spt__buf_take(&b));
}

int32_t spt_trial_set_text(spt_trial *trial, const char *key, const char *text)
{
    spt__buf b;
    SPT__REQUIRE(trial != NULL);
    SPT__TRY(check_key(trial, key));
    spt__buf_init(&b, trial->study->ctx);
    spt__buf_json(&b, text != NULL ? text : "");
    SPT__TRY(attach(trial, key, spt__buf_take(&b)));
    if (strcmp(key, "reason") != 0) return SPT_OK;
    char *reason = spt__strdup(trial->study->ctx, text != NULL ? text : "");
    if (reason == NULL) return spt__nomem(&trial->study->ctx->err);
    spt__free(trial->study->ctx, trial->reason);
    trial->reason = reason;
    return SPT_OK;
}

int32_t spt_trial_set_block(spt_trial *trial, const char *key, const void *data, int64_t size)
{
    SPT__REQUIRE(trial != NULL);
    spt_ctx *ctx = trial->study->ctx;
    SPT__TRY(check_key(trial, key));
    if (size < 0 || (data == NULL && size > 0))
        return spt__fail(&ctx->err, SPT_EINVAL, "the block '%s' has no bytes", key);
    spt__note_block *blocks =
        spt__realloc(ctx, trial->blocks, (size_t)trial->n_blocks + 1, sizeof *blocks);
    if (blocks == NULL) return spt__nomem(&ctx->err);
    trial->blocks = blocks;
    spt__note_block b = {spt__strdup(ctx, key), spt__alloc(ctx, (size_t)size, 1), size};
    if (b.key == NULL || b.data == NULL) {
        spt__free(ctx, b.key);
        spt__free(ctx, b.data);
        return spt__nomem(&ctx->err);
    }
    if (size > 0) memcpy(b.data, data, (size_t)size);
    trial->blocks[trial->n_blocks++] = b;
    return SPT_OK;
}

/* ---- the end ---- */

static int32_t store_end(spt_trial *t, spt__finish *f)
{
    spt_ctx *ctx = t->study->ctx;
    spt__attr *attrs = spt__alloc(ctx, (size_t)t->n_texts, sizeof *attrs);
    spt__block *blocks = spt__alloc(ctx, (size_t)t->n_blocks, sizeof *blocks);
    int32_t status;
    if (attrs == NULL || blocks == NULL) {
        status = spt__nomem(&ctx->err);
    } else {
        for (int32_t i = 0; i < t->n_texts; i++)
            attrs[i] = (spt__attr){t->texts[i].key, t->texts[i].json};
        for (int32_t i = 0; i < t->n_blocks; i++)
            blocks[i] = (spt__block){t->blocks[i].key, t->blocks[i].data, t->blocks[i].size};
        f->attrs = attrs;
        f->n_attrs = (size_t)t->n_texts;
        f->blocks = blocks;
        f->n_blocks = (size_t)t->n_blocks;
        status = spt__store_trial_finish(t->study->store, t->id, f);
    }
    spt__free(ctx, attrs);
    spt__free(ctx, blocks);
    return status;
}

static void leave_live(const spt_trial *t)
{
    for (spt_trial **at = &t->study->live; *at != NULL; at = &(*at)->next_live)
        if (*at == t) {
            *at = t->next_live;
            break;
        }
}

int32_t spt_trial_tell(spt_trial *trial, int32_t state, double value)
{
    SPT__REQUIRE(trial != NULL);
    spt__err *e = &trial->study->ctx->err;
    if (trial->told)
        return spt__fail(e, SPT_EBUSY, "trial %lld has ended already", (long long)trial->number);
    if (state != SPT_TRIAL_COMPLETE && state != SPT_TRIAL_PRUNED && state != SPT_TRIAL_FAILED)
        return spt__fail(e, SPT_EINVAL, "state is %d; complete, pruned or failed can be told",
                         (int)state);
    if (state == SPT_TRIAL_COMPLETE && !isfinite(value)) {
        state = SPT_TRIAL_FAILED;
        if (trial->reason == NULL)
            SPT__TRY(spt_trial_set_text(trial, "reason",
                                        isnan(value) ? "the loss is not a number"
                                                     : "the loss is infinite"));
    }
    if (state == SPT_TRIAL_PRUNED && trial->reason == NULL && trial->advice[0] != '\0')
        SPT__TRY(spt_trial_set_text(trial, "reason", trial->advice));
    spt__finish f = {.state = state, .value = value};
    SPT__TRY(store_end(trial, &f));
    trial->told = true;
    leave_live(trial);
    trial->state = f.state;
    trial->value = value;
    return SPT_OK;
}

void spt_trial_free(spt_trial *t)
{
    if (t == NULL || t->lent) return; /* an objective frees what is the run's */
    spt_study *study = t->study;
    spt_ctx *ctx = study->ctx;
    if (!t->told) {
        /* Nothing can be said of a failure here; the trial would be found stale later. */
        const spt__err before = ctx->err;
        if (spt_trial_set_text(t, "reason", "abandoned") >= 0)
            (void)spt_trial_tell(t, SPT_TRIAL_FAILED, NAN);
        ctx->err = before;
    }
    leave_live(t);
    for (int32_t i = 0; i < t->n_texts; i++) {
        spt__free(ctx, t->texts[i].key);
        spt__free(ctx, t->texts[i].json);
    }
    for (int32_t i = 0; i < t->n_blocks; i++) {
        spt__free(ctx, t->blocks[i].key);
        spt__free(ctx, t->blocks[i].data);
    }
    spt__free(ctx, t->reason);
    spt__free(ctx, t->steps);
    spt__free(ctx, t->values);
    spt__free(ctx, t->peers);
    spt__free(ctx, t->rung_peers);
    spt__free(ctx, t->rung_values);
    spt__free(ctx, t->texts);
    spt__free(ctx, t->blocks);
    spt_config_free(t->config);
    spt__free(ctx, t);
    spt_study_free(study);
}
