#include "testing.h"

#include "base/options.h"

#include <locale.h>

static const spt__knob table[] = {
    {"learning_rate", SPT_OPTION_NUMBER, 1e-6, 1, 0.001, NULL, NULL, "step size"},
    {"epochs", SPT_OPTION_INTEGER, 1, 100000, 200, NULL, NULL, "passes over the rows"},
    {"optimizer", SPT_OPTION_CHOICE, 0, 0, 0, "adam|sgd|rmsprop", "adam", "the rule of the steps"},
    {"note", SPT_OPTION_TEXT, 0, 0, 0, NULL, NULL, "free text"},
    {"decay", SPT_OPTION_NUMBER, 0, INFINITY, 0.5, NULL, NULL, "per epoch"},
    {NULL, SPT_OPTION_TEXT, 0, 0, 0, NULL, NULL, NULL}};
static const spt__knob other[] = {{"x", SPT_OPTION_NUMBER, 0, 1, 0, NULL, NULL, "something else"},
                                  {NULL, SPT_OPTION_TEXT, 0, 0, 0, NULL, NULL, NULL}};

static spt_ctx *ctx;
static spt_options *options;

static void setup(void)
{
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt__options_new(ctx, "training", table, &options));
}

static void teardown(void)
{
    spt_options_free(options);
    spt_ctx_free(ctx);
}

START_TEST(null_handles_are_survived)
{
    double v = 0;
    const char *t = NULL;
    spt_option_info info;
    spt_record_init(&info, sizeof info);
    spt_options_free(NULL);
    ck_assert_int_eq(spt_options_count(NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_options_describe(NULL, 0, &info), SPT_EINVAL);
    ck_assert_int_eq(spt_options_set_number(NULL, "epochs", 1), SPT_EINVAL);
    ck_assert_int_eq(spt_options_set_text(NULL, "epochs", "1"), SPT_EINVAL);
    ck_assert_int_eq(spt_options_number(NULL, "epochs", &v), SPT_EINVAL);
    ck_assert_int_eq(spt_options_text(NULL, "note", &t), SPT_EINVAL);
    setup();
    ck_assert_int_eq(spt_options_describe(options, 0, NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_options_set_number(options, NULL, 1), SPT_EINVAL);
    ck_assert_int_eq(spt_options_set_text(options, "note", NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_options_number(options, "epochs", NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_options_text(options, "note", NULL), SPT_EINVAL);
    teardown();
}
END_TEST

START_TEST(knobs_are_described)
{
    setup();
    ck_assert_int_eq(spt_options_count(options), 5);
    spt_option_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_options_describe(options, 1, &info));
    ck_assert_str_eq(info.name, "epochs");
    ck_assert_int_eq(info.type, SPT_OPTION_INTEGER);
    ck_assert(info.low == 1 && info.high == 100000 && info.default_number == 200);
    OK(ctx, spt_options_describe(options, 2, &info));
    ck_assert_str_eq(info.choices, "adam|sgd|rmsprop");
    ck_assert_str_eq(info.default_text, "adam");
    OK(ctx, spt_options_describe(options, 3, &info));
    ck_assert_str_eq(info.default_text, "");
    FAILS(ctx, SPT_EINVAL, "0 to 4", spt_options_describe(options, 5, &info));
    info.struct_size = 0;
    FAILS(ctx, SPT_EINVAL, "spt_record_init", spt_options_describe(options, 0, &info));
    teardown();
}
END_TEST

START_TEST(numbers_are_set_and_read)
{
    double v = 0;
    setup();
    OK(ctx, spt_options_number(options, "learning_rate", &v));
    ck_assert(v == 0.001);
    OK(ctx, spt_options_set_number(options, "learning_rate", 1));
    OK(ctx, spt_options_set_text(options, "epochs", "50"));
    OK(ctx, spt_options_number(options, "epochs", &v));
    ck_assert(v == 50);
    FAILS(ctx, SPT_EINVAL, "training option 'learning_rate' is 2; 1e-06 to 1 are possible",
          spt_options_set_number(options, "learning_rate", 2));
    FAILS(ctx, SPT_EINVAL, "is 1.5; whole numbers 1 to 100000 are possible",
          spt_options_set_number(options, "epochs", 1.5));
    FAILS(ctx, SPT_EINVAL, "is -1; from 0 upwards are possible",
          spt_options_set_number(options, "decay", -1));
    FAILS(ctx, SPT_EINVAL, "NaN", spt_options_set_number(options, "decay", NAN));
    FAILS(ctx, SPT_EINVAL, "inf", spt_options_set_number(options, "decay", INFINITY));
    FAILS(ctx, SPT_EINVAL, "decimal point", spt_options_set_text(options, "learning_rate", "0,1"));
    FAILS(ctx, SPT_EINVAL, "takes a text, not a number",
          spt_options_set_number(options, "note", 1));
    FAILS(ctx, SPT_EINVAL, "one of a list", spt_options_set_number(options, "optimizer", 1));
    FAILS(ctx, SPT_EINVAL, "is a text", spt_options_number(options, "note", &v));
    OK(ctx, spt_options_number(options, "learning_rate", &v));
    ck_assert(v == 1);
    teardown();
}
END_TEST

START_TEST(texts_are_set_and_read)
{
    const char *t = NULL;
    setup();
    OK(ctx, spt_options_text(options, "optimizer", &t));
    ck_assert_str_eq(t, "adam");
    OK(ctx, spt_options_text(options, "note", &t));
    ck_assert_str_eq(t, "");
    OK(ctx, spt_options_set_text(options, "optimizer", "rmsprop"));
    OK(ctx, spt_options_text(options, "optimizer", &t));
    ck_assert_str_eq(t, "rmsprop");
    FAILS(ctx, SPT_EINVAL, "is 'rms'; possible are adam, sgd, rmsprop",
          spt_options_set_text(options, "optimizer", "rms"));
    FAILS(ctx, SPT_EINVAL, "possible are", spt_options_set_text(options, "optimizer", ""));
    FAILS(ctx, SPT_EINVAL, "possible are", spt_options_set_text(options, "optimizer", "adam|sgd"));
    FAILS(ctx, SPT_EINVAL, "UTF-8", spt_options_set_text(options, "note", "\xe4"));
    FAILS(ctx, SPT_EINVAL, "is a number", spt_options_text(options, "epochs", &t));
    ck_assert_ptr_null(t);
    teardown();
}
END_TEST

START_TEST(unknown_names_are_answered_with_the_nearest)
{
    double v = 0;
    setup();
    FAILS(ctx, SPT_ENOTFOUND, "there is no training option 'epoch'; the nearest is 'epochs'",
          spt_options_set_number(options, "epoch", 1));
    FAILS(ctx, SPT_ENOTFOUND, "'learning_rate'",
          spt_options_set_text(options, "Learning_Rate", "1"));
    FAILS(ctx, SPT_ENOTFOUND, "there are learning_rate, epochs, optimizer",
          spt_options_number(options, "zzzzzzzz", &v));
    FAILS(ctx, SPT_ENOTFOUND, "", spt_options_number(options, "", &v));
    teardown();
}
END_TEST

START_TEST(rooms_look_knobs_up)
{
    setup();
    ck_assert(spt__option(NULL, table, "decay") == 0.5);
    ck_assert_int_eq(spt__option_int(NULL, table, "epochs"), 200);
    ck_assert_str_eq(spt__option_text(NULL, table, "optimizer"), "adam");
    ck_assert_int_eq(spt__option_choice(NULL, table, "optimizer"), 0);
    OK(ctx, spt_options_set_text(options, "optimizer", "rmsprop"));
    OK(ctx, spt_options_set_number(options, "epochs", 7));
    ck_assert_int_eq(spt__option_int(options, table, "epochs"), 7);
    ck_assert_int_eq(spt__option_choice(options, NULL, "optimizer"), 2);
    ck_assert(spt__options_are(options, table));
    ck_assert(!spt__options_are(options, other));
    ck_assert(spt__options_are(NULL, other));
    teardown();
}
END_TEST

START_TEST(copies_are_independent_and_keep_their_context)
{
    setup();
    OK(ctx, spt_options_set_text(options, "note", "first"));
    OK(ctx, spt_options_set_number(options, "epochs", 3));
    spt_options *copy = NULL;
    OK(ctx, spt__options_copy(options, ctx, &copy));
    OK(ctx, spt_options_set_text(options, "note", "second"));
    teardown();
    const char *t = NULL;
    ck_assert_int_eq(spt_options_text(copy, "note", &t), SPT_OK);
    ck_assert_str_eq(t, "first");
    ck_assert_int_eq(spt__option_int(copy, NULL, "epochs"), 3);
    ck_assert_int_eq(spt_options_set_number(copy, "epochs", 0), SPT_EINVAL);
    spt_options_free(copy);
}
END_TEST

START_TEST(options_are_printed_for_the_record)
{
    spt__buf b;
    setup();
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        printf("not tried in de_DE.UTF-8: this system lacks it\n");
    spt__buf_init(&b, ctx);
    spt__options_print(NULL, table, &b);
    ck_assert_str_eq(b.data, "learning_rate=0.001 epochs=200 optimizer=adam note=\"\" decay=0.5");
    spt__buf_free(&b);
    OK(ctx, spt_options_set_text(options, "note", "two words"));
    OK(ctx, spt_options_set_text(options, "decay", "0.25"));
    spt__options_print(options, NULL, &b);
    ck_assert_str_eq(b.data,
                     "learning_rate=0.001 epochs=200 optimizer=adam note=\"two words\" decay=0.25");
    spt__buf_free(&b);
    setlocale(LC_ALL, "C");
    teardown();
}
END_TEST

TEST_MAIN("base: options", null_handles_are_survived, knobs_are_described, numbers_are_set_and_read,
          texts_are_set_and_read, unknown_names_are_answered_with_the_nearest, rooms_look_knobs_up,
          copies_are_independent_and_keep_their_context, options_are_printed_for_the_record)
