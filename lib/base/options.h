/* How a room declares its knobs. */
#ifndef SPT_LIB_BASE_OPTIONS_H
#define SPT_LIB_BASE_OPTIONS_H

#include "text.h"

/* One row of a room's table. Tables are static const, end with a row whose name is NULL. */
typedef struct spt__knob {
    const char *name;
    spt_option_type type;
    double low, high, number; /* bounds and default */
    const char *choices;      /* "a|b|c" */
    const char *text_default; /* of a choice or text */
    const char *text;         /* meaning and unit, one line */
} spt__knob;

/* `kind` is used in messages ("training option 'momentum' ...") and, as the table, not copied. */
int32_t spt__options_new(spt_ctx *ctx, const char *kind, const spt__knob *table, spt_options **out);
int32_t spt__options_copy(const spt_options *from, spt_ctx *ctx, spt_options **out);

/* Lookups by the rooms themselves: the knob exists, so they cannot fail. options may be NULL when
 * `table` is given: then the table's default. */
double spt__option(const spt_options *options, const spt__knob *table, const char *name);
int64_t spt__option_int(const spt_options *options, const spt__knob *table, const char *name);
const char *spt__option_text(const spt_options *options, const spt__knob *table, const char *name);
/* Index of a choice in "a|b|c". */
int spt__option_choice(const spt_options *options, const spt__knob *table, const char *name);
/* True when the options were made from this table (a host may pass the wrong kind), or are NULL,
 * which means the defaults of any. */
bool spt__options_are(const spt_options *options, const spt__knob *table);
/* "name=value name=value ..." in table order, as recorded with studies and models. A text that
 * holds blanks, '=' or quotes, or nothing, stands as a JSON string. */
void spt__options_print(const spt_options *options, const spt__knob *table, spt__buf *b);

#endif
