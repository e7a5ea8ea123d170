/* A study from a table of trials, as export_csv.c writes it or a data frame, a spreadsheet. */
#include "image.h"

#include "../base/csv.h"
#include "../base/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef enum {
    COLUMN_IGNORED,
    COLUMN_NUMBER,
    COLUMN_STATE,
    COLUMN_VALUE,
    COLUMN_STARTED,
    COLUMN_ENDED,
    COLUMN_PARAMETER, /* index: of the space */
    COLUMN_STEP,      /* index: the step */
    COLUMN_ATTRIBUTE  /* key */
} column_kind;

typedef struct {
    column_kind kind;
    int64_t index;
    char *name; /* the whole header */
    const char *key;
} column;

typedef struct {
    spt_ctx *ctx;
    const char *path;
    const spt_space *space;
    spt__csv csv;
    column *columns;
    int64_t n_columns;
    bool disordered; /* rows are not in order of their numbers */
    spt__image image;
    spt__buf cell; /* text of the cell at hand */
    /* of the trial at hand */
    int64_t number;
    int32_t state; /* -1: not said */
    double value, *values;
    bool has_value;
    char *started, *ended;
} reader;

static const struct {
    const char *name;
    column_kind kind;
} fixed[] = {{"number", COLUMN_NUMBER},
             {"state", COLUMN_STATE},
             {"value", COLUMN_VALUE},
             {"datetime_start", COLUMN_STARTED},
             {"datetime_complete", COLUMN_ENDED},
             {"seconds", COLUMN_IGNORED},
             {"duration", COLUMN_IGNORED}};
enum { N_FIXED = sizeof fixed / sizeof fixed[0] };
static const char of_parameter[] = "params_", of_step[] = "intermediate_values_",
                  of_attribute[] = "user_attrs_", of_system[] = "system_attrs_";

static int32_t fail_cell(const reader *r, int64_t k, const char *format, ...) SPT__PRINTF(3, 4);

static int32_t fail_cell(const reader *r, int64_t k, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    spt__vformat(text, sizeof text, format, args);
    va_end(args);
    return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: line %lld, column %lld (%.80s): %s", r->path,
                     (long long)r->csv.record_line, (long long)(k + 1), r->columns[k].name, text);
}

/* The same for the library's own words on a cell, or, k -1, on a line. */
static int32_t fail_words(const reader *r, int64_t k)
{
    if (r->ctx->err.status == SPT_ENOMEM) return SPT_ENOMEM;
    if (k >= 0) return fail_cell(r, k, "%s", r->ctx->err.text);
    return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: line %lld: %s", r->path,
                     (long long)r->csv.record_line, r->ctx->err.text);
}

/* ---- the header ---- */

static bool prefixed(const char *text, const char *prefix, const char **rest)
{
    const size_t n = strlen(prefix);
    if (strncmp(text, prefix, n) != 0) return false;
    *rest = text + n;
    return true;
}

static int32_t fail_header(const reader *r, int64_t k)
{
    const char *names[N_FIXED], *name = r->columns[k].name;
    for (int i = 0; i < N_FIXED; i++)
        names[i] = fixed[i].name;
    const char *near = spt__nearest(name, names, N_FIXED);
    if (near != NULL) return fail_cell(r, k, "is not known; did you mean %s?", near);
    return fail_cell(r, k,
                     "is not known; number, state, value, datetime_start, datetime_complete, "
                     "params_NAME, intermediate_values_STEP and user_attrs_NAME are");
}

static int32_t understand(reader *r, int64_t k)
{
    column *c = &r->columns[k];
    const char *rest;
    c->kind = COLUMN_IGNORED;
    for (int i = 0; i < N_FIXED; i++)
        if (strcmp(c->name, fixed[i].name) == 0) {
            c->kind = fixed[i].kind;
            return SPT_OK;
        }
    if (prefixed(c->name, of_parameter, &rest)) {
        c->kind = COLUMN_PARAMETER;
        c->index = spt__space_index(r->space, rest, &r->ctx->err);
        return c->index >= 0 ? SPT_OK : fail_words(r, k);
    }
    if (prefixed(c->name, of_step, &rest)) {
        c->kind = COLUMN_STEP;
        return spt__parse_int64(rest, strlen(rest), &c->index) && c->index >= 0
                   ? SPT_OK
                   : fail_cell(r, k, "a step is a whole number from 0 on");
    }
    if (prefixed(c->name, of_attribute, &c->key)) {
        c->kind = COLUMN_ATTRIBUTE;
        return *c->key != '\0' ? SPT_OK : fail_cell(r, k, "an attribute has a name");
    }
    /* pandas writes its index into a column without a name, which it later calls Unnamed. */
    if (*c->name == '\0' || prefixed(c->name, "Unnamed:", &rest) ||
        prefixed(c->name, of_system, &rest))
        return SPT_OK;
    return fail_header(r, k);
}

static int32_t read_header(reader *r)
{
    const int32_t status = spt__csv_next(&r->csv, &r->ctx->err);
    if (status < 0) return spt__fail_prefix(&r->ctx->err, "%s: ", r->path);
    if (status == 0) return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: is empty", r->path);
    r->columns = spt__calloc(r->ctx, (size_t)r->csv.n, sizeof *r->columns);
    if (r->columns == NULL) return spt__nomem(&r->ctx->err);
    for (int64_t k = 0; k < r->csv.n; k++) {
        r->cell.size = 0;
        spt__csv_text(&r->csv, &r->csv.cells[k], &r->cell);
        r->columns[k].name = r->cell.failed ? NULL : spt__strdup(r->ctx, r->cell.data);
        if (r->columns[k].name == NULL) return spt__nomem(&r->ctx->err);
        r->n_columns++;
        SPT__TRY(understand(r, k));
        for (int64_t i = 0; i < k; i++)
            if (r->columns[k].name[0] != '\0' &&
                strcmp(r->columns[i].name, r->columns[k].name) == 0)
                return fail_cell(r, k, "stands in column %lld, too", (long long)(i + 1));
    }
    return SPT_OK;
}

/* ---- cells ---- */

/* What data frames write for nothing. */
static bool is_missing(const char *text)
{
    static const char *const words[] = {"", "NA", "NaN", "None", "null", "NaT", "<NA>"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (spt__same_text(text, words[i])) return true;
    return false;
}

static bool parse_number(const reader *r, const char *text, double *value)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"inf", INFINITY}, {"-inf", -INFINITY}, {"nan", NAN}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (spt__same_text(text, words[i].text)) {
            *value = words[i].value;
            return true;
        }
    const size_t length = strlen(text);
    return spt__parse_double(text, length, '.', value) ||
           (r->csv.delimiter != ',' && spt__parse_double(text, length, ',', value));
}

static int32_t read_time(const reader *r, int64_t k, char **out)
{
    int64_t ignored;
    if (is_missing(r->cell.data)) return SPT_OK;
    if (!spt__time_of(r->cell.data, &ignored))
        return fail_cell(r, k, "is '%.40s'; a time is YYYY-MM-DD HH:MM:SS.ffffff (UTC)",
                         r->cell.data);
    *out = spt__time_full(r->ctx, r->cell.data);
    return *out != NULL ? SPT_OK : spt__nomem(&r->ctx->err);
}

static int32_t read_state(reader *r, int64_t k)
{
    const char *text = r->cell.data;
    if (is_missing(text)) return SPT_OK;
    for (int32_t i = SPT_TRIAL_RUNNING; i <= SPT_TRIAL_WAITING; i++)
        if (spt__same_text(text, spt__state_word(i)) ||
            spt__same_text(text, spt_trial_state_name(i))) {
            r->state = i;
            return SPT_OK;
        }
    return fail_cell(r, k, "is '%.40s'; COMPLETE, PRUNED, FAIL, RUNNING and WAITING are possible",
                     text);
}

static int32_t read_parameter(reader *r, int64_t k, bool quoted)
{
    const spt__parameter *p = &r->space->parameters[r->columns[k].index];
    const char *text = r->cell.data;
    double *x = &r->values[r->columns[k].index];
    for (int32_t i = 0; i < p->n_choices; i++)
        if (strcmp(p->choices[i], text) == 0 && (*text != '\0' || quoted)) {
            *x = i;
            return SPT_OK;
        }
    if (is_missing(text)) return SPT_OK;
    for (int32_t i = 0; i < p->n_choices; i++) /* "True" of Python */
        if (p->type == SPT_PARAMETER_BOOL && spt__same_text(p->choices[i], text)) {
            *x = i;
            return SPT_OK;
        }
    if (p->n_choices > 0) return spt__parameter_parse(p, text, x, &r->ctx->err);
    if (!parse_number(r, text, x) || !isfinite(*x))
        return spt__fail(&r->ctx->err, SPT_EINVAL, "is '%.40s'; a number from %g to %g is wanted",
                         text, p->low, p->high);
    return spt__parameter_accept(p, x, &r->ctx->err);
}

static int32_t read_step(reader *r, int64_t k)
{
    double x;
    if (*r->cell.data == '\0' || spt__same_text(r->cell.data, "NA")) return SPT_OK;
    if (!parse_number(r, r->cell.data, &x))
        return fail_cell(r, k, "is '%.40s'; a number is wanted", r->cell.data);
    spt__item *item = spt__image_add(&r->image, SPT__IMAGE_STEPS, r->image.n, NULL, NULL);
    if (item == NULL) return spt__nomem(&r->ctx->err);
    item->number = r->columns[k].index;
    item->value = x;
    return SPT_OK;
}

/* Numbers and other JSON that is no text are on record as they stand. */
static int32_t read_attribute(reader *r, int64_t k, bool quoted)
{
    spt__buf json;
    const char *text = r->cell.data;
    if (*text == '\0' && !quoted) return SPT_OK;
    spt__buf_init(&json, r->ctx);
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL || json_is_string(value))
        spt__buf_json(&json, text);
    else
        spt__buf_puts(&json, text);
    json_decref(value);
    const bool good = !json.failed && spt__image_add(&r->image, SPT__IMAGE_USER, r->image.n,
                                                     r->columns[k].key, json.data) != NULL;
    spt__buf_free(&json);
    return good ? SPT_OK : spt__nomem(&r->ctx->err);
}

static int32_t read_cell(reader *r, int64_t k)
{
    const spt__cell *cell = &r->csv.cells[k];
    r->cell.size = 0;
    spt__csv_text(&r->csv, cell, &r->cell);
    if (r->cell.failed) return spt__nomem(&r->ctx->err);
    const char *text = r->cell.data;
    double x;
    switch (r->columns[k].kind) {
    case COLUMN_NUMBER: /* a data frame may have made 3.0 of 3 */
        if (!parse_number(r, text, &x) || !(x >= 0 && x < 9e15) || x != floor(x))
            return fail_cell(r, k, "is '%.40s'; a whole number from 0 on is wanted", text);
        r->number = (int64_t)x;
        return SPT_OK;
    case COLUMN_STATE:
        return read_state(r, k);
    case COLUMN_VALUE:
        if (is_missing(text) && !spt__same_text(text, "nan")) return SPT_OK;
        if (!parse_number(r, text, &r->value))
            return fail_cell(r, k, "is '%.40s'; a number is wanted", text);
        r->has_value = true;
        return SPT_OK;
    case COLUMN_STARTED:
        return read_time(r, k, &r->started);
    case COLUMN_ENDED:
        return read_time(r, k, &r->ended);
    case COLUMN_PARAMETER:
        return read_parameter(r, k, cell->quoted) < 0 ? fail_words(r, k) : SPT_OK;
    case COLUMN_STEP:
        return read_step(r, k);
    case COLUMN_ATTRIBUTE:
        return read_attribute(r, k, cell->quoted);
    default:
        return SPT_OK;
    }
}

/* ---- trials ---- */

/* A trial that was complete must be a configuration of the space; of others some parameters may not
 * have come into being. */
static int32_t put_parameters(reader *r)
{
    spt_config *config;
    spt__buf b;
    int32_t status = SPT_OK;
    if (r->state == SPT_TRIAL_COMPLETE || r->state == SPT_TRIAL_PRUNED) {
        if (spt__config_from_values(r->ctx, r->space, r->values, &config, &r->ctx->err) < 0)
            return fail_words(r, -1);
        spt_config_free(config);
    }
    spt__buf_init(&b, r->ctx);
    for (int32_t i = 0; i < r->space->n && status >= 0; i++) {
        const spt__parameter *p = &r->space->parameters[i];
        if (isnan(r->values[i])) continue;
        b.size = 0;
        spt__json_distribution(&b, p);
        spt__item *item = b.failed ? NULL
                                   : spt__image_add(&r->image, SPT__IMAGE_PARAMETERS, r->image.n,
                                                    p->name, b.data);
        if (item != NULL)
            item->value = r->values[i];
        else
            status = spt__nomem(&r->ctx->err);
    }
    spt__buf_free(&b);
    return status;
}

/* As spt__store_trial_finish() has it: what is complete has a finite value. */
static int32_t put_outcome(reader *r)
{
    if (r->state < 0)
        r->state = r->has_value && isfinite(r->value) ? SPT_TRIAL_COMPLETE : SPT_TRIAL_FAILED;
    if (r->state == SPT_TRIAL_COMPLETE && !r->has_value)
        return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: line %lld: a complete trial has a value",
                         r->path, (long long)r->csv.record_line);
    if (r->state == SPT_TRIAL_COMPLETE && !isfinite(r->value)) {
        r->state = SPT_TRIAL_FAILED;
        if (spt__image_find(&r->image, SPT__IMAGE_USER, r->image.n, "reason") == NULL &&
            spt__image_add(&r->image, SPT__IMAGE_USER, r->image.n, "reason",
                           isnan(r->value) ? "\"the loss is not a number\""
                                           : "\"the loss is infinite\"") == NULL)
            return spt__nomem(&r->ctx->err);
    }
    if (r->state != SPT_TRIAL_COMPLETE && (r->state != SPT_TRIAL_PRUNED || isnan(r->value)))
        return SPT_OK;
    spt__item *item = spt__image_add(&r->image, SPT__IMAGE_VALUES, r->image.n, NULL, NULL);
    if (item == NULL) return spt__nomem(&r->ctx->err);
    item->value = r->value;
    return SPT_OK;
}

static int32_t read_row(reader *r)
{
    if (r->csv.n != r->n_columns)
        return spt__fail(
            &r->ctx->err, SPT_EFORMAT, "%s: line %lld: has %lld fields; the header has %lld",
            r->path, (long long)r->csv.record_line, (long long)r->csv.n, (long long)r->n_columns);
    r->number = r->image.n;
    r->state = -1;
    r->value = NAN;
    r->has_value = false;
    for (int32_t i = 0; i < r->space->n; i++)
        r->values[i] = NAN;
    int32_t status = SPT_OK;
    for (int64_t k = 0; k < r->n_columns && status >= 0; k++)
        status = read_cell(r, k);
    if (status >= 0) status = put_outcome(r);
    if (status >= 0) status = put_parameters(r);
    r->disordered = r->disordered || r->number != r->image.n;
    if (status >= 0 &&
        spt__image_trial_add(&r->image, r->number, r->state, r->started, r->ended) == NULL)
        status = spt__nomem(&r->ctx->err);
    spt__free(r->ctx, r->started);
    spt__free(r->ctx, r->ended);
    r->started = r->ended = NULL;
    return status;
}

/* ---- order ---- */

static int by_trial(const void *a, const void *b)
{
    const spt__item *x = a, *y = b;
    if (x->trial != y->trial) return x->trial < y->trial ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static int by_number(const void *a, const void *b)
{
    const spt__image_trial *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* A table may be sorted by anything. Its numbers are 0, 1, 2 ... all the same. */
static int32_t sort(reader *r)
{
    spt__image *image = &r->image;
    for (int list = 0; list < SPT__IMAGE_LISTS; list++) {
        spt__item *items = image->lists[list].items;
        for (int64_t i = 0; i < image->lists[list].n; i++) {
            /* there are no blocks, whose size this is; it keeps items of one trial in order */
            items[i].size = i;
            if (items[i].trial >= 0) items[i].trial = image->trials[items[i].trial].number;
        }
        if (items != NULL) qsort(items, (size_t)image->lists[list].n, sizeof *items, by_trial);
    }
    qsort(image->trials, (size_t)image->n, sizeof *image->trials, by_number);
    for (int64_t i = 0; i < image->n; i++) {
        const long long number = (long long)image->trials[i].number;
        if (number < i)
            return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: two trials have the number %lld",
                             r->path, number);
        if (number > i)
            return spt__fail(
                &r->ctx->err, SPT_EFORMAT,
                "%s: trial %lld is missing; trials are numbered from 0 without gaps, or"
                " as they come if there is no column 'number'",
                r->path, (long long)i);
    }
    return SPT_OK;
}

/* ---- the study ---- */

static int32_t put_study(reader *r, const char *name)
{
    char format[16];
    spt__buf xml, json;
    spt__buf_init(&xml, r->ctx);
    spt__buf_init(&json, r->ctx);
    spt__space_print(r->space, &xml);
    if (!xml.failed) spt__buf_json(&json, xml.data);
    spt__format(format, sizeof format, "%d", (int)SPT__STORE_FORMAT);
    r->image.name = spt__strdup(r->ctx, name);
    const bool good =
        !xml.failed && !json.failed && r->image.name != NULL &&
        spt__image_add(&r->image, SPT__IMAGE_DIRECTIONS, -1, NULL, "MINIMIZE") != NULL &&
        spt__image_add(&r->image, SPT__IMAGE_SYSTEM, -1, SPT__SPACE_KEY, json.data) != NULL &&
        spt__image_add(&r->image, SPT__IMAGE_SYSTEM, -1, SPT__FORMAT_KEY, format) != NULL;
    spt__buf_free(&xml);
    spt__buf_free(&json);
    return good ? SPT_OK : spt__nomem(&r->ctx->err);
}

static int32_t read_table(reader *r, const char *data, size_t size, const char *name)
{
    int32_t status;
    SPT__TRY(spt__space_freeze(r->space, &r->ctx->err));
    SPT__TRY(put_study(r, name));
    r->values = spt__alloc(r->ctx, (size_t)r->space->n, sizeof *r->values);
    if (r->values == NULL) return spt__nomem(&r->ctx->err);
    if (spt__csv_open(&r->csv, r->ctx, data, size, 0, &r->ctx->err) < 0)
        return spt__fail_prefix(&r->ctx->err, "%s: ", r->path);
    SPT__TRY(read_header(r));
    while ((status = spt__csv_next(&r->csv, &r->ctx->err)) > 0)
        SPT__TRY(read_row(r));
    if (status < 0) return spt__fail_prefix(&r->ctx->err, "%s: ", r->path);
    return r->disordered ? sort(r) : SPT_OK;
}

int32_t spt_store_import_csv(spt_store *s, const char *path, const spt_space *space,
                             const char *study)
{
    char *data;
    size_t size;
    SPT__REQUIRE(s != NULL && path != NULL && space != NULL);
    SPT__TRY(spt__file_read(s->ctx, path, &data, &size, &s->ctx->err));
    reader r = {.ctx = s->ctx, .path = path, .space = space, .csv = {.ctx = s->ctx}};
    spt__image_init(&r.image, s->ctx);
    spt__buf_init(&r.cell, s->ctx);
    int32_t status = read_table(&r, data, size, study != NULL ? study : "spectune");
    if (status >= 0) status = spt__image_write(s, &r.image);
    for (int64_t k = 0; k < r.n_columns; k++)
        spt__free(s->ctx, r.columns[k].name);
    spt__free(s->ctx, r.columns);
    spt__free(s->ctx, r.values);
    spt__csv_close(&r.csv);
    spt__buf_free(&r.cell);
    spt__image_free(&r.image);
    spt__free(s->ctx, data);
    return status;
}
