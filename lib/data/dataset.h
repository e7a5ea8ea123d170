/* What a dataset is made of, for the rooms above: immutable, counted pieces that derived datasets
 * share. Pieces hold the context that allocated them, so any owner may be the last one. */
#ifndef SPT_LIB_DATA_DATASET_H
#define SPT_LIB_DATA_DATASET_H

#include "spectune/data.h"

#include "../base/ctx.h"

/* Spectra as they came. Never changed once a dataset points here. */
typedef struct spt__spectra {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    int32_t dtype;
    bool checked; /* every value is known to be finite */
    bool lenient; /* a value that is not finite makes its row unreadable, and nothing else */
    const void *data;
    int64_t rows, cols;
    int64_t row_stride, col_stride; /* in elements */
    void *own;                      /* what to free; NULL when borrowed */
    void *user;
    spt_destroy_fn destroy;
} spt__spectra;

/* Bytes of many texts, each NUL-terminated. */
typedef struct spt__pool {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    char *data;
} spt__pool;

/* n values. A number column has both forms; a text column texts only. */
typedef struct spt__column {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    char *name;
    int32_t kind;
    int64_t n;
    double *numbers;    /* NaN = missing; NULL in a text column */
    const char **texts; /* into the pool; NULL = missing */
    spt__pool *pool;
} spt__column;

struct spt_dataset {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    spt__spectra *spectra;
    int64_t n, p;
    int64_t *rows; /* storage row of each row; NULL: the same number */
    int64_t first_band, band_step;
    double *axis;
    int32_t axis_unit, unit;
    spt__column **columns;
    int64_t n_columns;
    int64_t id_column; /* index, or -1 */
    spt__column *ids;  /* a text for every row, never NULL: the id column or the row numbers */
    char **notes;
    int64_t n_notes;
};

/* ---- for the rooms above ----------------------------------------------------------------------
 */

/* One more reference; release with spt_dataset_free(). Any thread. */
spt_dataset *spt__dataset_ref(const spt_dataset *ds);

/* One spectrum as p doubles; any thread. SPT_EDATA names the row's id and the band when a value of
 * storage that could not be checked before is not finite. */
int32_t spt__dataset_row(const spt_dataset *ds, int64_t row, double *out, spt__err *e);

/* Bands first .. first + n - 1 of a row, whatever the values are. */
void spt__dataset_read(const spt_dataset *ds, int64_t row, int64_t first, int64_t n, double *out);

/* Index of the column; SPT_ENOTFOUND offers the nearest name. */
int32_t spt__dataset_column_named(const spt_dataset *ds, const char *name, int64_t *index,
                                  spt__err *e);

/* Which rows have this value in the column? Numbers compare as numbers; a missing value is none.
 * `same` has n entries. */
int32_t spt__dataset_match(const spt_dataset *ds, const char *column, const char *value, bool *same,
                           spt__err *e);

/* Group number of each row, 0 .. *n_groups - 1 in order of first appearance. Values count as the
 * same when their texts are; a missing value is a group of its own. */
int32_t spt__dataset_groups(const spt_dataset *ds, int64_t column, int64_t *group,
                            int64_t *n_groups, spt__err *e);

/* ---- inside the room --------------------------------------------------------------------------
 */

/* Owned storage of n x p, zeroed, contiguous; writable until a dataset points to it. */
spt__spectra *spt__spectra_new(spt_ctx *ctx, int32_t dtype, int64_t n, int64_t p);
/* Owned storage made of n x p finite values; takes `data`, also when it fails (NULL). */
spt__spectra *spt__spectra_take(spt_ctx *ctx, double *data, int64_t n, int64_t p);
spt__spectra *spt__spectra_ref(spt__spectra *s);
void spt__spectra_unref(spt__spectra *s);

/* Takes `data`, also when it fails (NULL). */
spt__pool *spt__pool_take(spt_ctx *ctx, char *data);
spt__pool *spt__pool_ref(spt__pool *pool);
void spt__pool_unref(spt__pool *pool);

/* An empty column: texts NULL, numbers NaN. `pool` gets one more reference; NULL is fine. */
spt__column *spt__column_new(spt_ctx *ctx, const char *name, int32_t kind, int64_t n,
                             spt__pool *pool);
/* Copies of the values; texts of numbers are the shortest that read back the same. */
spt__column *spt__column_of_numbers(spt_ctx *ctx, const char *name, const double *values,
                                    int64_t n);
spt__column *spt__column_of_texts(spt_ctx *ctx, const char *name, const char *const *values,
                                  int64_t n);
/* Row numbers from 1, as texts. */
spt__column *spt__column_of_row_numbers(spt_ctx *ctx, int64_t n);
/* The values at these rows; texts are shared. */
spt__column *spt__column_take(spt_ctx *ctx, const spt__column *column, const int64_t *rows,
                              int64_t n);
spt__column *spt__column_ref(spt__column *column);
void spt__column_unref(spt__column *column);

/* A new dataset of n rows and p bands on this storage (which gets one more reference; NULL: to be
 * set by the caller), without columns, axis zeroed, ids NULL. NULL when memory is short. */
spt_dataset *spt__dataset_alloc(spt_ctx *ctx, spt__spectra *spectra, int64_t n, int64_t p);
/* The same with unit, axis unit, notes and, when `columns`, columns and ids of `from`; the axis is
 * copied when p is the same. */
spt_dataset *spt__dataset_like(spt_ctx *ctx, const spt_dataset *from, spt__spectra *spectra,
                               int64_t n, int64_t p, bool columns);
/* The rows of a view: `rows` and its columns. */
int32_t spt__dataset_copy_rows(spt_dataset *to, const spt_dataset *from, spt__err *e);
/* Put a column behind the others or in the place of the one with its name. Takes the reference,
 * also when it fails; `column` NULL is SPT_ENOMEM. */
int32_t spt__dataset_put_column(spt_dataset *ds, spt__column *column, spt__err *e);
/* Let column `index` (-1: none) name the rows; missing ids become row numbers. */
int32_t spt__dataset_set_ids(spt_dataset *ds, int64_t index, spt__err *e);
int32_t spt__dataset_note(spt_dataset *ds, spt__err *e, const char *format, ...) SPT__PRINTF(3, 4);

/* Positions must be positive and strictly monotone. */
int32_t spt__axis_check(const double *axis, int64_t p, spt__err *e);
/* Notes on what looks wrong with the axis under its unit, and with the values (all of `checked`
 * storage, low and high) under theirs. */
int32_t spt__dataset_note_axis(spt_dataset *ds, spt__err *e);
int32_t spt__dataset_note_values(spt_dataset *ds, double low, double high, spt__err *e);

#endif
