#include "table.h"

#include <math.h>
#include <string.h>

/* Texts that stand for a missing value, ASCII case ignored; -9999 as a number, too. */
static const char *const missing_texts[] = {"", "NA", "N/A", "#N/A", "NaN", "null", ".", "?", "-"};
enum { MISSING_NUMBER = -9999 };

/* ---- cells --------------------------------------------------------------------------------------
 */

static bool equals(const char *text, size_t length, const char *other, size_t other_length)
{
    if (length != other_length) return false;
    for (size_t i = 0; i < length; i++) {
        char a = text[i], b = other[i];
        if (a >= 'A' && a <= 'Z') a = (char)(a - 'A' + 'a');
        if (b >= 'A' && b <= 'Z') b = (char)(b - 'A' + 'a');
        if (a != b) return false;
    }
    return true;
}

static bool is_missing_text(const spt__cell *cell)
{
    if (cell->length > 4) return false;
    for (size_t i = 0; i < sizeof missing_texts / sizeof missing_texts[0]; i++)
        if (equals(cell->text, cell->length, missing_texts[i], strlen(missing_texts[i])))
            return true;
    return false;
}

/* The markers of the option `missing`, as texts and, when they are numbers, as numbers. */
static bool is_marked_missing(const spt__table *t, const spt__cell *cell, bool number, double value)
{
    if (number && value == MISSING_NUMBER) return true;
    for (const char *m = t->wish.missing; *m != '\0';) {
        size_t length = strcspn(m, "|");
        double marker;
        if (equals(cell->text, cell->length, m, length)) return true;
        if (number && spt__parse_double(m, length, '.', &marker) && marker == value) return true;
        m += length;
        if (*m == '|') m++;
    }
    return false;
}

static bool parse_cell(const spt__table *t, const spt__cell *cell, double *value)
{
    return cell->length > 0 && spt__parse_double(cell->text, cell->length, t->decimal, value);
}

/* ---- header -------------------------------------------------------------------------------------
 */

/* A header's text on one line. */
static char *header_text(spt__table *t, const spt__cell *cell)
{
    spt__buf b;
    spt__buf_init(&b, t->ctx);
    spt__csv_text(&t->csv, cell, &b);
    char *text = spt__buf_take(&b);
    for (char *c = text; c != NULL && *c != '\0'; c++)
        if ((uint8_t)*c < 0x20) *c = ' ';
    return text;
}

/* How many headers are numbers by themselves; -1 when some text stands among them. */
static int64_t plain_numbers(const spt__table *t)
{
    int64_t count = 0;
    double value;
    for (int64_t i = 0; i < t->n_headers; i++) {
        const char *text = t->headers[i];
        size_t length = strlen(text);
        if (spt__parse_double(text, length, '.', &value) ||
            spt__parse_double(text, length, ',', &value))
            count++;
        else if (length > 0)
            return -1;
    }
    return count;
}

static int32_t fail_no_header(const spt__table *t, spt__err *e)
{
    return spt__fail(
        e, SPT_EFORMAT,
        "line %lld looks like a spectrum, not like a header ('%s' ... '%s'); a first line "
        "with band positions is needed (option axis_unit=um if these are micrometres)",
        (long long)t->header_line, t->headers[0], t->headers[t->n_headers - 1]);
}

/* Band positions of bare numbers below 100 are values of a table without a header, unless they
 * count 1, 2, 3 or are said to be micrometres. */
static int32_t check_header(const spt__table *t, spt__err *e)
{
    const spt__run *run = &t->bands.run;
    if (!t->wish.spectra) return SPT_OK;
    int64_t numbers = plain_numbers(t);
    if (numbers >= SPT__BANDS_LEAST && run->n < numbers) return fail_no_header(t, e);
    if (run->n == 0) {
        if (t->wish.bands[0] != '\0')
            return spt__fail(e, SPT_EFORMAT, "no band columns start with '%s' (option bands)",
                             t->wish.bands);
        return spt__fail(
            e, SPT_EFORMAT,
            "no bands: %d or more neighbouring headers on line %lld must be ascending or "
            "descending numbers, such as 1100 or X350.5 (%lld columns separated by "
            "%s found)",
            (int)SPT__BANDS_LEAST, (long long)t->header_line, (long long)t->n_headers,
            t->csv.delimiter == ','    ? "commas"
            : t->csv.delimiter == ';'  ? "semicolons"
            : t->csv.delimiter == '\t' ? "tabs"
                                       : "bars");
    }
    if (fmin(run->from, run->to) <= 0 && fmax(run->from, run->to) == (double)(run->n - 1))
        return spt__fail(e, SPT_EFORMAT,
                         "line %lld: the bands are numbered from 0; positions must be above 0",
                         (long long)t->header_line);
    bool bare = run->prefix[0] == '\0' && run->suffix[0] == '\0';
    bool small = fmax(run->from, run->to) < 100 && !spt__bands_numbered(&t->bands);
    if (bare && small && t->wish.axis_unit != SPT_AXIS_UM) return fail_no_header(t, e);
    if (fmin(run->from, run->to) <= 0)
        return spt__fail(e, SPT_EFORMAT, "line %lld: band position 0; positions must be above 0",
                         (long long)t->header_line);
    return SPT_OK;
}

static int32_t read_header(spt__table *t, spt__err *e)
{
    int32_t got = spt__csv_next(&t->csv, e);
    if (got < 0) return got;
    if (got == 0) return spt__fail(e, SPT_EFORMAT, "the file is empty");
    t->header_line = t->csv.record_line;
    spt__csv ahead = t->csv; /* a look at the first row, with cells of its own */
    ahead.cells = NULL;
    ahead.n = ahead.capacity = 0;
    got = spt__csv_next(&ahead, e);
    int64_t width = ahead.n;
    bool last_empty = got > 0 && ahead.cells[width - 1].length == 0;
    spt__csv_close(&ahead);
    if (got < 0) return got;
    t->row_names = got > 0 && width == t->csv.n + 1 && !last_empty;
    t->headers = spt__calloc(t->ctx, (size_t)t->csv.n + 1, sizeof *t->headers);
    if (t->headers == NULL) return spt__nomem(e);
    if (t->row_names) t->headers[t->n_headers++] = spt__strdup(t->ctx, "");
    for (int64_t i = 0; i < t->csv.n; i++)
        t->headers[t->n_headers++] = header_text(t, &t->csv.cells[i]);
    for (int64_t i = 0; i < t->n_headers; i++)
        if (t->headers[i] == NULL) return spt__nomem(e);
    bool comma = t->csv.delimiter != ',' || t->wish.decimal == ',';
    SPT__TRY(spt__bands_find(&t->bands, t->ctx, (const char *const *)t->headers, t->n_headers,
                             comma, t->wish.bands, e));
    SPT__TRY(check_header(t, e));
    if (got == 0)
        return spt__fail(e, SPT_EFORMAT, "line %lld is a header, and no rows follow",
                         (long long)t->header_line);
    return SPT_OK;
}

/* ---- fields -------------------------------------------------------------------------------------
 */

static bool in_run(const spt__run *run, int64_t column)
{
    return column >= run->first && column < run->first + run->n;
}

static bool is_surplus(const spt__bands *bands, int64_t column)
{
    for (int64_t k = 0; k < bands->n_surplus; k++)
        if (in_run(&bands->surplus[k], column)) return true;
    return false;
}

/* The id column: by the option, else by the first of the usual names that is there. */
static int32_t find_id(spt__table *t, spt__err *e)
{
    static const char *const usual[] = {
        "id",      "sample_id", "sampleid",          "sample id",        "sample",
        "pointid", "point_id",  "id.layer_uuid_txt", "id.layer_local_c", "name"};
    const char *wanted = t->wish.id;
    t->id_field = -1;
    for (int64_t k = 0; k < t->n_fields && wanted[0] != '\0'; k++)
        if (strcmp(t->fields[k].name, wanted) == 0) t->id_field = k;
    if (wanted[0] != '\0' && t->id_field < 0) {
        const char *near =
            spt__nearest(wanted, (const char *const *)t->headers, (size_t)t->n_headers);
        return spt__fail(e, SPT_ENOTFOUND, "no column '%s' for the ids%s%s%s", wanted,
                         near != NULL ? "; the nearest is '" : "", near != NULL ? near : "",
                         near != NULL ? "'" : "");
    }
    for (size_t u = 0; t->id_field < 0 && u < sizeof usual / sizeof usual[0]; u++)
        for (int64_t k = 0; t->id_field < 0 && k < t->n_fields; k++)
            if (!t->fields[k].skip && spt__same_text(t->fields[k].name, usual[u])) t->id_field = k;
    if (t->id_field < 0 && t->n_fields > 0 && t->fields[0].column == 0 && t->headers[0][0] == '\0')
        t->id_field = 0;
    return SPT_OK;
}

/* A column without a header is called by its place; names of rows are called "id" if they can be.
 */
static char *field_name(const spt__table *t, int64_t column)
{
    char name[32];
    if (t->headers[column][0] != '\0') return spt__strdup(t->ctx, t->headers[column]);
    bool id_is_free = column == 0;
    for (int64_t i = 0; i < t->n_headers; i++)
        if (strcmp(t->headers[i], "id") == 0) id_is_free = false;
    (void)spt__format(name, sizeof name, "column %lld", (long long)(column + 1));
    return spt__strdup(t->ctx, id_is_free ? "id" : name);
}

static int32_t make_fields(spt__table *t, spt__err *e)
{
    t->fields = spt__calloc(t->ctx, (size_t)t->n_headers, sizeof *t->fields);
    if (t->fields == NULL) return spt__nomem(e);
    for (int64_t i = 0; i < t->n_headers; i++) {
        bool band = t->bands.run.n > 0 && in_run(&t->bands.run, i);
        if (band && t->wish.spectra) continue;
        spt__field *f = &t->fields[t->n_fields++];
        f->column = i;
        f->skip = is_surplus(&t->bands, i) || (band && t->bands.run.n >= SPT__BANDS_SURPLUS);
        f->name = field_name(t, i);
        if (f->name == NULL) return spt__nomem(e);
    }
    return find_id(t, e);
}

/* The decimal mark of the first row: a comma if more cells are numbers only with a comma than are
 * numbers only with a point. */
static void find_decimal(spt__table *t)
{
    int64_t commas = 0, points = 0;
    double value;
    t->decimal = t->wish.decimal;
    if (t->decimal != 0) return;
    for (int64_t i = 0; i < t->csv.n && t->csv.delimiter != ','; i++) {
        const spt__cell *cell = &t->csv.cells[i];
        bool with_comma = spt__parse_double(cell->text, cell->length, ',', &value);
        bool with_point = spt__parse_double(cell->text, cell->length, '.', &value);
        commas += with_comma && !with_point;
        points += with_point && !with_comma;
    }
    t->decimal = commas > points ? ',' : '.';
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static int32_t grow_field(spt__table *t, spt__field *f, int64_t capacity, spt__err *e)
{
    if (f->skip) return SPT_OK;
    int64_t *at = spt__realloc(t->ctx, f->at, (size_t)capacity, sizeof *at);
    if (at == NULL) return spt__nomem(e);
    f->at = at;
    double *numbers = spt__realloc(t->ctx, f->numbers, (size_t)capacity, sizeof *numbers);
    if (numbers == NULL) return spt__nomem(e);
    f->numbers = numbers;
    return SPT_OK;
}

/* Room for one row more. The first guess takes all rows to be as long as the first. */
static int32_t grow(spt__table *t, const char *row_start, spt__err *e)
{
    if (t->n < t->capacity) return SPT_OK;
    int64_t row_bytes = t->csv.at - row_start, left = t->csv.end - t->csv.at;
    int64_t capacity = t->n == 0 ? 2 + left / row_bytes + left / row_bytes / 16
                                 : t->capacity + t->capacity / 2 + 16;
    if (t->wish.spectra) {
        if ((uint64_t)capacity > SIZE_MAX / sizeof(double) / (uint64_t)t->bands.run.n)
            return spt__nomem(e);
        double *values = spt__realloc(t->ctx, t->values, (size_t)capacity * (size_t)t->bands.run.n,
                                      sizeof *values);
        if (values == NULL) return spt__nomem(e);
        t->values = values;
    }
    for (int64_t k = 0; k < t->n_fields; k++)
        SPT__TRY(grow_field(t, &t->fields[k], capacity, e));
    t->capacity = capacity;
    return SPT_OK;
}

static void put_field(spt__table *t, spt__field *f, const spt__cell *cell, bool id)
{
    double value = NAN;
    f->at[t->n] = -1;
    f->numbers[t->n] = NAN;
    if (cell->length == 0 || (!id && is_missing_text(cell))) return;
    bool number = parse_cell(t, cell, &value);
    if (!id && is_marked_missing(t, cell, number, value)) return;
    f->at[t->n] = (int64_t)t->texts.size;
    spt__csv_text(&t->csv, cell, &t->texts);
    if (number) {
        f->numbers[t->n] = value;
        f->n_numbers++;
        return;
    }
    if (f->n_texts++ > 0) return;
    f->text_line = t->csv.record_line;
    f->text_at = f->at[t->n];
}

static int32_t fail_value(const spt__table *t, const spt__cell *cell, int64_t column, spt__err *e)
{
    char sample[80] = "";
    const spt__field *id = t->id_field < 0 ? NULL : &t->fields[t->id_field];
    if (id != NULL && id->at[t->n] >= 0)
        (void)spt__format(sample, sizeof sample, ", sample '%.60s'", t->texts.data + id->at[t->n]);
    if (is_missing_text(cell) || is_marked_missing(t, cell, false, 0))
        return spt__fail(
            e, SPT_EDATA,
            "line %lld, column %lld (band '%s')%s: a missing value in a spectrum; every "
            "band of a spectrum needs a number",
            (long long)t->csv.record_line, (long long)(column + 1), t->headers[column], sample);
    return spt__fail(e, SPT_EDATA,
                     "line %lld, column %lld (band '%s')%s: '%.*s' is not a number (decimal mark "
                     "'%c')",
                     (long long)t->csv.record_line, (long long)(column + 1), t->headers[column],
                     sample, (int)(cell->length < 40 ? cell->length : 40), cell->text, t->decimal);
}

static int32_t put_spectrum(spt__table *t, const spt__cell *cells, spt__err *e)
{
    const spt__run *run = &t->bands.run;
    double *to = t->values + t->n * run->n;
    bool bad = false;
    for (int64_t j = 0; j < run->n; j++) {
        const spt__cell *cell = &cells[run->first + j];
        if (parse_cell(t, cell, &to[j]) && to[j] != MISSING_NUMBER) {
            if (to[j] < t->low) t->low = to[j];
            if (to[j] > t->high) t->high = to[j];
            continue;
        }
        if (!t->wish.keep_bad) {
            static const spt__cell missing = {"", 0, false, false};
            bool number = parse_cell(t, cell, &to[j]);
            return fail_value(t, number ? &missing : cell, run->first + j, e);
        }
        to[j] = NAN;
        if (!bad && t->bad_rows == 0) {
            t->bad_line = t->csv.record_line;
            t->bad_column = run->first + j;
        }
        bad = true;
    }
    t->bad_rows += bad;
    return SPT_OK;
}

static int32_t put_row(spt__table *t, const char *row_start, spt__err *e)
{
    if (t->csv.n != t->n_headers)
        return spt__fail(
            e, SPT_EFORMAT, "line %lld has %lld cells; %lld are needed, as in line %lld",
            (long long)t->csv.record_line, (long long)t->csv.n, (long long)t->n_headers,
            (long long)(t->row_names ? t->first_line : t->header_line));
    SPT__TRY(grow(t, row_start, e));
    for (int64_t k = 0; k < t->n_fields; k++)
        if (!t->fields[k].skip)
            put_field(t, &t->fields[k], &t->csv.cells[t->fields[k].column], k == t->id_field);
    if (t->texts.failed) return spt__nomem(e);
    if (t->wish.spectra) SPT__TRY(put_spectrum(t, t->csv.cells, e));
    t->n++;
    return SPT_OK;
}

int32_t spt__table_read(spt__table *t, spt_ctx *ctx, const char *data, size_t size,
                        const spt__table_wish *wish, spt__err *e)
{
    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    t->wish = *wish;
    t->low = HUGE_VAL;
    t->high = -HUGE_VAL;
    spt__buf_init(&t->texts, ctx);
    SPT__TRY(spt__csv_open(&t->csv, ctx, data, size, wish->delimiter, e));
    SPT__TRY(read_header(t, e));
    SPT__TRY(make_fields(t, e));
    for (;;) {
        const char *row_start = t->csv.at;
        int32_t got = spt__csv_next(&t->csv, e);
        if (got < 0) return got;
        if (got == 0) break;
        if (t->n == 0) {
            t->first_line = t->csv.record_line;
            find_decimal(t);
        }
        SPT__TRY(put_row(t, row_start, e));
    }
    spt__buf_put(&t->texts, "", 1); /* so that there is a pool even without any text */
    return t->texts.failed ? spt__nomem(e) : SPT_OK;
}

void spt__table_free(spt__table *t)
{
    for (int64_t i = 0; i < t->n_headers; i++)
        spt__free(t->ctx, t->headers[i]);
    for (int64_t k = 0; k < t->n_fields; k++) {
        spt__free(t->ctx, t->fields[k].name);
        spt__free(t->ctx, t->fields[k].at);
        spt__free(t->ctx, t->fields[k].numbers);
    }
    spt__free(t->ctx, t->headers);
    spt__free(t->ctx, t->fields);
    spt__free(t->ctx, t->values);
    spt__bands_free(&t->bands, t->ctx);
    spt__buf_free(&t->texts);
    spt__csv_close(&t->csv);
}
