/* The components of TPE, resolved from a preset and the knobs that were set. */
#ifndef SPT_LIB_SEARCH_RULE_H
#define SPT_LIB_SEARCH_RULE_H

#include "../base/options.h"

typedef enum {
    SPT__STRUCTURE_UNIVARIATE = 0, /* every parameter by itself */
    SPT__STRUCTURE_COMMON = 1, /* those that all trials have together, the others by themselves */
    SPT__STRUCTURE_TREE = 2    /* all together, children given their parents */
} spt__structure;

typedef enum {
    SPT__WEIGHTS_UNIFORM = 0,
    SPT__WEIGHTS_AGE = 1,  /* the newest fully, older ones less and less */
    SPT__WEIGHTS_RANK = 2, /* log(n + 1) - log(rank), rank 1 the best */
    SPT__WEIGHTS_EI = 3    /* by how much a trial is better than the best bad one */
} spt__weights;

typedef struct spt__tpe_rule {
    int structure;    /* spt__structure */
    int good_weights; /* spt__weights */
    int bad_weights;  /* uniform or age */
    bool gamma_sqrt;  /* gamma times the root of n, else times n */
    double gamma;
    int64_t most_good;
    int64_t forgetting;
    bool shared; /* kernels share one normaliser (hyperopt), else each is truncated by itself */
    bool counts; /* categories by counts, else a row of probabilities for each trial */
    bool log_density;  /* grids on a logarithmic scale are compared by density, not by mass */
    bool log_unscaled; /* shared: a continuous log density is not divided by its mass */
    bool ends, prior_in_sort;
    bool lone_half;               /* a single observation has half of the prior's sigma */
    double good_width, bad_width; /* factors of the bandwidths */
    double min_bandwidth, clip_exponent;
    double crossover;
    double focus;        /* share of proposals made from one branch alone while the search rests */
    int64_t focus_after; /* which it does after so many trials without progress */
    int64_t branches;    /* that branch is one of so many best */
    double prior_weight;
    int64_t candidates, startup;
    bool startup_sobol;
    bool failed_bad, running_bad;
    bool count_all; /* failed and running trials count for start-up and gamma */
} spt__tpe_rule;

/* The rows of sampler.c's table that belong to TPE refer to these lists. */
#define SPT__PRESETS "default|bergstra2011|hyperopt|optuna3|optuna5|watanabe2023"

/* SPT_EINVAL if components do not go together. */
int32_t spt__tpe_rule_init(spt__tpe_rule *rule, const spt_options *options, spt__err *e);

#endif
