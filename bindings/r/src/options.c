/* Knobs: from a named list, and their description. */
#include "glue.h"
#include "entries.h"

#include <string.h>

SEXP options_make(SEXP values, int32_t (*make)(spt_ctx *, spt_options **))
{
    spt_options *o = NULL;
    if (Rf_xlength(values) == 0) return R_NilValue;
    SEXP names = Rf_getAttrib(values, R_NamesSymbol);
    if (TYPEOF(values) != VECSXP || names == R_NilValue) Rf_error("settings must be a named list");
    SEXP x = PROTECT(handle_new(K_OPTIONS));
    int32_t status = make(session(), &o);
    made(x, o, status);
    for (R_xlen_t i = 0; i < XLENGTH(values); i++) {
        SEXP v = VECTOR_ELT(values, i);
        const char *name = Rf_translateCharUTF8(STRING_ELT(names, i));
        if (TYPEOF(v) == STRSXP)
            check(spt_options_set_text(o, name, text_of(v, name)));
        else
            check(spt_options_set_number(o, name, number_of(v, name)));
    }
    UNPROTECT(1);
    return x;
}

spt_options *options_get(SEXP x)
{
    return handle_or_null(x, K_OPTIONS);
}

static const struct {
    const char *name;
    int32_t (*make)(spt_ctx *, spt_options **);
} makers[] = {
    {"csv", spt_csv_options_new},
    {"prep", spt_prep_options_new},
    {"training", spt_training_options_new},
    {"fit", spt_fit_options_new},
    {"cv", spt_cv_options_new},
    {"sampler", spt_sampler_options_new},
    {"study", spt_study_options_new},
    {"fanova", spt_fanova_options_new},
    {"ped", spt_ped_options_new},
};

SEXP R_options_describe(SEXP what)
{
    static const char *const names[] = {"name", "type",    "default", "low",
                                        "high", "choices", "text",    NULL};
    static const char *const types[] = {"", "number", "integer", "choice", "text"};
    const char *wanted = text_of(what, "what");
    spt_options *o = NULL;
    SEXP x = PROTECT(handle_new(K_OPTIONS));
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (strcmp(wanted, makers[i].name) == 0 && makers[i].make != NULL) {
            int32_t status = makers[i].make(session(), &o);
            made(x, o, status);
        }
    if (o == NULL) Rf_error("there are no settings of '%s'", wanted);
    const int64_t n = spt_options_count(o);
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 7; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(k == 3 || k == 4 ? REALSXP : STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        spt_option_info info;
        char number[40];
        spt_record_init(&info, sizeof info);
        check(spt_options_describe(o, i, &info));
        const int numeric = info.type == SPT_OPTION_NUMBER || info.type == SPT_OPTION_INTEGER;
        snprintf(number, sizeof number, "%.15g", info.default_number);
        SET_STRING_ELT(VECTOR_ELT(list, 0), (R_xlen_t)i, Rf_mkCharCE(info.name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), (R_xlen_t)i,
                       Rf_mkChar(info.type >= 1 && info.type <= 4 ? types[info.type] : ""));
        SET_STRING_ELT(VECTOR_ELT(list, 2), (R_xlen_t)i,
                       numeric                     ? Rf_mkChar(number)
                       : info.default_text != NULL ? Rf_mkCharCE(info.default_text, CE_UTF8)
                                                   : NA_STRING);
        REAL(VECTOR_ELT(list, 3))[i] = numeric ? info.low : NA_REAL;
        REAL(VECTOR_ELT(list, 4))[i] = numeric ? info.high : NA_REAL;
        SET_STRING_ELT(VECTOR_ELT(list, 5), (R_xlen_t)i,
                       info.choices != NULL ? Rf_mkCharCE(info.choices, CE_UTF8) : NA_STRING);
        SET_STRING_ELT(VECTOR_ELT(list, 6), (R_xlen_t)i, Rf_mkCharCE(info.text, CE_UTF8));
    }
    UNPROTECT(2);
    return list;
}

SEXP R_threads(SEXP n)
{
    if (n != R_NilValue) check(spt_ctx_set_threads(session(), small_of(n, "threads")));
    return Rf_ScalarInteger(spt_ctx_threads(session()));
}

SEXP R_memory_limit(SEXP bytes)
{
    if (bytes != R_NilValue) check(spt_ctx_set_memory_limit(session(), whole_of(bytes, "bytes")));
    return Rf_ScalarReal((double)spt_ctx_memory_limit(session()));
}

SEXP R_kernels(SEXP name)
{
    static const char *const names[] = {"used", "possible", NULL};
    int n = 0;
    if (name != R_NilValue) {
        const char *text = text_of(name, "kernels");
        check(spt_ctx_set_kernels(session(), strcmp(text, "fastest") == 0 ? NULL : text));
    }
    while (spt_kernels_name(n) != NULL)
        n++;
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, text_new(spt_ctx_kernels(session())));
    SEXP possible = Rf_allocVector(STRSXP, n);
    SET_VECTOR_ELT(list, 1, possible);
    for (int i = 0; i < n; i++)
        SET_STRING_ELT(possible, i, Rf_mkChar(spt_kernels_name(i)));
    UNPROTECT(1);
    return list;
}

SEXP R_version_info(void)
{
    static const char *const names[] = {"version", "build", NULL};
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, text_new(spt_version()));
    SET_VECTOR_ELT(list, 1, text_new(spt_build_info()));
    UNPROTECT(1);
    return list;
}

/* Close what a handle holds: stores and studies, whose files somebody waits for. */
SEXP R_close(SEXP x)
{
    if (TYPEOF(x) == EXTPTRSXP) handle_drop(x);
    return R_NilValue;
}

SEXP R_is_stale(SEXP x)
{
    return Rf_ScalarLogical(TYPEOF(x) != EXTPTRSXP || R_ExternalPtrAddr(x) == NULL);
}
