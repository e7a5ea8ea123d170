/* Studies: the run loop with objectives and events in R, ask and tell, queues. */
#include "entries.h"
#include "glue.h"

#include <math.h>
#include <string.h>

host *host_current(host *h);

SEXP R_study_open(SEXP store, SEXP name, SEXP space, SEXP sampler)
{
    spt_study *s = NULL;
    SEXP o = PROTECT(options_make(sampler, spt_sampler_options_new));
    SEXP out = PROTECT(handle_new(K_STUDY));
    int32_t status = spt_study_open(handle_get(store, K_STORE), text_or_null(name, "name"),
                                    handle_or_null(space, K_SPACE), options_get(o), &s);
    made(out, s, status);
    UNPROTECT(2);
    return out;
}

SEXP R_study_set(SEXP study, SEXP rules)
{
    SEXP o = PROTECT(options_make(rules, spt_study_options_new));
    check(spt_study_set_options(handle_get(study, K_STUDY), options_get(o)));
    UNPROTECT(1);
    return R_NilValue;
}

SEXP R_study_set_cv(SEXP study, SEXP cv)
{
    check(spt_study_set_cv(handle_get(study, K_STUDY), handle_get(cv, K_CV)));
    return R_NilValue;
}

SEXP R_study_set_sampler(SEXP study, SEXP sampler)
{
    check(spt_study_set_sampler(handle_get(study, K_STUDY), handle_get(sampler, K_SAMPLER)));
    return R_NilValue;
}

SEXP R_study_pin(SEXP study, SEXP key, SEXP text)
{
    check(spt_study_pin(handle_get(study, K_STUDY), text_of(key, "key"), text_of(text, "text")));
    return R_NilValue;
}

SEXP R_study_history(SEXP study)
{
    spt_history *h = NULL;
    SEXP out = PROTECT(handle_new(K_HISTORY));
    int32_t status = spt_study_history(handle_get(study, K_STUDY), &h);
    made(out, h, status);
    UNPROTECT(1);
    return out;
}

SEXP R_study_enqueue(SEXP study, SEXP space, SEXP values, SEXP partly)
{
    int64_t number = -1;
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    const char **names = NULL;
    int32_t n = 0;
    if (Rf_asLogical(partly) == 1) {
        names = texts_of(Rf_getAttrib(values, R_NamesSymbol), "names");
        n = (int32_t)XLENGTH(values);
    }
    check(spt_study_enqueue(handle_get(study, K_STUDY), handle_get(config, K_CONFIG), names, n,
                            &number));
    UNPROTECT(1);
    return number_new((double)number);
}

SEXP R_study_warm_start(SEXP study, SEXP from, SEXP k)
{
    int64_t n = 0;
    check(spt_study_warm_start(handle_get(study, K_STUDY), handle_get(from, K_HISTORY),
                               whole_of(k, "k"), &n));
    return number_new((double)n);
}

SEXP R_study_confirm(SEXP study, SEXP k, SEXP repeats)
{
    int64_t n = 0;
    check(spt_study_confirm(handle_get(study, K_STUDY), whole_of(k, "k"),
                            whole_of(repeats, "repeats"), &n));
    return number_new((double)n);
}

/* ---- trials ---- */

SEXP R_trial_about(SEXP trial)
{
    static const char *const names[] = {"number", "params", NULL};
    const spt_trial *t = handle_get(trial, K_TRIAL);
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, number_new((double)spt_trial_number(t)));
    SET_VECTOR_ELT(list, 1, config_list(spt_trial_config(t)));
    UNPROTECT(1);
    return list;
}

SEXP R_trial_report(SEXP trial, SEXP step, SEXP value)
{
    return Rf_ScalarInteger(check(spt_trial_report(
        handle_get(trial, K_TRIAL), whole_of(step, "step"), number_of(value, "value"))));
}

SEXP R_trial_heartbeat(SEXP trial)
{
    return Rf_ScalarInteger(check(spt_trial_heartbeat(handle_get(trial, K_TRIAL))));
}

SEXP R_trial_should_prune(SEXP trial)
{
    return Rf_ScalarLogical(check(spt_trial_should_prune(handle_get(trial, K_TRIAL))) ==
                            SPT_PRUNED);
}

SEXP R_trial_attach(SEXP trial, SEXP key, SEXP value)
{
    spt_trial *t = handle_get(trial, K_TRIAL);
    const char *k = text_of(key, "key");
    if (TYPEOF(value) == STRSXP)
        check(spt_trial_set_text(t, k, text_of(value, k)));
    else if (TYPEOF(value) == RAWSXP)
        check(spt_trial_set_block(t, k, RAW(value), XLENGTH(value)));
    else
        check(spt_trial_set_number(t, k, number_of(value, k)));
    /* on_objective() looks whether a failure has its reason */
    if (strcmp(k, "reason") == 0) R_SetExternalPtrProtected(trial, value);
    return R_NilValue;
}

SEXP R_trial_tell(SEXP trial, SEXP state, SEXP value)
{
    const char *text = text_of(state, "state");
    const int32_t code = strcmp(text, "complete") == 0 ? SPT_TRIAL_COMPLETE
                         : strcmp(text, "pruned") == 0 ? SPT_TRIAL_PRUNED
                         : strcmp(text, "failed") == 0 ? SPT_TRIAL_FAILED
                                                       : -1;
    if (code < 0) Rf_error("'state' must be \"complete\", \"pruned\" or \"failed\"");
    check(spt_trial_tell(handle_get(trial, K_TRIAL), code, number_of(value, "value")));
    return R_NilValue;
}

/* ---- callbacks ---- */

struct objective_call {
    host *h;
    spt_trial *trial;
    int32_t status;
    double loss;
};

/* The R function is run_objective() of study.R: it returns c(status, loss). */
static SEXP objective_body(void *data)
{
    struct objective_call *c = data;
    R_CheckUserInterrupt();
    SEXP trial = handle_lent(K_TRIAL, c->trial);
    SET_VECTOR_ELT(c->h->lent, 0, trial);
    SEXP call = PROTECT(Rf_lang2(c->h->fn, trial));
    SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
    if (TYPEOF(value) != REALSXP || XLENGTH(value) != 2) Rf_error("the objective gave no number");
    c->status = (int32_t)REAL(value)[0];
    c->loss = REAL(value)[1];
    UNPROTECT(2);
    return R_NilValue;
}

static int32_t on_objective(spt_trial *trial, double *loss, void *user)
{
    struct objective_call c = {.h = user, .trial = trial, .status = SPT_ECALLBACK, .loss = NAN};
    const int done = host_enter(user, objective_body, &c);
    SEXP lent = VECTOR_ELT(c.h->lent, 0);
    if (lent != R_NilValue) R_ClearExternalPtr(lent);
    /* An error left its words as the reason, and the trial counts as failed. An interrupt, or
     * another jump, says nothing about the configuration. */
    if (!done)
        return lent != R_NilValue && R_ExternalPtrProtected(lent) != R_NilValue ? SPT_ECALLBACK
                                                                                : SPT_STOP_HOST;
    *loss = c.loss;
    return c.status;
}

struct event_call {
    host *h;
    const spt_event *event;
    int32_t answer;
};

static SEXP event_body(void *data)
{
    static const char *const names[] = {"kind",   "trial", "fold",       "folds", "epoch",
                                        "epochs", "loss",  "watched",    "state", "params",
                                        "reason", "best",  "best_trial", NULL};
    static const char *const kinds[] = {"", "trial_start", "epoch", "fold_end", "trial_end"};
    struct event_call *c = data;
    const spt_event *e = c->event;
    R_CheckUserInterrupt();
    if (c->h->events == R_NilValue) return R_NilValue;
    const int known = e->kind >= SPT_EVENT_TRIAL_START && e->kind <= SPT_EVENT_TRIAL_END;
    const int fold = e->kind == SPT_EVENT_EPOCH || e->kind == SPT_EVENT_FOLD_END;
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, text_new(known ? kinds[e->kind] : "other"));
    SET_VECTOR_ELT(list, 1, number_new((double)e->trial));
    SET_VECTOR_ELT(list, 2, number_new(fold ? e->fold + 1 : NA_REAL));
    SET_VECTOR_ELT(list, 3, number_new(e->folds));
    SET_VECTOR_ELT(list, 4, number_new((double)e->epoch));
    SET_VECTOR_ELT(list, 5, number_new((double)e->epochs));
    SET_VECTOR_ELT(list, 6, number_new(e->loss));
    SET_VECTOR_ELT(list, 7, number_new(e->watched));
    SET_VECTOR_ELT(
        list, 8, text_new(e->kind == SPT_EVENT_TRIAL_END ? spt_trial_state_name(e->state) : NULL));
    SET_VECTOR_ELT(list, 9, fold ? R_NilValue : config_list(e->config));
    SET_VECTOR_ELT(list, 10, text_new(e->reason));
    SET_VECTOR_ELT(list, 11, number_new(e->best));
    SET_VECTOR_ELT(list, 12, number_new(e->best_trial >= 0 ? (double)e->best_trial : NA_REAL));
    SEXP call = PROTECT(Rf_lang2(c->h->events, list));
    SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
    c->answer = host_answer(value);
    if (fold && TYPEOF(value) == STRSXP && XLENGTH(value) == 1 &&
        strcmp(CHAR(STRING_ELT(value, 0)), "prune") == 0)
        c->answer = SPT_PRUNED;
    UNPROTECT(3);
    return R_NilValue;
}

static int32_t on_event(const spt_event *event, void *user)
{
    struct event_call c = {.h = user, .event = event, .answer = SPT_OK};
    return host_enter(user, event_body, &c) ? c.answer : SPT_STOP_HOST;
}

/* The objective is the study's own (a cross-validation) when the R function is NULL. Callbacks are
 * taken away again before anything may jump: they point to what stands on the stack here. */
SEXP R_study_run(SEXP study, SEXP trials, SEXP seconds, SEXP objective, SEXP events)
{
    host h;
    spt_study *s = handle_get(study, K_STUDY);
    const int64_t n = whole_of(trials, "trials");
    const double limit = number_of(seconds, "seconds");
    host_begin(&h, objective, events);
    host *before = host_current(&h);
    int32_t status = spt_study_set_events(s, on_event, &h, NULL);
    if (status >= 0 && objective != R_NilValue)
        status = spt_study_set_objective(s, on_objective, &h, NULL);
    if (status >= 0) {
        status = spt_study_run(s, n, limit);
        if (objective != R_NilValue) spt_study_set_objective(s, NULL, NULL, NULL);
        spt_study_set_events(s, NULL, NULL, NULL);
    }
    host_current(before);
    host_leave(&h);
    return text_new(spt_status_name(check(status)));
}

/* ---- ask, replay, checks ---- */

struct check_call {
    host *h;
    const spt_config *config;
    int32_t answer;
};

static SEXP check_body(void *data)
{
    struct check_call *c = data;
    SEXP values = PROTECT(config_list(c->config));
    SEXP call = PROTECT(Rf_lang2(c->h->fn, values));
    SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
    c->answer = host_answer(value) == SPT_OK ? SPT_OK : SPT_EINVAL;
    UNPROTECT(3);
    return R_NilValue;
}

static int32_t on_check(const spt_config *config, void *user)
{
    struct check_call c = {.h = user, .config = config, .answer = SPT_ECALLBACK};
    return host_enter(user, check_body, &c) ? c.answer : SPT_ECALLBACK;
}

/* A list of n trials. */
SEXP R_study_ask(SEXP study, SEXP n, SEXP check_fn)
{
    host h;
    spt_study *s = handle_get(study, K_STUDY);
    const int64_t wanted = whole_of(n, "n");
    if (wanted < 1 || wanted > 100000) Rf_error("'n' must be 1 to 100000");
    SEXP list = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)wanted));
    for (int64_t i = 0; i < wanted; i++) {
        SET_VECTOR_ELT(list, (R_xlen_t)i, handle_new(K_TRIAL));
    }
    spt_trial **trials = (spt_trial **)R_alloc((size_t)wanted, sizeof(spt_trial *));
    int64_t got = 0;
    host_begin(&h, check_fn, R_NilValue);
    host *before = host_current(&h);
    int32_t status = SPT_OK;
    if (check_fn != R_NilValue) status = spt_study_set_check(s, on_check, &h, NULL);
    if (status >= 0) status = spt_study_ask_many(s, wanted, trials, &got);
    for (int64_t i = 0; i < got; i++)
        R_SetExternalPtrAddr(VECTOR_ELT(list, (R_xlen_t)i), trials[i]);
    if (check_fn != R_NilValue) spt_study_set_check(s, NULL, NULL, NULL);
    host_current(before);
    host_leave(&h);
    check(status);
    if (got < wanted) list = Rf_lengthgets(list, (R_xlen_t)got);
    UNPROTECT(1);
    return list;
}

SEXP R_study_ask_given(SEXP study, SEXP space, SEXP values)
{
    spt_trial *t = NULL;
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    SEXP out = PROTECT(handle_new(K_TRIAL));
    int32_t status =
        spt_study_ask_given(handle_get(study, K_STUDY), handle_get(config, K_CONFIG), &t);
    made(out, t, status);
    UNPROTECT(2);
    return out;
}

SEXP R_study_replay(SEXP study, SEXP number)
{
    spt_config *c = NULL;
    MUST_BE_THERE(spt_study_replay);
    SEXP x = PROTECT(handle_new(K_CONFIG));
    int32_t status = spt_study_replay(handle_get(study, K_STUDY), whole_of(number, "number"), &c);
    made(x, c, status);
    SEXP list = config_list(c);
    UNPROTECT(1);
    return list;
}
