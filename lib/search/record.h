/* What a sampler remembers of the trials between asks, so that an ask costs what is new: the values
 * of each parameter in a column, on the parameter's scale, and in order of size. It is only a
 * faster way to look at a view: following the same view gives the same record, whatever was
 * followed before. */
#ifndef SPT_LIB_SEARCH_RECORD_H
#define SPT_LIB_SEARCH_RECORD_H

#include "domain.h"

struct spt__view;

enum {
    SPT__SHORT_GRID = 256,
    SPT__SIEVE_BINS = 254, /* of equal width, for a first look at a number */
    SPT__WIDE = 254,       /* a category beyond these */
    SPT__NO_BIN = 255
};

typedef struct spt__record {
    spt_ctx *ctx;
    const spt__domain *domains;
    int32_t p;
    int64_t n, capacity;
    int64_t kept;     /* rows that the last follow() left as they were */
    uint64_t *branch; /* n: which parameters a row has (branch.h) */
    double *raw;      /* n x p, as the view had them */
    int64_t *key;     /* n: of the view, if it had any */
    uint64_t source;  /* of them; 0: none */
    double
        *position;  /* p columns of capacity: on the scale, or the category; NaN: does not exist */
    int16_t *place; /* p columns of capacity: on a short grid, else -1 */
    uint8_t *bin;   /* p columns of capacity: of the position, or the category */
    int32_t *order; /* p columns of capacity: rows that have the parameter, by position, then row */
    int64_t *present; /* p: how many rows of `order` count */
} spt__record;

int32_t spt__record_init(spt__record *r, spt_ctx *ctx, const spt__domain *domains, int32_t p,
                         spt__err *e);
void spt__record_free(spt__record *r);
/* How many of the first rows stay as they are when the view is followed: into `kept`. */
int32_t spt__record_compare(spt__record *r, const struct spt__view *view, spt__err *e);
/* Then hold the rows of the view. Where it fails, the record is empty. */
int32_t spt__record_follow(spt__record *r, const struct spt__view *view, spt__err *e);

/* The place of a row in the order of a parameter that it has. */
int64_t spt__record_place(const spt__record *r, int32_t d, int32_t row);

#endif
