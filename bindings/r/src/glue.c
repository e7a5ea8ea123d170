/* Handles, errors, arguments, and calls that come back into R. See glue.h. */
#include "glue.h"

#include <R_ext/Utils.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- the session's context ---- */

enum { LOG_LINES = 16, LOG_BYTES = 600 };
static struct {
    spt_ctx *ctx;
    int n_lines;
    char lines[LOG_LINES][LOG_BYTES];
} state;

/* R may not be called here (a warning can jump): lines wait for check(). */
static void on_log(int32_t level, const char *text, void *user)
{
    (void)level;
    (void)user;
    if (state.n_lines < LOG_LINES) snprintf(state.lines[state.n_lines++], LOG_BYTES, "%s", text);
}

spt_ctx *session(void)
{
    if (state.ctx == NULL) {
        const int32_t status = spt_ctx_new(NULL, &state.ctx);
        if (status < 0) Rf_error("spectune: %s", spt_status_text(status));
        spt_ctx_set_log(state.ctx, SPT_LOG_WARNING, on_log, NULL, NULL);
    }
    return state.ctx;
}

static SEXP namespace(void)
{
    SEXP name = PROTECT(Rf_mkString("spectune"));
    SEXP env = R_FindNamespace(name);
    UNPROTECT(1);
    return env;
}

static void fail(int32_t status, const char *text)
{
    SEXP code = PROTECT(Rf_ScalarInteger(status));
    SEXP name = PROTECT(text_new(spt_status_name(status)));
    SEXP message = PROTECT(text_new(text));
    SEXP env = PROTECT(namespace());
    SEXP call = PROTECT(Rf_lang4(Rf_install("raise"), code, name, message));
    Rf_eval(call, env);
    UNPROTECT(5);
    Rf_error("spectune: status %d", (int)status); /* raise() does not return */
}

static void warnings_flush(void)
{
    const int n = state.n_lines;
    state.n_lines = 0;
    for (int i = 0; i < n; i++)
        Rf_warning("%s", state.lines[i]);
}

int32_t check(int32_t status)
{
    if (status < 0) {
        const char *text = spt_ctx_last_error(session());
        fail(status, text[0] != '\0' ? text : spt_status_text(status));
    }
    warnings_flush();
    return status;
}

int32_t check_plain(int32_t status)
{
    if (status < 0) fail(status, spt_status_text(status));
    return status;
}

/* ---- handles ---- */

#define FREES(name)                                \
    static void free_##name(void *p)               \
    {                                              \
        spt_##name##_free((struct spt_##name *)p); \
    }
FREES(options)
FREES(dataset)
FREES(prep)
FREES(scaler)
FREES(space)
FREES(config)
FREES(network)
FREES(trainer)
FREES(model)
FREES(predictor)
FREES(store)
FREES(history)
FREES(sampler)
FREES(study)
FREES(trial)
FREES(cv)
FREES(fanova)

static const struct {
    const char *name;
    void (*release)(void *);
} kinds[K_COUNT] = {
    [K_OPTIONS] = {"spt_options", free_options}, [K_DATASET] = {"spt_dataset", free_dataset},
    [K_PREP] = {"spt_prep", free_prep},          [K_SCALER] = {"spt_scaler", free_scaler},
    [K_SPACE] = {"spt_space", free_space},       [K_CONFIG] = {"spt_config", free_config},
    [K_NETWORK] = {"spt_network", free_network}, [K_TRAINER] = {"spt_trainer", free_trainer},
    [K_MODEL] = {"spt_model", free_model},       [K_PREDICTOR] = {"spt_predictor", free_predictor},
    [K_STORE] = {"spt_store", free_store},       [K_HISTORY] = {"spt_history", free_history},
    [K_SAMPLER] = {"spt_sampler", free_sampler}, [K_STUDY] = {"spt_study", free_study},
    [K_TRIAL] = {"spt_trial", free_trial},       [K_CV] = {"spt_cv", free_cv},
    [K_FANOVA] = {"spt_fanova", free_fanova},
};

static SEXP tag_of(kind k)
{
    return Rf_install(kinds[k].name);
}

void handle_drop(SEXP x)
{
    void *p = R_ExternalPtrAddr(x);
    if (p == NULL) return;
    R_ClearExternalPtr(x);
    for (int k = 0; k < K_COUNT; k++)
        if (R_ExternalPtrTag(x) == tag_of((kind)k)) kinds[k].release(p);
}

SEXP handle_new(kind k)
{
    SEXP x = PROTECT(R_MakeExternalPtr(NULL, tag_of(k), R_NilValue));
    R_RegisterCFinalizerEx(x, handle_drop, TRUE);
    UNPROTECT(1);
    return x;
}

SEXP handle_lent(kind k, void *p)
{
    return R_MakeExternalPtr(p, tag_of(k), R_NilValue);
}

void *handle_get(SEXP x, kind k)
{
    if (TYPEOF(x) != EXTPTRSXP || R_ExternalPtrTag(x) != tag_of(k))
        Rf_error("an object of class \"%s\" is wanted", kinds[k].name);
    if (R_ExternalPtrAddr(x) == NULL)
        Rf_error(
            "this %s is no longer there: it was closed, lent for the time of a call, or comes from "
            "a saved session (saveRDS() and save() keep spt_model, spt_space, spt_tune and "
            "results, "
            "not this); make it again",
            kinds[k].name);
    return R_ExternalPtrAddr(x);
}

void *handle_or_null(SEXP x, kind k)
{
    return x == R_NilValue ? NULL : handle_get(x, k);
}

/* R's collector runs by what R has allocated, and an external pointer is small whatever hangs on
 * it. So it is called when enough has been made outside. */
static void pressure(SEXP x, void *p)
{
    static double bytes;
    if (p == NULL) return;
    if (R_ExternalPtrTag(x) == tag_of(K_DATASET))
        bytes += (double)spt_dataset_rows(p) * (double)spt_dataset_bands(p) * 8;
    else if (R_ExternalPtrTag(x) == tag_of(K_STORE))
        bytes += 400e3; /* SQLite, with its page cache */
    else if (R_ExternalPtrTag(x) != tag_of(K_CONFIG) && R_ExternalPtrTag(x) != tag_of(K_OPTIONS))
        bytes += 40e3;
    if (bytes < 64e6) return;
    bytes = 0;
    R_gc();
}

SEXP made(SEXP x, void *p, int32_t status)
{
    R_SetExternalPtrAddr(x, p);
    check(status);
    pressure(x, p);
    return x;
}

/* ---- arguments and values ---- */

const char *text_of(SEXP x, const char *name)
{
    if (TYPEOF(x) != STRSXP || XLENGTH(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
        Rf_error("'%s' must be one text", name);
    return Rf_translateCharUTF8(STRING_ELT(x, 0));
}

const char *text_or_null(SEXP x, const char *name)
{
    return x == R_NilValue ? NULL : text_of(x, name);
}

double number_of(SEXP x, const char *name)
{
    if ((TYPEOF(x) != REALSXP && TYPEOF(x) != INTSXP && TYPEOF(x) != LGLSXP) || XLENGTH(x) != 1)
        Rf_error("'%s' must be one number", name);
    return Rf_asReal(x);
}

int64_t whole_of(SEXP x, const char *name)
{
    const double v = number_of(x, name);
    if (!(fabs(v) <= 9007199254740992.0) || v != floor(v))
        Rf_error("'%s' must be one whole number", name);
    return (int64_t)v;
}

int32_t small_of(SEXP x, const char *name)
{
    const int64_t v = whole_of(x, name);
    if (v < INT32_MIN || v > INT32_MAX) Rf_error("'%s' is out of range", name);
    return (int32_t)v;
}

uint64_t seed_of(SEXP x)
{
    const int64_t v = whole_of(x, "seed");
    if (v < 0) Rf_error("'seed' must be 0 or more");
    return (uint64_t)v;
}

const char **texts_of(SEXP x, const char *name)
{
    if (TYPEOF(x) != STRSXP) Rf_error("'%s' must be a character vector", name);
    const R_xlen_t n = XLENGTH(x);
    const char **texts = (const char **)R_alloc((size_t)n + 1, sizeof *texts);
    for (R_xlen_t i = 0; i < n; i++)
        texts[i] = STRING_ELT(x, i) == NA_STRING ? NULL : Rf_translateCharUTF8(STRING_ELT(x, i));
    return texts;
}

int64_t *rows_of(SEXP x)
{
    if (TYPEOF(x) != REALSXP) Rf_error("row numbers must be numbers");
    const R_xlen_t n = XLENGTH(x);
    int64_t *rows = (int64_t *)R_alloc((size_t)n + 1, sizeof *rows);
    for (R_xlen_t i = 0; i < n; i++) {
        if (!(REAL(x)[i] >= 1 && REAL(x)[i] <= 9007199254740992.0))
            Rf_error("row numbers count from 1");
        rows[i] = (int64_t)REAL(x)[i] - 1;
    }
    return rows;
}

SEXP text_new(const char *text)
{
    if (text == NULL) return Rf_ScalarString(NA_STRING);
    SEXP s = PROTECT(Rf_mkCharCE(text, CE_UTF8));
    SEXP x = Rf_ScalarString(s);
    UNPROTECT(1);
    return x;
}

SEXP number_new(double x)
{
    return Rf_ScalarReal(isnan(x) ? NA_REAL : x);
}

SEXP list_new(const char *const *names)
{
    R_xlen_t n = 0;
    while (names[n] != NULL)
        n++;
    SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
    SEXP labels = PROTECT(Rf_allocVector(STRSXP, n));
    for (R_xlen_t i = 0; i < n; i++)
        SET_STRING_ELT(labels, i, Rf_mkCharCE(names[i], CE_UTF8));
    Rf_setAttrib(list, R_NamesSymbol, labels);
    UNPROTECT(2);
    return list;
}

/* ---- calls that come back into R ---- */

/* While the library works, or waits for other workers, R does not look for interrupts. So the
 * signal asks the library to stop, and R's own handler notes it as always. While R code runs it is
 * R's affair alone. */
static struct {
    int depth;
    volatile sig_atomic_t inside, asked; /* R code is running; the library was asked to stop */
#ifndef _WIN32
    struct sigaction before;
#endif
} interrupts;

#ifndef _WIN32
static void on_signal(int number)
{
    if (!interrupts.inside) {
        interrupts.asked = 1;
        spt_ctx_stop(state.ctx);
    }
    interrupts.before.sa_handler(number);
}
#endif

static void interrupts_watch(host *h)
{
    h->inside = interrupts.inside;
    interrupts.inside = 0;
    if (interrupts.depth++ > 0) return;
    interrupts.asked = 0;
#ifndef _WIN32
    struct sigaction ours;
    sigaction(SIGINT, NULL, &interrupts.before);
    if ((interrupts.before.sa_flags & SA_SIGINFO) || interrupts.before.sa_handler == SIG_DFL ||
        interrupts.before.sa_handler == SIG_IGN)
        return;
    memset(&ours, 0, sizeof ours);
    ours.sa_handler = on_signal;
    ours.sa_flags = SA_RESTART;
    sigemptyset(&ours.sa_mask);
    sigaction(SIGINT, &ours, NULL);
#endif
}

/* Whether an interrupt is to go on now. */
static int interrupts_unwatch(host *h)
{
    interrupts.inside = h->inside;
    interrupts.depth--;
#ifndef _WIN32
    if (interrupts.depth == 0) sigaction(SIGINT, &interrupts.before, NULL);
#endif
    if (!interrupts.asked) return 0;
    interrupts.asked = 0;
    spt_ctx_clear_stop(state.ctx);
    return 1;
}

void host_begin(host *h, SEXP fn, SEXP events)
{
    session();
    h->fn = fn;
    h->events = events;
    h->jumped = 0;
    h->token = PROTECT(R_MakeUnwindCont());
    h->lent = PROTECT(Rf_allocVector(VECSXP, 1));
    interrupts_watch(h);
}

static void on_jump(void *where, Rboolean jump)
{
    if (jump) longjmp(*(jmp_buf *)where, 1);
}

int host_enter(host *h, SEXP (*body)(void *), void *data)
{
    jmp_buf where;
    if (h->jumped) return 0;
    if (setjmp(where)) {
        interrupts.inside = 0;
        h->jumped = 1;
        spt_ctx_stop(session()); /* until host_leave() */
        return 0;
    }
    interrupts.inside = 1;
    R_UnwindProtect(body, data, on_jump, &where, h->token);
    interrupts.inside = 0;
    SETCAR(h->token, R_NilValue); /* else it keeps the value alive */
    return 1;
}

void host_leave(host *h)
{
    SEXP token = h->token;
    const int interrupted = interrupts_unwatch(h);
    UNPROTECT(2);
    if (h->jumped) {
        spt_ctx_clear_stop(session());
        R_ContinueUnwind(token);
    }
    if (interrupted) R_CheckUserInterrupt();
}

int32_t host_answer(SEXP value)
{
    if (TYPEOF(value) == LGLSXP && XLENGTH(value) == 1 && LOGICAL(value)[0] == 0)
        return SPT_STOP_HOST;
    return SPT_OK;
}

struct epoch_call {
    host *h;
    const spt_epoch *epoch;
    int32_t answer;
};

static SEXP epoch_body(void *data)
{
    static const char *const names[] = {"epoch", "epochs",        "loss", "watched",
                                        "best",  "learning_rate", NULL};
    struct epoch_call *c = data;
    R_CheckUserInterrupt();
    if (c->h->fn == R_NilValue) return R_NilValue;
    SEXP e = PROTECT(list_new(names));
    SET_VECTOR_ELT(e, 0, number_new((double)c->epoch->epoch));
    SET_VECTOR_ELT(e, 1, number_new((double)c->epoch->epochs));
    SET_VECTOR_ELT(e, 2, number_new(c->epoch->loss));
    SET_VECTOR_ELT(e, 3, number_new(c->epoch->watched));
    SET_VECTOR_ELT(e, 4, number_new((double)c->epoch->best));
    SET_VECTOR_ELT(e, 5, number_new(c->epoch->learning_rate));
    SEXP call = PROTECT(Rf_lang2(c->h->fn, e));
    SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
    c->answer = host_answer(value);
    UNPROTECT(3);
    return R_NilValue;
}

int32_t host_epoch(const spt_epoch *epoch, void *user)
{
    struct epoch_call c = {.h = user, .epoch = epoch, .answer = SPT_OK};
    return host_enter(user, epoch_body, &c) ? c.answer : SPT_STOP_HOST;
}
