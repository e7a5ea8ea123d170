/* Samplers whose proposals come from outside: a list of configurations, or a host's function. */
#include "sampler.h"

#include <string.h>

/* ---- a list ------------------------------------------------------------------------------ */

typedef struct given {
    int64_t n;
    double *values; /* n x parameters */
    bool *had;      /* n: among the trials */
} given;

static void given_destroy(spt__sampler *s)
{
    given *g = s->memory;
    if (!g) return;
    spt__free(s->ctx, g->values);
    spt__free(s->ctx, g->had);
    spt__free(s->ctx, g);
    s->memory = NULL;
}

static bool same_row(const double *a, const double *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))) return false;
    return true;
}

/* Each trial accounts for one entry of the list that is like it. */
static int32_t given_prepare(spt__sampler *s, const spt__view *view, spt__err *e)
{
    given *g = s->memory;
    const int32_t p = view->n_params;
    (void)e;
    memset(g->had, 0, (size_t)g->n * sizeof *g->had);
    for (int64_t t = 0; t < view->n; t++)
        for (int64_t i = 0; i < g->n; i++) {
            if (g->had[i] || !same_row(view->values + t * p, g->values + i * p, p)) continue;
            g->had[i] = true;
            break;
        }
    return SPT_OK;
}

static int32_t given_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                          spt__err *e)
{
    const given *g = s->memory;
    int64_t i = 0;
    (void)sequence, (void)e;
    for (int32_t left = attempt; i < g->n; i++)
        if (!g->had[i] && left-- == 0) break;
    if (i == g->n) return SPT_STOP_EXHAUSTED;
    memcpy(values, g->values + i * s->space->n, (size_t)s->space->n * sizeof *values);
    return SPT_OK;
}

const spt__sampler_kind spt__sampler_replay = {.name = "given",
                                               .prepare = given_prepare,
                                               .draw = given_draw,
                                               .destroy = given_destroy,
                                               .given = true};

static int32_t check_list(spt_ctx *ctx, const spt_space *space, const spt_config *const *configs,
                          int64_t n)
{
    if (n < 0 || (!configs && n > 0))
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "%lld configurations are given; 0 or more, and a list, "
                         "are possible",
                         (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!configs[i] || configs[i]->space != space)
            return spt__fail(&ctx->err, SPT_EINVAL, "configuration %lld is %s", (long long)i,
                             configs[i] ? "of another space than the sampler's" : "NULL");
    return SPT_OK;
}

int32_t spt_sampler_new_given(spt_ctx *ctx, const spt_space *space,
                              const spt_config *const *configs, int64_t n, spt_sampler **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx && space);
    SPT__TRY(check_list(ctx, space, configs, n));
    const size_t p = (size_t)space->n;
    given *g = spt__calloc(ctx, 1, sizeof *g);
    if (!g) return spt__nomem(&ctx->err);
    g->n = n;
    g->values = spt__alloc(ctx, (size_t)n * p, sizeof *g->values);
    g->had = spt__alloc(ctx, (size_t)n, sizeof *g->had);
    if (!g->values || !g->had) {
        spt__free(ctx, g->values);
        spt__free(ctx, g->had);
        spt__free(ctx, g);
        return spt__nomem(&ctx->err);
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(g->values + (size_t)i * p, configs[i]->value, p * sizeof *g->values);
    return spt__sampler_new_kind(ctx, space, NULL, &spt__sampler_replay, g, out, &ctx->err);
}

/* ---- a host's function ------------------------------------------------------------------- */

typedef struct host {
    spt_sampler_fn fn;
    void *user;
    spt_destroy_fn destroy;
    const spt__view *view;
} host;

struct spt_trials {
    spt__sampler *sampler;
    const spt__view *view;
};

static void host_destroy(spt__sampler *s)
{
    host *h = s->memory;
    if (!h) return;
    if (h->destroy) h->destroy(h->user);
    spt__free(s->ctx, h);
    s->memory = NULL;
}

static int32_t host_prepare(spt__sampler *s, const spt__view *view, spt__err *e)
{
    host *h = s->memory;
    (void)e;
    h->view = view;
    return SPT_OK;
}

static int32_t host_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                         spt__err *e)
{
    host *h = s->memory;
    spt_config *config = NULL;
    const spt_trials trials = {s, h->view};
    int32_t status = spt_config_new(s->ctx, s->space, &config);
    if (status < 0) {
        if (&s->ctx->err != e) *e = s->ctx->err;
        return status;
    }
    s->ctx->err = (spt__err){0};
    status = h->fn(&trials, sequence, attempt, s->seed, config, h->user);
    if (status == SPT_OK)
        memcpy(values, config->value, (size_t)s->space->n * sizeof *values);
    else if (status > 0 && status != SPT_STOP_EXHAUSTED)
        status = spt__fail(e, SPT_ECALLBACK,
                           "the host's sampler returned %s; SPT_OK, "
                           "SPT_STOP_EXHAUSTED and failures are possible",
                           spt_status_name(status));
    else if (status < 0 && s->ctx->err.status == 0)
        spt__fail(e, status, "the host's sampler failed: %s", spt_status_text(status));
    else if (status < 0 && &s->ctx->err != e)
        *e = s->ctx->err;
    spt_config_free(config);
    return status;
}

const spt__sampler_kind spt__sampler_host = {.name = "host",
                                             .prepare = host_prepare,
                                             .draw = host_draw,
                                             .destroy = host_destroy,
                                             .given = true};

int32_t spt_sampler_new_host(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                             spt_sampler_fn fn, void *user, spt_destroy_fn destroy,
                             spt_sampler **out)
{
    int32_t status = SPT_OK;
    if (out) *out = NULL;
    host *h = NULL;
    if (!out || !ctx || !space)
        status = SPT_EINVAL;
    else if (!fn)
        status = spt__fail(&ctx->err, SPT_EINVAL, "the host's sampler is NULL");
    else if (!(h = spt__calloc(ctx, 1, sizeof *h)))
        status = spt__nomem(&ctx->err);
    if (status < 0) {
        if (destroy) destroy(user);
        return status;
    }
    *h = (host){.fn = fn, .user = user, .destroy = destroy};
    return spt__sampler_new_kind(ctx, space, options, &spt__sampler_host, h, out, &ctx->err);
}

int64_t spt_trials_count(const spt_trials *trials)
{
    return trials ? trials->view->n : SPT_EINVAL;
}

static int32_t check_index(const spt_trials *t, int64_t index)
{
    if (index >= 0 && index < t->view->n) return SPT_OK;
    return spt__fail(&t->sampler->ctx->err, SPT_EINVAL, "trial %lld of %lld is asked for",
                     (long long)index, (long long)t->view->n);
}

int32_t spt_trials_trial(const spt_trials *trials, int64_t index, int32_t *state, double *loss,
                         int64_t *sequence)
{
    SPT__REQUIRE(trials);
    SPT__TRY(check_index(trials, index));
    if (state) *state = trials->view->state[index];
    if (loss) *loss = trials->view->loss[index];
    if (sequence) *sequence = trials->view->sequence[index];
    return SPT_OK;
}

int32_t spt_trials_config(const spt_trials *trials, int64_t index, spt_config **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(trials);
    SPT__TRY(check_index(trials, index));
    const spt__sampler *s = trials->sampler;
    return spt__config_from_values(
        s->ctx, s->space, trials->view->values + index * trials->view->n_params, out, &s->ctx->err);
}
