/* Pruning rules: is it clear already that a trial will not matter? Pure functions of what the trial
 * has told so far, what other trials have told, and the rule; they draw no random numbers, allocate
 * nothing and may run on any thread. */
#ifndef SPT_LIB_SEARCH_PRUNE_H
#define SPT_LIB_SEARCH_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    SPT__PRUNE_NONE,
    SPT__PRUNE_WILCOXON,
    SPT__PRUNE_RACING,
    SPT__PRUNE_MEDIAN,
    SPT__PRUNE_HALVING
} spt__prune_kind; /* in the order of the knob's choices */

typedef struct spt__prune_rule {
    spt__prune_kind kind;
    bool lowest;     /* steps are epochs: the lowest value counts; else folds: their mean does */
    bool every;      /* halving: each step is a rung */
    int64_t startup; /* so many trials are complete before any is given up */
    int64_t after;   /* so many steps each trial has; the first rung */
    double level;    /* wilcoxon, racing: chance of being wrong that is taken */
    double factor;   /* halving: one of so many goes on */
} spt__prune_rule;

/* What one trial has told: values by step. Each step once; in any order. */
typedef struct spt__curve {
    const int64_t *steps;
    const double *values;
    int64_t n;
    bool complete; /* it counts among those to be beaten */
    double value;  /* of a complete trial: its loss, finite */
} spt__curve;

typedef struct spt__verdict {
    bool prune;
    double figure; /* wilcoxon, racing: the chance of being wrong; median, halving: the share of the
                      others that is better; NaN when nothing was compared */
} spt__verdict;

/* `own` holds its steps in the order in which they were told; the last one is new. A value that is
 * not finite counts as worse than any other. */
spt__verdict spt__prune(const spt__prune_rule *rule, const spt__curve *own, const spt__curve *peers,
                        int64_t n_peers);

/* What the loss of a trial that was given up would have been, if it differs from a complete one in
 * the steps that are missing as it does in those that are there: by ratio where all is positive,
 * else by difference. The mean of its own steps says less: some folds are harder than others. NaN
 * if the two have no step in common. */
double spt__prune_estimate(const spt__curve *own, const spt__curve *complete);

/* ---- the parts, for tests ---- */

enum { SPT__WILCOXON_EXACT = 50 };

/* Wilcoxon's signed ranks, one-sided: the chance of a rank sum of the positive differences as high
 * as that of d[0..n-1] or higher if their signs were coins. Zeros are left out, ties have their
 * mean rank; exact (given the ties) up to SPT__WILCOXON_EXACT differences, then the normal
 * approximation with the ties' correction and continuity. 1 if no difference is left. Sorts d by
 * absolute value. Source: Wilcoxon 1945; Lehmann, Nonparametrics, 1975, ch. 3. */
double spt__wilcoxon(double *d, int64_t n);

/* Upper tail of Student's t with nu > 0 degrees of freedom (nu need not be whole). */
double spt__student_tail(double t, double nu);

#endif
