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
#include "parzen.h"

/* So many proposals in a row may be refused before a space counts as exhausted. */
enum { SPT__ATTEMPTS = 1000 };

/* The trials a sampler may look at, in order of their sequence numbers: finished ones first, then
 * those that run. */
typedef struct spt__view {
    int64_t n;
    int32_t n_params;
    const double *values;    /* n x n_params; NaN = the parameter does not exist in that trial */
    const double *loss;      /* n; +inf of failed and running trials */
    const int32_t *state;    /* n; spt_trial_state */
    const int64_t *sequence; /* n */
} spt__view;

typedef struct spt__sampler spt__sampler;

typedef struct spt__sampler_kind {
    const char *name; /* a choice of the knob "sampler" */
    /* Once per ask, before the first draw: look at the trials. */
    int32_t (*prepare)(spt__sampler *s, const spt__view *view, spt__err *e);
    /* Once per attempt: a value for every parameter that exists, NaN for the others. */
    int32_t (*draw)(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                    spt__err *e);
    /* Drop what prepare() made; also after a prepare() that failed. */
    void (*release)(spt__sampler *s);
} spt__sampler_kind;

struct spt__sampler {
    spt_ctx *ctx;
    const spt__sampler_kind *kind;
    spt_space *space;
    spt_options *options; /* a copy, never NULL */
    spt__domain *domains; /* one per parameter */
    uint64_t seed;
    void *prepared; /* of the kind, between prepare() and release() */
};

extern const spt__sampler_kind spt__sampler_random, spt__sampler_tpe;
extern const spt__knob spt__sampler_knobs[];

/* Freezes the space. options: of spt_sampler_options_new(), or NULL. */
int32_t spt__sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                         spt__sampler **out, spt__err *e);
void spt__sampler_free(spt__sampler *s);

/* Is this configuration welcome? SPT_OK, or a negative status for "draw another". */
typedef int32_t (*spt__accept_fn)(const spt_config *config, void *arg);

/* The configuration for trial `sequence`: the first of SPT__ATTEMPTS that is not forbidden and that
 * `accept` (may be NULL) takes. SPT_STOP_EXHAUSTED, and e holds the last refusal, if there is none;
 * refusals that say that memory ran out or a callback failed are errors. */
int32_t spt__sampler_propose(spt__sampler *s, const spt__view *view, int64_t sequence,
                             spt__accept_fn accept, void *arg, spt_config **out, spt__err *e);

/* ---- for the kinds ---- */

/* The stream of one parameter in one attempt of one trial. */
void spt__sampler_rng(const spt__sampler *s, int64_t sequence, int32_t attempt, int32_t parameter,
                      spt__rng *rng);
/* Uniform on every parameter's scale, parents before children. */
void spt__sampler_uniform(const spt__sampler *s, int64_t sequence, int32_t attempt, double *values);

#endif
