/* Studies and trials at work. */
#ifndef SPT_LIB_TUNE_STUDY_H
#define SPT_LIB_TUNE_STUDY_H

#include "../search/prune.h"
#include "../search/sampler.h"

#include "../base/ctx.h"
#include "../store/store.h"
#include "spectune/tune.h"

enum {
    /* A trial begins only if what it is to be is still so: between the proposal and the trial's
     * place in the store another worker may have begun one. Nobody outside sees these. */
    SPT__TAKEN = -100001, /* another trial has its place in the sequence */
    SPT__ENOUGH = -100002 /* with those that run there are as many as are wanted */
};

typedef struct spt__hook {
    void *user;
    spt_destroy_fn destroy;
} spt__hook;

typedef enum { SPT__ALLOW, SPT__AVOID, SPT__NEVER } spt__duplicates; /* as the knob's choices */

/* How a study works: what spt_study_set_options() took from the knobs. */
typedef struct spt__rules {
    double trial_seconds; /* 0: no limit */
    spt__prune_rule prune;
    int64_t in_flight; /* trial n sees the results up to n - in_flight; 0: all that there are */
    spt__duplicates duplicates;
    double stop_at;   /* -DBL_MAX: never */
    int64_t patience; /* 0: for ever */
    bool wait;        /* false: as 0, though so many run at a time */
    double grace;     /* seconds of silence after which a worker elsewhere is gone */
    int64_t retries;  /* of a trial whose worker is gone */
    bool linger;      /* wait for the last trials of other workers */
} spt__rules;

/* What is asked of every trial each time, looked up once. */
typedef struct spt__mark {
    const spt__row *row;
    int64_t number, sequence;
    int64_t queue, repeats; /* -1: it was never enqueued, it repeats no other */
    bool counts, waits;
    bool works;   /* a worker of this library runs it */
    bool settled; /* it has ended, so nothing of this changes */
} spt__mark;

/* What would take a look at every mark. */
typedef struct spt__tally {
    int64_t finished;      /* that count */
    int64_t running;       /* that workers of this library run */
    int64_t queued;        /* that were ever enqueued */
    int64_t waiting_again; /* repetitions that nobody has run yet */
    int64_t best;          /* index of the best complete trial, -1: none (spt_history_best()) */
} spt__tally;

/* What the sampler sees: one entry per trial. */
typedef struct spt__entry {
    const spt__row *row;
    int64_t sequence, number;
    bool finished; /* else it counts as running, though it may have ended */
} spt__entry;

/* The trials as the sampler saw them last, in one piece; see seen.c. */
typedef struct spt__seen {
    spt__entry *entries; /* of which this was made */
    int64_t n_entries, capacity;
    int64_t *place;        /* per entry: how many before it have a configuration */
    int64_t n;             /* that have one; the arrays of a view: */
    const spt__row **rows; /* of finished ones valid, of others not */
    double *values, *loss;
    int32_t *state;
    int64_t *sequence, *steps, *key;
    double sign;          /* -1 where the highest value is the best */
    const spt__row *best; /* what losses of pruned trials were estimated by */
    uint64_t source;      /* the sampler's name for the keys */
} spt__seen;

struct spt_study {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    spt_store *store;
    int64_t id;
    char *name;
    spt_space *space;
    spt__sampler *sampler;
    spt_history *history; /* grows; refreshed when it is looked at */
    spt__mark *marks;     /* one per row of it, as of the last refresh */
    int64_t n_marks, mark_capacity;
    spt__tally tally; /* of the marks */
    spt__seen seen;
    spt_objective_fn objective;
    struct spt_cv *cv; /* when the objective is a cross-validation's; kept alive by its hook */
    spt_check_fn check;
    spt_event_fn events;
    spt__hook objective_hook, check_hook, events_hook;
    spt__rules rules;
    spt_trial *live; /* handles that were not told yet */
    bool running;    /* also while a trial is asked for: a callback may be at work */
    bool foreign;    /* made by another program: the space is what its trials tell */
    int64_t wanted;  /* trials of the run at work, -1: no end */
    double swept;    /* when trials of dead workers were looked for */
};

/* An attribute that waits for tell; both texts are owned. */
typedef struct spt__note_text {
    char *key, *json;
} spt__note_text;

typedef struct spt__note_block {
    char *key;
    void *data;
    int64_t size;
} spt__note_block;

/* Epochs of the first fold at which a pruner looks: 8, 24, 72, ... */
enum { SPT__RUNGS = 8 };
extern const int64_t spt__rung_epochs[SPT__RUNGS];

struct spt_trial {
    spt_study *study;
    int64_t id, number;
    /* How many trials that count came before it, but for those that ran at the same time. Proposal
     * and training of a trial hang on this, not on the number: trials that were stopped, or whose
     * program died, have numbers too, and the study must go on as if they had never been. */
    int64_t sequence;
    spt_config *config;
    spt__note_text *texts;
    spt__note_block *blocks;
    int32_t n_texts, n_blocks;
    char advice[128]; /* of the pruner: the reason if the trial is pruned and the host gives none */
    char *reason;     /* the text attached under that name, NULL without one */
    double began;     /* spt__now() */
    /* What it has reported, in that order; the trials that a pruner may hold it against. Those that
     * ended later do not count, whenever they are looked at. */
    int64_t *steps;
    double *values;
    int64_t n_steps, step_capacity;
    spt__curve *peers; /* their numbers are the history's: finished rows stay */
    int64_t n_peers;
    /* The same for a cross-validation whose steps are epochs: values at the rungs of its first
     * fold. */
    spt__curve *rung_peers;
    double *rung_values; /* SPT__RUNGS for each */
    spt_trial *next_live;
    bool repeats; /* another trial's configuration, for its mean: nobody gives it up */
    bool told;
    bool lent;     /* to an objective: the run frees it */
    int32_t state; /* spt_trial_state, as stored */
    double value;
};

/* The sequence number of a trial on record (its number, if another program made it). */
int64_t spt__row_sequence(const spt__row *row);

/* The rules that a study has without options. */
void spt__rules_init(spt__rules *rules);

/* Begin and end what callbacks may not do: SPT_EBUSY while the study runs. Between them the study
 * stays, also if a callback frees it. */
int32_t spt__study_enter(spt_study *study);
/* What the host's check says, SPT_OK without one. */
int32_t spt__study_host_check(spt_study *study, const spt_config *config);
void spt__study_leave(spt_study *study);

/* A new trial, for the run loop. */
int32_t spt__study_ask(spt_study *study, spt_trial **out);
/* Is it of the study's space? */
int32_t spt__study_check_space(spt_study *study, const spt_config *config);
/* May this configuration, of the host's, be a trial? */
int32_t spt__study_check_given(spt_study *study, const spt_config *config);
/* The trials that count or run, in the sampler's order (spt__free), and the lowest sequence number
 * that none of them has. */
int32_t spt__study_collect(spt_study *study, spt__entry **out, int64_t *count, int64_t *next);
/* What the sampler proposes to who sees these entries, sorted. `accept` NULL: the study's own. */
int32_t spt__study_propose(spt_study *study, const spt__entry *entries, int64_t n, int64_t sequence,
                           spt__accept_fn accept, void *arg, spt_config **config);
/* These entries as a view, which holds until the next call. */
int32_t spt__seen_update(spt_study *study, const spt__entry *entries, int64_t n, spt__view *view);
void spt__seen_free(spt_study *study);
/* Finished ones first, each kind by sequence number. */
void spt__entries_sort(spt__entry *entries, int64_t n);

/* The next configuration that was enqueued: *row is its trial, or one that was stopped or abandoned
 * and comes again; NULL: none waits. */
int32_t spt__queue_next(spt_study *study, const spt__row **row);
/* Its configuration, the rest drawn. SPT_STOP_EXHAUSTED: none is allowed. */
int32_t spt__queue_config(spt_study *study, const spt__row *row, const spt__entry *entries,
                          int64_t n, int64_t sequence, spt_config **out);
/* Nothing allows it, for the reason in the context's error text: it is not tried again. */
int32_t spt__queue_refuse(spt_study *study, const spt__row *row);
/* Names of the parameters that have a value, blanks between them; list->data is never NULL. */
int32_t spt__names_of(spt_study *study, const spt_config *config, spt__buf *list);
/* The complete trials of a history, best first (spt__free). */
typedef struct spt__rank {
    double value; /* less is better, also where the history has it the other way round */
    int64_t index;
} spt__rank;
int32_t spt__rank_trials(spt_ctx *ctx, const spt_history *history, spt__rank **out, int64_t *n);
const char *spt__row_attribute(const spt__row *row, const char *key);

/* Is it anything but the results of the trials 0 to sequence - 1? */
bool spt__sight_unusual(const spt__entry *entries, int64_t n, int64_t sequence);
/* Trials by number whose results were seen, and those that were running: JSON strings, "0-4 7". */
int32_t spt__sight_print(spt_ctx *ctx, const spt__entry *entries, int64_t n, spt__buf *saw,
                         spt__buf *pending);

/* "racing: p = 0.03 after 2 of 5 folds"; all 0: steps of a host's own; below: epochs. */
void spt__prune_words(const spt__prune_rule *rule, const spt__verdict *verdict, int64_t steps,
                      int64_t all, char *out, size_t size);

/* Has the trial used up the seconds that it may take? Any thread. */
bool spt__trial_overdue(const spt_trial *trial);

/* Bring the history, and the marks, up to date. */
int32_t spt__study_refresh(spt_study *study);
/* End the trials of workers that are gone, unless that was done less than `seconds` ago. */
int32_t spt__study_sweep(spt_study *study, double seconds);

/* Fill in trial, configuration, best so far, and hand it to the host. What the host says, as
 * status; SPT_OK when nobody listens. The history must be up to date where `best` matters. */
int32_t spt__study_emit(spt_study *study, const spt_trial *trial, spt_event *event);

#endif
