/* Search spaces as XML; the schema is doc/schemas/space.rng. */
#include "space.h"
#include "xml.h"
#include "../base/file.h"

#include <string.h>

static const spt__xml_rule rules[] = {
    {"space", "", "format name", ""},
    {"float", "space", "name low high default", "step log:false|true group"},
    {"int", "space", "name low high default", "step log:false|true group"},
    {"categorical", "space", "name default", "group"},
    {"ordinal", "space", "name default", "group"},
    {"bool", "space", "name default", "group"},
    {"forbidden", "space", "", ""},
    {"choice", "categorical ordinal", "", ""},
    {"when", "float int categorical ordinal bool", "parameter op:eq|ne|lt|le|gt|ge|in", "value"},
    {"term", "forbidden", "parameter op:eq|ne|lt|le|gt|ge|in", "value"},
    {"value", "when term", "", ""},
    {NULL, NULL, NULL, NULL},
};
static const spt__xml_kind space_kind = {"space", 1, spt__schema_space, 4000000, rules};

/* ---- writing --------------------------------------------------------------------------------- */

static void put_value(spt__buf *b, const char *name, const spt__parameter *p, double x)
{
    spt__buf_printf(b, " %s=\"", name);
    if (p->n_choices)
        spt__buf_xml(b, p->choices[(int32_t)x]);
    else
        spt__parameter_print(p, x, b);
    spt__buf_puts(b, "\"");
}

static void put_term(const spt_space *space, const char *element, const spt__term *t, spt__buf *b)
{
    const spt__parameter *p = &space->parameters[t->parameter];
    spt__buf_printf(b, "    <%s parameter=\"%s\" op=\"%s\"", element, p->name, spt__op_name(t->op));
    if (t->op != SPT_OP_IN) {
        put_value(b, "value", p, t->values[0]);
        spt__buf_puts(b, "/>\n");
        return;
    }
    spt__buf_puts(b, ">");
    for (int32_t i = 0; i < t->n; i++) {
        spt__buf_puts(b, "<value>");
        if (p->n_choices)
            spt__buf_xml(b, p->choices[(int32_t)t->values[i]]);
        else
            spt__parameter_print(p, t->values[i], b);
        spt__buf_puts(b, "</value>");
    }
    spt__buf_printf(b, "</%s>\n", element);
}

static const char *const elements[] = {"", "float", "int", "categorical", "ordinal", "bool"};

static void put_parameter(const spt_space *space, const spt__parameter *p, spt__buf *b)
{
    const char *element = elements[p->type];
    spt__buf_printf(b, "  <%s", element);
    spt__xml_put_attribute(b, "name", p->name);
    if (p->group[0]) spt__xml_put_attribute(b, "group", p->group);
    if (!p->n_choices) {
        put_value(b, "low", p, p->low);
        put_value(b, "high", p, p->high);
        if (p->type == SPT_PARAMETER_INT ? p->step > 1 : p->step > 0)
            put_value(b, "step", p, p->step);
        if (p->log) spt__buf_puts(b, " log=\"true\"");
    }
    put_value(b, "default", p, p->value);
    bool listed = p->n_choices && p->type != SPT_PARAMETER_BOOL;
    if (!listed && p->when.n == 0) {
        spt__buf_puts(b, "/>\n");
        return;
    }
    spt__buf_puts(b, ">\n");
    for (int32_t i = 0; listed && i < p->n_choices; i++) {
        spt__buf_puts(b, "    <choice>");
        spt__buf_xml(b, p->choices[i]);
        spt__buf_puts(b, "</choice>\n");
    }
    for (int32_t i = 0; i < p->when.n; i++)
        put_term(space, "when", &p->when.items[i], b);
    spt__buf_printf(b, "  </%s>\n", element);
}

void spt__space_print(const spt_space *space, spt__buf *b)
{
    spt__buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<space format=\"1\"");
    spt__xml_put_attribute(b, "name", space->name);
    spt__buf_puts(b, ">\n");
    for (int32_t i = 0; i < space->n; i++)
        put_parameter(space, &space->parameters[i], b);
    for (int32_t i = 0; i < space->n_forbidden; i++) {
        const spt__terms *clause = &space->forbidden[i];
        spt__buf_puts(b, "  <forbidden>\n");
        for (int32_t k = 0; k < clause->n; k++)
            put_term(space, "term", &clause->items[k], b);
        spt__buf_puts(b, "  </forbidden>\n");
    }
    spt__buf_puts(b, "</space>\n");
}

/* What could not be read again is not written. A frozen space was checked already. */
static int32_t writable(const spt_space *space, spt__err *e)
{
    bool frozen = atomic_load_explicit(&space->frozen, memory_order_acquire);
    return frozen ? SPT_OK : spt__space_check(space, e);
}

int32_t spt_space_xml(const spt_space *space, char *buffer, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(space);
    SPT__TRY(writable(space, &space->ctx->err));
    spt__buf b;
    spt__buf_init(&b, space->ctx);
    spt__space_print(space, &b);
    /* No text in the context: a frozen space may be asked from any thread. */
    int32_t status = b.failed ? SPT_ENOMEM : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}

int32_t spt_space_write(spt_ctx *ctx, const spt_space *space, const char *path)
{
    SPT__REQUIRE(ctx && space);
    SPT__TRY(writable(space, &ctx->err));
    spt__buf b;
    spt__buf_init(&b, ctx);
    spt__space_print(space, &b);
    int32_t status =
        b.failed ? spt__nomem(&ctx->err) : spt__file_write(ctx, path, b.data, b.size, &ctx->err);
    spt__buf_free(&b);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct {
    spt_space *space;
    const char *file;
    spt__err *e;
} reader;

/* Collect the texts of the children of one name; *list is released with spt__free. */
static int32_t read_list(const reader *r, const xmlNode *node, const char *child,
                         const char ***list, int32_t *n)
{
    int32_t count = 0;
    for (const xmlNode *c = spt__xml_first(node); c; c = spt__xml_next(c))
        count += spt__xml_is(c, child);
    *list = spt__alloc(r->space->ctx, (size_t)count, sizeof **list);
    *n = 0;
    if (!*list) return spt__nomem(r->e);
    for (const xmlNode *c = spt__xml_first(node); c; c = spt__xml_next(c)) {
        if (!spt__xml_is(c, child)) continue;
        const char *text = spt__xml_content(c);
        if (!text)
            return spt__fail(r->e, SPT_EFORMAT, "%s:%d: a comment within <%s>; put it outside",
                             r->file, spt__xml_line(c), child);
        (*list)[(*n)++] = text;
    }
    return SPT_OK;
}

/* <when> of `child`, or <term> when that is NULL. */
static int32_t read_term(const reader *r, const char *child, const xmlNode *node)
{
    const char *parameter = spt__xml_attribute(node, "parameter");
    const char *single = spt__xml_attribute(node, "value");
    int32_t op = spt__op_of(spt__xml_attribute(node, "op"));
    const char **values = NULL;
    int32_t n = 1, status = SPT_OK;
    if (op == SPT_OP_IN) status = read_list(r, node, "value", &values, &n);
    if (status == SPT_OK) {
        const char *const *list = values ? values : &single;
        status = child ? spt__space_condition_add(r->space, child, parameter, op, list, n, r->e)
                       : spt__space_forbid_term(r->space, parameter, op, list, n, r->e);
        if (status < 0) spt__xml_blame(r->e, r->file, node);
    }
    spt__free(r->space->ctx, values);
    return status < 0 ? r->e->status : SPT_OK;
}

/* A number of this parameter's type, from an attribute that may be missing. */
static int32_t read_number(const reader *r, const xmlNode *node, const char *name, int32_t type,
                           double *value)
{
    if (type == SPT_PARAMETER_FLOAT) return spt__xml_double(node, name, r->file, value, r->e);
    int64_t whole = (int64_t)*value;
    SPT__TRY(spt__xml_int64(node, name, r->file, &whole, r->e));
    *value = (double)whole;
    return SPT_OK;
}

static int32_t read_choices(const reader *r, const xmlNode *node, spt__parameter *p,
                            const char ***choices)
{
    if (p->type == SPT_PARAMETER_BOOL) {
        *choices = spt__alloc(r->space->ctx, 2, sizeof **choices);
        if (!*choices) return spt__nomem(r->e);
        (*choices)[0] = "false";
        (*choices)[1] = "true";
        p->n_choices = 2;
    } else {
        SPT__TRY(read_list(r, node, "choice", choices, &p->n_choices));
    }
    const char *value = spt__xml_attribute(node, "default");
    for (int32_t i = 0; i < p->n_choices; i++) {
        if (strcmp((*choices)[i], value) == 0) {
            p->value = i;
            return SPT_OK;
        }
    }
    return spt__fail(r->e, SPT_EFORMAT,
                     "%s:%d: parameter '%.64s': default '%.80s' is none of its choices", r->file,
                     spt__xml_line(node), p->name, value);
}

static int32_t read_parameter(const reader *r, const xmlNode *node)
{
    /* The name is only read: spt__space_add copies it. */
    const char *name = spt__xml_attribute(node, "name");
    spt__parameter p = {.name = (char *)(uintptr_t)name};
    for (int32_t type = SPT_PARAMETER_FLOAT; type <= SPT_PARAMETER_BOOL; type++)
        if (spt__xml_is(node, elements[type])) p.type = type;
    const char **choices = NULL;
    int32_t status;
    if (p.type == SPT_PARAMETER_FLOAT || p.type == SPT_PARAMETER_INT) {
        const char *log = spt__xml_attribute(node, "log");
        p.log = log && strstr(log, "true") != NULL;
        p.step = p.type == SPT_PARAMETER_INT;
        status = read_number(r, node, "low", p.type, &p.low);
        if (status == SPT_OK) status = read_number(r, node, "high", p.type, &p.high);
        if (status == SPT_OK) status = read_number(r, node, "step", p.type, &p.step);
        if (status == SPT_OK) status = read_number(r, node, "default", p.type, &p.value);
    } else {
        status = read_choices(r, node, &p, &choices);
    }
    if (status == SPT_OK) {
        status = spt__space_add(r->space, &p, choices, r->e);
        const char *group = spt__xml_attribute(node, "group");
        if (status == SPT_OK && group) status = spt__space_group(r->space, name, group, r->e);
        if (status < 0) status = spt__xml_blame(r->e, r->file, node);
    }
    spt__free(r->space->ctx, choices);
    for (const xmlNode *c = spt__xml_first(node); c && status == SPT_OK; c = spt__xml_next(c))
        if (spt__xml_is(c, "when")) status = read_term(r, name, c);
    return status;
}

static int32_t read_forbidden(const reader *r, const xmlNode *node)
{
    if (spt__space_forbid(r->space, r->e) < 0) return spt__xml_blame(r->e, r->file, node);
    for (const xmlNode *c = spt__xml_first(node); c; c = spt__xml_next(c))
        SPT__TRY(read_term(r, NULL, c));
    return SPT_OK;
}

static int32_t read_space(spt_ctx *ctx, const xmlDoc *doc, const char *file, spt_space **out)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    reader r = {NULL, file, &ctx->err};
    if (spt_space_new(ctx, spt__xml_attribute(root, "name"), &r.space) < 0)
        return spt__xml_blame(r.e, file, root);
    int32_t status = SPT_OK;
    for (const xmlNode *c = spt__xml_first(root); c && status == SPT_OK; c = spt__xml_next(c))
        status = spt__xml_is(c, "forbidden") ? read_forbidden(&r, c) : read_parameter(&r, c);
    if (status == SPT_OK && spt__space_check(r.space, r.e) < 0)
        status = spt__xml_blame(r.e, file, root);
    if (status < 0) {
        spt_space_free(r.space);
        return status;
    }
    *out = r.space;
    return SPT_OK;
}

int32_t spt_space_read(spt_ctx *ctx, const char *path, spt_space **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    xmlDocPtr doc;
    SPT__TRY(spt__xml_parse_file(ctx, path, &space_kind, &doc, &ctx->err));
    int32_t status = read_space(ctx, doc, path, out);
    xmlFreeDoc(doc);
    return status;
}

int32_t spt_space_read_memory(spt_ctx *ctx, const void *data, int64_t size, const char *name,
                              spt_space **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    if (!name) name = "space";
    if (!data || size < 0)
        return spt__fail(&ctx->err, SPT_EINVAL, "%s: %s", name,
                         data ? "the size is negative" : "the data is NULL");
    xmlDocPtr doc;
    SPT__TRY(spt__xml_parse_memory(data, (size_t)size, name, &space_kind, &doc, &ctx->err));
    int32_t status = read_space(ctx, doc, name, out);
    xmlFreeDoc(doc);
    return status;
}
