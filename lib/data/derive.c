/* Datasets from datasets. Choosing rows or bands shares the spectra; averaging and interpolation
 * make new ones in float64. */
#include "dataset.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

/* Hand the finished dataset over, or release it. */
static int32_t finish(int32_t status, spt_dataset *ds, spt_dataset **out)
{
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int32_t take_columns(spt_dataset *to, const spt_dataset *from, const int64_t *rows,
                            spt__err *e)
{
    for (int64_t k = 0; k < from->n_columns; k++)
        SPT__TRY(spt__dataset_put_column(
            to, spt__column_take(to->ctx, from->columns[k], rows, to->n), e));
    to->id_column = from->id_column;
    /* Ids stay what they were: row numbers go on naming the rows of the first dataset. */
    to->ids = spt__column_take(to->ctx, from->ids, rows, to->n);
    return to->ids == NULL ? spt__nomem(e) : SPT_OK;
}

static int32_t take(spt_ctx *ctx, const spt_dataset *from, const int64_t *rows, int64_t n,
                    spt_dataset **out)
{
    spt_dataset *ds = spt__dataset_like(ctx, from, from->spectra, n, from->p, false);
    if (ds == NULL) return spt__nomem(&ctx->err);
    ds->first_band = from->first_band;
    ds->band_step = from->band_step;
    int32_t status = SPT_OK;
    ds->rows = spt__alloc(ctx, (size_t)n, sizeof *ds->rows);
    if (ds->rows == NULL) {
        status = spt__nomem(&ctx->err);
    } else {
        for (int64_t i = 0; i < n; i++)
            ds->rows[i] = from->rows != NULL ? from->rows[rows[i]] : rows[i];
        status = take_columns(ds, from, rows, &ctx->err);
    }
    return finish(status, ds, out);
}

int32_t spt_dataset_take(spt_ctx *ctx, const spt_dataset *dataset, const int64_t *rows, int64_t n,
                         spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    if (rows == NULL || n < 1)
        return spt__fail(&ctx->err, SPT_EINVAL, "%lld rows are asked for; at least 1 is needed",
                         (long long)(rows == NULL ? 0 : n));
    for (int64_t i = 0; i < n; i++)
        if (rows[i] < 0 || rows[i] >= dataset->n)
            return spt__fail(&ctx->err, SPT_EINVAL, "rows[%lld] is %lld; 0 to %lld are possible",
                             (long long)i, (long long)rows[i], (long long)(dataset->n - 1));
    return take(ctx, dataset, rows, n, out);
}

int32_t spt__dataset_match(const spt_dataset *ds, const char *column, const char *value, bool *same,
                           spt__err *e)
{
    int64_t at = 0;
    SPT__TRY(spt__dataset_column_named(ds, column, &at, e));
    const spt__column *c = ds->columns[at];
    double number = 0;
    bool by_number = c->numbers != NULL && spt__parse_double(value, strlen(value), '.', &number);
    for (int64_t i = 0; i < ds->n; i++)
        same[i] = c->texts[i] != NULL &&
                  (by_number ? c->numbers[i] == number : strcmp(c->texts[i], value) == 0);
    return SPT_OK;
}

int32_t spt_dataset_select(spt_ctx *ctx, const spt_dataset *dataset, const char *column,
                           const char *value, int32_t keep, spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    if (value == NULL) return spt__fail(&ctx->err, SPT_EINVAL, "the value to select by is NULL");
    SPT__TRY(spt__check_switch(keep, "keep", &ctx->err));
    int64_t n = 0;
    int64_t *rows = spt__alloc(ctx, (size_t)dataset->n, sizeof *rows);
    bool *same = spt__alloc(ctx, (size_t)dataset->n, sizeof *same);
    if (rows == NULL || same == NULL) {
        spt__free(ctx, rows);
        spt__free(ctx, same);
        return spt__nomem(&ctx->err);
    }
    int32_t found = spt__dataset_match(dataset, column, value, same, &ctx->err);
    for (int64_t i = 0; i < dataset->n && found >= 0; i++)
        if (same[i] == (keep != 0)) rows[n++] = i;
    spt__free(ctx, same);
    if (found < 0) {
        spt__free(ctx, rows);
        return found;
    }
    int32_t status = n == 0 ? spt__fail(&ctx->err, SPT_EDATA, "no row is left: '%s' is '%s' in %s",
                                        column, value, keep ? "none" : "all of them")
                            : take(ctx, dataset, rows, n, out);
    spt__free(ctx, rows);
    return status;
}

/* ---- bands ----------------------------------------------------------------------------------- */

/* The same rows, and every `step`-th band of n from `first` on. */
static int32_t pick_bands(spt_ctx *ctx, const spt_dataset *from, int64_t first, int64_t step,
                          int64_t n, spt_dataset **out)
{
    spt_dataset *ds = spt__dataset_like(ctx, from, from->spectra, from->n, n, true);
    if (ds == NULL) return spt__nomem(&ctx->err);
    int32_t status = spt__dataset_copy_rows(ds, from, &ctx->err);
    ds->first_band = from->first_band + first * from->band_step;
    ds->band_step = from->band_step * step;
    for (int64_t j = 0; j < n; j++)
        ds->axis[j] = from->axis[first + j * step];
    return finish(status, ds, out);
}

/* Positions that differ by less than this count as the same. */
static double tolerance(const spt_dataset *ds)
{
    return 1e-9 * fabs(ds->axis[ds->p - 1] - ds->axis[0]);
}

int32_t spt_dataset_crop(spt_ctx *ctx, const spt_dataset *dataset, double low, double high,
                         spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    const char *unit = spt_axis_unit_name(dataset->axis_unit);
    if (!(low < high))
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "crop from %.10g to %.10g; the lower end comes first", low, high);
    int64_t first = 0, n = 0;
    for (int64_t j = 0; j < dataset->p; j++) {
        double x = dataset->axis[j];
        if (x < low - tolerance(dataset) || x > high + tolerance(dataset)) continue;
        if (n++ == 0) first = j;
    }
    if (n < 2)
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "crop from %.10g to %.10g %s leaves %lld bands, 2 are needed; the axis "
                         "runs from %.10g to %.10g",
                         low, high, unit, (long long)n, dataset->axis[0],
                         dataset->axis[dataset->p - 1]);
    return pick_bands(ctx, dataset, first, 1, n, out);
}

/* A new dataset like `from` on fresh float64 storage; *values is its first value. */
static spt_dataset *fresh(spt_ctx *ctx, const spt_dataset *from, int64_t n, int64_t p, bool columns,
                          double **values)
{
    spt__spectra *s = spt__spectra_new(ctx, SPT_FLOAT64, n, p);
    if (s == NULL) return NULL;
    spt_dataset *ds = spt__dataset_like(ctx, from, s, n, p, columns);
    *values = s->own;
    s->lenient = from->spectra->lenient;
    s->checked = !s->lenient;
    spt__spectra_unref(s);
    return ds;
}

/* A row for arithmetic: one that is unusable stays so in lenient storage, and is an error else. */
static int32_t read_row(const spt_dataset *ds, int64_t row, double *out, spt__err *e)
{
    if (!ds->spectra->lenient) return spt__dataset_row(ds, row, out, e);
    spt__dataset_read(ds, row, 0, ds->p, out);
    return SPT_OK;
}

/* Mean of every `factor` bands; a shorter rest is dropped. */
static int32_t mean_bands(spt_ctx *ctx, const spt_dataset *from, int64_t factor, int64_t n,
                          spt_dataset **out)
{
    double *to = NULL, *row = spt__alloc(ctx, (size_t)from->p, sizeof *row);
    spt_dataset *ds = row == NULL ? NULL : fresh(ctx, from, from->n, n, true, &to);
    int32_t status = ds == NULL ? spt__nomem(&ctx->err) : SPT_OK;
    for (int64_t j = 0; ds != NULL && j < n; j++) {
        ds->axis[j] = 0;
        for (int64_t k = 0; k < factor; k++)
            ds->axis[j] += from->axis[j * factor + k];
        ds->axis[j] /= (double)factor;
    }
    for (int64_t i = 0; status >= 0 && i < from->n; i++) {
        status = read_row(from, i, row, &ctx->err);
        for (int64_t j = 0; status >= 0 && j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < factor; k++)
                sum += row[j * factor + k];
            to[i * n + j] = sum / (double)factor;
        }
    }
    spt__free(ctx, row);
    return finish(status, ds, out);
}

int32_t spt_dataset_decimate(spt_ctx *ctx, const spt_dataset *dataset, int64_t factor,
                             int32_t average, spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    SPT__TRY(spt__check_switch(average, "average", &ctx->err));
    int64_t most = average ? dataset->p / 2 : dataset->p - 1; /* two bands must be left */
    if (factor < 1 || (factor > most && factor > 1))
        return spt__fail(
            &ctx->err, SPT_EINVAL, "decimation by %lld; 1 to %lld are possible with %lld bands",
            (long long)factor, (long long)(most > 1 ? most : 1), (long long)dataset->p);
    if (!average) return pick_bands(ctx, dataset, 0, factor, 1 + (dataset->p - 1) / factor, out);
    if (factor == 1) return pick_bands(ctx, dataset, 0, 1, dataset->p, out);
    return mean_bands(ctx, dataset, factor, dataset->p / factor, out);
}

/* ---- resampling ------------------------------------------------------------------------------ */

/* Where each new band lies: between old bands left and left + 1, this share of the way. */
typedef struct place {
    int64_t left;
    double share;
} place;

static int32_t find_place(const spt_dataset *ds, double x, place *at, spt__err *e)
{
    const double *axis = ds->axis;
    bool up = axis[1] > axis[0];
    double first = axis[0], last = axis[ds->p - 1], slack = tolerance(ds);
    if (x < fmin(first, last) - slack || x > fmax(first, last) + slack)
        return spt__fail(e, SPT_EINVAL,
                         "position %.10g lies outside the axis, %.10g to %.10g %s; nothing is "
                         "extrapolated",
                         x, first, last, spt_axis_unit_name(ds->axis_unit));
    int64_t low = 0, high = ds->p - 1; /* x lies between axis[low] and axis[high] */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (up ? axis[middle] <= x : axis[middle] >= x)
            low = middle;
        else
            high = middle;
    }
    at->left = low;
    at->share = fmin(1, fmax(0, (x - axis[low]) / (axis[low + 1] - axis[low])));
    return SPT_OK;
}

static int32_t find_places(const spt_dataset *ds, const double *positions, int64_t n, place *places,
                           spt__err *e)
{
    for (int64_t j = 0; j < n; j++)
        SPT__TRY(find_place(ds, positions[j], &places[j], e));
    return SPT_OK;
}

static double between(const double *row, place at)
{
    /* Band positions met exactly give the band's value, whatever the neighbour is. */
    if (at.share == 0) return row[at.left];
    if (at.share == 1) return row[at.left + 1];
    return row[at.left] + at.share * (row[at.left + 1] - row[at.left]);
}

int32_t spt_dataset_resample(spt_ctx *ctx, const spt_dataset *dataset, const double *positions,
                             int64_t n, spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    if (positions == NULL || n < 2)
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "resampling to %lld positions; at least 2 are needed",
                         (long long)(positions == NULL ? 0 : n));
    SPT__TRY(spt__axis_check(positions, n, &ctx->err));
    double *to = NULL, *row = spt__alloc(ctx, (size_t)dataset->p, sizeof *row);
    place *places = spt__alloc(ctx, (size_t)n, sizeof *places);
    spt_dataset *ds =
        row == NULL || places == NULL ? NULL : fresh(ctx, dataset, dataset->n, n, true, &to);
    int32_t status =
        ds == NULL ? spt__nomem(&ctx->err) : find_places(dataset, positions, n, places, &ctx->err);
    if (ds != NULL) memcpy(ds->axis, positions, (size_t)n * sizeof *positions);
    for (int64_t i = 0; status >= 0 && i < dataset->n; i++) {
        status = read_row(dataset, i, row, &ctx->err);
        for (int64_t j = 0; status >= 0 && j < n; j++)
            to[i * n + j] = between(row, places[j]);
    }
    spt__free(ctx, row);
    spt__free(ctx, places);
    return finish(status, ds, out);
}
