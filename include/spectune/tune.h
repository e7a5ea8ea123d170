/**
 * @file
 * Tuning: a sampler proposes configurations, an objective scores them, a study keeps the record.
 *
 * Ask and tell are the base; spt_study_run() is a short client of them. The cross-validation of a
 * 1D-CNN (spt_cv) is an ordinary objective: a host's own takes the same road.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_TUNE_H
#define SPECTUNE_TUNE_H

#include "model.h"
#include "search.h"
#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- studies --------------------------------------------------------------------------------- */

/** A study that is being worked on. @threads ctx */
typedef struct spt_study spt_study;
/** One trial between ask and tell. @threads ctx */
typedef struct spt_trial spt_trial;

/** Open a study, or make it if the store has none of that name.
 *
 * A study that Optuna made can be gone on with, too. Without a space on record the one given goes
 * on record, if what the trials hold has a place in it; or (space NULL) all that its trials have
 * had is proposed, with the widest ranges, as parameters that always exist. It may look for the
 * highest value: then values are told, and listed, as they are, and the highest is the best.
 *
 * @param store    kept alive by the study
 * @param name     NULL: "spectune"
 * @param space    must equal the space on record if the study exists (SPT_EMISMATCH names the first
 *                 difference); NULL: the space on record
 * @param sampler_options  of spt_sampler_options_new(), or NULL
 * @return SPT_OK, SPT_EMISMATCH, SPT_ENOTFOUND (no such study and no space given), SPT_ESTORE, ...
 */
SPT_API int32_t spt_study_open(spt_store *store, const char *name, const spt_space *space,
                               const spt_options *sampler_options, spt_study **out);
SPT_API void spt_study_free(spt_study *study);

/** Knobs of how a study works:
 *
 * - `prune` none|wilcoxon|racing|median|halving (none): give a trial up when the steps that it has
 *   reported tell already that it will not matter. Steps are folds for spt_cv, in the order on
 *   record as "fold_order" (those whose targets spread least first); a host's own may be epochs.
 *   + wilcoxon: signed ranks of the differences to the best trial on the steps that both have,
 *     one-sided, exact (Wilcoxon 1945). At level 0.1 it needs 4 steps.
 *   + racing: over all steps of the best trial the mean will be worse, with a chance of
 *     1 - `prune_level` or more, by Student's distribution of the paired differences (of logarithms
 *     where all values are positive). Their variance is pooled with that of the complete trials, so
 *     one step may do. The one to take first.
 *   + median: worse than the median of the others after the same steps.
 *   + halving: at 1, 3, 9, ... steps only the best third goes on (asynchronous successive halving,
 *     Li et al. 2020).
 * - `prune_level` (0.1), `prune_startup` (5 trials are complete first), `prune_after` (1 step at
 *   least, the first rung), `prune_factor` (3, of halving).
 * - `prune_steps` folds|epochs (folds), for median and halving: of the steps so far the
 *   mean counts, or the lowest. With epochs spt_cv looks at the lowest watched loss of the
 *   first fold after 8, 24, 72, 216, ... epochs ("rungs" on record), each a rung of halving,
 *   and at no fold behind it; the trials must have the same kind of loss.
 * - `in_flight` (0): K trials run at a time, and trial n sees the results of the trials up to
 *   n - K, whatever has ended meanwhile; those between it sees as running. So neither threads nor
 *   timing change the history, and a study that is cut goes on with the same sequence. 0: one runs
 *   at a time; with ask and tell each trial sees what has ended, whoever ran it.
 * - `wait` yes|no (yes): no: K trials run at a time, and each begins as soon as another ends.
 *   What a proposal saw is then a matter of time; it is on record with the trial ("saw" and
 *   "pending", numbers of trials; also wherever several programs work on a study), and
 *   spt_study_replay() makes the proposal anew from it.
 * - `duplicates` allow|avoid|never (allow): proposals that a trial has had already are drawn anew,
 *   up to 100 times, or until SPT_STOP_EXHAUSTED says that nothing new is found.
 * - `stop_at`: spt_study_run() ends (SPT_STOP_TARGET) when the best loss is this or lower.
 * - `patience_trials` (0: never): it ends (SPT_STOP_PLATEAU) when so many trials since the best one
 *   have not improved it. Trials then in flight are stopped and do not count.
 * - `grace` (600 s), `retries` (0), `linger` yes|no (yes): of several workers, below.
 * - `trial_seconds` (0: no limit): a trial that takes longer fails, reason "timeout". Objectives
 *   cannot be interrupted: that of spt_cv looks at the clock after each epoch, a host's own learns
 *   of it from spt_trial_report(). Which trials time out may differ between runs.
 *
 * Several workers, in any number of processes and on any number of machines, may work on one study;
 * what they share is the store, and nobody else is needed. Numbers of trials are dense from 0
 * whoever makes them, spt_study_run() begins no trial when enough have ended or run, and each
 * proposal sees the trials that run elsewhere as running. A trial whose worker is gone (its process
 * on this machine; elsewhere: nothing was heard for `grace` seconds) is recorded as failed, reason
 * "abandoned", by whoever looks next, and does not count; with `retries` its configuration is
 * enqueued again, up to so many times. When the last trials wanted are being run by others,
 * spt_study_run() waits for them to end or to be taken over; with `linger` no it returns at once.
 *
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_study_options_new(spt_ctx *ctx, spt_options **out);
/** Have the study work so from now on. Nothing of it is on record: another value next time goes on
 * with the same study.
 * @param options  of spt_study_options_new(), copied; NULL: the defaults
 * @return SPT_OK, SPT_EINVAL (options of another kind), SPT_EBUSY (running) */
SPT_API int32_t spt_study_set_options(spt_study *study, const spt_options *options);

/** Take proposals from this sampler from now on, in place of the one that spt_study_open() made: a
 * host's own (spt_sampler_new_host()), given configurations (spt_sampler_new_given()), or any
 * other. What it was told is not looked at: it sees the study's trials. Not on record: the host
 * sets it again when the study goes on.
 * @param sampler  of the same context and an equal space; kept alive by the study
 * @return SPT_OK, SPT_EMISMATCH (the text names the difference), SPT_EINVAL (another context),
 * SPT_EBUSY (running), SPT_ENOMEM */
SPT_API int32_t spt_study_set_sampler(spt_study *study, spt_sampler *sampler);

/** Put a text on record that says what the losses mean ("target", "folds", ...). The first call
 * stores it; when it is there already it must be the same.
 * @return SPT_OK, SPT_EMISMATCH (the text names key and both values), SPT_ESTORE */
SPT_API int32_t spt_study_pin(spt_study *study, const char *key, const char *text);
/** Keep a block of bytes with the study, under the same rule. */
SPT_API int32_t spt_study_pin_block(spt_study *study, const char *key, const void *data,
                                    int64_t size);

/** Snapshot of the study's trials. */
SPT_API int32_t spt_study_history(spt_study *study, spt_history **out);

/** A trial with a configuration that was enqueued, or else is proposed by the sampler; it is stored
 * as running.
 *
 * The proposal is a function of the trials that it sees, the seed and the trial's number. Proposals
 * that are forbidden or that the check refuses are drawn anew and do not count as trials.
 *
 * @return SPT_OK, SPT_STOP_EXHAUSTED (1,000 proposals in a row were refused), SPT_EBUSY (called
 * from a callback of the study; or, with `in_flight` K, the trial K before it has not been told),
 * SPT_ESTORE, ... */
SPT_API int32_t spt_study_ask(spt_study *study, spt_trial **out);
/** n trials at once, each of which sees those before it as running.
 * @param out  room for n; *got of them are set, also when the call fails
 * @return SPT_OK, or what spt_study_ask() returned for the first that could not be had
 */
SPT_API int32_t spt_study_ask_many(spt_study *study, int64_t n, spt_trial **out, int64_t *got);
/** A trial with a given configuration. */
SPT_API int32_t spt_study_ask_given(spt_study *study, const spt_config *config, spt_trial **out);

/** Have a configuration tried before further ones are proposed: the next spt_study_ask(), of
 * whatever program, gets it. It waits as a trial of the store; stopped or abandoned it comes again.
 *
 * @param config  of the study's space
 * @param names   parameters whose values are taken from `config`; the rest is drawn by the sampler
 *                when its turn comes. A value has no effect if what is drawn leaves the parameter
 *                out, so a parameter is named together with those that it needs. NULL: all of them,
 *                and forbidden combinations and the study's check refuse the configuration now
 * @param n       their count
 * @param number  the trial's; may be NULL. One that is enqueued already, or was, is not enqueued
 *                again: then that one's number
 * @return SPT_OK, SPT_EINVAL (no value, forbidden), SPT_ENOTFOUND (name; nearest offered),
 *         SPT_EMISMATCH (another space), SPT_EBUSY (from a callback), SPT_ESTORE, ... */
SPT_API int32_t spt_study_enqueue(spt_study *study, const spt_config *config,
                                  const char *const *names, int64_t n, int64_t *number);
/** Enqueue the k best trials of another study, whose space may be another: parameters of the same
 * name keep their values, others take their defaults. A trial that does not fit is left out, and
 * the log (SPT_LOG_WARNING) says why. The losses there count for nothing here. Goes on record
 * ("warm_start"); called again, also when the study goes on later, it does nothing.
 * @param enqueued  how many; may be NULL
 * @return SPT_OK, SPT_EMISMATCH (the study was started from another one), SPT_EBUSY, ...
 */
SPT_API int32_t spt_study_warm_start(spt_study *study, const spt_history *from, int64_t k,
                                     int64_t *enqueued);

/** Enqueue the k best trials again, until each has so many repetitions. The lowest of many losses
 * is a lucky one as far as chance has a part in them (initial weights, mini-batches, which rows
 * stop training): the ranking of the repetitions is a fair one, and their mean an honest figure
 * (spt_history_confirmed(), spt_history_repeats()). Run them with spt_study_run() for as many
 * further trials as spt_history_repeated() says, or ask; no pruner gives them up, and `stop_at` and
 * `patience_trials` wait for them. Called again, also by other programs, it adds what is missing.
 *
 * @param k         trials, different configurations
 * @param repeats   of each
 * @param enqueued  how many were added; may be NULL
 * @return SPT_OK, SPT_EINVAL, SPT_EBUSY (from a callback), SPT_ESTORE, SPT_ENOMEM */
SPT_API int32_t spt_study_confirm(spt_study *study, int64_t k, int64_t repeats, int64_t *enqueued);

/** End a trial; it is on disk when the call returns. The handle stays readable until freed.
 * @param state  SPT_TRIAL_COMPLETE (a value that is not finite is stored as failed, with the
 * reason), SPT_TRIAL_PRUNED or SPT_TRIAL_FAILED
 * @return SPT_OK, SPT_EBUSY (ended before), SPT_EINVAL (another state), SPT_ESTORE */
SPT_API int32_t spt_trial_tell(spt_trial *trial, int32_t state, double value);

/** Forget the handle. A trial that was not told is recorded as failed, reason "abandoned". */
SPT_API void spt_trial_free(spt_trial *trial);

/** Its number in the study, from 0. */
SPT_API int64_t spt_trial_number(const spt_trial *trial);
/** Its configuration, borrowed: valid while the trial's handle is. */
SPT_API const spt_config *spt_trial_config(const spt_trial *trial);
/** Report the loss of a step (a fold, from 0); stored at once. A step is told once.
 * @return SPT_OK; SPT_STOP_TIME: stored, but the trial has taken longer than the study's
 * `trial_seconds`; an objective returns the same, which ends the trial as failed; SPT_EINVAL (step
 * below 0, or told before), SPT_EBUSY (ended), SPT_ESTORE */
SPT_API int32_t spt_trial_report(spt_trial *trial, int64_t step, double value);
/** Tell other workers that the trial is still being worked on: for objectives that report nothing
 * for minutes. Without it, or a report, for longer than the study's `grace`, a worker on another
 * machine takes this one for dead and ends the trial. (On the same machine it is asked whether the
 * process lives.) spt_cv does so by itself.
 * @return SPT_OK; SPT_STOP_TIME (see spt_trial_report()); SPT_EBUSY: it was ended, by this worker
 * or another, and what it finds cannot be told any more; SPT_ESTORE */
SPT_API int32_t spt_trial_heartbeat(spt_trial *trial);
/** Should the trial be given up, by the study's `prune` rule? Ask after spt_trial_report(); end the
 * trial with SPT_TRIAL_PRUNED (in an objective: return SPT_PRUNED) if so. It is held against the
 * trials that its proposal saw, so the answer does not depend on what has ended since. The words of
 * the rule become the "reason" of a trial that is pruned and has none.
 * @return SPT_PRUNED, SPT_OK (go on; also without a rule), SPT_EINVAL */
SPT_API int32_t spt_trial_should_prune(spt_trial *trial);
/** Attach a number or a text; stored when the trial is told. A text under "reason" says why a trial
 * failed or was pruned; "sequence", "saw", "pending", "given", "queue", "fixed", "refused",
 * "repeats" and "retry" are the library's own (SPT_EINVAL). */
SPT_API int32_t spt_trial_set_number(spt_trial *trial, const char *key, double value);
SPT_API int32_t spt_trial_set_text(spt_trial *trial, const char *key, const char *text);
/** Attach a block of bytes ("predictions"); copied; stored when the trial is told. */
SPT_API int32_t spt_trial_set_block(spt_trial *trial, const char *key, const void *data,
                                    int64_t size);

/** Score a trial, which is the run's: spt_trial_free() does nothing to it, and it is not to be used
 * after the call. @param loss to be set; lower is better
 * @return SPT_OK (a loss that is not finite fails the trial), SPT_PRUNED (loss = last value),
 * SPT_STOP_TIME (the trial failed, reason "timeout"), SPT_STOP_HOST (the trial is recorded as
 * failed and the run stops); SPT_ESTORE, SPT_ENOMEM and SPT_EINTERNAL end the run, too, which
 * returns them, and the trial comes again; anything else fails the trial. Its reason is the text
 * attached to it as "reason" (spt_trial_set_text()), or the context's error text, or what the
 * status means. */
typedef int32_t (*spt_objective_fn)(spt_trial *trial, double *loss, void *user);
/** Is this configuration possible at all? SPT_OK, or a negative status: a proposal is drawn anew, a
 * configuration that was given is refused with it. SPT_ECALLBACK, SPT_ENOMEM and SPT_EINTERNAL end
 * the call that asked. */
typedef int32_t (*spt_check_fn)(const spt_config *config, void *user);

/** Set the objective of spt_study_run(). @param fn NULL: none @param destroy see spt_destroy_fn
 * @return SPT_OK, SPT_EBUSY (running) */
SPT_API int32_t spt_study_set_objective(spt_study *study, spt_objective_fn fn, void *user,
                                        spt_destroy_fn destroy);
/** Set a check that proposals must pass; NULL: none. */
SPT_API int32_t spt_study_set_check(spt_study *study, spt_check_fn fn, void *user,
                                    spt_destroy_fn destroy);

typedef enum {
    SPT_EVENT_TRIAL_START = 1,
    SPT_EVENT_EPOCH = 2,
    SPT_EVENT_FOLD_END = 3,
    SPT_EVENT_TRIAL_END = 4,
    SPT_EVENT_MAX_ENUM_ = 0x7fffffff
} spt_event_kind;

/** What happens in a run. Fields that an event has not are 0, `fold` and `place` -1, or NaN. */
typedef struct spt_event {
    uint32_t struct_size;
    int32_t kind;  /**< spt_event_kind */
    int64_t trial; /**< number */
    int32_t fold;  /**< from 0; EPOCH and FOLD_END, else -1 */
    int32_t folds;
    int64_t epoch;  /**< from 1; EPOCH; at FOLD_END the epochs run */
    int64_t epochs; /**< at most */
    double loss;    /**< EPOCH: training loss; FOLD_END: RMSE of the fold; TRIAL_END: value */
    double watched; /**< EPOCH: loss on the watched rows */
    int32_t state;  /**< TRIAL_END: spt_trial_state */
    int32_t place;  /**< EPOCH, FOLD_END: the fold's, from 0 in the order in which folds are told;
                       else -1 */
    const spt_config *config; /**< of the trial; valid during the call */
    const char *reason;       /**< TRIAL_END of a failed or pruned trial, else NULL */
    double best;              /**< lowest value of the study so far, NaN if none */
    int64_t best_trial;       /**< its number, -1 if none */
} spt_event;

/** @return SPT_OK; SPT_STOP_HOST stops the run; SPT_PRUNED (epoch, fold end) gives the trial up;
 * anything else fails the trial, at its end the run (SPT_ECALLBACK) */
typedef int32_t (*spt_event_fn)(const spt_event *event, void *user);

/** Be told of events of spt_study_run(), on the thread that called it, in a fixed order: those of a
 * fold come after those of the folds before it (in the order on record as "fold_order"), whatever
 * thread was faster. @param fn NULL: none */
SPT_API int32_t spt_study_set_events(spt_study *study, spt_event_fn fn, void *user,
                                     spt_destroy_fn destroy);

/** Work until the study holds `trials` finished trials (complete, pruned or failed), whoever ran
 * them, or `seconds` have passed since the call.
 *
 * @param trials   at least 0
 * @param seconds  0: no limit. The trial that runs when the time is up is finished.
 * @return SPT_STOP_TRIALS, SPT_STOP_TIME, SPT_STOP_TARGET, SPT_STOP_PLATEAU, SPT_STOP_HOST (a
 * callback or spt_ctx_stop(); what ran is recorded as failed, reason "stopped"),
 * SPT_STOP_EXHAUSTED; SPT_EDATA and the like when the objective cannot work at all; SPT_EINVAL (no
 * objective), SPT_ESTORE, SPT_ENOMEM
 */
SPT_API int32_t spt_study_run(spt_study *study, int64_t trials, double seconds);

/* ---- the cross-validation objective ---------------------------------------------------------- */

/** k-fold cross-validation of a 1D-CNN on a dataset. @threads ctx */
typedef struct spt_cv spt_cv;

/** Knobs: `folds` (5), `group` (column, ""), `seed` (1), `test` ("COLUMN=VALUE": rows never used,
 * ""), `scale` channel|band|centre|none (centre), `target_transform`
 * none|standardise|log1p (standardise), `weights` (column, ""; the scores are not weighted),
 * `watch` inner|scored (inner: early stopping watches a share of the training rows; scored: the
 * fold that scores, which flatters the error), `watch_share` (0.1), and those of training
 * (spt_training_options_new()). */
SPT_API int32_t spt_cv_options_new(spt_ctx *ctx, spt_options **out);

/** Prepare a cross-validation: apply the recipe, leave out test rows and rows without target, make
 * folds, compute the channels.
 *
 * @return SPT_OK, SPT_ENOTFOUND (target, group or test column; nearest offered), SPT_EDATA (target
 * all missing, one sample, a bad spectrum), SPT_EINVAL (more folds than samples or groups), ... */
SPT_API int32_t spt_cv_new(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                           const char *target, const spt_options *options, spt_cv **out);
/** The same with given folds. @param fold one number per row of the dataset after averaging, 0 to
 * k - 1, -1: never used; n their count */
SPT_API int32_t spt_cv_new_folds(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                                 const char *target, const int32_t *fold, int64_t n,
                                 const spt_options *options, spt_cv **out);
SPT_API void spt_cv_free(spt_cv *cv);

/** Rows that are used, as indices into the dataset after averaging, and their folds.
 * @param rows, folds  may be NULL; else capacity entries   @param needed  their number */
SPT_API int32_t spt_cv_rows(const spt_cv *cv, int64_t *rows, int32_t *folds, int64_t capacity,
                            int64_t *needed);
/** One line for each reason why rows were left out ("43 rows: test, split = T"); NULL behind the
 * last. */
SPT_API const char *spt_cv_dropped(const spt_cv *cv, int64_t index);

/** Can configurations of this space be scored: does the network builder know all its parameters,
 * can the channels that it may switch on be computed? Freezes the space; the channels stay in
 * memory. spt_study_set_cv() asks the same; a host asks first that wants no study made in vain.
 * @return SPT_OK, SPT_EINVAL (parameter, or the setting of a channel, named), SPT_EDATA (also a
 * target that cannot be transformed as set), SPT_ELIMIT (the channels alone are too much),
 * SPT_ENOMEM */
SPT_API int32_t spt_cv_check_space(spt_cv *cv, const spt_space *space);

/** Make it the objective and check of a study (proposals that make no network, that the targets do
 * not allow, or that need more memory than the context's limit are drawn anew); pins what the
 * losses mean: fingerprints of spectra, axis, target, weights and groups, the folds, rows left out,
 * all settings. The study keeps it alive.
 * @return SPT_OK, SPT_EMISMATCH (one line that names the difference), ... */
SPT_API int32_t spt_study_set_cv(spt_study *study, spt_cv *cv);

/** The objective by itself, for hosts that compose: `user` is an spt_cv. */
SPT_API int32_t spt_cv_objective(spt_trial *trial, double *loss, void *user);

/** Model of a trial: refit of its configuration on all rows used, for the median best epoch of its
 * folds (of these epochs the one that fits its rows best is kept, as training wobbles); or
 * (`ensemble` 1) the networks of its folds, trained again as in the trial. Notes: study, trial,
 * settings, statistics of the cross-validation, fingerprints.
 *
 * @param index  of the trial in the study's history, complete
 * @return SPT_OK, SPT_STOP_HOST, SPT_EINVAL, SPT_ELIMIT (an ensemble needs more than its trial),
 * ...
 */
SPT_API int32_t spt_cv_model(spt_cv *cv, const spt_history *history, int64_t index,
                             int32_t ensemble, spt_epoch_fn fn, void *user, spt_model **out);

#ifdef __cplusplus
}
#endif
#endif
