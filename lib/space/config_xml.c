/* Configurations as XML; the schema is doc/schemas/config.rng. */
#include "space.h"
#include "xml.h"
#include "../base/file.h"

#include <string.h>

static const spt__xml_rule rules[] = {
    {"config", "", "format", "space"},
    {"parameter", "config", "name value", ""},
    {NULL, NULL, NULL, NULL},
};
static const spt__xml_kind config_kind = {"config", 1, spt__schema_config, 4000000, rules};

void spt__config_print(const spt_config *config, spt__buf *b)
{
    spt__buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config format=\"1\"");
    spt__xml_put_attribute(b, "space", config->space->name);
    spt__buf_puts(b, ">\n");
    for (int32_t i = 0; i < config->space->n; i++) {
        if (isnan(config->value[i])) continue;
        const spt__parameter *p = &config->space->parameters[i];
        spt__buf_puts(b, "  <parameter");
        spt__xml_put_attribute(b, "name", p->name);
        spt__buf_puts(b, " value=\"");
        if (p->n_choices)
            spt__buf_xml(b, p->choices[(int32_t)config->value[i]]);
        else
            spt__parameter_print(p, config->value[i], b);
        spt__buf_puts(b, "\"/>\n");
    }
    spt__buf_puts(b, "</config>\n");
}

int32_t spt_config_xml(const spt_config *config, char *buffer, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(config);
    spt__buf b;
    spt__buf_init(&b, config->ctx);
    spt__config_print(config, &b);
    int32_t status =
        b.failed ? spt__nomem(&config->ctx->err) : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}

int32_t spt_config_write(spt_ctx *ctx, const spt_config *config, const char *path)
{
    SPT__REQUIRE(ctx && config);
    spt__buf b;
    spt__buf_init(&b, ctx);
    spt__config_print(config, &b);
    int32_t status =
        b.failed ? spt__nomem(&ctx->err) : spt__file_write(ctx, path, b.data, b.size, &ctx->err);
    spt__buf_free(&b);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The elements by index of their parameter; the order in the file is free. */
static int32_t collect(const spt_space *space, const xmlNode *root, const char *file,
                       const xmlNode **elements, spt__err *e)
{
    for (const xmlNode *c = spt__xml_first(root); c; c = spt__xml_next(c)) {
        const char *name = spt__xml_attribute(c, "name");
        int32_t index = spt__space_index(space, name, e);
        if (index < 0) return spt__xml_blame(e, file, c);
        if (elements[index])
            return spt__fail(e, SPT_EFORMAT, "%s:%d: parameter '%s' is set twice (line %d)", file,
                             spt__xml_line(c), name, spt__xml_line(elements[index]));
        elements[index] = c;
    }
    return SPT_OK;
}

static int32_t assign(spt_config *config, int32_t index, const xmlNode *element, const char *file,
                      spt__err *e)
{
    const spt__parameter *p = &config->space->parameters[index];
    bool exists = spt__space_exists(config->space, index, config->value);
    if (!element) {
        if (exists) config->value[index] = p->value;
        return SPT_OK;
    }
    if (!exists)
        return spt__fail(e, SPT_EFORMAT,
                         "%s:%d: parameter '%s' does not exist in this configuration; it needs "
                         "%.200s",
                         file, spt__xml_line(element), p->name, p->when.text);
    double x;
    if (spt__parameter_parse(p, spt__xml_attribute(element, "value"), &x, e) < 0 ||
        spt__parameter_accept(p, &x, e) < 0)
        return spt__xml_blame(e, file, element);
    config->value[index] = x;
    return SPT_OK;
}

static int32_t read_config(spt_config *config, const xmlDoc *doc, const char *file, spt__err *e)
{
    const spt_space *space = config->space;
    const xmlNode *root = xmlDocGetRootElement(doc);
    const char *belongs = spt__xml_attribute(root, "space");
    if (belongs && strcmp(belongs, space->name) != 0)
        return spt__fail(e, SPT_EMISMATCH,
                         "%s:%d: a configuration of space '%.64s'; one of '%s' "
                         "is needed",
                         file, spt__xml_line(root), belongs, space->name);
    const xmlNode **elements = spt__calloc(config->ctx, (size_t)space->n, sizeof *elements);
    if (!elements) return spt__nomem(e);
    int32_t status = collect(space, root, file, elements, e);
    for (int32_t i = 0; i < space->n && status == SPT_OK; i++)
        status = assign(config, i, elements[i], file, e);
    spt__free(config->ctx, elements);
    if (status == SPT_OK && spt_config_check(config) < 0) status = spt__xml_blame(e, file, root);
    return status;
}

/* Takes the document over. */
static int32_t new_config(spt_ctx *ctx, const spt_space *space, xmlDocPtr doc, const char *file,
                          spt_config **out)
{
    spt_config *config = NULL;
    int32_t status = spt__config_new_empty(ctx, space, &config, &ctx->err);
    if (status == SPT_OK) status = read_config(config, doc, file, &ctx->err);
    xmlFreeDoc(doc);
    if (status == SPT_OK)
        *out = config;
    else
        spt_config_free(config);
    return status;
}

int32_t spt_config_read(spt_ctx *ctx, const spt_space *space, const char *path, spt_config **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && space && out);
    xmlDocPtr doc;
    SPT__TRY(spt__xml_parse_file(ctx, path, &config_kind, &doc, &ctx->err));
    return new_config(ctx, space, doc, path, out);
}

int32_t spt_config_read_memory(spt_ctx *ctx, const spt_space *space, const void *data, int64_t size,
                               const char *name, spt_config **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && space && out);
    if (!name) name = "configuration";
    if (!data || size < 0)
        return spt__fail(&ctx->err, SPT_EINVAL, "%s: %s", name,
                         data ? "the size is negative" : "the data is NULL");
    xmlDocPtr doc;
    SPT__TRY(spt__xml_parse_memory(data, (size_t)size, name, &config_kind, &doc, &ctx->err));
    return new_config(ctx, space, doc, name, out);
}
