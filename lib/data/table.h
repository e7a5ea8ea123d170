/* A CSV file taken apart: spectra, fields, what was understood. */
#ifndef SPT_LIB_DATA_TABLE_H
#define SPT_LIB_DATA_TABLE_H

#include "bands.h"
#include "../base/csv.h"
#include "dataset.h"

/* What the options ask for. The texts belong to the options. */
typedef struct spt__table_wish {
    char delimiter; /* 0: find it */
    char decimal;   /* 0: find it */
    int32_t axis_unit, unit;
    const char *id;      /* "": by its name */
    const char *bands;   /* prefix of the band headers */
    const char *missing; /* further markers, "a|b" */
    bool keep_bad;       /* unreadable spectra stay, as unreadable */
    bool spectra;        /* the table must have bands */
} spt__table_wish;

/* A column that is not a band. */
typedef struct spt__field {
    char *name;
    int64_t column; /* in the file, from 0 */
    bool skip;      /* a band of a second set */
    int64_t *at;    /* offset of each text in the pool, -1 = missing */
    double *numbers;
    int64_t n_numbers, n_texts;
    int64_t text_line, text_at; /* the first value that is no number: line, offset */
} spt__field;

typedef struct spt__table {
    spt_ctx *ctx;
    spt__table_wish wish;
    spt__csv csv;
    char decimal;
    bool row_names; /* rows have one cell more than the header: names, as R writes them */
    char **headers;
    int64_t n_headers;
    int64_t header_line, first_line; /* of the header and of the first row */
    spt__bands bands;
    spt__field *fields;
    int64_t n_fields, id_field; /* -1: none */
    spt__buf texts;
    int64_t n, capacity; /* rows */
    double *values;      /* n x bands */
    double low, high;    /* of the spectra */
    int64_t bad_rows;
    int64_t bad_line, bad_column; /* the first unreadable value */
} spt__table;

/* Read all of it. Errors name line and column, not the file. Free the table either way. */
int32_t spt__table_read(spt__table *t, spt_ctx *ctx, const char *data, size_t size,
                        const spt__table_wish *wish, spt__err *e);
void spt__table_free(spt__table *t);

/* The wish that the options express; SPT_EINVAL when they are of another kind. */
int32_t spt__table_wish_of(spt__table_wish *wish, const spt_options *options, spt__err *e);
/* The texts of all fields; the table keeps none. NULL when memory is short. */
spt__pool *spt__table_take_pool(spt__table *t);
/* A field at these rows of the table (NULL: all of them); row -1 gives a missing value. */
spt__column *spt__field_column(spt_ctx *ctx, const spt__field *f, spt__pool *pool,
                               const int64_t *rows, int64_t n);
/* The trace of a delimiter at the end of each line: a field without header or content. */
bool spt__field_is_trace(const spt__table *t, const spt__field *f);
/* What the field's values give away becomes a note. */
int32_t spt__field_note(spt_dataset *ds, const spt__table *t, const spt__field *f,
                        const spt__pool *pool, spt__err *e);

#endif
