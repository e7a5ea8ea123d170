/* Standardisation of channels: fitted on training rows, applied to any. */
#include "scaler.h"

#include <math.h>

/* ---- life ---------------------------------------------------------------------------------- */

static int32_t check_shape(int64_t p, int64_t c, int32_t mode, spt__err *e)
{
    if (p < 1 || c < 1 || c > INT64_MAX / 8 / p)
        return spt__fail(e, SPT_EINVAL,
                         "the shape is %lld bands x %lld channels; 1 or more of each are needed",
                         (long long)p, (long long)c);
    if (mode < SPT_SCALE_NONE || mode > SPT_SCALE_CENTRE)
        return spt__fail(e, SPT_EINVAL,
                         "the scaling mode is %d; SPT_SCALE_NONE (1), SPT_SCALE_CHANNEL (2), "
                         "SPT_SCALE_BAND (3) and SPT_SCALE_CENTRE (4) are possible",
                         mode);
    return SPT_OK;
}

/* Does it have a mean and an s.d. for each band? */
static bool by_band(const spt_scaler *s)
{
    return s->mode == SPT_SCALE_BAND || s->mode == SPT_SCALE_CENTRE;
}

/* With means of 0 and s.d. of 1. */
static spt_scaler *make(spt_ctx *ctx, int64_t p, int64_t c, int32_t mode)
{
    spt_scaler *s = spt__calloc(ctx, 1, sizeof *s);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->ctx = spt__ctx_ref(ctx);
    s->p = p;
    s->c = c;
    s->mode = mode;
    s->n_values = mode == SPT_SCALE_NONE ? 0 : by_band(s) ? p * c : c;
    s->mean = spt__calloc(ctx, (size_t)s->n_values, sizeof *s->mean);
    s->sd = spt__calloc(ctx, (size_t)s->n_values, sizeof *s->sd);
    if (!s->mean || !s->sd) {
        spt_scaler_free(s);
        return NULL;
    }
    for (int64_t i = 0; i < s->n_values; i++)
        s->sd[i] = 1.0;
    return s;
}

int32_t spt_scaler_new(spt_ctx *ctx, int64_t p, int64_t c, int32_t mode, const double *mean,
                       const double *sd, spt_scaler **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    SPT__TRY(check_shape(p, c, mode, e));
    if (mode != SPT_SCALE_NONE && (!mean || !sd))
        return spt__fail(e, SPT_EINVAL, "means and s.d. are needed and must not be NULL");
    spt_scaler *s = make(ctx, p, c, mode);
    if (!s) return spt__nomem(e);
    for (int64_t i = 0; i < s->n_values; i++) {
        if (!isfinite(mean[i]) || !isfinite(sd[i]) || sd[i] <= 0) {
            int32_t status = spt__fail(e, SPT_EINVAL,
                                       "mean %g and s.d. %g at index %lld; finite numbers and an "
                                       "s.d. above 0 are needed (1 for a constant)",
                                       mean[i], sd[i], (long long)i);
            spt_scaler_free(s);
            return status;
        }
        s->mean[i] = mean[i];
        s->sd[i] = sd[i];
    }
    *out = s;
    return SPT_OK;
}

spt_scaler *spt__scaler_ref(const spt_scaler *scaler)
{
    spt_scaler *s = (spt_scaler *)(uintptr_t)scaler; /* the count is all that ever changes */
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void spt_scaler_free(spt_scaler *scaler)
{
    if (!scaler || atomic_fetch_sub_explicit(&scaler->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = scaler->ctx;
    spt__free(ctx, scaler->mean);
    spt__free(ctx, scaler->sd);
    spt__free(ctx, scaler);
    spt__ctx_unref(ctx);
}

int64_t spt__scaler_bands(const spt_scaler *scaler)
{
    return scaler->p;
}

int64_t spt__scaler_channels(const spt_scaler *scaler)
{
    return scaler->c;
}

int32_t spt__scaler_mode(const spt_scaler *scaler)
{
    return scaler->mode;
}

int64_t spt__scaler_values(const spt_scaler *scaler)
{
    return scaler->n_values;
}

const double *spt__scaler_mean(const spt_scaler *scaler)
{
    return scaler->mean;
}

const double *spt__scaler_sd(const spt_scaler *scaler)
{
    return scaler->sd;
}

/* ---- fit ----------------------------------------------------------------------------------- */

/* The rows to fit on. */
typedef struct {
    const float *x;
    int64_t p, c;
    const int64_t *rows; /* NULL: all */
    int64_t n;
} training;

static const float *row_of(const training *t, int64_t i)
{
    return t->x + (t->rows ? t->rows[i] : i) * t->p * t->c;
}

/* Per channel a row is summed first, then the rows; per band there is one sum over the rows. Either
 * way the order is that of the rows and bands. */
static void add_sums(const spt_scaler *s, const float *restrict row, double *restrict sum)
{
    if (by_band(s)) {
        for (int64_t k = 0; k < s->n_values; k++)
            sum[k] += (double)row[k];
        return;
    }
    for (int64_t k = 0; k < s->c; k++) {
        double part = 0;
        for (int64_t j = 0; j < s->p; j++)
            part += (double)row[j * s->c + k];
        sum[k] += part;
    }
}

static void add_squares(const spt_scaler *s, const float *restrict row, double *restrict sum)
{
    const double *restrict mean = s->mean;
    if (by_band(s)) {
        for (int64_t k = 0; k < s->n_values; k++) {
            double d = (double)row[k] - mean[k];
            sum[k] += d * d;
        }
        return;
    }
    for (int64_t k = 0; k < s->c; k++) {
        double part = 0;
        for (int64_t j = 0; j < s->p; j++) {
            double d = (double)row[j * s->c + k] - mean[k];
            part += d * d;
        }
        sum[k] += part;
    }
}

static int32_t not_finite(const spt_scaler *s, int64_t k, spt__err *e)
{
    if (by_band(s))
        return spt__fail(e, SPT_EINVAL,
                         "the values of band %lld in channel %lld (from 0) are not all finite",
                         (long long)(k / s->c), (long long)(k % s->c));
    return spt__fail(e, SPT_EINVAL, "the values of channel %lld (from 0) are not all finite",
                     (long long)k);
}

/* To the sums of squares around the means of bands, those around the mean of the channel: what the
 * means differ, n times. */
static void widen_to_channels(spt_scaler *s, int64_t n)
{
    for (int64_t k = 0; k < s->c; k++) {
        double mean = 0, squares = 0;
        for (int64_t j = 0; j < s->p; j++)
            mean += s->mean[j * s->c + k];
        mean /= (double)s->p;
        for (int64_t j = 0; j < s->p; j++) {
            double d = s->mean[j * s->c + k] - mean;
            squares += s->sd[j * s->c + k] + (double)n * d * d;
        }
        for (int64_t j = 0; j < s->p; j++)
            s->sd[j * s->c + k] = squares;
    }
}

/* Sums of up to 2^29 equal floats are exact in double, so a constant has exactly its value as mean
 * and 0 as spread: no last bit is left that scaling could blow up. */
static int32_t fit(spt_scaler *s, const training *t, spt__err *e)
{
    int64_t per_value = by_band(s) ? t->n : t->n * t->p;
    for (int64_t i = 0; i < t->n; i++)
        add_sums(s, row_of(t, i), s->mean);
    for (int64_t k = 0; k < s->n_values; k++) {
        s->mean[k] /= (double)per_value;
        s->sd[k] = 0;
        if (!isfinite(s->mean[k])) return not_finite(s, k, e);
    }
    for (int64_t i = 0; i < t->n; i++)
        add_squares(s, row_of(t, i), s->sd);
    if (s->mode == SPT_SCALE_CENTRE) {
        widen_to_channels(s, t->n);
        per_value *= t->p;
    }
    for (int64_t k = 0; k < s->n_values; k++) {
        double sd = per_value > 1 ? sqrt(s->sd[k] / (double)(per_value - 1)) : 0;
        s->sd[k] = sd > 0 ? sd : 1.0;
    }
    return SPT_OK;
}

static int32_t check_rows(const training *t, int64_t n, spt__err *e)
{
    if (n < 1 || t->n < 1)
        return spt__fail(e, SPT_EINVAL,
                         "%lld of %lld rows are to be fitted on; 1 or more are needed",
                         (long long)t->n, (long long)n);
    for (int64_t i = 0; t->rows && i < t->n; i++)
        if (t->rows[i] < 0 || t->rows[i] >= n)
            return spt__fail(e, SPT_EINVAL, "row %lld at index %lld; 0 to %lld are possible",
                             (long long)t->rows[i], (long long)i, (long long)n - 1);
    return SPT_OK;
}

int32_t spt__scaler_fit(spt_ctx *ctx, const float *x, int64_t n, int64_t p, int64_t c,
                        const int64_t *rows, int64_t n_rows, int32_t mode, spt_scaler **out,
                        spt__err *e)
{
    *out = NULL;
    SPT__TRY(check_shape(p, c, mode, e));
    training t = {x, p, c, rows, rows ? n_rows : n};
    SPT__TRY(check_rows(&t, n, e));
    spt_scaler *s = make(ctx, p, c, mode);
    int32_t status = s ? SPT_OK : spt__nomem(e);
    if (status >= 0 && mode != SPT_SCALE_NONE) status = fit(s, &t, e);
    if (status < 0) {
        spt_scaler_free(s);
        return status;
    }
    *out = s;
    return SPT_OK;
}

int32_t spt_scaler_fit(spt_ctx *ctx, const float *x, int64_t n, int64_t p, int64_t c,
                       const int64_t *rows, int64_t n_rows, int32_t mode, spt_scaler **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    if (!x) return spt__fail(&ctx->err, SPT_EINVAL, "the channel values must not be NULL");
    return spt__scaler_fit(ctx, x, n, p, c, rows, n_rows, mode, out, &ctx->err);
}

/* ---- apply --------------------------------------------------------------------------------- */

static void scale_bands(const spt_scaler *s, float *restrict row)
{
    const double *restrict mean = s->mean, *restrict sd = s->sd;
    for (int64_t k = 0; k < s->n_values; k++)
        row[k] = (float)(((double)row[k] - mean[k]) / sd[k]);
}

static void scale_channels(const spt_scaler *s, float *restrict row)
{
    for (int64_t j = 0; j < s->p; j++, row += s->c)
        for (int64_t k = 0; k < s->c; k++)
            row[k] = (float)(((double)row[k] - s->mean[k]) / s->sd[k]);
}

int32_t spt_scaler_apply(const spt_scaler *scaler, float *x, int64_t n)
{
    SPT__REQUIRE(scaler && n >= 0 && (x || n == 0));
    for (int64_t i = 0; i < n; i++, x += scaler->p * scaler->c) {
        if (by_band(scaler))
            scale_bands(scaler, x);
        else if (scaler->mode == SPT_SCALE_CHANNEL)
            scale_channels(scaler, x);
    }
    return SPT_OK;
}
