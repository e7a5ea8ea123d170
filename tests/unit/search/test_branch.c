/* Branches of the tree: when the search rests, which one is looked into, and that it is. */
#include "records.h"

#include "search/branch.h"

enum { MANY = 30 };

/* Trials of one parameter "on" and two that exist only with it, or only without. */
typedef struct trials {
    double values[3 * MANY], loss[MANY];
    int32_t state[MANY];
    int64_t sequence[MANY];
    uint64_t branch[MANY];
    spt__view view;
} trials;

static void put_at(trials *t, bool on, double at, double loss)
{
    const int64_t i = t->view.n++;
    double *v = t->values + 3 * i;
    v[0] = on;
    v[1] = on ? at : NAN;
    v[2] = on ? NAN : at;
    t->loss[i] = loss;
    t->state[i] = isfinite(loss) ? SPT_TRIAL_COMPLETE : SPT_TRIAL_FAILED;
    t->sequence[i] = i;
    t->branch[i] = spt__branch_of(v, 3);
    t->view.n_params = 3;
    t->view.values = t->values;
    t->view.loss = t->loss;
    t->view.state = t->state;
    t->view.sequence = t->sequence;
}

static void put(trials *t, bool on, double loss)
{
    put_at(t, on, 0.5, loss);
}

static bool rests(spt_ctx *ctx, const trials *t, int64_t after)
{
    bool r = true;
    OK(ctx, spt__branch_rests(ctx, &t->view, after, &r, &ctx->err));
    return r;
}

START_TEST(rest)
{
    spt_ctx *ctx;
    trials t = {0};
    spt_ctx_new(NULL, &ctx);
    ck_assert(!rests(ctx, &t, 4));
    const double first[] = {9, 5, 1, 7, 3};
    for (int i = 0; i < 5; i++)
        put(&t, true, first[i]);
    /* the last four improved on 9 by 8; the last two on 1 by nothing */
    ck_assert(!rests(ctx, &t, 4));
    ck_assert(rests(ctx, &t, 2));
    ck_assert(!rests(ctx, &t, 5)); /* there is nothing before them */
    put(&t, true, INFINITY);       /* failed: does not count */
    ck_assert(!rests(ctx, &t, 4));
    put(&t, true, 1 - 0.03); /* a hundredth of the way to the median, 4, is 0.0303 */
    ck_assert(rests(ctx, &t, 1));
    put(&t, true, 0.5);
    ck_assert(!rests(ctx, &t, 1));
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(least_tried)
{
    spt_ctx *ctx;
    trials t = {0};
    bool found = true;
    uint64_t id = 0;
    spt_ctx_new(NULL, &ctx);
    OK(ctx, spt__branch_least_tried(ctx, &t.view, t.branch, 6, &found, &id, &ctx->err));
    ck_assert(!found);
    put(&t, true, 3);
    put(&t, true, 2);
    OK(ctx, spt__branch_least_tried(ctx, &t.view, t.branch, 6, &found, &id, &ctx->err));
    ck_assert(!found);
    put(&t, false, 2.5);
    OK(ctx, spt__branch_least_tried(ctx, &t.view, t.branch, 6, &found, &id, &ctx->err));
    ck_assert(found && id == t.branch[2]);
    put(&t, false, 1); /* now the other one is the best */
    OK(ctx, spt__branch_least_tried(ctx, &t.view, t.branch, 6, &found, &id, &ctx->err));
    ck_assert(found && id == t.branch[0]);
    OK(ctx, spt__branch_least_tried(ctx, &t.view, t.branch, 1, &found, &id, &ctx->err));
    ck_assert(!found);
    spt_ctx_free(ctx);
}
END_TEST

/* With focus 1 a search that rests proposes from the other branch and from no other; with focus 0
 * and good trials of one branch only, hardly ever. */
START_TEST(proposals)
{
    spt_ctx *ctx;
    spt_space *space;
    const char *const yes = "true", *const no = "false";
    spt_ctx_new(NULL, &ctx);
    OK(ctx, spt_space_new(ctx, "branches", &space));
    OK(ctx, spt_space_add_bool(space, "on", 0));
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_condition(space, "a", "on", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_space_add_condition(space, "b", "on", SPT_OP_EQ, &no, 1));
    trials t = {0};
    for (int i = 0; i < MANY; i++) {
        const double at = fmod(0.3 + i * 0.618, 1);
        put_at(&t, i % 2, at, (i % 2 ? 0 : 5) + fabs(at - 0.3 - 1e-3));
    }
    int other[2] = {0};
    for (int f = 0; f < 2; f++) {
        spt_options *options = options_of(ctx, "tpe", 3);
        spt__sampler *s;
        OK(ctx, spt_options_set_number(options, "focus", f));
        OK(ctx, spt__sampler_new(ctx, space, options, &s, &ctx->err));
        for (int i = 0; i < 100; i++) {
            spt_config *c = NULL;
            OK(ctx, spt__sampler_propose(s, &t.view, 100 + i, NULL, NULL, &c, &ctx->err));
            other[f] += spt_config_exists(c, "b") == 1;
            spt_config_free(c);
        }
        spt__sampler_free(s);
        spt_options_free(options);
    }
    ck_assert_int_lt(other[0], 25);
    ck_assert_int_eq(other[1], 100);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("search_branch", rest, least_tried, proposals)
