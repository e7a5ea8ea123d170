/* From configurations to networks, channels and training options. */
#include "testing.h"

#include "nn/network.h"
#include "nn/training.h"

static spt_ctx *ctx;

static void set_up(void)
{
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
}

static void tear_down(void)
{
    spt_ctx_free(ctx);
}

/* A configuration of a preset with some values set: name, text, name, text, ..., NULL. */
static spt_config *preset(const char *name, const char *const *values)
{
    spt_space *space;
    spt_config *config;
    OK(ctx, spt_space_preset(ctx, name, &space));
    OK(ctx, spt_config_new(ctx, space, &config));
    spt_space_free(space);
    for (; values && *values; values += 2)
        OK(ctx, spt_config_set_text(config, values[0], values[1]));
    return config;
}

/* A space of whole numbers, each fixed to its value. */
typedef struct number {
    const char *name;
    int64_t value;
} number;

static spt_config *numbers(const number *n)
{
    spt_space *space;
    spt_config *config;
    OK(ctx, spt_space_new(ctx, "numbers", &space));
    for (; n->name; n++)
        OK(ctx, spt_space_add_int(space, n->name, n->value, n->value + 1, 1, 0, n->value));
    OK(ctx, spt_config_new(ctx, space, &config));
    spt_space_free(space);
    return config;
}

START_TEST(a_configuration_builds_the_same_network_as_the_builder)
{
    const char *values[] = {
        /* clang-format off */
        "conv_blocks", "2", "conv_1_filters", "8",
        "conv_1_kernel", "9", "conv_1_stride", "2",
        "conv_1_padding", "same", "conv_1_batch_norm", "true",
        "conv_1_activation", "swish", "conv_1_pool", "true",
        "conv_1_pool_type", "average", "conv_1_pool_size", "3",
        "conv_1_pool_stride", "2", "conv_1_pool_padding", "same",
        "conv_1_dropout", "true", "conv_1_dropout_rate", "0.15",
        "conv_2_filters", "12", "conv_2_kernel", "5",
        "conv_2_stride", "1", "conv_2_padding", "valid",
        "conv_2_batch_norm", "false", "conv_2_activation", "selu",
        "conv_2_pool", "false", "conv_2_dropout", "false",
        "fc_blocks", "2", "fc_1_units", "20",
        "fc_1_batch_norm", "true", "fc_1_activation", "leaky_relu",
        "fc_1_dropout", "true", "fc_1_dropout_rate", "0.3",
        "fc_2_units", "10", "fc_2_batch_norm", "false",
        "fc_2_activation", "elu", "fc_2_dropout", "false",
        NULL
        /* clang-format on */
    };
    spt_config *config = preset("small", values);
    spt_network *a, *b;
    OK(ctx, spt_network_check_config(ctx, config, 100, 2, 1));
    OK(ctx, spt_network_from_config(ctx, config, 100, 2, 1, 9, &a));
    OK(ctx, spt_network_new(ctx, 100, 2, 1, &b));
    OK(ctx, spt_network_add_conv(b, 8, 9, 2, SPT_PADDING_SAME));
    OK(ctx, spt_network_add_batch_norm(b));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_SWISH));
    OK(ctx, spt_network_add_pool(b, SPT_POOL_AVERAGE, 3, 2, SPT_PADDING_SAME));
    OK(ctx, spt_network_add_dropout(b, 0.15));
    OK(ctx, spt_network_add_conv(b, 12, 5, 1, SPT_PADDING_VALID));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_SELU));
    OK(ctx, spt_network_add_dense(b, 20));
    OK(ctx, spt_network_add_batch_norm(b));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_LEAKY_RELU));
    OK(ctx, spt_network_add_dropout(b, 0.3));
    OK(ctx, spt_network_add_dense(b, 10));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_ELU));
    OK(ctx, spt_network_finish(b, 9));
    ck_assert(spt__network_same_shape(a, b));
    ck_assert_mem_eq(a->values, b->values, (size_t)a->n_values * sizeof(float));
    spt_network_free(a);
    spt_network_free(b);
    spt_config_free(config);
}
END_TEST

/* What the space lacks takes the documented value. */
START_TEST(missing_parameters_take_their_defaults)
{
    spt_config *config = numbers((number[]){{"conv_blocks", 1}, {"fc_blocks", 1}, {NULL, 0}});
    spt_network *a, *b;
    OK(ctx, spt_network_from_config(ctx, config, 40, 1, 2, 9, &a));
    OK(ctx, spt_network_new(ctx, 40, 1, 2, &b));
    OK(ctx, spt_network_add_conv(b, 16, 5, 1, SPT_PADDING_SAME));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_RELU));
    OK(ctx, spt_network_add_dense(b, 32));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_RELU));
    OK(ctx, spt_network_finish(b, 9));
    ck_assert(spt__network_same_shape(a, b));
    spt_network_free(a);
    spt_network_free(b);
    spt_config_free(config);

    config = numbers((number[]){{"conv_blocks", 1},
                                {"conv_1_pool", 1},
                                {"conv_1_pool_size", 3},
                                {"conv_1_dropout", 1},
                                {NULL, 0}});
    OK(ctx, spt_network_from_config(ctx, config, 40, 1, 1, 9, &a));
    OK(ctx, spt_network_new(ctx, 40, 1, 1, &b));
    OK(ctx, spt_network_add_conv(b, 16, 5, 1, SPT_PADDING_SAME));
    OK(ctx, spt_network_add_activation(b, SPT_ACTIVATION_RELU));
    OK(ctx, spt_network_add_pool(b, SPT_POOL_MAX, 3, 3, SPT_PADDING_VALID));
    OK(ctx, spt_network_add_dropout(b, 0.2));
    OK(ctx, spt_network_finish(b, 9));
    ck_assert(spt__network_same_shape(a, b));
    spt_network_free(a);
    spt_network_free(b);
    spt_config_free(config);
}
END_TEST

typedef struct refusal {
    number numbers[6];
    int32_t status;
    const char *words;
} refusal;

static const refusal refusals[] = {
    {{{"conv_blocks", 1}, {"conv_1_kernels", 3}},
     SPT_EINVAL,
     "parameter 'conv_1_kernels' means nothing to a network; 'conv_1_kernel' does"},
    {{{"fc_2_unit", 3}}, SPT_EINVAL, "'fc_2_units' does"},
    {{{"conv_block", 3}}, SPT_EINVAL, "'conv_blocks' does"},
    {{{"batchsize", 3}}, SPT_EINVAL, "'batch_size' does"},
    {{{"conv_0_kernel", 3}}, SPT_EINVAL, "parameter 'conv_0_kernel' means nothing"},
    {{{"zzzzzzzzzzzzzzzz", 3}}, SPT_EINVAL, "conv_blocks, conv_1_filters, fc_blocks, fc_1_units"},
    {{{"conv_blocks", 101}}, SPT_EINVAL, "conv_blocks is 101; 0 to 100 are possible"},
    {{{"fc_blocks", -1}}, SPT_EINVAL, "fc_blocks is -1"},
    {{{"conv_blocks", 1}, {"conv_1_filters", 0}},
     SPT_EINVAL,
     "conv block 1: conv_1: filters is 0; 1 to 65536 are possible"},
    {{{"fc_blocks", 2}, {"fc_2_units", 0}}, SPT_EINVAL, "fc block 2: dense_2: units is 0"},
    {{{"fc_blocks", 1}, {"fc_1_batch_norm", 2}},
     SPT_EINVAL,
     "parameter 'fc_1_batch_norm' is 2; true or false"},
    {{{"fc_blocks", 1}, {"fc_1_activation", 1}},
     SPT_EINVAL,
     "parameter 'fc_1_activation' is 'a number'; relu, leaky_relu, elu, selu and swish"},
    {{{"fc_blocks", 1}, {"fc_1_dropout", 1}, {"fc_1_dropout_rate", 1}},
     SPT_EINVAL,
     "fc block 1: dropout_1: the share dropped is 1"},
};

START_TEST(what_a_network_does_not_know_is_refused)
{
    const refusal *r = &refusals[_i];
    spt_config *config = numbers(r->numbers);
    spt_network *network = (spt_network *)&network;
    FAILS(ctx, r->status, r->words, spt_network_check_config(ctx, config, 50, 1, 1));
    FAILS(ctx, r->status, r->words, spt_network_from_config(ctx, config, 50, 1, 1, 1, &network));
    ck_assert_ptr_null(network);
    spt_config_free(config);
}
END_TEST

START_TEST(impossible_shapes_name_the_block)
{
    const char *first[] = {"conv_1_padding", "valid", "conv_1_kernel", "21", NULL};
    spt_config *config = preset("small", first);
    FAILS(ctx, SPT_ESHAPE, "conv block 1: kernel 21 is longer than the input (length 20);",
          spt_network_check_config(ctx, config, 20, 1, 1));
    spt_config_free(config);

    const char *second[] = {"conv_blocks",
                            "2",
                            "conv_1_stride",
                            "2",
                            "conv_1_padding",
                            "same",
                            "conv_1_pool",
                            "true",
                            "conv_1_pool_size",
                            "2",
                            "conv_1_pool_stride",
                            "2",
                            "conv_1_pool_padding",
                            "same",
                            "conv_2_padding",
                            "valid",
                            "conv_2_kernel",
                            "21",
                            NULL};
    config = preset("small", second);
    FAILS(ctx, SPT_ESHAPE,
          "conv block 2: kernel 21 is longer than what block 1 leaves (length 12); a shorter one",
          spt_network_check_config(ctx, config, 46, 1, 1));
    spt_config_free(config);

    const char *pool[] = {
        "conv_1_kernel",    "19", "conv_1_padding",      "valid", "conv_1_pool", "true",
        "conv_1_pool_size", "4",  "conv_1_pool_padding", "valid", NULL};
    config = preset("small", pool);
    FAILS(ctx, SPT_ESHAPE,
          "conv block 1: pool size 4 is longer than its convolution leaves (length 3);",
          spt_network_check_config(ctx, config, 21, 1, 1));
    OK(ctx, spt_network_check_config(ctx, config, 22, 1, 1));
    FAILS(ctx, SPT_EINVAL, "bands is 0", spt_network_check_config(ctx, config, 0, 1, 1));
    spt_config_free(config);
}
END_TEST

START_TEST(all_presets_make_networks)
{
    int n = 0;
    for (const char *name; (name = spt_space_preset_name(n)) != NULL; n++) {
        spt_config *config = preset(name, NULL);
        spt_network *network;
        OK(ctx, spt_network_from_config(ctx, config, 100, 2, 1, 1, &network));
        ck_assert_int_gt(spt_network_weights(network), 100);
        spt_options *options;
        OK(ctx, spt_training_options_new(ctx, &options));
        OK(ctx, spt_training_options_configure(options, config));
        static const char *const knobs[] = {"batch_size", "epochs"};
        for (int k = 0; k < 2; k++) {
            double theirs, ours;
            OK(ctx, spt_config_number(config, knobs[k], &theirs));
            OK(ctx, spt_options_number(options, knobs[k], &ours));
            NEAR(ours, theirs, 0);
        }
        const char *rule;
        OK(ctx, spt_options_text(options, "optimizer", &rule));
        ck_assert_str_eq(rule, spt_config_choice(config, "optimizer"));
        OK(ctx, spt_options_number(options, "learning_rate", &(double){0}));
        spt_options_free(options);
        spt_network_free(network);
        spt_config_free(config);
    }
    ck_assert_int_ge(n, 2);
}
END_TEST

START_TEST(channels_are_a_mask)
{
    const char *all[] = {"channel_r", "true",         "channel_a", "true",          "channel_a_d1",
                         "true",      "channel_a_d2", "true",      "channel_a_snv", "true",
                         NULL};
    static const int32_t bits[] = {SPT_CHANNEL_R, SPT_CHANNEL_A, SPT_CHANNEL_A_D1, SPT_CHANNEL_A_D2,
                                   SPT_CHANNEL_A_SNV};
    int32_t mask = 0;
    for (int i = 0; i < 5; i++) {
        spt_config *config = preset("small", all);
        for (int k = 0; k < 5; k++)
            OK(ctx, spt_config_set_text(config, spt__channel_names[k], k == i ? "true" : "false"));
        OK(ctx, spt_config_channels(config, &mask));
        ck_assert_int_eq(mask, bits[i]);
        spt_config_free(config);
    }
    spt_config *config = preset("small", all);
    OK(ctx, spt_config_channels(config, &mask));
    ck_assert_int_eq(mask, SPT_CHANNEL_ALL);
    spt_config_free(config);
    /* Spaces without channels: absorbance. With some: those that are on. */
    config = numbers((number[]){{"fc_blocks", 1}, {NULL, 0}});
    OK(ctx, spt_config_channels(config, &mask));
    ck_assert_int_eq(mask, SPT_CHANNEL_A);
    spt_config_free(config);
    config = numbers((number[]){{"channel_r", 0}, {"channel_a_d1", 1}, {NULL, 0}});
    OK(ctx, spt_config_channels(config, &mask));
    ck_assert_int_eq(mask, SPT_CHANNEL_A_D1);
    spt_config_free(config);
    ck_assert_int_eq(spt_config_channels(NULL, &mask), SPT_EINVAL);
}
END_TEST

SUITE_MAIN("nn config", tcase_add_checked_fixture(tcase, set_up, tear_down);
           tcase_add_test(tcase, a_configuration_builds_the_same_network_as_the_builder);
           tcase_add_test(tcase, missing_parameters_take_their_defaults);
           tcase_add_loop_test(tcase, what_a_network_does_not_know_is_refused, 0,
                               (int)(sizeof refusals / sizeof refusals[0]));
           tcase_add_test(tcase, impossible_shapes_name_the_block);
           tcase_add_test(tcase, all_presets_make_networks);
           tcase_add_test(tcase, channels_are_a_mask);)
