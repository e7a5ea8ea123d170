/* What the tests of training share: made-up rows, a few networks, one call to train. */
#ifndef SPT_TESTS_NN_FITS_H
#define SPT_TESTS_NN_FITS_H

#include "testing.h"

#include "reference.h"
#include "base/rng.h"
#include "nn/training.h"

enum { BANDS = 24, CHANNELS = 2, SIZE = BANDS * CHANNELS, ROWS = 70 };

static const layer_spec paper[] = {CONV(6, 5, 1, SPT_PADDING_SAME),
                                   NORM,
                                   ACT(SPT_ACTIVATION_RELU),
                                   POOL(SPT_POOL_MAX, 2, 2, SPT_PADDING_VALID),
                                   DROP(0.1),
                                   DENSE(8),
                                   NORM,
                                   ACT(SPT_ACTIVATION_SWISH),
                                   DROP(0.1),
                                   {0}};
static const layer_spec plain[] = {CONV(6, 5, 1, SPT_PADDING_SAME),
                                   ACT(SPT_ACTIVATION_RELU),
                                   DENSE(8),
                                   ACT(SPT_ACTIVATION_ELU),
                                   {0}};
static const layer_spec linear[] = {{0}};

static spt_ctx *ctx;
static spt_options *options;
static float x[ROWS * SIZE], y[ROWS];
static int64_t rows[ROWS];

/* A smooth function of two bands, without noise. */
static inline void set_up(void)
{
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_training_options_new(ctx, &options));
    spt__rng r;
    spt__rng_init(&r, 3, SPT__RNG_TEST, 0, 0);
    for (int i = 0; i < ROWS * SIZE; i++)
        x[i] = (float)spt__rng_normal(&r);
    for (int i = 0; i < ROWS; i++) {
        y[i] = x[i * SIZE + 6] - 0.5F * x[i * SIZE + 21] + 0.2F * x[i * SIZE + 6] * x[i * SIZE + 7];
        rows[i] = i;
    }
}

static inline void tear_down(void)
{
    spt_options_free(options);
    spt_ctx_free(ctx);
}

static inline spt_network *built(const layer_spec *layers)
{
    spt_network *network;
    OK(ctx, spt_network_new(ctx, BANDS, CHANNELS, 1, &network));
    OK(ctx, add_layers(network, layers));
    OK(ctx, spt_network_finish(network, 11));
    return network;
}

static inline void knob(const char *name, double value)
{
    OK(ctx, spt_options_set_number(options, name, value));
}

static inline int32_t fit(spt_network *network, int64_t n_train, int64_t n_watch, spt_epoch_fn fn,
                          void *user, spt_training_report *report)
{
    spt_record_init(report, sizeof *report);
    return spt_network_fit(network, x, y, NULL, ROWS, rows, n_train, rows + n_train, n_watch,
                           options, fn, user, report);
}

static inline double watched_loss(spt_network *network, int64_t first, int64_t n)
{
    float out[ROWS];
    OK(ctx, spt_network_predict(network, x + first * SIZE, n, out));
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += pow((double)out[i] - (double)y[first + i], 2.0);
    return sum / (double)n;
}

#endif
