/* Trials of a cross-validation in flight: their folds on the context's threads, what they tell in a
 * fixed order on the caller's, and the word of the pruner between folds.
 *
 * Which fold runs when depends on the threads; nothing that is told or kept does. A trial's folds
 * are looked at in the order of cv->order, each with those before it, so that folds which ran past
 * the point where the trial is given up are never seen. */
#ifndef SPT_LIB_TUNE_CREW_H
#define SPT_LIB_TUNE_CREW_H

#include "cv.h"

typedef struct spt__crew spt__crew;
typedef struct spt__flight spt__flight;

/* For at most `most` trials at a time. */
int32_t spt__crew_new(spt_cv *cv, spt_study *study, int32_t most, spt__crew **out);
/* What still runs is stopped and forgotten. NULL is fine. */
void spt__crew_free(spt__crew *crew);

/* Take a trial on; it must outlive its flight. What is wrong with it is said when it is finished.
 * SPT_ENOMEM */
int32_t spt__flight_begin(spt__crew *crew, spt_trial *trial);
/* The trial that is finished next: the oldest, or (`any`) the first that is over, waited for. */
spt_trial *spt__crew_next(spt__crew *crew, bool any);
/* Hand out what the trial tells, wait for its end, keep its results; the objective's answer. */
int32_t spt__flight_finish(spt__crew *crew, const spt_trial *trial, double *loss);
/* Do not: it is stopped and nothing of it is kept. */
void spt__flight_drop(spt__crew *crew, const spt_trial *trial);

#endif
