/* What a user sees while a study runs: one live line on a terminal, else a line per trial. All of
 * it goes to standard error. */
#ifndef SPECTUNE_TOOL_PROGRESS_H
#define SPECTUNE_TOOL_PROGRESS_H

#include <spectune.h>
#include <stdbool.h>

typedef struct progress {
    bool live;         /* standard error is a terminal that can move its cursor */
    bool utf8;         /* it may show block characters */
    bool quiet;        /* say nothing */
    int64_t wanted;    /* finished trials at the end */
    int64_t before;    /* finished when this run began */
    int64_t done;      /* finished in this run */
    double limit;      /* seconds that the run may last, 0 for no limit */
    double began;      /* clock at the start of the run */
    double trial_from; /* clock at the start of the running trial */
    int flying;        /* trials that have begun and not ended */
    double drawn;      /* clock at the last drawing */
    double best;
    int64_t best_trial;
} progress;

/* Seconds on a clock that only goes forward. */
double progress_clock(void);

/* `best` and `best_trial` of a study that goes on: NaN and -1 for a new one. */
void progress_begin(progress *p, int64_t before, int64_t wanted, double limit, double best,
                    int64_t best_trial, bool quiet);
/* An spt_event_fn; user is the progress. */
int32_t progress_event(const spt_event *event, void *user);
/* An spt_epoch_fn for the training that follows a search; user is the progress. */
int32_t progress_epoch(const spt_epoch *epoch, void *user);
/* Remove the live line, so that other text can be written. */
void progress_clear(progress *p);

#endif
