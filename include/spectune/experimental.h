/**
 * @file
 * What is not settled: declarations here may change or go with any version, and are not part of
 * what doc/abi.md promises. Not included by spectune.h. Each has a line on what would settle it.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_EXPERIMENTAL_H
#define SPECTUNE_EXPERIMENTAL_H

#include "explain.h"
#include "search.h"
#include "tune.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a sampler thinks: settled when a sampler other than TPE has an answer, too ------------
 */

/** The natural logarithms of TPE's two densities at a configuration, as the trials told so far let
 * them be estimated: that of good and that of bad trials, in the measure of the scales on which
 * parameters are searched (mass for everything discrete). TPE ranks candidates by their difference,
 * of which the expected improvement is an increasing function (Bergstra et al. 2011).
 * @param log_good, log_bad  may be NULL
 * @return SPT_OK, SPT_EMISMATCH (another space), SPT_EUNSUPPORTED (not TPE), SPT_ENOMEM
 */
SPT_API int32_t spt_sampler_densities(spt_sampler *sampler, const spt_config *config,
                                      double *log_good, double *log_bad);

/* ---- proposals checked: settled when somebody outside of the tests has used it ------------------
 */

/** The proposal of a trial made anew from what it saw, to compare with spt_history_config(). Takes
 * the sampler and the check of this study, which must be those of the trial.
 * @param number  of the trial, of any state
 * @param out     yours to free
 * @return SPT_OK, SPT_ENOTFOUND (no such trial; its configuration was given), ... */
SPT_API int32_t spt_study_replay(spt_study *study, int64_t number, spt_config **out);

/* ---- how many trials an importance takes: settled by experience with it -------------------------
 */

/** About how many trials would let the forest explain `r2` of what it did not see, from how much
 * better it is with all trials than with a half and a quarter of them (power law). An order of
 * magnitude; takes about as long as spt_fanova_new().
 *
 * @param r2      0.01 to 0.99
 * @param trials  the number; the present one if that is enough; -1: more trials do not help, or
 *                more than a hundred times as many would be needed
 * @return as spt_fanova_new()
 * @threads ctx
 */
SPT_API int32_t spt_fanova_trials_needed(spt_ctx *ctx, const spt_history *history,
                                         const spt_options *options, double r2, int64_t *trials);

/* ---- PED-ANOVA: settled when its answers have been compared on more studies ---------------------
 */

/** Knobs of PED-ANOVA: `target` (0.1): quantile of the good trials; `region` (1): quantile of the
 * trials they are compared with. */
SPT_API int32_t spt_ped_options_new(spt_ctx *ctx, spt_options **out);

/** PED-ANOVA (Watanabe, Bansal & Hutter 2023), in its conditional form: how differently each
 * parameter is distributed among the good trials and among all that have it (Pearson divergence).
 * No forest, no interactions, not shares of variance: another question than spt_fanova_new()'s.
 *
 * @param value     one per parameter of the space, at least 0; compare them with each other
 * @param capacity  of `value`; 0, or `value` NULL, to ask
 * @param needed    number of parameters, spt_space_count()
 * @return SPT_OK; SPT_EDATA: fewer than 2 good trials, or as many good ones as all; SPT_EINVAL,
 *         SPT_ECAPACITY, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_ped_importance(spt_ctx *ctx, const spt_history *history,
                                   const spt_options *options, double *value, int64_t capacity,
                                   int64_t *needed);

#ifdef __cplusplus
}
#endif
#endif
