/* The rule of base.h for a handle that is NULL: counts, numbers and 0/1 questions are SPT_EINVAL,
 * pointers are NULL, doubles NaN. One line per function. */
#include "../testing.h"

typedef struct asked {
    const char *call;
    int64_t number;
} asked;
#define ASK(call)              \
    {                          \
#call, (int64_t)(call) \
    }

START_TEST(counts_and_numbers)
{
    const asked all[] = {
        ASK(spt_ctx_threads(NULL)),
        ASK(spt_ctx_memory_limit(NULL)),
        ASK(spt_ctx_stopping(NULL)),
        ASK(spt_options_count(NULL)),
        ASK(spt_dataset_rows(NULL)),
        ASK(spt_dataset_bands(NULL)),
        ASK(spt_dataset_axis_unit(NULL)),
        ASK(spt_dataset_unit(NULL)),
        ASK(spt_dataset_axis_is_even(NULL)),
        ASK(spt_dataset_columns(NULL)),
        ASK(spt_dataset_find_column(NULL, "a")),
        ASK(spt_unit_from_name(NULL)),
        ASK(spt_axis_unit_from_name(NULL)),
        ASK(spt_space_count(NULL)),
        ASK(spt_space_find(NULL, "a")),
        ASK(spt_space_forbidden_count(NULL)),
        ASK(spt_config_exists(NULL, "a")),
        ASK(spt_config_equal(NULL, NULL)),
        ASK(spt_network_weights(NULL)),
        ASK(spt_network_tensors(NULL)),
        ASK(spt_network_fit_memory(NULL, NULL, 1, 0)),
        ASK(spt_model_targets(NULL)),
        ASK(spt_model_members(NULL)),
        ASK(spt_model_bands(NULL)),
        ASK(spt_model_axis_unit(NULL)),
        ASK(spt_model_unit(NULL)),
        ASK(spt_history_count(NULL)),
        ASK(spt_history_finished(NULL)),
        ASK(spt_history_best(NULL)),
        ASK(spt_history_repeated(NULL)),
        ASK(spt_history_confirmed(NULL)),
        ASK(spt_trials_count(NULL)),
        ASK(spt_trial_number(NULL)),
        ASK(spt_fanova_count(NULL)),
        ASK(spt_fanova_pair_count(NULL)),
        ASK(spt_fanova_trials(NULL)),
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(all[i].number == SPT_EINVAL, "%s is %lld, not SPT_EINVAL", all[i].call,
                      (long long)all[i].number);
}
END_TEST

START_TEST(pointers)
{
    const struct {
        const char *call;
        const void *pointer;
    } all[] = {
#define POINT(call) {#call, (call)}
        POINT(spt_ctx_kernels(NULL)),
        POINT(spt_dataset_axis(NULL)),
        POINT(spt_dataset_text(NULL, 0, 0)),
        POINT(spt_dataset_id(NULL, 0)),
        POINT(spt_dataset_note(NULL, 0)),
        POINT(spt_space_name(NULL)),
        POINT(spt_space_choice(NULL, 0, 0)),
        POINT(spt_space_condition(NULL, 0)),
        POINT(spt_space_forbidden(NULL, 0)),
        POINT(spt_config_space(NULL)),
        POINT(spt_config_choice(NULL, "a")),
        POINT(spt_model_target(NULL)),
        POINT(spt_model_axis(NULL)),
        POINT(spt_model_note(NULL, "a")),
        POINT(spt_model_note_key(NULL, 0)),
        POINT(spt_store_study(NULL, 0)),
        POINT(spt_history_name(NULL)),
        POINT(spt_history_space(NULL)),
        POINT(spt_history_record(NULL, "a")),
        POINT(spt_history_record_key(NULL, 0)),
        POINT(spt_history_config(NULL, 0)),
        POINT(spt_history_attribute(NULL, 0, "a")),
        POINT(spt_history_attribute_key(NULL, 0, 0)),
        POINT(spt_trial_config(NULL)),
        POINT(spt_cv_dropped(NULL, 0)),
        POINT(spt_fanova_prior(NULL)),
        POINT(spt_fanova_warning(NULL, 0)),
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(all[i].pointer == NULL, "%s is not NULL", all[i].call);
}
END_TEST

START_TEST(doubles)
{
    ck_assert(isnan(spt_trainer_rate(NULL)));
    ck_assert(isnan(spt_fanova_residual(NULL, 1)));
    ck_assert(isnan(spt_fanova_out_of_bag(NULL)));
    ck_assert(isnan(spt_fanova_variance(NULL)));
    ck_assert(isnan(spt_fanova_cut(NULL)));
}
END_TEST

/* The exception: a host prints these without looking. */
START_TEST(error_texts)
{
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(NULL), "NULL"));
    ck_assert_ptr_nonnull(strstr(spt_predictor_last_error(NULL), "NULL"));
}
END_TEST

TEST_MAIN("base null", counts_and_numbers, pointers, doubles, error_texts)
