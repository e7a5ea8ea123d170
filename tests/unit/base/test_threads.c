#include "testing.h"

#include "base/rng.h"
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void nap(int64_t microseconds)
{
    struct timespec t = {0, (long)microseconds * 1000};
    nanosleep(&t, NULL);
}

static spt_ctx *with_threads(int32_t n)
{
    spt_ctx *ctx = NULL;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt_ctx_set_threads(ctx, n));
    return ctx;
}

/* ---- tasks --------------------------------------------------------------------------------- */

typedef struct {
    int32_t threads;
    atomic_int runs[500];
    int64_t fail_from, fail_step;
    bool quiet;
} job;

static int32_t count_run(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    job *j = arg;
    atomic_fetch_add(&j->runs[index], 1);
    if (worker < 0 || worker >= j->threads)
        return spt__fail(e, SPT_EINTERNAL, "worker %d", (int)worker);
    nap(index % 7 * 30);
    if (j->fail_step && index >= j->fail_from && (index - j->fail_from) % j->fail_step == 0) {
        if (j->quiet) return SPT_EDATA;
        nap(index == j->fail_from ? 2000 : 0);
        return spt__fail(e, SPT_EDATA, "task %d failed", (int)index);
    }
    /* What a task got over is nobody's failure. */
    spt__fail(e, SPT_EIO, "passing trouble");
    return index % 2 ? SPT_STOP_HOST : SPT_OK;
}

START_TEST(every_task_runs_once)
{
    static const int32_t threads[] = {1, 2, 3, 8, 64};
    static const int64_t sizes[] = {0, 1, 2, 7, 300};
    for (size_t t = 0; t < 5; t++) {
        spt_ctx *ctx = with_threads(threads[t]);
        for (size_t s = 0; s < 5; s++) {
            job j = {.threads = threads[t]};
            ck_assert_int_eq(spt__parallel(ctx, sizes[s], count_run, &j, &ctx->err), SPT_OK);
            for (int64_t i = 0; i < 500; i++)
                ck_assert_int_eq(atomic_load(&j.runs[i]), i < sizes[s] ? 1 : 0);
            ck_assert_str_eq(spt_ctx_last_error(ctx), "");
        }
        spt_ctx_free(ctx);
    }
}
END_TEST

START_TEST(the_lowest_failure_is_told)
{
    for (int32_t threads = 1; threads <= 8; threads *= 2) {
        spt_ctx *ctx = with_threads(threads);
        job j = {.threads = threads, .fail_from = 20, .fail_step = 1};
        FAILS(ctx, SPT_EDATA, "task 20 failed", spt__parallel(ctx, 500, count_run, &j, &ctx->err));
        ck_assert_int_eq(atomic_load(&j.runs[499]), 0);
        for (int i = 0; i <= 20; i++)
            ck_assert_int_eq(atomic_load(&j.runs[i]), 1);
        job quiet = {.threads = threads, .fail_from = 3, .fail_step = 1, .quiet = true};
        FAILS(ctx, SPT_EDATA, "unusable", spt__parallel(ctx, 5, count_run, &quiet, &ctx->err));
        spt_ctx_free(ctx);
    }
}
END_TEST

/* ---- events -------------------------------------------------------------------------------- */

enum { TASKS = 100, EVENTS_MAX = 1000 };

typedef struct {
    int64_t task, number;
    char text[40];
} message;

typedef struct {
    pthread_t caller;
    int64_t fail_task; /* -1: none */
    int32_t stop_after, stop_status;
    atomic_bool stop;
    int32_t handed, wrong_thread;
    message log[EVENTS_MAX];
} show;

static int32_t perform(int64_t index, int32_t worker, spt__events *events, void *arg, spt__err *e)
{
    show *s = arg;
    spt__rng r;
    (void)worker;
    spt__rng_init(&r, 9, SPT__RNG_TEST, (uint64_t)index, 0);
    const int64_t n = (int64_t)spt__rng_below(&r, 6);
    for (int64_t i = 0; i < n; i++) {
        message m = {.task = index, .number = i};
        snprintf(m.text, sizeof m.text, "task %d, event %d", (int)index, (int)i);
        nap((int64_t)spt__rng_below(&r, 200));
        if (spt__post(events, index, &m) < 0) return spt__nomem(e);
        memset(&m, 0, sizeof m);
    }
    if (atomic_load(&s->stop)) return SPT_STOP_HOST;
    if (index == s->fail_task || (s->fail_task >= 0 && index == s->fail_task + 5))
        return spt__fail(e, SPT_EDIVERGED, "task %d diverged", (int)index);
    return SPT_OK;
}

static int32_t hear(int64_t task, const void *event, void *arg)
{
    show *s = arg;
    if (!pthread_equal(pthread_self(), s->caller) || spt__on_worker()) s->wrong_thread++;
    memcpy(&s->log[s->handed], event, sizeof(message));
    if (s->log[s->handed].task != task) s->wrong_thread += 1000;
    s->handed++;
    if (s->handed != s->stop_after) return SPT_OK;
    atomic_store(&s->stop, true);
    return s->stop_status;
}

static show *play(int32_t threads, int64_t fail_task, int32_t stop_after, int32_t stop_status,
                  int32_t expected)
{
    spt_ctx *ctx = with_threads(threads);
    show *s = calloc(1, sizeof *s);
    s->caller = pthread_self();
    s->fail_task = fail_task;
    s->stop_after = stop_after;
    s->stop_status = stop_status;
    int32_t status =
        spt__parallel_events(ctx, TASKS, 0, sizeof(message), perform, hear, s, &ctx->err);
    ck_assert_int_eq(status, expected);
    ck_assert_int_eq(s->wrong_thread, 0);
    if (expected == SPT_EDIVERGED) {
        char words[32];
        snprintf(words, sizeof words, "task %d diverged", (int)fail_task);
        ck_assert_str_eq(spt_ctx_last_error(ctx), words);
    }
    spt_ctx_free(ctx);
    return s;
}

static void check_same(const show *a, const show *b)
{
    ck_assert_int_eq(a->handed, b->handed);
    ck_assert_mem_eq(a->log, b->log, sizeof a->log);
}

START_TEST(events_come_as_from_one_thread)
{
    static const int32_t threads[] = {2, 3, 8, 200};
    static const struct {
        int64_t fail_task;
        int32_t stop_after, stop_status, expected;
    } cases[] = {{-1, 0, 0, SPT_OK},
                 {0, 0, 0, SPT_EDIVERGED},
                 {30, 0, 0, SPT_EDIVERGED},
                 {-1, 1, SPT_STOP_HOST, SPT_STOP_HOST},
                 {-1, 50, SPT_ECALLBACK, SPT_ECALLBACK},
                 {60, 20, SPT_PRUNED, SPT_PRUNED}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        show *one = play(1, cases[c].fail_task, cases[c].stop_after, cases[c].stop_status,
                         cases[c].expected);
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            show *many = play(threads[t], cases[c].fail_task, cases[c].stop_after,
                              cases[c].stop_status, cases[c].expected);
            check_same(many, one);
            free(many);
        }
        if (c == 0) ck_assert_int_gt(one->handed, 150);
        free(one);
    }
}
END_TEST

static int32_t post_elsewhere(int64_t index, int32_t worker, spt__events *events, void *arg,
                              spt__err *e)
{
    (void)worker;
    (void)arg;
    (void)e;
    int64_t v = index;
    ck_assert_int_eq(spt__post(events, -1, &v), SPT_EINVAL);
    ck_assert_int_eq(spt__post(events, 4, &v), SPT_EINVAL);
    return SPT_OK;
}

static int32_t never(int64_t task, const void *event, void *arg)
{
    (void)task;
    (void)event;
    (void)arg;
    ck_abort_msg("no event was posted");
}

START_TEST(runs_without_tasks_or_events_end)
{
    for (int32_t threads = 1; threads <= 4; threads *= 4) {
        spt_ctx *ctx = with_threads(threads);
        OK(ctx, spt__parallel_events(ctx, 0, 0, 8, post_elsewhere, never, NULL, &ctx->err));
        OK(ctx, spt__parallel_events(ctx, 4, 0, 8, post_elsewhere, never, NULL, &ctx->err));
        spt_ctx_free(ctx);
    }
}
END_TEST

static int32_t nest(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)index;
    (void)worker;
    job j = {.threads = 4};
    return spt__parallel(arg, 6, count_run, &j, e);
}

START_TEST(runs_may_be_nested)
{
    spt_ctx *ctx = with_threads(4);
    OK(ctx, spt__parallel(ctx, 5, nest, ctx, &ctx->err));
    ck_assert(!spt__on_worker());
    spt_ctx_free(ctx);
}
END_TEST

/* ---- signals ------------------------------------------------------------------------------- */

static pthread_t host_thread;
static volatile sig_atomic_t on_host, elsewhere;

static void take_signal(int number)
{
    (void)number;
    if (pthread_equal(pthread_self(), host_thread))
        on_host = on_host + 1;
    else
        elsewhere = elsewhere + 1;
}

static int32_t send_signal(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    sigset_t set;
    (void)worker;
    (void)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (!sigismember(&set, SIGINT) || !sigismember(&set, SIGTERM) || sigismember(&set, SIGSEGV))
        return spt__fail(e, SPT_EINTERNAL, "the signal mask of worker is wrong");
    if (index % 3 == 0) kill(getpid(), SIGUSR1);
    nap(300);
    return SPT_OK;
}

START_TEST(signals_reach_the_hosts_threads_only)
{
    spt_ctx *ctx = with_threads(4);
    struct sigaction action, old;
    sigset_t before, after;
    memset(&action, 0, sizeof action);
    action.sa_handler = take_signal;
    host_thread = pthread_self();
    sigaction(SIGUSR1, &action, &old);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    OK(ctx, spt__parallel(ctx, 30, send_signal, NULL, &ctx->err));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_gt(on_host, 0);
    ck_assert_int_eq(elsewhere, 0);
    for (int s = 1; s < 32; s++)
        ck_assert_int_eq(sigismember(&before, s), sigismember(&after, s));
    sigaction(SIGUSR1, &old, NULL);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------ */

typedef struct {
    spt__mutex *lock;
    int64_t sum;
} shared;

static int32_t add(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    shared *s = arg;
    (void)worker;
    (void)e;
    spt__mutex_lock(s->lock);
    s->sum += index;
    spt__mutex_unlock(s->lock);
    return SPT_OK;
}

START_TEST(a_lock_keeps_sums_whole)
{
    spt_ctx *ctx = with_threads(4);
    shared s = {.lock = spt__mutex_new(ctx)};
    ck_assert_ptr_nonnull(s.lock);
    OK(ctx, spt__parallel(ctx, 1000, add, &s, &ctx->err));
    ck_assert_int_eq(s.sum, 499500);
    spt__mutex_free(ctx, s.lock);
    spt__mutex_free(ctx, NULL);
    spt_ctx_free(ctx);
}
END_TEST

/* Threads beside the caller's, who take what he puts down and wait while there is nothing. */
typedef struct table {
    spt__mutex *lock;
    int put, taken, workers;
    bool closed;
} table;

static void take_all(void *arg)
{
    table *t = arg;
    ck_assert(spt__on_worker());
    spt__mutex_lock(t->lock);
    t->workers++;
    for (;;) {
        if (t->taken < t->put) {
            t->taken++;
            spt__mutex_wake(t->lock);
        } else if (t->closed) {
            break;
        } else {
            spt__mutex_wait(t->lock);
        }
    }
    spt__mutex_unlock(t->lock);
}

START_TEST(a_team_works_until_it_is_told_to_end)
{
    spt_ctx *ctx = with_threads(1);
    table t = {.lock = spt__mutex_new(ctx)};
    spt__team *team = spt__team_new(ctx, 3, take_all, &t);
    ck_assert_ptr_nonnull(team);
    spt__mutex_lock(t.lock);
    for (int i = 0; i < 500; i++) {
        t.put++;
        spt__mutex_wake(t.lock);
        while (i % 7 == 0 && t.taken < t.put)
            spt__mutex_wait(t.lock);
    }
    t.closed = true;
    spt__mutex_wake(t.lock);
    spt__mutex_unlock(t.lock);
    spt__team_join(team);
    ck_assert_int_eq(t.taken, 500);
    ck_assert_int_eq(t.workers, 3);
    spt__team_join(NULL);
    spt__mutex_free(ctx, t.lock);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(clocks_run)
{
    char utc[32];
    double start = spt__now();
    nap(2000);
    ck_assert(spt__now() - start >= 0.0019);
    spt__utc(utc);
    ck_assert_uint_eq(strlen(utc), 26);
    ck_assert(utc[0] == '2' && utc[4] == '-' && utc[10] == ' ' && utc[19] == '.');
    ck_assert_int_ge(spt__available_threads(), 1);
    ck_assert_int_le(spt__available_threads(), 1024);
}
END_TEST

TEST_MAIN("base: threads", every_task_runs_once, the_lowest_failure_is_told,
          events_come_as_from_one_thread, runs_without_tasks_or_events_end, runs_may_be_nested,
          signals_reach_the_hosts_threads_only, a_lock_keeps_sums_whole,
          a_team_works_until_it_is_told_to_end, clocks_run)
