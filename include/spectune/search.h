/**
 * @file
 * Search: samplers propose configurations of a space from the trials so far.
 *
 * A study (tune.h) has a sampler of its own, made from options. A host that keeps its own record,
 * or wants to look into the densities of TPE, makes an spt_sampler by itself.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_SEARCH_H
#define SPECTUNE_SEARCH_H

#include "space.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Knobs of samplers.
 *
 * `sampler` tpe|random|sobol|grid (tpe), `seed` (1), `first` default|random (default: the first
 * trial has the defaults of the space), `grid_points` (5 values of a number in a grid).
 *
 * For TPE: `preset` default|bergstra2011|hyperopt|optuna3|optuna5|watanabe2023, and every component
 * of it, which unless it is set is the preset's ("preset"; 0; or -1 where 0 means something):
 *
 * - `startup`, `startup_design` random|sobol: trials before the densities are used, and how they
 * are drawn
 * - `structure` univariate|common|tree: what is modelled together
 * - `gamma_rule` linear|sqrt, `gamma`, `most_good`: which trials are good
 * - `good_weights` uniform|age|rank|ei, `bad_weights` uniform|age, `forgetting`, `prior_weight`
 * - `truncate` kernels|mixture, `categories` rows|counts, `log_grid` mass|density
 * - `ends`, `prior_in_sort` no|yes, `good_width`, `bad_width`, `min_bandwidth`, `clip_exponent`:
 * the bandwidths
 * - `crossover`: 0 is a joint model, 1 the product of univariate ones
 * - `focus`, `focus_after`, `branches`: proposals from another branch than the best one
 * - `candidates`: draws of which the most promising is proposed
 * - `failed`, `running` ignored|bad: what such trials count as
 *
 * spt_options_describe() has bounds and a line on each; doc/search.md has the formulas. */
SPT_API int32_t spt_sampler_options_new(spt_ctx *ctx, spt_options **out);

/** Something that proposes configurations. What it proposes is a function of the trials that it was
 * told, the seed and the sequence number, and of nothing else. @threads ctx */
typedef struct spt_sampler spt_sampler;

/** Make a sampler. Freezes the space.
 * @param options  of spt_sampler_options_new(), or NULL
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                                spt_sampler **out);

/** A sampler that proposes given configurations, in their order; then SPT_STOP_EXHAUSTED. One that
 * is among the trials already, as often as it is given, is passed over, so a study that was cut
 * goes on.
 * @param configs  n of them, of `space`; copied
 * @return SPT_OK, SPT_EINVAL (also when one is of another space), SPT_ENOMEM */
SPT_API int32_t spt_sampler_new_given(spt_ctx *ctx, const spt_space *space,
                                      const spt_config *const *configs, int64_t n,
                                      spt_sampler **out);

/** The trials that a host's sampler may look at, valid during its call. */
typedef struct spt_trials spt_trials;

/** How many there are, finished ones first, then those that run, each in order of sequence numbers.
 */
SPT_API int64_t spt_trials_count(const spt_trials *trials);
/** Trial `index`: state (spt_trial_state), loss (infinite unless complete or pruned) and sequence
 * number; each may be NULL. @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_trials_trial(const spt_trials *trials, int64_t index, int32_t *state,
                                 double *loss, int64_t *sequence);
/** Its configuration, to be freed by the caller. @return SPT_OK, SPT_EINVAL, SPT_ENOMEM
 */
SPT_API int32_t spt_trials_config(const spt_trials *trials, int64_t index, spt_config **out);

/** A host's own way to propose a configuration.
 *
 * It must be a function of its arguments, else studies cannot be repeated. It runs on the thread
 * that asked, as all callbacks do, and may not ask, tell or free its sampler (SPT_EBUSY).
 *
 * @param trials    what there is to learn from
 * @param sequence  number of the trial to come, from 0
 * @param attempt   how many proposals were refused for this trial: propose another one
 * @param seed      knob of the options
 * @param config    the defaults of the space, to be changed with spt_config_set_...()
 * @return SPT_OK; SPT_STOP_EXHAUSTED when nothing is left to propose; a negative status of its own
 * ends the ask and comes back unchanged; anything else is SPT_ECALLBACK */
typedef int32_t (*spt_sampler_fn)(const spt_trials *trials, int64_t sequence, int32_t attempt,
                                  uint64_t seed, spt_config *config, void *user);

/** A sampler that calls the host. Proposals that are forbidden are asked for anew.
 * @param options  NULL, or for `seed`
 * @param destroy  see spt_destroy_fn
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_sampler_new_host(spt_ctx *ctx, const spt_space *space,
                                     const spt_options *options, spt_sampler_fn fn, void *user,
                                     spt_destroy_fn destroy, spt_sampler **out);

/** Release it. Within a callback of its own it stays until the callback has returned. */
SPT_API void spt_sampler_free(spt_sampler *sampler);

/** Tell a trial. A trial that was told as running is told again, with the same configuration, when
 * it has ended; until then it counts as a pessimist would have it.
 * @param sequence  its number, from 0, one for each trial
 * @param state     spt_trial_state, not waiting
 * @param loss      lower is better; of a pruned trial its last value; else ignored. One that is not
 *                  finite makes a complete trial a failed one
 * @param steps     of a pruned trial, how many steps it ran; else ignored
 * @return SPT_OK, SPT_EINVAL, SPT_EMISMATCH (configuration of another space, or not the one that
 * runs), SPT_EBUSY (ended already; or within a callback), SPT_ENOMEM */
SPT_API int32_t spt_sampler_tell(spt_sampler *sampler, int64_t sequence, const spt_config *config,
                                 int32_t state, double loss, int64_t steps);

/** Propose a configuration for trial `sequence`. The trial is not told; a host with several in
 * flight tells each as running before it asks for the next.
 * @return SPT_OK, SPT_STOP_EXHAUSTED (1,000 proposals in a row were forbidden, or none is left),
 * SPT_EBUSY, SPT_ENOMEM */
SPT_API int32_t spt_sampler_propose(spt_sampler *sampler, int64_t sequence, spt_config **out);

#ifdef __cplusplus
}
#endif
#endif
