/* How trials fail: each way leaves a reason, on record and in the event, and the study goes on. */
#include "studies.h"

typedef struct host {
    spt_ctx *ctx;
    spt_study *study;
    int way;
    char told[256]; /* the reason of the event */
} host;

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    host *h = user;
    *loss = 1;
    switch (h->way) {
    case 0:
        *loss = NAN;
        return SPT_OK;
    case 1:
        *loss = INFINITY;
        return SPT_OK;
    case 2:
        *loss = -INFINITY;
        return SPT_OK;
    case 3:
        return SPT_ECALLBACK;
    case 4: /* a number of the host's own */
        return -1234;
    case 5: /* its own words come back unchanged */
        OK(h->ctx, spt_trial_set_text(trial, "reason", "GPU 3 is \"gone\""));
        return -1234;
    case 6:
        usleep(30000);
        ck_assert_int_eq(spt_trial_report(trial, 0, 0.5), SPT_STOP_TIME);
        return SPT_STOP_TIME;
    case 7: /* told by the objective itself */
        OK(h->ctx, spt_trial_set_text(trial, "reason", "mine"));
        OK(h->ctx, spt_trial_tell(trial, SPT_TRIAL_FAILED, 0));
        return SPT_OK;
    default:
        return SPT_EDATA;
    }
}

static int32_t on_event(const spt_event *event, void *user)
{
    host *h = user;
    if (event->kind != SPT_EVENT_TRIAL_END) return SPT_OK;
    ck_assert_int_eq(event->state, SPT_TRIAL_FAILED);
    snprintf(h->told, sizeof h->told, "%s", event->reason);
    return SPT_OK;
}

static const char *const reasons[] = {"the loss is not a number",
                                      "the loss is infinite",
                                      "the loss is infinite",
                                      "a host callback failed",
                                      "the objective returned -1234",
                                      "GPU 3 is \"gone\"",
                                      "timeout: a trial may take 0.02 s",
                                      "mine",
                                      "spectra or reference values unusable"};

START_TEST(every_way_to_fail)
{
    spt_ctx *ctx = new_ctx(1);
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_options *o = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    host user = {.ctx = ctx, .study = study, .way = _i};
    OK(ctx, spt_study_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "trial_seconds", 0.02));
    OK(ctx, spt_study_set_options(study, o));
    OK(ctx, spt_study_set_objective(study, objective, &user, NULL));
    OK(ctx, spt_study_set_events(study, on_event, &user, NULL));
    ck_assert_int_eq(spt_study_run(study, 1, 0), SPT_STOP_TRIALS);
    ck_assert_str_eq(user.told, reasons[_i]);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 1);
    ck_assert_str_eq(spt_history_attribute(h, 0, "reason"), reasons[_i]);
    ck_assert_int_eq(spt_history_best(h), SPT_ENOTFOUND);
    spt_history_free(h);
    spt_options_free(o);
    spt_study_free(study);
    spt_store_free(store);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* The cross-validation looks at the clock after each epoch; the next trial has its own time. */
START_TEST(a_slow_cross_validation)
{
    spt_ctx *ctx = new_ctx(1 + _i);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    spt_cv *cv = new_cv(ctx, ds, "epochs=1000000 patience=0");
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_options *o = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "trial_seconds", 0.05));
    OK(ctx, spt_study_set_options(study, o));
    OK(ctx, spt_study_set_cv(study, cv));
    ck_assert_int_eq(spt_study_run(study, 6, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 6);
    for (int64_t i = 0; i < 6; i++)
        ck_assert_str_eq(spt_history_attribute(h, i, "reason"), "timeout: a trial may take 0.05 s");
    spt_history_free(h);
    spt_options_free(o);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(refused)
{
    spt_ctx *ctx = new_ctx(1);
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *o = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_sampler_options_new(ctx, &o));
    FAILS(ctx, SPT_EINVAL, "not a study's", spt_study_set_options(study, o));
    spt_options_free(o);
    OK(ctx, spt_study_options_new(ctx, &o));
    FAILS(ctx, SPT_EINVAL, "trial_seconds", spt_options_set_number(o, "trial_seconds", -1));
    OK(ctx, spt_study_set_options(study, NULL));
    ck_assert_int_eq(spt_study_set_options(NULL, o), SPT_EINVAL);
    spt_options_free(o);
    ck_assert_int_eq(spt_study_options_new(NULL, &o), SPT_EINVAL);
    spt_study_free(study);
    spt_store_free(store);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("tune reasons",
           tcase_add_loop_test(tcase, every_way_to_fail, 0, sizeof reasons / sizeof reasons[0]);
           tcase_add_loop_test(tcase, a_slow_cross_validation, 0, 2);
           tcase_add_test(tcase, refused);)
