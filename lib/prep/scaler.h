/* What a scaler holds, for the rooms that write it down and apply it. */
#ifndef SPT_LIB_PREP_SCALER_H
#define SPT_LIB_PREP_SCALER_H

#include "spectune/prep.h"

#include "../base/ctx.h"

/* Counted and immutable. Each value becomes (float)(((double)x - mean) / sd), wherever it stands:
 * one row at a time gives the bits that all rows at once give. */
struct spt_scaler {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    int64_t p, c;
    int32_t mode;     /* spt_scale */
    int64_t n_values; /* of mean and sd: 0, c or p x c */
    double *mean, *sd;
};

/* spt_scaler_fit() for worker threads: errors go to e. */
int32_t spt__scaler_fit(spt_ctx *ctx, const float *x, int64_t n, int64_t p, int64_t c,
                        const int64_t *rows, int64_t n_rows, int32_t mode, spt_scaler **out,
                        spt__err *e);

/* One more reference; release with spt_scaler_free(). Any thread. */
spt_scaler *spt__scaler_ref(const spt_scaler *scaler);

int64_t spt__scaler_bands(const spt_scaler *scaler);
int64_t spt__scaler_channels(const spt_scaler *scaler);
int32_t spt__scaler_mode(const spt_scaler *scaler);
/* Length of spt__scaler_mean() and spt__scaler_sd(): 0, c or p x c. */
int64_t spt__scaler_values(const spt_scaler *scaler);
const double *spt__scaler_mean(const spt_scaler *scaler);
const double *spt__scaler_sd(const spt_scaler *scaler);

#endif
