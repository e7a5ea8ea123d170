/* The smooth functions: what they follow, what they leave alone. */
#include "forests.h"

static double curved(const spt__lattice *f, const uint16_t *code)
{
    const double z = z_of(f, code, 0), c = code[1] == 3 ? 1 : 0;
    return 10 + sin(6 * z) + c + (code[3] == SPT__NO_BIN ? 0 : 2 + z_of(f, code, 3));
}

static const bool yes[] = {false, true};
static const spt__axis_need of_flag = {4, yes};
static const spt__axis_spec axes[] = {{.bins = SPT__BINS},
                                      {.bins = 4, .categorical = true},
                                      {.bins = SPT__BINS},
                                      {.bins = 32, .needs = &of_flag, .n_needs = 1},
                                      {.bins = 2}};
enum { D = 5, N = 400 };

typedef struct fitted {
    spt__smooth smooth[D];
    double main[SPT__BINS * 3];
    double residual[N], level;
} fitted;

static void fit(spt_ctx *ctx, const spt__lattice *f, const trials *t, fitted *out)
{
    spt__err e;
    int32_t rows[N];
    for (int32_t i = 0; i < N; i++) {
        rows[i] = i;
        out->residual[i] = t->y[i];
    }
    OK(ctx, spt__smooth_choose(&t->table, out->smooth, &e));
    OK(ctx,
       spt__smooth_fit(&t->table, rows, N, out->smooth, out->residual, out->main, &out->level, &e));
    for (int32_t j = 0; j < f->d; j++) {
        double mean = 0;
        for (int32_t i = f->axes[j].first; i < f->axes[j].first + f->axes[j].bins; i++)
            mean += f->weight[i] * out->main[i];
        NEAR(mean, 0, 1e-12);
    }
    for (int32_t i = 0; i < N; i++) {
        double sum = out->level;
        for (int32_t j = 0; j < f->d; j++)
            if (t->code[j * N + i] != SPT__NO_BIN)
                sum += out->main[f->axes[j].first + t->code[j * N + i]];
        NEAR(out->residual[i], t->y[i] - sum, 1e-9);
    }
}

/* A sum of functions comes back part by part; what does nothing gets nothing, or nearly. */
START_TEST(a_sum)
{
    static fitted out;
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    lattice_of(ctx, axes, D, &f);
    trials t = draw_trials(&f, N, 1, curved, 0.1);
    fit(ctx, &f, &t, &out);
    double mean = 0;
    for (int32_t b = 0; b < SPT__BINS; b++)
        mean += sin(6 * (b + 0.5) / SPT__BINS) / SPT__BINS;
    for (int32_t b = 0; b < SPT__BINS; b++)
        ck_assert_double_lt(fabs(out.main[b] - (sin(6 * (b + 0.5) / SPT__BINS) - mean)), 0.12);
    for (int32_t b = 0; b < 4; b++)
        ck_assert_double_lt(fabs(out.main[f.axes[1].first + b] - (b == 3 ? 0.75 : -0.25)), 0.05);
    for (int32_t b = 0; b < SPT__BINS; b++)
        ck_assert_double_lt(fabs(out.main[f.axes[2].first + b]), 0.06);
    for (int32_t b = 0; b < 32; b++)
        ck_assert_double_lt(fabs(out.main[f.axes[3].first + b] - ((b + 0.5) / 32 - 0.5)), 0.1);
    /* That a parameter exists is its switch's doing: 2.5 on average. */
    ck_assert_double_lt(fabs(out.main[f.axes[4].first + 1] - out.main[f.axes[4].first] - 2.5), 0.1);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

static double straight(const spt__lattice *f, const uint16_t *code)
{
    return 3 * z_of(f, code, 0) - z_of(f, code, 2);
}

/* A straight line costs one degree of freedom and is met exactly; beyond the values that trials
 * have nothing runs on. */
START_TEST(a_line)
{
    static fitted out;
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    lattice_of(ctx, axes, D, &f);
    trials t = draw_trials(&f, N, 2, straight, 0);
    for (int32_t i = 0; i < N; i++)
        if (t.code[i] >= 100) {
            t.code[i] = 99;
            t.y[i] =
                3 * 99.5 / SPT__BINS - z_of(&f, (const uint16_t[]){0, 0, t.code[2 * N + i]}, 2);
        }
    fit(ctx, &f, &t, &out);
    ck_assert_int_eq(out.smooth[0].order, 2);
    NEAR(out.main[60] - out.main[20], 3 * 40.0 / SPT__BINS, 1e-3);
    NEAR(out.main[120], out.main[99], 1e-12);
    for (int32_t i = 0; i < N; i++)
        ck_assert_double_lt(fabs(out.residual[i]), 1e-3);
    free_trials(&t);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

static double flat(const spt__lattice *f, const uint16_t *code)
{
    (void)f, (void)code;
    return 1;
}

/* Of noise alone hardly anything is followed. */
START_TEST(noise)
{
    static fitted out;
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    double squares = 0, all = 0;
    lattice_of(ctx, axes, D, &f);
    for (uint64_t seed = 0; seed < 20; seed++) {
        trials t = draw_trials(&f, N, 10 + seed, flat, 1);
        fit(ctx, &f, &t, &out);
        for (int32_t i = 0; i < N; i++) {
            squares += out.residual[i] * out.residual[i];
            all += (t.y[i] - 1) * (t.y[i] - 1);
        }
        free_trials(&t);
    }
    ck_assert_double_gt(squares / all, 0.96);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain smooth", a_sum, a_line, noise)
