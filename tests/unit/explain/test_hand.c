/* Trees by hand: closed forms, and sums over every configuration, to 1e-12. */
#include "forests.h"

/* What a tree is made of by hand. */
typedef struct hand {
    spt__node nodes[24];
    uint64_t sets[8];
    spt__slope slopes[8];
    double main[64];
    spt__tree tree;
} hand;

static void finish(hand *h, const spt__lattice *f, int32_t n_nodes, int32_t n_slopes)
{
    h->tree = (spt__tree){.lattice = f,
                          .main = h->main,
                          .nodes = h->nodes,
                          .n_nodes = n_nodes,
                          .sets = h->sets,
                          .n_words = 8,
                          .slopes = h->slopes,
                          .n_slopes = n_slopes};
}

static spt__node leaf(double value)
{
    return (spt__node){.axis = -1, .slope_axis = -1, .value = value};
}

static spt__node cut(int32_t axis, int32_t at, int32_t left, int32_t right)
{
    return (spt__node){.axis = axis, .cut = at, .left = left, .right = right, .slope_axis = -1};
}

/* All that the analysis gives must be what the sums give. */
static void compare(const spt__tree *tree, double tolerance)
{
    const spt__lattice *f = tree->lattice;
    spt__err e;
    spt__leaves leaves;
    spt__pair_effect *pairs;
    int64_t n_pairs, seen = 0;
    double mean[16], variance[16], main[16], total[16], *curve = calloc(64, sizeof *curve);
    everything all = enumerate(f, tree);
    OK(f->ctx, spt__leaves_new(tree, &leaves, &e));
    OK(f->ctx, spt__effects_moments(&leaves, mean, variance, &e));
    OK(f->ctx, spt__effects_main(&leaves, main, curve, &e));
    OK(f->ctx, spt__effects_total(tree, curve, total, &e));
    OK(f->ctx, spt__effects_pairs(&leaves, &pairs, &n_pairs, &e));
    for (int32_t a = 0; a < f->n_activities; a++) {
        double m, v;
        brute_moments(&all, &f->activities[a], &m, &v);
        NEAR(mean[a], m, tolerance);
        NEAR(variance[a], v, tolerance);
    }
    double sum = 0;
    for (int32_t i = 0; i < f->d; i++) {
        NEAR(main[i], brute_effect(&all, &i, 1), tolerance);
        NEAR(total[i], brute_total(&all, i), tolerance);
        sum += main[i];
        for (int32_t j = i + 1; j < f->d; j++) {
            const int32_t two[2] = {i, j};
            double found = 0, again;
            if (seen < n_pairs && pairs[seen].first == i && pairs[seen].second == j)
                found = pairs[seen++].variance;
            NEAR(found, brute_effect(&all, two, 2), tolerance);
            OK(f->ctx, spt__effects_subset(&leaves, two, 2, &again, &e));
            NEAR(again, found, tolerance);
            sum += found;
            for (int32_t k = j + 1; k < f->d; k++) {
                const int32_t three[3] = {k, i, j};
                double v;
                OK(f->ctx, spt__effects_subset(&leaves, three, 3, &v, &e));
                NEAR(v, brute_effect(&all, three, 3), tolerance);
                sum += v;
            }
        }
    }
    ck_assert_int_eq(seen, n_pairs);
    /* Of up to three axes nothing else is left. */
    if (f->d <= 3) NEAR(sum, variance[0], tolerance);
    spt__free(f->ctx, pairs);
    free(curve);
    free_everything(&all);
    spt__leaves_free(&leaves);
}

/* One categorical split {a, b} | {c}: V = p (1 - p) (c1 - c2)^2. */
START_TEST(one_categorical_split)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__err e;
    spt__leaves leaves;
    const spt__axis_spec specs[] = {{.bins = 3, .categorical = true}, {.bins = 4}};
    double mean[1], variance[1], main[2];
    lattice_of(ctx, specs, 2, &f);
    hand h = {.nodes = {cut(0, 0, 1, 2), leaf(5), leaf(2)}, .sets = {3}};
    finish(&h, &f, 3, 0);
    OK(ctx, spt__leaves_new(&h.tree, &leaves, &e));
    OK(ctx, spt__effects_moments(&leaves, mean, variance, &e));
    OK(ctx, spt__effects_main(&leaves, main, NULL, &e));
    NEAR(mean[0], 4, 1e-14);
    NEAR(variance[0], 2.0 / 3 * 1 / 3 * 9, 1e-14);
    NEAR(main[0], variance[0], 1e-14);
    NEAR(main[1], 0, 1e-14);
    ck_assert_double_eq(spt__tree_predict(&h.tree, (const uint16_t[]){1, 3}, 1), 5);
    ck_assert_double_eq(spt__tree_predict(&h.tree, (const uint16_t[]){2, 0}, 1), 2);
    spt__leaves_free(&leaves);
    compare(&h.tree, 1e-12);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* Exclusive or: no main effect, all of it the pair's, both totals the whole. */
START_TEST(exclusive_or)
{
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__err e;
    spt__leaves leaves;
    spt__pair_effect *pairs;
    int64_t n;
    double main[2], total[2], curve[10];
    const spt__axis_spec specs[] = {{.bins = 4}, {.bins = 4}};
    lattice_of(ctx, specs, 2, &f);
    hand h = {.nodes = {cut(0, 1, 1, 2), cut(1, 1, 3, 4), cut(1, 1, 5, 6), leaf(1), leaf(-1),
                        leaf(-1), leaf(1)}};
    finish(&h, &f, 7, 0);
    OK(ctx, spt__leaves_new(&h.tree, &leaves, &e));
    OK(ctx, spt__effects_main(&leaves, main, curve, &e));
    OK(ctx, spt__effects_total(&h.tree, curve, total, &e));
    OK(ctx, spt__effects_pairs(&leaves, &pairs, &n, &e));
    ck_assert_int_eq(n, 1);
    NEAR(pairs[0].variance, 1, 1e-14);
    for (int i = 0; i < 2; i++) {
        NEAR(main[i], 0, 1e-14);
        NEAR(total[i], 1, 1e-14);
    }
    spt__free(ctx, pairs);
    spt__leaves_free(&leaves);
    compare(&h.tree, 1e-12);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* y = n + [n = 1] b with n in {0, 1} equally likely and b a straight line over (0, 1): V(n) =
 * (1.5)^2 / 4, the child's variance 1/12 counts with 1/2. */
START_TEST(a_conditional_child)
{
    static const bool one[] = {false, true};
    const spt__axis_need need = {0, one};
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__err e;
    spt__leaves leaves;
    double main[2], mean[2], variance[2];
    enum { BINS = 50 };
    const spt__axis_spec specs[] = {{.bins = 2}, {.bins = BINS, .needs = &need, .n_needs = 1}};
    lattice_of(ctx, specs, 2, &f);
    ck_assert_int_eq(f.n_activities, 2);
    hand h = {.nodes = {cut(0, 0, 1, 2), leaf(0), leaf(1)}, .slopes = {{1, 1}}};
    h.nodes[2].n_slopes = 1;
    finish(&h, &f, 3, 1);
    OK(ctx, spt__leaves_new(&h.tree, &leaves, &e));
    OK(ctx, spt__effects_main(&leaves, main, NULL, &e));
    OK(ctx, spt__effects_moments(&leaves, mean, variance, &e));
    /* A line over so many equal steps lacks 1 / BINS^2 of its variance. */
    const double line = (1 - 1.0 / BINS / BINS) / 12;
    NEAR(main[0], 1.5 * 1.5 / 4, 1e-14);
    NEAR(main[1], line / 2, 1e-14);
    NEAR(variance[0], main[0] + main[1], 1e-14);
    NEAR(mean[f.axes[1].activity], 1.5, 1e-14);
    NEAR(variance[f.axes[1].activity], line, 1e-14);
    spt__leaves_free(&leaves);
    compare(&h.tree, 1e-12);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

/* Everything at once: unequal measures, sets, a child of a child, slopes that cross, smooth
 * functions. */
START_TEST(a_crowded_tree)
{
    static const bool upper[] = {false, true, true}, set[] = {true, false, true, true};
    static const double weight[] = {0.5, 0.2, 0.2, 0.1}, at[] = {0.05, 0.3, 0.7, 0.95};
    const spt__axis_need of_n = {0, upper}, of_c = {3, set};
    const spt__axis_spec specs[] = {{.bins = 3},
                                    {.bins = 4, .weight = weight, .at = at},
                                    {.bins = 5, .needs = &of_n, .n_needs = 1},
                                    {.bins = 4, .categorical = true, .needs = &of_n, .n_needs = 1},
                                    {.bins = 3, .needs = &of_c, .n_needs = 1}};
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    lattice_of(ctx, specs, 5, &f);
    ck_assert_int_eq(f.n_activities, 3);
    hand h = {.nodes = {cut(1, 1, 1, 2), cut(0, 0, 3, 4), cut(0, 0, 5, 6), leaf(1), cut(3, 0, 7, 8),
                        leaf(-2), cut(2, 2, 9, 10), cut(4, 0, 11, 12), leaf(0.5), leaf(2), leaf(3),
                        leaf(-1), leaf(4)},
              .sets = {13},
              .slopes = {{1, 2}, {2, -1}, {2, 3}, {0, 0.5}, {4, -2}}};
    h.nodes[9].n_slopes = 2;
    h.nodes[10].first_slope = 2;
    h.nodes[10].n_slopes = 2;
    h.nodes[12].first_slope = 4;
    h.nodes[12].n_slopes = 1;
    finish(&h, &f, 13, 5);
    compare(&h.tree, 1e-12);
    /* Smooth functions have mean 0 on every axis. */
    for (int32_t j = 0; j < f.d; j++) {
        double mean = 0;
        for (int32_t b = 0; b < f.axes[j].bins; b++) {
            double *m = &h.main[f.axes[j].first + b];
            *m = sin(3.0 * b + j) * (j + 1);
            mean += f.weight[f.axes[j].first + b] * *m;
        }
        for (int32_t b = 0; b < f.axes[j].bins; b++)
            h.main[f.axes[j].first + b] -= mean;
    }
    h.nodes[0].step = 7;
    for (int i = 0; i < 13; i++)
        if (h.nodes[i].axis < 0) h.nodes[i].value += 7;
    compare(&h.tree, 1e-12);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain hand", one_categorical_split, exclusive_or, a_conditional_child, a_crowded_tree)
