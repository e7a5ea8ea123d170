/* The forest's analysis of variance against closed forms and against brute force. */
#include "testing.h"

#include "explain/forest.h"

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static double random_of(spt__rng *r, const spt__axis *axis)
{
    return axis->count > 0 ? (double)spt__rng_below(r, (uint64_t)axis->count) : spt__rng_double(r);
}

/* A tree by hand: one categorical split {a, b} | {c}; V = p (1 - p) (c1 - c2)^2. */
START_TEST(one_categorical_split)
{
    spt_ctx *ctx = new_ctx();
    spt__err e;
    const spt__axis axes[] = {{.count = 3, .categorical = true}, {.count = 0}};
    const spt__forest_data data = {.d = 2, .axes = axes};
    spt__node nodes[] = {{.axis = 0, .left = 1, .right = 2, .set = 0},
                         {.axis = -1, .value = 5},
                         {.axis = -1, .value = 2}};
    uint64_t sets[] = {3};
    const spt__tree tree = {ctx, &data, nodes, 3, 3, sets, 1, 1};
    double total, main[2];
    OK(ctx, spt__tree_variance(&tree, &total, main, &e));
    NEAR(total, 2.0 / 3 * 1 / 3 * 9, 1e-14);
    NEAR(main[0], total, 1e-14);
    NEAR(main[1], 0, 1e-14);
    ck_assert_double_eq(spt__tree_predict(&tree, (const double[]){1, 0.5}), 5);
    ck_assert_double_eq(spt__tree_predict(&tree, (const double[]){2, 0.5}), 2);
    spt_ctx_free(ctx);
}
END_TEST

/* Exclusive or: no main effect, all interaction. */
START_TEST(exclusive_or)
{
    spt_ctx *ctx = new_ctx();
    spt__err e;
    const spt__axis axes[] = {{.count = 0}, {.count = 0}};
    const spt__forest_data data = {.d = 2, .axes = axes};
    spt__node nodes[] = {{.axis = 0, .left = 1, .right = 2, .cut = 0.5},
                         {.axis = 1, .left = 3, .right = 4, .cut = 0.5},
                         {.axis = 1, .left = 4, .right = 3, .cut = 0.5},
                         {.axis = -1, .value = 1},
                         {.axis = -1, .value = -1}};
    const spt__tree tree = {ctx, &data, nodes, 5, 5, NULL, 0, 0};
    double total, main[2];
    OK(ctx, spt__tree_variance(&tree, &total, main, &e));
    NEAR(total, 1, 1e-14);
    NEAR(main[0], 0, 1e-14);
    NEAR(main[1], 0, 1e-14);
    spt_ctx_free(ctx);
}
END_TEST

/* Integers on a logarithmic scale: 1, 2, 3 with a split behind 1. */
START_TEST(logarithmic_integers)
{
    spt_ctx *ctx = new_ctx();
    spt__err e;
    const spt__axis axes[] = {{.count = 3, .log = true, .low = 1, .step = 1}};
    const spt__forest_data data = {.d = 1, .axes = axes};
    spt__node nodes[] = {{.axis = 0, .left = 1, .right = 2, .cut = 0},
                         {.axis = -1, .value = 1},
                         {.axis = -1, .value = 0}};
    const spt__tree tree = {ctx, &data, nodes, 3, 3, NULL, 0, 0};
    const double p = log(1.5 / 0.5) / log(3.5 / 0.5);
    double total, main[1];
    NEAR(spt__axis_below(axes, 1), p, 1e-14);
    OK(ctx, spt__tree_variance(&tree, &total, main, &e));
    NEAR(total, p * (1 - p), 1e-14);
    NEAR(main[0], p * (1 - p), 1e-14);
    spt_ctx_free(ctx);
}
END_TEST

enum { ROWS = 120, D = 4 };

static const spt__axis mixed[D] = {{.count = 0},
                                   {.count = 7, .low = 2, .step = 3},
                                   {.count = 5, .categorical = true},
                                   {.count = 4, .log = true, .low = 8, .step = 8}};

/* Share of the measure of axis j at its value v (discrete) */
static double weight(int j, int64_t v)
{
    return mixed[j].categorical ? 1.0 / (double)mixed[j].count
                                : spt__axis_below(&mixed[j], v + 1) - spt__axis_below(&mixed[j], v);
}

/* Grown trees on mixed parameters: sums over every cell of the space must give the same. The
 * continuous axis is cut at its thresholds, which are read from the nodes. */
START_TEST(brute_force)
{
    spt_ctx *ctx = new_ctx();
    spt__err e;
    spt__rng r;
    static double x[D * ROWS], y[ROWS], bag[ROWS];
    spt__rng_init(&r, 5, SPT__RNG_TEST, (uint64_t)_i, 0);
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < D; j++)
            x[j * ROWS + i] = random_of(&r, &mixed[j]);
        y[i] = 3 * x[i] + (x[2 * ROWS + i] == 3 ? 2 : 0) + x[ROWS + i] * x[i] +
               0.1 * spt__rng_normal(&r);
    }
    const spt__forest_data data = {D, mixed, ROWS, x, y};
    const spt__forest_settings s = {
        .seed = 3, .max_depth = 64, .min_leaf = 1 + _i, .features = 0.7};
    spt__tree tree;
    double total, main[D], cuts[ROWS + 2] = {0, 1};
    int n_cuts = 2;
    OK(ctx, spt__tree_grow(ctx, &data, &s, _i, &tree, bag, &e));
    ck_assert_int_gt(tree.n_nodes, 10);
    OK(ctx, spt__tree_variance(&tree, &total, main, &e));
    for (int32_t i = 0; i < tree.n_nodes; i++)
        if (tree.nodes[i].axis == 0) cuts[n_cuts++] = tree.nodes[i].cut;
    for (int i = 1; i < n_cuts; i++)
        for (int k = i; k > 0 && cuts[k] < cuts[k - 1]; k--) {
            const double t = cuts[k];
            cuts[k] = cuts[k - 1];
            cuts[k - 1] = t;
        }
    double mean = 0, square = 0, effect[D][ROWS + 2] = {{0}}, measure[D][ROWS + 2] = {{0}};
    for (int a = 0; a + 1 < n_cuts; a++)
        for (int64_t b = 0; b < 7; b++)
            for (int64_t c = 0; c < 5; c++)
                for (int64_t d = 0; d < 4; d++) {
                    const double w[D] = {cuts[a + 1] - cuts[a], weight(1, b), weight(2, c),
                                         weight(3, d)};
                    const int64_t at[D] = {a, b, c, d};
                    const double point[D] = {0.5 * (cuts[a] + cuts[a + 1]), (double)b, (double)c,
                                             (double)d};
                    const double v = spt__tree_predict(&tree, point);
                    const double all = w[0] * w[1] * w[2] * w[3];
                    mean += all * v;
                    square += all * v * v;
                    for (int j = 0; j < D; j++) {
                        measure[j][at[j]] = w[j];
                        if (w[j] > 0) effect[j][at[j]] += all / w[j] * v;
                    }
                }
    NEAR(total, square - mean * mean, 1e-12);
    for (int j = 0; j < D; j++) {
        double v = 0;
        for (int k = 0; k < ROWS + 2; k++)
            v += measure[j][k] * (effect[j][k] - mean) * (effect[j][k] - mean);
        NEAR(main[j], v, 1e-12);
    }
    spt__tree_free(&tree);
    spt_ctx_free(ctx);
}
END_TEST

/* A tree grown to the end gives back the rows of its sample. */
START_TEST(grown_to_the_end)
{
    spt_ctx *ctx = new_ctx();
    spt__err e;
    spt__rng r;
    static double x[D * ROWS], y[ROWS], bag[ROWS];
    spt__rng_init(&r, 6, SPT__RNG_TEST, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < D; j++)
            x[j * ROWS + i] = random_of(&r, &mixed[j]);
        y[i] = spt__rng_double(&r);
    }
    const spt__forest_data data = {D, mixed, ROWS, x, y};
    const spt__forest_settings s = {.seed = 3, .max_depth = 64, .min_leaf = 1, .features = 1};
    spt__tree tree;
    int outside = 0;
    OK(ctx, spt__tree_grow(ctx, &data, &s, 0, &tree, bag, &e));
    for (int i = 0; i < ROWS; i++) {
        const double row[D] = {x[i], x[ROWS + i], x[2 * ROWS + i], x[3 * ROWS + i]};
        if (isnan(bag[i])) {
            ck_assert_double_eq(spt__tree_predict(&tree, row), y[i]);
        } else {
            ck_assert_double_eq(spt__tree_predict(&tree, row), bag[i]);
            outside++;
        }
    }
    /* (1 - 1/n)^n of the rows, 37 % */
    ck_assert(outside > 25 && outside < 65);
    spt__tree_free(&tree);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("explain variance", tcase_add_test(tcase, one_categorical_split);
           tcase_add_test(tcase, exclusive_or); tcase_add_test(tcase, logarithmic_integers);
           tcase_add_loop_test(tcase, brute_force, 0, 4); tcase_add_test(tcase, grown_to_the_end);)
