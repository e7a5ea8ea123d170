/* A first look at the bad side of a tree that has many trials, for the files that look at
 * densities. */
#ifndef SPT_LIB_SEARCH_SIEVE_H
#define SPT_LIB_SEARCH_SIEVE_H

#include "look.h"

/* With the columns of a side. */
int32_t spt__sieve_reserve(spt__side *s, int64_t capacity, spt__err *e);
void spt__sieve_free(spt__side *s);
/* The least bandwidth of a parameter has changed. */
void spt__sieve_peaks(spt__side *s, int32_t d);

/* The nearest row, as far as a few bits tell, of those that have all parameters of the point; -1:
 * none. */
int32_t spt__sieve_nearest(const spt__side *s, const spt__point *at, int32_t lane);
/* Rows of the block whose bounds may add up to `bar` or more, ascending, and their weights. */
int64_t spt__sieve_pass(const spt__side *s, int32_t lane, double bar, int32_t *row, double *weight);

#endif
