/* Channels of one spectrum at a time, for training sets and single predictions alike. */
#ifndef SPT_LIB_PREP_CHANNELS_H
#define SPT_LIB_PREP_CHANNELS_H

#include "savgol.h"
#include "spectune/prep.h"

enum { SPT__CHANNELS_MAX = 5 };

/* Everything that does not depend on the values. Constant once made: any number of threads may use
 * one, each with scratch of its own. Zero it before init; free is fine after a failed init. */
typedef struct spt__channel_plan {
    spt_ctx *ctx;
    int64_t p;
    int32_t c; /* channels in the mask */
    int32_t mask, unit, axis_unit, dtype;
    bool zero_snv;
    double *axis; /* for messages */
    spt__savgol_plan d1, d2;
} spt__channel_plan;

/* `axis`: p positions of the bands on which the steps have run, copied. `unit`: spt_unit of the
 * values; `mask`: spt_channel bits; `dtype`: of what spt__channels_row() writes. */
int32_t spt__channel_plan_init(spt__channel_plan *plan, spt_ctx *ctx, const spt_prep *prep,
                               const double *axis, int64_t p, int32_t axis_unit, int32_t unit,
                               int32_t mask, int32_t dtype, spt__err *e);
void spt__channel_plan_free(spt__channel_plan *plan);

/* Doubles of scratch that spt__channels_row() needs. */
int64_t spt__channels_scratch(const spt__channel_plan *plan);

/* Channels of the p values x to out, p x c of the plan's dtype, channels last. SPT_EDATA, for
 * values that are no spectrum in the unit, names the row by `id`, or by its number (from 0 here,
 * from 1 in the text) where id is NULL. Nothing is allocated; the same x gives the same bits in any
 * row. */
int32_t spt__channels_row(const spt__channel_plan *plan, const double *x, int64_t row,
                          const char *id, void *out, double *scratch, spt__err *e);

/* 1 if neighbouring bands are equally far apart, to 1e-6 of the step, which is signed. */
bool spt__axis_step(const double *axis, int64_t p, double *step);

#endif
