/* Grown forests: every number of the analysis against sums over all configurations, to 1e-9; what
 * growing promises. */
#include "forests.h"

/* A switch, what it switches, a switch below it, sets, a rare bin. */
static const bool from_one[] = {false, true, true}, not_middle[] = {true, false, true, true};
static const bool yes[] = {false, true};
static const double uneven[] = {0.3, 0.05, 0.25, 0.1, 0.3};
static const spt__axis_need of_blocks = {0, from_one}, of_kind = {3, not_middle},
                            of_flag = {2, yes};
static const spt__axis_need both[] = {{0, from_one}, {2, yes}};

static const spt__axis_spec tangled[] = {
    {.bins = 3},
    {.bins = 5, .weight = uneven},
    {.bins = 2, .categorical = true},
    {.bins = 4, .categorical = true, .needs = &of_blocks, .n_needs = 1},
    {.bins = 4, .needs = &of_kind, .n_needs = 1},
    {.bins = 3, .needs = both, .n_needs = 2}};
static const spt__axis_spec flat[] = {
    {.bins = 7}, {.bins = 5, .categorical = true}, {.bins = 6, .weight = NULL}, {.bins = 4}};
static const spt__axis_spec chained[] = {
    {.bins = 2, .categorical = true, .needs = &of_flag, .n_needs = 1},
    {.bins = 6},
    {.bins = 2},
    {.bins = 4, .categorical = true}};

static const struct {
    const spt__axis_spec *specs;
    int32_t d;
} spaces[] = {{tangled, 6}, {flat, 4}, {chained, 4}};

static double crooked(const spt__lattice *f, const uint16_t *code)
{
    double sum = 0;
    for (int32_t j = 0; j < f->d; j++)
        sum += (j + 1) * sin(4 * z_of(f, code, j) + j);
    for (int32_t j = 1; j < f->d; j++)
        sum += 3 * z_of(f, code, j) * z_of(f, code, j - 1);
    return sum + (f->d > 4 ? 4 * z_of(f, code, 4) * z_of(f, code, 5) * z_of(f, code, 1) : 0);
}

static void compare_tree(const spt__tree *tree)
{
    const spt__lattice *f = tree->lattice;
    spt__err e;
    spt__leaves leaves;
    spt__pair_effect *pairs;
    int64_t n_pairs, at = 0;
    double mean[8], variance[8], main[8], total[8], curve[64], surface[64];
    everything all = enumerate(f, tree);
    OK(f->ctx, spt__leaves_new(tree, &leaves, &e));
    OK(f->ctx, spt__effects_moments(&leaves, mean, variance, &e));
    OK(f->ctx, spt__effects_main(&leaves, main, curve, &e));
    OK(f->ctx, spt__effects_total(tree, curve, total, &e));
    OK(f->ctx, spt__effects_pairs(&leaves, &pairs, &n_pairs, &e));
    for (int32_t a = 0; a < f->n_activities; a++) {
        double m, v;
        brute_moments(&all, &f->activities[a], &m, &v);
        NEAR(mean[a], m, 1e-9);
        NEAR(variance[a], v, 1e-9);
    }
    for (int32_t i = 0; i < f->d; i++) {
        NEAR(main[i] / variance[0], brute_effect(&all, &i, 1) / variance[0], 1e-9);
        NEAR(total[i] / variance[0], brute_total(&all, i) / variance[0], 1e-9);
        for (int32_t j = i + 1; j < f->d; j++) {
            const int32_t two[2] = {i, j};
            double found = 0;
            if (at < n_pairs && pairs[at].first == i && pairs[at].second == j)
                found = pairs[at++].variance;
            NEAR(found / variance[0], brute_effect(&all, two, 2) / variance[0], 1e-9);
            for (int32_t k = j + 1; k < f->d; k++) {
                const int32_t three[3] = {j, k, i};
                OK(f->ctx, spt__effects_subset(&leaves, three, 3, &found, &e));
                NEAR(found / variance[0], brute_effect(&all, three, 3) / variance[0], 1e-9);
            }
            /* The surface: means where both exist. */
            OK(f->ctx, spt__effects_surface(&leaves, i, j, surface, &e));
            for (int32_t cell = 0; cell < f->axes[i].bins * f->axes[j].bins; cell++) {
                double w = 0, y = 0;
                for (int64_t p = 0; p < all.n; p++) {
                    const uint16_t *latent = all.latent + p * f->d;
                    if (latent[i] != cell / f->axes[j].bins ||
                        latent[j] != cell % f->axes[j].bins || !exist(&all, p, two, 2))
                        continue;
                    w += all.w[p];
                    y += all.w[p] * all.y[p];
                }
                ck_assert_msg((w > 0) == !isnan(surface[cell]), "axes %d, %d: cell %d", i, j, cell);
                if (w > 0) NEAR(surface[cell], y / w, 1e-9);
            }
        }
    }
    spt__free(f->ctx, pairs);
    free_everything(&all);
    spt__leaves_free(&leaves);
}

START_TEST(brute_force)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest;
    const int which = _i % 3;
    lattice_of(ctx, spaces[which].specs, spaces[which].d, &f);
    trials t = draw_trials(&f, 300, (uint64_t)_i, crooked, 0.2);
    const spt__forest_settings s = {.seed = (uint64_t)_i,
                                    .trees = 3,
                                    .max_depth = 64,
                                    .min_leaf = 1 + 2 * (_i / 3),
                                    .features = _i < 6 ? 1 : 0.6};
    OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest));
    for (int64_t k = 0; k < forest.n; k++) {
        spt__err e;
        ck_assert_int_gt(forest.trees[k].n_nodes, 20);
        compare_tree(&forest.trees[k]);
        /* Shrinking is part of the tree; the analysis does not mind. */
        OK(ctx, spt__tree_shrink(&forest.trees[k], 25, &e));
        compare_tree(&forest.trees[k]);
    }
    spt__forest_free(&forest);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* No tree says anything of a parameter where it need not exist: the value that a parameter would
 * have changes nothing. */
static void walk(const spt__tree *tree, int32_t index, spt__part *box)
{
    const spt__lattice *f = tree->lattice;
    const spt__node *node = &tree->nodes[index];
    int32_t axes[9], n = 0;
    if (node->axis >= 0) axes[n++] = node->axis;
    for (int32_t i = 0; i < node->n_slopes; i++)
        axes[n++] = tree->slopes[node->first_slope + i].axis;
    for (int32_t i = 0; i < n; i++) {
        const spt__activity *a = &f->activities[f->axes[axes[i]].activity];
        for (int32_t k = 0; k < a->n; k++)
            ck_assert(spt__part_within(&f->axes[a->needs[k].axis], &box[a->needs[k].axis],
                                       &a->needs[k].part));
    }
    if (node->axis < 0) return;
    const spt__part kept = box[node->axis];
    uint64_t words[SPT__SET_WORDS];
    for (int side = 0; side < 2; side++) {
        box[node->axis] = spt__tree_side(tree, node, side == 0, kept, words);
        walk(tree, side == 0 ? node->left : node->right, box);
        box[node->axis] = kept;
    }
}

START_TEST(only_what_exists)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest;
    spt__part box[6];
    uint64_t words[6][SPT__SET_WORDS];
    lattice_of(ctx, tangled, 6, &f);
    trials t = draw_trials(&f, 500, 1, crooked, 0);
    const spt__forest_settings s = {
        .seed = 1, .trees = 8, .max_depth = 64, .min_leaf = 1, .features = 1};
    OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest));
    for (int64_t k = 0; k < forest.n; k++) {
        for (int32_t j = 0; j < 6; j++)
            box[j] = spt__part_whole(&f.axes[j], words[j]);
        walk(&forest.trees[k], 0, box);
    }
    /* All conditional parameters are used all the same. */
    bool used[6] = {false};
    for (int64_t k = 0; k < forest.n; k++)
        for (int32_t i = 0; i < forest.trees[k].n_nodes; i++)
            if (forest.trees[k].nodes[i].axis >= 0) used[forest.trees[k].nodes[i].axis] = true;
    for (int j = 0; j < 6; j++)
        ck_assert_msg(used[j], "axis %d is never split", j);
    spt__forest_free(&forest);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* The same to the last bit on any number of threads; another seed is another forest. */
START_TEST(threads_change_nothing)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest[3];
    spt__forest_settings s = {
        .seed = 5, .trees = 12, .max_depth = 64, .min_leaf = 3, .features = 0.7};
    lattice_of(ctx, tangled, 6, &f);
    trials t = draw_trials(&f, 400, 2, crooked, 0.5);
    for (int k = 0; k < 3; k++) {
        OK(ctx, spt_ctx_set_threads(ctx, 1 + 2 * (k % 2)));
        s.seed = k == 2 ? 6 : 5;
        OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest[k]));
    }
    ck_assert_double_eq(forest[0].out_of_bag, forest[1].out_of_bag);
    ck_assert_double_ne(forest[0].out_of_bag, forest[2].out_of_bag);
    ck_assert_double_eq(forest[0].shrink, forest[1].shrink);
    for (int64_t i = 0; i < 12; i++) {
        const spt__tree *a = &forest[0].trees[i], *b = &forest[1].trees[i];
        ck_assert_int_eq(a->n_nodes, b->n_nodes);
        ck_assert_mem_eq(a->main, b->main, sizeof *a->main * (size_t)f.places);
        for (int32_t k = 0; k < a->n_nodes; k++) {
            ck_assert_int_eq(a->nodes[k].axis, b->nodes[k].axis);
            ck_assert_double_eq(a->nodes[k].value, b->nodes[k].value);
        }
    }
    for (int k = 0; k < 3; k++)
        spt__forest_free(&forest[k]);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

static double steps(const spt__lattice *f, const uint16_t *code)
{
    return (code[0] > 2) * 2.0 + (code[1] == 3) * (code[2] < 3) * 4.0 + 0 * z_of(f, code, 3);
}

/* Without noise and with deep trees what was seen is what is said; what was not seen is near. */
START_TEST(says_what_it_saw)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest;
    lattice_of(ctx, flat, 4, &f);
    trials t = draw_trials(&f, 600, 3, steps, 0);
    const spt__forest_settings s = {
        .seed = 1, .trees = 16, .max_depth = 64, .min_leaf = 1, .features = 1};
    OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest));
    ck_assert_double_gt(forest.out_of_bag, 0.98);
    double worst = 0;
    for (int64_t i = 0; i < t.table.n; i++) {
        double said = 0;
        for (int64_t k = 0; k < forest.n; k++)
            said += spt__tree_predict(&forest.trees[k], t.code + i, t.table.n) / (double)forest.n;
        worst = fmax(worst, fabs(said - t.y[i]));
    }
    ck_assert_double_lt(worst, 0.5);
    spt__forest_free(&forest);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

static double nothing(const spt__lattice *f, const uint16_t *code)
{
    (void)f, (void)code;
    return 0;
}

/* Pure noise: the forest shrinks to next to nothing and owns to it. */
START_TEST(noise_is_noise)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest;
    lattice_of(ctx, flat, 4, &f);
    trials t = draw_trials(&f, 400, 4, nothing, 1);
    const spt__forest_settings s = {
        .seed = 1, .trees = 32, .max_depth = 64, .min_leaf = 5, .features = 1};
    OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest));
    ck_assert_double_lt(forest.out_of_bag, 0.05);
    ck_assert_double_gt(forest.out_of_bag, -0.1);
    ck_assert_double_ge(forest.shrink, 64);
    spt__forest_free(&forest);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* Two and three trials are grown on, a stop request is heard. */
START_TEST(edges)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__forest forest;
    const spt__forest_settings s = {
        .seed = 1, .trees = 4, .max_depth = 64, .min_leaf = 1, .features = 1};
    lattice_of(ctx, tangled, 6, &f);
    for (int64_t n = 2; n < 12; n++) {
        trials t = draw_trials(&f, n, (uint64_t)n, crooked, 0);
        OK(ctx, spt__forest_grow(ctx, &t.table, &s, &forest));
        for (int64_t k = 0; k < forest.n; k++)
            compare_tree(&forest.trees[k]);
        spt__forest_free(&forest);
        free_trials(&t);
    }
    trials t = draw_trials(&f, 50, 1, crooked, 0);
    spt_ctx_stop(ctx);
    ck_assert_int_eq(spt__forest_grow(ctx, &t.table, &s, &forest), SPT_STOP_HOST);
    ck_assert_ptr_null(forest.trees);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("explain brute", tcase_add_loop_test(tcase, brute_force, 0, 12);
           tcase_add_test(tcase, only_what_exists); tcase_add_test(tcase, threads_change_nothing);
           tcase_add_test(tcase, says_what_it_saw); tcase_add_test(tcase, noise_is_noise);
           tcase_add_test(tcase, edges);)
