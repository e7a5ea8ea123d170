/* Inside of crew.c (threads), objective.c (one fold) and results.c (what is kept). */
#ifndef SPT_LIB_TUNE_FLIGHT_H
#define SPT_LIB_TUNE_FLIGHT_H

#include "crew.h"

#include "../base/threads.h"

/* What one fold leaves. */
typedef struct spt__fold_end {
    bool done;
    double rmse, r2;
    int64_t epochs, best;
} spt__fold_end;

typedef enum { SPT__POST_EPOCH, SPT__POST_FOLD, SPT__POST_ALIVE } spt__post_kind;

/* From the thread of a fold to the caller's. */
typedef struct spt__fold_post {
    struct spt__fold_post *next;
    spt__post_kind kind;
    spt_epoch epoch;
    spt__fold_end end;
} spt__fold_post;

/* One trial. Arrays of folds go by place: place i is fold cv->order[i]. */
struct spt__flight {
    spt__crew *crew;
    spt_trial *trial;
    spt__flight *next_flight;
    spt__cv_pattern pattern;
    double *predicted; /* n, of the fold in which a row is scored */
    /* The caller's thread alone: */
    int32_t told;    /* folds whose end the host knows */
    double told_sum; /* of their RMSE */
    int32_t said;    /* SPT_STOP_HOST or SPT_PRUNED by the host, or a failure */
    /* The thread of the first place, then the caller's: lowest watched loss at the rungs. */
    double lowest, rungs[SPT__RUNGS];
    int32_t n_rungs;
    spt__verdict rung_verdict;
    /* Any thread: */
    atomic_int give_up; /* no fold need go on */
    atomic_int overdue; /* because the time that a trial may take is used up */
    /* Under the crew's lock: */
    int32_t next, running; /* place of the fold to start next; how many run */
    int32_t decided;       /* so many places are done and looked at, in order */
    int32_t failed;        /* the lowest place that failed, k if none */
    int32_t pruned;        /* the place after which the trial is given up, k if none */
    spt__verdict verdict;  /* then */
    spt__err err;          /* of `failed`, or of the beginning */
    int32_t begun;         /* status of the beginning */
    bool deferred;         /* it has not begun: memory is limited, and others are in flight */
    bool *ended;           /* k */
    spt__fold_end *ends;   /* k */
    spt__fold_post **first, **last; /* k queues */
    int64_t *steps;                 /* k: folds in the order of places, for the pruner */
    double *values;                 /* k: their RMSE */
};

struct spt__crew {
    spt_ctx *ctx;
    spt_cv *cv;
    spt_study *study;
    spt__mutex *lock;
    spt__team *team; /* NULL: all runs on the caller's thread */
    double last_alive;
    /* Under the lock: */
    spt__flight *flights; /* oldest first */
    int32_t running;
    int64_t bytes, room; /* of what runs; that may run (memory limit), 0: any */
    bool closing;
};

/* Run the fold at a place; posts. *end is set only if it is done. Any thread. */
int32_t spt__flight_fold(spt__flight *f, int32_t place, spt__fold_end *end, spt__err *e);
/* Copies; hands out at once when there are no threads. */
int32_t spt__flight_post(spt__flight *f, int32_t place, const spt__fold_post *post);
/* On the caller's thread: what a post says goes to the host. What the host says is in f->said, and
 * if it is not SPT_OK nothing is told any more. */
void spt__flight_tell(spt__flight *f, int32_t place, const spt__fold_post *post);

/* Do epochs tell? Then the folds that follow have no say. */
static inline bool spt__prunes_epochs(const spt__prune_rule *rule)
{
    return rule->lowest && (rule->kind == SPT__PRUNE_MEDIAN || rule->kind == SPT__PRUNE_HALVING);
}

/* What is kept of a trial all of whose folds are done; its loss. */
int32_t spt__flight_keep(spt__flight *f, double *loss);
/* What is kept of one that is given up after the folds told so far. `verdict` NULL: by the host. */
int32_t spt__flight_keep_part(spt__flight *f, const spt__verdict *verdict, double *loss);

#endif
