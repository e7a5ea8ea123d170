/* Importance of hyperparameters: everything by value. */
#include "entries.h"
#include "glue.h"

#include <math.h>

SEXP R_fanova_new(SEXP history, SEXP settings)
{
    spt_fanova *f = NULL;
    SEXP o = PROTECT(options_make(settings, spt_fanova_options_new));
    SEXP out = PROTECT(handle_new(K_FANOVA));
    spt_history *h = handle_get(history, K_HISTORY);
    spt_options *how = options_get(o);
    host around; /* for interrupts */
    host_begin(&around, R_NilValue, R_NilValue);
    int32_t status = spt_fanova_new(session(), h, how, &f);
    R_SetExternalPtrAddr(out, f);
    host_leave(&around);
    check(status);
    if (f == NULL) Rf_error("stopped: there is no result");
    UNPROTECT(2);
    return out;
}

static SEXP mains(const spt_fanova *f)
{
    static const char *const names[] = {"parameter", "group",  "share",    "error",
                                        "sd",        "total",  "total_sd", "p_active",
                                        "observed",  "within", "index",    NULL};
    const int n = (int)spt_fanova_count(f);
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 11; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(k < 2 ? STRSXP : REALSXP, n));
    for (int i = 0; i < n; i++) {
        spt_importance p;
        spt_record_init(&p, sizeof p);
        check_plain(spt_fanova_main(f, i, &p));
        const double values[] = {p.share,    p.error,    p.sd,
                                 p.total,    p.total_sd, p.p_active,
                                 p.observed, p.within,   (double)p.parameter};
        SET_STRING_ELT(VECTOR_ELT(list, 0), i, Rf_mkCharCE(p.name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), i, Rf_mkCharCE(p.group, CE_UTF8));
        for (int k = 0; k < 9; k++)
            REAL(VECTOR_ELT(list, k + 2))[i] = isnan(values[k]) ? NA_REAL : values[k];
    }
    UNPROTECT(1);
    return list;
}

static SEXP pairs(const spt_fanova *f)
{
    static const char *const names[] = {"first", "second",   "share", "error",
                                        "sd",    "p_active", NULL};
    const int64_t n = spt_fanova_pair_count(f);
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 6; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(k < 2 ? STRSXP : REALSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        spt_interaction p;
        spt_record_init(&p, sizeof p);
        check_plain(spt_fanova_pair(f, i, &p));
        SET_STRING_ELT(VECTOR_ELT(list, 0), (R_xlen_t)i, Rf_mkCharCE(p.names[0], CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), (R_xlen_t)i, Rf_mkCharCE(p.names[1], CE_UTF8));
        REAL(VECTOR_ELT(list, 2))[i] = p.share;
        REAL(VECTOR_ELT(list, 3))[i] = isnan(p.error) ? NA_REAL : p.error;
        REAL(VECTOR_ELT(list, 4))[i] = p.sd;
        REAL(VECTOR_ELT(list, 5))[i] = p.p_active;
    }
    UNPROTECT(1);
    return list;
}

SEXP R_fanova_all(SEXP fanova)
{
    static const char *const names[] = {"mains",    "pairs", "residual", "out_of_bag", "trials",
                                        "variance", "cut",   "prior",    "warnings",   NULL};
    const spt_fanova *f = handle_get(fanova, K_FANOVA);
    int n = 0;
    while (spt_fanova_warning(f, n) != NULL)
        n++;
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, mains(f));
    SET_VECTOR_ELT(list, 1, pairs(f));
    SEXP residual = Rf_allocVector(REALSXP, 2);
    SET_VECTOR_ELT(list, 2, residual);
    REAL(residual)[0] = spt_fanova_residual(f, 1);
    REAL(residual)[1] = spt_fanova_residual(f, 2);
    SET_VECTOR_ELT(list, 3, number_new(spt_fanova_out_of_bag(f)));
    SET_VECTOR_ELT(list, 4, number_new((double)spt_fanova_trials(f)));
    SET_VECTOR_ELT(list, 5, number_new(spt_fanova_variance(f)));
    SET_VECTOR_ELT(list, 6, number_new(spt_fanova_cut(f)));
    SET_VECTOR_ELT(list, 7, text_new(spt_fanova_prior(f)));
    SEXP warnings = Rf_allocVector(STRSXP, n);
    SET_VECTOR_ELT(list, 8, warnings);
    for (int i = 0; i < n; i++)
        SET_STRING_ELT(warnings, i, Rf_mkCharCE(spt_fanova_warning(f, i), CE_UTF8));
    UNPROTECT(1);
    return list;
}

/* Curve and points of one parameter. */
SEXP R_fanova_curve(SEXP fanova, SEXP index)
{
    static const char *const names[] = {"x", "weight", "mean", "sd", "number", "at", "loss", NULL};
    const spt_fanova *f = handle_get(fanova, K_FANOVA);
    const int32_t i = small_of(index, "index");
    int64_t n = 0, m = 0;
    spt_fanova_curve(session(), f, i, NULL, NULL, NULL, NULL, 0, &n);
    spt_fanova_points(f, i, NULL, NULL, NULL, 0, &m);
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 7; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(REALSXP, (R_xlen_t)(k < 4 ? n : m)));
    check(spt_fanova_curve(session(), f, i, REAL(VECTOR_ELT(list, 0)), REAL(VECTOR_ELT(list, 1)),
                           REAL(VECTOR_ELT(list, 2)), REAL(VECTOR_ELT(list, 3)), n, &n));
    int64_t *number = (int64_t *)R_alloc((size_t)m + 1, sizeof *number);
    check_plain(spt_fanova_points(f, i, number, REAL(VECTOR_ELT(list, 5)),
                                  REAL(VECTOR_ELT(list, 6)), m, &m));
    for (int64_t k = 0; k < m; k++)
        REAL(VECTOR_ELT(list, 4))[k] = (double)number[k];
    UNPROTECT(1);
    return list;
}

/* A matrix: rows are values of the first parameter. */
SEXP R_fanova_surface(SEXP fanova, SEXP first, SEXP second)
{
    const spt_fanova *f = handle_get(fanova, K_FANOVA);
    const int32_t a = small_of(first, "first"), b = small_of(second, "second");
    int64_t na = 0, nb = 0, n = 0;
    spt_fanova_curve(session(), f, a, NULL, NULL, NULL, NULL, 0, &na);
    spt_fanova_curve(session(), f, b, NULL, NULL, NULL, NULL, 0, &nb);
    double *mean = (double *)R_alloc((size_t)(na * nb) + 1, sizeof *mean);
    check(spt_fanova_surface(session(), f, a, b, mean, NULL, na * nb, &n));
    SEXP x = PROTECT(Rf_allocMatrix(REALSXP, (int)na, (int)nb));
    for (int64_t i = 0; i < na; i++)
        for (int64_t j = 0; j < nb; j++)
            REAL(x)[i + j * na] = isnan(mean[i * nb + j]) ? NA_REAL : mean[i * nb + j];
    UNPROTECT(1);
    return x;
}

SEXP R_fanova_local(SEXP fanova, SEXP space, SEXP values, SEXP count)
{
    const int64_t n = whole_of(count, "count");
    int64_t needed = 0;
    const spt_fanova *f = handle_get(fanova, K_FANOVA);
    SEXP config = PROTECT(values == R_NilValue ? R_NilValue
                                               : config_make(handle_get(space, K_SPACE), values));
    SEXP x = PROTECT(Rf_allocMatrix(REALSXP, (int)n, 2));
    check(spt_fanova_local(session(), f, handle_or_null(config, K_CONFIG), REAL(x), REAL(x) + n, n,
                           &needed));
    UNPROTECT(2);
    return x;
}

SEXP R_ped(SEXP history, SEXP settings, SEXP count)
{
    const int64_t n = whole_of(count, "count");
    MUST_BE_THERE(spt_ped_options_new);
    MUST_BE_THERE(spt_ped_importance);
    int64_t needed = 0;
    SEXP o = PROTECT(options_make(settings, spt_ped_options_new));
    SEXP x = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n));
    check(spt_ped_importance(session(), handle_get(history, K_HISTORY), options_get(o), REAL(x), n,
                             &needed));
    UNPROTECT(2);
    return x;
}

/* The effect of 1 to 3 parameters together: c(share, sd, error, p_active). */
SEXP R_fanova_subset(SEXP fanova, SEXP indices)
{
    spt_interaction e;
    int64_t which[3];
    if (TYPEOF(indices) != REALSXP || XLENGTH(indices) < 1 || XLENGTH(indices) > 3)
        Rf_error("1 to 3 parameters are wanted");
    for (R_xlen_t i = 0; i < XLENGTH(indices); i++)
        which[i] = (int64_t)REAL(indices)[i];
    spt_record_init(&e, sizeof e);
    check(spt_fanova_subset(session(), handle_get(fanova, K_FANOVA), which, XLENGTH(indices), &e));
    SEXP x = Rf_allocVector(REALSXP, 4);
    REAL(x)[0] = e.share;
    REAL(x)[1] = e.sd;
    REAL(x)[2] = isnan(e.error) ? NA_REAL : e.error;
    REAL(x)[3] = e.p_active;
    return x;
}

SEXP R_fanova_needed(SEXP history, SEXP settings, SEXP r2)
{
    int64_t n = 0;
    MUST_BE_THERE(spt_fanova_trials_needed);
    SEXP o = PROTECT(options_make(settings, spt_fanova_options_new));
    check(spt_fanova_trials_needed(session(), handle_get(history, K_HISTORY), options_get(o),
                                   number_of(r2, "r2"), &n));
    UNPROTECT(1);
    return number_new(n < 0 ? NA_REAL : (double)n);
}
