/* Recipes: what can be put in, how they are written down, copied and read. */
#include "failing.h"

#include "prep/recipe.h"

static const char DEFAULTS[] = "d1_window=11 d1_order=2 d2_window=11 d2_order=2 window_in=points "
                               "constant_snv=error";

static void text_is(spt_ctx *ctx, const spt_prep *prep, const char *want)
{
    char text[512];
    int64_t needed;
    ck_assert_int_eq(spt_prep_text(prep, NULL, 0, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, (int64_t)strlen(want) + 1);
    ck_assert_int_eq(spt_prep_text(prep, text, needed - 1, &needed), SPT_ECAPACITY);
    OK(ctx, spt_prep_text(prep, text, sizeof text, &needed));
    ck_assert_str_eq(text, want);
}

START_TEST(text_and_steps)
{
    spt_ctx *ctx;
    spt_prep *prep, *copy;
    char want[512];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    text_is(ctx, prep, DEFAULTS);
    OK(ctx, spt_prep_add_average(prep, "sample \"id\"\n"));
    OK(ctx, spt_prep_add_crop(prep, 400.5, 2499.1));
    OK(ctx, spt_prep_add_resample(prep, 500, 2400, 0.1));
    OK(ctx, spt_prep_add_decimate(prep, 20, 1));
    OK(ctx, spt_prep_add_decimate(prep, 2, 0));
    snprintf(want, sizeof want,
             "average \"sample \\\"id\\\"\\n\"; crop 400.5 2499.1; resample 500 2400 0.1; decimate "
             "20 mean; decimate 2 first; %s",
             DEFAULTS);
    text_is(ctx, prep, want);
    OK(ctx, spt__prep_copy(prep, ctx, &copy));
    spt_prep_free(prep);
    text_is(ctx, copy, want);
    ck_assert_int_eq(spt__prep_step_count(copy), 5);
    ck_assert_str_eq(spt__prep_step_at(copy, 0)->column, "sample \"id\"\n");
    ck_assert_int_eq(spt__prep_step_at(copy, 1)->kind, SPT__STEP_CROP);
    ck_assert(spt__prep_step_at(copy, 1)->low == 400.5);
    ck_assert(spt__prep_step_at(copy, 2)->step == 0.1);
    ck_assert_int_eq(spt__prep_step_at(copy, 3)->factor, 20);
    ck_assert_int_eq(spt__prep_step_at(copy, 3)->average, 1);
    ck_assert_int_eq(spt__prep_step_at(copy, 4)->average, 0);
    spt_prep_free(copy);
    spt_prep_free(NULL);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(channel_settings)
{
    spt_ctx *ctx;
    spt_prep *prep, *copy;
    spt_options *o;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "d2_window", 15));
    OK(ctx, spt_options_set_number(o, "d2_order", 3));
    OK(ctx, spt_options_set_text(o, "constant_snv", "zero"));
    OK(ctx, spt_prep_set_options(prep, o));
    OK(ctx, spt_options_set_number(o, "d2_window", 17)); /* copied: changes nothing */
    OK(ctx, spt__prep_copy(prep, ctx, &copy));
    spt_options_free(o);
    text_is(ctx, copy,
            "d1_window=11 d1_order=2 d2_window=15 d2_order=3 window_in=points constant_snv=zero");
    ck_assert(spt__option(spt__prep_channel_options(copy), spt__channel_knobs, "d2_window") == 15);
    OK(ctx, spt_prep_set_options(copy, NULL));
    text_is(ctx, copy, DEFAULTS);
    spt_prep_free(prep);
    spt_prep_free(copy);
    spt_ctx_free(ctx);
}
END_TEST

static int32_t window_of(spt_ctx *ctx, double width, double step, int64_t p)
{
    spt_options *o;
    int32_t window, order;
    OK(ctx, spt_prep_options_new(ctx, &o));
    OK(ctx, spt_options_set_text(o, "window_in", "axis"));
    OK(ctx, spt_options_set_number(o, "d1_window", width));
    int32_t status = spt__channel_window(o, 1, step, p, &window, &order, NULL);
    spt_options_free(o);
    return status < 0 ? status : window;
}

/* A window of w points stands for w steps; the nearest odd number, the smaller one of two. */
START_TEST(windows_in_axis_units)
{
    spt_ctx *ctx;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    ck_assert_int_eq(window_of(ctx, 22, 2, 700), 11);
    ck_assert_int_eq(window_of(ctx, 22, -2, 700), 11);
    ck_assert_int_eq(window_of(ctx, 22, 0.5, 700), 43);
    ck_assert_int_eq(window_of(ctx, 22.2, 0.5, 700), 45);
    ck_assert_int_eq(window_of(ctx, 0.022, 0.002, 700), 11);
    ck_assert_int_eq(window_of(ctx, 1.1, 0.1, 700), 11);
    ck_assert_int_eq(window_of(ctx, 23.9, 2, 700), 11);
    ck_assert_int_eq(window_of(ctx, 24, 2, 700), 11);
    ck_assert_int_eq(window_of(ctx, 24.1, 2, 700), 13);
    ck_assert_int_eq(window_of(ctx, 4.2, 0.3, 700), 13); /* 14, though 4.2 / 0.3 is above it */
    for (int points = 3; points < 60; points += 2)
        for (int step = 1; step < 40; step++)
            ck_assert_int_eq(window_of(ctx, points * (step * 0.1), step * 0.1, 700), points);
    ck_assert_int_eq(window_of(ctx, 0.5, 2, 700), 3); /* order 2 needs 3 points */
    ck_assert_int_eq(window_of(ctx, 22, 2, 11), 11);
    ck_assert_int_eq(window_of(ctx, 22, 2, 10), SPT_EINVAL);
    ck_assert_int_eq(window_of(ctx, 1e6, 1e-9, 700), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(bad_steps)
{
    spt_ctx *ctx;
    spt_prep *prep;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    FAILS(ctx, SPT_EINVAL, "crop from 2400 to 1100", spt_prep_add_crop(prep, 2400, 1100));
    FAILS(ctx, SPT_EINVAL, "finite", spt_prep_add_crop(prep, NAN, 1100));
    FAILS(ctx, SPT_EINVAL, "resample from 5 to 5", spt_prep_add_resample(prep, 5, 5, 1));
    FAILS(ctx, SPT_EINVAL, "step of resampling is -1", spt_prep_add_resample(prep, 5, 9, -1));
    FAILS(ctx, SPT_EINVAL, "gives one band", spt_prep_add_resample(prep, 5, 9, 5));
    FAILS(ctx, SPT_EINVAL, "more than 1000000", spt_prep_add_resample(prep, 1, 9, 1e-300));
    FAILS(ctx, SPT_EINVAL, "decimation is 0", spt_prep_add_decimate(prep, 0, 1));
    FAILS(ctx, SPT_EINVAL, "average of decimation is 2", spt_prep_add_decimate(prep, 4, 2));
    FAILS(ctx, SPT_EINVAL, "name of a column", spt_prep_add_average(prep, ""));
    FAILS(ctx, SPT_EINVAL, "name of a column", spt_prep_add_average(prep, NULL));
    text_is(ctx, prep, DEFAULTS);
    OK(ctx, spt_prep_add_average(prep, "id"));
    FAILS(ctx, SPT_EINVAL, "'id' is averaged by already", spt_prep_add_average(prep, "site"));
    spt_prep_free(prep);
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_add_crop(prep, 1100, 2400));
    FAILS(ctx, SPT_EINVAL, "step 2; it must be the first", spt_prep_add_average(prep, "id"));
    spt_prep_free(prep);
    ck_assert_int_eq(spt_prep_add_crop(NULL, 1, 2), SPT_EINVAL);
    ck_assert_int_eq(spt_prep_new(NULL, &prep), SPT_EINVAL);
    ck_assert_ptr_null(prep);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(resample_counts)
{
    ck_assert_int_eq(spt__resample_count(1100, 2400, 2), 651);
    ck_assert_int_eq(spt__resample_count(1100, 2401, 2), 651);
    ck_assert_int_eq(spt__resample_count(0.35, 2.5, 0.001), 2151);
    ck_assert_int_eq(spt__resample_count(1.1, 2.5, 0.001), 1401); /* the quotient is 1399.99... */
    ck_assert_int_eq(spt__resample_count(400, 2499.5, 0.5), 4200);
}
END_TEST

START_TEST(bad_settings)
{
    spt_ctx *ctx;
    spt_prep *prep;
    spt_options *o;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "d1_window", 10));
    FAILS(ctx, SPT_EINVAL, "d1_window is 10; an odd number of points, at least 3",
          spt_prep_set_options(prep, o));
    OK(ctx, spt_options_set_number(o, "d1_window", 5.5));
    FAILS(ctx, SPT_EINVAL, "d1_window is 5.5", spt_prep_set_options(prep, o));
    OK(ctx, spt_options_set_text(o, "window_in", "axis"));
    OK(ctx, spt_prep_set_options(prep, o));
    OK(ctx, spt_options_set_text(o, "window_in", "points"));
    OK(ctx, spt_options_set_number(o, "d1_window", 7));
    OK(ctx, spt_options_set_number(o, "d2_order", 5));
    OK(ctx, spt_options_set_number(o, "d2_window", 5));
    FAILS(ctx, SPT_EINVAL, "d2_window is 5; an odd number of points, at least 7 with d2_order 5",
          spt_prep_set_options(prep, o));
    FAILS(ctx, SPT_EINVAL, "", spt_options_set_number(o, "d2_order", 1));
    FAILS(ctx, SPT_EINVAL, "", spt_options_set_number(o, "d1_order", 9));
    spt_options_free(o);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* Each allocation in turn fails; the recipe stays as it was and nothing leaks. */
START_TEST(short_of_memory)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    int32_t status = SPT_ENOMEM;
    for (long n = 0; status != SPT_OK; n++) {
        spt_prep *prep = NULL, *copy = NULL;
        ck_assert_int_lt(n, 200);
        f.until_failure = n;
        status = spt_prep_new(ctx, &prep);
        if (status == SPT_OK) status = spt_prep_add_average(prep, "id");
        if (status == SPT_OK) status = spt_prep_add_crop(prep, 1100, 2400);
        if (status == SPT_OK) status = spt_prep_set_options(prep, NULL);
        if (status == SPT_OK) status = spt__prep_copy(prep, ctx, &copy);
        if (status == SPT_OK) {
            char text[256];
            int64_t needed;
            status = spt_prep_text(copy, text, sizeof text, &needed);
        }
        f.until_failure = -1;
        ck_assert(status == SPT_OK || status == SPT_ENOMEM);
        spt_prep_free(prep);
        spt_prep_free(copy);
    }
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("prep_recipe", text_and_steps, channel_settings, windows_in_axis_units, bad_steps,
          resample_counts, bad_settings, short_of_memory)
