/* A made-up history of 40 trials of all states, for looking at the densities of TPE. */
#ifndef SPT_TESTS_SEARCH_HISTORIES_H
#define SPT_TESTS_SEARCH_HISTORIES_H

#include "testing.h"

#include "search/tpe.h"

enum { N_TRIALS = 40, MOST = 12 };

typedef struct history {
    spt_ctx *ctx;
    spt_space *space;
    spt__sampler *sampler;
    int32_t p;
    double values[N_TRIALS * MOST], loss[N_TRIALS];
    int32_t state[N_TRIALS];
    int64_t sequence[N_TRIALS], steps[N_TRIALS];
    spt__view view;
} history;

/* Configuration `i` of a stream, uniform. */
static inline void draw(const spt__sampler *s, int64_t i, double *values)
{
    spt__sampler_uniform(s, i, 7, values);
}

static inline void begin(history *h, spt_ctx *ctx, spt_space *space, const char *preset)
{
    spt_options *options;
    *h = (history){.ctx = ctx, .space = space, .p = spt_space_count(space)};
    ck_assert_int_le(h->p, MOST);
    OK(ctx, spt_sampler_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "preset", preset));
    OK(ctx, spt__sampler_new(ctx, space, options, &h->sampler, &ctx->err));
    spt_options_free(options);
    for (int i = 0; i < N_TRIALS; i++) {
        double *v = h->values + i * h->p;
        draw(h->sampler, i, v);
        h->sequence[i] = i;
        h->state[i] = i % 9 == 4   ? SPT_TRIAL_FAILED
                      : i % 7 == 3 ? SPT_TRIAL_PRUNED
                      : i >= 38    ? SPT_TRIAL_RUNNING
                                   : SPT_TRIAL_COMPLETE;
        h->steps[i] = i % 4;
        h->loss[i] = INFINITY;
        if (h->state[i] == SPT_TRIAL_COMPLETE || h->state[i] == SPT_TRIAL_PRUNED)
            h->loss[i] = floor(20 * fabs(sin(1 + 3 * i))) / 4;
        if (i == 11) memcpy(v, h->values, (size_t)h->p * sizeof *v); /* a duplicate */
    }
    h->view = (spt__view){.n = N_TRIALS,
                          .n_params = h->p,
                          .values = h->values,
                          .loss = h->loss,
                          .state = h->state,
                          .sequence = h->sequence,
                          .steps = h->steps};
    OK(ctx, spt__tpe_fit(h->sampler, &h->view, &ctx->err));
}

#endif
