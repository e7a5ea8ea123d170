/* Studies and trials as the tune room writes them and the history reads them. The store belongs to
 * its context's thread; texts of failures go to store->ctx->err.
 *
 * This header is what other rooms call; db.h is the database under it. */
#ifndef SPT_LIB_STORE_STORE_H
#define SPT_LIB_STORE_STORE_H

#include "../base/ctx.h"
#include "../base/text.h"
#include "spectune/store.h"

/* A key with a JSON value; the reader turns a JSON string into its text and leaves the rest. */
typedef struct spt__attr {
    const char *key;
    const char *json;
} spt__attr;

typedef struct spt__block {
    const char *key;
    const void *data;
    int64_t size;
} spt__block;

/* A finite number as JSON; NaN and the infinities, which JSON has not, as strings. */
void spt__json_number(spt__buf *b, double value);

/* ---- the store itself ------------------------------------------------------------------------ */

/* One more reference; released with spt_store_free(). */
spt_store *spt__store_ref(spt_store *store);
spt_ctx *spt__store_ctx(const spt_store *store);

/* ---- studies --------------------------------------------------------------------------------- */

/* Id of a study. name NULL: the only one. SPT_ENOTFOUND offers the nearest name. */
int32_t spt__store_find_study(spt_store *store, const char *name, int64_t *study);
/* The study of that name, made (with its space on record) if there is none; *made tells. Two
 * processes that do so at once end with the same study. SPT_EINVAL: name empty or longer than 512
 * characters. An existing study is not compared with `space`: see spt__store_space(). */
int32_t spt__store_make_study(spt_store *store, const char *name, const spt_space *space,
                              int64_t *study, bool *made);
/* The space on record; for a study that Optuna made, a flat one from what its trials hold
 * (*inferred is true, parameters may then be missing from a configuration). inferred may be NULL.
 * SPT_EVERSION: written by a newer library. */
int32_t spt__store_space(spt_store *store, int64_t study, spt_space **out, bool *inferred);
/* Put a space on record with a study that has none, because another program made it. SPT_EMISMATCH:
 * what its trials hold cannot be told in that space. */
int32_t spt__store_adopt_space(spt_store *store, int64_t study, const spt_space *space);

/* Text on record with a study ("target", "folds", ...); *text is NULL if there is none, else
 * released with spt__free. */
int32_t spt__store_record(spt_store *store, int64_t study, const char *key, char **text);
/* Store it if there is none, else it must be the same: SPT_EMISMATCH names key and both. */
int32_t spt__store_pin(spt_store *store, int64_t study, const char *key, const char *text);
/* Overwrites; for what may change ("spectune version"). */
int32_t spt__store_set_record(spt_store *store, int64_t study, const char *key, const char *text);

int32_t spt__store_pin_block(spt_store *store, int64_t study, const spt__block *block);
/* A block of a study (trial -1) or of a trial (its id). SPT_ENOTFOUND. *data: spt__free. */
int32_t spt__store_get_block(spt_store *store, int64_t study, int64_t trial, const char *key,
                             void **data, int64_t *size);

/* ---- trials ---------------------------------------------------------------------------------- */

/* Asked in the transaction in which a trial begins, when no other can begin: may it? Anything but
 * SPT_OK undoes the transaction and is what the call returns. It may be asked again after a lost
 * connection. */
typedef int32_t (*spt__admit_fn)(void *arg);

/* A trial that begins, or is queued. */
typedef struct spt__begin {
    const spt_config *config; /* parameters that have a value */
    const spt__attr *attrs;
    size_t n_attrs;
    bool foreign;        /* the space was inferred: spt__store_space() */
    spt__admit_fn admit; /* may be NULL */
    void *arg;
} spt__begin;

/* A new running trial. `id` names it in the calls below, `number` is the user's: dense from 0
 * whoever else works on the study. */
int32_t spt__store_trial_new(spt_store *store, int64_t study, const spt__begin *begin, int64_t *id,
                             int64_t *number);
/* A trial that waits for somebody to run it. Its attribute "queue" is its number. */
int32_t spt__store_trial_queue(spt_store *store, int64_t study, const spt__begin *begin,
                               int64_t *number);
/* Run it: it has this configuration from now on. SPT_EBUSY: somebody else was faster. */
int32_t spt__store_trial_claim(spt_store *store, int64_t study, int64_t id,
                               const spt__begin *begin);
/* Call `fn` while nobody else begins or queues a trial of the study; all that it does is one
 * transaction, undone if it fails. */
int32_t spt__store_alone(spt_store *store, int64_t study, int32_t (*fn)(void *arg), void *arg);
/* The values on record of any trial, NaN where there is none; space->n of them. What a waiting
 * trial of Optuna's fixes counts as such. */
int32_t spt__store_trial_values(spt_store *store, int64_t id, const spt_space *space,
                                double *values);
/* Any value, also NaN. A step told before is SPT_EINVAL; an ended trial SPT_EBUSY. */
int32_t spt__store_trial_step(spt_store *store, int64_t id, int64_t step, double value);
/* "Still at work", for trials that last longer than spt__store_fail_stale()'s patience. */
int32_t spt__store_trial_alive(spt_store *store, int64_t id);

typedef struct spt__finish {
    int32_t state; /* COMPLETE, PRUNED or FAILED; COMPLETE becomes FAILED if value is not finite */
    double value;  /* COMPLETE; PRUNED: the last value told, or NaN */
    const spt__attr *attrs; /* "reason" of a failed trial is one of them */
    size_t n_attrs;
    const spt__block *blocks;
    size_t n_blocks;
} spt__finish;

/* End a trial, everything in one transaction that is on disk at return; f->state becomes what was
 * stored. SPT_EBUSY: it has ended already (nothing is changed). */
int32_t spt__store_trial_finish(spt_store *store, int64_t id, spt__finish *f);

/* A look for running trials whose worker is gone. */
typedef struct spt__stale {
    int64_t study;
    double seconds; /* of silence after which a worker on another machine counts as gone */
    const char *reason;
    int64_t retries; /* 0; or how often the configuration of such a trial is queued again */
    int64_t failed;  /* out: how many there were */
} spt__stale;

/* Fail the running trials whose process is gone: on this machine when no such process exists; on
 * another when nothing was heard for `seconds`. Trials that Optuna runs are left alone unless they
 * have a heartbeat that old. */
int32_t spt__store_fail_stale(spt_store *store, spt__stale *sweep);

/* ---- history --------------------------------------------------------------------------------- */

typedef struct spt__row_attr {
    const char *key;
    const char *text;
} spt__row_attr;

/* One trial in memory. A finished one never changes and stays at its place; an unfinished one is
 * replaced by the next refresh. */
typedef struct spt__row {
    int64_t id, number;
    int32_t state;
    double value;             /* NaN when there is none */
    const spt_config *config; /* NULL when parameters are missing */
    const char *started, *ended;
    const int64_t *steps;
    const double *step_values;
    int64_t n_steps;
    const spt__row_attr *attrs;
    int64_t n_attrs;
} spt__row;

/* A history that grows. Configurations belong to `space`, which was inferred or not, or to the
 * space on record if that is NULL. Released with spt_history_free(). */
int32_t spt__history_open(spt_store *store, int64_t study, const spt_space *space, bool inferred,
                          spt_history **out);
/* Read what is new: trials not seen before and those that had not finished. */
int32_t spt__history_refresh(spt_store *store, spt_history *history);
/* The same, and what running trials have told meanwhile, and the records. */
int32_t spt__history_renew(spt_store *store, spt_history *history);
/* An immutable copy for the host; shares the trials. */
int32_t spt__history_snapshot(const spt_history *history, spt_history **out);
/* Rows in order of their numbers, valid until the next refresh; *n their count. */
const spt__row *const *spt__history_rows(const spt_history *history, int64_t *n);
/* Was the space inferred from the trials of a study that Optuna made (spt__store_space())? */
bool spt__history_inferred(const spt_history *history);
/* A study of another program may look for the highest value. */
bool spt__history_maximizes(const spt_history *history);
/* Attribute of a trial that tries the configuration of another one again: the other's number; -1
 * without it. */
#define SPT__REPEATS "repeats"
int64_t spt__row_repeats(const spt__row *row);
/* Each repetition that was ever asked for has one such row, whatever became of it. */
bool spt__row_asks_again(const spt__row *row);
/* Has the trial ended, and does it count (spt_history_finished())? */
bool spt__row_counts(const spt__row *row);

#endif
