/**
 * @file
 * Which hyperparameters mattered: functional analysis of variance on a regression forest (Hutter,
 * Hoos & Leyton-Brown 2014), with parameters that exist only in some configurations, interactions,
 * curves; local importance; PED-ANOVA.
 *
 * The forest stands for the loss as a function of the parameters. Every number is an exact integral
 * over it, weighted by the prior of the space: how probable a configuration is when it is drawn at
 * random, parents first, children given their parents. Logarithmic parameters are weighted on their
 * scale, whole numbers by the cells of their grid.
 *
 * @par What the shares mean
 * The variance of the loss over the space is taken apart into effects, one per set of parameters,
 * which sum to it. The effect of one parameter that always exists is the variance of the mean loss
 * at each of its values. The effect of a parameter that exists only where others have certain
 * values is the same where it exists, times the probability that it exists; that it exists at all
 * counts for what switches it. The effect of a pair is what the two do together, where both exist,
 * beyond what each does alone; and so on. Shares are fractions of the variance of the forest and
 * never renormalised: what is missing to 1 is shown, spt_fanova_residual().
 *
 * @par How far to trust them
 * spt_fanova_out_of_bag() says how much of the losses' variance the forest explains in trials that
 * it did not see: shares are shares of what the forest found. `error` says how much a share would
 * move with other trials. spt_fanova_warning() says in words what to beware of.
 *
 * Forbidden combinations of the space are not cut out of the prior.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_EXPLAIN_H
#define SPECTUNE_EXPLAIN_H

#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Result of an analysis; immutable, holds its forest. @threads any */
typedef struct spt_fanova spt_fanova;

/** Knobs.
 *
 * - `trees` (64), `seed` (1): of the forest; the same seed gives the same shares on any number of
 *   threads.
 * - `top_quantile` (1): what mattered among the good configurations: losses worse than this
 *   quantile of the trials' are cut to it before anything else, so that differences among the worse
 *   do not count. 0.1 looks at the best tenth.
 * - `prior` (auto): how probable the values are that switch other parameters on and off. "space":
 * as the space says. "trials": as often as the trials have them. "auto": the space's, or the
 * trials' where the study was made by a program that declares no conditions. All other parameters
 * follow the space.
 * - `pruned` (ignore): "last" lets pruned trials count with the last value they told.
 * - `failed` (ignore): "worst" lets failed trials count with the worst loss of the complete ones.
 * - `pairs` (1): 0 leaves interactions out.
 * - `min_leaf` (0: 5 trials, or a thousandth of more than 5000), `max_depth` (64), `features` (1,
 *   share of the parameters tried at a split): how the trees grow.
 *
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM @threads ctx */
SPT_API int32_t spt_fanova_options_new(spt_ctx *ctx, spt_options **out);

/** Analyse the trials of a history: the complete ones, others as the options say.
 *
 * @param options  NULL: the defaults
 * @return SPT_OK; SPT_EDATA: fewer than 2 complete trials, all losses equal; SPT_STOP_HOST: stop
 *         request, no result; SPT_EUNSUPPORTED: more conditions on one parameter than can be told
 *         apart (over a thousand parts); SPT_EINVAL, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_fanova_new(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                               spt_fanova **out);
SPT_API void spt_fanova_free(spt_fanova *fanova);

/* ---- shares -----------------------------------------------------------------------------------
 */

/** What one parameter does. Shares are means over the trees. */
typedef struct spt_importance {
    uint32_t struct_size;
    int32_t parameter; /**< index in the space; -1: see `name` */
    /** Valid while the analysis is. In a study that declares no conditions, where no parameter
     * explains when others exist, their existence stands here as a parameter of its own:
     * "existence of x". */
    const char *name;
    const char *group; /**< "" if none */
    double share;      /**< of the variance of the loss: its effect alone, see above */
    double sd;         /**< standard deviation of the share over the trees */
    /** Standard error of the share: what other trials would change. Every tree sees 4 of 5 trials,
     * so this is the delete-d jackknife (Shao & Wu 1989), twice `sd`; NaN with fewer than 3 trials.
     */
    double error;
    /** With all interactions it takes part in: the share of the variance when it alone is drawn
     * anew. What switches other parameters takes their effects along as they come and go. */
    double total;
    double total_sd;
    double p_active; /**< probability that it exists under the prior of the analysis */
    double observed; /**< share of the trials that have it */
    double within;   /**< its share of the variance among the configurations that have it */
} spt_importance;

/** Parameters analysed, the most important first: all of the space. */
SPT_API int64_t spt_fanova_count(const spt_fanova *fanova);
/** @param rank 0 to count - 1 @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_fanova_main(const spt_fanova *fanova, int64_t rank, spt_importance *out);

/** What two or three parameters do together beyond what fewer of them do. */
typedef struct spt_interaction {
    uint32_t struct_size;
    int32_t n;             /**< parameters: 2 or 3 (1 for spt_fanova_subset() of one) */
    int32_t parameters[3]; /**< indices in the space, -1 as in spt_importance; unused: -1 */
    int32_t reserved;
    const char *names[3]; /**< valid while the analysis is; unused: NULL */
    double share, sd, error;
    double p_active; /**< probability that they exist together */
} spt_interaction;

/** Pairs with an interaction in any tree, the largest first; 0 if the options left them out. */
SPT_API int64_t spt_fanova_pair_count(const spt_fanova *fanova);
/** @param rank 0 to pair_count - 1 @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_fanova_pair(const spt_fanova *fanova, int64_t rank, spt_interaction *out);

/** The effect of any 1 to 3 different parameters.
 *
 * @param parameters  n indices in the space, in any order
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_fanova_subset(spt_ctx *ctx, const spt_fanova *fanova, const int64_t *parameters,
                                  int64_t n, spt_interaction *out);

/** What is missing to 1. @param order 1: all that main effects leave, interactions; 2: what main
 * effects and pairs leave. NaN for another order, or 2 without pairs. */
SPT_API double spt_fanova_residual(const spt_fanova *fanova, int32_t order);

/* ---- how good it is ---------------------------------------------------------------------------
 */

/** Share of the variance of the trials' losses that the forest explains for trials it did not see
 * (R2; below 0: worse than their mean). NaN with fewer than 3 trials. */
SPT_API double spt_fanova_out_of_bag(const spt_fanova *fanova);
/** Trials the analysis rests on. */
SPT_API int64_t spt_fanova_trials(const spt_fanova *fanova);
/** Variance of the loss over the space, by the forest: what shares are fractions of. */
SPT_API double spt_fanova_variance(const spt_fanova *fanova);
/** The loss to which worse ones were cut; NaN with top_quantile 1. */
SPT_API double spt_fanova_cut(const spt_fanova *fanova);
/** "space" or "trials": what the knob `prior` came to. Static. */
SPT_API const char *spt_fanova_prior(const spt_fanova *fanova);
/** One line on what to beware of (a forest that explains little, a few trials that make most of the
 * variance), NULL behind the last. Valid while the analysis is. */
SPT_API const char *spt_fanova_warning(const spt_fanova *fanova, int64_t index);

/* ---- curves -----------------------------------------------------------------------------------
 */

/** Mean loss at the values of a parameter, over all else where the parameter exists. Every array
 * may be NULL.
 *
 * @param parameter  index in the space
 * @param x          values: numbers, or indices of choices; ascending
 * @param weight     probability of the cell around each, sums to 1
 * @param mean, sd   of the trees' curves; NaN if the parameter never exists under the prior
 * @param capacity   of the arrays
 * @param needed     number of points
 * @return SPT_OK, SPT_ECAPACITY (nothing is written but *needed), SPT_EINVAL, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_fanova_curve(spt_ctx *ctx, const spt_fanova *fanova, int64_t parameter,
                                 double *x, double *weight, double *mean, double *sd,
                                 int64_t capacity, int64_t *needed);

/** The same for two parameters: at the values that spt_fanova_curve() gives for each, those of
 * `second` side by side. NaN where the two do not exist together. */
SPT_API int32_t spt_fanova_surface(spt_ctx *ctx, const spt_fanova *fanova, int64_t first,
                                   int64_t second, double *mean, double *sd, int64_t capacity,
                                   int64_t *needed);

/** The trials that have a parameter, to be shown beside its curve, in order of their numbers.
 *
 * @param number  of the trial
 * @param x       value: a number, or the index of a choice
 * @param loss    as the analysis took it (cut, if there is a top_quantile)
 * @return SPT_OK, SPT_ECAPACITY, SPT_EINVAL
 */
SPT_API int32_t spt_fanova_points(const spt_fanova *fanova, int64_t parameter, int64_t *number,
                                  double *x, double *loss, int64_t capacity, int64_t *needed);

/* ---- around one configuration, and without a forest -------------------------------------------
 */

/** Local importance (Biedenkapp et al. 2018): how much the loss varies around one configuration
 * when one parameter takes each of its values, the others keeping theirs, as a share of the sum
 * over all parameters. What a value switches on takes all of its values.
 *
 * @param config  of the history's space; NULL: the best trial's
 * @param share     one per parameter of the space: mean over the trees; NaN where it does not exist
 * @param sd        the same: standard deviation over the trees; either may be NULL
 * @param capacity  of each array
 * @param needed    number of parameters, spt_space_count()
 * @return SPT_OK, SPT_EINVAL (another space), SPT_ECAPACITY, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_fanova_local(spt_ctx *ctx, const spt_fanova *fanova, const spt_config *config,
                                 double *share, double *sd, int64_t capacity, int64_t *needed);

#ifdef __cplusplus
}
#endif
#endif
