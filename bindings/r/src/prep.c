/* Pretreatment: recipes from a list of steps, channels, scaling. */
#include "entries.h"
#include "glue.h"

#include <limits.h>
#include <string.h>

/* One step: its name and its numbers (or, of "average", a column). */
static void add_step(spt_prep *prep, const char *name, SEXP v)
{
    if (strcmp(name, "average") == 0) {
        check(spt_prep_add_average(prep, text_of(v, "average")));
        return;
    }
    if (TYPEOF(v) != REALSXP) Rf_error("step '%s' wants numbers", name);
    const double *x = REAL(v);
    const R_xlen_t n = XLENGTH(v);
    if (strcmp(name, "crop") == 0 && n == 2)
        check(spt_prep_add_crop(prep, x[0], x[1]));
    else if (strcmp(name, "resample") == 0 && n == 3)
        check(spt_prep_add_resample(prep, x[0], x[1], x[2]));
    else if (strcmp(name, "decimate") == 0 && n == 2 && x[0] >= 1 && x[0] < 1e9)
        check(spt_prep_add_decimate(prep, (int64_t)x[0], x[1] != 0));
    else
        Rf_error("pretreatment: steps are average = \"column\", crop = c(low, high), "
                 "resample = c(low, high, step), decimate = factor; this is '%s' with %d values",
                 name, (int)n);
}

SEXP prep_make(SEXP steps, SEXP channel_options)
{
    spt_prep *prep = NULL;
    SEXP x = PROTECT(handle_new(K_PREP));
    int32_t status = spt_prep_new(session(), &prep);
    made(x, prep, status);
    SEXP names = Rf_getAttrib(steps, R_NamesSymbol);
    for (R_xlen_t i = 0; i < Rf_xlength(steps); i++)
        add_step(prep, Rf_translateCharUTF8(STRING_ELT(names, i)), VECTOR_ELT(steps, i));
    SEXP o = PROTECT(options_make(channel_options, spt_prep_options_new));
    if (o != R_NilValue) check(spt_prep_set_options(prep, options_get(o)));
    UNPROTECT(2);
    return x;
}

SEXP R_prep_new(SEXP steps, SEXP channel_options)
{
    return prep_make(steps, channel_options);
}

SEXP R_prep_text(SEXP prep)
{
    int64_t n = 0;
    spt_prep *p = handle_get(prep, K_PREP);
    spt_prep_text(p, NULL, 0, &n);
    char *buffer = R_alloc((size_t)n + 1, 1);
    check(spt_prep_text(p, buffer, n + 1, &n));
    return text_new(buffer);
}

SEXP R_prep_apply(SEXP prep, SEXP dataset)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status =
        spt_prep_apply(session(), handle_get(prep, K_PREP), handle_get(dataset, K_DATASET), &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

/* n x p x c, in R's order: rows fastest. */
SEXP R_prep_channels(SEXP prep, SEXP dataset, SEXP mask)
{
    spt_dataset *d = handle_get(dataset, K_DATASET);
    const int64_t n = spt_dataset_rows(d), p = spt_dataset_bands(d),
                  bits = whole_of(mask, "channels");
    if (bits < 1 || bits > SPT_CHANNEL_ALL) Rf_error("there are no such channels");
    int64_t c = 0;
    for (int64_t b = bits; b > 0; b >>= 1)
        c += b & 1;
    if (n > INT_MAX || p > INT_MAX) Rf_error("more rows or bands than an R array can have");
    double *values = (double *)R_alloc((size_t)(n * p * (c > 0 ? c : 1)), sizeof *values);
    check(spt_prep_channels(session(), handle_get(prep, K_PREP), d, (int32_t)bits, SPT_FLOAT64,
                            values, n * p * c));
    SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, (int)n, (int)p, (int)c));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++)
            for (int64_t k = 0; k < c; k++)
                REAL(out)[i + n * (j + p * k)] = values[(i * p + j) * c + k];
    UNPROTECT(1);
    return out;
}

SEXP R_prep_savgol(SEXP x, SEXP spacing, SEXP window, SEXP order, SEXP derivative)
{
    if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) Rf_error("'x' must be a numeric matrix");
    const int64_t n = Rf_nrows(x), p = Rf_ncols(x);
    double *row = (double *)R_alloc((size_t)(2 * p + 1), sizeof *row), *got = row + p;
    const double step = number_of(spacing, "spacing");
    const int32_t w = small_of(window, "window"), m = small_of(order, "order"),
                  k = small_of(derivative, "derivative");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)n, (int)p));
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < p; j++)
            row[j] = REAL(x)[i + j * n];
        check(spt_prep_savgol(session(), row, p, step, w, m, k, got));
        for (int64_t j = 0; j < p; j++)
            REAL(out)[i + j * n] = got[j];
    }
    UNPROTECT(1);
    return out;
}

/* ---- arrays of samples for networks: n x p x c of R to float32, channels last ---- */

float *samples_of(SEXP x, int64_t *n, int64_t *p, int64_t *c)
{
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    if (TYPEOF(x) != REALSXP || Rf_xlength(dim) < 2 || Rf_xlength(dim) > 3)
        Rf_error(
            "'x' must be a numeric matrix (samples x bands) or array (samples x bands x channels)");
    *n = INTEGER(dim)[0];
    *p = INTEGER(dim)[1];
    *c = Rf_xlength(dim) == 3 ? INTEGER(dim)[2] : 1;
    float *values = (float *)R_alloc((size_t)(*n * *p * *c) + 1, sizeof *values);
    for (int64_t i = 0; i < *n; i++)
        for (int64_t j = 0; j < *p; j++)
            for (int64_t k = 0; k < *c; k++)
                values[(i * *p + j) * *c + k] = (float)REAL(x)[i + *n * (j + *p * k)];
    return values;
}

static int32_t scale_of(SEXP mode)
{
    static const char *const names[] = {"none", "channel", "band", "centre"};
    const char *text = text_of(mode, "mode");
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) return i + 1;
    Rf_error("'mode' must be \"none\", \"channel\", \"band\" or \"centre\"");
}

SEXP R_scaler_fit(SEXP x, SEXP rows, SEXP mode)
{
    spt_scaler *s = NULL;
    int64_t n, p, c;
    const float *values = samples_of(x, &n, &p, &c);
    const int64_t *which = rows == R_NilValue ? NULL : rows_of(rows);
    SEXP out = PROTECT(handle_new(K_SCALER));
    int32_t status =
        spt_scaler_fit(session(), values, n, p, c, which, Rf_xlength(rows), scale_of(mode), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_scaler_new(SEXP mean, SEXP sd, SEXP bands, SEXP channels, SEXP mode)
{
    spt_scaler *s = NULL;
    const int64_t p = whole_of(bands, "bands"), c = whole_of(channels, "channels");
    const int32_t code = scale_of(mode);
    const int64_t m = code == SPT_SCALE_CHANNEL ? c : p * c;
    if (TYPEOF(mean) != REALSXP || TYPEOF(sd) != REALSXP)
        Rf_error("'mean' and 'sd' must be numbers");
    if (code != SPT_SCALE_NONE && (XLENGTH(mean) != m || XLENGTH(sd) != m))
        Rf_error("'mean' and 'sd' must have %.0f values each", (double)m);
    SEXP out = PROTECT(handle_new(K_SCALER));
    int32_t status = spt_scaler_new(session(), p, c, code, REAL(mean), REAL(sd), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_scaler_apply(SEXP scaler, SEXP x)
{
    int64_t n, p, c;
    float *values = samples_of(x, &n, &p, &c);
    check(spt_scaler_apply(handle_get(scaler, K_SCALER), values, n));
    SEXP out = PROTECT(Rf_allocVector(REALSXP, XLENGTH(x)));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++)
            for (int64_t k = 0; k < c; k++)
                REAL(out)[i + n * (j + p * k)] = values[(i * p + j) * c + k];
    Rf_setAttrib(out, R_DimSymbol, Rf_getAttrib(x, R_DimSymbol));
    UNPROTECT(1);
    return out;
}
