/* The only file pair that knows the system's threads. */
#ifndef SPT_LIB_BASE_THREADS_H
#define SPT_LIB_BASE_THREADS_H

#include "ctx.h"

/* Task `index` on worker `worker` (0 to threads - 1). Runs on a worker thread, or on the caller's
 * when the context has one thread. A negative status makes the tasks not yet started not start. */
typedef int32_t (*spt__task_fn)(int64_t index, int32_t worker, void *arg, spt__err *e);

/* Run tasks 0..n-1 (started in order) on min(threads, n) threads and wait. The status is that of
 * the failed task with the lowest index, its text is in `e`; 0 otherwise. Threads are made for the
 * call. */
int32_t spt__parallel(spt_ctx *ctx, int64_t n, spt__task_fn fn, void *arg, spt__err *e);

/* Events: tasks post them from any thread; the caller's thread hands them out while it waits, in
 * the order (task index, order of posting), whatever thread was faster: what one thread would give.
 * `handler` runs on the caller's thread with no lock held; a status other than SPT_OK is kept and
 * returned from spt__parallel_events when all tasks have ended (later events are dropped); it is
 * the handler's business to ask tasks to stop (spt_ctx_stop or a flag of its own). At most `most`
 * tasks run at a time, 0: as many as the context has threads. */
typedef struct spt__events spt__events;
typedef int32_t (*spt__event_fn)(int64_t task, const void *event, void *arg);
typedef int32_t (*spt__event_task_fn)(int64_t index, int32_t worker, spt__events *events, void *arg,
                                      spt__err *e);
int32_t spt__parallel_events(spt_ctx *ctx, int64_t n, int32_t most, size_t event_size,
                             spt__event_task_fn fn, spt__event_fn handler, void *arg, spt__err *e);
/* Copies event_size bytes. SPT_ENOMEM if that fails. */
int32_t spt__post(spt__events *events, int64_t task, const void *event);

enum { SPT__THREADS_MAX = 1024 };
/* What the affinity mask allows, 1 to SPT__THREADS_MAX. */
int32_t spt__available_threads(void);

/* True on a thread that spt__parallel made. */
bool spt__on_worker(void);

/* A lock for the few places that share something mutable (reference counts need none). */
typedef struct spt__mutex spt__mutex;
spt__mutex *spt__mutex_new(spt_ctx *ctx);
void spt__mutex_free(spt_ctx *ctx, spt__mutex *m);
void spt__mutex_lock(spt__mutex *m);
void spt__mutex_unlock(spt__mutex *m);
/* With the lock held: give it up, sleep until somebody wakes (or for no reason), take it again. */
void spt__mutex_wait(spt__mutex *m);
/* With the lock held: wake all that wait. */
void spt__mutex_wake(spt__mutex *m);

/* Threads beside the caller's, for work that does not end with one call. */
typedef struct spt__team spt__team;
/* Start up to n of them: fewer where the system gives fewer. NULL if it gives none, or memory ran
 * out; the caller then does the work itself. */
spt__team *spt__team_new(spt_ctx *ctx, int32_t n, void (*fn)(void *arg), void *arg);
/* Wait until all have returned. NULL is fine. */
void spt__team_join(spt__team *team);

/* Seconds of a clock that never jumps. */
double spt__now(void);
/* May end early, when a signal comes. */
void spt__sleep(double seconds);
/* "2026-11-24 04:05:06.123456", UTC. */
void spt__utc(char out[32]);

#endif
