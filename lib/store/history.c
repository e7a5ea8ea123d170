/* All trials of a study in memory, growing or as a snapshot. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

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
    int64_t *open; /* places of those that had not finished when they were read */
    int64_t n_open, open_capacity;
};

static void free_attrs(spt_ctx *ctx, const spt__row_attr *attrs, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        spt__free(ctx, (void *)(uintptr_t)attrs[i].key);
        spt__free(ctx, (void *)(uintptr_t)attrs[i].text);
    }
    spt__free(ctx, (void *)(uintptr_t)attrs);
}

static bool finished(const spt__row *row)
{
    return row->state == SPT_TRIAL_COMPLETE || row->state == SPT_TRIAL_PRUNED ||
           row->state == SPT_TRIAL_FAILED;
}

/* ---- histories ---- */

enum { AT_ONCE = 2000 }; /* trials read with one set of queries */

static int32_t put_row(spt_history *h, const spt__row *row)
{
    if (h->n == h->capacity) {
        const int64_t capacity = h->capacity > 0 ? 2 * h->capacity : 64;
        const spt__row **rows =
            spt__realloc(h->ctx, (void *)h->rows, (size_t)capacity, sizeof *rows);
        if (rows == NULL) return spt__nomem(&h->ctx->err);
        h->rows = rows;
        h->capacity = capacity;
    }
    if (!finished(row) && h->n_open == h->open_capacity) {
        const int64_t capacity = h->open_capacity > 0 ? 2 * h->open_capacity : 16;
        int64_t *open = spt__realloc(h->ctx, h->open, (size_t)capacity, sizeof *open);
        if (open == NULL) return spt__nomem(&h->ctx->err);
        h->open = open;
        h->open_capacity = capacity;
    }
    if (!finished(row)) h->open[h->n_open++] = h->n;
    h->rows[h->n++] = row;
    return SPT_OK;
}

/* Trials that were not there before. */
static int32_t read_new(spt_store *s, spt_history *h)
{
    spt__batch batch;
    int64_t n;
    do {
        const int64_t after = h->n > 0 ? h->rows[h->n - 1]->id : -1;
        int32_t status =
            spt__rows_read(s, h->study, h->space, h->inferred, after, INT64_MAX, AT_ONCE, &batch);
        n = batch.n;
        for (int64_t i = 0; i < n && status >= 0; i++) {
            status = put_row(h, &batch.boxes[i]->row);
            if (status >= 0) batch.boxes[i] = NULL;
        }
        spt__batch_free(s->ctx, &batch);
        SPT__TRY(status);
    } while (n == AT_ONCE);
    return SPT_OK;
}

/* One that had not finished, read again. */
static int32_t read_again(spt_store *s, spt_history *h, int64_t place)
{
    spt__batch batch;
    const int64_t id = h->rows[place]->id;
    SPT__TRY(spt__rows_read(s, h->study, h->space, h->inferred, id - 1, id, 1, &batch));
    if (batch.n == 1) {
        spt__row_release(h->ctx, h->rows[place]);
        h->rows[place] = &batch.boxes[0]->row;
        batch.boxes[0] = NULL;
    }
    spt__batch_free(s->ctx, &batch);
    return SPT_OK;
}

/* What another program runs may get its parameters one by one. */
static bool grows(const spt_history *h, const spt__row *row)
{
    return row->state == SPT_TRIAL_RUNNING &&
           (h->inferred || row->config == NULL || spt__row_text(row, "sequence") == NULL);
}

/* `all`: also what they have told meanwhile. */
static int32_t read_open(spt_store *s, spt_history *h, bool all)
{
    const size_t n = (size_t)h->n_open;
    if (n == 0) return SPT_OK;
    int64_t *ids = spt__alloc(s->ctx, n, sizeof *ids), still = 0;
    int32_t *states = spt__alloc(s->ctx, n, sizeof *states);
    bool *changed = spt__alloc(s->ctx, n, sizeof *changed);
    int32_t status =
        ids != NULL && states != NULL && changed != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
    for (size_t i = 0; i < n && status >= 0; i++) {
        ids[i] = h->rows[h->open[i]]->id;
        states[i] = h->rows[h->open[i]]->state;
    }
    if (status >= 0) status = spt__rows_changed(s, ids, states, (int64_t)n, changed);
    for (size_t i = 0; i < n && status >= 0; i++)
        if (all || changed[i] || grows(h, h->rows[h->open[i]]))
            status = read_again(s, h, h->open[i]);
    for (size_t i = 0; i < n; i++)
        if (!finished(h->rows[h->open[i]])) h->open[still++] = h->open[i];
    h->n_open = still;
    spt__free(s->ctx, ids);
    spt__free(s->ctx, states);
    spt__free(s->ctx, changed);
    return status;
}

static int32_t refresh(spt_store *s, void *arg)
{
    spt_history *h = arg;
    SPT__TRY(read_open(s, h, false));
    return read_new(s, h);
}

int32_t spt__history_refresh(spt_store *s, spt_history *h)
{
    return spt__db_transact(s, false, refresh, h);
}

/* The records as they are now. */
static int32_t read_records(spt_store *s, spt_history *h)
{
    spt__cursor q;
    free_attrs(h->ctx, h->records, h->n_records);
    h->records = NULL;
    h->n_records = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT key, value_json FROM study_user_attributes WHERE study_id = ?"
                           " ORDER BY study_user_attribute_id",
                           "i", h->study));
    return spt__rows_attrs(&q, &h->records, &h->n_records);
}

/* Everything but the trials. */
static int32_t read_study(spt_store *s, spt_history *h)
{
    spt__cursor q;
    int64_t objectives = 0, maximize = 0;
    SPT__TRY(
        spt__db_query(s, &q, "SELECT study_name FROM studies WHERE study_id = ?", "i", h->study));
    int32_t status = spt__db_row(&q);
    if (status <= 0) return status < 0 ? status : SPT_ENOTFOUND;
    status = spt__col_copy(&q, 0, &h->name);
    spt__db_done(&q);
    if (status < 0) return status;
    SPT__TRY(spt__db_int(s, &objectives, "SELECT count(*) FROM study_directions WHERE study_id = ?",
                         "i", h->study));
    if (objectives > 1)
        return spt__fail(&s->ctx->err, SPT_EUNSUPPORTED,
                         "%s: study '%s' has %lld objectives; studies with one can be read",
                         s->path, h->name, (long long)objectives);
    status = spt__db_int(s, &maximize,
                         "SELECT direction = 'MAXIMIZE' FROM study_directions WHERE study_id = ?",
                         "i", h->study);
    if (status < 0 && status != SPT_ENOTFOUND) return status;
    h->maximize = maximize != 0;
    return read_records(s, h);
}

static void clear(spt_history *h)
{
    spt_ctx *ctx = h->ctx;
    for (int64_t i = 0; i < h->n; i++)
        spt__row_release(ctx, h->rows[i]);
    spt__free(ctx, (void *)h->rows);
    spt__free(ctx, h->open);
    free_attrs(ctx, h->records, h->n_records);
    spt__free(ctx, h->name);
    spt_space_free(h->space);
}

static int32_t renew(spt_store *s, void *arg)
{
    spt_history *h = arg;
    SPT__TRY(read_open(s, h, true));
    SPT__TRY(read_new(s, h));
    return read_records(s, h);
}

int32_t spt__history_renew(spt_store *s, spt_history *h)
{
    return spt__db_transact(s, false, renew, h);
}

typedef struct opening {
    spt_history *history;
    const spt_space *space;
    bool inferred;
} opening;

static int32_t open_body(spt_store *s, void *arg)
{
    const opening *o = arg;
    spt_history *h = o->history;
    /* It may be the second time: from the start, then. */
    spt_ctx *ctx = h->ctx;
    const int64_t study = h->study;
    clear(h);
    *h = (spt_history){.ctx = ctx, .refs = 1, .study = study};
    SPT__TRY(read_study(s, h));
    if (o->space != NULL) {
        h->space = spt__space_ref(o->space);
        h->inferred = o->inferred;
    } else {
        SPT__TRY(spt__store_space(s, h->study, &h->space, &h->inferred));
        SPT__TRY(spt__space_freeze(h->space, &ctx->err));
    }
    return refresh(s, h);
}

int32_t spt__history_open(spt_store *s, int64_t study, const spt_space *space, bool inferred,
                          spt_history **out)
{
    *out = NULL;
    spt_history *h = spt__calloc(s->ctx, 1, sizeof *h);
    if (h == NULL) return spt__nomem(&s->ctx->err);
    h->ctx = spt__ctx_ref(s->ctx);
    h->refs = 1;
    h->study = study;
    opening o = {h, space, inferred};
    const int32_t status = spt__db_transact(s, false, open_body, &o);
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
    return spt__history_open(s, id, NULL, false, out);
}

void spt_history_free(spt_history *h)
{
    if (h == NULL || --h->refs > 0) return;
    spt_ctx *ctx = h->ctx;
    clear(h);
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
    c->space = spt__space_ref(h->space);
    c->name = spt__strdup(ctx, h->name);
    c->rows = spt__alloc(ctx, (size_t)h->n, sizeof *c->rows);
    c->records = spt__calloc(ctx, (size_t)h->n_records, sizeof *c->records);
    c->open = spt__alloc(ctx, (size_t)h->n_open, sizeof *c->open);
    bool failed = c->name == NULL || c->rows == NULL || c->records == NULL || c->open == NULL;
    for (int64_t i = 0; i < h->n_records && !failed; i++) {
        c->records[i] = (spt__row_attr){spt__strdup(ctx, h->records[i].key),
                                        spt__strdup(ctx, h->records[i].text)};
        c->n_records++;
        failed = c->records[i].key == NULL || c->records[i].text == NULL;
    }
    for (int64_t i = 0; i < h->n && !failed; i++) {
        ((spt__box *)(uintptr_t)h->rows[i])->refs++;
        c->rows[i] = h->rows[i];
        c->n = c->capacity = i + 1;
    }
    if (failed) {
        spt_history_free(c);
        return spt__nomem(&ctx->err);
    }
    if (h->n_open > 0) memcpy(c->open, h->open, (size_t)h->n_open * sizeof *c->open);
    c->n_open = c->open_capacity = h->n_open;
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
    const char *reason = spt__row_text(row, "reason");
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

int32_t spt_history_steps(const spt_history *h, int64_t index, int64_t *steps, double *values,
                          int64_t capacity)
{
    const spt__row *row = row_at(h, index);
    SPT__REQUIRE(row != NULL);
    if (capacity < row->n_steps) return SPT_ECAPACITY;
    for (int64_t i = 0; i < row->n_steps; i++) {
        if (steps != NULL) steps[i] = row->steps[i];
        if (values != NULL) values[i] = row->step_values[i];
    }
    return SPT_OK;
}

const char *spt_history_attribute(const spt_history *h, int64_t index, const char *key)
{
    const spt__row *row = row_at(h, index);
    return row != NULL && key != NULL ? spt__row_text(row, key) : NULL;
}

const char *spt_history_attribute_key(const spt_history *h, int64_t index, int64_t k)
{
    const spt__row *row = row_at(h, index);
    return row != NULL && k >= 0 && k < row->n_attrs ? row->attrs[k].key : NULL;
}

int64_t spt_history_best(const spt_history *h)
{
    int64_t best = SPT_ENOTFOUND;
    SPT__REQUIRE(h != NULL);
    for (int64_t i = 0; i < h->n; i++) {
        const spt__row *row = h->rows[i];
        if (row->state != SPT_TRIAL_COMPLETE || !isfinite(row->value)) continue;
        if (best < 0 ||
            (h->maximize ? row->value > h->rows[best]->value : row->value < h->rows[best]->value))
            best = i;
    }
    return best;
}
