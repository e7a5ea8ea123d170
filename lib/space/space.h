/* Spaces and configurations as samplers, store, explain and nn see them. */
#ifndef SPT_LIB_SPACE_SPACE_H
#define SPT_LIB_SPACE_SPACE_H

#include "../base/text.h"
#include "spectune/space.h"

#include <math.h>

enum {
    SPT__NAME_LENGTH = 64,    /* of spaces, parameters, groups */
    SPT__CHOICE_LENGTH = 256, /* bytes of a choice's text */
    /* Far more than anybody searches; they keep hostile files from taking minutes. */
    SPT__SPACE_PARAMETERS = 4000,
    SPT__SPACE_CHOICES = 1000, /* of a parameter, and values of SPT_OP_IN */
    SPT__SPACE_TERMS = 100,    /* of a condition or combination */
    SPT__SPACE_FORBIDDEN = 1000
};

/* "parameter op values". False when the parameter does not exist, whatever the op. */
typedef struct spt__term {
    int32_t parameter; /* index in the space */
    int32_t op;        /* spt_op */
    int32_t n;         /* 1, or more for SPT_OP_IN */
    double *values;    /* numbers, or indices of choices (an ordinal's are its ranks) */
} spt__term;

/* Terms that must all hold: the condition of a parameter, or a forbidden combination. */
typedef struct spt__terms {
    spt__term *items;
    int32_t n;
    char *text; /* "a >= 2 and b = true"; NULL when n is 0 */
} spt__terms;

/* A value is one double everywhere: the number, or the index of the choice. Choices have low 0,
 * high n_choices - 1, step 1, so that grid functions need not ask for the type. */
typedef struct spt__parameter {
    char *name;
    char *group;  /* "" if none */
    int32_t type; /* spt_parameter_type */
    bool log;
    double low, high;
    double step;   /* 0 = continuous; never 0 for anything but a float */
    double value;  /* default, on the grid */
    int64_t count; /* number of values, 0 = continuous */
    double scale;  /* low and step are whole multiples of 1 / scale, a power of ten; 0 if not */
    int32_t n_choices;
    char **choices;
    spt__terms when;
} spt__parameter;

struct spt_space {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    atomic_bool frozen;
    char *name;
    spt__parameter *parameters; /* parents have lower indices than children: index order is */
    int32_t n, capacity;        /* topological */
    spt__terms *forbidden;
    int32_t n_forbidden;
};

struct spt_config {
    spt_ctx *ctx;
    spt_space *space;
    double *value; /* one per parameter; NaN = does not exist */
};

/* ---- spaces ---- */

/* One more reference; does not freeze. */
spt_space *spt__space_ref(const spt_space *space);
/* Can the space be searched: no empty forbidden combination, the default configuration allowed? */
int32_t spt__space_check(const spt_space *space, spt__err *e);
/* Check it and freeze it. Whoever keeps a space across calls freezes it first. */
int32_t spt__space_freeze(const spt_space *space, spt__err *e);
/* Index of a name, or SPT_ENOTFOUND with the nearest name offered. */
int32_t spt__space_index(const spt_space *space, const char *name, spt__err *e);
/* Does parameter `index` exist, given the values of those before it (NaN = does not exist)? */
bool spt__space_exists(const spt_space *space, int32_t index, const double *values);
/* The first forbidden combination that holds, or -1. */
int32_t spt__space_forbidden(const spt_space *space, const double *values);
/* True when both are the same in everything, the name aside; else the first difference is added
 * to `why`, as "parameter 'x' is ...; on record it is ...", b being the one on record. */
bool spt__space_same(const spt_space *a, const spt_space *b, spt__buf *why);
/* Structure as text in `b`: what spt_space_xml() gives. */
void spt__space_print(const spt_space *space, spt__buf *b);

bool spt__term_holds(const spt__term *term, const double *values);

/* ---- values of one parameter (grid.c) ---- */

/* Number of distinct values, 0 for a continuous one. */
static inline int64_t spt__space_grid_count(const spt__parameter *p)
{
    return p->count;
}
/* Value k of the grid: the double nearest to the decimal low + k * step (0.1 * 3 gives 0.3). */
double spt__space_grid_value(const spt__parameter *p, int64_t k);
/* k of the value nearest to x, within 0 .. count - 1. Discrete parameters only. */
int64_t spt__space_grid_index(const spt__parameter *p, double x);
/* The scale on which values are drawn evenly: of a number its logarithm where `log` says so, else
 * the number. */
double spt__space_scale(const spt__parameter *p, double x);
/* Where on that scale the cell of value k begins, 0 to count (count: where the last one ends). The
 * cells of a grid reach half a step to both sides; but the lowest on a logarithmic scale as far
 * down as up, where half a step down would be below half of its value. A continuous parameter has
 * one cell: its range. Numbers and ordinals only. */
double spt__space_edge(const spt__parameter *p, int64_t k);
/* Nearest possible value: clipped, and rounded to the grid if there is one. NaN: the default. */
double spt__space_snap(const spt__parameter *p, double x);
/* Is x possible? Then *x becomes exactly the grid's value (a float may be off by 1e-9 steps). */
int32_t spt__parameter_accept(const spt__parameter *p, double *x, spt__err *e);
/* Number or choice from text; not checked against bounds and grid. */
int32_t spt__parameter_parse(const spt__parameter *p, const char *text, double *x, spt__err *e);
/* A value as text: shortest decimal, or the choice. */
void spt__parameter_print(const spt__parameter *p, double x, spt__buf *b);
/* Fill count and scale, lower `high` to the grid; type, bounds and step are checked. */
int32_t spt__parameter_grid(spt__parameter *p, spt__err *e);

/* ---- terms (terms.c) ---- */

/* "eq", "ne", ... of XML; NULL for an unknown op. And back: 0 for an unknown text. */
const char *spt__op_name(int32_t op);
int32_t spt__op_of(const char *name);
void spt__terms_free(spt_ctx *ctx, spt__terms *terms);
int32_t spt__space_condition_add(spt_space *space, const char *child, const char *parent,
                                 int32_t op, const char *const *values, int32_t n, spt__err *e);
int32_t spt__space_forbid(spt_space *space, spt__err *e);
int32_t spt__space_forbid_term(spt_space *space, const char *parameter, int32_t op,
                               const char *const *values, int32_t n, spt__err *e);

/* ---- building (space.c) ---- */

/* Add a copy of spec (name, type, log, low, high, step, value, n_choices are read). */
int32_t spt__space_add(spt_space *space, const spt__parameter *spec, const char *const *choices,
                       spt__err *e);
int32_t spt__space_group(spt_space *space, const char *name, const char *group, spt__err *e);
int32_t spt__space_changeable(const spt_space *space, spt__err *e);

/* ---- configurations (config.c) ---- */

/* All NaN; freezes the space. The caller sets values in index order, each that exists. */
int32_t spt__config_new_empty(spt_ctx *ctx, const spt_space *space, spt_config **out, spt__err *e);
/* Set by index; neither existence nor grid are checked. NaN: does not exist. */
static inline void spt__config_set(spt_config *config, int32_t index, double value)
{
    config->value[index] = value;
}
/* Make existence right after values were changed: what exists now and has no value takes its
 * default, what no longer exists becomes NaN. */
void spt__config_settle(spt_config *config);
/* From values on record (one per parameter, NaN = does not exist): existence, bounds and grid are
 * checked, the text names the parameter. Forbidden combinations are not checked. */
int32_t spt__config_from_values(spt_ctx *ctx, const spt_space *space, const double *values,
                                spt_config **out, spt__err *e);
/* The same for what another program has tried, which may know no grid: a number between two points
 * of it stays what it is. */
int32_t spt__config_from_others(spt_ctx *ctx, const spt_space *space, const double *values,
                                spt_config **out, spt__err *e);
/* The same values have the same hash, on every machine. */
uint64_t spt__config_hash(const spt_config *config);
/* The same values; both configurations of one space. */
bool spt__config_same_values(const spt_config *a, const spt_config *b);
/* What spt_config_xml() gives. */
void spt__config_print(const spt_config *config, spt__buf *b);

#endif
