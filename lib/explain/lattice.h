/* The coordinates of a forest: one axis per parameter, cut into bins that have a measure, and the
 * conditions under which an axis exists. Plain arrays: no study is needed.
 *
 * The measure of the whole is the product of the axes' measures, as if every parameter always had a
 * value: one that does not exist has a value that nothing depends on. Its not being there is the
 * doing of the axes that switch it, so a box of bins stays a box and its measure a product,
 * whatever the conditions. */
#ifndef SPT_LIB_EXPLAIN_LATTICE_H
#define SPT_LIB_EXPLAIN_LATTICE_H

#include "../base/ctx.h"

enum {
    SPT__BINS = 128,      /* of a continuous axis, conditions aside */
    SPT__BINS_MOST = 256, /* a discrete axis with more values has SPT__BINS cells of several */
    SPT__SET_WORDS = 16,  /* words of 64 bins: as many as a parameter may have choices */
    SPT__BINS_LIMIT = 64 * SPT__SET_WORDS,
    SPT__NO_BIN = 0xffff /* the code of a parameter that does not exist */
};

/* A part of an axis: the bins low .. high; of an axis without order the bins of a set. */
typedef struct spt__part {
    int32_t low, high;
    const uint64_t *set; /* NULL: low .. high */
} spt__part;

/* The integrals of 1, z and z^2 over a part, z the coordinate. */
typedef struct spt__moments {
    double w, z, zz;
} spt__moments;

typedef struct spt__need {
    int32_t axis;
    spt__part part;
} spt__need;

/* When something exists: all needs at once, at most one per axis, those of the parents' parents
 * among them, in order of the axes' depth. */
typedef struct spt__activity {
    spt__need *needs;
    int32_t n;
    double measure; /* probability that they hold */
} spt__activity;

typedef struct spt__axis {
    int32_t bins;
    bool categorical; /* without order: parts are sets, no slopes */
    int32_t activity; /* when it exists; 0: always */
    int32_t first;    /* its place in arrays over all bins, where it has bins + 1 places */
    int32_t word;     /* and in arrays over the words of sets of bins; -1 unless categorical */
    int32_t words;
} spt__axis;

typedef struct spt__lattice {
    spt_ctx *ctx;
    int32_t d;
    spt__axis *axes;
    spt__activity *activities; /* the first has no needs */
    int32_t n_activities;
    int32_t places; /* bins + 1 of all axes together */
    int32_t words;  /* of the sets of all categorical axes together */
    /* Over all bins: the measure of each, 1 per axis; its coordinate, 0 to 1 along the parameter's
     * scale; and the integrals of 1, z, z^2 over the bins below it. */
    double *weight, *at, *below0, *below1, *below2;
} spt__lattice;

/* One axis as it is described. */
typedef struct spt__axis_need {
    int32_t axis;   /* any other axis */
    const bool *in; /* per bin of that axis: may the parameter exist? */
} spt__axis_need;

typedef struct spt__axis_spec {
    int32_t bins;
    bool categorical;
    const double *weight;        /* measure per bin, any total above 0; NULL: equal */
    const double *at;            /* coordinate per bin; NULL: the middle of its measure */
    const spt__axis_need *needs; /* the parameter exists if all of them hold and their axes exist */
    int32_t n_needs;
} spt__axis_spec;

/* SPT_EUNSUPPORTED: more than SPT__BINS_LIMIT bins. An ordered axis of which a need takes bins that
 * are no run becomes one without order. The needs must not go in a circle (SPT_EINTERNAL). */
int32_t spt__lattice_new(spt_ctx *ctx, const spt__axis_spec *specs, int32_t d,
                         spt__lattice *lattice, spt__err *e);
void spt__lattice_free(spt__lattice *lattice);

static inline bool spt__set_has(const uint64_t *set, int32_t bin)
{
    return (set[bin / 64] >> (bin % 64) & 1) != 0;
}

static inline bool spt__part_has(const spt__part *part, int32_t bin)
{
    return part->set != NULL ? spt__set_has(part->set, bin) : bin >= part->low && bin <= part->high;
}

/* The whole axis; `words` has room for SPT__SET_WORDS. */
spt__part spt__part_whole(const spt__axis *axis, uint64_t *words);
/* What two parts of an axis share; `words` has room for SPT__SET_WORDS and may be b's. */
spt__part spt__part_meet(const spt__axis *axis, spt__part a, spt__part b, uint64_t *words);
bool spt__part_empty(const spt__axis *axis, const spt__part *part);
/* Is a part of b? */
bool spt__part_within(const spt__axis *axis, const spt__part *a, const spt__part *b);
spt__moments spt__part_moments(const spt__lattice *lattice, const spt__axis *axis,
                               const spt__part *part);
/* The integral of values[bin] over a part; `below` the running sums of values * weight, as the
 * lattice's own. */
double spt__part_sum(const spt__lattice *lattice, const spt__axis *axis, const spt__part *part,
                     const double *values, const double *below);

/* The need on an axis, NULL if there is none. */
const spt__need *spt__activity_need(const spt__activity *activity, int32_t axis);
/* The probability of `a` where `given` holds. */
double spt__activity_given(const spt__lattice *lattice, const spt__activity *a,
                           const spt__activity *given);
/* Both at once; the caller frees needs and words. */
int32_t spt__activity_meet(const spt__lattice *lattice, const spt__activity *a,
                           const spt__activity *b, spt__activity *out, uint64_t **words,
                           spt__err *e);

#endif
