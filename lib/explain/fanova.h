/* The handle of an analysis, as the files of this room share it. */
#ifndef SPT_LIB_EXPLAIN_FANOVA_H
#define SPT_LIB_EXPLAIN_FANOVA_H

#include "effects.h"
#include "problem.h"

#include "../base/options.h"

#include "spectune/explain.h"

/* A number per tree in short: mean, standard deviation, standard error by the jackknife. */
typedef struct spt__summary {
    double mean, sd, error;
} spt__summary;

/* Of n values, those that are NaN left out; `error_of_sd` as in spt_fanova. */
spt__summary spt__summarise(const double *values, int64_t n, double error_of_sd);

enum { SPT__WARNINGS = 4 };

struct spt_fanova {
    spt_ctx *ctx;
    spt__problem problem;
    spt__forest forest;
    double error_of_sd;         /* sqrt(rows of a tree / rows that it does not see) */
    spt_importance *importance; /* d, the most important first */
    spt_interaction *pairs;     /* the largest first */
    int64_t n_pairs;
    bool has_pairs;
    double variance;       /* mean over the trees */
    double *tree_variance; /* per tree; 0: it says nothing */
    char **names;          /* per axis behind the parameters */
    char *warnings[SPT__WARNINGS];
    int32_t n_warnings;
};

/* Name and parameter (-1) of an axis. */
const char *spt__fanova_name(const spt_fanova *fanova, int32_t axis);
int32_t spt__fanova_parameter(const spt_fanova *fanova, int32_t axis);

extern const spt__knob spt__forest_knobs[];
/* Can these be analysed? */
int32_t spt__forest_check(spt_ctx *ctx, const spt_history *history, const spt_options *options);
/* The settings that options (NULL: defaults) come to. */
void spt__forest_read(const spt_options *options, spt__forest_settings *forest,
                      spt__problem_settings *problem);

/* What to beware of (quality.c). */
int32_t spt__fanova_warn(spt_fanova *fanova, spt__err *e);

#endif
