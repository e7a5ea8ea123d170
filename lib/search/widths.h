/* Inside of a density: its bandwidths. */
#ifndef SPT_LIB_SEARCH_WIDTHS_H
#define SPT_LIB_SEARCH_WIDTHS_H

#include "sieve.h"

/* Where the bandwidth of a row is kept. */
static inline double *spt__sigma_at(const spt__side *s, int32_t d, int64_t row)
{
    return s->kernels ? s->kernels + (row * s->record->p + d) * 3 + 1
                      : s->sigma + d * s->capacity + row;
}

/* How many pairs a side's `stale` has room for. */
int64_t spt__widths_stale(const spt__record *r);
/* The record is about to replace its rows from `kept` on. */
void spt__widths_leave(spt__side *s);
/* Work out what is not known; `own` are the side's rows, ascending. */
void spt__widths_fit(spt__side *s, const spt__side_rows *rows, const int32_t *own, int64_t n);

#endif
