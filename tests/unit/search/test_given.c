/* Samplers whose proposals come from outside, or from a rule: a host's function, a list, a grid,
 * Sobol's sequence. */
#include "records.h"

#include "search/sobol.h"

#include <spectune/experimental.h>

typedef struct guest {
    spt_sampler *sampler;
    int mode, calls, destroyed;
    int32_t seen, told, freed;
} guest;

static int32_t guest_draw(const spt_trials *trials, int64_t sequence, int32_t attempt,
                          uint64_t seed, spt_config *config, void *user)
{
    guest *g = user;
    spt_config *other = NULL;
    (void)attempt, (void)seed;
    g->calls++;
    switch (g->mode) {
    case 0:
        return SPT_STOP_EXHAUSTED;
    case 1:
        return SPT_PRUNED;
    case 2:
        return -1234;
    case 3: /* comes back */
        g->seen = spt_sampler_propose(g->sampler, 0, &other);
        g->told = spt_sampler_tell(g->sampler, 7, config, SPT_TRIAL_COMPLETE, 1, 0);
        return SPT_OK;
    case 4: /* gives its sampler up */
        spt_sampler_free(g->sampler);
        return SPT_OK;
    default:
        break;
    }
    int32_t state;
    double loss;
    int64_t number;
    const int64_t n = spt_trials_count(trials);
    if (n == 0) return SPT_OK;
    if (spt_trials_trial(trials, n, &state, &loss, &number) != SPT_EINVAL) return SPT_EINVAL;
    if (spt_trials_trial(trials, n - 1, &state, &loss, &number) < 0) return SPT_EINVAL;
    if (spt_trials_config(trials, n - 1, &other) < 0) return SPT_EINVAL;
    const double x = get(other, "x");
    spt_config_free(other);
    if (number != sequence - 1 || state != SPT_TRIAL_COMPLETE) return SPT_EINVAL;
    return spt_config_set_number(config, "x", x / 2 + loss);
}

static void guest_gone(void *user)
{
    ((guest *)user)->destroyed++;
}

START_TEST(host_sampler)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    spt_config *c = NULL;
    guest g = {.mode = 5};
    OK(ctx, spt_sampler_new_host(ctx, space, NULL, guest_draw, &g, guest_gone, &g.sampler));
    OK(ctx, spt_sampler_propose(g.sampler, 0, &c));
    NEAR(get(c, "x"), 0, 0);
    OK(ctx, spt_sampler_tell(g.sampler, 0, c, SPT_TRIAL_COMPLETE, 0.5, 0));
    spt_config_free(c);
    OK(ctx, spt_sampler_propose(g.sampler, 1, &c));
    NEAR(get(c, "x"), 0.5, 0);
    double good;
    FAILS(ctx, SPT_EUNSUPPORTED, "'tpe' has", spt_sampler_densities(g.sampler, c, &good, NULL));
    spt_config_free(c);
    g.mode = 0;
    ck_assert_int_eq(spt_sampler_propose(g.sampler, 1, &c), SPT_STOP_EXHAUSTED);
    g.mode = 1;
    FAILS(ctx, SPT_ECALLBACK, "SPT_PRUNED", spt_sampler_propose(g.sampler, 1, &c));
    g.mode = 2;
    FAILS(ctx, -1234, "host's sampler", spt_sampler_propose(g.sampler, 1, &c));
    ck_assert_ptr_null(c);
    g.mode = 3;
    OK(ctx, spt_sampler_propose(g.sampler, 1, &c));
    ck_assert_int_eq(g.seen, SPT_EBUSY);
    ck_assert_int_eq(g.told, SPT_EBUSY);
    spt_config_free(c);
    g.mode = 4;
    OK(ctx, spt_sampler_propose(g.sampler, 1, &c));
    spt_config_free(c);
    ck_assert_int_eq(g.destroyed, 1);
    FAILS(ctx, SPT_EINVAL, "NULL",
          spt_sampler_new_host(ctx, space, NULL, NULL, &g, guest_gone, &g.sampler));
    ck_assert_int_eq(g.destroyed, 2);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- grid, list, Sobol ------------------------------------------------------------------------
 */

/* Every combination once, those that were tried passed over, then the end. */
START_TEST(grid)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space;
    spt_options *options;
    spt_sampler *s;
    const char *const yes = "true";
    OK(ctx, spt_space_new(ctx, "grid", &space));
    OK(ctx, spt_space_add_bool(space, "on", 0));
    OK(ctx, spt_space_add_float(space, "lr", 1e-4, 1, 0, 1, 1));
    OK(ctx, spt_space_add_int(space, "n", 0, 100, 1, 0, 3));
    OK(ctx, spt_space_add_condition(space, "n", "on", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_sampler_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "sampler", "grid"));
    OK(ctx, spt_sampler_new(ctx, space, options, &s));
    int64_t n = 0;
    double lr = 0, ints = 0;
    spt_config *c = NULL;
    int32_t status;
    for (; (status = spt_sampler_propose(s, n, &c)) == SPT_OK; n++) {
        lr += log10(get(c, "lr"));
        if (get(c, "on") > 0) ints += get(c, "n");
        OK(ctx, spt_sampler_tell(s, n, c, SPT_TRIAL_COMPLETE, 0, 0));
        spt_config_free(c);
    }
    ck_assert_int_eq(status, SPT_STOP_EXHAUSTED);
    ck_assert_int_eq(n, 5 + 5 * 5);
    NEAR(lr, 6 * -(0 + 1 + 2 + 3 + 4), 1e-12);
    NEAR(ints, 5 * (0 + 25 + 50 + 75 + 100), 0);
    spt_sampler_free(s);
    spt_options_free(options);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(given_list)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx), *other = mixed_space(ctx);
    spt_config *a, *b, *c = NULL, *foreign;
    spt_sampler *s;
    OK(ctx, spt_config_new(ctx, space, &a));
    OK(ctx, spt_config_new(ctx, space, &b));
    OK(ctx, spt_config_new(ctx, other, &foreign));
    OK(ctx, spt_config_set_number(b, "x", 0.5));
    const spt_config *const list[] = {a, b, a}, *const wrong[] = {a, foreign};
    FAILS(ctx, SPT_EINVAL, "configuration 1 is of another space",
          spt_sampler_new_given(ctx, space, wrong, 2, &s));
    OK(ctx, spt_sampler_new_given(ctx, space, list, 3, &s));
    for (int i = 0; i < 3; i++) {
        OK(ctx, spt_sampler_propose(s, i, &c));
        ck_assert_int_eq(spt_config_equal(c, list[i]), 1);
        OK(ctx, spt_sampler_tell(s, i, c, SPT_TRIAL_COMPLETE, i, 0));
        FAILS(ctx, SPT_EBUSY, "ended already", spt_sampler_tell(s, i, c, SPT_TRIAL_COMPLETE, i, 0));
        spt_config_free(c);
    }
    ck_assert_int_eq(spt_sampler_propose(s, 3, &c), SPT_STOP_EXHAUSTED);
    FAILS(ctx, SPT_EMISMATCH, "another space",
          spt_sampler_tell(s, 3, foreign, SPT_TRIAL_COMPLETE, 0, 0));
    FAILS(ctx, SPT_EINVAL, "state is 4", spt_sampler_tell(s, 3, a, SPT_TRIAL_WAITING, 0, 0));
    OK(ctx, spt_sampler_tell(s, 3, a, SPT_TRIAL_RUNNING, 0, 0));
    FAILS(ctx, SPT_EMISMATCH, "another configuration",
          spt_sampler_tell(s, 3, b, SPT_TRIAL_COMPLETE, 0, 0));
    spt_sampler_free(s);
    spt_config_free(a);
    spt_config_free(b);
    spt_config_free(foreign);
    spt_space_free(space);
    spt_space_free(other);
    spt_ctx_free(ctx);
}
END_TEST

/* The first 2^k points have one in each of 2^k equal intervals of every dimension, scrambled or
 * not; the first two dimensions also one in each box of 2^i by 2^(k - i). */
START_TEST(sobol)
{
    enum { K = 8, N = 1 << K };
    for (int32_t d = 0; d < SPT__SOBOL_DIMENSIONS; d++) {
        bool plain[N] = {false}, scrambled[N] = {false};
        for (uint32_t i = 0; i < N; i++) {
            plain[spt__sobol(i, d) >> (32 - K)] = true;
            const double u = spt__sobol_scrambled(i, d, 5);
            ck_assert(u >= 0 && u < 1);
            scrambled[(int)(u * N)] = true;
        }
        for (int i = 0; i < N; i++)
            ck_assert_msg(plain[i] && scrambled[i], "dimension %d, interval %d", (int)d, i);
    }
    for (int a = 0; a <= K; a++) {
        bool box[N] = {false};
        for (uint32_t i = 0; i < N; i++) {
            const double u = spt__sobol_scrambled(i, 0, 9), v = spt__sobol_scrambled(i, 1, 9);
            box[(int)(u * (1 << a)) << (K - a) | (int)(v * (1 << (K - a)))] = true;
        }
        for (int i = 0; i < N; i++)
            ck_assert_msg(box[i], "2^%d boxes, box %d", a, i);
    }
    /* Known points, in binary order, of two dimensions with polynomials of degree 2 and 3. */
    const double third[] = {0, 0.5, 0.75, 0.25, 0.375, 0.875, 0.625, 0.125};
    const double fifth[] = {0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875};
    for (uint32_t i = 0; i < 8; i++) {
        NEAR(spt__sobol(i, 2) * 0x1p-32, third[i], 0);
        NEAR(spt__sobol(i, 4) * 0x1p-32, fifth[i], 0);
    }
}
END_TEST

TEST_MAIN("search_given", host_sampler, grid, given_list, sobol)
