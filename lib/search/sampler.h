/* Samplers: where configurations come from. A sampler is a table of functions, one file each, and
 * sees nothing but a plain view of the trials, so it can be tested without study and store.
 *
 * Contract. What a sampler proposes is a function of (the trials in the view, the seed, the
 * sequence number of the trial to come, the attempt), of nothing else: it keeps no stream of random
 * numbers and no memory from one ask to the next that changes a result. */
#ifndef SPT_LIB_SEARCH_SAMPLER_H
#define SPT_LIB_SEARCH_SAMPLER_H

#include "../base/options.h"
#include "../base/rng.h"
#include "domain.h"
#include "spectune/search.h"
#include "spectune/store.h"

/* So many proposals in a row may be refused before a space counts as exhausted. */
enum { SPT__ATTEMPTS = 1000 };

/* The trials a sampler may look at, in order of their sequence numbers: finished ones first, then
 * those that run. */
typedef struct spt__view {
    int64_t n;
    int32_t n_params;
    const double *values;    /* n x n_params; NaN = the parameter does not exist in that trial */
    const double *loss;      /* n; +inf of failed and running trials; a pruned one's last value */
    const int32_t *state;    /* n; spt_trial_state */
    const int64_t *sequence; /* n */
    const int64_t *steps;    /* n; how many steps were reported; NULL: not known */
    /* Trials by name, so that whoever has seen them before need not compare their values: rows of
     * equal keys in views of one source (not 0) have equal values. NULL: unknown. */
    const int64_t *key; /* n */
    uint64_t source;
} spt__view;

typedef struct spt_sampler spt__sampler;

typedef struct spt__sampler_kind {
    const char *name; /* a choice of the knob "sampler" */
    /* Once per ask, before the first draw: look at the trials. May be NULL. */
    int32_t (*prepare)(spt__sampler *s, const spt__view *view, spt__err *e);
    /* Once per attempt: a value for every parameter that exists, NaN for the others. SPT_OK,
     * SPT_STOP_EXHAUSTED when there is nothing left to propose, or a failure. */
    int32_t (*draw)(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                    spt__err *e);
    /* Once, before the first ask, and at the end, also of an init() that failed. May be NULL. */
    int32_t (*init)(spt__sampler *s, spt__err *e);
    void (*destroy)(spt__sampler *s);
    bool given; /* proposals are given, so trial 0 is no exception */
} spt__sampler_kind;

struct spt_sampler {
    spt_ctx *ctx;
    int32_t refs;
    const spt__sampler_kind *kind;
    spt_space *space;
    spt_options *options; /* a copy, never NULL */
    spt__domain *domains; /* one per parameter */
    uint64_t seed;
    bool first_default;     /* trial 0 has the defaults of the space */
    bool busy;              /* within a proposal: a callback may not come back */
    uint64_t sources;       /* so many sources of views with keys were named */
    void *memory;           /* of the kind, from init() to destroy() */
    struct spt__told *told; /* trials of a host that has no study (handle.c) */
};

extern const spt__sampler_kind spt__sampler_random, spt__sampler_tpe, spt__sampler_sobol,
    spt__sampler_grid, spt__sampler_replay, spt__sampler_host;
extern const spt__knob spt__sampler_knobs[];

/* Freezes the space. options: of spt_sampler_options_new(), or NULL. */
int32_t spt__sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                         spt__sampler **out, spt__err *e);
/* The same with a kind that the options cannot name; `memory` is there before its init(), and is
 * its destroy()'s business as soon as this function was called. */
int32_t spt__sampler_new_kind(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                              const spt__sampler_kind *kind, void *memory, spt__sampler **out,
                              spt__err *e);
/* One more reference; released with spt__sampler_free(). */
spt__sampler *spt__sampler_ref(spt__sampler *s);
void spt__sampler_free(spt__sampler *s);

/* Is this configuration welcome? SPT_OK, or a negative status for "draw another". */
typedef int32_t (*spt__accept_fn)(const spt_config *config, void *arg);

/* The configuration for trial `sequence`: the first of SPT__ATTEMPTS that is not forbidden and that
 * `accept` (may be NULL) takes. SPT_STOP_EXHAUSTED, and e holds the last refusal, if there is none;
 * refusals that say that memory ran out or a callback failed are errors. */
/* A host's callback that asks from within is refused with SPT_EBUSY. */
int32_t spt__sampler_propose(spt__sampler *s, const spt__view *view, int64_t sequence,
                             spt__accept_fn accept, void *arg, spt_config **out, spt__err *e);

/* ---- for the kinds ----------------------------------------------------------------------- */

/* The stream of one parameter in one attempt of one trial. */
void spt__sampler_rng(const spt__sampler *s, int64_t sequence, int32_t attempt, int32_t parameter,
                      spt__rng *rng);
/* Uniform on every parameter's scale, parents before children. */
void spt__sampler_uniform(const spt__sampler *s, int64_t sequence, int32_t attempt, double *values);
/* Point `sequence` of a scrambled Sobol sequence on every parameter's scale; after a refusal, a
 * uniform draw. */
void spt__sampler_sobol_point(const spt__sampler *s, int64_t sequence, int32_t attempt,
                              double *values);
/* Release s->told. */
void spt__told_free(spt__sampler *s);

#endif
