/**
 * @file
 * Which hyperparameters mattered: functional analysis of variance on a regression forest
 * (Hutter, Hoos & Leyton-Brown 2014).
 *
 * @since 0.1
 */
#ifndef SPECTUNE_EXPLAIN_H
#define SPECTUNE_EXPLAIN_H

#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Result of an analysis; immutable. @threads any */
typedef struct spt_fanova spt_fanova;

/** Knobs: `trees` (64), `seed` (1), `max_depth` (64), `min_leaf` (1 trial), `features` (share of
 * the parameters tried at a split, 0.7). */
SPT_API int32_t spt_forest_options_new(spt_ctx *ctx, spt_options **out);

/** Analyse the complete trials of a history.
 *
 * Main effects are those of the parameters that exist in every complete trial (as in the paper);
 * the forest sees no others. Log parameters are integrated in log measure, whole numbers over the
 * cells of their grid, categories as sets. Shares are fractions of each tree's variance and are
 * never renormalised: what is missing to 1 is interaction.
 *
 * @return SPT_OK, SPT_EDATA (fewer than 2 complete trials, all values equal), SPT_STOP_HOST (stop
 * request; no result), SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_fanova_new(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                               spt_fanova **out);
SPT_API void spt_fanova_free(spt_fanova *fanova);

typedef struct spt_importance {
    uint32_t struct_size;
    int32_t parameter; /**< index in the space */
    const char *name;  /**< valid while the analysis is */
    const char *group;
    double share; /**< mean over trees of the main effect's share of variance, 0 to 1 */
    double sd;    /**< standard deviation over trees */
} spt_importance;

/** Parameters analysed, the most important first. */
SPT_API int32_t spt_fanova_count(const spt_fanova *fanova);
SPT_API int32_t spt_fanova_main(const spt_fanova *fanova, int32_t rank, spt_importance *out);
/** 1 minus the sum of all main shares: interactions. */
SPT_API double spt_fanova_residual(const spt_fanova *fanova);
/** Share of variance of the trials' values that the forest explains out of bag (R2). */
SPT_API double spt_fanova_out_of_bag(const spt_fanova *fanova);
/** Trials the analysis rests on. */
SPT_API int64_t spt_fanova_trials(const spt_fanova *fanova);
/** Name of a parameter left out because only some trials have it; NULL behind the last. */
SPT_API const char *spt_fanova_left_out(const spt_fanova *fanova, int32_t index);

#ifdef __cplusplus
}
#endif
#endif
