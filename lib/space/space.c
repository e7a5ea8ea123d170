/* Search spaces: their life, their parameters, what there is to know about them. */
#include "space.h"

#include <string.h>

/* ---- texts ----------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(const char *text)
{
    if (!text || !is_letter(text[0])) return false;
    size_t i = 1;
    for (; text[i] && i <= SPT__NAME_LENGTH; i++) {
        char c = text[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            return false;
    }
    return i <= SPT__NAME_LENGTH;
}

static int32_t check_name(const char *what, const char *text, spt__err *e)
{
    if (is_name(text)) return SPT_OK;
    return spt__fail(e, SPT_EINVAL,
                     "%s '%.80s' is not possible; up to %d characters, a letter first, then "
                     "letters, digits, '_', '.', '-'",
                     what, text ? text : "(null)", SPT__NAME_LENGTH);
}

static bool is_choice(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > SPT__CHOICE_LENGTH || !spt__is_utf8(text, length)) return false;
    /* XML would not bring these back as they were. */
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    if (strstr(text, "\xef\xbf\xbe") || strstr(text, "\xef\xbf\xbf")) return false;
    return text[0] != ' ' && text[length - 1] != ' ';
}

/* ---- life ------------------------------------------------------------------------------------ */

int32_t spt_space_new(spt_ctx *ctx, const char *name, spt_space **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    SPT__TRY(check_name("space name", name, &ctx->err));
    spt_space *space = spt__calloc(ctx, 1, sizeof *space);
    if (!space) return spt__nomem(&ctx->err);
    space->name = spt__strdup(ctx, name);
    if (!space->name) {
        spt__free(ctx, space);
        return spt__nomem(&ctx->err);
    }
    space->ctx = spt__ctx_ref(ctx);
    atomic_init(&space->refs, 1);
    atomic_init(&space->frozen, false);
    *out = space;
    return SPT_OK;
}

static void parameter_free(spt_ctx *ctx, spt__parameter *p)
{
    for (int32_t i = 0; p->choices && i < p->n_choices; i++)
        spt__free(ctx, p->choices[i]);
    spt__free(ctx, p->choices);
    spt__free(ctx, p->name);
    spt__free(ctx, p->group);
    spt__terms_free(ctx, &p->when);
}

spt_space *spt__space_ref(const spt_space *space)
{
    /* The count and the frozen flag are the only things that change in a shared space. */
    spt_space *shared = (spt_space *)(uintptr_t)space;
    atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

int32_t spt_space_ref(const spt_space *space, spt_space **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(space && out);
    *out = spt__space_ref(space);
    return SPT_OK;
}

void spt_space_free(spt_space *space)
{
    if (!space || atomic_fetch_sub_explicit(&space->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = space->ctx;
    for (int32_t i = 0; i < space->n; i++)
        parameter_free(ctx, &space->parameters[i]);
    spt__free(ctx, space->parameters);
    for (int32_t i = 0; i < space->n_forbidden; i++)
        spt__terms_free(ctx, &space->forbidden[i]);
    spt__free(ctx, space->forbidden);
    spt__free(ctx, space->name);
    spt__free(ctx, space);
    spt__ctx_unref(ctx);
}

int32_t spt__space_changeable(const spt_space *space, spt__err *e)
{
    if (!atomic_load_explicit(&space->frozen, memory_order_acquire)) return SPT_OK;
    return spt__fail(e, SPT_EBUSY,
                     "space '%s' is frozen: a configuration or study was made from it; build "
                     "another one to change it",
                     space->name);
}

int32_t spt__space_check(const spt_space *space, spt__err *e)
{
    for (int32_t i = 0; i < space->n_forbidden; i++)
        if (space->forbidden[i].n == 0)
            return spt__fail(e, SPT_EINVAL,
                             "space '%s': forbidden combination %d has no terms; one or more are "
                             "needed",
                             space->name, i + 1);
    if (space->n_forbidden == 0) return SPT_OK;
    double *values = spt__alloc(space->ctx, (size_t)space->n, sizeof *values);
    if (!values) return spt__nomem(e);
    for (int32_t i = 0; i < space->n; i++)
        values[i] = spt__space_exists(space, i, values) ? space->parameters[i].value : (double)NAN;
    int32_t clause = spt__space_forbidden(space, values);
    spt__free(space->ctx, values);
    if (clause < 0) return SPT_OK;
    return spt__fail(e, SPT_EINVAL,
                     "space '%s': the default configuration is forbidden by '%s'; other defaults "
                     "are needed",
                     space->name, space->forbidden[clause].text);
}

int32_t spt__space_freeze(const spt_space *space, spt__err *e)
{
    if (atomic_load_explicit(&space->frozen, memory_order_acquire)) return SPT_OK;
    SPT__TRY(spt__space_check(space, e));
    atomic_store_explicit(&((spt_space *)(uintptr_t)space)->frozen, true, memory_order_release);
    return SPT_OK;
}

/* ---- parameters ------------------------------------------------------------------------------ */

int32_t spt_space_find(const spt_space *space, const char *name)
{
    SPT__REQUIRE(space && name);
    for (int32_t i = 0; i < space->n; i++)
        if (strcmp(space->parameters[i].name, name) == 0) return i;
    return SPT_ENOTFOUND;
}

int32_t spt__space_index(const spt_space *space, const char *name, spt__err *e)
{
    int32_t index = spt_space_find(space, name);
    if (index >= 0) return index;
    if (!name) return spt__fail(e, SPT_EINVAL, "the parameter's name is NULL");
    const char *near = NULL;
    const char **names = spt__alloc(space->ctx, (size_t)space->n, sizeof *names);
    if (names) {
        for (int32_t i = 0; i < space->n; i++)
            names[i] = space->parameters[i].name;
        near = spt__nearest(name, names, (size_t)space->n);
        spt__free(space->ctx, names);
    }
    if (near)
        return spt__fail(e, SPT_ENOTFOUND,
                         "space '%s' has no parameter '%.80s'; '%s' is the nearest", space->name,
                         name, near);
    return spt__fail(e, SPT_ENOTFOUND, "space '%s' has no parameter '%.80s' among its %d",
                     space->name, name, space->n);
}

static int32_t check_choices(const spt__parameter *p, const char *const *choices, spt__err *e)
{
    if (p->n_choices < 1 || p->n_choices > SPT__SPACE_CHOICES || !choices)
        return spt__fail(e, SPT_EINVAL, "parameter '%s' has %d choices; 1 to %d are possible",
                         p->name, choices ? p->n_choices : 0, SPT__SPACE_CHOICES);
    for (int32_t i = 0; i < p->n_choices; i++) {
        if (!is_choice(choices[i]))
            return spt__fail(e, SPT_EINVAL,
                             "parameter '%s': choice %d is '%.80s'; 1 to %d bytes of UTF-8 without "
                             "control characters and without blanks at its ends are possible",
                             p->name, i, choices[i] ? choices[i] : "(null)", SPT__CHOICE_LENGTH);
        for (int32_t j = 0; j < i; j++)
            if (strcmp(choices[i], choices[j]) == 0)
                return spt__fail(e, SPT_EINVAL, "parameter '%s': choice '%s' is named twice",
                                 p->name, choices[i]);
    }
    return SPT_OK;
}

static int32_t copy_texts(spt_ctx *ctx, spt__parameter *p, const char *const *choices)
{
    p->name = spt__strdup(ctx, p->name);
    p->group = spt__strdup(ctx, "");
    p->choices = p->n_choices ? spt__calloc(ctx, (size_t)p->n_choices, sizeof *p->choices) : NULL;
    bool done = p->name && p->group && (p->choices || !p->n_choices);
    for (int32_t i = 0; done && i < p->n_choices; i++) {
        p->choices[i] = spt__strdup(ctx, choices[i]);
        done = p->choices[i] != NULL;
    }
    if (done) return SPT_OK;
    parameter_free(ctx, p);
    return SPT_ENOMEM;
}

int32_t spt__space_add(spt_space *space, const spt__parameter *spec, const char *const *choices,
                       spt__err *e)
{
    SPT__TRY(spt__space_changeable(space, e));
    SPT__TRY(check_name("parameter name", spec->name, e));
    if (spt_space_find(space, spec->name) >= 0)
        return spt__fail(e, SPT_EINVAL, "space '%s' has a parameter '%s' already", space->name,
                         spec->name);
    if (space->n >= SPT__SPACE_PARAMETERS)
        return spt__fail(e, SPT_EINVAL, "space '%s' has %d parameters; no more are possible",
                         space->name, space->n);
    spt__parameter p = *spec;
    p.choices = NULL;
    p.when = (spt__terms){0};
    if (p.type != SPT_PARAMETER_FLOAT && p.type != SPT_PARAMETER_INT)
        SPT__TRY(check_choices(&p, choices, e));
    else
        p.n_choices = 0;
    SPT__TRY(spt__parameter_grid(&p, e));
    if (spt__parameter_accept(&p, &p.value, e) < 0) return spt__fail_prefix(e, "default of ");

    spt_ctx *ctx = space->ctx;
    if (space->n == space->capacity) {
        int32_t capacity = space->capacity ? 2 * space->capacity : 16;
        spt__parameter *grown =
            spt__realloc(ctx, space->parameters, (size_t)capacity, sizeof *grown);
        if (!grown) return spt__nomem(e);
        space->parameters = grown;
        space->capacity = capacity;
    }
    if (copy_texts(ctx, &p, choices) < 0) return spt__nomem(e);
    space->parameters[space->n++] = p;
    return SPT_OK;
}

/* The name is only read: spt__space_add copies it. */
static spt__parameter specification(const char *name, int32_t type)
{
    return (spt__parameter){.name = (char *)(uintptr_t)name, .type = type};
}

int32_t spt_space_add_float(spt_space *space, const char *name, double low, double high,
                            double step, int32_t log, double value)
{
    SPT__REQUIRE(space);
    SPT__TRY(spt__check_switch(log, "log", &space->ctx->err));
    spt__parameter p = specification(name, SPT_PARAMETER_FLOAT);
    p.low = low;
    p.high = high;
    p.step = step;
    p.log = log == 1;
    p.value = value;
    return spt__space_add(space, &p, NULL, &space->ctx->err);
}

int32_t spt_space_add_int(spt_space *space, const char *name, int64_t low, int64_t high,
                          int64_t step, int32_t log, int64_t value)
{
    SPT__REQUIRE(space);
    SPT__TRY(spt__check_switch(log, "log", &space->ctx->err));
    spt__parameter p = specification(name, SPT_PARAMETER_INT);
    p.low = (double)low;
    p.high = (double)high;
    p.step = (double)step;
    p.log = log == 1;
    p.value = (double)value;
    return spt__space_add(space, &p, NULL, &space->ctx->err);
}

static int32_t add_choices(spt_space *space, const char *name, int32_t type,
                           const char *const *choices, int32_t n, int32_t value)
{
    SPT__REQUIRE(space);
    spt__parameter p = specification(name, type);
    p.n_choices = n;
    p.value = value;
    return spt__space_add(space, &p, choices, &space->ctx->err);
}

int32_t spt_space_add_categorical(spt_space *space, const char *name, const char *const *choices,
                                  int32_t n, int32_t value)
{
    return add_choices(space, name, SPT_PARAMETER_CATEGORICAL, choices, n, value);
}

int32_t spt_space_add_ordinal(spt_space *space, const char *name, const char *const *choices,
                              int32_t n, int32_t value)
{
    return add_choices(space, name, SPT_PARAMETER_ORDINAL, choices, n, value);
}

int32_t spt_space_add_bool(spt_space *space, const char *name, int32_t value)
{
    static const char *const choices[] = {"false", "true"};
    SPT__REQUIRE(space);
    SPT__TRY(spt__check_switch(value, "value", &space->ctx->err));
    return add_choices(space, name, SPT_PARAMETER_BOOL, choices, 2, value);
}

int32_t spt__space_group(spt_space *space, const char *name, const char *group, spt__err *e)
{
    SPT__TRY(spt__space_changeable(space, e));
    int32_t index = spt__space_index(space, name, e);
    SPT__TRY(index);
    if (group && group[0]) SPT__TRY(check_name("group", group, e));
    char *copy = spt__strdup(space->ctx, group ? group : "");
    if (!copy) return spt__nomem(e);
    spt__free(space->ctx, space->parameters[index].group);
    space->parameters[index].group = copy;
    return SPT_OK;
}

int32_t spt_space_set_group(spt_space *space, const char *name, const char *group)
{
    SPT__REQUIRE(space);
    return spt__space_group(space, name, group, &space->ctx->err);
}

/* ---- what there is to know ------------------------------------------------------------------- */

const char *spt_space_name(const spt_space *space)
{
    return space ? space->name : NULL;
}

int32_t spt_space_count(const spt_space *space)
{
    return space ? space->n : SPT_EINVAL;
}

int32_t spt_space_describe(const spt_space *space, int32_t index, spt_parameter_info *info)
{
    SPT__REQUIRE(space && info);
    /* No text in the context: a frozen space may be asked from any thread. */
    SPT__REQUIRE(index >= 0 && index < space->n);
    const spt__parameter *p = &space->parameters[index];
    spt_parameter_info ours = {
        .struct_size = sizeof ours,
        .type = p->type,
        .name = p->name,
        .group = p->group,
        .low = p->low,
        .high = p->high,
        .step = p->step,
        .value = p->value,
        .log = p->log,
        .n_choices = p->n_choices,
        .n_conditions = p->when.n,
        .parent = p->when.n ? p->when.items[0].parameter : -1,
    };
    return spt__record_out(info, &ours, sizeof ours);
}

const char *spt_space_choice(const spt_space *space, int32_t index, int32_t choice)
{
    if (!space || index < 0 || index >= space->n) return NULL;
    const spt__parameter *p = &space->parameters[index];
    return choice >= 0 && choice < p->n_choices ? p->choices[choice] : NULL;
}

static const char *terms_text(const spt__terms *terms)
{
    return terms->text ? terms->text : "";
}

const char *spt_space_condition(const spt_space *space, int32_t index)
{
    return space && index >= 0 && index < space->n ? terms_text(&space->parameters[index].when)
                                                   : NULL;
}

int32_t spt_space_forbidden_count(const spt_space *space)
{
    return space ? space->n_forbidden : SPT_EINVAL;
}

const char *spt_space_forbidden(const spt_space *space, int32_t index)
{
    return space && index >= 0 && index < space->n_forbidden ? terms_text(&space->forbidden[index])
                                                             : NULL;
}

/* One parameter in one line; without conditions two are the same if their lines are. */
static void print_line(const spt__parameter *p, spt__buf *b)
{
    static const char *const types[] = {"", "float", "int", "categorical", "ordinal", "bool"};
    spt__buf_puts(b, types[p->type]);
    if (p->n_choices) {
        for (int32_t i = 0; i < p->n_choices; i++) {
            spt__buf_puts(b, i ? ", " : " ");
            spt__buf_json(b, p->choices[i]);
        }
    } else {
        spt__buf_puts(b, " ");
        spt__parameter_print(p, p->low, b);
        spt__buf_puts(b, " to ");
        spt__parameter_print(p, p->high, b);
        if (p->step > 0) {
            spt__buf_puts(b, " by ");
            spt__buf_double(b, p->step);
        }
        if (p->log) spt__buf_puts(b, " log");
    }
    spt__buf_puts(b, ", default ");
    spt__parameter_print(p, p->value, b);
    if (p->group[0]) spt__buf_printf(b, ", group %s", p->group);
    if (p->when.n) spt__buf_printf(b, ", if %s", p->when.text);
}

/* Of two spaces whose parameters have the same names. */
static bool same_terms(const spt__terms *a, const spt__terms *b)
{
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++) {
        const spt__term *s = &a->items[i], *t = &b->items[i];
        if (s->parameter != t->parameter || s->op != t->op || s->n != t->n) return false;
        for (int32_t k = 0; k < s->n; k++)
            if (s->values[k] < t->values[k] || s->values[k] > t->values[k]) return false;
    }
    return true;
}

static bool same_parameter(const spt__parameter *a, const spt__parameter *b, spt__buf *why)
{
    spt__buf left, right;
    spt__buf_init(&left, why->ctx);
    spt__buf_init(&right, why->ctx);
    print_line(a, &left);
    print_line(b, &right);
    bool failed = left.failed || right.failed;
    bool same = !failed && left.size == right.size &&
                memcmp(left.data, right.data, left.size) == 0 && same_terms(&a->when, &b->when);
    if (failed)
        why->failed = true;
    else if (!same)
        spt__buf_printf(why, "parameter '%s' is %s; on record it is %s", a->name, left.data,
                        right.data);
    spt__buf_free(&left);
    spt__buf_free(&right);
    return same;
}

bool spt__space_same(const spt_space *a, const spt_space *b, spt__buf *why)
{
    if (a == b) return true;
    int32_t n = a->n < b->n ? a->n : b->n;
    for (int32_t i = 0; i < n; i++) {
        const char *mine = a->parameters[i].name, *theirs = b->parameters[i].name;
        if (strcmp(mine, theirs) == 0) continue;
        spt__buf_printf(why, "parameter '%s' stands where '%s' is on record", mine, theirs);
        return false;
    }
    if (a->n != b->n) {
        spt__buf_printf(why, "parameter '%s' is %s",
                        a->n > n ? a->parameters[n].name : b->parameters[n].name,
                        a->n > n ? "not on record" : "only on record");
        return false;
    }
    for (int32_t i = 0; i < n; i++)
        if (!same_parameter(&a->parameters[i], &b->parameters[i], why)) return false;
    int32_t clauses = a->n_forbidden > b->n_forbidden ? a->n_forbidden : b->n_forbidden;
    for (int32_t i = 0; i < clauses; i++) {
        if (i < a->n_forbidden && i < b->n_forbidden &&
            same_terms(&a->forbidden[i], &b->forbidden[i]))
            continue;
        const char *mine = spt_space_forbidden(a, i), *theirs = spt_space_forbidden(b, i);
        spt__buf_printf(why, "forbidden combination %d is '%s'; on record it is '%s'", i + 1,
                        mine ? mine : "none", theirs ? theirs : "none");
        return false;
    }
    return true;
}
