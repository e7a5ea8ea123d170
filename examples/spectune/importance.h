/* The command importance, in two files: tables (cmd_importance.c), curves (curves.c). */
#ifndef SPECTUNE_IMPORTANCE_H
#define SPECTUNE_IMPORTANCE_H

#include "tool.h"

typedef struct analysis {
    const spt_history *history;
    spt_fanova *fanova;
    double *local, *ped; /* per parameter; NULL: not asked for */
    int32_t curves[2];   /* of these parameters; -1: none */
    int64_t needed;      /* trials; 0: enough, -1: cannot be told */
} analysis;

spt_importance importance_at(const spt_fanova *f, int64_t rank);
spt_interaction pair_at(const spt_fanova *f, int64_t rank);

/* The curve of one parameter, with the trials beside it, or the surface of two. */
int print_curves(tool *t, const analysis *a);
json_t *curves_json(tool *t, const analysis *a);

#endif
