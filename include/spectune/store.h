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
/** Release it; studies that work in it keep it open. */
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

/** Name of the study. Valid while the history is. */
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
/** Describe trial `index` (0 to count - 1). @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_history_trial(const spt_history *history, int64_t index, spt_trial_info *info);
/** Configuration of trial `index`; valid while the history is. NULL for an index out of range, or
 * for a trial whose parameters are incomplete. */
SPT_API const spt_config *spt_history_config(const spt_history *history, int64_t index);
/** Intermediate values.
 * @param steps, values  either may be NULL
 * @param capacity       of each of them, spt_trial_info.n_steps or more
 * @return SPT_OK, SPT_EINVAL (no such trial), SPT_ECAPACITY */
SPT_API int32_t spt_history_steps(const spt_history *history, int64_t index, int64_t *steps,
                                  double *values, int64_t capacity);
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
/** Index of the complete trial with the lowest value (the first of equals), SPT_ENOTFOUND if none.
 * In a study of another program that maximises, the highest. */
SPT_API int64_t spt_history_best(const spt_history *history);

/** How many repetitions of trials have been asked for (spt_study_confirm()), done or still to be
 * done; not those that turned out to be impossible. */
SPT_API int64_t spt_history_repeated(const spt_history *history);
/** What the repetitions of trial `index` gave.
 * @param count     complete repetitions, the trial itself is not among them
 * @param mean, sd  of their values; NaN with none, or one; may be NULL
 * @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_history_repeats(const spt_history *history, int64_t index, int64_t *count,
                                    double *mean, double *sd);
/** The trial to go on with: of those that were tried again (as often as the most tried one) the
 * one whose repetitions have the lowest mean, whatever the trial's own value, as that is why it was
 * chosen. Without repetitions spt_history_best(). Index, SPT_ENOTFOUND if none. */
SPT_API int64_t spt_history_confirmed(const spt_history *history);

/** Read a block of bytes kept with a study (trial -1) or a trial: "rows", "folds", "predictions"
 * (float32 n x t, in the order of "rows"). Query-then-fill; size in bytes.
 * @return SPT_OK, SPT_ENOTFOUND, SPT_ECAPACITY, SPT_ESTORE */
SPT_API int32_t spt_store_block(spt_store *store, const char *study, int64_t trial, const char *key,
                                void *buffer, int64_t capacity, int64_t *needed);

/* ---- studies in files, and from store to store -------------------------------------------------
 */

typedef enum {
    SPT_EXPORT_CSV = 1,  /**< a table, one row per trial, for data frames */
    SPT_EXPORT_JSON = 2, /**< the whole study; spt_store_import_json() gives it back exactly */
    SPT_EXPORT_MAX_ENUM_ = 0x7fffffff
} spt_export_format;

/** Receives a text piece by piece. @return SPT_OK to go on; anything else ends it (SPT_ECALLBACK)
 */
typedef int32_t (*spt_text_fn)(const char *text, int64_t size, void *user);

/** Write a study into a file, which appears complete or not at all. What is written is the study at
 * one moment, whoever works on it; the text is put together in memory. Both formats are described
 * in doc/store.md.
 *
 * CSV has the columns number, state, value, datetime_start, datetime_complete, seconds, then
 * params_NAME, intermediate_values_STEP, user_attrs_NAME: the names, and in `state` the words, of
 * Optuna's trials_dataframe(). What a trial has not is empty.
 *
 * @param study   name; NULL: the only study in the store
 * @param format  spt_export_format
 * @param path    replaced if it is there
 * @return SPT_OK, SPT_ENOTFOUND (nearest name offered), SPT_EIO, SPT_EFORMAT, SPT_ESTORE,
 *         SPT_EINVAL, SPT_ENOMEM @threads ctx */
SPT_API int32_t spt_store_export(spt_store *store, const char *study, int32_t format,
                                 const char *path);
/** The same, handed to `fn`. The store is not locked meanwhile. */
SPT_API int32_t spt_store_export_text(spt_store *store, const char *study, int32_t format,
                                      spt_text_fn fn, void *user);

/** Read a study that spt_store_export() wrote as JSON into a store that has none of that name:
 * everything or, after any error, nothing. Trials that were running become failed ones with the
 * reason "abandoned", as nobody works on them here.
 *
 * @param path   of the file
 * @param study  name that it gets; NULL: the one in the file
 * @return SPT_OK, SPT_EIO, SPT_EFORMAT (line and column are told), SPT_EVERSION (of a newer
 *         library), SPT_EBUSY (the store has a study of that name), SPT_ESTORE, SPT_ENOMEM
 * @threads ctx */
SPT_API int32_t spt_store_import_json(spt_store *store, const char *path, const char *study);
/** Make a study of a table, one row per trial: columns as in spt_store_export(), all optional but
 * those of parameters that always exist. Where there is no state, a trial with a value is complete
 * and one without failed; without numbers, trials are numbered as they come. Columns seconds,
 * duration, system_attrs_... and such without a name are passed over. Commas, semicolons and tabs
 * are understood, with semicolons and tabs decimal commas too.
 *
 * @param space  what the parameters are; every trial must be one of its configurations (waiting,
 *               running and failed ones may lack parameters)
 * @param study  name that it gets; NULL: "spectune", as the tool calls studies
 * @return as spt_store_import_json(); SPT_EFORMAT names line and column and says what is wanted
 * @threads ctx */
SPT_API int32_t spt_store_import_csv(spt_store *store, const char *path, const spt_space *space,
                                     const char *study);
/** Copy a study into another store, also one that Optuna made: everything verbatim, distributions,
 * attributes of the system and times included; not the heartbeats. Running trials become failed
 * ones with the reason "abandoned": their worker goes on in the store that it knows. Both stores
 * may be one.
 *
 * @param from   read; may be open as SPT_STORE_READONLY
 * @param study  name; NULL: the only study in `from`
 * @param to     gets everything or, after any error, nothing
 * @param name   of the copy; NULL: the same
 * @return SPT_OK, SPT_ENOTFOUND, SPT_EBUSY (`to` has a study of that name), SPT_ESTORE, SPT_ENOMEM
 * @threads ctx: both stores, if they have two, belong to the calling thread */
SPT_API int32_t spt_store_copy(spt_store *from, const char *study, spt_store *to, const char *name);

/** Say for which Optuna a store is. A store is made for any: the first Optuna that opens it stamps
 * it with the revision of its own, and from then on those of the other generation refuse it. This
 * library reads all of them.
 *
 * @param optuna  a version, "3.0" to "5.x": 3.0 and 3.1 want one revision, 3.2 and later another;
 *                "any": no revision, as made
 * @return SPT_OK, SPT_EINVAL (a version that is not known), SPT_ESTORE, SPT_ENOMEM
 * @threads ctx */
SPT_API int32_t spt_store_stamp(spt_store *store, const char *optuna);

#ifdef __cplusplus
}
#endif
#endif
