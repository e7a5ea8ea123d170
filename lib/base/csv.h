/* CSV text to cells: quotes, line ends, delimiters, encodings. Knows nothing of spectra. */
#ifndef SPT_LIB_BASE_CSV_H
#define SPT_LIB_BASE_CSV_H

#include "ctx.h"
#include "text.h"

/* One cell, inside its quotes and without the blanks around it; not NUL-terminated. */
typedef struct spt__cell {
    const char *text;
    size_t length;
    bool quoted;
    bool doubled; /* quotes inside are still doubled */
} spt__cell;

typedef struct spt__csv {
    spt_ctx *ctx;
    const char *at, *end;
    char delimiter;
    bool latin1;         /* the bytes are not UTF-8 */
    int64_t line;        /* of `at`, from 1 */
    int64_t record_line; /* where the record in `cells` starts */
    spt__cell *cells;
    int64_t n, capacity;
} spt__csv;

/* Look at the whole of it: byte order mark, NUL bytes, UTF-16, spreadsheets, encoding. `delimiter`
 * 0: found from the first two records. The data stay the caller's. */
int32_t spt__csv_open(spt__csv *csv, spt_ctx *ctx, const char *data, size_t size, char delimiter,
                      spt__err *e);
void spt__csv_close(spt__csv *csv);

/* Read the next record that has any content into `cells`. 1: there it is, 0: the end, < 0: failed
 * (SPT_EFORMAT names the line). */
int32_t spt__csv_next(spt__csv *csv, spt__err *e);

/* Append the cell's text, UTF-8, with single quotes and one NUL. */
void spt__csv_text(const spt__csv *csv, const spt__cell *cell, spt__buf *out);

#endif
