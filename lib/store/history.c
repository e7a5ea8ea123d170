/* All trials of a study in memory. */
#include "db.h"

#include <stdlib.h>
#include <string.h>

/* One trial, shared by snapshots. The row comes first: a row's address is its box's. */
typedef struct box {
    spt__row row;
    _Atomic int64_t refs;
    int32_t capacity_attrs, capacity_steps;
} box;

struct spt_history {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    int64_t study;
    char *name;
    spt_space *space;
    bool inferred, maximize;
    spt__row_attr *records;
    int64_t n_records;
    const spt__row **rows; /* boxes */
    int64_t n, capacity;
    int64_t settled; /* the first so many rows are finished: they need not be read again */
};

/* ---- rows ---- */

static void free_attrs(spt_ctx *ctx, const spt__row_attr *attrs, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        spt__free(ctx, (char *)attrs[i].key);
        spt__free(ctx, (char *)attrs[i].text);
    }
    spt__free(ctx, (spt__row_attr *)attrs);
}

static void release(spt_ctx *ctx, const spt__row *row)
{
    box *b = (box *)row;
    if (b == NULL || --b->refs > 0) return;
    spt_config_free((spt_config *)row->config);
    spt__free(ctx, (char *)row->started);
    spt__free(ctx, (char *)row->ended);
    spt__free(ctx, (int64_t *)row->steps);
    spt__free(ctx, (double *)row->step_values);
    free_attrs(ctx, row->attrs, row->n_attrs);
    spt__free(ctx, b);
}

static int32_t state_of(const char *text)
{
    static const char *const names[] = {"RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"};
    for (int32_t i = 0; text != NULL && i < 5; i++)
        if (strcmp(names[i], text) == 0) return i;
    return SPT_TRIAL_FAILED;
}

static bool finished(const spt__row *row)
{
    return row->state == SPT_TRIAL_COMPLETE || row->state == SPT_TRIAL_PRUNED ||
           row->state == SPT_TRIAL_FAILED;
}

static const char *attribute(const spt__row *row, const char *key)
{
    for (int64_t i = 0; i < row->n_attrs; i++)
        if (strcmp(row->attrs[i].key, key) == 0) return row->attrs[i].text;
    return NULL;
}

/* A value that Optuna keeps as a number and a word for what is not one. */
static double typed(sqlite3_stmt *q, int value, int type)
{
    const char *word = (const char *)sqlite3_column_text(q, type);
    if (word != NULL && strcmp(word, "INF_POS") == 0) return INFINITY;
    if (word != NULL && strcmp(word, "INF_NEG") == 0) return -INFINITY;
    return sqlite3_column_type(q, value) == SQLITE_NULL ? NAN : sqlite3_column_double(q, value);
}

/* Parameters of a study whose space is known; *missing if one that exists has no value, or a value
 * is none of the parameter's. */
static int32_t read_config(spt_store *s, const spt_history *h, spt__row *row)
{
    spt_config *config = NULL;
    const spt_space *space = h->space;
    double *values = spt__alloc(s->ctx, (size_t)space->n, sizeof *values);
    if (values == NULL) return spt__nomem(&s->ctx->err);
    int32_t status = spt__store_trial_values(s, row->id, space, values);
    if (status < 0) goto done;
    if (h->inferred) {
        /* What a trial of Optuna's has not did not exist in it: there is no tree to tell. */
        status = spt__config_new_empty(s->ctx, space, &config, &s->ctx->err);
        for (int32_t i = 0; i < space->n && status >= 0; i++)
            if (!isnan(values[i]))
                spt__config_set(config, i, spt__space_snap(&space->parameters[i], values[i]));
    } else {
        spt__err ignored;
        status = spt__config_from_values(s->ctx, space, values, &config, &ignored);
        if (status == SPT_ENOMEM)
            status = spt__nomem(&s->ctx->err);
        else if (status < 0)
            status = SPT_OK; /* of another program, or from before the space was changed by hand */
    }
    row->config = config;
done:
    spt__free(s->ctx, values);
    return status;
}

static int32_t read_steps(spt_store *s, box *b)
{
    sqlite3_stmt *q;
    int32_t status;
    spt__row *row = &b->row;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT step, intermediate_value, intermediate_value_type FROM"
                           " trial_intermediate_values WHERE trial_id = ? ORDER BY step",
                           "i", row->id));
    while ((status = spt__db_row(s, q)) > 0) {
        if (row->n_steps == b->capacity_steps) {
            const int32_t capacity = b->capacity_steps > 0 ? 2 * b->capacity_steps : 8;
            int64_t *steps =
                spt__realloc(s->ctx, (int64_t *)row->steps, (size_t)capacity, sizeof *steps);
            if (steps != NULL) row->steps = steps;
            double *values =
                spt__realloc(s->ctx, (double *)row->step_values, (size_t)capacity, sizeof *values);
            if (values != NULL) row->step_values = values;
            if (steps == NULL || values == NULL) {
                spt__db_done(q);
                return spt__nomem(&s->ctx->err);
            }
            b->capacity_steps = capacity;
        }
        ((int64_t *)row->steps)[row->n_steps] = sqlite3_column_int64(q, 0);
        ((double *)row->step_values)[row->n_steps++] = typed(q, 1, 2);
    }
    return status;
}

/* Keys and JSON values of what a query gives, appended. */
static int32_t read_attrs(spt_store *s, sqlite3_stmt *q, spt__row_attr **attrs, int64_t *n)
{
    int32_t status;
    int64_t capacity = *n;
    while ((status = spt__db_row(s, q)) > 0) {
        const char *key = (const char *)sqlite3_column_text(q, 0);
        const char *json = (const char *)sqlite3_column_text(q, 1);
        if (key == NULL || json == NULL) continue;
        if (*n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 16;
            spt__row_attr *grown = spt__realloc(s->ctx, *attrs, (size_t)capacity, sizeof *grown);
            if (grown == NULL) break;
            *attrs = grown;
        }
        spt__row_attr *a = &(*attrs)[*n];
        *a = (spt__row_attr){spt__strdup(s->ctx, key), spt__json_plain(s->ctx, json)};
        *n += 1;
        if (a->key == NULL || a->text == NULL) break;
    }
    if (status <= 0) return status;
    spt__db_done(q);
    return spt__nomem(&s->ctx->err);
}

/* The row that `q` stands at: id, number, state, start, end, value, type of the value. */
static int32_t read_row(spt_store *s, const spt_history *h, int64_t id, box **out)
{
    sqlite3_stmt *q;
    box *b = spt__calloc(s->ctx, 1, sizeof *b);
    if (b == NULL) return spt__nomem(&s->ctx->err);
    b->refs = 1;
    spt__row *row = &b->row;
    char *text;
    row->id = id;
    int32_t status = spt__db_query(
        s, &q,
        "SELECT t.number, t.state, t.datetime_start, t.datetime_complete, v.value, v.value_type"
        " FROM trials t LEFT JOIN trial_values v ON v.trial_id = t.trial_id AND v.objective = 0"
        " WHERE t.trial_id = ?",
        "i", id);
    if (status >= 0) status = spt__db_row(s, q);
    if (status > 0) {
        row->number = sqlite3_column_int64(q, 0);
        row->state = state_of((const char *)sqlite3_column_text(q, 1));
        row->value = typed(q, 4, 5);
        status = spt__db_text(s, q, 2, &text);
        row->started = text;
        if (status >= 0) {
            status = spt__db_text(s, q, 3, &text);
            row->ended = text;
        }
        spt__db_done(q);
    }
    if (status >= 0) status = read_config(s, h, row);
    if (status >= 0) status = read_steps(s, b);
    if (status >= 0)
        status =
            spt__db_query(s, &q,
                          "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = ?"
                          " ORDER BY trial_user_attribute_id",
                          "i", id);
    if (status >= 0) status = read_attrs(s, q, (spt__row_attr **)&row->attrs, &row->n_attrs);
    if (status < 0) {
        release(s->ctx, row);
        return status;
    }
    *out = b;
    return SPT_OK;
}

/* ---- histories ---- */

static int32_t put_row(spt_history *h, int64_t at, const spt__row *row)
{
    if (at == h->capacity) {
        const int64_t capacity = h->capacity > 0 ? 2 * h->capacity : 64;
        const spt__row **rows =
            spt__realloc(h->ctx, (void *)h->rows, (size_t)capacity, sizeof *rows);
        if (rows == NULL) return spt__nomem(&h->ctx->err);
        h->rows = rows;
        h->capacity = capacity;
    }
    if (at < h->n)
        release(h->ctx, h->rows[at]);
    else
        h->n = at + 1;
    h->rows[at] = row;
    return SPT_OK;
}

static int32_t list_ids(spt_store *s, const spt_history *h, int64_t **ids, int64_t *n)
{
    sqlite3_stmt *q;
    int32_t status;
    int64_t capacity = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id FROM trials WHERE study_id = ? AND number >= ?"
                           " ORDER BY number",
                           "ii", h->study, h->settled));
    while ((status = spt__db_row(s, q)) > 0) {
        if (*n == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 64;
            int64_t *grown = spt__realloc(s->ctx, *ids, (size_t)capacity, sizeof *grown);
            if (grown == NULL) {
                spt__db_done(q);
                return spt__nomem(&s->ctx->err);
            }
            *ids = grown;
        }
        (*ids)[(*n)++] = sqlite3_column_int64(q, 0);
    }
    return status;
}

static int32_t refresh(spt_store *s, spt_history *h)
{
    int64_t *ids = NULL, n = 0;
    int32_t status = list_ids(s, h, &ids, &n);
    const int64_t base = h->settled;
    for (int64_t i = 0; i < n && status >= 0; i++) {
        const int64_t at = base + i;
        box *b = NULL;
        if (at < h->n && h->rows[at]->id == ids[i] && finished(h->rows[at])) continue;
        status = read_row(s, h, ids[i], &b);
        if (status < 0) break;
        status = put_row(h, at, &b->row);
        if (status < 0) release(s->ctx, &b->row);
    }
    while (status >= 0 && h->settled < h->n && finished(h->rows[h->settled]))
        h->settled++;
    spt__free(s->ctx, ids);
    return status;
}

int32_t spt__history_refresh(spt_store *s, spt_history *h)
{
    SPT__TRY(spt__db_begin(s, false));
    return spt__db_end(s, refresh(s, h));
}

/* Everything but the trials. */
static int32_t read_study(spt_store *s, const spt_space *space, spt_history *h)
{
    sqlite3_stmt *q;
    int64_t objectives = 0;
    SPT__TRY(
        spt__db_query(s, &q, "SELECT study_name FROM studies WHERE study_id = ?", "i", h->study));
    int32_t status = spt__db_row(s, q);
    if (status <= 0) return status < 0 ? status : SPT_ENOTFOUND;
    status = spt__db_text(s, q, 0, &h->name);
    spt__db_done(q);
    if (status < 0) return status;
    SPT__TRY(spt__db_int(s, &objectives, "SELECT count(*) FROM study_directions WHERE study_id = ?",
                         "i", h->study));
    if (objectives > 1)
        return spt__fail(&s->ctx->err, SPT_EUNSUPPORTED,
                         "%s: study '%s' has %lld objectives; studies with one can be read",
                         s->path, h->name, (long long)objectives);
    int64_t maximize = 0;
    status = spt__db_int(s, &maximize,
                         "SELECT direction = 'MAXIMIZE' FROM study_directions WHERE study_id = ?",
                         "i", h->study);
    if (status < 0 && status != SPT_ENOTFOUND) return status;
    h->maximize = maximize != 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT key, value_json FROM study_user_attributes WHERE study_id = ?"
                           " ORDER BY study_user_attribute_id",
                           "i", h->study));
    SPT__TRY(read_attrs(s, q, &h->records, &h->n_records));
    if (space != NULL) {
        h->space = spt__space_ref(space);
        return SPT_OK;
    }
    SPT__TRY(spt__store_space(s, h->study, &h->space, &h->inferred));
    return spt__space_freeze(h->space, &s->ctx->err);
}

int32_t spt__history_open(spt_store *s, int64_t study, const spt_space *space, spt_history **out)
{
    *out = NULL;
    spt_history *h = spt__calloc(s->ctx, 1, sizeof *h);
    if (h == NULL) return spt__nomem(&s->ctx->err);
    h->ctx = spt__ctx_ref(s->ctx);
    h->refs = 1;
    h->study = study;
    int32_t status = spt__db_begin(s, false);
    if (status >= 0) {
        status = read_study(s, space, h);
        if (status >= 0) status = refresh(s, h);
        status = spt__db_end(s, status);
    }
    if (status < 0) {
        spt_history_free(h);
        return status;
    }
    *out = h;
    return SPT_OK;
}

int32_t spt_history_read(spt_store *s, const char *study, spt_history **out)
{
    int64_t id;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__store_find_study(s, study, &id));
    return spt__history_open(s, id, NULL, out);
}

void spt_history_free(spt_history *h)
{
    if (h == NULL || --h->refs > 0) return;
    spt_ctx *ctx = h->ctx;
    for (int64_t i = 0; i < h->n; i++)
        release(ctx, h->rows[i]);
    spt__free(ctx, (void *)h->rows);
    free_attrs(ctx, h->records, h->n_records);
    spt__free(ctx, h->name);
    spt_space_free(h->space);
    spt__free(ctx, h);
    spt__ctx_unref(ctx);
}

int32_t spt__history_snapshot(const spt_history *h, spt_history **out)
{
    spt_ctx *ctx = h->ctx;
    *out = NULL;
    spt_history *c = spt__calloc(ctx, 1, sizeof *c);
    if (c == NULL) return spt__nomem(&ctx->err);
    c->ctx = spt__ctx_ref(ctx);
    c->refs = 1;
    c->study = h->study;
    c->inferred = h->inferred;
    c->maximize = h->maximize;
    c->settled = h->settled;
    c->space = spt__space_ref(h->space);
    c->name = spt__strdup(ctx, h->name);
    c->rows = spt__alloc(ctx, (size_t)h->n, sizeof *c->rows);
    c->records = spt__calloc(ctx, (size_t)h->n_records, sizeof *c->records);
    bool failed = c->name == NULL || c->rows == NULL || c->records == NULL;
    for (int64_t i = 0; i < h->n_records && !failed; i++) {
        c->records[i] = (spt__row_attr){spt__strdup(ctx, h->records[i].key),
                                        spt__strdup(ctx, h->records[i].text)};
        c->n_records++;
        failed = c->records[i].key == NULL || c->records[i].text == NULL;
    }
    for (int64_t i = 0; i < h->n && !failed; i++) {
        ((box *)h->rows[i])->refs++;
        c->rows[i] = h->rows[i];
        c->n = c->capacity = i + 1;
    }
    if (failed) {
        spt_history_free(c);
        return spt__nomem(&ctx->err);
    }
    *out = c;
    return SPT_OK;
}

const spt__row *const *spt__history_rows(const spt_history *h, int64_t *n)
{
    *n = h->n;
    return h->rows;
}

bool spt__history_inferred(const spt_history *h)
{
    return h->inferred;
}

bool spt__history_maximizes(const spt_history *h)
{
    return h->maximize;
}

/* Whoever stopped a trial, or died over it, has told nothing about its configuration. */
bool spt__row_counts(const spt__row *row)
{
    if (!finished(row)) return false;
    if (row->state != SPT_TRIAL_FAILED) return true;
    const char *reason = attribute(row, "reason");
    return reason == NULL || (strcmp(reason, "stopped") != 0 && strcmp(reason, "abandoned") != 0);
}

int64_t spt_history_finished(const spt_history *h)
{
    int64_t n = 0;
    if (h == NULL) return SPT_EINVAL;
    for (int64_t i = 0; i < h->n; i++)
        n += spt__row_counts(h->rows[i]);
    return n;
}

/* ---- what a host reads ---- */

static const spt__row *row_at(const spt_history *h, int64_t index)
{
    return h != NULL && index >= 0 && index < h->n ? h->rows[index] : NULL;
}

const char *spt_history_name(const spt_history *h)
{
    return h != NULL ? h->name : NULL;
}

const spt_space *spt_history_space(const spt_history *h)
{
    return h != NULL ? h->space : NULL;
}

const char *spt_history_record(const spt_history *h, const char *key)
{
    for (int64_t i = 0; h != NULL && key != NULL && i < h->n_records; i++)
        if (strcmp(h->records[i].key, key) == 0) return h->records[i].text;
    return NULL;
}

const char *spt_history_record_key(const spt_history *h, int64_t index)
{
    return h != NULL && index >= 0 && index < h->n_records ? h->records[index].key : NULL;
}

int64_t spt_history_count(const spt_history *h)
{
    return h != NULL ? h->n : SPT_EINVAL;
}

int32_t spt_history_trial(const spt_history *h, int64_t index, spt_trial_info *info)
{
    spt_trial_info i;
    const spt__row *row = row_at(h, index);
    SPT__REQUIRE(row != NULL && info != NULL);
    spt_record_init(&i, sizeof i);
    i.state = row->state;
    i.number = row->number;
    i.value = row->state == SPT_TRIAL_COMPLETE || row->state == SPT_TRIAL_PRUNED ? row->value : NAN;
    i.started = row->started != NULL ? row->started : "";
    i.ended = row->ended != NULL ? row->ended : "";
    i.n_steps = row->n_steps;
    return spt__record_out(info, &i, sizeof i);
}

const spt_config *spt_history_config(const spt_history *h, int64_t index)
{
    const spt__row *row = row_at(h, index);
    return row != NULL ? row->config : NULL;
}

int32_t spt_history_steps(const spt_history *h, int64_t index, int64_t *steps, double *values)
{
    const spt__row *row = row_at(h, index);
    SPT__REQUIRE(row != NULL);
    for (int64_t i = 0; i < row->n_steps; i++) {
        if (steps != NULL) steps[i] = row->steps[i];
        if (values != NULL) values[i] = row->step_values[i];
    }
    return SPT_OK;
}

const char *spt_history_attribute(const spt_history *h, int64_t index, const char *key)
{
    const spt__row *row = row_at(h, index);
    return row != NULL && key != NULL ? attribute(row, key) : NULL;
}

const char *spt_history_attribute_key(const spt_history *h, int64_t index, int64_t k)
{
    const spt__row *row = row_at(h, index);
    return row != NULL && k >= 0 && k < row->n_attrs ? row->attrs[k].key : NULL;
}

int64_t spt_history_best(const spt_history *h)
{
    int64_t best = -1;
    for (int64_t i = 0; h != NULL && i < h->n; i++) {
        const spt__row *row = h->rows[i];
        if (row->state != SPT_TRIAL_COMPLETE || !isfinite(row->value)) continue;
        if (best < 0 ||
            (h->maximize ? row->value > h->rows[best]->value : row->value < h->rows[best]->value))
            best = i;
    }
    return best;
}
