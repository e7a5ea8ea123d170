/* The spaces that come along: names, tree, ranges that hold what the paper found. */
#include "testing.h"
#include "space/space.h"

#define SIZE_OF(array) ((int32_t)LENGTH(array))

static spt_ctx *ctx;

/* The names that spt_network_from_config() documents, written out once more. */
static const char *const conv_names[] = {
    "filters",   "kernel",    "stride",      "padding",      "batch_norm", "activation",  "pool",
    "pool_type", "pool_size", "pool_stride", "pool_padding", "dropout",    "dropout_rate"};
static const char *const fc_names[] = {"units", "batch_norm", "activation", "dropout",
                                       "dropout_rate"};
static const struct {
    const char *name, *group;
    bool extended; /* in cnn1d only */
} others[] = {{"optimizer", "training", false},   {"batch_size", "training", false},
              {"epochs", "training", false},      {"learning_rate", "training", true},
              {"schedule", "training", true},     {"decay", "training", true},
              {"weight_decay", "training", true}, {"target_transform", "training", true},
              {"channel_r", "input", false},      {"channel_a", "input", false},
              {"channel_a_d1", "input", false},   {"channel_a_d2", "input", false},
              {"channel_a_snv", "input", false},  {"scale", "input", false},
              {"conv_blocks", "conv", false},     {"fc_blocks", "fc", false}};
static const char *const channel_names[] = {"channel_r", "channel_a", "channel_a_d1",
                                            "channel_a_d2", "channel_a_snv"};
enum { PRESETS = 3, EXTENDED = 2, ADDED = 5 };

static spt_space *preset(const char *name)
{
    spt_space *s;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt_space_preset(ctx, name, &s));
    return s;
}

static void end(spt_space *s)
{
    spt_space_free(s);
    spt_ctx_free(ctx);
}

static const spt__parameter *get(const spt_space *s, const char *name)
{
    int32_t i = spt_space_find(s, name);
    ck_assert_msg(i >= 0, "'%s' is missing", name);
    return &s->parameters[i];
}

static const spt__parameter *in_block(const spt_space *s, const char *kind, int i, const char *name)
{
    char full[80];
    snprintf(full, sizeof full, "%s_%d_%s", kind, i, name);
    return get(s, full);
}

START_TEST(names)
{
    spt_space *s = preset("small");
    ck_assert_str_eq(spt_space_preset_name(0), "small");
    ck_assert_str_eq(spt_space_preset_name(1), "shen2021");
    ck_assert_str_eq(spt_space_preset_name(EXTENDED), "cnn1d");
    ck_assert_ptr_null(spt_space_preset_name(PRESETS));
    ck_assert_ptr_null(spt_space_preset_name(-1));
    spt_space *none = s;
    FAILS(ctx, SPT_ENOTFOUND, "'shen2021' is the nearest",
          spt_space_preset(ctx, "shen2012", &none));
    ck_assert_ptr_null(none);
    FAILS(ctx, SPT_ENOTFOUND, "small, shen2021 and cnn1d are possible",
          spt_space_preset(ctx, "enormous", &none));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_space_preset(ctx, NULL, &none));
    ck_assert_str_eq(spt_space_name(s), "small");
    end(s);
}
END_TEST

/* Everything that is documented is there, in its group, and nothing else. */
START_TEST(tree)
{
    spt_space *s = preset(spt_space_preset_name(_i));
    int conv = (int)get(s, "conv_blocks")->high, fc = (int)get(s, "fc_blocks")->high;
    ck_assert_int_eq(spt_space_count(s), SIZE_OF(others) - (_i == EXTENDED ? 0 : ADDED) +
                                             conv * SIZE_OF(conv_names) + fc * SIZE_OF(fc_names));
    for (int32_t k = 0; k < SIZE_OF(others); k++)
        if (!others[k].extended || _i == EXTENDED)
            ck_assert_str_eq(get(s, others[k].name)->group, others[k].group);
    for (int i = 1; i <= conv; i++) {
        for (int32_t k = 0; k < SIZE_OF(conv_names); k++) {
            const spt__parameter *p = in_block(s, "conv", i, conv_names[k]);
            char expected[64] = "";
            if (strncmp(conv_names[k], "pool_", 5) == 0)
                snprintf(expected, sizeof expected, "conv_%d_pool = true", i);
            else if (strcmp(conv_names[k], "dropout_rate") == 0)
                snprintf(expected, sizeof expected, "conv_%d_dropout = true", i);
            else if (i > 1)
                snprintf(expected, sizeof expected, "conv_blocks >= %d", i);
            ck_assert_str_eq(p->when.text ? p->when.text : "", expected);
            ck_assert_str_eq(p->group, "conv");
        }
        const spt__parameter *act = in_block(s, "conv", i, "activation");
        static const char *const five[] = {"relu", "leaky_relu", "elu", "selu", "swish"};
        ck_assert_int_eq(act->n_choices, 5);
        for (int k = 0; k < 5; k++)
            ck_assert_str_eq(act->choices[k], five[k]);
        ck_assert_str_eq(in_block(s, "conv", i, "padding")->choices[0], "valid");
        ck_assert_str_eq(in_block(s, "conv", i, "pool_padding")->choices[1], "same");
        ck_assert_str_eq(in_block(s, "conv", i, "pool_type")->choices[1], "average");
        ck_assert(in_block(s, "conv", i, "kernel")->step == 2);
    }
    for (int i = 1; i <= fc; i++)
        for (int32_t k = 0; k < SIZE_OF(fc_names); k++)
            ck_assert_str_eq(in_block(s, "fc", i, fc_names[k])->group, "fc");
    static const char *const three[] = {"adagrad", "rmsprop", "adam"};
    for (int k = 0; k < 3; k++)
        ck_assert_str_eq(get(s, "optimizer")->choices[k], three[k]);
    ck_assert_int_eq(get(s, "optimizer")->n_choices, 3);
    static const char *const scales[] = {"channel", "band", "centre"};
    for (int k = 0; k < 3; k++)
        ck_assert_str_eq(get(s, "scale")->choices[k], scales[k]);
    ck_assert_int_eq(get(s, "scale")->n_choices, 3);
    end(s);
}
END_TEST

/* Defaults are allowed, every parameter can come into being, blocks go as a whole. */
START_TEST(reachable)
{
    spt_space *s = preset(spt_space_preset_name(_i));
    spt_config *c;
    OK(ctx, spt_config_new(ctx, s, &c));
    OK(ctx, spt_config_check(c));
    ck_assert_int_eq(spt_config_exists(c, "conv_2_filters"), 0);
    ck_assert_int_eq(spt_config_exists(c, "conv_1_pool_size"), 0);
    for (int32_t i = 0; i < s->n; i++) {
        const spt__parameter *p = &s->parameters[i];
        ck_assert_msg(spt_config_exists(c, p->name) == 1, "'%s'", p->name);
        if (p->type == SPT_PARAMETER_BOOL || strstr(p->name, "_blocks"))
            OK(ctx, spt_config_set_number(c, p->name, p->high));
    }
    OK(ctx, spt_config_check(c));
    OK(ctx, spt_config_set_number(c, "conv_blocks", 1));
    OK(ctx, spt_config_set_number(c, "fc_blocks", 1));
    for (int32_t i = 0; i < s->n; i++) {
        const char *name = s->parameters[i].name;
        int32_t expected = !(strncmp(name, "conv_2", 6) == 0 || strncmp(name, "conv_3", 6) == 0 ||
                             strncmp(name, "conv_4", 6) == 0 || strncmp(name, "fc_2", 4) == 0 ||
                             strncmp(name, "fc_3", 4) == 0 || strncmp(name, "fc_4", 4) == 0);
        ck_assert_msg(spt_config_exists(c, name) == expected, "'%s'", name);
    }
    spt_config_free(c);
    end(s);
}
END_TEST

START_TEST(one_channel_at_least)
{
    spt_space *s = preset(spt_space_preset_name(_i));
    spt_config *c;
    OK(ctx, spt_config_new(ctx, s, &c));
    for (int32_t k = 0; k < SIZE_OF(channel_names); k++)
        OK(ctx, spt_config_set_text(c, channel_names[k], "false"));
    FAILS(ctx, SPT_EINVAL,
          "channel_r = false and channel_a = false and channel_a_d1 = false and channel_a_d2 = "
          "false and channel_a_snv = false",
          spt_config_check(c));
    for (int32_t k = 0; k < SIZE_OF(channel_names); k++) {
        OK(ctx, spt_config_set_text(c, channel_names[k], "true"));
        OK(ctx, spt_config_check(c));
        OK(ctx, spt_config_set_text(c, channel_names[k], "false"));
    }
    spt_config_free(c);
    end(s);
}
END_TEST

/* The paper's best: one convolutional block of 64 filters of 15, two dense ones, Adam, batches of
 * about 1,000, 1,500 epochs. In the middle of what can be searched; one block is the least a CNN
 * has. */
START_TEST(optimum_of_the_paper)
{
    spt_space *s = preset("shen2021");
    spt_config *c;
    OK(ctx, spt_config_new(ctx, s, &c));
    static const struct {
        const char *name;
        double value;
    } best[] = {{"fc_blocks", 2},       {"batch_size", 1000},  {"epochs", 1500},
                {"conv_1_filters", 64}, {"conv_1_kernel", 15}, {"fc_1_units", 128},
                {"fc_2_units", 64}};
    for (int32_t i = 0; i < SIZE_OF(best); i++) {
        const spt__parameter *p = get(s, best[i].name);
        OK(ctx, spt_config_set_number(c, best[i].name, best[i].value));
        double low = p->log ? log(p->low) : p->low, high = p->log ? log(p->high) : p->high;
        double share = ((p->log ? log(best[i].value) : best[i].value) - low) / (high - low);
        ck_assert_msg(share >= 0.2 && share <= 0.8, "%s at %.2f of its range", p->name, share);
    }
    OK(ctx, spt_config_set_number(c, "conv_blocks", 1));
    OK(ctx, spt_config_set_text(c, "optimizer", "adam"));
    OK(ctx, spt_config_check(c));
    spt_config_free(c);
    end(s);
}
END_TEST

/* cnn1d is shen2021 with more of training; weight decay exists behind its switch. */
START_TEST(extended)
{
    spt_space *s = preset("cnn1d"), *paper;
    spt_config *c;
    double value;
    OK(ctx, spt_space_preset(ctx, "shen2021", &paper));
    for (int32_t i = 0; i < paper->n; i++) {
        const spt__parameter *a = &paper->parameters[i], *b = get(s, a->name);
        ck_assert(a->low == b->low && a->high == b->high && a->step == b->step);
        ck_assert(a->log == b->log && a->value == b->value && a->type == b->type);
    }
    ck_assert_int_eq(spt_space_count(s), spt_space_count(paper) + ADDED);
    ck_assert(get(s, "learning_rate")->log && get(s, "weight_decay")->log);
    OK(ctx, spt_config_new(ctx, s, &c));
    OK(ctx, spt_config_number(c, "learning_rate", &value));
    NEAR(value, 1e-3, 0);
    ck_assert_str_eq(spt_config_choice(c, "schedule"), "constant");
    ck_assert_str_eq(spt_config_choice(c, "target_transform"), "standardise");
    ck_assert_int_eq(spt_config_exists(c, "weight_decay"), 0);
    OK(ctx, spt_config_set_text(c, "decay", "true"));
    ck_assert_int_eq(spt_config_exists(c, "weight_decay"), 1);
    spt_config_free(c);
    spt_space_free(paper);
    end(s);
}
END_TEST

/* `small` differs from `shen2021` in numbers only. */
START_TEST(same_tree)
{
    spt_space *small = preset("small"), *large;
    OK(ctx, spt_space_preset(ctx, "shen2021", &large));
    for (int32_t i = 0; i < small->n; i++) {
        const spt__parameter *a = &small->parameters[i], *b = get(large, a->name);
        ck_assert_int_eq(a->type, b->type);
        ck_assert_str_eq(a->group, b->group);
        ck_assert_int_eq(a->n_choices, b->n_choices);
        ck_assert_str_eq(a->when.text ? a->when.text : "", b->when.text ? b->when.text : "");
        ck_assert(a->log == b->log);
    }
    spt_space_free(large);
    end(small);
}
END_TEST

START_TEST(written_and_read)
{
    spt_space *s = preset(spt_space_preset_name(_i)), *again;
    int64_t needed;
    ck_assert_int_eq(spt_space_xml(s, NULL, 0, &needed), SPT_ECAPACITY);
    char *text = malloc((size_t)needed);
    ck_assert_ptr_nonnull(text);
    OK(ctx, spt_space_xml(s, text, needed, &needed));
    OK(ctx, spt_space_read_memory(ctx, text, needed - 1, "preset", &again));
    spt__buf why;
    spt__buf_init(&why, ctx);
    ck_assert_msg(spt__space_same(again, s, &why), "%s", why.data);
    spt_space_free(again);
    free(text);
    end(s);
}
END_TEST

SUITE_MAIN("space presets", tcase_add_test(tcase, names);
           tcase_add_test(tcase, optimum_of_the_paper); tcase_add_test(tcase, same_tree);
           tcase_add_test(tcase, extended);
           const TTest *const each[] = {tree, reachable, one_channel_at_least, written_and_read};
           for (size_t i = 0; i < sizeof each / sizeof *each; i++)
               tcase_add_loop_test(tcase, each[i], 0, PRESETS);)
