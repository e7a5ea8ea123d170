/* Datasets. Matrices come as R has them: double, column by column. */
#include "entries.h"
#include "glue.h"

#include <limits.h>
#include <math.h>
#include <string.h>

SEXP R_dataset_new(SEXP x, SEXP axis, SEXP axis_unit, SEXP unit)
{
    spt_dataset *d = NULL;
    spt_matrix view;
    if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) Rf_error("'x' must be a numeric matrix");
    if (TYPEOF(axis) != REALSXP || XLENGTH(axis) != Rf_ncols(x))
        Rf_error("'wavelength' has %.0f values, 'x' has %d columns", (double)Rf_xlength(axis),
                 Rf_ncols(x));
    const int32_t axis_code = spt_axis_unit_from_name(text_of(axis_unit, "axis_unit"));
    const int32_t unit_code = spt_unit_from_name(text_of(unit, "unit"));
    if (axis_code < 0) Rf_error("'axis_unit' must be \"nm\", \"cm-1\" or \"um\"");
    if (unit_code < 0)
        Rf_error("'unit' must be \"absorbance\", \"reflectance\" or \"percent-reflectance\"");
    spt_record_init(&view, sizeof view);
    view.dtype = SPT_FLOAT64;
    view.data = REAL(x);
    view.rows = Rf_nrows(x);
    view.cols = Rf_ncols(x);
    view.row_stride = 1;
    view.col_stride = view.rows;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status =
        spt_dataset_new(session(), &view, REAL(axis), axis_code, unit_code, 0, NULL, NULL, &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_with(SEXP dataset, SEXP name, SEXP values)
{
    spt_dataset *d = handle_get(dataset, K_DATASET), *with = NULL;
    const char *text = text_of(name, "name");
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status;
    if (TYPEOF(values) == STRSXP) {
        const char **texts = texts_of(values, "values");
        status = spt_dataset_with_texts(session(), d, text, texts, XLENGTH(values), &with);
    } else if (TYPEOF(values) == REALSXP) {
        status = spt_dataset_with_numbers(session(), d, text, REAL(values), XLENGTH(values), &with);
    } else {
        Rf_error("column '%s' must be numbers or texts", text);
    }
    made(out, with, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_read(SEXP path, SEXP settings)
{
    spt_dataset *d = NULL;
    SEXP o = PROTECT(options_make(settings, spt_csv_options_new));
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status = spt_dataset_read_csv(session(), text_of(path, "path"), options_get(o), &d);
    made(out, d, status);
    UNPROTECT(2);
    return out;
}

SEXP R_dataset_join(SEXP dataset, SEXP path, SEXP key, SEXP settings)
{
    spt_dataset *d = NULL;
    SEXP o = PROTECT(options_make(settings, spt_csv_options_new));
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status =
        spt_dataset_join_csv(session(), handle_get(dataset, K_DATASET), text_of(path, "path"),
                             text_or_null(key, "key"), options_get(o), &d);
    made(out, d, status);
    UNPROTECT(2);
    return out;
}

static SEXP notes_of(const spt_dataset *d)
{
    int64_t n = 0;
    while (spt_dataset_note(d, n) != NULL)
        n++;
    SEXP x = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++)
        SET_STRING_ELT(x, (R_xlen_t)i, Rf_mkCharCE(spt_dataset_note(d, i), CE_UTF8));
    UNPROTECT(1);
    return x;
}

/* Of each column: name, number or text, missing, distinct, low, high, whether it names the rows. */
static SEXP columns_of(const spt_dataset *d)
{
    static const char *const names[] = {"name", "kind", "missing", "distinct",
                                        "low",  "high", "id",      NULL};
    const int64_t n = spt_dataset_columns(d);
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 7; k++)
        SET_VECTOR_ELT(list, k,
                       Rf_allocVector(k < 2    ? STRSXP
                                      : k == 6 ? LGLSXP
                                               : REALSXP,
                                      (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        spt_column_info c;
        spt_record_init(&c, sizeof c);
        check_plain(spt_dataset_column(d, i, &c));
        SET_STRING_ELT(VECTOR_ELT(list, 0), (R_xlen_t)i, Rf_mkCharCE(c.name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), (R_xlen_t)i,
                       Rf_mkChar(c.kind == SPT_COLUMN_NUMBER ? "number" : "text"));
        REAL(VECTOR_ELT(list, 2))[i] = (double)c.n_missing;
        REAL(VECTOR_ELT(list, 3))[i] = (double)c.n_distinct;
        REAL(VECTOR_ELT(list, 4))[i] = c.kind == SPT_COLUMN_NUMBER ? c.low : NA_REAL;
        REAL(VECTOR_ELT(list, 5))[i] = c.kind == SPT_COLUMN_NUMBER ? c.high : NA_REAL;
        LOGICAL(VECTOR_ELT(list, 6))[i] = c.is_id != 0;
    }
    UNPROTECT(1);
    return list;
}

SEXP R_dataset_about(SEXP dataset)
{
    static const char *const names[] = {"rows",    "bands", "axis_unit", "unit",
                                        "columns", "notes", "axis",      NULL};
    const spt_dataset *d = handle_get(dataset, K_DATASET);
    const int64_t p = spt_dataset_bands(d);
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, Rf_ScalarReal((double)spt_dataset_rows(d)));
    SET_VECTOR_ELT(list, 1, Rf_ScalarReal((double)p));
    SET_VECTOR_ELT(list, 2, text_new(spt_axis_unit_name(spt_dataset_axis_unit(d))));
    SET_VECTOR_ELT(list, 3, text_new(spt_unit_name(spt_dataset_unit(d))));
    SET_VECTOR_ELT(list, 4, columns_of(d));
    SET_VECTOR_ELT(list, 5, notes_of(d));
    SEXP axis = Rf_allocVector(REALSXP, (R_xlen_t)p);
    SET_VECTOR_ELT(list, 6, axis);
    for (int64_t j = 0; j < p; j++)
        REAL(axis)[j] = spt_dataset_axis(d)[j];
    UNPROTECT(1);
    return list;
}

SEXP R_dataset_spectra(SEXP dataset)
{
    const spt_dataset *d = handle_get(dataset, K_DATASET);
    const int64_t n = spt_dataset_rows(d), p = spt_dataset_bands(d);
    if (n > INT_MAX || p > INT_MAX) Rf_error("more rows or bands than an R matrix can have");
    double *row = (double *)R_alloc((size_t)p, sizeof *row);
    SEXP x = PROTECT(Rf_allocMatrix(REALSXP, (int)n, (int)p));
    for (int64_t i = 0; i < n; i++) {
        check_plain(spt_dataset_spectra(d, i, 1, row, p));
        for (int64_t j = 0; j < p; j++)
            REAL(x)[i + j * n] = row[j];
    }
    UNPROTECT(1);
    return x;
}

/* A column's values, numbers or texts; or the ids of the rows when `name` is NULL. */
SEXP R_dataset_values(SEXP dataset, SEXP name)
{
    const spt_dataset *d = handle_get(dataset, K_DATASET);
    const int64_t n = spt_dataset_rows(d);
    const char *text = text_or_null(name, "column");
    spt_column_info c;
    int64_t k = -1;
    spt_record_init(&c, sizeof c);
    if (text != NULL) {
        k = spt_dataset_find_column(d, text);
        if (k < 0) Rf_error("there is no column '%s'", text);
        check_plain(spt_dataset_column(d, k, &c));
        if (c.kind == SPT_COLUMN_NUMBER) {
            SEXP x = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n));
            check_plain(spt_dataset_numbers(d, k, REAL(x), n));
            for (int64_t i = 0; i < n; i++)
                if (isnan(REAL(x)[i])) REAL(x)[i] = NA_REAL;
            UNPROTECT(1);
            return x;
        }
    }
    SEXP x = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        const char *s = text != NULL ? spt_dataset_text(d, i, k) : spt_dataset_id(d, i);
        SET_STRING_ELT(x, (R_xlen_t)i, s != NULL ? Rf_mkCharCE(s, CE_UTF8) : NA_STRING);
    }
    UNPROTECT(1);
    return x;
}

SEXP R_dataset_fingerprint(SEXP dataset, SEXP column)
{
    const spt_dataset *d = handle_get(dataset, K_DATASET);
    char digest[65];
    const char *text = text_of(column, "part");
    int64_t k = 0;
    int32_t part = SPT_PART_COLUMN;
    if (text[0] == '\0')
        part = SPT_PART_SPECTRA;
    else if (strcmp(text, " axis") == 0)
        part = SPT_PART_AXIS;
    else if ((k = spt_dataset_find_column(d, text)) < 0)
        Rf_error("there is no column '%s'", text);
    check_plain(spt_dataset_fingerprint(d, part, k, digest));
    return text_new(digest);
}

SEXP R_dataset_take(SEXP dataset, SEXP rows)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status = spt_dataset_take(session(), handle_get(dataset, K_DATASET), rows_of(rows),
                                      XLENGTH(rows), &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_select(SEXP dataset, SEXP column, SEXP value, SEXP keep)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status =
        spt_dataset_select(session(), handle_get(dataset, K_DATASET), text_of(column, "column"),
                           text_of(value, "value"), Rf_asLogical(keep) == 1, &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_crop(SEXP dataset, SEXP low, SEXP high)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status = spt_dataset_crop(session(), handle_get(dataset, K_DATASET),
                                      number_of(low, "low"), number_of(high, "high"), &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_resample(SEXP dataset, SEXP positions)
{
    spt_dataset *d = NULL;
    if (TYPEOF(positions) != REALSXP) Rf_error("'positions' must be numbers");
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status = spt_dataset_resample(session(), handle_get(dataset, K_DATASET),
                                          REAL(positions), XLENGTH(positions), &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_decimate(SEXP dataset, SEXP factor, SEXP average)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status =
        spt_dataset_decimate(session(), handle_get(dataset, K_DATASET), whole_of(factor, "factor"),
                             Rf_asLogical(average) == 1, &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_average(SEXP dataset, SEXP column)
{
    spt_dataset *d = NULL;
    SEXP out = PROTECT(handle_new(K_DATASET));
    int32_t status = spt_dataset_average(session(), handle_get(dataset, K_DATASET),
                                         text_of(column, "column"), &d);
    made(out, d, status);
    UNPROTECT(1);
    return out;
}

SEXP R_dataset_folds(SEXP dataset, SEXP group, SEXP k, SEXP seed)
{
    spt_dataset *d = handle_get(dataset, K_DATASET);
    const int64_t n = spt_dataset_rows(d);
    SEXP out = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)n));
    check(spt_dataset_folds(session(), d, text_or_null(group, "group"), small_of(k, "k"),
                            seed_of(seed), INTEGER(out), n));
    for (int64_t i = 0; i < n; i++)
        INTEGER(out)[i] += 1;
    UNPROTECT(1);
    return out;
}
