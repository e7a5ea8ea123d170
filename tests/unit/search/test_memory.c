/* What a sampler keeps between asks changes nothing: workers begin and end trials in any order, and
 * whoever has seen all of it proposes, to the bit, what somebody does who looks for the first time.
 */
#include "failing.h"
#include "records.h"

#include "search/tpe.h"

enum { MOST = SPT__SIEVED + 400, WORKERS = 8 };

typedef struct trial {
    double values[MAX_PARAMS], loss;
    int32_t state;
    int64_t sequence, steps, key;
} trial;

/* A study as its sampler sees it: trials by sequence number, finished ones first. */
typedef struct study {
    spt_ctx *ctx;
    spt_space *space;
    spt_options *options;
    spt__sampler *named, *plain; /* views with keys, without; both see every view */
    spt__rng rng;
    int64_t n, next;
    trial trials[MOST];
    double values[MOST * MAX_PARAMS], loss[MOST];
    int32_t state[MOST];
    int64_t sequence[MOST], steps[MOST], key[MOST];
} study;

static study *begin_study(const char *preset, uint64_t seed, uint64_t story)
{
    study *s = calloc(1, sizeof *s);
    spt_ctx_new(NULL, &s->ctx);
    s->space = mixed_space(s->ctx);
    s->options = options_of(s->ctx, preset, (double)seed);
    OK(s->ctx, spt__sampler_new(s->ctx, s->space, s->options, &s->named, &s->ctx->err));
    OK(s->ctx, spt__sampler_new(s->ctx, s->space, s->options, &s->plain, &s->ctx->err));
    spt__rng_init(&s->rng, seed, SPT__RNG_TEST, 77, story);
    return s;
}

static void end_study(study *s)
{
    spt__sampler_free(s->named);
    spt__sampler_free(s->plain);
    spt_options_free(s->options);
    spt_space_free(s->space);
    spt_ctx_free(s->ctx);
    free(s);
}

static int in_order(const void *pa, const void *pb)
{
    const trial *a = pa, *b = pb;
    const bool ra = a->state == SPT_TRIAL_RUNNING, rb = b->state == SPT_TRIAL_RUNNING;
    if (ra != rb) return ra ? 1 : -1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static spt__view view_of(study *s, bool keys)
{
    const int32_t p = s->space->n;
    qsort(s->trials, (size_t)s->n, sizeof s->trials[0], in_order);
    for (int64_t i = 0; i < s->n; i++) {
        memcpy(s->values + i * p, s->trials[i].values, (size_t)p * sizeof(double));
        s->loss[i] = s->trials[i].loss;
        s->state[i] = s->trials[i].state;
        s->sequence[i] = s->trials[i].sequence;
        s->steps[i] = s->trials[i].steps;
        s->key[i] = s->trials[i].key;
    }
    return (spt__view){.n = s->n,
                       .n_params = p,
                       .values = s->values,
                       .loss = s->loss,
                       .state = s->state,
                       .sequence = s->sequence,
                       .steps = s->steps,
                       .key = keys ? s->key : NULL,
                       .source = keys ? 1 : 0};
}

static void start_trial(study *s, const double *values)
{
    ck_assert_int_lt(s->n, MOST);
    trial *t = &s->trials[s->n++];
    *t = (trial){.loss = INFINITY, .state = SPT_TRIAL_RUNNING, .sequence = s->next, .key = s->next};
    s->next++;
    memcpy(t->values, values, (size_t)s->space->n * sizeof(double));
}

/* Complete, pruned, failed, or as if it had never been. */
static void end_trial(study *s, int64_t at)
{
    trial *t = &s->trials[at];
    const double way = spt__rng_double(&s->rng);
    t->steps = 1 + (int64_t)(4 * spt__rng_double(&s->rng));
    t->state = way < 0.75 ? SPT_TRIAL_COMPLETE : way < 0.9 ? SPT_TRIAL_PRUNED : SPT_TRIAL_FAILED;
    if (t->state != SPT_TRIAL_FAILED) t->loss = fabs(t->values[0]) + spt__rng_double(&s->rng);
    if (way > 0.95) *t = s->trials[--s->n];
}

static int64_t running(study *s, int64_t *first)
{
    int64_t n = 0;
    qsort(s->trials, (size_t)s->n, sizeof s->trials[0], in_order);
    *first = s->n;
    while (*first > 0 && s->trials[*first - 1].state == SPT_TRIAL_RUNNING) {
        *first -= 1;
        n++;
    }
    return n;
}

static spt_config *proposal(study *s, spt__sampler *sampler, const spt__view *view)
{
    spt_config *config = NULL;
    OK(s->ctx, spt__sampler_propose(sampler, view, s->next, NULL, NULL, &config, &s->ctx->err));
    return config;
}

static void same_values(const study *s, const spt_config *a, const spt_config *b)
{
    ck_assert_int_eq(memcmp(a->value, b->value, (size_t)s->space->n * sizeof(double)), 0);
}

/* One step of the study: the next trial, proposed by both, and by a new one where asked for. */
static void ask(study *s, bool fresh)
{
    spt__view view = view_of(s, true);
    spt_config *named = proposal(s, s->named, &view);
    view.key = NULL;
    view.source = 0;
    spt_config *plain = proposal(s, s->plain, &view);
    same_values(s, named, plain);
    if (fresh) {
        spt__sampler *other;
        OK(s->ctx, spt__sampler_new(s->ctx, s->space, s->options, &other, &s->ctx->err));
        spt_config *anew = proposal(s, other, &view);
        same_values(s, named, anew);
        spt_config_free(anew);
        if (other->kind == &spt__sampler_tpe) {
            OK(s->ctx, spt__tpe_fit(other, &view, &s->ctx->err));
            OK(s->ctx, spt__tpe_fit(s->plain, &view, &s->ctx->err));
            view = view_of(s, true);
            OK(s->ctx, spt__tpe_fit(s->named, &view, &s->ctx->err));
            for (int i = 0; i < 5; i++) {
                double v[MAX_PARAMS], good[3], bad[3];
                spt__sampler_uniform(other, s->next * 5 + i, 9, v);
                spt__tpe_look(other, v, &good[0], &bad[0]);
                spt__tpe_look(s->named, v, &good[1], &bad[1]);
                spt__tpe_look(s->plain, v, &good[2], &bad[2]);
                for (int k = 1; k < 3; k++) {
                    ck_assert_double_eq(good[0], good[k]);
                    ck_assert_double_eq(bad[0], bad[k]);
                }
            }
        }
        spt__sampler_free(other);
    }
    start_trial(s, named->value);
    spt_config_free(named);
    spt_config_free(plain);
}

static void work(study *s, int64_t trials, int64_t every)
{
    const int64_t until = s->next + trials;
    while (s->next < until) {
        int64_t first, n = running(s, &first);
        while (n == WORKERS || (n > 0 && spt__rng_double(&s->rng) < 0.5)) {
            end_trial(s, first + (int64_t)(spt__rng_double(&s->rng) * (double)n));
            n = running(s, &first);
        }
        ask(s, s->next % every == 0);
    }
}

/* All presets, from the first trial on. */
START_TEST(small_studies)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        study *s = begin_study(KINDS[_i], seed, 0);
        work(s, 120, 1);
        end_study(s);
    }
}
END_TEST

/* So many trials that the first look at all of them takes place. */
START_TEST(large_study)
{
    study *s = begin_study("tpe", 3, 0);
    for (int64_t i = 0; i < SPT__SIEVED; i++) {
        double v[MAX_PARAMS];
        spt__sampler_uniform(s->named, i, 5, v);
        if (i % 2) v[0] = 0.1 * v[0]; /* half of them near the best one */
        start_trial(s, v);
        s->trials[s->n - 1].state = SPT_TRIAL_COMPLETE;
        s->trials[s->n - 1].loss = fabs(v[0]) + 0.01 * (double)(i % 7);
    }
    work(s, 250, 10);
    end_study(s);
}
END_TEST

/* Views that have nothing to do with each other. */
START_TEST(another_study)
{
    study *a = begin_study("tpe", 5, 1), *b = begin_study("tpe", 5, 2);
    work(a, 100, 50);
    work(b, 100, 50);
    for (int i = 0; i < 6; i++) {
        study *s = i % 2 ? b : a;
        spt__view view = view_of(s, true);
        view.source = 1 + (uint64_t)(i % 2);
        /* The keys are the same in both, but not what they stand for. */
        spt_config *x = NULL, *y = proposal(s, s->plain, &view);
        OK(a->ctx, spt__sampler_propose(a->named, &view, s->next, NULL, NULL, &x, &a->ctx->err));
        same_values(s, x, y);
        spt_config_free(x);
        spt_config_free(y);
    }
    end_study(a);
    end_study(b);
}
END_TEST

/* ---- the first look at many trials ----------------------------------------------------------- */

typedef struct whole {
    spt_ctx *ctx;
    spt_space *space;
    spt__sampler *sampler;
    spt__tpe_rule rule;
    spt__record record;
    spt__blocks blocks;
    spt__side side;
    uint8_t *code;
    double *values, *loss;
    int32_t *state;
    int64_t *sequence;
} whole;

enum { ALL = SPT__SIEVED + 700 };

/* The bad side of many trials, half of them near each other. */
static void begin_whole(whole *w)
{
    spt_options *options;
    spt__err *e;
    spt_ctx_new(NULL, &w->ctx);
    e = &w->ctx->err;
    w->space = mixed_space(w->ctx);
    const int32_t p = w->space->n;
    options = options_of(w->ctx, "default", 1);
    OK(w->ctx, spt__sampler_new(w->ctx, w->space, options, &w->sampler, e));
    OK(w->ctx, spt__tpe_rule_init(&w->rule, options, e));
    spt_options_free(options);
    w->values = calloc((size_t)(ALL * p), sizeof *w->values);
    w->loss = calloc(ALL, sizeof *w->loss);
    w->state = calloc(ALL, sizeof *w->state);
    w->sequence = calloc(ALL, sizeof *w->sequence);
    w->code = calloc(ALL, sizeof *w->code);
    for (int i = 0; i < ALL; i++) {
        double *v = w->values + i * p;
        spt__sampler_uniform(w->sampler, i, 3, v);
        if (i % 2) v[0] *= 0.05;
        w->code[i] = i % 50 == 7 ? SPT__GOOD : SPT__BAD;
        w->state[i] = SPT_TRIAL_COMPLETE;
    }
    const spt__view view = {.n = ALL,
                            .n_params = p,
                            .values = w->values,
                            .loss = w->loss,
                            .state = w->state,
                            .sequence = w->sequence};
    const spt__side_rows rows = {.code = w->code, .mine = SPT__BAD, .loss = w->loss};
    OK(w->ctx, spt__record_init(&w->record, w->ctx, w->sampler->domains, p, e));
    OK(w->ctx, spt__record_compare(&w->record, &view, e));
    OK(w->ctx, spt__record_follow(&w->record, &view, e));
    OK(w->ctx, spt__blocks_init(&w->blocks, w->ctx, w->space, w->sampler->domains,
                                w->rule.structure, NULL, e));
    OK(w->ctx, spt__side_init(&w->side, &w->record, &w->rule, false, e));
    OK(w->ctx, spt__side_fit(&w->side, &w->blocks, &rows, e));
}

static void end_whole(whole *w)
{
    spt__side_free(&w->side);
    spt__blocks_free(&w->blocks);
    spt__record_free(&w->record);
    spt__sampler_free(w->sampler);
    spt_space_free(w->space);
    spt_ctx_free(w->ctx);
    free(w->values);
    free(w->loss);
    free(w->state);
    free(w->sequence);
    free(w->code);
}

static double bad_at(whole *w, const spt__point *at, int32_t lane)
{
    double sum = 0;
    spt__side_begin(&w->side, at, lane);
    for (int32_t b = 0; b < w->blocks.n; b++)
        if (!isnan(at->value[w->blocks.items[b].members[0]])) sum += spt__side_log(&w->side, b, at);
    return sum;
}

/* What does not pass could not have been seen in a sum, and how many points are looked at together
 * is nothing to any of them. */
START_TEST(the_sieve)
{
    static double numbers[SPT__LANES][2][MAX_PARAMS];
    static int32_t places[SPT__LANES][MAX_PARAMS];
    spt__point points[SPT__LANES];
    whole w = {0};
    begin_whole(&w);
    const int32_t p = w.space->n;
    for (int round = 0; round < 10; round++) {
        double together[SPT__LANES];
        for (int l = 0; l < SPT__LANES; l++) {
            double v[MAX_PARAMS];
            spt__sampler_uniform(w.sampler, 100 * round + l, 4, v);
            /* a point like a trial, or hardly like any */
            if (l % 3 == 0)
                memcpy(v, w.values + (37 * round + 11 * l) * p, sizeof v[0] * (size_t)p);
            points[l] = (spt__point){numbers[l][0], numbers[l][1], places[l]};
            for (int32_t d = 0; d < p; d++)
                spt__point_set(&points[l], &w.sampler->domains[d], d, v[d]);
        }
        spt__side_sieve(&w.side, points, SPT__LANES);
        ck_assert_int_eq(w.side.sieve.block, 0);
        for (int l = 0; l < SPT__LANES; l++)
            together[l] = bad_at(&w, &points[l], l);
        for (int l = 0; l < SPT__LANES; l++) {
            spt__side_sieve(&w.side, &points[l], 1);
            ck_assert_double_eq(bad_at(&w, &points[l], 0), together[l]);
            w.side.sieve.block = -1; /* without */
            NEAR(bad_at(&w, &points[l], 0), together[l], 1e-10);
        }
    }
    end_whole(&w);
}
END_TEST

/* Each allocation fails once while a sampler grows from few trials to many: it says so, and then
 * proposes what it would have. */
START_TEST(memory_runs_out)
{
    enum { BEFORE = SPT__SIEVED / 2 - 10 };
    whole w = {0};
    begin_whole(&w);
    for (int i = 0; i < ALL; i++)
        w.loss[i] = fabs(w.values[i * w.space->n]);
    spt__view view = {.n_params = w.space->n,
                      .values = w.values,
                      .loss = w.loss,
                      .state = w.state,
                      .sequence = w.sequence};
    int32_t status = SPT_ENOMEM;
    long failures = 0;
    for (long n = 0; status < 0; n++) {
        failing f;
        spt_config *first = NULL, *then = NULL, *usual = NULL;
        spt__sampler *s = NULL;
        spt_ctx *ctx = failing_ctx(&f);
        spt_space *space = mixed_space(ctx);
        spt_options *options = options_of(ctx, "tpe", 1);
        OK(ctx, spt__sampler_new(ctx, space, options, &s, &ctx->err));
        view.n = BEFORE;
        OK(ctx, spt__sampler_propose(s, &view, BEFORE, NULL, NULL, &first, &ctx->err));
        view.n = ALL;
        OK(w.ctx, spt__sampler_propose(w.sampler, &view, ALL, NULL, NULL, &usual, &w.ctx->err));
        f.until_failure = n;
        status = spt__sampler_propose(s, &view, ALL, NULL, NULL, &then, &ctx->err);
        f.until_failure = -1;
        if (status < 0) {
            ck_assert_int_eq(status, SPT_ENOMEM);
            failures++;
            OK(ctx, spt__sampler_propose(s, &view, ALL, NULL, NULL, &then, &ctx->err));
        }
        ck_assert_int_eq(memcmp(then->value, usual->value, (size_t)space->n * sizeof *then->value),
                         0);
        spt_config_free(first);
        spt_config_free(then);
        spt_config_free(usual);
        spt__sampler_free(s);
        spt_options_free(options);
        spt_space_free(space);
        spt_ctx_free(ctx);
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_int_gt(failures, 40);
    end_whole(&w);
}
END_TEST

SUITE_MAIN("search_memory", tcase_add_loop_test(tcase, small_studies, 0, N_SEEDED - 1);
           tcase_add_test(tcase, large_study); tcase_add_test(tcase, another_study);
           tcase_add_test(tcase, the_sieve); tcase_add_test(tcase, memory_runs_out);)
