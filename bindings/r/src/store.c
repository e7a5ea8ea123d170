/* Stores and histories. */
#include "entries.h"
#include "glue.h"

#include <stdlib.h>
#include <string.h>

SEXP R_store_open(SEXP url, SEXP mode)
{
    spt_store *s = NULL;
    const char *text = text_of(mode, "mode");
    const int32_t code = strcmp(text, "create") == 0     ? SPT_STORE_CREATE
                         : strcmp(text, "open") == 0     ? SPT_STORE_OPEN
                         : strcmp(text, "readonly") == 0 ? SPT_STORE_READONLY
                                                         : 0;
    if (code == 0) Rf_error("'mode' must be \"create\", \"open\" or \"readonly\"");
    SEXP out = PROTECT(handle_new(K_STORE));
    int32_t status = spt_store_open(session(), text_of(url, "url"), code, &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_store_studies(SEXP store)
{
    spt_store *s = handle_get(store, K_STORE);
    int64_t n = 0;
    while (spt_store_study(s, n) != NULL)
        n++;
    SEXP x = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        const char *name = spt_store_study(s, i);
        SET_STRING_ELT(x, (R_xlen_t)i, name != NULL ? Rf_mkCharCE(name, CE_UTF8) : NA_STRING);
    }
    UNPROTECT(1);
    return x;
}

SEXP R_store_export(SEXP store, SEXP study, SEXP format, SEXP path)
{
    const char *text = text_of(format, "format");
    const int32_t code = strcmp(text, "csv") == 0 ? SPT_EXPORT_CSV : SPT_EXPORT_JSON;
    check(spt_store_export(handle_get(store, K_STORE), text_or_null(study, "study"), code,
                           text_of(path, "path")));
    return R_NilValue;
}

SEXP R_store_import(SEXP store, SEXP path, SEXP space, SEXP study)
{
    spt_store *s = handle_get(store, K_STORE);
    if (space == R_NilValue)
        check(spt_store_import_json(s, text_of(path, "path"), text_or_null(study, "study")));
    else
        check(spt_store_import_csv(s, text_of(path, "path"), handle_get(space, K_SPACE),
                                   text_or_null(study, "study")));
    return R_NilValue;
}

SEXP R_store_copy(SEXP from, SEXP study, SEXP to, SEXP name)
{
    check(spt_store_copy(handle_get(from, K_STORE), text_or_null(study, "study"),
                         handle_get(to, K_STORE), text_or_null(name, "name")));
    return R_NilValue;
}

SEXP R_store_stamp(SEXP store, SEXP optuna)
{
    check(spt_store_stamp(handle_get(store, K_STORE), text_of(optuna, "optuna")));
    return R_NilValue;
}

SEXP R_store_block(SEXP store, SEXP study, SEXP trial, SEXP key)
{
    int64_t n = 0;
    spt_store *s = handle_get(store, K_STORE);
    const char *name = text_or_null(study, "study"), *k = text_of(key, "key");
    const int64_t t = whole_of(trial, "trial");
    int32_t status = spt_store_block(s, name, t, k, NULL, 0, &n);
    if (status < 0 && status != SPT_ECAPACITY) check(status);
    SEXP x = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)n));
    if (n > 0) check(spt_store_block(s, name, t, k, RAW(x), n, &n));
    UNPROTECT(1);
    return x;
}

/* ---- histories ---- */

SEXP R_history_read(SEXP store, SEXP study)
{
    spt_history *h = NULL;
    SEXP out = PROTECT(handle_new(K_HISTORY));
    int32_t status = spt_history_read(handle_get(store, K_STORE), text_or_null(study, "study"), &h);
    made(out, h, status);
    UNPROTECT(1);
    return out;
}

/* The values of one parameter in all trials, NA where it does not exist. */
static SEXP parameter_column(const spt_history *h, const spt_parameter_info *p, int64_t n)
{
    const SEXPTYPE type = p->type == SPT_PARAMETER_BOOL                                    ? LGLSXP
                          : p->type == SPT_PARAMETER_FLOAT || p->type == SPT_PARAMETER_INT ? REALSXP
                                                                                           : STRSXP;
    SEXP x = PROTECT(Rf_allocVector(type, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        const spt_config *c = spt_history_config(h, i);
        const int there = c != NULL && spt_config_exists(c, p->name) == 1;
        double v = NA_REAL;
        if (there) spt_config_number(c, p->name, &v);
        if (type == REALSXP)
            REAL(x)[i] = v;
        else if (type == LGLSXP)
            LOGICAL(x)[i] = there ? v != 0 : NA_LOGICAL;
        else
            SET_STRING_ELT(x, (R_xlen_t)i,
                           there ? Rf_mkCharCE(spt_config_choice(c, p->name), CE_UTF8) : NA_STRING);
    }
    UNPROTECT(1);
    return x;
}

static SEXP parameters_of(const spt_history *h, int64_t n)
{
    const spt_space *space = spt_history_space(h);
    const int np = (int)spt_space_count(space);
    SEXP params = PROTECT(Rf_allocVector(VECSXP, np)), names = PROTECT(Rf_allocVector(STRSXP, np));
    for (int k = 0; k < np; k++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        check_plain(spt_space_describe(space, k, &p));
        SET_STRING_ELT(names, k, Rf_mkCharCE(p.name, CE_UTF8));
        SET_VECTOR_ELT(params, k, parameter_column(h, &p, n));
    }
    Rf_setAttrib(params, R_NamesSymbol, names);
    UNPROTECT(2);
    return params;
}

/* Attributes as (trial index from 1, key, text), for R to spread. */
static SEXP attributes_of(const spt_history *h, int64_t n)
{
    static const char *const names[] = {"row", "key", "text", NULL};
    R_xlen_t total = 0, at = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; spt_history_attribute_key(h, i, k) != NULL; k++)
            total++;
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, Rf_allocVector(INTSXP, total));
    SET_VECTOR_ELT(list, 1, Rf_allocVector(STRSXP, total));
    SET_VECTOR_ELT(list, 2, Rf_allocVector(STRSXP, total));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; spt_history_attribute_key(h, i, k) != NULL; k++, at++) {
            const char *key = spt_history_attribute_key(h, i, k),
                       *text = spt_history_attribute(h, i, key);
            INTEGER(VECTOR_ELT(list, 0))[at] = (int)i + 1;
            SET_STRING_ELT(VECTOR_ELT(list, 1), at, Rf_mkCharCE(key, CE_UTF8));
            SET_STRING_ELT(VECTOR_ELT(list, 2), at,
                           text != NULL ? Rf_mkCharCE(text, CE_UTF8) : NA_STRING);
        }
    UNPROTECT(1);
    return list;
}

static SEXP steps_of(const spt_history *h, int64_t n)
{
    static const char *const names[] = {"trial", "step", "value", NULL};
    spt_trial_info info;
    int64_t total = 0, at = 0;
    spt_record_init(&info, sizeof info);
    for (int64_t i = 0; i < n; i++)
        if (spt_history_trial(h, i, &info) >= 0) total += info.n_steps;
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 3; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(REALSXP, (R_xlen_t)total));
    for (int64_t i = 0; i < n; i++) {
        if (spt_history_trial(h, i, &info) < 0) continue;
        int64_t *steps = (int64_t *)R_alloc((size_t)info.n_steps + 1, sizeof *steps);
        double *values = (double *)R_alloc((size_t)info.n_steps + 1, sizeof *values);
        check_plain(spt_history_steps(h, i, steps, values, info.n_steps));
        for (int64_t k = 0; k < info.n_steps; k++, at++) {
            REAL(VECTOR_ELT(list, 0))[at] = (double)info.number;
            REAL(VECTOR_ELT(list, 1))[at] = (double)steps[k];
            REAL(VECTOR_ELT(list, 2))[at] = values[k];
        }
    }
    UNPROTECT(1);
    return list;
}

static SEXP records_of(const spt_history *h)
{
    int64_t n = 0;
    while (spt_history_record_key(h, n) != NULL)
        n++;
    SEXP x = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n)),
         names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        const char *key = spt_history_record_key(h, i), *text = spt_history_record(h, key);
        SET_STRING_ELT(names, (R_xlen_t)i, Rf_mkCharCE(key, CE_UTF8));
        SET_STRING_ELT(x, (R_xlen_t)i, text != NULL ? Rf_mkCharCE(text, CE_UTF8) : NA_STRING);
    }
    Rf_setAttrib(x, R_NamesSymbol, names);
    UNPROTECT(2);
    return x;
}

/* Everything in a history, by value. Indices count from 1; 0 is none. */
SEXP R_history_all(SEXP history)
{
    static const char *const names[] = {
        "name",       "number",       "state",      "value", "started",   "ended",    "params",
        "attributes", "steps",        "records",    "best",  "confirmed", "finished", "repeated",
        "repeats_n",  "repeats_mean", "repeats_sd", "space", NULL};
    const spt_history *h = handle_get(history, K_HISTORY);
    const int64_t n = spt_history_count(h);
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, text_new(spt_history_name(h)));
    for (int k = 1; k < 6; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(k == 1 || k == 3 ? REALSXP : STRSXP, (R_xlen_t)n));
    for (int k = 14; k < 17; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(REALSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        spt_trial_info t;
        int64_t count = 0;
        double mean, sd;
        spt_record_init(&t, sizeof t);
        check_plain(spt_history_trial(h, i, &t));
        check_plain(spt_history_repeats(h, i, &count, &mean, &sd));
        REAL(VECTOR_ELT(list, 1))[i] = (double)t.number;
        SET_STRING_ELT(VECTOR_ELT(list, 2), (R_xlen_t)i, Rf_mkChar(spt_trial_state_name(t.state)));
        REAL(VECTOR_ELT(list, 3))[i] = ISNAN(t.value) ? NA_REAL : t.value;
        SET_STRING_ELT(VECTOR_ELT(list, 4), (R_xlen_t)i,
                       t.started[0] ? Rf_mkChar(t.started) : NA_STRING);
        SET_STRING_ELT(VECTOR_ELT(list, 5), (R_xlen_t)i,
                       t.ended[0] ? Rf_mkChar(t.ended) : NA_STRING);
        REAL(VECTOR_ELT(list, 14))[i] = (double)count;
        REAL(VECTOR_ELT(list, 15))[i] = count > 0 ? mean : NA_REAL;
        REAL(VECTOR_ELT(list, 16))[i] = count > 1 ? sd : NA_REAL;
    }
    SET_VECTOR_ELT(list, 6, parameters_of(h, n));
    SET_VECTOR_ELT(list, 7, attributes_of(h, n));
    SET_VECTOR_ELT(list, 8, steps_of(h, n));
    SET_VECTOR_ELT(list, 9, records_of(h));
    SET_VECTOR_ELT(list, 10, Rf_ScalarReal((double)spt_history_best(h) + 1));
    SET_VECTOR_ELT(list, 11, Rf_ScalarReal((double)spt_history_confirmed(h) + 1));
    SET_VECTOR_ELT(list, 12, Rf_ScalarReal((double)spt_history_finished(h)));
    SET_VECTOR_ELT(list, 13, Rf_ScalarReal((double)spt_history_repeated(h)));
    UNPROTECT(1);
    return list;
}

SEXP R_history_space(SEXP history)
{
    spt_space *s = NULL;
    SEXP out = PROTECT(handle_new(K_SPACE));
    int32_t status = spt_space_ref(spt_history_space(handle_get(history, K_HISTORY)), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

/* What is being waited for, as cmd_tune.c counts it: repetitions asked for and not done. */
SEXP R_history_outstanding(SEXP history)
{
    const spt_history *h = handle_get(history, K_HISTORY);
    int64_t n = spt_history_repeated(h);
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_trial_info info;
        const char *reason = spt_history_attribute(h, i, "reason");
        spt_record_init(&info, sizeof info);
        check_plain(spt_history_trial(h, i, &info));
        if (spt_history_attribute(h, i, "repeats") == NULL) continue;
        n -= info.state == SPT_TRIAL_COMPLETE ||
             (info.state == SPT_TRIAL_FAILED && reason != NULL && strcmp(reason, "stopped") != 0 &&
              strcmp(reason, "abandoned") != 0);
    }
    return Rf_ScalarReal((double)n);
}

SEXP R_history_config(SEXP history, SEXP index)
{
    return config_list(
        spt_history_config(handle_get(history, K_HISTORY), whole_of(index, "index") - 1));
}
