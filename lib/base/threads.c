#include "threads.h"

#include "quota.h"

#include "text.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Thread_local bool on_worker;

bool spt__on_worker(void)
{
    return on_worker;
}

/* ---- tasks and their events ---------------------------------------------------------------- */

typedef struct event {
    struct event *next;
    _Alignas(max_align_t) unsigned char data[];
} event;

/* What one task has posted and nobody has handed out yet. */
typedef struct {
    event *first, *last;
    bool ended;
} queue;

/* One run of tasks; spt__events is its face to the tasks. */
struct spt__events {
    spt_ctx *ctx;
    int64_t n;
    int32_t most; /* at a time; 0: as many as the context has threads */
    void *arg;
    spt__task_fn plain;       /* either this one */
    spt__event_task_fn posts; /* or this one, with the three below */
    spt__event_fn handler;
    size_t event_size;
    queue *queues;          /* one per task; NULL when all runs on the caller's thread */
    int32_t handler_status; /* only the caller's thread looks at it */

    pthread_mutex_t lock; /* guards what follows and the queues */
    pthread_cond_t news;  /* for the caller's thread: `awaited` posted or ended */
    int64_t awaited;
    int64_t next;   /* the next task to start */
    int64_t failed; /* the failed task with the lowest index, n if none */
    spt__err err;   /* of that task */
};

typedef struct {
    spt__events *run;
    int32_t index;
    pthread_t thread;
} worker;

static int32_t run_task(spt__events *run, int64_t task, int32_t index, spt__err *e)
{
    e->status = SPT_OK;
    e->text[0] = '\0';
    int32_t status = run->plain ? run->plain(task, index, run->arg, e)
                                : run->posts(task, index, run, run->arg, e);
    if (status < 0) {
        e->status = status;
        if (!e->text[0]) spt__fail(e, status, "%s", spt_status_text(status));
    }
    return status;
}

static int64_t take_task(spt__events *run)
{
    pthread_mutex_lock(&run->lock);
    int64_t task = run->failed == run->n && run->next < run->n ? run->next++ : -1;
    pthread_mutex_unlock(&run->lock);
    return task;
}

static void end_task(spt__events *run, int64_t task, int32_t status, const spt__err *e)
{
    pthread_mutex_lock(&run->lock);
    if (status < 0 && task < run->failed) {
        run->failed = task;
        run->err = *e;
    }
    if (run->queues) {
        run->queues[task].ended = true;
        if (task == run->awaited) pthread_cond_signal(&run->news);
    }
    pthread_mutex_unlock(&run->lock);
}

static void *work(void *arg)
{
    worker *w = arg;
    spt__err e;
    on_worker = true;
    for (int64_t task = take_task(w->run); task >= 0; task = take_task(w->run)) {
        int32_t status = run_task(w->run, task, w->index, &e);
        end_task(w->run, task, status, &e);
    }
    return NULL;
}

/* The host's signal handlers belong on the host's threads. Faults stay open: they come from the
 * thread itself, and a blocked one would end the process past the host's handler. */
static void block_signals(sigset_t *old)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&set, faults[i]);
    pthread_sigmask(SIG_SETMASK, &set, old);
}

/* How many could be made: the system may give fewer than asked for. */
static int32_t start_workers(spt__events *run, worker *workers, int32_t wanted)
{
    int32_t started = 0;
    sigset_t old;
    block_signals(&old);
    while (started < wanted) {
        worker *w = &workers[started];
        w->run = run;
        w->index = started;
        if (pthread_create(&w->thread, NULL, work, w) != 0) break;
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

/* Called with the lock held; gives it up while the handler runs. */
static void hand_out(spt__events *run, queue *q)
{
    while (q->first) {
        event *posted = q->first;
        q->first = posted->next;
        pthread_mutex_unlock(&run->lock);
        if (run->handler_status == SPT_OK)
            run->handler_status = run->handler(run->awaited, posted->data, run->arg);
        spt__free(run->ctx, posted);
        pthread_mutex_lock(&run->lock);
    }
}

/* Hand out the events of one task after the other, up to the end of the last or of the first that
 * failed: later tasks would not have run on one thread. Tasks are started in order and none is
 * held back before one below it has failed, so each task waited for does end. */
static void pump(spt__events *run)
{
    pthread_mutex_lock(&run->lock);
    for (int64_t task = 0; task < run->n && task <= run->failed; task++) {
        queue *q = &run->queues[task];
        run->awaited = task;
        hand_out(run, q);
        while (!q->ended) {
            pthread_cond_wait(&run->news, &run->lock);
            hand_out(run, q);
        }
    }
    run->awaited = -1;
    pthread_mutex_unlock(&run->lock);
}

static void run_inline(spt__events *run)
{
    spt__err e;
    for (int64_t task = 0; task < run->n && run->failed == run->n; task++) {
        if (run_task(run, task, 0, &e) >= 0) continue;
        run->failed = task;
        run->err = e;
    }
}

static void free_queues(spt__events *run)
{
    for (int64_t task = 0; run->queues && task < run->n; task++) {
        for (event *e = run->queues[task].first; e;) {
            event *next = e->next;
            spt__free(run->ctx, e);
            e = next;
        }
    }
    spt__free(run->ctx, run->queues);
    run->queues = NULL;
}

static int32_t run_threads(spt__events *run, int32_t threads, spt__err *e)
{
    int32_t status = SPT_OK;
    worker *workers = spt__calloc(run->ctx, (size_t)threads, sizeof *workers);
    if (!workers) return spt__nomem(e);
    if (run->handler) {
        run->queues = spt__calloc(run->ctx, (size_t)run->n, sizeof *run->queues);
        if (!run->queues) {
            status = spt__nomem(e);
            goto done;
        }
    }
    int32_t started = start_workers(run, workers, threads);
    if (started > 0 && run->queues) pump(run);
    for (int32_t i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    if (started == 0) {
        free_queues(run);
        run_inline(run);
    }
done:
    free_queues(run);
    spt__free(run->ctx, workers);
    return status;
}

static int32_t run_all(spt__events *run, spt__err *e)
{
    if (run->n <= 0) return SPT_OK;
    int32_t most = run->ctx->threads;
    if (run->most > 0 && run->most < most) most = run->most;
    int32_t threads = run->n < most ? (int32_t)run->n : most;
    run->failed = run->n;
    run->awaited = -1;
    if (threads <= 1) {
        run_inline(run);
    } else {
        if (pthread_mutex_init(&run->lock, NULL) != 0) return spt__nomem(e);
        if (pthread_cond_init(&run->news, NULL) != 0) {
            pthread_mutex_destroy(&run->lock);
            return spt__nomem(e);
        }
        int32_t status = run_threads(run, threads, e);
        pthread_cond_destroy(&run->news);
        pthread_mutex_destroy(&run->lock);
        SPT__TRY(status);
    }
    /* Where both failed the handler did first: nothing is handed out after a failed task. */
    if (run->handler_status != SPT_OK) return run->handler_status;
    if (run->failed == run->n) return SPT_OK;
    if (e) *e = run->err;
    return run->err.status;
}

int32_t spt__parallel(spt_ctx *ctx, int64_t n, spt__task_fn fn, void *arg, spt__err *e)
{
    spt__events run = {.ctx = ctx, .n = n, .plain = fn, .arg = arg};
    return run_all(&run, e);
}

int32_t spt__parallel_events(spt_ctx *ctx, int64_t n, int32_t most, size_t event_size,
                             spt__event_task_fn fn, spt__event_fn handler, void *arg, spt__err *e)
{
    spt__events run = {.ctx = ctx,
                       .n = n,
                       .most = most,
                       .posts = fn,
                       .handler = handler,
                       .event_size = event_size,
                       .arg = arg};
    return run_all(&run, e);
}

int32_t spt__post(spt__events *run, int64_t task, const void *data)
{
    if (task < 0 || task >= run->n) return SPT_EINVAL;
    if (!run->handler) return SPT_OK;
    if (!run->queues) {
        if (run->handler_status == SPT_OK) run->handler_status = run->handler(task, data, run->arg);
        return SPT_OK;
    }
    if (run->event_size > SIZE_MAX - offsetof(event, data)) return SPT_ENOMEM;
    event *posted = spt__alloc(run->ctx, 1, offsetof(event, data) + run->event_size);
    if (!posted) return SPT_ENOMEM;
    posted->next = NULL;
    memcpy(posted->data, data, run->event_size);
    pthread_mutex_lock(&run->lock);
    queue *q = &run->queues[task];
    if (q->first)
        q->last->next = posted;
    else
        q->first = posted;
    q->last = posted;
    if (task == run->awaited) pthread_cond_signal(&run->news);
    pthread_mutex_unlock(&run->lock);
    return SPT_OK;
}

/* ---- the machine, locks, clocks ------------------------------------------------------------ */

static int32_t clamp_threads(long n)
{
    return n < 1 ? 1 : n > SPT__THREADS_MAX ? SPT__THREADS_MAX : (int32_t)n;
}

/* Processors that this process may run on, at any time. */
static int32_t allowed_processors(void)
{
#if defined(__linux__)
    /* The kernel refuses a mask that is too small for its own. */
    for (size_t cpus = SPT__THREADS_MAX; cpus <= 64 * SPT__THREADS_MAX; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set) break;
        const size_t size = CPU_ALLOC_SIZE(cpus);
        int count = 0;
        CPU_ZERO_S(size, set);
        if (sched_getaffinity(0, size, set) == 0) count = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0) return clamp_threads(count);
    }
#endif
    return clamp_threads(sysconf(_SC_NPROCESSORS_ONLN));
}

int32_t spt__available_threads(void)
{
    const int32_t n = allowed_processors(), quota = spt__quota_processors("");
    return quota > 0 && quota < n ? quota : n;
}

void spt__sleep(double seconds)
{
    const time_t whole = (time_t)seconds;
    const struct timespec t = {whole, (long)((seconds - (double)whole) * 1e9)};
    nanosleep(&t, NULL);
}

struct spt__mutex {
    pthread_mutex_t lock;
    pthread_cond_t news;
};

spt__mutex *spt__mutex_new(spt_ctx *ctx)
{
    spt__mutex *m = spt__alloc(ctx, 1, sizeof *m);
    if (!m) return NULL;
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        spt__free(ctx, m);
        return NULL;
    }
    if (pthread_cond_init(&m->news, NULL) != 0) {
        pthread_mutex_destroy(&m->lock);
        spt__free(ctx, m);
        return NULL;
    }
    return m;
}

void spt__mutex_free(spt_ctx *ctx, spt__mutex *m)
{
    if (!m) return;
    pthread_cond_destroy(&m->news);
    pthread_mutex_destroy(&m->lock);
    spt__free(ctx, m);
}

void spt__mutex_lock(spt__mutex *m)
{
    pthread_mutex_lock(&m->lock);
}

void spt__mutex_unlock(spt__mutex *m)
{
    pthread_mutex_unlock(&m->lock);
}

void spt__mutex_wait(spt__mutex *m)
{
    pthread_cond_wait(&m->news, &m->lock);
}

void spt__mutex_wake(spt__mutex *m)
{
    pthread_cond_broadcast(&m->news);
}

struct spt__team {
    spt_ctx *ctx;
    void (*fn)(void *arg);
    void *arg;
    int32_t n;
    pthread_t threads[];
};

static void *team_work(void *arg)
{
    const spt__team *team = arg;
    on_worker = true;
    team->fn(team->arg);
    return NULL;
}

spt__team *spt__team_new(spt_ctx *ctx, int32_t n, void (*fn)(void *arg), void *arg)
{
    spt__team *team = spt__alloc(ctx, 1, sizeof *team + (size_t)n * sizeof team->threads[0]);
    if (!team) return NULL;
    *team = (spt__team){.ctx = ctx, .fn = fn, .arg = arg};
    sigset_t old;
    int32_t started = 0;
    block_signals(&old);
    while (started < n && pthread_create(&team->threads[started], NULL, team_work, team) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started == 0) {
        spt__free(ctx, team);
        return NULL;
    }
    team->n = started; /* only the caller looks at it */
    return team;
}

void spt__team_join(spt__team *team)
{
    if (!team) return;
    for (int32_t i = 0; i < team->n; i++)
        pthread_join(team->threads[i], NULL);
    spt__free(team->ctx, team);
}

double spt__now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void spt__utc(char out[32])
{
    struct timespec t;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &t);
    memset(&utc, 0, sizeof utc);
    gmtime_r(&t.tv_sec, &utc);
    spt__format(out, 32, "%04d-%02d-%02d %02d:%02d:%02d.%06d", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(t.tv_nsec / 1000));
}
