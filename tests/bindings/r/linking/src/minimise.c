/* An objective in C, tuned by the library that the package spectune has. */
#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>
#include <spectune_r.h>

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    double x = 0;
    (void)user;
    int32_t status = spt_config_number(spt_trial_config(trial), "x", &x);
    *loss = (x - 1) * (x - 1) + 3;
    return status;
}

/* Owns everything until the end: nothing here calls R, so nothing jumps. */
static int32_t search(spt_ctx *ctx, int64_t trials, double seed, double *lowest)
{
    spt_space *space = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *sampler = NULL;
    spt_history *history = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    int32_t status = spt_space_new(ctx, "line", &space);
    if (status >= 0) status = spt_space_add_float(space, "x", -5, 5, 0, 0, 4);
    if (status >= 0) status = spt_sampler_options_new(ctx, &sampler);
    if (status >= 0) status = spt_options_set_number(sampler, "seed", seed);
    if (status >= 0) status = spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store);
    if (status >= 0) status = spt_study_open(store, "linking", space, sampler, &study);
    if (status >= 0) status = spt_study_set_objective(study, objective, NULL, NULL);
    if (status >= 0) status = spt_study_run(study, trials, 0);
    if (status >= 0) status = spt_study_history(study, &history);
    if (status >= 0) status = spt_history_trial(history, spt_history_best(history), &info);
    *lowest = info.value;
    spt_history_free(history);
    spt_study_free(study);
    spt_store_free(store);
    spt_options_free(sampler);
    spt_space_free(space);
    return status;
}

static SEXP C_minimise(SEXP trials, SEXP seed)
{
    spt_ctx *ctx = NULL;
    double lowest = NA_REAL;
    char text[500];
    if (spt_ctx_new(NULL, &ctx) < 0) Rf_error("no context");
    int32_t status = search(ctx, Rf_asInteger(trials), Rf_asReal(seed), &lowest);
    snprintf(text, sizeof text, "%s", spt_ctx_last_error(ctx));
    spt_ctx_free(ctx);
    if (status < 0) Rf_error("%s", text);
    return Rf_ScalarReal(lowest);
}

static const R_CallMethodDef entries[] = {{"minimise", (DL_FUNC)&C_minimise, 2}, {NULL, NULL, 0}};

void R_init_linking(DllInfo *dll)
{
    R_registerRoutines(dll, NULL, entries, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
}
