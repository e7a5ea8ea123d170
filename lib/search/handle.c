/* A sampler in a host's hands: the host tells it the trials that a study would have shown it. */
#include "tpe.h"
#include "spectune/experimental.h"

#include <string.h>

/* Trials in the order of a view: finished ones by sequence, then running ones by sequence. */
typedef struct spt__told {
    int64_t n, capacity;
    double *values;
    double *loss;
    int32_t *state;
    int64_t *sequence, *steps;
} told;

void spt__told_free(spt__sampler *s)
{
    told *t = s->told;
    if (!t) return;
    spt__free(s->ctx, t->values);
    spt__free(s->ctx, t->loss);
    spt__free(s->ctx, t->state);
    spt__free(s->ctx, t->sequence);
    spt__free(s->ctx, t->steps);
    spt__free(s->ctx, t);
    s->told = NULL;
}

static spt__view view_of(const spt__sampler *s)
{
    const told *t = s->told;
    if (!t) return (spt__view){.n_params = s->space->n};
    return (spt__view){.n = t->n,
                       .n_params = s->space->n,
                       .values = t->values,
                       .loss = t->loss,
                       .state = t->state,
                       .sequence = t->sequence,
                       .steps = t->steps};
}

int32_t spt_sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                        spt_sampler **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx && space);
    return spt__sampler_new(ctx, space, options, out, &ctx->err);
}

void spt_sampler_free(spt_sampler *sampler)
{
    spt__sampler_free(sampler);
}

/* ---- telling ----------------------------------------------------------------------------- */

/* Grow one array to `capacity`; false leaves it as it was. */
static bool grow(spt_ctx *ctx, void *array, int64_t capacity, size_t size)
{
    void **a = array;
    void *larger = spt__realloc(ctx, *a, (size_t)capacity, size);
    if (larger) *a = larger;
    return larger != NULL;
}

static int32_t make_room(spt__sampler *s)
{
    spt__err *e = &s->ctx->err;
    if (!s->told) s->told = spt__calloc(s->ctx, 1, sizeof *s->told);
    told *t = s->told;
    if (!t) return spt__nomem(e);
    if (t->n < t->capacity) return SPT_OK;
    const int64_t capacity = t->capacity ? 2 * t->capacity : 64;
    if (!grow(s->ctx, &t->values, capacity, (size_t)s->space->n * sizeof *t->values) ||
        !grow(s->ctx, &t->loss, capacity, sizeof *t->loss) ||
        !grow(s->ctx, &t->state, capacity, sizeof *t->state) ||
        !grow(s->ctx, &t->sequence, capacity, sizeof *t->sequence) ||
        !grow(s->ctx, &t->steps, capacity, sizeof *t->steps))
        return spt__nomem(e);
    t->capacity = capacity;
    return SPT_OK;
}

static void move(told *t, int32_t p, int64_t to, int64_t from, int64_t n)
{
    if (n <= 0) return;
    const size_t count = (size_t)n, width = (size_t)p;
    memmove(t->values + to * p, t->values + from * p, count * width * sizeof *t->values);
    memmove(t->loss + to, t->loss + from, count * sizeof *t->loss);
    memmove(t->state + to, t->state + from, count * sizeof *t->state);
    memmove(t->sequence + to, t->sequence + from, count * sizeof *t->sequence);
    memmove(t->steps + to, t->steps + from, count * sizeof *t->steps);
}

/* Where a trial belongs. */
static int64_t place(const told *t, int32_t state, int64_t sequence)
{
    const bool running = state == SPT_TRIAL_RUNNING;
    int64_t at = t->n;
    while (at > 0) {
        const bool before = t->state[at - 1] == SPT_TRIAL_RUNNING;
        if (before == running ? t->sequence[at - 1] < sequence : running) break;
        at--;
    }
    return at;
}

/* From `from` to before `to` the numbers ascend. */
static int64_t find_within(const told *t, int64_t from, int64_t to, int64_t sequence)
{
    const int64_t end = to;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        if (t->sequence[middle] < sequence)
            from = middle + 1;
        else
            to = middle;
    }
    return from < end && t->sequence[from] == sequence ? from : -1;
}

static int64_t find(const told *t, int64_t sequence)
{
    if (!t) return -1;
    int64_t finished = t->n;
    while (finished > 0 && t->state[finished - 1] == SPT_TRIAL_RUNNING)
        finished--;
    const int64_t at = find_within(t, 0, finished, sequence);
    return at >= 0 ? at : find_within(t, finished, t->n, sequence);
}

static int32_t check_told(const spt__sampler *s, const spt_config *config, int32_t state,
                          int64_t sequence, int64_t known)
{
    spt__err *e = &s->ctx->err;
    const told *t = s->told;
    if (s->busy)
        return spt__fail(e, SPT_EBUSY, "the sampler is at work; a callback cannot tell it a trial");
    if (!config || sequence < 0)
        return spt__fail(e, SPT_EINVAL,
                         config ? "the sequence number is %lld; 0 or more is possible"
                                : "the configuration of trial %lld is NULL",
                         (long long)sequence);
    if (config->space != s->space)
        return spt__fail(e, SPT_EMISMATCH,
                         "the configuration is of another space than the sampler's");
    if (state != SPT_TRIAL_RUNNING && state != SPT_TRIAL_COMPLETE && state != SPT_TRIAL_PRUNED &&
        state != SPT_TRIAL_FAILED)
        return spt__fail(e, SPT_EINVAL,
                         "state is %d; running, complete, pruned or failed can be told",
                         (int)state);
    if (known < 0) return SPT_OK;
    if (t->state[known] != SPT_TRIAL_RUNNING)
        return spt__fail(e, SPT_EBUSY, "trial %lld has ended already", (long long)sequence);
    if (memcmp(t->values + known * s->space->n, config->value,
               (size_t)s->space->n * sizeof *t->values) != 0)
        return spt__fail(e, SPT_EMISMATCH, "trial %lld runs with another configuration",
                         (long long)sequence);
    return SPT_OK;
}

int32_t spt_sampler_tell(spt_sampler *s, int64_t sequence, const spt_config *config, int32_t state,
                         double loss, int64_t steps)
{
    SPT__REQUIRE(s);
    const int32_t p = s->space->n;
    const int64_t known = find(s->told, sequence);
    SPT__TRY(check_told(s, config, state, sequence, known));
    SPT__TRY(make_room(s));
    told *t = s->told;
    if (known >= 0) {
        move(t, p, known, known + 1, t->n - known - 1);
        t->n--;
    }
    if (state == SPT_TRIAL_COMPLETE && !isfinite(loss)) state = SPT_TRIAL_FAILED;
    const bool counts = state == SPT_TRIAL_COMPLETE || state == SPT_TRIAL_PRUNED;
    const int64_t at = place(t, state, sequence);
    move(t, p, at + 1, at, t->n - at);
    memcpy(t->values + at * p, config->value, (size_t)p * sizeof *t->values);
    t->loss[at] = counts && !isnan(loss) ? loss : INFINITY;
    t->state[at] = state;
    t->sequence[at] = sequence;
    t->steps[at] = state == SPT_TRIAL_PRUNED ? steps : 0;
    t->n++;
    return SPT_OK;
}

/* ---- asking ------------------------------------------------------------------------------ */

int32_t spt_sampler_propose(spt_sampler *s, int64_t sequence, spt_config **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(s);
    if (sequence < 0)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "the sequence number is %lld; 0 or more is possible", (long long)sequence);
    const spt__view view = view_of(s);
    /* A callback may give its sampler up. */
    spt__sampler_ref(s);
    const int32_t status = spt__sampler_propose(s, &view, sequence, NULL, NULL, out, &s->ctx->err);
    spt__sampler_free(s);
    return status;
}

int32_t spt_sampler_densities(spt_sampler *s, const spt_config *config, double *log_good,
                              double *log_bad)
{
    double good, bad;
    SPT__REQUIRE(s);
    spt__err *e = &s->ctx->err;
    if (!config || config->space != s->space)
        return spt__fail(e, config ? SPT_EMISMATCH : SPT_EINVAL, "the configuration is %s",
                         config ? "of another space than the sampler's" : "NULL");
    if (s->kind != &spt__sampler_tpe)
        return spt__fail(e, SPT_EUNSUPPORTED, "sampler '%s' has no densities; 'tpe' has",
                         s->kind->name);
    const spt__view view = view_of(s);
    if (s->busy) return spt__fail(e, SPT_EBUSY, "the sampler is at work; a callback cannot ask it");
    SPT__TRY(spt__tpe_fit(s, &view, e));
    spt__tpe_look(s, config->value, &good, &bad);
    if (log_good) *log_good = good;
    if (log_bad) *log_bad = bad;
    return SPT_OK;
}
