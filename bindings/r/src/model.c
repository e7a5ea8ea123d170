/* Models and prediction, statistics. */
#include "entries.h"
#include "glue.h"

#include <limits.h>
#include <string.h>

SEXP R_model_fit(SEXP dataset, SEXP prep, SEXP target, SEXP space, SEXP values, SEXP epochs,
                 SEXP settings, SEXP epoch)
{
    static const char *const names[] = {"model",   "epochs",  "best", "loss",
                                        "watched", "seconds", NULL};
    spt_model *m = NULL;
    spt_training_report report;
    host h;
    spt_record_init(&report, sizeof report);
    SEXP o = PROTECT(options_make(settings, spt_fit_options_new));
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    SEXP out = PROTECT(handle_new(K_MODEL));
    SEXP list = PROTECT(list_new(names));
    spt_dataset *d = handle_get(dataset, K_DATASET);
    spt_prep *p = handle_or_null(prep, K_PREP);
    const char *name = text_of(target, "target");
    const int64_t n = whole_of(epochs, "epochs");
    spt_options *how = options_get(o);
    spt_config *c = handle_get(config, K_CONFIG);
    host_begin(&h, epoch, R_NilValue);
    int32_t status = spt_model_fit(session(), d, p, name, c, n, how, host_epoch, &h, &report, &m);
    R_SetExternalPtrAddr(out, m);
    host_leave(&h);
    check(status);
    if (m == NULL) Rf_error("stopped before the first epoch had ended: there is no model");
    SET_VECTOR_ELT(list, 0, out);
    SET_VECTOR_ELT(list, 1, number_new((double)report.epochs));
    SET_VECTOR_ELT(list, 2, number_new((double)report.best));
    SET_VECTOR_ELT(list, 3, number_new(report.loss));
    SET_VECTOR_ELT(list, 4, number_new(report.watched));
    SET_VECTOR_ELT(list, 5, number_new(report.seconds));
    UNPROTECT(4);
    return list;
}

SEXP R_model_assemble(SEXP dataset, SEXP prep, SEXP mask, SEXP scaler, SEXP network, SEXP target,
                      SEXP mean, SEXP sd, SEXP log1p)
{
    spt_model *m = NULL;
    SEXP out = PROTECT(handle_new(K_MODEL));
    if (mean != R_NilValue &&
        (TYPEOF(mean) != REALSXP || TYPEOF(sd) != REALSXP || XLENGTH(mean) != XLENGTH(sd)))
        Rf_error("'target_mean' and 'target_sd' must be numbers, one per target");
    int32_t status = spt_model_assemble(
        session(), handle_get(dataset, K_DATASET), handle_or_null(prep, K_PREP),
        small_of(mask, "channels"), handle_or_null(scaler, K_SCALER),
        handle_get(network, K_NETWORK), text_of(target, "target"),
        mean == R_NilValue ? NULL : REAL(mean), mean == R_NilValue ? NULL : REAL(sd),
        Rf_asLogical(log1p) == 1 ? SPT_TRANSFORM_LOG1P : SPT_TRANSFORM_NONE, &m);
    made(out, m, status);
    UNPROTECT(1);
    return out;
}

SEXP R_model_ensemble(SEXP models)
{
    spt_model *m = NULL;
    const R_xlen_t n = XLENGTH(models);
    const spt_model **members = (const spt_model **)R_alloc((size_t)n + 1, sizeof *members);
    for (R_xlen_t i = 0; i < n; i++)
        members[i] = handle_get(VECTOR_ELT(models, i), K_MODEL);
    SEXP out = PROTECT(handle_new(K_MODEL));
    int32_t status = spt_model_ensemble(session(), members, n, &m);
    made(out, m, status);
    UNPROTECT(1);
    return out;
}

SEXP R_model_note(SEXP model, SEXP key, SEXP text)
{
    spt_model *m = NULL;
    SEXP out = PROTECT(handle_new(K_MODEL));
    int32_t status = spt_model_with_note(session(), handle_get(model, K_MODEL), text_of(key, "key"),
                                         text_of(text, "text"), &m);
    made(out, m, status);
    UNPROTECT(1);
    return out;
}

SEXP R_model_read(SEXP path)
{
    spt_model *m = NULL;
    SEXP out = PROTECT(handle_new(K_MODEL));
    int32_t status = spt_model_read(session(), text_of(path, "path"), &m);
    made(out, m, status);
    UNPROTECT(1);
    return out;
}

SEXP R_model_from_text(SEXP xml)
{
    spt_model *m = NULL;
    const char *text = text_of(xml, "xml");
    SEXP out = PROTECT(handle_new(K_MODEL));
    int32_t status =
        spt_model_read_memory(session(), text, (int64_t)strlen(text), "model of this object", &m);
    made(out, m, status);
    UNPROTECT(1);
    return out;
}

SEXP R_model_text(SEXP model)
{
    int64_t n = 0;
    const spt_model *m = handle_get(model, K_MODEL);
    spt_model_xml(session(), m, NULL, 0, &n);
    char *buffer = R_alloc((size_t)n + 1, 1);
    check(spt_model_xml(session(), m, buffer, n + 1, &n));
    return text_new(buffer);
}

SEXP R_model_write(SEXP model, SEXP path)
{
    check(spt_model_write(session(), handle_get(model, K_MODEL), text_of(path, "path")));
    return R_NilValue;
}

SEXP R_model_about(SEXP model)
{
    static const char *const names[] = {"target", "targets", "members", "axis",  "axis_unit",
                                        "unit",   "summary", "keys",    "notes", NULL};
    const spt_model *m = handle_get(model, K_MODEL);
    int64_t n = 0, size = 0;
    while (spt_model_note_key(m, n) != NULL)
        n++;
    spt_model_summary(m, NULL, 0, &size);
    char *buffer = R_alloc((size_t)size + 1, 1);
    check_plain(spt_model_summary(m, buffer, size + 1, &size));
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, text_new(spt_model_target(m)));
    SET_VECTOR_ELT(list, 1, Rf_ScalarReal((double)spt_model_targets(m)));
    SET_VECTOR_ELT(list, 2, Rf_ScalarReal((double)spt_model_members(m)));
    SEXP axis = Rf_allocVector(REALSXP, (R_xlen_t)spt_model_bands(m));
    SET_VECTOR_ELT(list, 3, axis);
    memcpy(REAL(axis), spt_model_axis(m), (size_t)spt_model_bands(m) * sizeof(double));
    SET_VECTOR_ELT(list, 4, text_new(spt_axis_unit_name(spt_model_axis_unit(m))));
    SET_VECTOR_ELT(list, 5, text_new(spt_unit_name(spt_model_unit(m))));
    SET_VECTOR_ELT(list, 6, text_new(buffer));
    SEXP keys = Rf_allocVector(STRSXP, (R_xlen_t)n);
    SET_VECTOR_ELT(list, 7, keys);
    SEXP notes = Rf_allocVector(STRSXP, (R_xlen_t)n);
    SET_VECTOR_ELT(list, 8, notes);
    for (int64_t i = 0; i < n; i++) {
        const char *key = spt_model_note_key(m, i), *note = spt_model_note(m, key);
        SET_STRING_ELT(keys, (R_xlen_t)i, Rf_mkCharCE(key, CE_UTF8));
        SET_STRING_ELT(notes, (R_xlen_t)i, note != NULL ? Rf_mkCharCE(note, CE_UTF8) : NA_STRING);
    }
    UNPROTECT(1);
    return list;
}

/* ---- prediction ---- */

/* Rows that cannot be predicted: the first reasons, for a warning. */
struct bad_rows {
    int64_t n;
    char first[400];
};

static int32_t on_bad_row(int64_t row, const char *reason, void *user)
{
    struct bad_rows *bad = user;
    if (bad->n++ == 0)
        snprintf(bad->first, sizeof bad->first, "row %lld: %s", (long long)row + 1, reason);
    return SPT_OK;
}

/* A matrix of values, ids of the samples, and what is to be warned of. */
SEXP R_model_predict(SEXP model, SEXP dataset, SEXP resample)
{
    static const char *const names[] = {"values", "bad", "reason", "samples", NULL};
    struct bad_rows bad = {0, ""};
    spt_predictor *p = NULL;
    spt_dataset *samples = NULL;
    int64_t needed = 0;
    spt_model *m = handle_get(model, K_MODEL);
    spt_dataset *d = handle_get(dataset, K_DATASET);
    const int32_t flags = Rf_asLogical(resample) == 1 ? SPT_PREDICT_RESAMPLE : SPT_PREDICT_EXACT;
    SEXP list = PROTECT(list_new(names));
    SEXP predictor = PROTECT(handle_new(K_PREDICTOR));
    int32_t status = spt_predictor_new(session(), m, &p);
    made(predictor, p, status);
    status = spt_predictor_dataset(p, d, flags, NULL, 0, &needed, NULL, NULL);
    if (status < 0 && status != SPT_ECAPACITY) Rf_error("%s", spt_predictor_last_error(p));
    const int64_t t = spt_model_targets(m), n = t > 0 ? needed / t : 0;
    if (n > INT_MAX) Rf_error("too many samples at once");
    double *values = (double *)R_alloc((size_t)needed + 1, sizeof *values);
    if (spt_predictor_dataset(p, d, flags, values, needed, &needed, on_bad_row, &bad) < 0)
        Rf_error("%s", spt_predictor_last_error(p));
    SEXP matrix = Rf_allocMatrix(REALSXP, (int)n, (int)t);
    SET_VECTOR_ELT(list, 0, matrix);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t; k++) {
            const double v = values[i * t + k];
            REAL(matrix)[i + k * n] = ISNAN(v) ? NA_REAL : v;
        }
    SET_VECTOR_ELT(list, 1, Rf_ScalarReal((double)bad.n));
    SET_VECTOR_ELT(list, 2, text_new(bad.first));
    SEXP whose = handle_new(K_DATASET);
    SET_VECTOR_ELT(list, 3, whose);
    if (spt_predictor_samples(p, d, &samples) < 0) Rf_error("%s", spt_predictor_last_error(p));
    R_SetExternalPtrAddr(whose, samples);
    handle_drop(predictor);
    UNPROTECT(2);
    return list;
}

SEXP R_statistics(SEXP reference, SEXP predicted)
{
    static const char *const names[] = {
        "n",      "rmse", "bias", "bias_limit", "sep", "slope", "intercept", "r2",
        "r2_cor", "rpd",  "rpiq", "rer",        "ccc", "mean",  "sd",        NULL};
    spt_statistics s;
    if (TYPEOF(reference) != REALSXP || TYPEOF(predicted) != REALSXP ||
        XLENGTH(reference) != XLENGTH(predicted))
        Rf_error("'reference' and 'predicted' must be numbers, as many of the one as of the other");
    spt_record_init(&s, sizeof s);
    check_plain(spt_statistics_compute(REAL(reference), REAL(predicted), XLENGTH(reference), &s));
    const double all[] = {(double)s.n, s.rmse,      s.bias, s.bias_limit, s.sep,
                          s.slope,     s.intercept, s.r2,   s.r2_cor,     s.rpd,
                          s.rpiq,      s.rer,       s.ccc,  s.mean,       s.sd};
    SEXP list = PROTECT(list_new(names));
    for (int i = 0; i < 15; i++)
        SET_VECTOR_ELT(list, i, number_new(all[i]));
    UNPROTECT(1);
    return list;
}
