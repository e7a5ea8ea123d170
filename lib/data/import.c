/* From a CSV file to a dataset. */
#include "table.h"

#include "../base/file.h"
#include "../base/options.h"
#include "textmap.h"

#include <math.h>
#include <string.h>

static const spt__knob knobs[] = {
    {.name = "delimiter",
     .type = SPT_OPTION_CHOICE,
     .choices = "auto|comma|semicolon|tab|bar",
     .text_default = "auto",
     .text = "what separates the cells; auto: found from the first two lines"},
    {.name = "decimal",
     .type = SPT_OPTION_CHOICE,
     .choices = "auto|point|comma",
     .text_default = "auto",
     .text = "the decimal mark; auto: found from the first row"},
    {.name = "axis_unit",
     .type = SPT_OPTION_CHOICE,
     .choices = "auto|nm|cm-1|um",
     .text_default = "auto",
     .text = "unit of the band positions; auto: by the headers or their range, when it is certain"},
    {.name = "unit",
     .type = SPT_OPTION_CHOICE,
     .choices = "unknown|absorbance|reflectance|percent-reflectance",
     .text_default = "unknown",
     .text = "what a spectral value is; never guessed"},
    {.name = "id",
     .type = SPT_OPTION_TEXT,
     .text_default = "",
     .text = "name of the column that names the rows; empty: the first with a usual name"},
    {.name = "bands",
     .type = SPT_OPTION_TEXT,
     .text_default = "",
     .text =
         "what the band headers start with, such as scan_mir.; empty: the longest run of numbers"},
    {.name = "missing",
     .type = SPT_OPTION_TEXT,
     .text_default = "",
     .text = "further marks of a missing value beside empty, NA, NaN, null, -9999, . - and ?, "
             "separated by |"},
    {.name = "bad_spectra",
     .type = SPT_OPTION_CHOICE,
     .choices = "error|keep",
     .text_default = "error",
     .text = "a missing or unreadable value in a spectrum: refuse the file, or keep the row as one "
             "that cannot be read"},
    {.name = NULL}};

int32_t spt_csv_options_new(spt_ctx *ctx, spt_options **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && out != NULL);
    return spt__options_new(ctx, "csv", knobs, out);
}

int32_t spt__table_wish_of(spt__table_wish *wish, const spt_options *options, spt__err *e)
{
    static const char delimiter[] = {0, ',', ';', '\t', '|'}, decimal[] = {0, '.', ','};
    if (!spt__options_are(options, knobs))
        return spt__fail(
            e, SPT_EINVAL,
            "the options are of another kind; spt_csv_options_new() makes those of the "
            "CSV reader");
    wish->delimiter = delimiter[spt__option_choice(options, knobs, "delimiter")];
    wish->decimal = decimal[spt__option_choice(options, knobs, "decimal")];
    wish->axis_unit = spt__option_choice(options, knobs, "axis_unit");
    wish->unit = spt__option_choice(options, knobs, "unit");
    wish->id = spt__option_text(options, knobs, "id");
    wish->bands = spt__option_text(options, knobs, "bands");
    wish->missing = spt__option_text(options, knobs, "missing");
    wish->keep_bad = spt__option_choice(options, knobs, "bad_spectra") == 1;
    wish->spectra = true;
    return SPT_OK;
}

/* ---- columns ------------------------------------------------------------------------------------
 */

spt__pool *spt__table_take_pool(spt__table *t)
{
    return spt__pool_take(t->ctx, spt__buf_take(&t->texts));
}

spt__column *spt__field_column(spt_ctx *ctx, const spt__field *f, spt__pool *pool,
                               const int64_t *rows, int64_t n)
{
    int32_t kind = f->n_texts == 0 ? SPT_COLUMN_NUMBER : SPT_COLUMN_TEXT;
    spt__column *c = spt__column_new(ctx, f->name, kind, n, pool);
    for (int64_t i = 0; c != NULL && i < n; i++) {
        int64_t row = rows != NULL ? rows[i] : i;
        if (row < 0 || f->at[row] < 0) continue;
        c->texts[i] = pool->data + f->at[row];
        if (kind == SPT_COLUMN_NUMBER) c->numbers[i] = f->numbers[row];
    }
    return c;
}

bool spt__field_is_trace(const spt__table *t, const spt__field *f)
{
    return f->n_numbers + f->n_texts == 0 && t->headers[f->column][0] == '\0';
}

/* ---- notes --------------------------------------------------------------------------------------
 */

int32_t spt__field_note(spt_dataset *ds, const spt__table *t, const spt__field *f,
                        const spt__pool *pool, spt__err *e)
{
    int64_t zeros = 0, negative = 0, distinct_enough = 0;
    double first[10];
    if (f->n_texts > 0) {
        if (f->n_numbers < 4 * f->n_texts) return SPT_OK;
        return spt__dataset_note(ds, e,
                                 "warning: column '%s' is taken as text because of '%.40s' on line "
                                 "%lld; %lld of its values are numbers (option missing names marks "
                                 "of missing values)",
                                 f->name, pool->data + f->text_at, (long long)f->text_line,
                                 (long long)f->n_numbers);
    }
    for (int64_t i = 0; i < t->n; i++) {
        double v = f->numbers[i];
        if (isnan(v)) continue;
        zeros += v == 0;
        negative += v < 0;
        bool known = false;
        for (int64_t k = 0; k < distinct_enough && !known; k++)
            known = first[k] == v;
        if (!known && distinct_enough < 10) first[distinct_enough++] = v;
    }
    /* Codes and flags have few values; a measured property has many. */
    if (distinct_enough < 10 || negative > 0 || 5 * zeros <= f->n_numbers) return SPT_OK;
    return spt__dataset_note(ds, e,
                             "warning: %lld of the %lld values of column '%s' are 0 and all others "
                             "above; if 0 stands for missing, say so (option missing=0)",
                             (long long)zeros, (long long)f->n_numbers, f->name);
}

static int32_t note_ids(spt_dataset *ds, spt__err *e)
{
    spt__textmap map;
    int64_t repeats = 0;
    const char *example = NULL;
    if (ds->id_column < 0)
        return spt__dataset_note(ds, e, "no id column: rows are named by their numbers");
    if (spt__textmap_init(&map, ds->ctx, ds->n) < 0) return spt__nomem(e);
    for (int64_t i = 0; i < ds->n; i++) {
        if (spt__textmap_put(&map, ds->ids->texts[i], i) == i) continue;
        repeats++;
        if (example == NULL) example = ds->ids->texts[i];
    }
    spt__textmap_free(&map);
    const char *name = ds->columns[ds->id_column]->name;
    SPT__TRY(spt__dataset_note(ds, e, "rows are named by column '%s'", name));
    if (repeats == 0) return SPT_OK;
    return spt__dataset_note(ds, e,
                             "%lld rows repeat the id of another one ('%.40s', for one); repeated "
                             "scans can be averaged or kept in one fold by column '%s'",
                             (long long)repeats, example, name);
}

static bool affix_has(const spt__run *run, const char *a, const char *b)
{
    return spt__has_word(run->suffix, a) || spt__has_word(run->suffix, b) ||
           spt__has_word(run->prefix, a) || spt__has_word(run->prefix, b);
}

/* What the headers say of the values is told, never taken. */
static int32_t note_unit_hint(spt_dataset *ds, const spt__run *run, spt__err *e)
{
    const char *hint = affix_has(run, "ref", "reflectance")  ? "reflectance"
                       : affix_has(run, "abs", "absorbance") ? "absorbance"
                                                             : NULL;
    if (hint == NULL) return SPT_OK;
    bool reflectance = ds->unit == SPT_UNIT_REFLECTANCE || ds->unit == SPT_UNIT_PERCENT_REFLECTANCE;
    if (ds->unit == SPT_UNIT_UNKNOWN)
        return spt__dataset_note(ds, e, "the headers speak of %s (option unit declares it)", hint);
    if (reflectance == (hint[0] == 'r')) return SPT_OK;
    return spt__dataset_note(ds, e, "warning: the headers speak of %s, the spectra are taken as %s",
                             hint, spt_unit_name(ds->unit));
}

static int32_t note_axis(spt_dataset *ds, const spt__table *t, const char *why, spt__err *e)
{
    const spt__run *run = &t->bands.run;
    SPT__TRY(spt__dataset_note(
        ds, e, "%lld rows; %lld bands, %.10g to %.10g %s%s%s, headers '%s' to '%s'",
        (long long)ds->n, (long long)ds->p, run->from, run->to,
        ds->axis_unit == SPT_AXIS_UNKNOWN ? "(unit unknown)" : spt_axis_unit_name(ds->axis_unit),
        why[0] == '\0' ? "" : " ", why, t->headers[run->first],
        t->headers[run->first + run->n - 1]));
    if (spt__bands_numbered(&t->bands))
        return spt__dataset_note(ds, e,
                                 "warning: the bands are numbered from 1 to %lld; their positions "
                                 "are not in the file",
                                 (long long)ds->p);
    if (ds->axis_unit == SPT_AXIS_UNKNOWN)
        return spt__dataset_note(ds, e,
                                 "warning: bands from %.10g to %.10g may be wavelengths or "
                                 "wavenumbers; declare which (axis_unit: nm, cm-1 or um)",
                                 run->from, run->to);
    return SPT_OK;
}

static int32_t note_surplus(spt_dataset *ds, const spt__table *t, spt__err *e)
{
    for (int64_t k = 0; k < t->bands.n_surplus; k++) {
        const spt__run *run = &t->bands.surplus[k];
        SPT__TRY(spt__dataset_note(
            ds, e,
            "warning: %lld further bands, '%s' to '%s', are left out; they can be read instead "
            "(option bands=%s)",
            (long long)run->n, t->headers[run->first], t->headers[run->first + run->n - 1],
            run->prefix));
    }
    return SPT_OK;
}

static int32_t note_format(spt_dataset *ds, const spt__table *t, spt__err *e)
{
    const char *name = t->csv.delimiter == ';'    ? "semicolons"
                       : t->csv.delimiter == '\t' ? "tabs"
                       : t->csv.delimiter == '|'  ? "bars"
                                                  : "commas";
    if (t->csv.delimiter != ',' || t->decimal != '.')
        SPT__TRY(spt__dataset_note(ds, e, "cells are separated by %s, the decimal mark is a %s",
                                   name, t->decimal == ',' ? "comma" : "point"));
    if (t->csv.latin1)
        SPT__TRY(
            spt__dataset_note(ds, e, "warning: the text is not UTF-8 and was read as Latin-1"));
    if (t->row_names)
        SPT__TRY(
            spt__dataset_note(ds, e, "the first column has no header: taken as names of rows"));
    return SPT_OK;
}

static int32_t note_bad(spt_dataset *ds, const spt__table *t, spt__err *e)
{
    if (t->bad_rows == 0) return SPT_OK;
    return spt__dataset_note(
        ds, e,
        "warning: %lld spectra have missing or unreadable values, the first on "
        "line %lld, column %lld (band '%s')",
        (long long)t->bad_rows, (long long)t->bad_line, (long long)(t->bad_column + 1),
        t->headers[t->bad_column]);
}

/* ---- the dataset --------------------------------------------------------------------------------
 */

static int32_t put_fields(spt_dataset *ds, spt__table *t, spt__err *e)
{
    int64_t ids = -1;
    spt__pool *pool = spt__table_take_pool(t);
    int32_t status = pool == NULL ? spt__nomem(e) : SPT_OK;
    for (int64_t k = 0; status >= 0 && k < t->n_fields; k++) {
        const spt__field *f = &t->fields[k];
        if (f->skip || spt__field_is_trace(t, f)) continue;
        if (spt_dataset_find_column(ds, f->name) >= 0) {
            status = spt__dataset_note(
                ds, e, "warning: column %lld is left out: another one before it is named '%s', too",
                (long long)(f->column + 1), f->name);
            continue;
        }
        if (k == t->id_field) ids = ds->n_columns;
        status = spt__dataset_put_column(ds, spt__field_column(ds->ctx, f, pool, NULL, t->n), e);
        if (status >= 0 && k != t->id_field) status = spt__field_note(ds, t, f, pool, e);
    }
    spt__pool_unref(pool);
    return status < 0 ? status : spt__dataset_set_ids(ds, ids, e);
}

static int32_t fill_dataset(spt_dataset *ds, spt__table *t, spt__err *e)
{
    const char *why = "as declared";
    ds->unit = t->wish.unit;
    ds->axis_unit = t->wish.axis_unit;
    memcpy(ds->axis, t->bands.axis, (size_t)ds->p * sizeof *ds->axis);
    if (ds->axis_unit == SPT_AXIS_UNKNOWN) ds->axis_unit = spt__bands_unit(&t->bands, &why);
    if (ds->axis_unit == SPT_AXIS_UNKNOWN) why = "";
    SPT__TRY(note_axis(ds, t, why, e));
    SPT__TRY(note_format(ds, t, e));
    if (t->low <= t->high)
        SPT__TRY(spt__dataset_note(ds, e, "spectral values from %.6g to %.6g", t->low, t->high));
    SPT__TRY(put_fields(ds, t, e));
    SPT__TRY(note_ids(ds, e));
    SPT__TRY(note_surplus(ds, t, e));
    SPT__TRY(note_unit_hint(ds, &t->bands.run, e));
    SPT__TRY(note_bad(ds, t, e));
    /* "cm-1" in the headers is no slip of a host that declares a unit. */
    if (t->wish.axis_unit != SPT_AXIS_UNKNOWN || ds->axis_unit != SPT_AXIS_CM1)
        SPT__TRY(spt__dataset_note_axis(ds, e));
    return t->low <= t->high ? spt__dataset_note_values(ds, t->low, t->high, e) : SPT_OK;
}

static int32_t make_dataset(spt_ctx *ctx, spt__table *t, spt_dataset **out)
{
    int64_t p = t->bands.run.n;
    /* Give the room back that the guess took too much; it is no harm if that fails. */
    double *fit = spt__realloc(ctx, t->values, (size_t)t->n * (size_t)p, sizeof *fit);
    spt__spectra *s = spt__spectra_take(ctx, fit != NULL ? fit : t->values, t->n, p);
    t->values = NULL;
    if (s == NULL) return spt__nomem(&ctx->err);
    s->lenient = t->bad_rows > 0;
    s->checked = !s->lenient;
    spt_dataset *ds = spt__dataset_alloc(ctx, s, t->n, p);
    spt__spectra_unref(s);
    if (ds == NULL) return spt__nomem(&ctx->err);
    int32_t status = fill_dataset(ds, t, &ctx->err);
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}

static int32_t read_memory(spt_ctx *ctx, const char *data, size_t size, const char *name,
                           const spt__table_wish *wish, spt_dataset **out)
{
    spt__table t;
    int32_t status = spt__table_read(&t, ctx, data, size, wish, &ctx->err);
    if (status >= 0) status = make_dataset(ctx, &t, out);
    spt__table_free(&t);
    return status < 0 ? spt__fail_prefix(&ctx->err, "%s: ", name) : status;
}

int32_t spt_dataset_read_csv_memory(spt_ctx *ctx, const void *data, int64_t size, const char *name,
                                    const spt_options *options, spt_dataset **out)
{
    spt__table_wish wish;
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && out != NULL);
    if (size < 0 || (data == NULL && size > 0))
        return spt__fail(&ctx->err, SPT_EINVAL, "the text is NULL or its size (%lld) is negative",
                         (long long)size);
    SPT__TRY(spt__table_wish_of(&wish, options, &ctx->err));
    return read_memory(ctx, data != NULL ? data : "", (size_t)size, name != NULL ? name : "memory",
                       &wish, out);
}

int32_t spt_dataset_read_csv(spt_ctx *ctx, const char *path, const spt_options *options,
                             spt_dataset **out)
{
    spt__table_wish wish;
    char *data = NULL;
    size_t size = 0;
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && out != NULL);
    SPT__TRY(spt__table_wish_of(&wish, options, &ctx->err));
    SPT__TRY(spt__file_read(ctx, path, &data, &size, &ctx->err));
    int32_t status = read_memory(ctx, data, size, path, &wish, out);
    spt__free(ctx, data);
    return status;
}
