#include "options.h"

#include <math.h>
#include <string.h>

typedef struct {
    double number;
    char *text; /* of a choice or text, once it was set; else NULL for the default */
} knob_value;

struct spt_options {
    spt_ctx *ctx;
    const char *kind;
    const spt__knob *table;
    int64_t count;
    knob_value *values;
};

static bool is_number(const spt__knob *knob)
{
    return knob->type == SPT_OPTION_NUMBER || knob->type == SPT_OPTION_INTEGER;
}

static int64_t table_count(const spt__knob *table)
{
    int64_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

/* -1: no such name. */
static int64_t find(const spt__knob *table, const char *name)
{
    for (int64_t i = 0; table[i].name; i++)
        if (strcmp(table[i].name, name) == 0) return i;
    return -1;
}

static const char *value_text(const spt_options *options, const spt__knob *table, int64_t i)
{
    if (options && options->values[i].text) return options->values[i].text;
    return table[i].text_default ? table[i].text_default : "";
}

/* ---- life ---------------------------------------------------------------------------------- */

int32_t spt__options_new(spt_ctx *ctx, const char *kind, const spt__knob *table, spt_options **out)
{
    *out = NULL;
    spt_options *o = spt__calloc(ctx, 1, sizeof *o);
    if (!o) return spt__nomem(&ctx->err);
    o->count = table_count(table);
    o->values = spt__calloc(ctx, (size_t)o->count, sizeof *o->values);
    if (!o->values) {
        spt__free(ctx, o);
        return spt__nomem(&ctx->err);
    }
    o->ctx = spt__ctx_ref(ctx);
    o->kind = kind;
    o->table = table;
    for (int64_t i = 0; i < o->count; i++)
        o->values[i].number = table[i].number;
    *out = o;
    return SPT_OK;
}

int32_t spt__options_copy(const spt_options *from, spt_ctx *ctx, spt_options **out)
{
    *out = NULL;
    if (!from) return spt__fail(&ctx->err, SPT_EINVAL, "no options are given to copy");
    spt_options *o = NULL;
    SPT__TRY(spt__options_new(ctx, from->kind, from->table, &o));
    for (int64_t i = 0; i < o->count; i++) {
        o->values[i].number = from->values[i].number;
        if (!from->values[i].text) continue;
        o->values[i].text = spt__strdup(ctx, from->values[i].text);
        if (!o->values[i].text) {
            spt_options_free(o);
            return spt__nomem(&ctx->err);
        }
    }
    *out = o;
    return SPT_OK;
}

void spt_options_free(spt_options *options)
{
    if (!options) return;
    spt_ctx *ctx = options->ctx;
    for (int64_t i = 0; i < options->count; i++)
        spt__free(ctx, options->values[i].text);
    spt__free(ctx, options->values);
    spt__free(ctx, options);
    spt__ctx_unref(ctx);
}

/* ---- lists of choices ---------------------------------------------------------------------- */

/* The choice that starts at *list, and *list moves behind it; false at the end. */
static bool next_choice(const char **list, const char **choice, size_t *length)
{
    if (!*list || !**list) return false;
    *choice = *list;
    *length = strcspn(*list, "|");
    *list += *length;
    if (**list == '|') ++*list;
    return true;
}

static int choice_index(const char *list, const char *text)
{
    const char *choice = NULL;
    size_t length = 0;
    for (int i = 0; next_choice(&list, &choice, &length); i++)
        if (strlen(text) == length && memcmp(choice, text, length) == 0) return i;
    return -1;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* ctx.h's failure with the words "KIND option 'NAME' " in front. */
static int32_t fail_number(const spt_options *o, const spt__knob *knob, double value)
{
    char got[SPT__DOUBLE_CAPACITY], low[SPT__DOUBLE_CAPACITY], high[SPT__DOUBLE_CAPACITY];
    const char *whole = knob->type == SPT_OPTION_INTEGER ? "whole numbers " : "";
    spt__format_double(value, got);
    spt__format_double(knob->low, low);
    spt__format_double(knob->high, high);
    if (isinf(knob->high) && isinf(knob->low))
        return spt__fail(&o->ctx->err, SPT_EINVAL,
                         "%s option '%s' is %s; any finite number is possible", o->kind, knob->name,
                         got);
    if (isinf(knob->high))
        return spt__fail(&o->ctx->err, SPT_EINVAL,
                         "%s option '%s' is %s; %sfrom %s upwards are possible", o->kind,
                         knob->name, got, whole, low);
    if (isinf(knob->low))
        return spt__fail(&o->ctx->err, SPT_EINVAL, "%s option '%s' is %s; %sup to %s are possible",
                         o->kind, knob->name, got, whole, high);
    return spt__fail(&o->ctx->err, SPT_EINVAL, "%s option '%s' is %s; %s%s to %s are possible",
                     o->kind, knob->name, got, whole, low, high);
}

static int32_t fail_choice(const spt_options *o, const spt__knob *knob, const char *value)
{
    char list[256];
    size_t used = 0;
    const char *rest = knob->choices, *choice = NULL;
    size_t length = 0;
    list[0] = '\0';
    while (next_choice(&rest, &choice, &length) && used < sizeof list)
        used += (size_t)spt__format(list + used, sizeof list - used, "%s%.*s", used ? ", " : "",
                                    (int)length, choice);
    return spt__fail(&o->ctx->err, SPT_EINVAL, "%s option '%s' is '%.100s'; possible are %s",
                     o->kind, knob->name, value, list);
}

static int32_t fail_unknown(const spt_options *o, const char *name)
{
    enum { MOST = 64 };
    const char *names[MOST];
    size_t n = 0;
    for (; n < MOST && o->table[n].name; n++)
        names[n] = o->table[n].name;
    const char *near = spt__nearest(name, names, n);
    if (near)
        return spt__fail(&o->ctx->err, SPT_ENOTFOUND,
                         "there is no %s option '%.100s'; the nearest is '%s'", o->kind, name,
                         near);
    spt__fail(&o->ctx->err, SPT_ENOTFOUND, "there is no %s option '%.100s'; there are", o->kind,
              name);
    for (size_t i = 0; i < n; i++)
        spt__fail(&o->ctx->err, SPT_ENOTFOUND, "%s%s %s", o->ctx->err.text, i ? "," : "", names[i]);
    return SPT_ENOTFOUND;
}

/* The knob of a public call; *index is its row. */
static int32_t look_up(const spt_options *o, const char *name, int64_t *index)
{
    if (!name) return spt__fail(&o->ctx->err, SPT_EINVAL, "%s option: no name is given", o->kind);
    *index = find(o->table, name);
    return *index < 0 ? fail_unknown(o, name) : SPT_OK;
}

/* ---- the public calls ---------------------------------------------------------------------- */

int64_t spt_options_count(const spt_options *options)
{
    return options ? options->count : SPT_EINVAL;
}

int32_t spt_options_describe(const spt_options *options, int64_t index, spt_option_info *info)
{
    SPT__REQUIRE(options && info);
    if (index < 0 || index >= options->count)
        return spt__fail(&options->ctx->err, SPT_EINVAL,
                         "%s option number %lld is asked for; 0 to %lld are possible",
                         options->kind, (long long)index, (long long)options->count - 1);
    const spt__knob *knob = &options->table[index];
    spt_option_info ours;
    spt_record_init(&ours, sizeof ours);
    ours.type = (int32_t)knob->type;
    ours.name = knob->name;
    ours.text = knob->text;
    if (is_number(knob)) {
        ours.low = knob->low;
        ours.high = knob->high;
        ours.default_number = knob->number;
    } else {
        ours.default_text = knob->text_default ? knob->text_default : "";
    }
    ours.choices = knob->type == SPT_OPTION_CHOICE ? knob->choices : NULL;
    if (spt__record_out(info, &ours, sizeof ours) < 0)
        return spt__fail(&options->ctx->err, SPT_EINVAL,
                         "the record for an option's description is not initialised; "
                         "spt_record_init() does that");
    return SPT_OK;
}

int32_t spt_options_set_number(spt_options *options, const char *name, double value)
{
    SPT__REQUIRE(options);
    int64_t i = 0;
    SPT__TRY(look_up(options, name, &i));
    const spt__knob *knob = &options->table[i];
    if (!is_number(knob))
        return spt__fail(&options->ctx->err, SPT_EINVAL,
                         "%s option '%s' takes %s, not a number; spt_options_set_text() sets it",
                         options->kind, name,
                         knob->type == SPT_OPTION_CHOICE ? "one of a list of texts" : "a text");
    bool whole = knob->type != SPT_OPTION_INTEGER || value == floor(value);
    if (!isfinite(value) || !whole || value < knob->low || value > knob->high)
        return fail_number(options, knob, value);
    options->values[i].number = value;
    return SPT_OK;
}

int32_t spt_options_set_text(spt_options *options, const char *name, const char *value)
{
    SPT__REQUIRE(options);
    int64_t i = 0;
    SPT__TRY(look_up(options, name, &i));
    const spt__knob *knob = &options->table[i];
    spt__err *e = &options->ctx->err;
    if (!value)
        return spt__fail(e, SPT_EINVAL, "%s option '%s': no value is given", options->kind, name);
    if (is_number(knob)) {
        double number = 0;
        if (!spt__parse_double(value, strlen(value), '.', &number))
            return spt__fail(e, SPT_EINVAL,
                             "%s option '%s' is '%.100s'; a number with a decimal point is needed",
                             options->kind, name, value);
        return spt_options_set_number(options, name, number);
    }
    if (knob->type == SPT_OPTION_CHOICE && choice_index(knob->choices, value) < 0)
        return fail_choice(options, knob, value);
    if (!spt__is_utf8(value, strlen(value)))
        return spt__fail(e, SPT_EINVAL, "%s option '%s' is '%.100s'; UTF-8 is needed",
                         options->kind, name, value);
    char *copy = spt__strdup(options->ctx, value);
    if (!copy) return spt__nomem(e);
    spt__free(options->ctx, options->values[i].text);
    options->values[i].text = copy;
    return SPT_OK;
}

int32_t spt_options_number(const spt_options *options, const char *name, double *value)
{
    SPT__REQUIRE(options && value);
    int64_t i = 0;
    SPT__TRY(look_up(options, name, &i));
    if (!is_number(&options->table[i]))
        return spt__fail(&options->ctx->err, SPT_EINVAL,
                         "%s option '%s' is a text; spt_options_text() reads it", options->kind,
                         name);
    *value = options->values[i].number;
    return SPT_OK;
}

int32_t spt_options_text(const spt_options *options, const char *name, const char **value)
{
    SPT__REQUIRE(options && value);
    *value = NULL;
    int64_t i = 0;
    SPT__TRY(look_up(options, name, &i));
    if (is_number(&options->table[i]))
        return spt__fail(&options->ctx->err, SPT_EINVAL,
                         "%s option '%s' is a number; spt_options_number() reads it", options->kind,
                         name);
    *value = value_text(options, options->table, i);
    return SPT_OK;
}

/* ---- the rooms' own lookups ---------------------------------------------------------------- */

double spt__option(const spt_options *options, const spt__knob *table, const char *name)
{
    if (!table) table = options->table;
    int64_t i = find(table, name);
    if (i < 0) return 0;
    return options ? options->values[i].number : table[i].number;
}

int64_t spt__option_int(const spt_options *options, const spt__knob *table, const char *name)
{
    return (int64_t)spt__option(options, table, name);
}

const char *spt__option_text(const spt_options *options, const spt__knob *table, const char *name)
{
    if (!table) table = options->table;
    int64_t i = find(table, name);
    return i < 0 ? "" : value_text(options, table, i);
}

int spt__option_choice(const spt_options *options, const spt__knob *table, const char *name)
{
    if (!table) table = options->table;
    int64_t i = find(table, name);
    return i < 0 ? -1 : choice_index(table[i].choices, value_text(options, table, i));
}

bool spt__options_are(const spt_options *options, const spt__knob *table)
{
    return !options || options->table == table;
}

void spt__options_print(const spt_options *options, const spt__knob *table, spt__buf *b)
{
    if (!table) table = options->table;
    for (int64_t i = 0; table[i].name; i++) {
        if (i) spt__buf_puts(b, " ");
        spt__buf_printf(b, "%s=", table[i].name);
        if (is_number(&table[i])) {
            spt__buf_double(b, options ? options->values[i].number : table[i].number);
            continue;
        }
        const char *text = value_text(options, table, i);
        /* Quoted where the pairs could not be told apart again. */
        if (!*text || strpbrk(text, " =\"\\\t\r\n"))
            spt__buf_json(b, text);
        else
            spt__buf_puts(b, text);
    }
}
