/* Building spaces: parameters, conditions, forbidden combinations, freezing. */
#include "testing.h"
#include "space/space.h"

static spt_ctx *ctx;

static spt_space *space_new(void)
{
    OK(NULL, spt_ctx_new(NULL, &ctx));
    spt_space *space;
    OK(ctx, spt_space_new(ctx, "test", &space));
    return space;
}

static void end(spt_space *space)
{
    spt_space_free(space);
    spt_ctx_free(ctx);
}

static void value_is(const spt_space *space, int32_t i, int64_t k, double expected)
{
    double x = spt__space_grid_value(&space->parameters[i], k);
    ck_assert_msg(x == expected, "value %d of '%s' is %.17g, not %.17g", (int)k,
                  space->parameters[i].name, x, expected);
}

/* The doubles nearest to the decimals, as the compiler reads them. */
START_TEST(grids_do_not_drift)
{
    spt_space *s = space_new();
    OK(ctx, spt_space_add_float(s, "tenths", 0, 1, 0.1, 0, 0.3));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[0]), 11);
    value_is(s, 0, 3, 0.3);
    value_is(s, 0, 6, 0.6);
    value_is(s, 0, 7, 0.7);
    value_is(s, 0, 10, 1.0);
    OK(ctx, spt_space_add_float(s, "rate", 0.05, 0.6, 0.05, 0, 0.1));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[1]), 12);
    value_is(s, 1, 2, 0.15);
    value_is(s, 1, 11, 0.6);
    /* high goes down to the last value */
    OK(ctx, spt_space_add_float(s, "short", -0.7, 0.5, 0.25, 0, -0.7));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[2]), 5);
    value_is(s, 2, 4, 0.3);
    ck_assert(s->parameters[2].high == 0.3);
    /* no decimals: thirds */
    OK(ctx, spt_space_add_float(s, "thirds", 0, 1, 1.0 / 3.0, 0, 0));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[3]), 4);
    NEAR(spt__space_grid_value(&s->parameters[3], 3), 1.0, 1e-15);
    ck_assert(s->parameters[3].high <= 1.0);
    OK(ctx, spt_space_add_float(s, "tiny", 1e-9, 5e-9, 1e-9, 1, 3e-9));
    value_is(s, 4, 2, 3e-9);
    OK(ctx, spt_space_add_float(s, "one", 0, 0.05, 0.1, 0, 0));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[5]), 1);
    ck_assert(s->parameters[5].high == 0);
    OK(ctx, spt_space_add_int(s, "odd", 3, 42, 2, 1, 15));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[6]), 20);
    value_is(s, 6, 19, 41);
    OK(ctx,
       spt_space_add_int(s, "wide", -4503599627370496, 4503599627370496, 4503599627370496, 0, 0));
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[7]), 3);
    value_is(s, 7, 1, 0);
    end(s);
}
END_TEST

START_TEST(snap_and_index)
{
    spt_space *s = space_new();
    OK(ctx, spt_space_add_float(s, "free", -2, 3, 0, 0, 1));
    OK(ctx, spt_space_add_float(s, "rate", 0.05, 0.6, 0.05, 0, 0.1));
    OK(ctx, spt_space_add_int(s, "kernel", 3, 21, 2, 0, 11));
    OK(ctx, spt_space_add_bool(s, "on", 1));
    static const struct {
        int32_t parameter;
        double x, expected;
    } rows[] = {
        {0, -9, -2},     {0, 9, 3},    {0, 0.123, 0.123}, {0, -INFINITY, -2}, {0, NAN, 1},
        {1, 0.149, .15}, {1, 0, 0.05}, {1, 99, 0.6},      {1, INFINITY, 0.6}, {1, NAN, 0.1},
        {2, 3.9, 3},     {2, 4.1, 5},  {2, 20.5, 21},     {2, -INFINITY, 3},  {2, NAN, 11},
        {3, 0.4, 0},     {3, 0.6, 1},  {3, 7, 1},         {3, NAN, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double x = spt__space_snap(&s->parameters[rows[i].parameter], rows[i].x);
        ck_assert_msg(x == rows[i].expected, "row %zu: %.17g", i, x);
    }
    ck_assert_int_eq(spt__space_grid_count(&s->parameters[0]), 0);
    for (int32_t i = 1; i < 4; i++)
        for (int64_t k = 0; k < s->parameters[i].count; k++)
            ck_assert_int_eq(k, spt__space_grid_index(&s->parameters[i],
                                                      spt__space_grid_value(&s->parameters[i], k)));
    end(s);
}
END_TEST

/* Cells of the search scale reach half a step to both sides; the lowest on a logarithm as far down
 * as up. */
START_TEST(edges)
{
    spt_space *s = space_new();
    OK(ctx, spt_space_add_float(s, "range", -1, 3, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "rate", 1e-4, 1, 0, 1, 0.1));
    OK(ctx, spt_space_add_int(s, "even", 2, 8, 2, 0, 2));
    OK(ctx, spt_space_add_int(s, "units", 1, 3, 1, 1, 1));
    OK(ctx, spt_space_add_int(s, "coarse", 1, 9, 4, 1, 1));
    const double expected[][4] = {{-1, 3, 3, 3},
                                  {log(1e-4), 0, 0, 0},
                                  {1, 3, 5, 7},
                                  {log(0.5), log(1.5), log(2.5), log(3.5)},
                                  {-log(3), log(3), log(7), log(11)}};
    for (int32_t j = 0; j < 5; j++)
        for (int k = 0; k < 4; k++)
            ck_assert_msg(fabs(spt__space_edge(&s->parameters[j], k) - expected[j][k]) < 1e-14,
                          "edge %d of parameter %d is %.17g", k, (int)j,
                          spt__space_edge(&s->parameters[j], k));
    ck_assert_double_eq(spt__space_edge(&s->parameters[2], 4), 9);
    end(s);
}
END_TEST

START_TEST(bad_parameters)
{
    spt_space *s = space_new();
    static const char *const two[] = {"a", "b"}, *const twice[] = {"a", "a"},
                             *const empty[] = {"a", ""}, *const blank[] = {"a", " b"},
                             *const control[] = {"a", "b\nc"}, *const latin[] = {"a", "\xe4"};
    const int32_t bad = SPT_EINVAL;
    OK(ctx, spt_space_add_bool(s, "taken", 0));
    FAILS(ctx, bad, "already", spt_space_add_bool(s, "taken", 0));
    FAILS(ctx, bad, "a letter first", spt_space_add_bool(s, "1st", 0));
    FAILS(ctx, bad, "a letter first", spt_space_add_bool(s, "", 0));
    FAILS(ctx, bad, "a letter first", spt_space_add_bool(s, NULL, 0));
    FAILS(ctx, bad, "a letter first", spt_space_add_bool(s, "\xc3\xa4", 0));
    FAILS(ctx, bad, "letters, digits", spt_space_add_bool(s, "a b", 0));
    FAILS(ctx, bad, "up to 64",
          spt_space_add_bool(s, "a1234567890123456789012345678901234567890123456789012345678901234",
                             0));
    OK(ctx, spt_space_add_bool(
                s, "a123456789012345678901234567890123456789012345678901234567890123", 0));
    FAILS(ctx, bad, "above high", spt_space_add_float(s, "x", 2, 1, 0, 0, 1));
    FAILS(ctx, bad, "bounds", spt_space_add_float(s, "x", NAN, 1, 0, 0, 1));
    FAILS(ctx, bad, "bounds", spt_space_add_float(s, "x", 0, INFINITY, 0, 0, 1));
    FAILS(ctx, bad, "bounds", spt_space_add_int(s, "x", 0, INT64_MAX, 1, 0, 1));
    FAILS(ctx, bad, "bounds", spt_space_add_int(s, "x", INT64_MIN, 0, 1, 0, 0));
    FAILS(ctx, bad, "step", spt_space_add_float(s, "x", 0, 1, -0.1, 0, 1));
    FAILS(ctx, bad, "step", spt_space_add_float(s, "x", 0, 1, NAN, 0, 1));
    FAILS(ctx, bad, "too small", spt_space_add_float(s, "x", 0, 1, 1e-200, 0, 1));
    FAILS(ctx, bad, "step", spt_space_add_int(s, "x", 0, 9, 0, 0, 1));
    FAILS(ctx, bad, "log is 2; 0 and 1 are possible", spt_space_add_float(s, "x", 1, 2, 0, 2, 1));
    FAILS(ctx, bad, "value is 2; 0 and 1 are possible", spt_space_add_bool(s, "x", 2));
    FAILS(ctx, bad, "log is -1", spt_space_add_int(s, "x", 1, 2, 1, -1, 1));
    FAILS(ctx, bad, "logarithmic", spt_space_add_float(s, "x", 0, 1, 0, 1, 1));
    FAILS(ctx, bad, "logarithmic", spt_space_add_int(s, "x", 0, 9, 1, 1, 1));
    FAILS(ctx, bad, "default of parameter 'x' is 2", spt_space_add_float(s, "x", 0, 1, 0, 0, 2));
    FAILS(ctx, bad, "nearest is 0.3", spt_space_add_float(s, "x", 0, 1, 0.1, 0, 0.32));
    FAILS(ctx, bad, "default", spt_space_add_float(s, "x", 0, 1, 0, 0, NAN));
    FAILS(ctx, bad, "nearest is 5", spt_space_add_int(s, "x", 3, 9, 2, 0, 4));
    FAILS(ctx, bad, "0 choices", spt_space_add_categorical(s, "x", two, 0, 0));
    FAILS(ctx, bad, "-1 choices", spt_space_add_categorical(s, "x", two, -1, 0));
    FAILS(ctx, bad, "0 choices", spt_space_add_categorical(s, "x", NULL, 2, 0));
    FAILS(ctx, bad, "choice 2", spt_space_add_categorical(s, "x", two, 2, 2));
    FAILS(ctx, bad, "choice -1", spt_space_add_ordinal(s, "x", two, 2, -1));
    FAILS(ctx, bad, "twice", spt_space_add_ordinal(s, "x", twice, 2, 0));
    FAILS(ctx, bad, "choice 1", spt_space_add_ordinal(s, "x", empty, 2, 0));
    FAILS(ctx, bad, "choice 1", spt_space_add_ordinal(s, "x", blank, 2, 0));
    FAILS(ctx, bad, "choice 1", spt_space_add_ordinal(s, "x", control, 2, 0));
    FAILS(ctx, bad, "choice 1", spt_space_add_ordinal(s, "x", latin, 2, 0));
    FAILS(ctx, bad, "group", spt_space_set_group(s, "taken", "two words"));
    FAILS(ctx, SPT_ENOTFOUND, "'taken' is the nearest", spt_space_set_group(s, "takn", "conv"));
    ck_assert_int_eq(spt_space_count(s), 2);
    spt_space *other = s;
    FAILS(ctx, bad, "space name", spt_space_new(ctx, "", &other));
    ck_assert_ptr_null(other);
    end(s);
}
END_TEST

START_TEST(described)
{
    spt_space *s = space_new();
    static const char *const sizes[] = {"little", "some", "much"};
    OK(ctx, spt_space_add_float(s, "rate", 1e-4, 1e-1, 0, 1, 1e-3));
    OK(ctx, spt_space_add_ordinal(s, "size", sizes, 3, 1));
    OK(ctx, spt_space_set_group(s, "rate", "training"));
    const char *one = "some";
    OK(ctx, spt_space_add_float(s, "x", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_condition(s, "x", "size", SPT_OP_GE, &one, 1));
    spt_parameter_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_space_describe(s, 0, &info));
    ck_assert_int_eq(info.type, SPT_PARAMETER_FLOAT);
    ck_assert_str_eq(info.name, "rate");
    ck_assert_str_eq(info.group, "training");
    ck_assert(info.low == 1e-4 && info.high == 1e-1 && info.step == 0 && info.value == 1e-3);
    ck_assert(info.log == 1 && info.n_choices == 0 && info.n_conditions == 0 && info.parent == -1);
    OK(ctx, spt_space_describe(s, 1, &info));
    ck_assert(info.type == SPT_PARAMETER_ORDINAL && info.low == 0 && info.high == 2);
    ck_assert(info.n_choices == 3 && info.value == 1 && info.log == 0);
    ck_assert_str_eq(info.group, "");
    OK(ctx, spt_space_describe(s, 2, &info));
    ck_assert(info.n_conditions == 1 && info.parent == 1);
    ck_assert_int_eq(spt_space_describe(s, 3, &info), SPT_EINVAL);
    ck_assert_int_eq(spt_space_describe(s, -1, &info), SPT_EINVAL);
    ck_assert_str_eq(spt_space_choice(s, 1, 2), "much");
    ck_assert_ptr_null(spt_space_choice(s, 1, 3));
    ck_assert_ptr_null(spt_space_choice(s, 0, 0));
    ck_assert_str_eq(spt_space_name(s), "test");
    ck_assert_int_eq(spt_space_find(s, "x"), 2);
    ck_assert_int_eq(spt_space_find(s, "y"), SPT_ENOTFOUND);
    end(s);
}
END_TEST

/* a: int 1..5, t: three ranks, c: a category, f: continuous 0..1 */
static spt_space *parents(void)
{
    static const char *const ranks[] = {"low", "mid", "top"}, *const kinds[] = {"p", "q", "r"};
    spt_space *s = space_new();
    OK(ctx, spt_space_add_int(s, "a", 1, 5, 1, 0, 1));
    OK(ctx, spt_space_add_ordinal(s, "t", ranks, 3, 0));
    OK(ctx, spt_space_add_categorical(s, "c", kinds, 3, 0));
    OK(ctx, spt_space_add_float(s, "f", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_bool(s, "child", 1));
    return s;
}

typedef struct {
    const char *parent;
    int32_t op;
    const char *values[3];
    int32_t n;
    const char *text;
    const char *truth; /* '1' where it holds: for a 1..5; for t and c by index; for f 0, .5, 1 */
} condition_row;

static const condition_row truths[] = {
    {"a", SPT_OP_EQ, {"2"}, 1, "a = 2", "01000"},
    {"a", SPT_OP_NE, {"2"}, 1, "a != 2", "10111"},
    {"a", SPT_OP_LT, {"3"}, 1, "a < 3", "11000"},
    {"a", SPT_OP_LE, {"3"}, 1, "a <= 3", "11100"},
    {"a", SPT_OP_GT, {"3"}, 1, "a > 3", "00011"},
    {"a", SPT_OP_GE, {"3"}, 1, "a >= 3", "00111"},
    {"a", SPT_OP_GE, {"2.5"}, 1, "a >= 2.5", "00111"},
    {"a", SPT_OP_IN, {"5", "1"}, 2, "a in {5, 1}", "10001"},
    {"t", SPT_OP_EQ, {"mid"}, 1, "t = mid", "010"},
    {"t", SPT_OP_LT, {"top"}, 1, "t < top", "110"},
    {"t", SPT_OP_GE, {"mid"}, 1, "t >= mid", "011"},
    {"t", SPT_OP_IN, {"low", "top"}, 2, "t in {low, top}", "101"},
    {"c", SPT_OP_NE, {"q"}, 1, "c != q", "101"},
    {"c", SPT_OP_IN, {"q", "r"}, 2, "c in {q, r}", "011"},
    {"f", SPT_OP_GT, {"0.5"}, 1, "f > 0.5", "001"},
    {"f", SPT_OP_LE, {"0.5"}, 1, "f <= 0.5", "110"},
};

START_TEST(truth_tables)
{
    const condition_row *row = &truths[_i];
    spt_space *s = parents();
    OK(ctx, spt_space_add_condition(s, "child", row->parent, row->op, row->values, row->n));
    ck_assert_str_eq(spt_space_condition(s, 4), row->text);
    ck_assert_str_eq(spt_space_condition(s, 0), "");
    spt_config *config;
    OK(ctx, spt_config_new(ctx, s, &config));
    for (int32_t i = 0; row->truth[i]; i++) {
        double x = row->parent[0] == 'a' ? i + 1 : row->parent[0] == 'f' ? 0.5 * i : i;
        OK(ctx, spt_config_set_number(config, row->parent, x));
        ck_assert_msg(spt_config_exists(config, "child") == (row->truth[i] == '1'), "%s at %d",
                      row->text, i);
    }
    spt_config_free(config);
    end(s);
}
END_TEST

START_TEST(bad_conditions)
{
    static const struct {
        const char *child, *parent;
        int32_t op;
        const char *values[2];
        int32_t n, status;
        const char *words;
    } rows[] = {
        {"child", "nope", SPT_OP_EQ, {"1"}, 1, SPT_ENOTFOUND, "no parameter 'nope'"},
        {"chld", "a", SPT_OP_EQ, {"1"}, 1, SPT_ENOTFOUND, "'child' is the nearest"},
        {"child", NULL, SPT_OP_EQ, {"1"}, 1, SPT_EINVAL, "NULL"},
        {"a", "t", SPT_OP_EQ, {"mid"}, 1, SPT_EINVAL, "a parent comes first"},
        {"child", "child", SPT_OP_EQ, {"true"}, 1, SPT_EINVAL, "a parent comes first"},
        {"child", "a", 0, {"1"}, 1, SPT_EINVAL, "comparison 0"},
        {"child", "a", 8, {"1"}, 1, SPT_EINVAL, "comparison 8"},
        {"child", "a", SPT_OP_EQ, {"1", "2"}, 2, SPT_EINVAL, "has 2 values; 1 is possible"},
        {"child", "a", SPT_OP_IN, {"1"}, 0, SPT_EINVAL, "has 0 values; 1 to 1000 are possible"},
        {"child", "a", SPT_OP_EQ, {NULL}, 1, SPT_EINVAL, "NULL"},
        {"child", "a", SPT_OP_EQ, {"x"}, 1, SPT_EINVAL, "a number is needed"},
        {"child", "a", SPT_OP_EQ, {"1.5"}, 1, SPT_EINVAL, "whole"},
        {"child", "a", SPT_OP_EQ, {"6"}, 1, SPT_EINVAL, "1 to 5 are possible"},
        {"child", "a", SPT_OP_NE, {"6"}, 1, SPT_EINVAL, "1 to 5 are possible"},
        {"child", "a", SPT_OP_IN, {"1", "9"}, 2, SPT_EINVAL, "1 to 5 are possible"},
        {"child", "a", SPT_OP_IN, {"1", "1.0"}, 2, SPT_EINVAL, "named twice"},
        {"child", "a", SPT_OP_GT, {"5"}, 1, SPT_EINVAL, "'a > 5' can never hold"},
        {"child", "a", SPT_OP_LT, {"1"}, 1, SPT_EINVAL, "never hold"},
        {"child", "a", SPT_OP_LE, {"0.5"}, 1, SPT_EINVAL, "never hold"},
        {"child", "f", SPT_OP_GT, {"1"}, 1, SPT_EINVAL, "never hold"},
        {"child", "f", SPT_OP_LT, {"0"}, 1, SPT_EINVAL, "never hold"},
        {"child", "f", SPT_OP_GE, {"1.5"}, 1, SPT_EINVAL, "never hold"},
        {"child", "c", SPT_OP_LT, {"q"}, 1, SPT_EINVAL, "no order"},
        {"child", "c", SPT_OP_EQ, {"Q"}, 1, SPT_EINVAL, "no choice 'Q'"},
        {"child", "t", SPT_OP_GT, {"top"}, 1, SPT_EINVAL, "never hold"},
        {"child", "t", SPT_OP_GE, {"midd"}, 1, SPT_EINVAL, "'mid' is the nearest"},
    };
    spt_space *s = parents();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        FAILS(ctx, rows[i].status, rows[i].words,
              spt_space_add_condition(s, rows[i].child, rows[i].parent, rows[i].op, rows[i].values,
                                      rows[i].n));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_space_add_condition(s, "child", "a", SPT_OP_EQ, NULL, 1));
    ck_assert_str_eq(spt_space_condition(s, 4), "");
    /* alone each may hold, together none does */
    const char *half = "0.5", *less = "0.4", *three = "3", *two = "2";
    OK(ctx, spt_space_add_condition(s, "child", "f", SPT_OP_GE, &half, 1));
    FAILS(ctx, SPT_EINVAL, "'f >= 0.5 and f < 0.4' can never hold",
          spt_space_add_condition(s, "child", "f", SPT_OP_LT, &less, 1));
    FAILS(ctx, SPT_EINVAL, "never hold",
          spt_space_add_condition(s, "child", "f", SPT_OP_LT, &half, 1));
    OK(ctx, spt_space_add_condition(s, "child", "a", SPT_OP_LT, &three, 1));
    FAILS(ctx, SPT_EINVAL, "never hold",
          spt_space_add_condition(s, "child", "a", SPT_OP_GE, &three, 1));
    OK(ctx, spt_space_add_condition(s, "child", "a", SPT_OP_GE, &two, 1));
    ck_assert_str_eq(spt_space_condition(s, 4), "f >= 0.5 and a < 3 and a >= 2");
    /* open on both sides: only what lies between holds */
    const char *low = "0.5", *high = "0.51";
    OK(ctx, spt_space_forbid(s));
    OK(ctx, spt_space_forbid_term(s, "f", SPT_OP_GT, &low, 1));
    OK(ctx, spt_space_forbid_term(s, "f", SPT_OP_LT, &high, 1));
    end(s);
}
END_TEST

START_TEST(forbidden)
{
    spt_space *s = parents();
    const char *yes = "true", *two = "2", *mid = "mid", *five = "5", *q[] = {"q", "r"};
    FAILS(ctx, SPT_EINVAL, "comes first", spt_space_forbid_term(s, "a", SPT_OP_EQ, &two, 1));
    OK(ctx, spt_space_add_condition(s, "child", "a", SPT_OP_GE, &two, 1));
    OK(ctx, spt_space_forbid(s));
    FAILS(ctx, SPT_EINVAL, "no terms yet", spt_space_forbid(s));
    FAILS(ctx, SPT_EINVAL,
          "forbidden combination 1: ", spt_space_forbid_term(s, "a", SPT_OP_EQ, &mid, 1));
    FAILS(ctx, SPT_ENOTFOUND, "combination 1", spt_space_forbid_term(s, "b", SPT_OP_EQ, &mid, 1));
    spt_config *config;
    FAILS(ctx, SPT_EINVAL, "combination 1 has no terms", spt_config_new(ctx, s, &config));
    ck_assert_ptr_null(config);
    OK(ctx, spt_space_forbid_term(s, "child", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_space_forbid_term(s, "c", SPT_OP_IN, q, 2));
    OK(ctx, spt_space_forbid(s));
    OK(ctx, spt_space_forbid_term(s, "a", SPT_OP_GE, &five, 1));
    ck_assert_int_eq(spt_space_forbidden_count(s), 2);
    ck_assert_str_eq(spt_space_forbidden(s, 0), "child = true and c in {q, r}");
    ck_assert_str_eq(spt_space_forbidden(s, 1), "a >= 5");
    ck_assert_ptr_null(spt_space_forbidden(s, 2));
    OK(ctx, spt_config_new(ctx, s, &config));
    OK(ctx, spt_config_set_text(config, "c", "q"));
    OK(ctx, spt_config_check(config)); /* child does not exist */
    ck_assert_int_eq(spt__space_forbidden(s, config->value), -1);
    OK(ctx, spt_config_set_text(config, "a", "2"));
    FAILS(ctx, SPT_EINVAL, "child = true and c in {q, r}", spt_config_check(config));
    ck_assert_int_eq(spt__space_forbidden(s, config->value), 0);
    OK(ctx, spt_config_set_text(config, "child", "false"));
    OK(ctx, spt_config_check(config));
    OK(ctx, spt_config_set_text(config, "a", "5"));
    FAILS(ctx, SPT_EINVAL, "a >= 5", spt_config_check(config));
    spt_config_free(config);
    end(s);
}
END_TEST

START_TEST(forbidden_default)
{
    spt_space *s = parents();
    const char *one = "1";
    OK(ctx, spt_space_forbid(s));
    OK(ctx, spt_space_forbid_term(s, "a", SPT_OP_EQ, &one, 1));
    spt_config *config;
    FAILS(ctx, SPT_EINVAL, "the default configuration is forbidden by 'a = 1'",
          spt_config_new(ctx, s, &config));
    /* not frozen by the failure: another term makes it right */
    const char *top = "top";
    OK(ctx, spt_space_forbid_term(s, "t", SPT_OP_EQ, &top, 1));
    OK(ctx, spt_config_new(ctx, s, &config));
    spt_config_free(config);
    end(s);
}
END_TEST

START_TEST(frozen)
{
    spt_space *s = parents(), *more;
    spt_config *config;
    OK(ctx, spt_space_ref(s, &more));
    OK(ctx, spt_space_add_bool(s, "late", 0));
    OK(ctx, spt_config_new(ctx, s, &config));
    static const char *const one[] = {"1"};
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_add_bool(s, "later", 0));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_add_int(more, "later", 0, 1, 1, 0, 0));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_add_float(s, "later", 0, 1, 0, 0, 0));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_add_ordinal(s, "later", one, 1, 0));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_set_group(s, "a", "g"));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_add_condition(s, "late", "a", SPT_OP_EQ, one, 1));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_forbid(s));
    FAILS(ctx, SPT_EBUSY, "frozen", spt_space_forbid_term(s, "a", SPT_OP_EQ, one, 1));
    /* handles go in any order, the context first */
    spt_ctx_free(ctx);
    spt_space_free(s);
    spt_space_free(more);
    ck_assert_int_eq(spt_config_exists(config, "late"), 1);
    ck_assert_str_eq(spt_space_name(spt_config_space(config)), "test");
    spt_config_free(config);
    spt_config_free(NULL);
    spt_space_free(NULL);
}
END_TEST

START_TEST(differences)
{
    spt_space *a = parents(), *b;
    const char *two = "2", *three = "3";
    OK(ctx, spt_space_new(ctx, "other", &b));
    spt__buf why;
    spt__buf_init(&why, ctx);
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "parameter 'a' is not on record");
    OK(ctx, spt_space_add_int(b, "a", 1, 6, 1, 0, 1));
    spt_space_free(a);
    OK(ctx, spt_space_new(ctx, "first", &a));
    OK(ctx, spt_space_add_int(a, "a", 1, 5, 1, 0, 1));
    spt__buf_free(&why);
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "parameter 'a' is int 1 to 5 by 1, default 1; on record it is int 1 "
                               "to 6 by 1, default 1");
    spt_space_free(b);
    OK(ctx, spt_space_new(ctx, "second", &b));
    OK(ctx, spt_space_add_int(b, "a", 1, 5, 1, 0, 1));
    spt__buf_free(&why);
    ck_assert(spt__space_same(a, b, &why));
    OK(ctx, spt_space_forbid(a));
    OK(ctx, spt_space_forbid_term(a, "a", SPT_OP_EQ, &two, 1));
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "forbidden combination 1 is 'a = 2'; on record it is 'none'");
    OK(ctx, spt_space_forbid(b));
    OK(ctx, spt_space_forbid_term(b, "a", SPT_OP_EQ, &three, 1));
    spt__buf_free(&why);
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "forbidden combination 1 is 'a = 2'; on record it is 'a = 3'");
    OK(ctx, spt_space_add_bool(b, "x", 0));
    spt__buf_free(&why);
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "parameter 'x' is only on record");
    OK(ctx, spt_space_add_bool(a, "y", 0));
    spt__buf_free(&why);
    ck_assert(!spt__space_same(a, b, &why));
    ck_assert_str_eq(why.data, "parameter 'y' stands where 'x' is on record");
    spt__buf_free(&why);
    spt_space_free(b);
    end(a);
}
END_TEST

SUITE_MAIN("space build",
           const TTest *const tests[] = {grids_do_not_drift, snap_and_index, edges, bad_parameters,
                                         described, bad_conditions, forbidden, frozen,
                                         forbidden_default, differences};
           for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
               tcase_add_test(tcase, tests[i]);
           tcase_add_loop_test(tcase, truth_tables, 0, (int)(sizeof truths / sizeof *truths));)
