/* What a preparation consists of, for the rooms that record it and rebuild it. */
#ifndef SPT_LIB_PREP_RECIPE_H
#define SPT_LIB_PREP_RECIPE_H

#include "spectune/prep.h"

#include "../base/options.h"

typedef enum {
    SPT__STEP_AVERAGE = 1,  /* column */
    SPT__STEP_CROP = 2,     /* low, high */
    SPT__STEP_RESAMPLE = 3, /* low, high, step */
    SPT__STEP_DECIMATE = 4  /* factor, average */
} spt__step_kind;

/* A step; members that its kind has no use for are 0. */
typedef struct spt__prep_step {
    spt__step_kind kind;
    double low, high, step;
    int64_t factor;
    int32_t average;
    char *column;
} spt__prep_step;

struct spt_prep {
    spt_ctx *ctx;
    spt__prep_step *steps;
    int64_t n_steps;
    spt_options *channels; /* never NULL */
};

/* A copy that shares nothing with the original; it may live on another context. */
int32_t spt__prep_copy(const spt_prep *prep, spt_ctx *ctx, spt_prep **out);

/* The steps in their order, valid until the recipe is changed or freed. Rebuild them with
 * spt_prep_add_average() and its kin. */
int64_t spt__prep_step_count(const spt_prep *prep);
const spt__prep_step *spt__prep_step_at(const spt_prep *prep, int64_t index);
/* The channel settings, made from spt__channel_knobs: print or read them knob by knob. */
const spt_options *spt__prep_channel_options(const spt_prep *prep);
extern const spt__knob spt__channel_knobs[];

/* The canonical line of spt_prep_text(), put behind what the buffer holds. */
void spt__prep_print(const spt_prep *prep, spt__buf *b);

/* Positions low, low + step, ... up to high (to 1e-6 of a step); their number is at most this. */
enum { SPT__RESAMPLE_MAX = 1000000 };
int64_t spt__resample_count(double low, double high, double step);

/* Window in points and order of a derivative channel (1 or 2) on bands `step` apart, of which there
 * are p. With step 0 and p 0 only what does not depend on the axis is checked. */
int32_t spt__channel_window(const spt_options *options, int32_t derivative, double step, int64_t p,
                            int32_t *window, int32_t *order, spt__err *e);

#endif
