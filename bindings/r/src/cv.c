/* Cross-validation of a 1D-CNN as the objective of a study, and the model of a trial. */
#include "entries.h"
#include "glue.h"

/* `folds`: one number per row from 1, NA (here -1) for a row that is never used; or NULL. */
SEXP R_cv_new(SEXP dataset, SEXP prep, SEXP target, SEXP folds, SEXP settings)
{
    spt_cv *cv = NULL;
    SEXP o = PROTECT(options_make(settings, spt_cv_options_new));
    SEXP out = PROTECT(handle_new(K_CV));
    spt_dataset *d = handle_get(dataset, K_DATASET);
    spt_prep *p = handle_or_null(prep, K_PREP);
    const char *name = text_of(target, "target");
    int32_t status;
    if (folds == R_NilValue) {
        status = spt_cv_new(session(), d, p, name, options_get(o), &cv);
    } else {
        if (TYPEOF(folds) != INTSXP) Rf_error("'folds' must be whole numbers");
        const R_xlen_t n = XLENGTH(folds);
        int32_t *fold = (int32_t *)R_alloc((size_t)n + 1, sizeof *fold);
        for (R_xlen_t i = 0; i < n; i++)
            fold[i] = INTEGER(folds)[i] == NA_INTEGER ? -1 : INTEGER(folds)[i] - 1;
        status = spt_cv_new_folds(session(), d, p, name, fold, n, options_get(o), &cv);
    }
    made(out, cv, status);
    UNPROTECT(2);
    return out;
}

SEXP R_cv_about(SEXP cv)
{
    static const char *const names[] = {"rows", "folds", "dropped", NULL};
    const spt_cv *c = handle_get(cv, K_CV);
    int64_t n = 0, lines = 0;
    spt_cv_rows(c, NULL, NULL, 0, &n);
    int64_t *rows = (int64_t *)R_alloc((size_t)n + 1, sizeof *rows);
    int32_t *folds = (int32_t *)R_alloc((size_t)n + 1, sizeof *folds);
    check_plain(spt_cv_rows(c, rows, folds, n, &n));
    while (spt_cv_dropped(c, lines) != NULL)
        lines++;
    SEXP list = PROTECT(list_new(names));
    for (int k = 0; k < 2; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector(INTSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        INTEGER(VECTOR_ELT(list, 0))[i] = (int)rows[i] + 1;
        INTEGER(VECTOR_ELT(list, 1))[i] = folds[i] + 1;
    }
    SEXP dropped = Rf_allocVector(STRSXP, (R_xlen_t)lines);
    SET_VECTOR_ELT(list, 2, dropped);
    for (int64_t i = 0; i < lines; i++)
        SET_STRING_ELT(dropped, (R_xlen_t)i, Rf_mkCharCE(spt_cv_dropped(c, i), CE_UTF8));
    UNPROTECT(1);
    return list;
}

SEXP R_cv_check_space(SEXP cv, SEXP space)
{
    check(spt_cv_check_space(handle_get(cv, K_CV), handle_get(space, K_SPACE)));
    return R_NilValue;
}

SEXP R_cv_model(SEXP cv, SEXP history, SEXP index, SEXP ensemble, SEXP epoch)
{
    host h;
    spt_model *m = NULL;
    SEXP out = PROTECT(handle_new(K_MODEL));
    spt_cv *c = handle_get(cv, K_CV);
    spt_history *from = handle_get(history, K_HISTORY);
    const int64_t i = whole_of(index, "index") - 1;
    const int32_t of_folds = Rf_asLogical(ensemble) == 1;
    host_begin(&h, epoch, R_NilValue);
    int32_t status = spt_cv_model(c, from, i, of_folds, host_epoch, &h, &m);
    R_SetExternalPtrAddr(out, m);
    host_leave(&h);
    check(status);
    if (m == NULL) Rf_error("stopped before the first epoch had ended: there is no model");
    UNPROTECT(1);
    return out;
}
