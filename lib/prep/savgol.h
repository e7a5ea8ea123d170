/* Savitzky-Golay filters with their weights made once for many spectra. */
#ifndef SPT_LIB_PREP_SAVGOL_H
#define SPT_LIB_PREP_SAVGOL_H

#include "../base/ctx.h"

enum { SPT__SAVGOL_MAX_ORDER = 8, SPT__SAVGOL_MAX_DERIVATIVE = 4 };

/* Weights for one window, order, derivative and spacing. Constant once made: any number of threads
 * may run it. Zero it before init; free is fine after a failed init. */
typedef struct spt__savgol_plan {
    spt_ctx *ctx;
    int32_t window, order, derivative;
    double
        *pair; /* window / 2 weights of the bands right of the middle; the left ones mirror them */
    double *basis; /* (order + 1) x window: the polynomials over their squared norms */
    double *ends;  /* window / 2 x (order + 1): their derivative at the first points of a window */
} spt__savgol_plan;

int32_t spt__savgol_init(spt__savgol_plan *plan, spt_ctx *ctx, double spacing, int32_t window,
                         int32_t order, int32_t derivative, spt__err *e);
void spt__savgol_free(spt__savgol_plan *plan);
/* n >= window values; out may not overlap y. No allocation. */
void spt__savgol_run(const spt__savgol_plan *plan, const double *y, int64_t n, double *out);

#endif
