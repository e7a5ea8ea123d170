/* A trained network with the scaling on both sides of it: from unscaled channels to values. */
#ifndef SPT_LIB_MODEL_MEMBER_H
#define SPT_LIB_MODEL_MEMBER_H

#include "spectune/model.h"

#include "../nn/pass.h"
#include "../prep/scaler.h"

/* Counted; immutable once somebody else may see it. */
typedef struct spt__member {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    int64_t p, c, t;
    int32_t mask;         /* spt_channel bits, c of them */
    spt_network *network; /* finished */
    spt_scaler *scaler;   /* NULL when inputs are not scaled */
    double *target_mean;  /* t values: value = output * sd + mean */
    double *target_sd;    /* t values; 0 and 1 when targets are not scaled */
    int32_t transform;    /* spt_transform: what follows */
} spt__member;

/* From the network's outputs to values. */
typedef struct spt__output {
    const double *mean, *sd; /* t values each; NULL: 0, 1 */
    int32_t transform;       /* spt_transform */
} spt__output;

/* Takes network and scaler (may be NULL), also when it fails. Shapes and numbers are checked. */
int32_t spt__member_new(spt_ctx *ctx, int32_t mask, spt_network *network, spt_scaler *scaler,
                        const spt__output *output, spt__member **out, spt__err *e);
spt__member *spt__member_ref(spt__member *member);
void spt__member_unref(spt__member *member);

/* Number of bits of a channel mask. */
int64_t spt__channel_count(int32_t mask);

/* Channels `mask` of one row that holds those of `from`, p bands. `mask` is part of `from`. */
void spt__take_channels(const float *row, int32_t from, int64_t p, int32_t mask, float *out);

/* Rows to predict at once: up to 64, fewer where a pass of so many would take more than 64 MB. */
int64_t spt__steady_rows(const spt_network *network);

/* Values of n rows: x (n x p x c unscaled channels) is scaled in place, y is scratch of n x t,
 * `pass` one of the member's network with mode SPT__STEADY. The same row gives the same bits in
 * any company. Nothing is allocated. */
int32_t spt__member_run(const spt__member *member, spt__pass *pass, float *x, int64_t n, float *y,
                        double *out, spt__err *e);

#endif
