/**
 * @file
 * Search: samplers propose configurations of a space from the trials so far.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_SEARCH_H
#define SPECTUNE_SEARCH_H

#include "space.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Knobs of samplers: `sampler` tpe|random (tpe), `seed` (1), `first` default|random (default: the
 * first trial has the defaults of the space), and for TPE as hyperopt has it (Bergstra et al.
 * 2011): `startup` (20 random trials first), `gamma` (0.25; the best ceil(gamma * sqrt(n)) trials
 * count as good), `candidates` (24), `prior_weight` (1), `forgetting` (25 newest trials at full
 * weight). */
SPT_API int32_t spt_sampler_options_new(spt_ctx *ctx, spt_options **out);

#ifdef __cplusplus
}
#endif
#endif
