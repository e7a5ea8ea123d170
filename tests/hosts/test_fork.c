/* fork(), as Python's multiprocessing does it: a child makes contexts of its own and works; what
 * its parent made and never changes it may read; a store on disk that its parent opened is refused,
 * and left as it was whatever the child frees. */
#include "world.h"

#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITHOUT_THREADS \
    1 /* the sanitizer does not follow threads of a child whose parent had some */
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITHOUT_THREADS 1
#endif
#ifndef WITHOUT_THREADS
#define WITHOUT_THREADS 0
#endif

/* A study file in a folder of this test's own. */
static char path[256];

static void setup(void)
{
    const char *build = getenv("SPT_TEST_BUILD");
    snprintf(path, sizeof path, "%s/fork-%ld.db", build ? build : "/tmp", (long)getpid());
    remove(path);
}

static void teardown(void)
{
    remove(path);
}

/* The child must end by itself, with 0. */
static void wait_for(pid_t child)
{
    int status = -1;
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
}

/* Run `fn` in a child. What it returns, 0 if all is well, is the child's exit status: an assertion
 * of Check's would go on there with the parent's other tests. */
static void in_child(int (*fn)(void *arg), void *arg)
{
    const pid_t child = fork();
    if (child == 0) _exit(fn(arg));
    wait_for(child);
}

/* The whole job on a context of its own, with threads. */
static int whole_job(double *prediction)
{
    world c;
    spt_ctx *ctx = NULL;
    spt_model *model = NULL;
    spt_predictor *predictor = NULL;
    double x[WORLD_BANDS];
    for (int j = 0; j < WORLD_BANDS; j++)
        x[j] = 0.5 + 0.01 * j;
    if (spt_ctx_new(NULL, &ctx) < 0) return 1;
    world_new_on(&c, ctx);
    if (spt_ctx_set_threads(ctx, WITHOUT_THREADS ? 1 : 2) < 0) return 2;
    if (spt_model_fit(ctx, c.dataset, NULL, "y", c.config, 3, NULL, NULL, NULL, NULL, &model) < 0)
        return 4;
    if (spt_predictor_new(ctx, model, &predictor) < 0 ||
        spt_predictor_run(predictor, x, WORLD_BANDS, prediction, 1) < 0)
        return 5;
    spt_predictor_free(predictor);
    spt_model_free(model);
    world_free(&c);
    return 0;
}

/* The cross-validation runs two folds on two threads; `name` is a study of its own. */
static int search(spt_ctx *ctx, const char *url, const char *name, int64_t trials)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    spt_dataset *dataset = world_dataset(ctx);
    spt_space *space = world_space(ctx);
    int bad = spt_ctx_set_threads(ctx, WITHOUT_THREADS ? 1 : 2) < 0 ||
              spt_cv_options_new(ctx, &o) < 0 || spt_options_set_number(o, "folds", 2) < 0 ||
              spt_options_set_number(o, "epochs", 2) < 0 ||
              spt_cv_new(ctx, dataset, NULL, "y", o, &cv) < 0 ||
              spt_store_open(ctx, url, SPT_STORE_CREATE, &store) < 0 ||
              spt_study_open(store, name, space, NULL, &study) < 0 ||
              spt_study_set_cv(study, cv) < 0 || spt_study_run(study, trials, 0) != SPT_STOP_TRIALS;
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(o);
    spt_space_free(space);
    spt_dataset_free(dataset);
    return bad;
}

/* What a child writes for its parent to compare. */
typedef struct {
    int from, to;
} ends;

static int all_anew(void *arg)
{
    const ends *pipe_ends = arg;
    double value = NAN;
    spt_ctx *own = NULL;
    const int bad = whole_job(&value);
    if (bad) return 10 + bad;
    if (spt_ctx_new(NULL, &own) < 0 || search(own, path, "child", 2)) return 1;
    spt_ctx_free(own);
    return write(pipe_ends->to, &value, sizeof value) == (ssize_t)sizeof value ? 0 : 2;
}

/* After the parent has used every thread and library that it may, the child finds the same bits. */
START_TEST(own_context)
{
    double here = NAN, there = NAN;
    int both[2];
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    ck_assert_int_eq(search(ctx, "memory:", "before", 2), 0);
    ck_assert_int_eq(whole_job(&here), 0);
    ck_assert_int_eq(pipe(both), 0);
    ends e = {both[0], both[1]};
    in_child(all_anew, &e);
    ck_assert_int_eq(read(both[0], &there, sizeof there), sizeof there);
    ck_assert_mem_eq(&here, &there, sizeof here);
    close(both[0]);
    close(both[1]);
    spt_ctx_free(ctx);
}
END_TEST

typedef struct {
    world w;
    double x[WORLD_BANDS], y;
} loaded;

static int read_on(void *arg)
{
    const loaded *l = arg;
    spt_ctx *own = NULL;
    spt_predictor *p = NULL;
    spt_fanova *f = NULL;
    double y = NAN, row[WORLD_BANDS];
    if (spt_ctx_new(NULL, &own) < 0 || spt_predictor_new(own, l->w.model, &p) < 0) return 1;
    if (spt_predictor_run(p, l->x, WORLD_BANDS, &y, 1) < 0 || memcmp(&y, &l->y, sizeof y) != 0)
        return 2;
    if (spt_dataset_spectra(l->w.dataset, 0, 1, row, WORLD_BANDS) < 0) return 3;
    if (spt_fanova_new(own, l->w.history, NULL, &f) < 0) return 4;
    if (spt_space_count(l->w.space) != 3) return 5;
    spt_fanova_free(f);
    spt_predictor_free(p);
    spt_ctx_free(own);
    return 0;
}

/* A model loaded once, many children that predict with it. */
START_TEST(immutable_handles)
{
    loaded l;
    world_new(&l.w);
    for (int j = 0; j < WORLD_BANDS; j++)
        l.x[j] = 0.5 + 0.01 * j;
    ck_assert_int_eq(spt_predictor_run(l.w.predictor, l.x, WORLD_BANDS, &l.y, 1), SPT_OK);
    for (int i = 0; i < 3; i++)
        in_child(read_on, &l);
    ck_assert_int_eq(spt_predictor_run(l.w.predictor, l.x, WORLD_BANDS, &l.y, 1), SPT_OK);
    world_free(&l.w);
}
END_TEST

typedef struct {
    spt_ctx *ctx;
    spt_space *space;
    spt_store *store;
    spt_study *study;
    spt_trial *trial;
} opened;

static void let_go(opened *o)
{
    spt_trial_free(o->trial);
    spt_study_free(o->study);
    spt_store_free(o->store);
    spt_space_free(o->space);
    spt_ctx_free(o->ctx);
}

static int use_parents(void *arg)
{
    opened *o = arg;
    spt_trial *other = NULL;
    if (spt_study_ask(o->study, &other) != SPT_EBUSY || other != NULL) return 1;
    if (strstr(spt_ctx_last_error(o->ctx), "fork()") == NULL) return 2;
    if (spt_trial_report(o->trial, 0, 1) != SPT_EBUSY) return 3;
    if (spt_trial_tell(o->trial, SPT_TRIAL_COMPLETE, 1) != SPT_EBUSY) return 4;
    if (spt_store_study(o->store, 0) != NULL) return 5;
    let_go(o); /* as a collector of garbage does at the child's end */
    return 0;
}

static int open_anew(void *arg)
{
    opened o = {0};
    (void)arg;
    if (spt_ctx_new(NULL, &o.ctx) < 0) return 1;
    if (spt_store_open(o.ctx, path, SPT_STORE_OPEN, &o.store) < 0) return 2;
    if (spt_study_open(o.store, "forked", NULL, NULL, &o.study) < 0) return 3;
    if (spt_study_ask(o.study, &o.trial) < 0 || spt_trial_number(o.trial) != 1) return 4;
    if (spt_trial_tell(o.trial, SPT_TRIAL_COMPLETE, 3) < 0) return 5;
    let_go(&o);
    return 0;
}

/* Refused in the child, and nothing that it frees there is felt here; its own connection works. */
START_TEST(store_of_the_parent)
{
    opened o = {0};
    spt_history *history = NULL;
    spt_trial_info info;
    ck_assert_int_eq(spt_ctx_new(NULL, &o.ctx), SPT_OK);
    o.space = world_space(o.ctx);
    OK(o.ctx, spt_store_open(o.ctx, path, SPT_STORE_CREATE, &o.store));
    OK(o.ctx, spt_study_open(o.store, "forked", o.space, NULL, &o.study));
    OK(o.ctx, spt_study_ask(o.study, &o.trial));
    in_child(use_parents, &o);
    OK(o.ctx, spt_trial_report(o.trial, 0, 1.5));
    in_child(open_anew, NULL);
    OK(o.ctx, spt_trial_tell(o.trial, SPT_TRIAL_COMPLETE, 2.5));
    OK(o.ctx, spt_study_history(o.study, &history));
    ck_assert_int_eq(spt_history_count(history), 2);
    spt_record_init(&info, sizeof info);
    OK(o.ctx, spt_history_trial(history, 0, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
    NEAR(info.value, 2.5, 0);
    spt_history_free(history);
    let_go(&o);
}
END_TEST

static int use_copy(void *arg)
{
    world *w = arg;
    spt_trial *t = NULL;
    if (spt_study_ask(w->study, &t) < 0 || spt_trial_tell(t, SPT_TRIAL_COMPLETE, 1) < 0) return 1;
    spt_trial_free(t);
    world_free(w);
    return 0;
}

/* A store in memory is the child's own copy from then on. */
START_TEST(store_in_memory)
{
    world w;
    spt_history *history = NULL;
    world_new(&w);
    in_child(use_copy, &w);
    OK(w.ctx, spt_study_history(w.study, &history));
    ck_assert_int_eq(spt_history_count(history), WORLD_TRIALS + 1);
    spt_history_free(history);
    world_free(&w);
}
END_TEST

SUITE_MAIN("fork", tcase_add_checked_fixture(tcase, setup, teardown);
           tcase_add_test(tcase, own_context); tcase_add_test(tcase, immutable_handles);
           tcase_add_test(tcase, store_of_the_parent); tcase_add_test(tcase, store_in_memory);)
