/**
 * @file
 * Where studies live: a database file in Optuna's schema, or memory.
 *
 * A store holds studies by name, a study holds trials. Every change is one transaction and on disk
 * when the call returns. Most hosts only open a store and hand it to spt_study_open(); spt_history
 * is the way to look at what was done.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_STORE_H
#define SPECTUNE_STORE_H

#include "space.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An open store. @threads ctx */
typedef struct spt_store spt_store;

typedef enum {
    SPT_STORE_CREATE = 1,   /**< open, make it if it is missing */
    SPT_STORE_OPEN = 2,     /**< open to read and write; a missing file is SPT_EIO */
    SPT_STORE_READONLY = 3, /**< open to read */
    SPT_STORE_MODE_MAX_ENUM_ = 0x7fffffff
} spt_store_mode;

/** Open a store.
 *
 * @param url   "study.db" or "sqlite:///study.db" (a SQLite file), "memory:" (gone when freed)
 * @param mode  spt_store_mode
 * @return SPT_OK, SPT_EIO, SPT_EFORMAT (not a study file), SPT_EVERSION, SPT_EUNSUPPORTED (another
 *         kind of url), SPT_ESTORE, SPT_EINVAL, SPT_ENOMEM
 */
SPT_API int32_t spt_store_open(spt_ctx *ctx, const char *url, int32_t mode, spt_store **out);
SPT_API void spt_store_free(spt_store *store);

/** Name of study `index` in order of creation, NULL behind the last; valid until the next call. */
SPT_API const char *spt_store_study(spt_store *store, int64_t index);

typedef enum {
    SPT_TRIAL_RUNNING = 0,
    SPT_TRIAL_COMPLETE = 1,
    SPT_TRIAL_PRUNED = 2,
    SPT_TRIAL_FAILED = 3,
    SPT_TRIAL_WAITING = 4,
    SPT_TRIAL_MAX_ENUM_ = 0x7fffffff
} spt_trial_state;

/** "running", "complete", "pruned", "failed", "waiting". Static. @threads any */
SPT_API const char *spt_trial_state_name(int32_t state);

/* ---- history: a snapshot of a study ------------------------------------------------------------
 */

/** All trials of a study at one moment. Never changes; needs the store no more. @threads any */
typedef struct spt_history spt_history;

/** @param study  name; NULL: the only study in the store (several: SPT_EINVAL, the text lists them)
 * @return SPT_OK, SPT_ENOTFOUND (nearest name offered), SPT_ESTORE, SPT_EFORMAT, SPT_ENOMEM */
SPT_API int32_t spt_history_read(spt_store *store, const char *study, spt_history **out);
SPT_API void spt_history_free(spt_history *history);

SPT_API const char *spt_history_name(const spt_history *history);
/** The space of the study, as its trials saw it. Valid while the history is. */
SPT_API const spt_space *spt_history_space(const spt_history *history);
/** A text on record with the study ("target", "folds", ...), NULL if there is none. */
SPT_API const char *spt_history_record(const spt_history *history, const char *key);
/** Key of record `index`, NULL behind the last. */
SPT_API const char *spt_history_record_key(const spt_history *history, int64_t index);

typedef struct spt_trial_info {
    uint32_t struct_size;
    int32_t state;  /**< spt_trial_state */
    int64_t number; /**< from 0 */
    double value;   /**< the loss; NaN unless complete (or pruned: the last value told) */
    const char
        *started; /**< "YYYY-MM-DD HH:MM:SS.ffffff" UTC, "" if unknown; valid with the history */
    const char *ended;
    int64_t n_steps; /**< intermediate values: losses of finished folds, in fold order */
} spt_trial_info;

/** Trials of all states, in order of their numbers. */
SPT_API int64_t spt_history_count(const spt_history *history);
SPT_API int32_t spt_history_trial(const spt_history *history, int64_t index, spt_trial_info *info);
/** Configuration of trial `index`; valid while the history is. NULL for an index out of range, or
 * for a trial whose parameters are incomplete. */
SPT_API const spt_config *spt_history_config(const spt_history *history, int64_t index);
/** Intermediate values. @param steps, values  capacity info.n_steps each; may be NULL */
SPT_API int32_t spt_history_steps(const spt_history *history, int64_t index, int64_t *steps,
                                  double *values);
/** Text of an attribute of a trial ("rmse", "reason", "epochs", ... numbers as text), NULL if it
 * has none. Valid while the history is. */
SPT_API const char *spt_history_attribute(const spt_history *history, int64_t index,
                                          const char *key);
/** Key of attribute `k` of a trial, NULL behind the last. */
SPT_API const char *spt_history_attribute_key(const spt_history *history, int64_t index, int64_t k);
/** How many trials have ended and count: complete, pruned and failed ones, but not those that were
 * stopped or whose program died (failed, with the attribute "reason" being "stopped" or
 * "abandoned"), which say nothing about their configuration. */
SPT_API int64_t spt_history_finished(const spt_history *history);
/** Index of the complete trial with the lowest value (the first of equals), -1 if none. In a study
 * of another program that maximises, the highest. */
SPT_API int64_t spt_history_best(const spt_history *history);

/** How many repetitions of trials have been asked for (spt_study_confirm()), done or still to be
 * done; not those that turned out to be impossible. @since 0.1 */
SPT_API int64_t spt_history_repeated(const spt_history *history);
/** What the repetitions of trial `index` gave.
 * @param count     complete repetitions, the trial itself is not among them
 * @param mean, sd  of their values; NaN with none, or one; may be NULL
 * @return SPT_OK, SPT_EINVAL @since 0.1 */
SPT_API int32_t spt_history_repeats(const spt_history *history, int64_t index, int64_t *count,
                                    double *mean, double *sd);
/** The trial to go on with: of those that were tried again (as often as the most tried one) the
 * one whose repetitions have the lowest mean, whatever the trial's own value, as that is why it was
 * chosen. Without repetitions spt_history_best(). Index, -1 if none. @since 0.1 */
SPT_API int64_t spt_history_confirmed(const spt_history *history);

/** Read a block of bytes kept with a study (trial -1) or a trial: "rows", "folds", "predictions"
 * (float32 n x t, in the order of "rows"). Query-then-fill; size in bytes.
 * @return SPT_OK, SPT_ENOTFOUND, SPT_ECAPACITY, SPT_ESTORE */
SPT_API int32_t spt_store_block(spt_store *store, const char *study, int64_t trial, const char *key,
                                void *buffer, int64_t capacity, int64_t *needed);

#ifdef __cplusplus
}
#endif
#endif
