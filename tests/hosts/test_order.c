/* Handles may be freed in any order: of every two kinds one is freed first and the other goes on
 * working, and all of them in many orders, with those that are left at work after each. Nothing
 * leaks, nothing is used after it went. */
#include "world.h"

#include "failing.h"

static bool use_ctx(world *w)
{
    return spt_ctx_threads(w->ctx) == 1 && spt_ctx_set_threads(w->ctx, 0) == SPT_OK &&
           spt_ctx_set_threads(w->ctx, 1) == SPT_OK;
}

static bool use_options(world *w)
{
    double value = 0;
    return spt_options_set_number(w->options, "patience", 9) == SPT_OK &&
           spt_options_number(w->options, "patience", &value) == SPT_OK && value > 8;
}

static bool use_dataset(world *w)
{
    double values[WORLD_BANDS];
    return spt_dataset_spectra(w->dataset, 3, 1, values, WORLD_BANDS) == SPT_OK &&
           values[0] > 0.4 &&
           strcmp(spt_dataset_text(w->dataset, 1, spt_dataset_find_column(w->dataset, "site")),
                  "east") == 0;
}

static bool use_prep(world *w)
{
    char text[256];
    return spt_prep_text(w->prep, text, sizeof text, NULL) == SPT_OK &&
           strstr(text, "d1_window") != NULL;
}

static bool use_scaler(world *w)
{
    float x[WORLD_BANDS] = {1};
    return spt_scaler_apply(w->scaler, x, 1) == SPT_OK && isfinite(x[0]);
}

static bool use_space(world *w)
{
    spt_parameter_info info;
    spt_record_init(&info, sizeof info);
    return spt_space_describe(w->space, 1, &info) == SPT_OK &&
           strcmp(info.name, "conv_1_filters") == 0;
}

static bool use_config(world *w)
{
    return spt_config_set_number(w->config, "conv_blocks", 0) == SPT_OK &&
           spt_config_exists(w->config, "conv_1_filters") == 0 &&
           spt_space_count(spt_config_space(w->config)) == 3;
}

static bool use_network(world *w)
{
    const float x[WORLD_BANDS] = {1};
    float y = NAN;
    return spt_network_predict(w->network, x, 1, &y) == SPT_OK && isfinite(y);
}

static bool use_trainer(world *w)
{
    const float x[WORLD_BANDS] = {1}, y = 0.5f;
    double loss = NAN;
    return spt_trainer_step(w->trainer, x, &y, NULL, 1, &loss) == SPT_OK && isfinite(loss);
}

static bool use_model(world *w)
{
    char text[8192];
    return spt_model_summary(w->model, text, sizeof text, NULL) == SPT_OK &&
           strcmp(spt_model_target(w->model), "y") == 0;
}

static bool use_predictor(world *w)
{
    double x[WORLD_BANDS], y = NAN;
    for (int j = 0; j < WORLD_BANDS; j++)
        x[j] = 0.5 + 0.01 * j;
    return spt_predictor_run(w->predictor, x, WORLD_BANDS, &y, 1) == SPT_OK && isfinite(y);
}

static bool use_store(world *w)
{
    const char *name = spt_store_study(w->store, 0);
    return name != NULL && strcmp(name, "world") == 0;
}

static bool use_study(world *w)
{
    spt_trial *trial = NULL;
    spt_history *history = NULL;
    bool good = spt_study_ask(w->study, &trial) == SPT_OK &&
                spt_trial_tell(trial, SPT_TRIAL_COMPLETE, 1) == SPT_OK &&
                spt_study_history(w->study, &history) == SPT_OK &&
                spt_history_count(history) > WORLD_TRIALS;
    spt_trial_free(trial);
    spt_history_free(history);
    return good;
}

static bool use_trial(world *w)
{
    static int64_t step; /* each is told once */
    double rate = 0;
    return spt_config_number(spt_trial_config(w->trial), "learning_rate", &rate) == SPT_OK &&
           spt_trial_report(w->trial, step++, rate) == SPT_OK &&
           spt_trial_heartbeat(w->trial) == SPT_OK;
}

static bool use_history(world *w)
{
    spt_trial_info info;
    double rate = 0;
    spt_record_init(&info, sizeof info);
    return spt_history_trial(w->history, 2, &info) == SPT_OK && strlen(info.started) > 10 &&
           spt_config_number(spt_history_config(w->history, 2), "learning_rate", &rate) == SPT_OK &&
           spt_space_count(spt_history_space(w->history)) == 3;
}

static bool use_sampler(world *w)
{
    spt_config *config = NULL;
    bool good =
        spt_sampler_propose(w->sampler, 5, &config) == SPT_OK && spt_config_check(config) == SPT_OK;
    spt_config_free(config);
    return good;
}

static bool use_cv(world *w)
{
    int64_t rows[WORLD_ROWS], needed = 0;
    return spt_cv_rows(w->cv, rows, NULL, WORLD_ROWS, &needed) == SPT_OK && needed == WORLD_ROWS &&
           spt_cv_dropped(w->cv, 0) == NULL;
}

static bool use_fanova(world *w)
{
    spt_importance importance;
    spt_record_init(&importance, sizeof importance);
    return spt_fanova_main(w->fanova, 0, &importance) == SPT_OK && strlen(importance.name) > 3;
}

/* Each free sets the world's handle to NULL. */
#define FREE(kind)                         \
    static void free_##kind(world *w)      \
    {                                      \
        spt_##kind##_free(w->kind);        \
        w->kind = NULL;                    \
    }                                      \
    static bool has_##kind(const world *w) \
    {                                      \
        return w->kind != NULL;            \
    }
FREE(ctx)
FREE(options)
FREE(dataset)
FREE(prep)
FREE(scaler)
FREE(space)
FREE(config)
FREE(network)
FREE(trainer)
FREE(model)
FREE(predictor)
FREE(store)
FREE(study)
FREE(trial)
FREE(history)
FREE(sampler)
FREE(cv)
FREE(fanova)

#define KIND(kind)                                 \
    {                                              \
#kind, use_##kind, free_##kind, has_##kind \
    }
static const struct {
    const char *name;
    bool (*use)(world *w);
    void (*free)(world *w);
    bool (*has)(const world *w);
} kinds[] = {KIND(ctx),       KIND(options), KIND(dataset), KIND(prep),    KIND(scaler),
             KIND(space),     KIND(config),  KIND(network), KIND(trainer), KIND(model),
             KIND(predictor), KIND(store),   KIND(study),   KIND(trial),   KIND(history),
             KIND(sampler),   KIND(cv),      KIND(fanova)};
enum { KINDS = sizeof kinds / sizeof kinds[0], ORDERS = 60 };

/* With the handle freed first: every other kind works, and goes. */
START_TEST(one_first)
{
    for (int k = 0; k < KINDS; k++) {
        failing f;
        world w;
        world_new_on(&w, failing_ctx(&f));
        ck_assert_msg(kinds[k].use(&w), "%s does not work in the first place", kinds[k].name);
        kinds[_i].free(&w);
        if (k != _i)
            ck_assert_msg(kinds[k].use(&w), "%s does not work without %s", kinds[k].name,
                          kinds[_i].name);
        world_free(&w);
        ck_assert_msg(f.live == 0, "%ld blocks are left when %s goes first", (long)f.live,
                      kinds[_i].name);
    }
}
END_TEST

/* All but one freed, then it is used. */
START_TEST(alone)
{
    failing f;
    world w;
    world_new_on(&w, failing_ctx(&f));
    for (int k = 0; k < KINDS; k++)
        if (k != _i) kinds[k].free(&w);
    ck_assert_msg(kinds[_i].use(&w), "%s does not work alone", kinds[_i].name);
    kinds[_i].free(&w);
    ck_assert_msg(f.live == 0, "%ld blocks are left when %s goes last", (long)f.live,
                  kinds[_i].name);
}
END_TEST

START_TEST(any_order)
{
    failing f;
    world w;
    int order[KINDS];
    uint32_t random = 2463534242u + 7919u * (uint32_t)_i;
    for (int k = 0; k < KINDS; k++)
        order[k] = k;
    for (int k = KINDS - 1; k > 0; k--) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        int other = (int)(random % (uint32_t)(k + 1)), mine = order[k];
        order[k] = order[other];
        order[other] = mine;
    }
    world_new_on(&w, failing_ctx(&f));
    for (int k = 0; k < KINDS; k++) {
        kinds[order[k]].free(&w);
        for (int j = 0; j < KINDS; j++)
            if (kinds[j].has(&w))
                ck_assert_msg(kinds[j].use(&w), "order %d: %s does not work any more", _i,
                              kinds[j].name);
    }
    ck_assert_int_eq(f.live, 0);
}
END_TEST

/* What a free function is documented to take: NULL, in any number. */
START_TEST(nothing_to_free)
{
    world w;
    memset(&w, 0, sizeof w);
    world_free(&w);
    world_free(&w);
}
END_TEST

SUITE_MAIN("order", tcase_add_loop_test(tcase, one_first, 0, KINDS);
           tcase_add_loop_test(tcase, alone, 0, KINDS);
           tcase_add_loop_test(tcase, any_order, 0, ORDERS);
           tcase_add_test(tcase, nothing_to_free);)
