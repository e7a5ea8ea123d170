/* Trials of a store in memory: what history.c keeps and rows.c reads. */
#ifndef SPT_LIB_STORE_ROWS_H
#define SPT_LIB_STORE_ROWS_H

#include "db.h"

/* One trial, shared by snapshots. The row comes first: a row's address is its box's. */
typedef struct spt__box {
    spt__row row;
    _Atomic int64_t refs;
    int64_t attr_capacity, step_capacity;
} spt__box;

/* Some trials of a study, in order of their ids. */
typedef struct spt__batch {
    spt__box **boxes;
    int64_t n;
} spt__batch;

/* Read the trials of a study whose ids are above `after` and at most `upto`, at most `limit` of
 * them. The space says which parameters there are; `inferred`: any of them may be missing. In a
 * transaction. Released with spt__batch_free(), rows that were taken out (set to NULL) excepted. */
int32_t spt__rows_read(spt_store *s, int64_t study, const spt_space *space, bool inferred,
                       int64_t after, int64_t upto, int64_t limit, spt__batch *batch);
void spt__batch_free(spt_ctx *ctx, spt__batch *batch);
/* One reference less. NULL is fine. */
void spt__row_release(spt_ctx *ctx, const spt__row *row);
/* Of those trials of the study that are listed by id, the ones that are not in the state given with
 * them any more; *changed is as long as `ids`. In a transaction. */
int32_t spt__rows_changed(spt_store *s, const int64_t *ids, const int32_t *states, int64_t n,
                          bool *changed);
/* Keys and plain texts of what a query gives as columns 0 and 1, appended. */
int32_t spt__rows_attrs(spt__cursor *q, spt__row_attr **attrs, int64_t *n);

const char *spt__row_text(const spt__row *row, const char *key);

#endif
