/* One conformance suite over every sampler. */
#include "failing.h"
#include "records.h"

#include <spectune/experimental.h>

/* The same trials and seed give the same proposal, also from a sampler made anew; another seed
 * another one. */
START_TEST(determinism)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *a = begin(ctx, space, KINDS[k], 3), *other = begin(ctx, space, KINDS[k], 4);
        int same_seed = 0, other_seed = 0;
        for (int i = 0; i < 40; i++) {
            spt_config *first = propose(a), *again = propose(a), *c = propose(other);
            record *b = begin(ctx, space, KINDS[k], 3);
            spt__sampler *sampler = a->sampler;
            a->sampler = b->sampler;
            spt_config *fresh = propose(a);
            a->sampler = sampler;
            same_seed += spt_config_equal(first, again) && spt_config_equal(first, fresh);
            other_seed += spt_config_equal(first, c);
            add(a, first, mixed(first));
            add(other, c, mixed(c));
            spt_config_free(first);
            spt_config_free(again);
            spt_config_free(fresh);
            spt_config_free(c);
            end(b);
        }
        ck_assert_int_eq(same_seed, 40);
        if (k < N_SEEDED) ck_assert_int_eq(other_seed, 0);
        end(a);
        end(other);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Unless the options say otherwise, trial 0 has the defaults of the space, whatever the seed; if
 * they are refused, it is drawn. */
static int32_t not_the_defaults(const spt_config *config, void *defaults)
{
    return spt_config_equal(config, defaults) ? SPT_ESHAPE : SPT_OK;
}

START_TEST(the_first_has_the_defaults)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    spt_config *defaults = NULL;
    const spt__view none = {.n_params = spt_space_count(space)};
    OK(ctx, spt_config_new(ctx, space, &defaults));
    for (int k = 0; k < N_SEEDED - 1; k++) {
        spt__sampler *s;
        spt_config *c = NULL;
        spt_options *options = options_of(ctx, KINDS[k], 1);
        OK(ctx, spt_options_set_text(options, "first", "default"));
        OK(ctx, spt__sampler_new(ctx, space, options, &s, &ctx->err));
        OK(ctx, spt__sampler_propose(s, &none, 0, NULL, NULL, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 1);
        spt_config_free(c);
        OK(ctx, spt__sampler_propose(s, &none, 0, not_the_defaults, defaults, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 0);
        spt_config_free(c);
        OK(ctx, spt__sampler_propose(s, &none, 1, NULL, NULL, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 0);
        spt_config_free(c);
        spt__sampler_free(s);
        spt_options_free(options);
    }
    spt_config_free(defaults);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Proposals are whole: what exists has a possible value, the rest has none, nothing is forbidden.
 */
START_TEST(proposals_are_valid)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        int deep = 0, slope = 0;
        for (int i = 0; i < 100; i++) {
            spt_config *config = propose(r), *checked = NULL;
            OK(ctx, spt__config_from_values(ctx, space, config->value, &checked, &ctx->err));
            OK(ctx, spt_config_check(config));
            deep += spt_config_exists(config, "depth");
            slope += spt_config_exists(config, "slope");
            NEAR(get(config, "alone"), 7, 0);
            add(r, config, mixed(config));
            spt_config_free(checked);
            spt_config_free(config);
        }
        ck_assert_int_gt(deep + 1000 * (k >= N_SEEDED), 10);
        ck_assert_int_gt(slope + 1000 * (k >= N_SEEDED), 0);
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(all_failed_or_nan)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    const double losses[] = {INFINITY, NAN, 1e308, -1e308};
    for (int k = 0; k < N_KINDS; k++) {
        for (int l = 0; l < 4; l++) {
            record *r = begin(ctx, space, KINDS[k], 1);
            for (int i = 0; i < 40; i++) {
                spt_config *config = propose(r);
                add(r, config, losses[l]);
                if (isnan(losses[l])) r->loss[r->n - 1] = NAN;
                spt_config_free(config);
            }
            end(r);
        }
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(one_point_space)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space;
    const char *const only = "only";
    OK(ctx, spt_space_new(ctx, "point", &space));
    OK(ctx, spt_space_add_float(space, "x", 0.25, 0.25, 0, 0, 0.25));
    OK(ctx, spt_space_add_float(space, "l", 1e-3, 1e-3, 0, 1, 1e-3));
    OK(ctx, spt_space_add_int(space, "i", 5, 5, 1, 1, 5));
    OK(ctx, spt_space_add_categorical(space, "c", &only, 1, 0));
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        const bool grid = !strcmp(KINDS[k], "grid");
        for (int i = 0; i < (grid ? 1 : 30); i++) {
            spt_config *config = propose(r);
            NEAR(get(config, "x"), 0.25, 0);
            NEAR(get(config, "l"), 1e-3, 0);
            NEAR(get(config, "i"), 5, 0);
            NEAR(get(config, "c"), 0, 0);
            add(r, config, 1);
            spt_config_free(config);
        }
        spt_config *none = NULL;
        if (grid) ck_assert_int_eq(propose_to(r, NULL, NULL, &none), SPT_STOP_EXHAUSTED);
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

typedef struct judge {
    spt_ctx *ctx;
    int32_t status;
    int calls, refuse; /* refuse the first so many */
} judge;

static int32_t refuse(const spt_config *config, void *arg)
{
    judge *j = arg;
    (void)config;
    if (j->calls++ < j->refuse) return spt__fail(&j->ctx->err, j->status, "not this one");
    return SPT_OK;
}

START_TEST(refusals)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        for (int i = 0; i < 30; i++) {
            spt_config *config = propose(r);
            add(r, config, mixed(config));
            spt_config_free(config);
        }
        spt_config *plain = propose(r), *later = NULL, *none = NULL;
        judge j = {ctx, SPT_ESHAPE, 0, 150};
        ctx->err = (spt__err){0};
        OK(ctx, propose_to(r, refuse, &j, &later));
        ck_assert_int_eq(j.calls, 151);
        ck_assert_int_eq(spt_config_equal(plain, later), 0);
        ck_assert_str_eq(spt_ctx_last_error(ctx), "");

        j = (judge){ctx, SPT_ESHAPE, 0, 1 << 30};
        ck_assert_int_eq(propose_to(r, refuse, &j, &none), SPT_STOP_EXHAUSTED);
        ck_assert_ptr_null(none);
        ck_assert_int_le(j.calls, SPT__ATTEMPTS);
        /* the last refusal: the check's, or that of a forbidden combination */
        const char *told = spt_ctx_last_error(ctx);
        ck_assert(strstr(told, "not this one") || strstr(told, "forbidden: "));

        j = (judge){ctx, SPT_ENOMEM, 0, 1 << 30};
        ck_assert_int_eq(propose_to(r, refuse, &j, &none), SPT_ENOMEM);
        ck_assert_int_eq(j.calls, 1);
        ctx->err = (spt__err){0};
        spt_config_free(plain);
        spt_config_free(later);
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* All pruned, all running, and one that is not over: what is proposed is valid all the same. */
START_TEST(all_in_one_state)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    const int32_t states[] = {SPT_TRIAL_PRUNED, SPT_TRIAL_RUNNING, SPT_TRIAL_FAILED};
    for (int k = 0; k < N_KINDS; k++)
        for (int t = 0; t < 3; t++) {
            record *r = begin(ctx, space, KINDS[k], 1);
            for (int i = 0; i < 40; i++) {
                spt_config *config = propose(r), *checked = NULL;
                OK(ctx, spt__config_from_values(ctx, space, config->value, &checked, &ctx->err));
                add(r, config, states[t] == SPT_TRIAL_PRUNED ? mixed(config) : INFINITY);
                r->state[r->n - 1] = states[t];
                spt_config_free(checked);
                spt_config_free(config);
            }
            end(r);
        }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* A whole life through the public functions, with memory running out at the n-th request. */
static int32_t live(spt_ctx *ctx, const spt_space *space, const char *kind)
{
    spt_options *options = NULL;
    spt_sampler *s = NULL;
    spt_config *config = NULL;
    double good = 0;
    int32_t status = spt_sampler_options_new(ctx, &options);
    if (status >= 0 && spt_options_set_text(options, "sampler", kind) == SPT_EINVAL)
        status = spt_options_set_text(options, "preset", kind);
    if (status >= 0) status = spt_options_set_number(options, "startup", 3);
    if (status >= 0 && !strcmp(kind, "host"))
        status = spt_sampler_new_host(ctx, space, options, host_draw, NULL, NULL, &s);
    else if (status >= 0)
        status = spt_sampler_new(ctx, space, options, &s);
    for (int i = 0; status >= 0 && i < 12; i++) {
        status = spt_sampler_propose(s, i, &config);
        if (status >= 0) status = spt_sampler_tell(s, i, config, SPT_TRIAL_RUNNING, 0, 0);
        if (status >= 0 && i % 4 != 3)
            status = spt_sampler_tell(s, i, config, SPT_TRIAL_COMPLETE, mixed(config), 0);
        if (status >= 0 && !strcmp(kind, "tpe"))
            status = spt_sampler_densities(s, config, &good, NULL);
        spt_config_free(config);
        config = NULL;
    }
    spt_sampler_free(s);
    spt_options_free(options);
    return status;
}

START_TEST(memory_runs_out)
{
    static const char *const kinds[] = {"tpe", "optuna5", "random", "grid"};
    for (int k = 0; k < 4; k++) {
        int32_t status = SPT_ENOMEM;
        long failures = 0;
        for (long n = 0; status < 0; n += n < 100 ? 1 : 37) {
            failing f;
            spt_ctx *ctx = failing_ctx(&f);
            spt_space *space = mixed_space(ctx);
            f.until_failure = n;
            status = live(ctx, space, kinds[k]);
            f.until_failure = -1;
            if (status < 0) {
                ck_assert_int_eq(status, SPT_ENOMEM);
                failures++;
            }
            spt_space_free(space);
            spt_ctx_free(ctx);
            ck_assert_int_eq(f.live, 0);
        }
        ck_assert_int_gt(failures, 20);
    }
}
END_TEST

TEST_MAIN("search_samplers", determinism, the_first_has_the_defaults, proposals_are_valid,
          all_failed_or_nan, one_point_space, refusals, all_in_one_state, memory_runs_out)
