/* What may be done from which thread: a context and what was made from it by one thread at a time,
 * whichever it is; handles that never change by all at once; a stop from anywhere. The thread
 * sanitizer runs this, too. */
#include "world.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 20 };

static void in_thread(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* ---- one after the other -----------------------------------------------------------------------
 */

static void *make(void *arg)
{
    world_new(arg);
    return NULL;
}

static int32_t quick(spt_trial *trial, double *loss, void *user)
{
    (void)user;
    *loss = (double)spt_trial_number(trial);
    return SPT_OK;
}

static void *work(void *arg)
{
    world *w = arg;
    spt_model *model = NULL;
    spt_study *study = NULL;
    spt_space *preset = NULL;
    OK(w->ctx,
       spt_model_fit(w->ctx, w->dataset, NULL, "y", w->config, 2, NULL, NULL, NULL, NULL, &model));
    spt_model_free(model);
    OK(w->ctx, spt_study_open(w->store, "elsewhere", w->space, NULL, &study));
    OK(w->ctx, spt_study_set_objective(study, quick, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    spt_study_free(study);
    /* The error text is the context's, not the thread's. */
    FAILS(w->ctx, SPT_ENOTFOUND, "no space", spt_space_preset(w->ctx, "nonesuch", &preset));
    return NULL;
}

static void *let_go(void *arg)
{
    world *w = arg;
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(w->ctx), "nonesuch"));
    world_free(w);
    return NULL;
}

START_TEST(handed_on)
{
    world w;
    in_thread(make, &w);
    in_thread(work, &w);
    in_thread(let_go, &w);
}
END_TEST

/* ---- all at once -------------------------------------------------------------------------------
 */

typedef struct {
    const world *w;
    double expected;
    atomic_int wrong;
} shared;

/* Everything whose header says "any", on handles of another thread's context. */
static void *read_all(void *arg)
{
    shared *s = arg;
    const world *w = s->w;
    spt_ctx *own = NULL;
    spt_predictor *predictor = NULL;
    double x[WORLD_BANDS], spectra[WORLD_ROWS * WORLD_BANDS], y = NAN;
    char print[65], text[8192];
    spt_parameter_info parameter;
    spt_trial_info trial;
    spt_importance importance;
    int wrong = spt_ctx_new(NULL, &own) < 0 || spt_predictor_new(own, w->model, &predictor) < 0;
    for (int j = 0; j < WORLD_BANDS; j++)
        x[j] = 0.5 + 0.01 * j;
    for (int i = 0; i < ROUNDS && !wrong; i++) {
        spt_space *same = NULL;
        spt_config *config = NULL;
        spt_dataset *part = NULL;
        float scaled[WORLD_BANDS] = {1};
        spt_record_init(&parameter, sizeof parameter);
        spt_record_init(&trial, sizeof trial);
        spt_record_init(&importance, sizeof importance);
        wrong =
            spt_predictor_run(predictor, x, WORLD_BANDS, &y, 1) < 0 ||
            memcmp(&y, &s->expected, sizeof y) != 0 ||
            spt_dataset_spectra(w->dataset, 0, WORLD_ROWS, spectra, WORLD_ROWS * WORLD_BANDS) < 0 ||
            spt_dataset_find_column(w->dataset, "site") < 0 ||
            spt_dataset_fingerprint(w->dataset, SPT_PART_SPECTRA, 0, print) < 0 ||
            spt_dataset_crop(own, w->dataset, 1020, 1100, &part) < 0 ||
            spt_space_describe(w->space, 1, &parameter) < 0 || spt_space_ref(w->space, &same) < 0 ||
            spt_config_new(own, same, &config) < 0 ||
            spt_model_summary(w->model, text, sizeof text, NULL) < 0 ||
            spt_model_xml(own, w->model, NULL, 0, NULL) != SPT_ECAPACITY ||
            spt_history_trial(w->history, i % WORLD_TRIALS, &trial) < 0 ||
            spt_history_best(w->history) < 0 || spt_fanova_main(w->fanova, 0, &importance) < 0 ||
            spt_scaler_apply(w->scaler, scaled, 1) < 0;
        spt_dataset_free(part);
        spt_config_free(config);
        spt_space_free(same);
    }
    spt_predictor_free(predictor);
    spt_ctx_free(own);
    if (wrong) s->wrong++;
    return NULL;
}

START_TEST(read_at_once)
{
    world w;
    pthread_t threads[THREADS];
    double x[WORLD_BANDS];
    for (int j = 0; j < WORLD_BANDS; j++)
        x[j] = 0.5 + 0.01 * j;
    world_new(&w);
    shared s = {&w, NAN, 0};
    OK(w.ctx, spt_predictor_run(w.predictor, x, WORLD_BANDS, &s.expected, 1));
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &s), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(s.wrong, 0);
    world_free(&w);
}
END_TEST

/* A collector of garbage frees on a thread of its own what the others are about to free, too. */
static void *free_some(void *arg)
{
    world *w = arg;
    spt_fanova_free(w->fanova);
    spt_history_free(w->history);
    spt_model_free(w->model);
    spt_scaler_free(w->scaler);
    spt_space_free(w->space);
    spt_dataset_free(w->dataset);
    spt_ctx_free(w->ctx);
    return NULL;
}

START_TEST(freed_at_once)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        world w, mine;
        world_new(&w);
        mine = w;
        mine.fanova = NULL;
        mine.history = NULL;
        mine.model = NULL;
        mine.scaler = NULL;
        mine.space = NULL;
        mine.dataset = NULL;
        mine.ctx = NULL;
        ck_assert_int_eq(pthread_create(&thread, NULL, free_some, &w), 0);
        world_free(&mine); /* predictor, network, study, cv, config: children of what goes there */
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
}
END_TEST

/* ---- a stop ------------------------------------------------------------------------------------
 */

typedef struct {
    spt_ctx *ctx;
    atomic_int began;
} stopping;

static int32_t slow(spt_trial *trial, double *loss, void *user)
{
    stopping *s = user;
    s->began = 1;
    while (!spt_ctx_stopping(s->ctx))
        sched_yield();
    return quick(trial, loss, NULL) == SPT_OK ? SPT_STOP_HOST : SPT_EINTERNAL;
}

static void *stop(void *arg)
{
    stopping *s = arg;
    while (!s->began)
        sched_yield();
    spt_ctx_stop(s->ctx);
    return NULL;
}

START_TEST(stopped_from_elsewhere)
{
    world w;
    pthread_t thread;
    spt_study *study = NULL;
    world_new(&w);
    stopping s = {w.ctx, 0};
    OK(w.ctx, spt_study_open(w.store, "stopped", w.space, NULL, &study));
    OK(w.ctx, spt_study_set_objective(study, slow, &s, NULL));
    ck_assert_int_eq(pthread_create(&thread, NULL, stop, &s), 0);
    ck_assert_int_eq(spt_study_run(study, 100, 0), SPT_STOP_HOST);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(spt_ctx_stopping(w.ctx), 1);
    ck_assert_int_eq(spt_study_run(study, 100, 0), SPT_STOP_HOST); /* the request stays */
    spt_ctx_clear_stop(w.ctx);
    OK(w.ctx, spt_study_set_objective(study, quick, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    spt_study_free(study);
    world_free(&w);
}
END_TEST

TEST_MAIN("threads", handed_on, read_at_once, freed_at_once, stopped_from_elsewhere)
