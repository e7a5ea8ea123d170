/* Presets of TPE. Sources: default and what is measured of it, doc/search.md; bergstra2011:
 * Bergstra, Bardenet, Bengio & Kegl 2011 with the estimator of hyperopt; hyperopt: hyperopt 0.3;
 * optuna3: Optuna 3.5 to 4.8; optuna5: Optuna 5.0; watanabe2023: Watanabe 2023 (arXiv 2304.11127),
 * recommended setting. */
#include "rule.h"

#include "sampler.h"

static const spt__tpe_rule hyperopt = {
    .structure = SPT__STRUCTURE_UNIVARIATE,
    .good_weights = SPT__WEIGHTS_AGE,
    .bad_weights = SPT__WEIGHTS_AGE,
    .gamma_sqrt = true,
    .gamma = 0.25,
    .most_good = 25,
    .forgetting = 25,
    .shared = true,
    .counts = true,
    .log_unscaled = true,
    .prior_in_sort = true,
    .lone_half = true,
    .good_width = 1,
    .bad_width = 1,
    .min_bandwidth = 0.01,
    .clip_exponent = 1,
    .prior_weight = 1,
    .candidates = 24,
    .startup = 20,
    .failed_bad = true,
    .running_bad = true,
    .count_all = true,
};

static const spt__tpe_rule optuna5 = {
    .structure = SPT__STRUCTURE_COMMON,
    .good_weights = SPT__WEIGHTS_AGE,
    .bad_weights = SPT__WEIGHTS_AGE,
    .gamma = 0.1,
    .most_good = 25,
    .forgetting = 25,
    .good_width = 1,
    .bad_width = 1,
    .min_bandwidth = 0.01,
    .clip_exponent = 1,
    .prior_weight = 1,
    .candidates = 24,
    .startup = 10,
    .running_bad = true,
};

static spt__tpe_rule preset(int which)
{
    spt__tpe_rule r = optuna5;
    switch (which) {
    case 1: /* bergstra2011 */
        r = hyperopt;
        r.gamma = 0.15;
        r.candidates = 100;
        return r;
    case 2: /* hyperopt */
        return hyperopt;
    case 3: /* optuna3 */
        r.structure = SPT__STRUCTURE_UNIVARIATE;
        r.prior_in_sort = true;
        r.log_density = true;
        r.running_bad = false;
        return r;
    case 4: /* optuna5 */
        return r;
    case 5: /* watanabe2023 */
        r.gamma = 0.15;
        r.good_weights = SPT__WEIGHTS_EI;
        r.bad_weights = SPT__WEIGHTS_UNIFORM;
        r.ends = r.prior_in_sort = true;
        r.min_bandwidth = 0.03;
        r.clip_exponent = 2;
        r.running_bad = false;
        return r;
    default:
        r.structure = SPT__STRUCTURE_TREE;
        r.good_weights = SPT__WEIGHTS_RANK;
        r.good_width = 0.7;
        r.crossover = 0.3;
        r.focus = 0.6;
        r.candidates = 16;
        r.startup = 8;
        r.focus_after = 10;
        r.branches = 6;
        r.min_bandwidth = 0.03;
        r.clip_exponent = 2;
        r.failed_bad = true;
        return r;
    }
}

/* A choice whose first entry is "preset": the others from 0 on, or what the preset says. */
static int choice(const spt_options *options, const char *name, int otherwise)
{
    const int chosen = spt__option_choice(options, spt__sampler_knobs, name);
    return chosen <= 0 ? otherwise : chosen - 1;
}

static bool flag(const spt_options *options, const char *name, bool otherwise)
{
    return choice(options, name, otherwise) != 0;
}

/* A number for which `unset` stands for the preset's. */
static double number(const spt_options *options, const char *name, double unset, double otherwise)
{
    const double v = spt__option(options, spt__sampler_knobs, name);
    return v == unset ? otherwise : v;
}

static int64_t whole(const spt_options *options, const char *name, int64_t unset, int64_t otherwise)
{
    return (int64_t)number(options, name, (double)unset, (double)otherwise);
}

int32_t spt__tpe_rule_init(spt__tpe_rule *rule, const spt_options *o, spt__err *e)
{
    spt__tpe_rule r = preset(spt__option_choice(o, spt__sampler_knobs, "preset"));
    r.structure = choice(o, "structure", r.structure);
    r.good_weights = choice(o, "good_weights", r.good_weights);
    r.bad_weights = choice(o, "bad_weights", r.bad_weights);
    r.gamma_sqrt = flag(o, "gamma_rule", r.gamma_sqrt);
    r.gamma = number(o, "gamma", 0, r.gamma);
    r.most_good = whole(o, "most_good", 0, r.most_good);
    r.forgetting = whole(o, "forgetting", 0, r.forgetting);
    r.shared = flag(o, "truncate", r.shared);
    r.counts = flag(o, "categories", r.counts);
    r.log_density = flag(o, "log_grid", r.log_density);
    r.ends = flag(o, "ends", r.ends);
    r.prior_in_sort = flag(o, "prior_in_sort", r.prior_in_sort);
    r.good_width = number(o, "good_width", 0, r.good_width);
    r.bad_width = number(o, "bad_width", 0, r.bad_width);
    r.min_bandwidth = number(o, "min_bandwidth", 0, r.min_bandwidth);
    r.clip_exponent = number(o, "clip_exponent", 0, r.clip_exponent);
    r.crossover = number(o, "crossover", -1, r.crossover);
    r.focus = number(o, "focus", -1, r.focus);
    r.focus_after = whole(o, "focus_after", 0, r.focus_after);
    r.branches = whole(o, "branches", 0, r.branches);
    r.prior_weight = number(o, "prior_weight", 0, r.prior_weight);
    r.candidates = whole(o, "candidates", 0, r.candidates);
    r.startup = whole(o, "startup", -1, r.startup);
    r.startup_sobol = flag(o, "startup_design", r.startup_sobol);
    r.failed_bad = flag(o, "failed", r.failed_bad);
    r.running_bad = flag(o, "running", r.running_bad);
    if (r.shared && r.structure != SPT__STRUCTURE_UNIVARIATE)
        return spt__fail(
            e, SPT_EINVAL,
            "sampler option 'truncate' is 'mixture', which needs structure 'univariate'");
    if (r.counts && r.structure != SPT__STRUCTURE_UNIVARIATE)
        return spt__fail(
            e, SPT_EINVAL,
            "sampler option 'categories' is 'counts', which needs structure 'univariate'");
    *rule = r;
    return SPT_OK;
}
