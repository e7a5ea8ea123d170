/* Trials as they are worked on. */
#include "db.h"

#include "../base/process.h"
#include "../base/threads.h"

#include <math.h>
#include <string.h>

const char *spt_trial_state_name(int32_t state)
{
    static const char *const names[] = {"running", "complete", "pruned", "failed", "waiting"};
    return state >= SPT_TRIAL_RUNNING && state <= SPT_TRIAL_WAITING ? names[state] : "unknown";
}

/* ---- new ---- */

static int32_t insert_parameters(spt_store *s, int64_t id, const spt_config *config)
{
    spt__buf b;
    int32_t status = SPT_OK;
    spt__buf_init(&b, s->ctx);
    for (int32_t i = 0; i < config->space->n && status >= 0; i++) {
        const spt__parameter *p = &config->space->parameters[i];
        if (isnan(config->value[i])) continue;
        b.size = 0;
        spt__json_distribution(&b, p);
        status = b.failed
                     ? spt__nomem(&s->ctx->err)
                     : spt__db_run(s,
                                   "INSERT INTO trial_params (trial_id, param_name, param_value,"
                                   " distribution_json) VALUES (?, ?, ?, ?)",
                                   "itdt", id, p->name, config->value[i], b.data);
    }
    spt__buf_free(&b);
    return status;
}

static int32_t put_attribute(spt_store *s, int64_t id, const char *key, const char *json)
{
    return spt__db_run(s,
                       "INSERT INTO trial_user_attributes (trial_id, key, value_json)"
                       " VALUES (?, ?, ?) ON CONFLICT (trial_id, key)"
                       " DO UPDATE SET value_json = excluded.value_json",
                       "itt", id, key, json);
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
                         " VALUES (?, 'spectune:owner', ?)",
                         "it", id, json));
    return spt__db_run(s,
                       "INSERT INTO trial_heartbeats (trial_id, heartbeat)"
                       " VALUES (?, strftime('%Y-%m-%d %H:%M:%S', 'now'))",
                       "i", id);
}

static int32_t insert_trial(spt_store *s, int64_t study, const spt_config *config, int64_t *id,
                            int64_t *number)
{
    char now[32];
    spt__utc(now);
    SPT__TRY(spt__db_int(s, number, "SELECT count(*) FROM trials WHERE study_id = ?", "i", study));
    SPT__TRY(spt__db_run(s,
                         "INSERT INTO trials (number, study_id, state, datetime_start)"
                         " VALUES (?, ?, 'RUNNING', ?)",
                         "iit", *number, study, now));
    *id = spt__db_last_id(s);
    SPT__TRY(insert_parameters(s, *id, config));
    return own_trial(s, *id);
}

int32_t spt__store_trial_new(spt_store *s, int64_t study, const spt_config *config,
                             const spt__attr *attrs, size_t n_attrs, int64_t *id, int64_t *number)
{
    SPT__TRY(spt__db_begin(s, true));
    int32_t status = insert_trial(s, study, config, id, number);
    for (size_t i = 0; i < n_attrs && status >= 0; i++)
        status = put_attribute(s, *id, attrs[i].key, attrs[i].json);
    return spt__db_end(s, status);
}

/* ---- waiting ---- */

static int32_t insert_waiting(spt_store *s, int64_t study, const spt_config *config,
                              const spt__attr *attrs, size_t n_attrs, int64_t *number)
{
    char text[32];
    SPT__TRY(spt__db_int(s, number, "SELECT count(*) FROM trials WHERE study_id = ?", "i", study));
    SPT__TRY(spt__db_run(s,
                         "INSERT INTO trials (number, study_id, state, datetime_start)"
                         " VALUES (?, ?, 'WAITING', NULL)",
                         "ii", *number, study));
    const int64_t id = spt__db_last_id(s);
    SPT__TRY(insert_parameters(s, id, config));
    for (size_t i = 0; i < n_attrs; i++)
        SPT__TRY(put_attribute(s, id, attrs[i].key, attrs[i].json));
    spt__format(text, sizeof text, "%lld", (long long)*number);
    return put_attribute(s, id, "queue", text);
}

int32_t spt__store_trial_queue(spt_store *s, int64_t study, const spt_config *config,
                               const spt__attr *attrs, size_t n_attrs, int64_t *number)
{
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, insert_waiting(s, study, config, attrs, n_attrs, number));
}

static int32_t claim(spt_store *s, int64_t id, const spt_config *config, const spt__attr *attrs,
                     size_t n_attrs)
{
    char now[32];
    int64_t waiting = 0;
    spt__utc(now);
    SPT__TRY(spt__db_int(s, &waiting,
                         "SELECT count(*) FROM trials WHERE trial_id = ? AND state = 'WAITING'",
                         "i", id));
    if (waiting == 0)
        return spt__fail(&s->ctx->err, SPT_EBUSY, "%s: another program has taken the trial",
                         s->path);
    SPT__TRY(spt__db_run(s,
                         "UPDATE trials SET state = 'RUNNING', datetime_start = ?"
                         " WHERE trial_id = ?",
                         "ti", now, id));
    SPT__TRY(spt__db_run(s, "DELETE FROM trial_params WHERE trial_id = ?", "i", id));
    SPT__TRY(insert_parameters(s, id, config));
    for (size_t i = 0; i < n_attrs; i++)
        SPT__TRY(put_attribute(s, id, attrs[i].key, attrs[i].json));
    return own_trial(s, id);
}

int32_t spt__store_trial_claim(spt_store *s, int64_t id, const spt_config *config,
                               const spt__attr *attrs, size_t n_attrs)
{
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, claim(s, id, config, attrs, n_attrs));
}

int32_t spt__store_trial_values(spt_store *s, int64_t id, const spt_space *space, double *values)
{
    sqlite3_stmt *q;
    int32_t status;
    for (int32_t i = 0; i < space->n; i++)
        values[i] = NAN;
    SPT__TRY(spt__db_query(
        s, &q, "SELECT param_name, param_value FROM trial_params WHERE trial_id = ?", "i", id));
    while ((status = spt__db_row(s, q)) > 0) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        const int32_t i = name != NULL ? spt_space_find(space, name) : -1;
        if (i >= 0 && sqlite3_column_type(q, 1) != SQLITE_NULL)
            values[i] = sqlite3_column_double(q, 1);
    }
    return status;
}

/* ---- at work ---- */

/* SPT_OK while the trial may be changed. */
static int32_t open_trial(spt_store *s, int64_t id)
{
    int64_t open = 0;
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
        s,
        "UPDATE trial_heartbeats SET heartbeat = strftime('%Y-%m-%d %H:%M:%S', 'now')"
        " WHERE trial_id = ?",
        "i", id);
}

static int32_t insert_step(spt_store *s, int64_t id, int64_t step, double value)
{
    int64_t known = 0;
    SPT__TRY(open_trial(s, id));
    SPT__TRY(spt__db_int(s, &known,
                         "SELECT count(*) FROM trial_intermediate_values"
                         " WHERE trial_id = ? AND step = ?",
                         "ii", id, step));
    if (known != 0)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "step %lld of the trial was told before",
                         (long long)step);
    const char *type = isnan(value)    ? "NAN"
                       : !isinf(value) ? "FINITE"
                       : value > 0     ? "INF_POS"
                                       : "INF_NEG";
    SPT__TRY(
        spt__db_run(s,
                    "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value,"
                    " intermediate_value_type) VALUES (?, ?, ?, ?)",
                    "iidt", id, step, isfinite(value) ? value : NAN, type));
    return beat(s, id);
}

int32_t spt__store_trial_step(spt_store *s, int64_t id, int64_t step, double value)
{
    if (step < 0)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "step is %lld; steps count from 0",
                         (long long)step);
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, insert_step(s, id, step, value));
}

int32_t spt__store_trial_alive(spt_store *s, int64_t id)
{
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, beat(s, id));
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
    return spt__db_run(s,
                       "INSERT OR IGNORE INTO trial_system_attributes (trial_id, key, value_json)"
                       " SELECT trial_id, 'terminator:cv_scores', '[' || group_concat(value, ', ')"
                       " || ']' FROM (SELECT trial_id, intermediate_value AS value FROM"
                       " trial_intermediate_values WHERE trial_id = ?"
                       " AND intermediate_value_type = 'FINITE' ORDER BY step) GROUP BY trial_id",
                       "i", id);
}

static int32_t finish(spt_store *s, int64_t id, spt__finish *f)
{
    static const char *const names[] = {"RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"};
    char now[32];
    int64_t study = 0;
    bool reason = false;
    SPT__TRY(open_trial(s, id));
    SPT__TRY(spt__db_int(s, &study, "SELECT study_id FROM trials WHERE trial_id = ?", "i", id));
    for (size_t i = 0; i < f->n_attrs; i++) {
        reason = reason || strcmp(f->attrs[i].key, "reason") == 0;
        SPT__TRY(put_attribute(s, id, f->attrs[i].key, f->attrs[i].json));
    }
    for (size_t i = 0; i < f->n_blocks; i++)
        SPT__TRY(
            spt__db_run(s,
                        "INSERT OR REPLACE INTO spectune_blocks (study_id, trial_id, key, data)"
                        " VALUES (?, ?, ?, ?)",
                        "iitb", study, id, f->blocks[i].key, f->blocks[i].data, f->blocks[i].size));
    if (f->state == SPT_TRIAL_COMPLETE && !isfinite(f->value)) {
        f->state = SPT_TRIAL_FAILED;
        if (!reason)
            SPT__TRY(put_attribute(s, id, "reason",
                                   isnan(f->value) ? "\"the loss is not a number\""
                                                   : "\"the loss is infinite\""));
    }
    if (f->state == SPT_TRIAL_COMPLETE || (f->state == SPT_TRIAL_PRUNED && !isnan(f->value)))
        SPT__TRY(put_value(s, id, f->value));
    if (f->state == SPT_TRIAL_COMPLETE) SPT__TRY(put_fold_scores(s, id));
    spt__utc(now);
    return spt__db_run(s, "UPDATE trials SET state = ?, datetime_complete = ? WHERE trial_id = ?",
                       "tti", names[f->state], now, id);
}

int32_t spt__store_trial_finish(spt_store *s, int64_t id, spt__finish *f)
{
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, finish(s, id, f));
}

/* ---- trials that nobody works on any more ---- */

static bool is_stale(const char *owner_json, bool silent)
{
    char owner[SPT__PROCESS_NAME];
    const size_t length = owner_json != NULL ? strlen(owner_json) : 0;
    if (length < 2 || length - 2 >= sizeof owner) return silent;
    memcpy(owner, owner_json + 1, length - 2);
    owner[length - 2] = '\0';
    const spt__process_state state = spt__process_look(owner);
    return state == SPT__PROCESS_GONE || (state == SPT__PROCESS_UNKNOWN && silent);
}

static int32_t fail_one(spt_store *s, int64_t study, double seconds, const char *reason,
                        int64_t *id)
{
    sqlite3_stmt *q;
    int32_t status;
    /* Trials without a heartbeat and without an owner are nobody's we know: left alone. */
    SPT__TRY(spt__db_query(
        s, &q,
        "SELECT t.trial_id, a.value_json, h.heartbeat IS NOT NULL AND"
        " (julianday('now') - julianday(h.heartbeat)) * 86400 > ? FROM trials t"
        " LEFT JOIN trial_system_attributes a ON a.trial_id = t.trial_id AND a.key = "
        "'spectune:owner'"
        " LEFT JOIN trial_heartbeats h ON h.trial_id = t.trial_id"
        " WHERE t.study_id = ? AND t.state = 'RUNNING' AND t.trial_id > ? ORDER BY t.trial_id",
        "dii", seconds, study, *id));
    while ((status = spt__db_row(s, q)) > 0) {
        *id = sqlite3_column_int64(q, 0);
        if (!is_stale((const char *)sqlite3_column_text(q, 1), sqlite3_column_int(q, 2) != 0))
            continue;
        spt__db_done(q);
        spt__buf b;
        spt__buf_init(&b, s->ctx);
        spt__buf_json(&b, reason);
        const spt__attr attr = {"reason", b.data};
        spt__finish f = {.state = SPT_TRIAL_FAILED, .value = NAN, .attrs = &attr, .n_attrs = 1};
        status = b.failed ? spt__nomem(&s->ctx->err) : finish(s, *id, &f);
        spt__buf_free(&b);
        return status < 0 ? status : 1;
    }
    return status;
}

int32_t spt__store_fail_stale(spt_store *s, int64_t study, double seconds, const char *reason,
                              int64_t *failed)
{
    int64_t n = 0, id = -1;
    int32_t status;
    SPT__TRY(spt__db_begin(s, true));
    while ((status = fail_one(s, study, seconds, reason, &id)) > 0)
        n++;
    if (failed != NULL) *failed = n;
    return spt__db_end(s, status);
}
