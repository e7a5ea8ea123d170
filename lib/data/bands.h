/* Which headers of a table are band positions, and in what unit. */
#ifndef SPT_LIB_DATA_BANDS_H
#define SPT_LIB_DATA_BANDS_H

#include "../base/ctx.h"

enum {
    SPT__BANDS_LEAST = 10,   /* fewer numbered headers in a row are ordinary columns */
    SPT__BANDS_SURPLUS = 50, /* so many more beside the spectra are a second set of bands */
    SPT__MAX_SURPLUS = 16,
    SPT__AFFIX_CAPACITY = 64
};

/* Columns first .. first + n - 1 of a table. */
typedef struct spt__run {
    int64_t first, n;
    double from, to;                  /* first and last position */
    char prefix[SPT__AFFIX_CAPACITY]; /* text before the number, cut where it is longer */
    char suffix[SPT__AFFIX_CAPACITY];
} spt__run;

typedef struct spt__bands {
    spt__run run;                       /* n = 0: none */
    double *axis;                       /* run.n positions */
    spt__run surplus[SPT__MAX_SURPLUS]; /* further long runs */
    int64_t n_surplus;
} spt__bands;

/* Find the longest run of at least SPT__BANDS_LEAST neighbouring headers that are strictly monotone
 * numbers between the same prefix and suffix.
 *
 * `comma`: a comma may be a decimal mark, too. `prefix`: only headers that start with it ("": any).
 * SPT_EFORMAT when the run's neighbours carry on in another order or repeat a band. */
int32_t spt__bands_find(spt__bands *bands, spt_ctx *ctx, const char *const *headers, int64_t n,
                        bool comma, const char *prefix, spt__err *e);
void spt__bands_free(spt__bands *bands, spt_ctx *ctx);

/* Unit of the axis from words around the numbers, or else from their range; SPT_AXIS_UNKNOWN.
 * *why: "by its headers", "by its range". */
int32_t spt__bands_unit(const spt__bands *bands, const char **why);

/* The positions count 1, 2, 3, ... */
bool spt__bands_numbered(const spt__bands *bands);

/* True when a word of the text, between characters that are no letters or digits, is `word`
 * (lower case; the text's case is ignored). */
bool spt__has_word(const char *text, const char *word);

#endif
