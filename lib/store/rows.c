/* Reading trials from the database, many at a time: one query for each kind of thing they have. */
#include "rows.h"

#include <math.h>
#include <string.h>

void spt__row_release(spt_ctx *ctx, const spt__row *row)
{
    spt__box *b = (spt__box *)(uintptr_t)row;
    if (b == NULL || --b->refs > 0) return;
    spt_config_free((spt_config *)(uintptr_t)row->config);
    spt__free(ctx, (void *)(uintptr_t)row->started);
    spt__free(ctx, (void *)(uintptr_t)row->ended);
    spt__free(ctx, (void *)(uintptr_t)row->steps);
    spt__free(ctx, (void *)(uintptr_t)row->step_values);
    for (int64_t i = 0; i < row->n_attrs; i++) {
        spt__free(ctx, (void *)(uintptr_t)row->attrs[i].key);
        spt__free(ctx, (void *)(uintptr_t)row->attrs[i].text);
    }
    spt__free(ctx, (void *)(uintptr_t)row->attrs);
    spt__free(ctx, b);
}

void spt__batch_free(spt_ctx *ctx, spt__batch *batch)
{
    for (int64_t i = 0; i < batch->n; i++)
        if (batch->boxes[i] != NULL) spt__row_release(ctx, &batch->boxes[i]->row);
    spt__free(ctx, (void *)batch->boxes);
    *batch = (spt__batch){NULL, 0};
}

const char *spt__row_text(const spt__row *row, const char *key)
{
    for (int64_t i = 0; i < row->n_attrs; i++)
        if (strcmp(row->attrs[i].key, key) == 0) return row->attrs[i].text;
    return NULL;
}

/* ---- columns ---- */

static int32_t state_of(const char *text)
{
    const int32_t state = spt__state_of_word(text);
    return state >= 0 ? state : SPT_TRIAL_FAILED;
}

/* A value that Optuna keeps as a number and a word for what is not one. */
static double typed(const spt__cursor *q, int value, int type)
{
    const char *word = spt__col_text(q, type);
    if (word != NULL && *word == 'I') return strcmp(word, "INF_POS") == 0 ? INFINITY : -INFINITY;
    return spt__col_double(q, value);
}

/* "YYYY-MM-DD HH:MM:SS.ffffff", whatever the database leaves out of it. */
static int32_t copy_time(spt__cursor *q, int column, const char **out)
{
    static const char whole[] = "0000-00-00 00:00:00.000000";
    const char *text = spt__col_text(q, column);
    if (text == NULL) return SPT_OK;
    const size_t n = strlen(text);
    char *copy = spt__alloc(q->store->ctx, n + sizeof whole, 1);
    if (copy == NULL) return spt__nomem(&q->store->ctx->err);
    memcpy(copy, text, n + 1);
    if (n >= 19 && n < sizeof whole - 1) memcpy(copy + n, whole + n, sizeof whole - n);
    *out = copy;
    return SPT_OK;
}

/* ---- the parts of trials ---- */

static int32_t add_box(spt_store *s, spt__batch *batch, int64_t *capacity, spt__box **out)
{
    if (batch->n == *capacity) {
        const int64_t more = *capacity > 0 ? 2 * *capacity : 16;
        spt__box **grown = spt__realloc(s->ctx, (void *)batch->boxes, (size_t)more, sizeof *grown);
        if (grown == NULL) return spt__nomem(&s->ctx->err);
        batch->boxes = grown;
        *capacity = more;
    }
    *out = spt__calloc(s->ctx, 1, sizeof **out);
    if (*out == NULL) return spt__nomem(&s->ctx->err);
    (*out)->refs = 1;
    batch->boxes[batch->n++] = *out;
    return SPT_OK;
}

static int32_t read_trial(spt_store *s, spt__cursor *q, spt__batch *batch, int64_t *capacity)
{
    spt__box *box;
    SPT__TRY(add_box(s, batch, capacity, &box));
    spt__row *row = &box->row;
    row->id = spt__col_int(q, 0);
    row->number = spt__col_int(q, 1);
    row->state = state_of(spt__col_text(q, 2));
    SPT__TRY(copy_time(q, 3, &row->started));
    SPT__TRY(copy_time(q, 4, &row->ended));
    row->value = typed(q, 5, 6);
    return SPT_OK;
}

static int32_t read_trials(spt_store *s, int64_t study, int64_t after, int64_t upto, int64_t limit,
                           spt__batch *batch)
{
    spt__cursor q;
    int32_t status;
    int64_t capacity = 0;
    SPT__TRY(spt__db_query(
        s, &q,
        "SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete, v.value,"
        " v.value_type FROM trials t LEFT JOIN trial_values v ON v.trial_id = t.trial_id"
        " AND v.objective = 0 WHERE t.study_id = ? AND t.trial_id > CAST(? AS BIGINT)"
        " AND t.trial_id <= CAST(? AS BIGINT) ORDER BY t.trial_id LIMIT ?",
        "iiii", study, after, upto, limit));
    while ((status = spt__db_row(&q)) > 0) {
        status = read_trial(s, &q, batch, &capacity);
        if (status < 0) break;
    }
    spt__db_done(&q);
    return status;
}

/* The trial of an id; ids come in order, *at is the place of the one before. Trials of other
 * studies may lie between. */
static spt__box *seek(const spt__batch *batch, int64_t *at, int64_t id)
{
    while (*at < batch->n && batch->boxes[*at]->row.id < id)
        *at += 1;
    return *at < batch->n && batch->boxes[*at]->row.id == id ? batch->boxes[*at] : NULL;
}

/* Parameters mostly come in the order of the space. */
static int32_t find_parameter(const spt_space *space, int32_t guess, const char *name)
{
    if (guess < space->n && strcmp(space->parameters[guess].name, name) == 0) return guess;
    return spt_space_find(space, name);
}

static int32_t read_values(spt_store *s, const spt_space *space, const spt__batch *batch,
                           double *values)
{
    spt__cursor q;
    int32_t status, parameter = -1;
    int64_t at = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id, param_name, param_value FROM trial_params"
                           " WHERE trial_id >= ? AND trial_id <= ? ORDER BY trial_id",
                           "ii", batch->boxes[0]->row.id, batch->boxes[batch->n - 1]->row.id));
    while ((status = spt__db_row(&q)) > 0) {
        if (seek(batch, &at, spt__col_int(&q, 0)) == NULL) continue;
        const char *name = spt__col_text(&q, 1);
        const int32_t found = name != NULL ? find_parameter(space, parameter + 1, name) : -1;
        if (found < 0) continue;
        parameter = found;
        values[at * space->n + found] = spt__col_double(&q, 2);
    }
    return status;
}

/* What has no value did not exist in a trial of a study without a tree. */
static int32_t loose_config(spt_store *s, const spt_space *space, const double *values,
                            spt_config **config)
{
    SPT__TRY(spt__config_new_empty(s->ctx, space, config, &s->ctx->err));
    for (int32_t i = 0; i < space->n; i++)
        if (!isnan(values[i]))
            spt__config_set(*config, i, spt__space_snap(&space->parameters[i], values[i]));
    return SPT_OK;
}

static int32_t make_config(spt_store *s, const spt_space *space, bool inferred,
                           const double *values, spt__row *row)
{
    spt_config *config = NULL;
    spt__err ignored;
    int32_t status;
    if (inferred) {
        status = loose_config(s, space, values, &config);
    } else {
        status = spt__row_text(row, "sequence") != NULL
                     ? spt__config_from_values(s->ctx, space, values, &config, &ignored)
                     : spt__config_from_others(s->ctx, space, values, &config, &ignored);
        if (status == SPT_ENOMEM)
            status = spt__nomem(&s->ctx->err);
        else if (status < 0)
            status = SPT_OK; /* of another program, or from before the space was changed by hand */
    }
    row->config = config;
    return status;
}

static int32_t read_configs(spt_store *s, const spt_space *space, bool inferred,
                            const spt__batch *batch)
{
    const size_t n = (size_t)batch->n * (size_t)space->n;
    double *values = spt__alloc(s->ctx, n, sizeof *values);
    if (values == NULL) return spt__nomem(&s->ctx->err);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)NAN;
    int32_t status = read_values(s, space, batch, values);
    for (int64_t i = 0; i < batch->n && status >= 0; i++)
        status = make_config(s, space, inferred, values + i * space->n, &batch->boxes[i]->row);
    spt__free(s->ctx, values);
    return status;
}

static int32_t add_step(spt_store *s, spt__box *box, int64_t step, double value)
{
    spt__row *row = &box->row;
    int64_t *steps = (int64_t *)(uintptr_t)row->steps;
    double *values = (double *)(uintptr_t)row->step_values;
    if (row->n_steps == box->step_capacity) {
        const int64_t capacity = box->step_capacity > 0 ? 2 * box->step_capacity : 8;
        steps = spt__realloc(s->ctx, steps, (size_t)capacity, sizeof *steps);
        if (steps != NULL) row->steps = steps;
        values = spt__realloc(s->ctx, values, (size_t)capacity, sizeof *values);
        if (values != NULL) row->step_values = values;
        if (steps == NULL || values == NULL) return spt__nomem(&s->ctx->err);
        box->step_capacity = capacity;
    }
    steps[row->n_steps] = step;
    values[row->n_steps++] = value;
    return SPT_OK;
}

static int32_t read_steps(spt_store *s, const spt__batch *batch)
{
    spt__cursor q;
    int32_t status;
    int64_t at = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id, step, intermediate_value, intermediate_value_type FROM"
                           " trial_intermediate_values WHERE trial_id >= ? AND trial_id <= ?"
                           " ORDER BY trial_id, step",
                           "ii", batch->boxes[0]->row.id, batch->boxes[batch->n - 1]->row.id));
    while ((status = spt__db_row(&q)) > 0) {
        spt__box *box = seek(batch, &at, spt__col_int(&q, 0));
        if (box == NULL) continue;
        status = add_step(s, box, spt__col_int(&q, 1), typed(&q, 2, 3));
        if (status < 0) break;
    }
    spt__db_done(&q);
    return status;
}

/* Takes the text, also when it fails. */
static int32_t add_attr(spt_ctx *ctx, spt__row_attr **attrs, int64_t *n, int64_t *capacity,
                        const char *key, char *text)
{
    char *name = spt__strdup(ctx, key);
    if (*n == *capacity && name != NULL && text != NULL) {
        const int64_t more = *capacity > 0 ? 2 * *capacity : 4;
        spt__row_attr *grown = spt__realloc(ctx, *attrs, (size_t)more, sizeof *grown);
        if (grown != NULL) {
            *attrs = grown;
            *capacity = more;
        }
    }
    if (name == NULL || text == NULL || *n == *capacity) {
        spt__free(ctx, name);
        spt__free(ctx, text);
        return spt__nomem(&ctx->err);
    }
    (*attrs)[(*n)++] = (spt__row_attr){name, text};
    return SPT_OK;
}

static int32_t add_row_attr(spt_ctx *ctx, spt__box *box, const char *key, char *text)
{
    return add_attr(ctx, (spt__row_attr **)&box->row.attrs, &box->row.n_attrs, &box->attr_capacity,
                    key, text);
}

int32_t spt__rows_attrs(spt__cursor *q, spt__row_attr **attrs, int64_t *n)
{
    spt_ctx *ctx = q->store->ctx;
    int32_t status;
    int64_t capacity = *n;
    while ((status = spt__db_row(q)) > 0) {
        const char *key = spt__col_text(q, 0), *json = spt__col_text(q, 1);
        if (key == NULL || json == NULL) continue;
        status = add_attr(ctx, attrs, n, &capacity, key, spt__json_plain(ctx, json));
        if (status < 0) break;
    }
    spt__db_done(q);
    return status;
}

static int32_t read_attributes(spt_store *s, const spt__batch *batch)
{
    spt__cursor q;
    int32_t status;
    int64_t at = 0;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id, key, value_json FROM trial_user_attributes"
                           " WHERE trial_id >= ? AND trial_id <= ?"
                           " ORDER BY trial_id, trial_user_attribute_id",
                           "ii", batch->boxes[0]->row.id, batch->boxes[batch->n - 1]->row.id));
    while ((status = spt__db_row(&q)) > 0) {
        spt__box *box = seek(batch, &at, spt__col_int(&q, 0));
        const char *key = spt__col_text(&q, 1), *json = spt__col_text(&q, 2);
        if (box == NULL || key == NULL || json == NULL) continue;
        status = add_row_attr(s->ctx, box, key, spt__json_plain(s->ctx, json));
        if (status < 0) break;
    }
    spt__db_done(&q);
    return status;
}

/* A trial that Optuna has enqueued: as if we had. */
static int32_t translate_waiting(spt_store *s, const spt_space *space, spt__box *box)
{
    char number[32];
    spt__buf names;
    if (box->row.state != SPT_TRIAL_WAITING || spt__row_text(&box->row, "queue") != NULL)
        return SPT_OK;
    double *values = spt__alloc(s->ctx, (size_t)space->n, sizeof *values);
    if (values == NULL) return spt__nomem(&s->ctx->err);
    spt__buf_init(&names, s->ctx);
    int32_t status = spt__store_trial_values(s, box->row.id, space, values);
    for (int32_t i = 0; i < space->n; i++)
        if (!isnan(values[i]))
            spt__buf_printf(&names, "%s%s", names.size > 0 ? " " : "", space->parameters[i].name);
    spt__buf_puts(&names, "");
    spt__free(s->ctx, values);
    spt__format(number, sizeof number, "%lld", (long long)box->row.number);
    char *list = spt__buf_take(&names);
    if (status < 0) {
        spt__free(s->ctx, list);
        return status;
    }
    SPT__TRY(add_row_attr(s->ctx, box, "fixed", list));
    return add_row_attr(s->ctx, box, "queue", spt__strdup(s->ctx, number));
}

int32_t spt__rows_read(spt_store *s, int64_t study, const spt_space *space, bool inferred,
                       int64_t after, int64_t upto, int64_t limit, spt__batch *batch)
{
    *batch = (spt__batch){NULL, 0};
    int32_t status = read_trials(s, study, after, upto, limit, batch);
    if (status >= 0 && batch->n > 0) {
        status = read_steps(s, batch);
        if (status >= 0) status = read_attributes(s, batch);
        if (status >= 0) status = read_configs(s, space, inferred, batch);
        for (int64_t i = 0; i < batch->n && status >= 0; i++)
            status = translate_waiting(s, space, batch->boxes[i]);
    }
    if (status < 0) spt__batch_free(s->ctx, batch);
    return status;
}

/* ---- what has changed ---- */

enum { ASKED_AT_ONCE = 500 };

static int32_t ask_states(spt_store *s, const int64_t *ids, const int32_t *states, int64_t n,
                          bool *changed)
{
    spt__value values[ASKED_AT_ONCE];
    spt__cursor q;
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    for (int64_t i = 0; i < n; i++) {
        spt__buf_puts(&b,
                      i > 0 ? ", ?" : "SELECT trial_id, state FROM trials WHERE trial_id IN (?");
        values[i] = (spt__value){.kind = 'i', .i = ids[i]};
        changed[i] = true; /* also if it is gone */
    }
    spt__buf_puts(&b, ") ORDER BY trial_id");
    int32_t status =
        b.failed ? spt__nomem(&s->ctx->err) : spt__db_query_text(s, &q, b.data, values, (int32_t)n);
    for (int64_t i = 0; status >= 0 && (status = spt__db_row(&q)) > 0;) {
        const int64_t id = spt__col_int(&q, 0);
        while (i < n && ids[i] < id)
            i++;
        if (i < n && ids[i] == id) changed[i] = state_of(spt__col_text(&q, 1)) != states[i];
    }
    spt__buf_free(&b);
    return status;
}

int32_t spt__rows_changed(spt_store *s, const int64_t *ids, const int32_t *states, int64_t n,
                          bool *changed)
{
    for (int64_t at = 0; at < n; at += ASKED_AT_ONCE) {
        const int64_t k = n - at < ASKED_AT_ONCE ? n - at : ASKED_AT_ONCE;
        SPT__TRY(ask_states(s, ids + at, states + at, k, changed + at));
    }
    return SPT_OK;
}
