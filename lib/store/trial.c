/* Trials as they are worked on. */
#include "db.h"

#include "../base/process.h"
#include "../base/threads.h"

#include <math.h>
#include <string.h>

static const char *const words[SPT__STATES] = {"RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"};

const char *spt__state_word(int32_t state)
{
    return state >= 0 && state < SPT__STATES ? words[state] : "FAIL";
}

int32_t spt__state_of_word(const char *word)
{
    for (int32_t i = 0; word != NULL && i < SPT__STATES; i++)
        if (strcmp(words[i], word) == 0) return i;
    return -1;
}

const char *spt_trial_state_name(int32_t state)
{
    static const char *const names[] = {"running", "complete", "pruned", "failed", "waiting"};
    return state >= SPT_TRIAL_RUNNING && state <= SPT_TRIAL_WAITING ? names[state] : "unknown";
}

/* ---- many rows in one statement ---- */

/* So many places are in every database's reach; one statement is one journey to a server. */
enum { PLACES = 900 };

/* "(?, ?), (?, ?)" behind what `b` has: `rows` of so many columns. */
static void put_places(spt__buf *b, size_t rows, int32_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        spt__buf_puts(b, i > 0 ? ", (?" : "(?");
        for (int32_t k = 1; k < columns; k++)
            spt__buf_puts(b, ", ?");
        spt__buf_puts(b, ")");
    }
}

/* INSERT INTO ... VALUES, in as many statements as it takes. */
static int32_t insert_rows(spt_store *s, const char *head, const char *tail,
                           const spt__value *values, size_t rows, int32_t columns)
{
    const size_t most = PLACES / (size_t)columns;
    int32_t status = SPT_OK;
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    for (size_t at = 0; at < rows && status >= 0; at += most) {
        const size_t n = rows - at < most ? rows - at : most;
        b.size = 0;
        spt__buf_puts(&b, head);
        put_places(&b, n, columns);
        spt__buf_puts(&b, tail);
        status = b.failed ? spt__nomem(&s->ctx->err)
                          : spt__db_run_text(s, b.data, values + at * (size_t)columns,
                                             (int32_t)n * columns);
    }
    spt__buf_free(&b);
    return status;
}

/* ---- parameters and attributes ---- */

static int32_t distribution(spt_store *s, int64_t study, const spt__begin *begin,
                            const spt__parameter *p, char **json)
{
    spt__buf b;
    *json = NULL;
    if (begin->foreign && p->n_choices > 0)
        SPT__TRY(spt__store_distribution(s, study, p->name, json));
    if (*json != NULL) return SPT_OK;
    spt__buf_init(&b, s->ctx);
    spt__json_distribution(&b, p);
    *json = spt__buf_take(&b);
    return *json != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

static int32_t insert_parameters(spt_store *s, int64_t study, int64_t id, const spt__begin *begin)
{
    const spt_config *config = begin->config;
    const size_t n = (size_t)config->space->n;
    spt__value *values = spt__calloc(s->ctx, 4 * n, sizeof *values);
    char **json = spt__calloc(s->ctx, n, sizeof *json);
    size_t used = 0;
    int32_t status = values != NULL && json != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
    for (size_t i = 0; i < n && status >= 0; i++) {
        const spt__parameter *p = &config->space->parameters[i];
        if (isnan(config->value[i])) continue;
        status = distribution(s, study, begin, p, &json[used]);
        spt__value *v = values + 4 * used;
        v[0] = (spt__value){.kind = 'i', .i = id};
        v[1] = (spt__value){.kind = 't', .p = p->name};
        v[2] = (spt__value){.kind = 'd', .d = config->value[i]};
        v[3] = (spt__value){.kind = 't', .p = json[used]};
        used += json[used] != NULL;
    }
    if (status >= 0)
        status = insert_rows(s,
                             "INSERT INTO trial_params (trial_id, param_name, param_value,"
                             " distribution_json) VALUES ",
                             "", values, used, 4);
    for (size_t i = 0; i < used; i++)
        spt__free(s->ctx, json[i]);
    spt__free(s->ctx, json);
    spt__free(s->ctx, values);
    return status;
}

/* A key that is there already gets the new value. */
static int32_t put_attributes(spt_store *s, int64_t id, const spt__attr *attrs, size_t n)
{
    spt__value *values = spt__calloc(s->ctx, 3 * n, sizeof *values);
    if (values == NULL) return spt__nomem(&s->ctx->err);
    for (size_t i = 0; i < n; i++) {
        values[3 * i] = (spt__value){.kind = 'i', .i = id};
        values[3 * i + 1] = (spt__value){.kind = 't', .p = attrs[i].key};
        values[3 * i + 2] = (spt__value){.kind = 't', .p = attrs[i].json};
    }
    const int32_t status =
        insert_rows(s, "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES ",
                    " ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json",
                    values, n, 3);
    spt__free(s->ctx, values);
    return status;
}

/* Who works on it now, and that it is alive. */
static int32_t own_trial(spt_store *s, int64_t id)
{
    char owner[SPT__PROCESS_NAME], json[SPT__PROCESS_NAME + 2];
    /* Host names have no character that JSON would escape. */
    spt__process_name(owner);
    spt__format(json, sizeof json, "\"%s\"", owner);
    SPT__TRY(spt__db_run(s,
                         "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
                         " VALUES (?, 'spectune:owner', ?) ON CONFLICT (trial_id, key)"
                         " DO UPDATE SET value_json = excluded.value_json",
                         "it", id, json));
    return spt__db_run(s,
                       "INSERT INTO trial_heartbeats (trial_id, heartbeat)"
                       " VALUES (?, CURRENT_TIMESTAMP) ON CONFLICT (trial_id)"
                       " DO UPDATE SET heartbeat = excluded.heartbeat",
                       "i", id);
}

/* ---- new ---- */

/* With the study locked. */
static int32_t next_number(spt_store *s, int64_t study, int64_t *number)
{
    int32_t status = spt__db_int(s, number,
                                 "SELECT coalesce(number, -1) + 1 FROM trials WHERE study_id = ?"
                                 " ORDER BY trial_id DESC LIMIT 1",
                                 "i", study);
    if (status == SPT_ENOTFOUND) {
        *number = 0;
        return SPT_OK;
    }
    if (status < 0 || *number > 0) return status;
    return spt__db_int(s, number, "SELECT count(*) FROM trials WHERE study_id = ?", "i", study);
}

typedef struct beginning {
    int64_t study;
    const spt__begin *begin;
    int64_t *id, *number;
} beginning;

static int32_t new_body(spt_store *s, void *arg)
{
    const beginning *b = arg;
    char now[32];
    spt__utc(now);
    SPT__TRY(spt__db_lock_study(s, b->study));
    if (b->begin->admit != NULL) SPT__TRY(b->begin->admit(b->begin->arg));
    SPT__TRY(next_number(s, b->study, b->number));
    SPT__TRY(spt__db_int(s, b->id,
                         "INSERT INTO trials (number, study_id, state, datetime_start)"
                         " VALUES (?, ?, 'RUNNING', ?) RETURNING trial_id",
                         "iit", *b->number, b->study, now));
    SPT__TRY(insert_parameters(s, b->study, *b->id, b->begin));
    SPT__TRY(put_attributes(s, *b->id, b->begin->attrs, b->begin->n_attrs));
    return own_trial(s, *b->id);
}

int32_t spt__store_trial_new(spt_store *s, int64_t study, const spt__begin *begin, int64_t *id,
                             int64_t *number)
{
    beginning b = {study, begin, id, number};
    return spt__db_transact(s, true, new_body, &b);
}

/* ---- waiting ---- */

static int32_t queue_body(spt_store *s, void *arg)
{
    const beginning *b = arg;
    char text[32];
    int64_t id;
    SPT__TRY(spt__db_lock_study(s, b->study));
    if (b->begin->admit != NULL) SPT__TRY(b->begin->admit(b->begin->arg));
    SPT__TRY(next_number(s, b->study, b->number));
    SPT__TRY(spt__db_int(s, &id,
                         "INSERT INTO trials (number, study_id, state)"
                         " VALUES (?, ?, 'WAITING') RETURNING trial_id",
                         "ii", *b->number, b->study));
    SPT__TRY(insert_parameters(s, b->study, id, b->begin));
    SPT__TRY(put_attributes(s, id, b->begin->attrs, b->begin->n_attrs));
    spt__format(text, sizeof text, "%lld", (long long)*b->number);
    const spt__attr place = {"queue", text};
    return put_attributes(s, id, &place, 1);
}

int32_t spt__store_trial_queue(spt_store *s, int64_t study, const spt__begin *begin,
                               int64_t *number)
{
    beginning b = {study, begin, NULL, number};
    return spt__db_transact(s, true, queue_body, &b);
}

static int32_t claim_body(spt_store *s, void *arg)
{
    const beginning *b = arg;
    char now[32];
    int64_t claimed = 0;
    spt__utc(now);
    SPT__TRY(spt__db_lock_study(s, b->study));
    if (b->begin->admit != NULL) SPT__TRY(b->begin->admit(b->begin->arg));
    const int32_t status = spt__db_int(s, &claimed,
                                       "UPDATE trials SET state = 'RUNNING', datetime_start = ?"
                                       " WHERE trial_id = ? AND state = 'WAITING'"
                                       " RETURNING trial_id",
                                       "ti", now, *b->id);
    if (status == SPT_ENOTFOUND)
        return spt__fail(&s->ctx->err, SPT_EBUSY, "%s: another program has taken the trial",
                         s->path);
    if (status < 0) return status;
    SPT__TRY(spt__db_run(s, "DELETE FROM trial_params WHERE trial_id = ?", "i", *b->id));
    SPT__TRY(insert_parameters(s, b->study, *b->id, b->begin));
    SPT__TRY(put_attributes(s, *b->id, b->begin->attrs, b->begin->n_attrs));
    return own_trial(s, *b->id);
}

int32_t spt__store_trial_claim(spt_store *s, int64_t study, int64_t id, const spt__begin *begin)
{
    beginning b = {study, begin, &id, NULL};
    return spt__db_transact(s, true, claim_body, &b);
}

typedef struct alone {
    int64_t study;
    int32_t (*fn)(void *arg);
    void *arg;
} alone;

static int32_t alone_body(spt_store *s, void *arg)
{
    const alone *a = arg;
    SPT__TRY(spt__db_lock_study(s, a->study));
    return a->fn(a->arg);
}

int32_t spt__store_alone(spt_store *s, int64_t study, int32_t (*fn)(void *arg), void *arg)
{
    alone a = {study, fn, arg};
    return spt__db_transact(s, true, alone_body, &a);
}

typedef struct reading {
    int64_t id;
    const spt_space *space;
    double *values;
} reading;

static int32_t values_body(spt_store *s, void *arg)
{
    const reading *r = arg;
    spt__cursor q;
    int32_t status;
    for (int32_t i = 0; i < r->space->n; i++)
        r->values[i] = NAN;
    SPT__TRY(spt__db_query(
        s, &q, "SELECT param_name, param_value FROM trial_params WHERE trial_id = ?", "i", r->id));
    while ((status = spt__db_row(&q)) > 0) {
        const char *name = spt__col_text(&q, 0);
        const int32_t i = name != NULL ? spt_space_find(r->space, name) : -1;
        if (i >= 0) r->values[i] = spt__col_double(&q, 1);
    }
    if (status < 0) return status;
    return spt__store_fixed(s, r->id, r->space, r->values);
}

int32_t spt__store_trial_values(spt_store *s, int64_t id, const spt_space *space, double *values)
{
    reading r = {id, space, values};
    return spt__db_transact(s, false, values_body, &r);
}

/* ---- at work ---- */

/* SPT_OK while the trial may be changed, which until the end of the transaction is by us only. */
static int32_t open_trial(spt_store *s, int64_t id)
{
    int64_t open = 0;
    SPT__TRY(spt__db_lock_trial(s, id));
    const int32_t status = spt__db_int(
        s, &open, "SELECT state IN ('RUNNING', 'WAITING') FROM trials WHERE trial_id = ?", "i", id);
    if (status == SPT_ENOTFOUND)
        return spt__fail(&s->ctx->err, status, "%s: there is no such trial", s->path);
    if (status < 0) return status;
    return open != 0
               ? SPT_OK
               : spt__fail(&s->ctx->err, SPT_EBUSY, "%s: the trial has ended already", s->path);
}

static int32_t beat(spt_store *s, int64_t id)
{
    return spt__db_run(
        s, "UPDATE trial_heartbeats SET heartbeat = CURRENT_TIMESTAMP WHERE trial_id = ?", "i", id);
}

typedef struct step {
    int64_t id, step;
    double value;
} step;

static int32_t step_body(spt_store *s, void *arg)
{
    const step *t = arg;
    int64_t row;
    const char *type = isnan(t->value)    ? "NAN"
                       : !isinf(t->value) ? "FINITE"
                       : t->value > 0     ? "INF_POS"
                                          : "INF_NEG";
    SPT__TRY(open_trial(s, t->id));
    const int32_t status =
        spt__db_int(s, &row,
                    "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value,"
                    " intermediate_value_type) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
                    " RETURNING trial_intermediate_value_id",
                    "iidt", t->id, t->step, isfinite(t->value) ? t->value : NAN, type);
    if (status == SPT_ENOTFOUND)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "step %lld of the trial was told before",
                         (long long)t->step);
    return status < 0 ? status : beat(s, t->id);
}

int32_t spt__store_trial_step(spt_store *s, int64_t id, int64_t at, double value)
{
    step t = {id, at, value};
    if (at < 0)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "step is %lld; steps count from 0",
                         (long long)at);
    return spt__db_transact(s, true, step_body, &t);
}

static int32_t alive_body(spt_store *s, void *arg)
{
    const int64_t *id = arg;
    SPT__TRY(open_trial(s, *id));
    return beat(s, *id);
}

int32_t spt__store_trial_alive(spt_store *s, int64_t id)
{
    return spt__db_transact(s, true, alive_body, &id);
}

/* ---- the end ---- */

static int32_t put_value(spt_store *s, int64_t id, double value)
{
    const char *type = !isinf(value) ? "FINITE" : value > 0 ? "INF_POS" : "INF_NEG";
    return spt__db_run(s,
                       "INSERT INTO trial_values (trial_id, objective, value, value_type)"
                       " VALUES (?, 0, ?, ?)",
                       "idt", id, isfinite(value) ? value : NAN, type);
}

/* What Optuna's own cross-validation leaves for its terminator: the losses of the folds. */
static int32_t put_fold_scores(spt_store *s, int64_t id)
{
    spt__cursor q;
    spt__buf b;
    int32_t status, n = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT intermediate_value FROM trial_intermediate_values"
                           " WHERE trial_id = ? AND intermediate_value_type = 'FINITE'"
                           " ORDER BY step",
                           "i", id));
    spt__buf_init(&b, s->ctx);
    for (; (status = spt__db_row(&q)) > 0; n++) {
        spt__buf_puts(&b, n > 0 ? ", " : "[");
        spt__buf_double(&b, spt__col_double(&q, 0));
    }
    spt__buf_puts(&b, "]");
    if (status >= 0 && b.failed) status = spt__nomem(&s->ctx->err);
    if (status >= 0 && n > 0)
        status = spt__db_run(s,
                             "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
                             " VALUES (?, 'terminator:cv_scores', ?) ON CONFLICT DO NOTHING",
                             "it", id, b.data);
    spt__buf_free(&b);
    return status;
}

static int32_t put_blocks(spt_store *s, int64_t id, const spt__finish *f)
{
    int64_t study = 0;
    SPT__TRY(spt__schema_blocks(s));
    SPT__TRY(spt__db_int(s, &study, "SELECT study_id FROM trials WHERE trial_id = ?", "i", id));
    for (size_t i = 0; i < f->n_blocks; i++)
        SPT__TRY(spt__db_run(s,
                             "INSERT INTO spectune_blocks (study_id, trial_id, key, data)"
                             " VALUES (?, ?, ?, ?) ON CONFLICT (study_id, trial_id, key)"
                             " DO UPDATE SET data = excluded.data",
                             "iitb", study, id, f->blocks[i].key, f->blocks[i].data,
                             f->blocks[i].size));
    return SPT_OK;
}

typedef struct ending {
    int64_t id;
    const spt__finish *finish;
    int32_t state; /* what it becomes */
} ending;

static int32_t finish_body(spt_store *s, void *arg)
{
    ending *e = arg;
    const spt__finish *f = e->finish;
    char now[32];
    bool reason = false;
    e->state = f->state;
    SPT__TRY(open_trial(s, e->id));
    for (size_t i = 0; i < f->n_attrs; i++)
        reason = reason || strcmp(f->attrs[i].key, "reason") == 0;
    SPT__TRY(put_attributes(s, e->id, f->attrs, f->n_attrs));
    if (f->n_blocks > 0) SPT__TRY(put_blocks(s, e->id, f));
    if (f->state == SPT_TRIAL_COMPLETE && !isfinite(f->value)) {
        const spt__attr why = {"reason", isnan(f->value) ? "\"the loss is not a number\""
                                                         : "\"the loss is infinite\""};
        e->state = SPT_TRIAL_FAILED;
        if (!reason) SPT__TRY(put_attributes(s, e->id, &why, 1));
    }
    if (e->state == SPT_TRIAL_COMPLETE || (e->state == SPT_TRIAL_PRUNED && !isnan(f->value)))
        SPT__TRY(put_value(s, e->id, f->value));
    if (e->state == SPT_TRIAL_COMPLETE) SPT__TRY(put_fold_scores(s, e->id));
    spt__utc(now);
    return spt__db_run(s, "UPDATE trials SET state = ?, datetime_complete = ? WHERE trial_id = ?",
                       "tti", spt__state_word(e->state), now, e->id);
}

int32_t spt__store_trial_finish(spt_store *s, int64_t id, spt__finish *f)
{
    ending e = {id, f, f->state};
    SPT__TRY(spt__db_transact(s, true, finish_body, &e));
    f->state = e.state;
    return SPT_OK;
}
