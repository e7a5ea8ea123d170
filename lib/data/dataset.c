/* Making, holding and reading datasets. */
#include "dataset.h"

#include "../base/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const unit_names[] = {"unknown", "absorbance", "reflectance",
                                         "percent-reflectance"};
static const char *const axis_names[] = {"unknown", "nm", "cm-1", "um"};

enum {
    N_UNITS = sizeof unit_names / sizeof unit_names[0],
    N_AXES = sizeof axis_names / sizeof axis_names[0]
};

static int32_t find_name(const char *const *names, int32_t n, const char *name)
{
    for (int32_t i = 0; name != NULL && i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    return SPT_EINVAL;
}

const char *spt_unit_name(int32_t unit)
{
    return unit_names[unit < 0 || unit >= N_UNITS ? 0 : unit];
}

int32_t spt_unit_from_name(const char *name)
{
    return find_name(unit_names, N_UNITS, name);
}

const char *spt_axis_unit_name(int32_t unit)
{
    return axis_names[unit < 0 || unit >= N_AXES ? 0 : unit];
}

int32_t spt_axis_unit_from_name(const char *name)
{
    return find_name(axis_names, N_AXES, name);
}

/* ---- building blocks ------------------------------------------------------------------------- */

spt_dataset *spt__dataset_alloc(spt_ctx *ctx, spt__spectra *spectra, int64_t n, int64_t p)
{
    spt_dataset *ds = spt__calloc(ctx, 1, sizeof *ds);
    if (ds == NULL) return NULL;
    atomic_init(&ds->refs, 1);
    ds->ctx = spt__ctx_ref(ctx);
    ds->spectra = spectra == NULL ? NULL : spt__spectra_ref(spectra);
    ds->n = n;
    ds->p = p;
    ds->band_step = 1;
    ds->id_column = -1;
    ds->axis = spt__calloc(ctx, (size_t)p, sizeof *ds->axis);
    if (ds->axis == NULL) {
        spt_dataset_free(ds);
        return NULL;
    }
    return ds;
}

static int32_t copy_notes(spt_dataset *to, const spt_dataset *from)
{
    to->notes = spt__calloc(to->ctx, (size_t)from->n_notes, sizeof *to->notes);
    if (to->notes == NULL) return SPT_ENOMEM;
    for (; to->n_notes < from->n_notes; to->n_notes++) {
        to->notes[to->n_notes] = spt__strdup(to->ctx, from->notes[to->n_notes]);
        if (to->notes[to->n_notes] == NULL) return SPT_ENOMEM;
    }
    return SPT_OK;
}

static int32_t copy_columns(spt_dataset *to, const spt_dataset *from)
{
    to->columns = spt__calloc(to->ctx, (size_t)from->n_columns, sizeof(spt__column *));
    if (to->columns == NULL) return SPT_ENOMEM;
    for (; to->n_columns < from->n_columns; to->n_columns++)
        to->columns[to->n_columns] = spt__column_ref(from->columns[to->n_columns]);
    to->id_column = from->id_column;
    to->ids = spt__column_ref(from->ids);
    return SPT_OK;
}

spt_dataset *spt__dataset_like(spt_ctx *ctx, const spt_dataset *from, spt__spectra *spectra,
                               int64_t n, int64_t p, bool columns)
{
    spt_dataset *ds = spt__dataset_alloc(ctx, spectra, n, p);
    if (ds == NULL) return NULL;
    ds->unit = from->unit;
    ds->axis_unit = from->axis_unit;
    if (p == from->p) memcpy(ds->axis, from->axis, (size_t)p * sizeof *ds->axis);
    if (copy_notes(ds, from) < 0 || (columns && copy_columns(ds, from) < 0)) {
        spt_dataset_free(ds);
        return NULL;
    }
    return ds;
}

int32_t spt__dataset_copy_rows(spt_dataset *to, const spt_dataset *from, spt__err *e)
{
    to->first_band = from->first_band;
    to->band_step = from->band_step;
    if (from->rows == NULL) return SPT_OK;
    to->rows = spt__alloc(to->ctx, (size_t)from->n, sizeof *to->rows);
    if (to->rows == NULL) return spt__nomem(e);
    memcpy(to->rows, from->rows, (size_t)from->n * sizeof *to->rows);
    return SPT_OK;
}

int32_t spt__dataset_put_column(spt_dataset *ds, spt__column *column, spt__err *e)
{
    if (column == NULL) return spt__nomem(e);
    int64_t at = spt_dataset_find_column(ds, column->name);
    if (at >= 0) {
        spt__column_unref(ds->columns[at]);
        ds->columns[at] = column;
        return SPT_OK;
    }
    spt__column **more =
        spt__realloc(ds->ctx, ds->columns, (size_t)ds->n_columns + 1, sizeof(spt__column *));
    if (more == NULL) {
        spt__column_unref(column);
        return spt__nomem(e);
    }
    ds->columns = more;
    ds->columns[ds->n_columns++] = column;
    return SPT_OK;
}

int32_t spt__dataset_set_ids(spt_dataset *ds, int64_t index, spt__err *e)
{
    spt__column *ids = NULL;
    spt__column *numbers = spt__column_of_row_numbers(ds->ctx, ds->n);
    if (numbers == NULL) return spt__nomem(e);
    bool complete = index >= 0;
    for (int64_t i = 0; complete && i < ds->n; i++)
        complete = ds->columns[index]->texts[i] != NULL;
    if (complete) {
        ids = spt__column_ref(ds->columns[index]);
    } else if (index >= 0) {
        const spt__column *given = ds->columns[index];
        const char **texts = spt__alloc(ds->ctx, (size_t)ds->n, sizeof *texts);
        for (int64_t i = 0; texts != NULL && i < ds->n; i++)
            texts[i] = given->texts[i] != NULL ? given->texts[i] : numbers->texts[i];
        if (texts != NULL) ids = spt__column_of_texts(ds->ctx, given->name, texts, ds->n);
        spt__free(ds->ctx, texts);
    } else {
        ids = spt__column_ref(numbers);
    }
    spt__column_unref(numbers);
    if (ids == NULL) return spt__nomem(e);
    spt__column_unref(ds->ids);
    ds->ids = ids;
    ds->id_column = index;
    return SPT_OK;
}

int32_t spt__dataset_note(spt_dataset *ds, spt__err *e, const char *format, ...)
{
    char text[SPT__ERROR_CAPACITY];
    va_list args;
    va_start(args, format);
    (void)spt__vformat(text, sizeof text, format, args);
    va_end(args);
    char **more = spt__realloc(ds->ctx, ds->notes, (size_t)ds->n_notes + 1, sizeof *more);
    if (more == NULL) return spt__nomem(e);
    ds->notes = more;
    ds->notes[ds->n_notes] = spt__strdup(ds->ctx, text);
    if (ds->notes[ds->n_notes] == NULL) return spt__nomem(e);
    ds->n_notes++;
    return SPT_OK;
}

spt_dataset *spt__dataset_ref(const spt_dataset *ds)
{
    /* The count is the one thing in a dataset that changes. */
    spt_dataset *held = (spt_dataset *)(uintptr_t)ds;
    atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    return held;
}

void spt_dataset_free(spt_dataset *ds)
{
    if (ds == NULL || atomic_fetch_sub_explicit(&ds->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = ds->ctx;
    for (int64_t i = 0; i < ds->n_columns; i++)
        spt__column_unref(ds->columns[i]);
    for (int64_t i = 0; i < ds->n_notes; i++)
        spt__free(ctx, ds->notes[i]);
    spt__column_unref(ds->ids);
    spt__spectra_unref(ds->spectra);
    spt__free(ctx, ds->columns);
    spt__free(ctx, ds->notes);
    spt__free(ctx, ds->rows);
    spt__free(ctx, ds->axis);
    spt__free(ctx, ds);
    spt__ctx_unref(ctx);
}

/* ---- from memory ----------------------------------------------------------------------------- */

int32_t spt__axis_check(const double *axis, int64_t p, spt__err *e)
{
    for (int64_t j = 0; j < p; j++) {
        if (!isfinite(axis[j]) || axis[j] <= 0)
            return spt__fail(e, SPT_EINVAL,
                             "axis position %lld is %g; positions must be above 0 and finite",
                             (long long)j, axis[j]);
        bool fits = j == 0 || (axis[1] > axis[0] ? axis[j] > axis[j - 1] : axis[j] < axis[j - 1]);
        if (!fits)
            return spt__fail(e, SPT_EINVAL,
                             "axis position %lld (%.10g) follows %.10g; the axis must be strictly "
                             "ascending or descending",
                             (long long)j, axis[j], axis[j - 1]);
    }
    return SPT_OK;
}

/* Is it one? Strides that are left out are filled in. */
static int32_t matrix_check(spt_matrix *m, spt__err *e)
{
    if (m->dtype != SPT_FLOAT32 && m->dtype != SPT_FLOAT64)
        return spt__fail(e, SPT_EINVAL, "spectra: dtype is %d; float32 (1) and float64 (2) exist",
                         (int)m->dtype);
    if (m->data == NULL) return spt__fail(e, SPT_EINVAL, "spectra: the data pointer is NULL");
    if (m->rows < 1 || m->cols < 2)
        return spt__fail(e, SPT_EINVAL,
                         "spectra are %lld x %lld; at least 1 row and 2 bands are needed",
                         (long long)m->rows, (long long)m->cols);
    if ((m->row_stride == 0) != (m->col_stride == 0))
        return spt__fail(e, SPT_EINVAL,
                         "spectra: row_stride is %lld and col_stride is %lld; both 0 (contiguous) "
                         "or neither are possible",
                         (long long)m->row_stride, (long long)m->col_stride);
    if (m->row_stride == 0) {
        m->row_stride = m->cols;
        m->col_stride = 1;
    }
    return SPT_OK;
}

/* A view of the host's memory. Takes nothing over: the hook is set by the caller on success. */
static spt__spectra *borrow_matrix(spt_ctx *ctx, const spt_matrix *m)
{
    spt__spectra *s = spt__calloc(ctx, 1, sizeof *s);
    if (s == NULL) return NULL;
    atomic_init(&s->refs, 1);
    s->ctx = spt__ctx_ref(ctx);
    s->dtype = m->dtype;
    s->data = m->data;
    s->rows = m->rows;
    s->cols = m->cols;
    s->row_stride = m->row_stride;
    s->col_stride = m->col_stride;
    return s;
}

static spt__spectra *copy_matrix(spt_ctx *ctx, const spt_matrix *m)
{
    spt__spectra *s = spt__spectra_new(ctx, m->dtype, m->rows, m->cols);
    for (int64_t i = 0; s != NULL && i < m->rows; i++) {
        for (int64_t j = 0; j < m->cols; j++) {
            int64_t from = i * m->row_stride + j * m->col_stride, to = i * m->cols + j;
            if (m->dtype == SPT_FLOAT32)
                ((float *)s->own)[to] = ((const float *)m->data)[from];
            else
                ((double *)s->own)[to] = ((const double *)m->data)[from];
        }
    }
    return s;
}

/* Look at every value of a copy; the extremes serve the notes. */
static int32_t check_values(const spt_dataset *ds, double *low, double *high, spt__err *e)
{
    double part[256];
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (int64_t i = 0; i < ds->n; i++) {
        for (int64_t first = 0; first < ds->p; first += 256) {
            int64_t count = ds->p - first < 256 ? ds->p - first : 256;
            spt__dataset_read(ds, i, first, count, part);
            for (int64_t j = 0; j < count; j++) {
                if (!isfinite(part[j]))
                    return spt__fail(e, SPT_EDATA,
                                     "row %lld, band %lld (%.10g %s): the value is not finite",
                                     (long long)i, (long long)(first + j), ds->axis[first + j],
                                     spt_axis_unit_name(ds->axis_unit));
                *low = fmin(*low, part[j]);
                *high = fmax(*high, part[j]);
            }
        }
    }
    return SPT_OK;
}

static int32_t fill_new(spt_dataset *ds, const double *axis, int32_t axis_unit, int32_t unit,
                        spt__err *e)
{
    double low, high;
    memcpy(ds->axis, axis, (size_t)ds->p * sizeof *axis);
    ds->axis_unit = axis_unit;
    ds->unit = unit;
    SPT__TRY(spt__dataset_set_ids(ds, -1, e));
    SPT__TRY(spt__dataset_note_axis(ds, e));
    if (!ds->spectra->checked) return SPT_OK;
    SPT__TRY(check_values(ds, &low, &high, e));
    return spt__dataset_note_values(ds, low, high, e);
}

static int32_t new_dataset(spt_ctx *ctx, const spt_matrix *spectra, const double *axis,
                           int32_t axis_unit, int32_t unit, int32_t borrow, spt_dataset **out)
{
    spt__err *e = &ctx->err;
    spt_matrix m;
    if (spectra == NULL || spt__record_in(&m, sizeof m, spectra) < 0)
        return spt__fail(e, SPT_EINVAL,
                         "spectra: struct_size is not set; call spt_record_init() first");
    SPT__TRY(matrix_check(&m, e));
    SPT__TRY(spt__check_switch(borrow, "borrow", e));
    if (axis == NULL)
        return spt__fail(e, SPT_EINVAL, "axis is NULL; %lld positions are needed",
                         (long long)m.cols);
    if (axis_unit < SPT_AXIS_NM || axis_unit >= N_AXES)
        return spt__fail(e, SPT_EINVAL, "axis_unit is %d; nm (1), cm-1 (2) and um (3) are possible",
                         (int)axis_unit);
    if (unit < 0 || unit >= N_UNITS)
        return spt__fail(e, SPT_EINVAL,
                         "unit is %d; unknown (0), absorbance (1), reflectance (2) and "
                         "percent-reflectance (3) are possible",
                         (int)unit);
    SPT__TRY(spt__axis_check(axis, m.cols, e));
    spt__spectra *s = borrow ? borrow_matrix(ctx, &m) : copy_matrix(ctx, &m);
    if (s == NULL) return spt__nomem(e);
    spt_dataset *ds = spt__dataset_alloc(ctx, s, m.rows, m.cols);
    spt__spectra_unref(s);
    if (ds == NULL) return spt__nomem(e);
    int32_t status = fill_new(ds, axis, axis_unit, unit, e);
    if (status < 0) {
        spt_dataset_free(ds);
        return status;
    }
    *out = ds;
    return SPT_OK;
}

int32_t spt_dataset_new(spt_ctx *ctx, const spt_matrix *spectra, const double *axis,
                        int32_t axis_unit, int32_t unit, int32_t borrow, void *user,
                        spt_destroy_fn destroy, spt_dataset **out)
{
    int32_t status = SPT_EINVAL;
    if (out != NULL) *out = NULL;
    if (ctx != NULL && out != NULL)
        status = new_dataset(ctx, spectra, axis, axis_unit, unit, borrow, out);
    if (status == SPT_OK && borrow) {
        (*out)->spectra->user = user;
        (*out)->spectra->destroy = destroy;
    } else if (destroy != NULL) {
        destroy(user); /* nothing was borrowed, or the call failed */
    }
    return status;
}

/* ---- columns from memory ----------------------------------------------------------------------
 */

/* The same dataset with room for a change of columns. */
static int32_t copy_view(spt_ctx *ctx, const spt_dataset *from, spt_dataset **out)
{
    spt_dataset *ds = spt__dataset_like(ctx, from, from->spectra, from->n, from->p, true);
    if (ds == NULL) return spt__nomem(&ctx->err);
    int32_t status = spt__dataset_copy_rows(ds, from, &ctx->err);
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}

static int32_t check_name(const char *name, spt__err *e)
{
    if (name == NULL || name[0] == '\0') return spt__fail(e, SPT_EINVAL, "a column needs a name");
    if (!spt__is_utf8(name, strlen(name)))
        return spt__fail(e, SPT_EINVAL, "the column's name is not UTF-8");
    return SPT_OK;
}

static int32_t check_new(const spt_dataset *ds, const char *name, const void *values, int64_t n,
                         spt__err *e)
{
    SPT__TRY(check_name(name, e));
    if (values == NULL) return spt__fail(e, SPT_EINVAL, "column '%s': the values are NULL", name);
    if (n != ds->n)
        return spt__fail(e, SPT_EINVAL,
                         "column '%s': %lld values; one for each of %lld rows is needed", name,
                         (long long)n, (long long)ds->n);
    return SPT_OK;
}

static int32_t with_column(spt_ctx *ctx, const spt_dataset *from, spt__column *column, bool ids,
                           spt_dataset **out)
{
    spt_dataset *ds = NULL;
    int32_t status = column == NULL ? spt__nomem(&ctx->err) : copy_view(ctx, from, &ds);
    if (status < 0) {
        spt__column_unref(column);
        return status;
    }
    int64_t at = spt_dataset_find_column(ds, column->name);
    if (at < 0) at = ds->n_columns;
    status = spt__dataset_put_column(ds, column, &ctx->err);
    if (status >= 0 && (ids || at == ds->id_column))
        status = spt__dataset_set_ids(ds, at, &ctx->err);
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}

int32_t spt_dataset_with_numbers(spt_ctx *ctx, const spt_dataset *dataset, const char *name,
                                 const double *values, int64_t n, spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    SPT__TRY(check_new(dataset, name, values, n, &ctx->err));
    for (int64_t i = 0; i < dataset->n; i++)
        if (isinf(values[i]))
            return spt__fail(&ctx->err, SPT_EDATA,
                             "column '%s', row '%s': the value is infinite; a number or NaN "
                             "(missing) is possible",
                             name, dataset->ids->texts[i]);
    spt__column *column = spt__column_of_numbers(ctx, name, values, dataset->n);
    return with_column(ctx, dataset, column, false, out);
}

int32_t spt_dataset_with_texts(spt_ctx *ctx, const spt_dataset *dataset, const char *name,
                               const char *const *values, int64_t n, spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    SPT__TRY(check_new(dataset, name, values, n, &ctx->err));
    for (int64_t i = 0; i < dataset->n; i++)
        if (values[i] != NULL && !spt__is_utf8(values[i], strlen(values[i])))
            return spt__fail(&ctx->err, SPT_EINVAL, "column '%s', row '%s': the text is not UTF-8",
                             name, dataset->ids->texts[i]);
    spt__column *column = spt__column_of_texts(ctx, name, values, dataset->n);
    return with_column(ctx, dataset, column, strcmp(name, "id") == 0, out);
}

/* ---- reading spectra --------------------------------------------------------------------------
 */

void spt__dataset_read(const spt_dataset *ds, int64_t row, int64_t first, int64_t n, double *out)
{
    const spt__spectra *s = ds->spectra;
    int64_t at = (ds->rows != NULL ? ds->rows[row] : row) * s->row_stride +
                 (ds->first_band + first * ds->band_step) * s->col_stride;
    int64_t step = ds->band_step * s->col_stride;
    if (s->dtype == SPT_FLOAT32) {
        const float *v = s->data;
        for (int64_t j = 0; j < n; j++)
            out[j] = (double)v[at + j * step];
    } else {
        const double *v = s->data;
        for (int64_t j = 0; j < n; j++)
            out[j] = v[at + j * step];
    }
}

int32_t spt__dataset_row(const spt_dataset *ds, int64_t row, double *out, spt__err *e)
{
    if (row < 0 || row >= ds->n)
        return spt__fail(e, SPT_EINVAL, "row is %lld; 0 to %lld are possible", (long long)row,
                         (long long)(ds->n - 1));
    spt__dataset_read(ds, row, 0, ds->p, out);
    if (ds->spectra->checked) return SPT_OK;
    for (int64_t j = 0; j < ds->p; j++)
        if (!isfinite(out[j]))
            return spt__fail(e, SPT_EDATA,
                             "row '%s', band %.10g %s: the value is missing or not finite",
                             ds->ids->texts[row], ds->axis[j], spt_axis_unit_name(ds->axis_unit));
    return SPT_OK;
}

int32_t spt_dataset_spectra(const spt_dataset *dataset, int64_t first, int64_t n_rows, double *out,
                            int64_t capacity)
{
    spt__err e;
    SPT__REQUIRE(dataset != NULL && out != NULL && first >= 0 && n_rows >= 0);
    SPT__REQUIRE(n_rows <= dataset->n && first <= dataset->n - n_rows);
    if (capacity < n_rows * dataset->p) return SPT_ECAPACITY;
    for (int64_t i = 0; i < n_rows; i++)
        SPT__TRY(spt__dataset_row(dataset, first + i, out + i * dataset->p, &e));
    return SPT_OK;
}

int64_t spt_dataset_rows(const spt_dataset *dataset)
{
    return dataset == NULL ? SPT_EINVAL : dataset->n;
}

int64_t spt_dataset_bands(const spt_dataset *dataset)
{
    return dataset == NULL ? SPT_EINVAL : dataset->p;
}

const double *spt_dataset_axis(const spt_dataset *dataset)
{
    return dataset == NULL ? NULL : dataset->axis;
}

int32_t spt_dataset_axis_unit(const spt_dataset *dataset)
{
    return dataset == NULL ? SPT_EINVAL : dataset->axis_unit;
}

int32_t spt_dataset_unit(const spt_dataset *dataset)
{
    return dataset == NULL ? SPT_EINVAL : dataset->unit;
}

int32_t spt_dataset_axis_is_even(const spt_dataset *dataset)
{
    SPT__REQUIRE(dataset != NULL);
    const double *x = dataset->axis;
    double step = (x[dataset->p - 1] - x[0]) / (double)(dataset->p - 1);
    for (int64_t j = 1; j < dataset->p; j++)
        if (fabs(x[j] - x[j - 1] - step) > 1e-6 * fabs(step)) return 0;
    return 1;
}

const char *spt_dataset_note(const spt_dataset *dataset, int64_t index)
{
    if (dataset == NULL || index < 0 || index >= dataset->n_notes) return NULL;
    return dataset->notes[index];
}
