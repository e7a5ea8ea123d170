/* The builder: shapes, refusals, tensors, initial weights, summary, copies, prediction. */
#include "testing.h"

#include "reference.h"
#include "base/threads.h"

enum { V = SPT_PADDING_VALID, S = SPT_PADDING_SAME, MX = SPT_POOL_MAX };

static spt_ctx *ctx;

static void set_up(void)
{
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
}

static void tear_down(void)
{
    spt_ctx_free(ctx);
}

static spt_network *started(int64_t bands, int64_t channels, int64_t outputs)
{
    spt_network *network;
    OK(ctx, spt_network_new(ctx, bands, channels, outputs, &network));
    return network;
}

static spt_network *built(int64_t bands, int64_t channels, const layer_spec *layers, uint64_t seed)
{
    spt_network *network = started(bands, channels, 1);
    OK(ctx, add_layers(network, layers));
    OK(ctx, spt_network_finish(network, seed));
    return network;
}

/* ---- refusals -------------------------------------------------------------------------------- */

typedef struct refusal {
    layer_spec layers[4];
    int32_t status;
    const char *words;
} refusal;

static const refusal refusals[] = {
    {{CONV(4, 13, 1, V)}, SPT_ESHAPE, "conv_1: kernel 13 is longer than its input (length 12)"},
    {{CONV(4, 5, 2, V), CONV(4, 5, 1, V)},
     SPT_ESHAPE,
     "conv_2: kernel 5 is longer than its input "
     "(length 4)"},
    {{POOL(MX, 13, 2, V)}, SPT_ESHAPE, "pool_1: size 13 is longer than its input (length 12)"},
    {{DENSE(3), CONV(4, 1, 1, V)}, SPT_ESHAPE, "conv_1: a convolution cannot follow a dense layer"},
    {{DENSE(3), POOL(MX, 1, 1, V)}, SPT_ESHAPE, "pool_1: pooling cannot follow a dense layer"},
    {{CONV(0, 3, 1, V)}, SPT_EINVAL, "conv_1: filters is 0; 1 to 65536 are possible"},
    {{CONV(-4, 3, 1, V)}, SPT_EINVAL, "filters is -4"},
    {{CONV(INT64_MAX, 3, 1, V)}, SPT_EINVAL, "filters is 9223372036854775807"},
    {{CONV(4, 0, 1, V)}, SPT_EINVAL, "kernel is 0"},
    {{CONV(4, INT64_MAX, 1, S)}, SPT_EINVAL, "kernel is 9223372036854775807"},
    {{CONV(4, 3, 0, V)}, SPT_EINVAL, "stride is 0"},
    {{CONV(4, 3, INT64_MAX, V)}, SPT_EINVAL, "stride is 9223372036854775807"},
    {{CONV(4, 3, 1, 0)}, SPT_EINVAL, "padding is 0; SPT_PADDING_VALID and SPT_PADDING_SAME"},
    {{CONV(4, 3, 1, 3)}, SPT_EINVAL, "padding is 3"},
    {{CONV(65536, 65536, 1, S)}, SPT_ESHAPE, "conv_1.weight would have more than 2^31 values"},
    {{POOL(0, 2, 2, V)}, SPT_EINVAL, "pool_1: type is 0; SPT_POOL_MAX and SPT_POOL_AVERAGE"},
    {{POOL(MX, 0, 2, V)}, SPT_EINVAL, "size is 0"},
    {{POOL(MX, 2, 0, V)}, SPT_EINVAL, "stride is 0"},
    {{POOL(MX, 2, 2, 9)}, SPT_EINVAL, "padding is 9"},
    {{ACT(0)}, SPT_EINVAL, "activation 0 is unknown"},
    {{ACT(6)}, SPT_EINVAL, "activation 6 is unknown"},
    {{DROP(1)}, SPT_EINVAL, "dropout_1: the share dropped is 1; 0 to less than 1 are possible"},
    {{DROP(-0.1)}, SPT_EINVAL, "the share dropped is -0.1"},
    {{DROP(NAN)}, SPT_EINVAL, "the share dropped is"},
    {{DENSE(0)}, SPT_EINVAL, "dense_1: units is 0; 1 to 65536 are possible"},
    {{DENSE(65537)}, SPT_EINVAL, "units is 65537"},
};

START_TEST(impossible_layers_are_refused_in_one_line)
{
    const refusal *r = &refusals[_i];
    spt_network *network = started(12, 2, 1);
    FAILS(ctx, r->status, r->words, add_layers(network, r->layers));
    /* The network is as before the refused layer and can be finished. */
    OK(ctx, spt_network_add_dense(network, 2));
    OK(ctx, spt_network_finish(network, 1));
    float x[24] = {0}, y[1];
    OK(ctx, spt_network_predict(network, x, 1, y));
    spt_network_free(network);
}
END_TEST

START_TEST(bad_calls_are_refused)
{
    spt_network *network = (spt_network *)&network;
    FAILS(ctx, SPT_EINVAL, "bands is 0; 1 to 1000000", spt_network_new(ctx, 0, 1, 1, &network));
    ck_assert_ptr_null(network);
    FAILS(ctx, SPT_EINVAL, "channels is 0", spt_network_new(ctx, 1, 0, 1, &network));
    FAILS(ctx, SPT_EINVAL, "outputs is -1", spt_network_new(ctx, 1, 1, -1, &network));
    ck_assert_int_eq(spt_network_new(NULL, 1, 1, 1, &network), SPT_EINVAL);
    ck_assert_int_eq(spt_network_finish(NULL, 1), SPT_EINVAL);
    spt_network_free(NULL);

    network = started(3, 1, 1);
    float x[3] = {0}, y[1];
    int64_t row = 0;
    FAILS(ctx, SPT_EINVAL, "spt_network_finish()", spt_network_predict(network, x, 1, y));
    FAILS(ctx, SPT_EINVAL, "spt_network_finish()", spt_network_values(network, 0, x, LENGTH(x)));
    FAILS(ctx, SPT_EINVAL, "spt_network_finish()",
          spt_network_fit(network, x, y, NULL, 1, &row, 1, NULL, 0, NULL, NULL, NULL, NULL));
    OK(ctx, spt_network_finish(network, 1));
    FAILS(ctx, SPT_EBUSY, "already finished", spt_network_finish(network, 1));
    FAILS(ctx, SPT_EBUSY, "conv: the network is finished",
          spt_network_add_conv(network, 1, 1, 1, V));
    FAILS(ctx, SPT_EINVAL, "prediction of -1 rows", spt_network_predict(network, x, -1, y));
    FAILS(ctx, SPT_EINVAL, "prediction of 1 rows", spt_network_predict(network, NULL, 1, y));
    OK(ctx, spt_network_predict(network, NULL, 0, NULL));
    FAILS(ctx, SPT_EINVAL, "tensor 2 does not exist; the network has 0 to 1",
          spt_network_values(network, 2, x, LENGTH(x)));
    FAILS(ctx, SPT_ECAPACITY, "output.weight are 3 values, the buffer holds 2",
          spt_network_values(network, 0, x, 2));
    FAILS(ctx, SPT_EINVAL, "2 values for output.weight; it has 3",
          spt_network_set_values(network, 0, x, 2));
    FAILS(ctx, SPT_EINVAL, "4 values for output.weight; it has 3",
          spt_network_set_values(network, 0, x, 4));
    x[1] = NAN;
    FAILS(ctx, SPT_EINVAL, "value 1 for output.weight is not finite",
          spt_network_set_values(network, 0, x, LENGTH(x)));
    x[1] = INFINITY;
    FAILS(ctx, SPT_EINVAL, "value 1 for output.weight is not finite",
          spt_network_set_values(network, 0, x, LENGTH(x)));
    spt_network_free(network);
}
END_TEST

/* ---- tensors --------------------------------------------------------------------------------- */

static const layer_spec all_kinds[] = {
    CONV(3, 5, 2, S),         NORM,       ACT(SPT_ACTIVATION_RELU),
    POOL(MX, 2, 2, V),        DROP(0.25), CONV(2, 3, 1, V),
    CONV(4, 2, 1, V),         DENSE(6),   NORM,
    ACT(SPT_ACTIVATION_SELU), {0}};

START_TEST(tensors_have_names_and_shapes)
{
    static const struct {
        const char *name;
        int32_t trainable, n_dims;
        int64_t dims[3];
    } expected[] = {
        {"conv_1.weight", 1, 3, {5, 2, 3}}, {"conv_1.bias", 1, 1, {3}},
        {"bn_1.scale", 1, 1, {3}},          {"bn_1.shift", 1, 1, {3}},
        {"bn_1.mean", 0, 1, {3}},           {"bn_1.variance", 0, 1, {3}},
        {"conv_2.weight", 1, 3, {3, 3, 2}}, {"conv_2.bias", 1, 1, {2}},
        {"conv_3.weight", 1, 3, {2, 2, 4}}, {"conv_3.bias", 1, 1, {4}},
        {"dense_1.weight", 1, 2, {8, 6}},   {"dense_1.bias", 1, 1, {6}},
        {"bn_2.scale", 1, 1, {6}},          {"bn_2.shift", 1, 1, {6}},
        {"bn_2.mean", 0, 1, {6}},           {"bn_2.variance", 0, 1, {6}},
        {"output.weight", 1, 2, {6, 1}},    {"output.bias", 1, 1, {1}},
    };
    spt_network *network = built(20, 2, all_kinds, 1);
    int64_t n = spt_network_tensors(network), weights = 0;
    ck_assert_int_eq(n, (int64_t)(sizeof expected / sizeof expected[0]));
    for (int64_t i = 0; i < n; i++) {
        spt_tensor_info info;
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_network_tensor(network, i, &info));
        ck_assert_str_eq(info.name, expected[i].name);
        ck_assert_int_eq(info.trainable, expected[i].trainable);
        ck_assert_int_eq(info.n_dims, expected[i].n_dims);
        int64_t size = 1;
        for (int d = 0; d < 3; d++) {
            ck_assert_int_eq(info.dims[d], expected[i].dims[d]);
            if (d < info.n_dims) size *= info.dims[d];
        }
        ck_assert_int_eq(info.size, size);
        if (info.trainable) weights += size;
        float values[64], back[64];
        for (int64_t j = 0; j < size; j++)
            values[j] = (float)(i * 100 + j);
        OK(ctx, spt_network_set_values(network, i, values, size));
        OK(ctx, spt_network_values(network, i, back, LENGTH(back)));
        ck_assert_mem_eq(values, back, (size_t)size * sizeof *values);
    }
    ck_assert_int_eq(spt_network_weights(network), weights);
    float negative[3] = {1, -1, 1};
    FAILS(ctx, SPT_EINVAL, "value 1 for bn_1.variance is -1; a variance is 0 or more",
          spt_network_set_values(network, 5, negative, LENGTH(negative)));
    OK(ctx, spt_network_set_values(network, 4, negative, LENGTH(negative)));
    spt_network_free(network);
}
END_TEST

START_TEST(summary_shows_layers_shapes_and_weights)
{
    spt_network *network = built(20, 2, all_kinds, 1);
    char text[4096];
    int64_t needed = 0;
    ck_assert_int_eq(spt_network_summary(network, NULL, 0, &needed), SPT_ECAPACITY);
    ck_assert_int_gt(needed, 100);
    ck_assert_int_eq(spt_network_summary(network, text, needed - 1, &needed), SPT_ECAPACITY);
    OK(ctx, spt_network_summary(network, text, (int64_t)sizeof text, &needed));
    ck_assert_int_eq((int64_t)strlen(text) + 1, needed);
    const char *lines[] = {
        "input                                                             20 x 2",
        "conv_1         3 filters, kernel 5, stride 2, same                10 x 3           33\n",
        "activation_1   relu                                               10 x 3             \n",
        "pool_1         max, size 2, stride 2, valid                        5 x 3             \n",
        "dropout_1      share 0.25 dropped                                  5 x 3             \n",
        "conv_3         4 filters, kernel 2, stride 1, valid                2 x 4           20\n",
        "dense_1        6 units                                                 6           54\n",
        "bn_2                                                                   6           12\n",
        "output         1 units                                                 1            7\n",
        "152 trainable weights, 18 running statistics"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "no \"%s\" in\n%s", lines[i], text);
    ck_assert_ptr_null(strstr(text, "copy"));
    spt_network_free(network);
}
END_TEST

/* ---- initial weights ------------------------------------------------------------------------- */

static void check_spread(const spt_network *network, int64_t index, double expected)
{
    spt_tensor_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_network_tensor(network, index, &info));
    float *v = malloc((size_t)info.size * sizeof *v);
    OK(ctx, spt_network_values(network, index, v, info.size));
    double mean = 0.0, square = 0.0, n = (double)info.size;
    for (int64_t i = 0; i < info.size; i++) {
        mean += (double)v[i] / n;
        square += (double)v[i] * (double)v[i] / n;
    }
    free(v);
    /* five standard errors */
    ck_assert_msg(fabs(mean) < 5 * expected / sqrt(n), "%s: mean %g", info.name, mean);
    ck_assert_msg(fabs(sqrt(square) / expected - 1) < 5 / sqrt(2 * n), "%s: s.d. %g, expected %g",
                  info.name, sqrt(square), expected);
}

START_TEST(initial_weights_follow_the_activation)
{
    const layer_spec layers[] = {CONV(64, 9, 1, V),
                                 NORM,
                                 ACT(SPT_ACTIVATION_SWISH),
                                 CONV(32, 5, 1, S),
                                 DENSE(100),
                                 DROP(0.1),
                                 ACT(SPT_ACTIVATION_SELU),
                                 DENSE(80),
                                 ACT(SPT_ACTIVATION_LEAKY_RELU),
                                 DENSE(60),
                                 {0}};
    spt_network *network = built(30, 3, layers, 5);
    check_spread(network, 0, sqrt(2.0 / 27));                /* He: kernel x channels come in */
    check_spread(network, 6, sqrt(2.0 / (5 * 64 + 5 * 32))); /* Glorot: nothing follows */
    check_spread(network, 8, sqrt(1.0 / (22 * 32)));         /* LeCun */
    check_spread(network, 10, sqrt(2.0 / 100));              /* He */
    check_spread(network, 12, sqrt(2.0 / (80 + 60)));        /* Glorot */
    for (int64_t i = 1; i < 14; i += 2) {
        float v[100], total = 0;
        OK(ctx, spt_network_values(network, i, v, LENGTH(v)));
        spt_tensor_info info;
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_network_tensor(network, i, &info));
        for (int64_t j = 0; j < info.size; j++)
            total += fabsf(v[j]);
        ck_assert_msg(strstr(info.name, ".variance") ? total > 0 : total <= 0, "%s", info.name);
    }
    spt_network_free(network);
}
END_TEST

START_TEST(the_seed_names_the_weights)
{
    spt_network *a = built(20, 2, all_kinds, 7), *b = built(20, 2, all_kinds, 7),
                *c = built(20, 2, all_kinds, 8);
    size_t bytes = (size_t)a->n_values * sizeof(float);
    ck_assert_mem_eq(a->values, b->values, bytes);
    ck_assert_mem_ne(a->values, c->values, bytes);
    spt__network_init(b, &(spt__stream){.seed = 7, .trial = 1});
    ck_assert_mem_ne(a->values, b->values, bytes);
    spt__network_init(b, &(spt__stream){.seed = 7, .fold = 1});
    ck_assert_mem_ne(a->values, b->values, bytes);
    spt__network_init(b, &(spt__stream){.seed = 7});
    ck_assert_mem_eq(a->values, b->values, bytes);
    spt_network_free(a);
    spt_network_free(b);
    spt_network_free(c);
}
END_TEST

/* ---- copies and threads ---------------------------------------------------------------------- */

START_TEST(a_clone_is_equal_and_independent)
{
    spt_network *a = built(20, 2, all_kinds, 7), *b;
    spt__err e;
    ck_assert_int_eq(spt__network_clone(a, &b, &e), SPT_OK);
    ck_assert(spt__network_same_shape(a, b));
    float x[40], y[2], z = 3;
    for (int i = 0; i < 40; i++)
        x[i] = (float)(i % 7) - 3;
    OK(ctx, spt_network_predict(a, x, 1, y));
    OK(ctx, spt_network_set_values(a, 17, &z, 1));
    spt_network_free(a);
    OK(ctx, spt_network_predict(b, x, 1, y + 1));
    ck_assert_mem_eq(y, y + 1, sizeof *y);
    layer_spec other[sizeof all_kinds / sizeof all_kinds[0]];
    memcpy(other, all_kinds, sizeof other);
    other[4].share = 0.5;
    a = built(20, 2, other, 7);
    ck_assert(!spt__network_same_shape(a, b));
    spt_network_free(a);
    spt_network_free(b);
}
END_TEST

enum { ROWS = 150, TASKS = 6 };

typedef struct predictions {
    const spt_network *network;
    const float *x;
    float *y;
} predictions;

static int32_t predict_all(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    const predictions *p = arg;
    spt__pass *pass;
    SPT__TRY(spt__pass_new(p->network, 7 + index * 13, SPT__PREDICT, &pass, e));
    int32_t status = spt__network_predict_with(pass, p->x, NULL, ROWS, p->y + index * ROWS);
    spt__pass_free(pass);
    return status;
}

/* One network, a pass each. How rows are cut into batches may change the last bits, no more. */
START_TEST(threads_predict_from_one_network)
{
    spt_network *network = built(20, 2, all_kinds, 7);
    float *x = malloc(sizeof(float) * ROWS * 40), *y = malloc(sizeof(float) * TASKS * ROWS);
    float *expected = malloc(sizeof(float) * ROWS);
    for (int i = 0; i < ROWS * 40; i++)
        x[i] = (float)((i * 37) % 101) / 50.0F - 1.0F;
    OK(ctx, spt_network_predict(network, x, ROWS, expected));
    OK(ctx, spt_ctx_set_threads(ctx, 3));
    spt__err e;
    predictions p = {network, x, y};
    ck_assert_int_eq(spt__parallel(ctx, TASKS, predict_all, &p, &e), SPT_OK);
    for (int i = 0; i < TASKS * ROWS; i++)
        NEAR(y[i], expected[i % ROWS], 1e-5);
    free(x);
    free(y);
    free(expected);
    spt_network_free(network);
}
END_TEST

SUITE_MAIN("nn network", tcase_add_checked_fixture(tcase, set_up, tear_down);
           tcase_add_loop_test(tcase, impossible_layers_are_refused_in_one_line, 0,
                               (int)(sizeof refusals / sizeof refusals[0]));
           tcase_add_test(tcase, bad_calls_are_refused);
           tcase_add_test(tcase, tensors_have_names_and_shapes);
           tcase_add_test(tcase, summary_shows_layers_shapes_and_weights);
           tcase_add_test(tcase, initial_weights_follow_the_activation);
           tcase_add_test(tcase, the_seed_names_the_weights);
           tcase_add_test(tcase, a_clone_is_equal_and_independent);
           tcase_add_test(tcase, threads_predict_from_one_network);)
