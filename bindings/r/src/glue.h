/* What every file of the glue stands on: handles, errors, and calls that come back into R.
 *
 * Everything that the library owns hangs on an external pointer from the moment it exists,
 * temporary things too. So an R error may jump out of any function here and nothing leaks: the
 * collector releases what was left. The one exception is R code that runs below a call into the
 * library (objectives, events): a jump out of that is held back until the library has returned, see
 * host_enter() and host_leave(). */
#ifndef SPECTUNE_R_GLUE_H
#define SPECTUNE_R_GLUE_H

#ifndef R_NO_REMAP
#define R_NO_REMAP
#endif
#ifndef STRICT_R_HEADERS
#define STRICT_R_HEADERS
#endif
#include <R.h>
#include <Rinternals.h>
#include <setjmp.h>
#include <spectune.h>
#include <spectune/experimental.h>

/* What is not settled may be missing in a library that is installed; the package is to load all the
 * same. */
#define MAY_BE_MISSING(name) extern __typeof__(name) name __attribute__((weak))
#define MUST_BE_THERE(name) \
    if (name == NULL)       \
    Rf_error("the library that is installed (%s) has no " #name "()", spt_version())
MAY_BE_MISSING(spt_sampler_densities);
MAY_BE_MISSING(spt_study_replay);
MAY_BE_MISSING(spt_fanova_trials_needed);
MAY_BE_MISSING(spt_ped_options_new);
MAY_BE_MISSING(spt_ped_importance);

typedef enum kind {
    K_OPTIONS,
    K_DATASET,
    K_PREP,
    K_SCALER,
    K_SPACE,
    K_CONFIG,
    K_NETWORK,
    K_TRAINER,
    K_MODEL,
    K_PREDICTOR,
    K_STORE,
    K_HISTORY,
    K_SAMPLER,
    K_STUDY,
    K_TRIAL,
    K_CV,
    K_FANOVA,
    K_COUNT
} kind;

/* The context of the session; made when it is first asked for. */
spt_ctx *session(void);

/* An external pointer without an address, which has its finaliser already. */
SEXP handle_new(kind k);
/* The same for what somebody else owns and will take back with R_ClearExternalPtr(). */
SEXP handle_lent(kind k, void *p);
/* The address behind `x`; an R error if it is of another kind, or from a saved session. */
void *handle_get(SEXP x, kind k);
void *handle_or_null(SEXP x, kind k);
/* Release now what `x` holds, if the collector is not to be waited for. */
void handle_drop(SEXP x);

/* Go on unless `status` is a failure, which becomes an R condition of its own class. Warnings that
 * the library has logged meanwhile become R warnings. Returns the status. */
int32_t check(int32_t status);
/* The same for calls that leave no text on the context. */
int32_t check_plain(int32_t status);
/* Set the address of `x`, then check(). */
SEXP made(SEXP x, void *p, int32_t status);

/* Arguments. An R error names the argument that is wrong. */
const char *text_of(SEXP x, const char *name);
const char *text_or_null(SEXP x, const char *name);
int64_t whole_of(SEXP x, const char *name);
int32_t small_of(SEXP x, const char *name); /* whole, of 32 bits */
uint64_t seed_of(SEXP x);
double number_of(SEXP x, const char *name);
const char **texts_of(SEXP x, const char *name); /* NA is NULL; memory of R_alloc */
int64_t *rows_of(SEXP x);                        /* from 1 in R, from 0 here; R_alloc */

/* Values. */
SEXP text_new(const char *text); /* UTF-8; NULL is NA */
SEXP number_new(double x);
/* A named list whose elements are set with put(); names is a list that ends with NULL. */
SEXP list_new(const char *const *names);

/* Options from a named list; NULL gives NULL. */
SEXP options_make(SEXP values, int32_t (*make)(spt_ctx *, spt_options **));
spt_options *options_get(SEXP x);

/* Configurations cross as named lists. */
SEXP config_list(const spt_config *config);
void config_fill(spt_config *config, SEXP values);
SEXP config_make(const spt_space *space, SEXP values);
SEXP prep_make(SEXP steps, SEXP channel_options);

/* A call that runs R code below the library. */
typedef struct host {
    SEXP token;  /* for R_UnwindProtect() */
    SEXP lent;   /* list of one: the handle that the R function has at present */
    SEXP fn;     /* objective, check, event or epoch function; NULL in R for none */
    SEXP events; /* of a run */
    int jumped;
    int inside; /* what it was in the call around this one */
} host;

/* Protects two things. */
void host_begin(host *h, SEXP fn, SEXP events);
/* Run body(data), which may call R. 0 when it jumped; nothing is run after that. */
int host_enter(host *h, SEXP (*body)(void *), void *data);
/* When the library has returned: unprotects, and goes on with the jump that was held back, or with
 * the interrupt that came while no R code was running. */
void host_leave(host *h);
/* Epoch function of everything that trains: lets users interrupt, calls h->fn. */
int32_t host_epoch(const spt_epoch *epoch, void *user);
/* What an R callback returned: FALSE stops. */
int32_t host_answer(SEXP value);

#endif
