/* One handle of every kind, small and quick to make, on the public interface alone. */
#ifndef SPT_TESTS_HOSTS_WORLD_H
#define SPT_TESTS_HOSTS_WORLD_H

#include "testing.h"

enum { WORLD_ROWS = 24, WORLD_BANDS = 16, WORLD_TRIALS = 8 };

typedef struct {
    spt_ctx *ctx;
    spt_options *options; /* of training */
    spt_dataset *dataset; /* a number column "y", a text column "site" */
    spt_prep *prep;
    spt_scaler *scaler; /* for one channel */
    spt_space *space;
    spt_config *config;
    spt_network *network; /* of the config: WORLD_BANDS x 1 channel, 1 output */
    spt_trainer *trainer;
    spt_model *model;
    spt_predictor *predictor;
    spt_store *store; /* in memory, with the study "world" */
    spt_study *study; /* WORLD_TRIALS complete trials, `trial` runs */
    spt_trial *trial;
    spt_history *history;
    spt_sampler *sampler;
    spt_cv *cv;
    spt_fanova *fanova;
} world;

static inline spt_dataset *world_dataset(spt_ctx *ctx)
{
    static const char *const sites[] = {"north", "east", "south", "west"};
    double x[WORLD_ROWS * WORLD_BANDS], y[WORLD_ROWS], axis[WORLD_BANDS];
    const char *site[WORLD_ROWS];
    spt_matrix m;
    spt_dataset *bare = NULL, *with_y = NULL, *all = NULL;
    for (int j = 0; j < WORLD_BANDS; j++)
        axis[j] = 1000 + 10 * j;
    for (int i = 0; i < WORLD_ROWS; i++) {
        y[i] = i % 7 + 0.25 * (i % 3);
        site[i] = sites[i % 4];
        for (int j = 0; j < WORLD_BANDS; j++)
            x[i * WORLD_BANDS + j] =
                0.5 + 0.02 * (i % 5) + 0.03 * y[i] * exp(-0.05 * (j - 7) * (j - 7)) + 0.001 * j;
    }
    spt_record_init(&m, sizeof m);
    m.dtype = SPT_FLOAT64;
    m.data = x;
    m.rows = WORLD_ROWS;
    m.cols = WORLD_BANDS;
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &bare));
    OK(ctx, spt_dataset_with_numbers(ctx, bare, "y", y, WORLD_ROWS, &with_y));
    OK(ctx, spt_dataset_with_texts(ctx, with_y, "site", site, WORLD_ROWS, &all));
    spt_dataset_free(bare);
    spt_dataset_free(with_y);
    return all;
}

static inline spt_space *world_space(spt_ctx *ctx)
{
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "world", &s));
    OK(ctx, spt_space_add_int(s, "conv_blocks", 0, 1, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "conv_1_filters", 2, 4, 1, 0, 2));
    OK(ctx, spt_space_add_condition(s, "conv_1_filters", "conv_blocks", SPT_OP_EQ,
                                    (const char *[]){"1"}, 1));
    OK(ctx, spt_space_add_float(s, "learning_rate", 1e-3, 1e-1, 0, 1, 1e-2));
    return s;
}

/* The loss is a made-up function of the parameters: the study is there to be looked at. */
static inline void world_study(world *w)
{
    OK(w->ctx, spt_store_open(w->ctx, "memory:", SPT_STORE_CREATE, &w->store));
    OK(w->ctx, spt_study_open(w->store, "world", w->space, NULL, &w->study));
    for (int i = 0; i < WORLD_TRIALS; i++) {
        double rate = 0;
        spt_trial *t = NULL;
        OK(w->ctx, spt_study_ask(w->study, &t));
        OK(w->ctx, spt_config_number(spt_trial_config(t), "learning_rate", &rate));
        OK(w->ctx, spt_trial_report(t, 0, rate));
        OK(w->ctx, spt_trial_tell(t, SPT_TRIAL_COMPLETE, rate + 0.01 * i));
        spt_trial_free(t);
    }
    OK(w->ctx, spt_study_history(w->study, &w->history));
    OK(w->ctx, spt_study_ask(w->study, &w->trial));
}

static inline void world_new_on(world *w, spt_ctx *ctx)
{
    static const float x[2 * WORLD_BANDS] = {0.5f, 0.25f};
    spt_options *o = NULL;
    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    OK(ctx, spt_ctx_set_threads(ctx, 1));
    OK(ctx, spt_training_options_new(ctx, &w->options));
    OK(ctx, spt_options_set_number(w->options, "epochs", 2));
    w->dataset = world_dataset(ctx);
    OK(ctx, spt_prep_new(ctx, &w->prep));
    OK(ctx, spt_scaler_fit(ctx, x, 2, WORLD_BANDS, 1, NULL, 0, SPT_SCALE_CHANNEL, &w->scaler));
    w->space = world_space(ctx);
    OK(ctx, spt_config_new(ctx, w->space, &w->config));
    OK(ctx, spt_network_from_config(ctx, w->config, WORLD_BANDS, 1, 1, 7, &w->network));
    OK(ctx, spt_trainer_new(w->network, w->options, &w->trainer));
    OK(ctx, spt_model_assemble(ctx, w->dataset, w->prep, SPT_CHANNEL_A, w->scaler, w->network, "y",
                               NULL, NULL, SPT_TRANSFORM_NONE, &w->model));
    OK(ctx, spt_predictor_new(ctx, w->model, &w->predictor));
    world_study(w);
    OK(ctx, spt_sampler_new(ctx, w->space, NULL, &w->sampler));
    OK(ctx, spt_cv_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "folds", 2));
    OK(ctx, spt_options_set_number(o, "epochs", 2));
    OK(ctx, spt_cv_new(ctx, w->dataset, w->prep, "y", o, &w->cv));
    spt_options_free(o);
    OK(ctx, spt_fanova_new(ctx, w->history, NULL, &w->fanova));
}

static inline void world_new(world *w)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    world_new_on(w, ctx);
}

static inline void world_free(world *w)
{
    spt_fanova_free(w->fanova);
    spt_cv_free(w->cv);
    spt_sampler_free(w->sampler);
    spt_history_free(w->history);
    spt_trial_free(w->trial);
    spt_study_free(w->study);
    spt_store_free(w->store);
    spt_predictor_free(w->predictor);
    spt_model_free(w->model);
    spt_trainer_free(w->trainer);
    spt_network_free(w->network);
    spt_config_free(w->config);
    spt_space_free(w->space);
    spt_scaler_free(w->scaler);
    spt_prep_free(w->prep);
    spt_dataset_free(w->dataset);
    spt_options_free(w->options);
    spt_ctx_free(w->ctx);
}

#endif
