/* The steps of a recipe for one spectrum at a time, without a dataset: what prediction replays. */
#ifndef SPT_LIB_PREP_STEPS_H
#define SPT_LIB_PREP_STEPS_H

#include "spectune/prep.h"

#include "../base/ctx.h"

typedef struct spt__prep_op spt__prep_op;

/* Constant once made: any number of threads may use one, each with scratch of its own. Zero it
 * before init; free is fine after a failed init. */
typedef struct spt__prep_plan {
    spt_ctx *ctx;
    int64_t p_in;   /* bands of a spectrum as it comes */
    int64_t p;      /* bands when all steps have run */
    double *axis;   /* their p positions */
    int64_t widest; /* bands at most between the steps */
    spt__prep_op *ops;
    int64_t n_ops;
} spt__prep_plan;

/* From spectra on `axis` (p_in positions) to the axis on which the channels are computed.
 *
 * `onto`: NULL, or n_onto positions to which the spectra are resampled before the recipe's first
 * step (a sensor on an axis of its own). Averaging is left out: a spectrum is a sample here. On the
 * caller's thread; errors are those of the dataset functions, told on ctx. */
int32_t spt__prep_plan_init(spt__prep_plan *plan, spt_ctx *ctx, const spt_prep *prep,
                            const double *axis, int64_t p_in, int32_t axis_unit, const double *onto,
                            int64_t n_onto);
void spt__prep_plan_free(spt__prep_plan *plan);

/* Doubles of scratch that spt__prep_plan_row() needs. */
int64_t spt__prep_plan_scratch(const spt__prep_plan *plan);

/* x, p_in values, to out, p values, with the bits that spt_prep_apply() gives a dataset's row.
 * Nothing is checked (spt__channels_row() does that) and nothing is allocated. */
void spt__prep_plan_row(const spt__prep_plan *plan, const double *x, double *out, double *scratch);

#endif
