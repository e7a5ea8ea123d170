/* Samplers by themselves, and samplers written in R. */
#include "entries.h"
#include "glue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

SEXP R_sampler_new(SEXP space, SEXP settings)
{
    spt_sampler *s = NULL;
    SEXP o = PROTECT(options_make(settings, spt_sampler_options_new));
    SEXP out = PROTECT(handle_new(K_SAMPLER));
    int32_t status = spt_sampler_new(session(), handle_get(space, K_SPACE), options_get(o), &s);
    made(out, s, status);
    UNPROTECT(2);
    return out;
}

SEXP R_sampler_given(SEXP space, SEXP configs)
{
    spt_sampler *s = NULL;
    const R_xlen_t n = XLENGTH(configs);
    const spt_config **all = (const spt_config **)R_alloc((size_t)n + 1, sizeof *all);
    SEXP keep = PROTECT(Rf_allocVector(VECSXP, n));
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP c = config_make(handle_get(space, K_SPACE), VECTOR_ELT(configs, i));
        SET_VECTOR_ELT(keep, i, c);
        all[i] = handle_get(c, K_CONFIG);
    }
    SEXP out = PROTECT(handle_new(K_SAMPLER));
    int32_t status = spt_sampler_new_given(session(), handle_get(space, K_SPACE), all, n, &s);
    made(out, s, status);
    UNPROTECT(2);
    return out;
}

/* ---- written in R ----
 *
 * The R function hangs on the external pointer, which a study that uses the sampler keeps too. The
 * library may call it from any ask; `current` is the host of the call that is under way. */

struct own {
    SEXP fn; /* kept by the pointer's protected slot */
};

static host *current;

struct propose_call {
    struct own *own;
    const spt_trials *trials;
    int64_t sequence;
    int32_t attempt, status;
    uint64_t seed;
    spt_config *config;
};

static SEXP seen(const spt_trials *trials)
{
    static const char *const names[] = {"state", "loss", "sequence", "params", NULL};
    const int64_t n = spt_trials_count(trials);
    SEXP list = PROTECT(list_new(names));
    SET_VECTOR_ELT(list, 0, Rf_allocVector(STRSXP, (R_xlen_t)n));
    SET_VECTOR_ELT(list, 1, Rf_allocVector(REALSXP, (R_xlen_t)n));
    SET_VECTOR_ELT(list, 2, Rf_allocVector(REALSXP, (R_xlen_t)n));
    SET_VECTOR_ELT(list, 3, Rf_allocVector(VECSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        int32_t state = 0;
        double loss = NAN;
        int64_t sequence = 0;
        spt_config *c = NULL;
        check_plain(spt_trials_trial(trials, i, &state, &loss, &sequence));
        SET_STRING_ELT(VECTOR_ELT(list, 0), (R_xlen_t)i, Rf_mkChar(spt_trial_state_name(state)));
        REAL(VECTOR_ELT(list, 1))[i] = loss;
        REAL(VECTOR_ELT(list, 2))[i] = (double)sequence;
        SEXP x = PROTECT(handle_new(K_CONFIG));
        int32_t status = spt_trials_config(trials, i, &c);
        R_SetExternalPtrAddr(x, c);
        check_plain(status);
        SET_VECTOR_ELT(VECTOR_ELT(list, 3), (R_xlen_t)i, config_list(c));
        handle_drop(x);
        UNPROTECT(1);
    }
    UNPROTECT(1);
    return list;
}

static SEXP propose_body(void *data)
{
    struct propose_call *c = data;
    SEXP trials = PROTECT(seen(c->trials));
    SEXP sequence = PROTECT(Rf_ScalarReal((double)c->sequence));
    SEXP attempt = PROTECT(Rf_ScalarInteger(c->attempt)),
         seed = PROTECT(Rf_ScalarReal((double)c->seed));
    SEXP call = PROTECT(Rf_lang5(c->own->fn, trials, sequence, attempt, seed));
    SEXP values = PROTECT(Rf_eval(call, R_GlobalEnv));
    if (values == R_NilValue) {
        c->status = SPT_STOP_EXHAUSTED;
    } else {
        config_fill(c->config, values);
        c->status = SPT_OK;
    }
    UNPROTECT(6);
    return R_NilValue;
}

static int32_t on_propose(const spt_trials *trials, int64_t sequence, int32_t attempt,
                          uint64_t seed, spt_config *config, void *user)
{
    struct propose_call c = {user, trials, sequence, attempt, SPT_ECALLBACK, seed, config};
    if (current == NULL) return SPT_ECALLBACK;
    return host_enter(current, propose_body, &c) ? c.status : SPT_ECALLBACK;
}

static void own_free(void *user)
{
    free(user);
}

SEXP R_sampler_host(SEXP space, SEXP fn, SEXP seed)
{
    spt_sampler *s = NULL;
    SEXP o = PROTECT(options_make(seed, spt_sampler_options_new));
    SEXP out = PROTECT(handle_new(K_SAMPLER));
    spt_space *where = handle_get(space, K_SPACE);
    spt_options *how = options_get(o);
    struct own *own = malloc(sizeof *own);
    if (own == NULL) Rf_error("memory ran out");
    own->fn = fn;
    R_SetExternalPtrProtected(out, fn);
    int32_t status = spt_sampler_new_host(session(), where, how, on_propose, own, own_free, &s);
    made(out, s, status);
    UNPROTECT(2);
    return out;
}

host *host_current(host *h)
{
    host *before = current;
    current = h;
    return before;
}

SEXP R_sampler_propose(SEXP sampler, SEXP sequence)
{
    host h;
    spt_config *c = NULL;
    spt_sampler *s = handle_get(sampler, K_SAMPLER);
    const int64_t n = whole_of(sequence, "sequence");
    SEXP x = PROTECT(handle_new(K_CONFIG));
    host_begin(&h, R_NilValue, R_NilValue);
    host *before = host_current(&h);
    int32_t status = spt_sampler_propose(s, n, &c);
    R_SetExternalPtrAddr(x, c);
    host_current(before);
    host_leave(&h);
    check(status);
    SEXP list = status == SPT_STOP_EXHAUSTED ? R_NilValue : config_list(c);
    UNPROTECT(1);
    return list;
}

SEXP R_sampler_tell(SEXP sampler, SEXP space, SEXP sequence, SEXP values, SEXP state, SEXP loss,
                    SEXP steps)
{
    static const char *const states[] = {"running", "complete", "pruned", "failed"};
    const char *text = text_of(state, "state");
    int32_t code = -1;
    for (int32_t i = 0; i < 4; i++)
        if (strcmp(text, states[i]) == 0) code = i;
    if (code < 0) Rf_error("'state' must be \"running\", \"complete\", \"pruned\" or \"failed\"");
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    check(spt_sampler_tell(handle_get(sampler, K_SAMPLER), whole_of(sequence, "sequence"),
                           handle_get(config, K_CONFIG), code, number_of(loss, "loss"),
                           whole_of(steps, "steps")));
    UNPROTECT(1);
    return R_NilValue;
}

SEXP R_sampler_densities(SEXP sampler, SEXP space, SEXP values)
{
    double good = NAN, bad = NAN;
    MUST_BE_THERE(spt_sampler_densities);
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    check(spt_sampler_densities(handle_get(sampler, K_SAMPLER), handle_get(config, K_CONFIG), &good,
                                &bad));
    SEXP x = Rf_allocVector(REALSXP, 2);
    REAL(x)[0] = good;
    REAL(x)[1] = bad;
    UNPROTECT(1);
    return x;
}
