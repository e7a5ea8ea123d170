/* The questions that every kind of store must answer alike. */
#include "kinds.h"

START_TEST(studies_by_name)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx), *back = NULL;
    int64_t a, b, c;
    bool made, inferred;
    ck_assert_ptr_null(spt_store_study(store, 0));
    FAILS(ctx, SPT_ENOTFOUND, "holds no study", spt__store_find_study(store, "x", &a));
    OK(ctx, spt__store_make_study(store, "first", space, &a, &made));
    ck_assert(made);
    OK(ctx, spt__store_make_study(store, "first", space, &b, &made));
    ck_assert(!made && a == b);
    OK(ctx, spt__store_find_study(store, NULL, &c));
    ck_assert_int_eq(c, a);
    OK(ctx, spt__store_make_study(store, "zweite \xc3\xbc", space, &b, &made));
    ck_assert(made && a != b);
    ck_assert_str_eq(spt_store_study(store, 0), "first");
    ck_assert_str_eq(spt_store_study(store, 1), "zweite \xc3\xbc");
    ck_assert_ptr_null(spt_store_study(store, 2));
    FAILS(ctx, SPT_EINVAL, "several studies, one must be named: 'first', 'zweite",
          spt__store_find_study(store, NULL, &c));
    FAILS(ctx, SPT_ENOTFOUND, "has no study 'frist'; it has 'first'",
          spt__store_find_study(store, "frist", &c));
    FAILS(ctx, SPT_EINVAL, "name", spt__store_make_study(store, "", space, &c, &made));
    OK(ctx, spt__store_space(store, a, &back, &inferred));
    ck_assert(!inferred);
    spt__buf why;
    spt__buf_init(&why, ctx);
    ck_assert_msg(spt__space_same(space, back, &why), "%s", why.data);
    spt__buf_free(&why);
    spt_space_free(back);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(records_and_blocks)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    int64_t study, needed;
    bool made;
    char *text, data[8] = {0};
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    OK(ctx, spt__store_record(store, study, "target", &text));
    ck_assert_ptr_null(text);
    OK(ctx, spt__store_pin(store, study, "target", "C \"org\"\n\xc3\xa4"));
    OK(ctx, spt__store_pin(store, study, "target", "C \"org\"\n\xc3\xa4"));
    OK(ctx, spt__store_record(store, study, "target", &text));
    ck_assert_str_eq(text, "C \"org\"\n\xc3\xa4");
    spt__free(ctx, text);
    FAILS(ctx, SPT_EMISMATCH, "target is 'N'; the study has 'C",
          spt__store_pin(store, study, "target", "N"));
    OK(ctx, spt__store_pin(store, study, "settings", "folds=5 scale=channel seed=1"));
    FAILS(ctx, SPT_EMISMATCH, "settings: now scale=band; the study has scale=channel",
          spt__store_pin(store, study, "settings", "folds=5 scale=band seed=1"));
    OK(ctx, spt__store_set_record(store, study, "target", "N"));
    OK(ctx, spt__store_pin(store, study, "target", "N"));
    /* a number that stands as a text stays a text */
    OK(ctx, spt__store_pin(store, study, "number", "12"));
    OK(ctx, spt__store_record(store, study, "number", &text));
    ck_assert_str_eq(text, "12");
    spt__free(ctx, text);
    const spt__block block = {"folds", "\0\1\2", 3}, other = {"folds", "\0\1\3", 3};
    OK(ctx, spt__store_pin_block(store, study, &block));
    OK(ctx, spt__store_pin_block(store, study, &block));
    FAILS(ctx, SPT_EMISMATCH, "'folds'", spt__store_pin_block(store, study, &other));
    ck_assert_int_eq(spt_store_block(store, "s", -1, "folds", NULL, 0, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 3);
    OK(ctx, spt_store_block(store, NULL, -1, "folds", data, sizeof data, &needed));
    ck_assert(memcmp(data, "\0\1\2", 3) == 0);
    FAILS(ctx, SPT_ENOTFOUND, "no block 'rows'",
          spt_store_block(store, NULL, -1, "rows", data, sizeof data, &needed));
    FAILS(ctx, SPT_ENOTFOUND, "no trial 7",
          spt_store_block(store, NULL, 7, "rows", data, sizeof data, &needed));
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(life_of_a_trial)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_config *config = new_config(ctx, space, 2, 0.1 + 0.2, 1);
    spt_history *h = NULL, *before = NULL;
    int64_t study, id, number, steps[3], n;
    double values[3];
    bool made;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    OK(ctx, new_trial(store, study, config, &id, &number));
    ck_assert_int_eq(number, 0);
    OK(ctx, spt__store_trial_step(store, id, 0, 1.5));
    OK(ctx, spt__store_trial_step(store, id, 2, NAN));
    OK(ctx, spt__store_trial_step(store, id, 1, INFINITY));
    FAILS(ctx, SPT_EINVAL, "step 1 of the trial was told before",
          spt__store_trial_step(store, id, 1, 2));
    FAILS(ctx, SPT_EINVAL, "step is -1", spt__store_trial_step(store, id, -1, 2));
    OK(ctx, spt__store_trial_alive(store, id));
    OK(ctx, spt__history_open(store, study, space, false, &before));
    OK(ctx, spt_history_trial(before, 0, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_RUNNING);
    ck_assert(isnan(info.value));
    const spt__attr attrs[] = {{"rmse", "0.30000000000000004"}, {"watch", "\"inner\""}};
    const spt__block block = {"predictions", "abcd", 4};
    spt__finish f = {SPT_TRIAL_COMPLETE, 0.1 + 0.2, attrs, 2, &block, 1};
    OK(ctx, spt__store_trial_finish(store, id, &f));
    ck_assert_int_eq(f.state, SPT_TRIAL_COMPLETE);
    FAILS(ctx, SPT_EBUSY, "ended already", spt__store_trial_finish(store, id, &f));
    FAILS(ctx, SPT_EBUSY, "ended already", spt__store_trial_step(store, id, 5, 1));
    /* the history grows; what was seen stays */
    ck_assert_int_eq(spt_history_finished(before), 0);
    OK(ctx, spt__history_refresh(store, before));
    OK(ctx, spt_history_read(store, "s", &h));
    for (int k = 0; k < 2; k++) {
        const spt_history *x = k == 0 ? h : before;
        ck_assert_int_eq(spt_history_count(x), 1);
        ck_assert_int_eq(spt_history_finished(x), 1);
        OK(ctx, spt_history_trial(x, 0, &info));
        ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
        ck_assert_double_eq(info.value, 0.1 + 0.2);
        ck_assert_int_eq(info.n_steps, 3);
        ck_assert_int_eq((int)strlen(info.started), 26);
        ck_assert_int_eq((int)strlen(info.ended), 26);
        OK(ctx, spt_history_steps(x, 0, steps, values, LENGTH(values)));
        ck_assert_int_eq(spt_history_steps(x, 0, steps, values, 1), SPT_ECAPACITY);
        ck_assert(steps[0] == 0 && steps[1] == 1 && steps[2] == 2);
        ck_assert(values[0] == 1.5 && isinf(values[1]) && values[1] > 0 && isnan(values[2]));
        ck_assert_str_eq(spt_history_attribute(x, 0, "rmse"), "0.30000000000000004");
        ck_assert_str_eq(spt_history_attribute(x, 0, "watch"), "inner");
        ck_assert_ptr_null(spt_history_attribute(x, 0, "nothing"));
        ck_assert_str_eq(spt_history_attribute_key(x, 0, 0), "rmse");
        ck_assert_ptr_null(spt_history_attribute_key(x, 0, 2));
        n = 0;
        ck_assert_ptr_nonnull(spt_history_config(x, 0));
        for (int32_t i = 0; i < space->n; i++)
            n += spt_history_config(x, 0)->value[i] == config->value[i];
        ck_assert_int_eq(n, space->n);
    }
    ck_assert_int_eq(spt_config_equal(config, spt_history_config(before, 0)), 1);
    char four[4];
    OK(ctx, spt_store_block(store, "s", 0, "predictions", four, 4, &n));
    ck_assert(memcmp(four, "abcd", 4) == 0);
    spt_history_free(before);
    spt_history_free(h);
    spt_config_free(config);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(states_and_the_best)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_config *config = new_config(ctx, space, 0, 1, 0);
    spt_history *h = NULL, *snapshot = NULL;
    int64_t study, id, number;
    bool made;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    OK(ctx, spt__history_open(store, study, space, false, &h));
    ck_assert_int_eq(spt_history_best(h), SPT_ENOTFOUND);
    add_trial(ctx, store, study, config, SPT_TRIAL_FAILED, NAN);
    add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, 3);
    add_trial(ctx, store, study, config, SPT_TRIAL_PRUNED, 1);
    add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, INFINITY);
    add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, 2);
    ck_assert_int_eq(add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, 2), 5);
    OK(ctx, new_trial(store, study, config, &id, &number));
    OK(ctx, spt__history_refresh(store, h));
    OK(ctx, spt__history_snapshot(h, &snapshot));
    ck_assert_int_eq(spt_history_best(h), 4);
    ck_assert_int_eq(spt_history_finished(h), 6);
    OK(ctx, spt_history_trial(h, 3, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_FAILED);
    ck_assert_str_eq(spt_history_attribute(h, 3, "reason"), "the loss is infinite");
    OK(ctx, spt_history_trial(h, 2, &info));
    ck_assert(info.state == SPT_TRIAL_PRUNED && info.value == 1);
    const spt__attr stopped = {"reason", "\"stopped\""};
    spt__finish f = {.state = SPT_TRIAL_FAILED, .value = NAN, .attrs = &stopped, .n_attrs = 1};
    OK(ctx, spt__store_trial_finish(store, id, &f));
    OK(ctx, spt__history_refresh(store, h));
    ck_assert_int_eq(spt_history_count(h), 7);
    ck_assert_int_eq(spt_history_finished(h), 6);
    OK(ctx, spt_history_trial(snapshot, 6, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_RUNNING);
    ck_assert_str_eq(spt_trial_state_name(SPT_TRIAL_FAILED), "failed");
    ck_assert_int_eq(spt_history_trial(h, 7, &info), SPT_EINVAL);
    ck_assert_ptr_null(spt_history_config(h, -1));
    spt_history_free(h);
    spt_history_free(snapshot);
    spt_config_free(config);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(stale_trials)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_config *config = new_config(ctx, space, 0, 1, 0);
    int64_t study, id, number;
    bool made;
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    OK(ctx, new_trial(store, study, config, &id, &number));
    /* ours: we live, however long it takes */
    ck_assert_int_eq(fail_stale(store, study, 0), 0);
    OK(ctx, spt__store_trial_step(store, id, 0, 1));
    spt_config_free(config);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("store conformance", tcase_add_loop_test(tcase, studies_by_name, 0, kinds());
           tcase_add_loop_test(tcase, records_and_blocks, 0, kinds());
           tcase_add_loop_test(tcase, life_of_a_trial, 0, kinds());
           tcase_add_loop_test(tcase, states_and_the_best, 0, kinds());
           tcase_add_loop_test(tcase, stale_trials, 0, kinds());)
