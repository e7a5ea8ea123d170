/* The one place that knows how to get a document safely out of libxml2. */
#include "xml.h"
#include "../base/file.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/threads.h>
#include <libxml/xmlerror.h>

#include <string.h>

/* ---- messages of libxml2 --------------------------------------------------------------------- */

/* The first thing that libxml2 said; what follows is mostly its echo. */
typedef struct {
    bool said, nomem;
    int32_t line;
    char text[256];
} complaint;

typedef struct {
    xmlStructuredErrorFunc handler;
    void *user;
} listener;

/* libxml2 2.12 made the record const. */
#if LIBXML_VERSION >= 21200
static void hear(void *user, const xmlError *error)
#else
static void hear(void *user, xmlError *error)
#endif
{
    complaint *c = user;
    if (!error || error->level < XML_ERR_ERROR) return;
    if (error->code == XML_ERR_NO_MEMORY) c->nomem = true;
    if (c->said) return;
    c->said = true;
    c->line = error->line;
    const char *text = error->message ? error->message : "not well-formed";
    size_t length = strcspn(text, "\n");
    while (length && (text[length - 1] == ' ' || text[length - 1] == '.'))
        length--;
    if (length >= sizeof c->text) length = sizeof c->text - 1;
    memcpy(c->text, text, length);
    c->text[length] = '\0';
}

/* Messages of this thread come to `c`, until `deafen`. */
static listener listen(complaint *c)
{
    listener before = {xmlStructuredError, xmlStructuredErrorContext};
    xmlSetStructuredErrorFunc(c, hear);
    return before;
}

static void deafen(listener before)
{
    xmlResetLastError();
    xmlSetStructuredErrorFunc(before.user, before.handler);
}

static int32_t tell(const complaint *c, const char *name, spt__err *e)
{
    if (c->nomem) return spt__nomem(e);
    return spt__fail(e, SPT_EFORMAT, "%s:%d: %s", name, c->line > 0 ? c->line : 1,
                     c->said ? c->text : "not well-formed");
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* Stands in for the handler of "<!DOCTYPE name": nothing of it is read. */
static void refuse_dtd(void *user, const xmlChar *name, const xmlChar *external, const xmlChar *id)
{
    (void)name;
    (void)external;
    (void)id;
    xmlParserCtxtPtr parser = user;
    *(bool *)parser->_private = true;
    xmlStopParser(parser);
}

static int32_t parse(const void *data, size_t size, const char *name, xmlDocPtr *out, spt__err *e)
{
    complaint c = {0};
    listener before = listen(&c);
    bool dtd = false;
    int32_t status = SPT_OK;
    xmlParserCtxtPtr parser = xmlNewParserCtxt();
    if (!parser) {
        deafen(before);
        return spt__nomem(e);
    }
    parser->_private = &dtd;
    parser->sax->internalSubset = refuse_dtd;
    xmlDocPtr doc = xmlCtxtReadMemory(parser, data, (int)size, NULL, "UTF-8",
                                      XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
    int32_t line = parser->input ? parser->input->line : 1;
    if (dtd)
        status = spt__fail(e, SPT_EFORMAT,
                           "%s:%d: a DTD (<!DOCTYPE ...>) is not read; leave it out", name, line);
    else if (!doc || !parser->wellFormed || c.said)
        status = tell(&c, name, e);
    if (status < 0 && doc) xmlFreeDoc(doc);
    xmlFreeParserCtxt(parser);
    deafen(before);
    *out = status < 0 ? NULL : doc;
    return status;
}

/* ---- checking -------------------------------------------------------------------------------- */

static int32_t check_root(const xmlDoc *doc, const char *name, const spt__xml_kind *kind,
                          spt__err *e)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (!root || !spt__xml_is(root, kind->root))
        return spt__fail(e, SPT_EFORMAT, "%s:%d: the root element is <%.60s>; <%s> is needed", name,
                         root ? spt__xml_line(root) : 1, root ? (const char *)root->name : "",
                         kind->root);
    int64_t format = 0;
    SPT__TRY(spt__xml_int64(root, "format", name, &format, e));
    if (format > kind->format)
        return spt__fail(e, SPT_EVERSION,
                         "%s:%d: format %lld is newer than this library; up to %d is read", name,
                         spt__xml_line(root), (long long)format, kind->format);
    return SPT_OK;
}

/* The part of a list up to the next blank. */
static size_t word(const char **list)
{
    *list += strspn(*list, " ");
    return strcspn(*list, " ");
}

/* The entry "name" or "name:choices" of a list; NULL if there is none. */
static const char *entry(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (size_t n; (n = word(&list)) > 0; list += n)
        if (n >= length && strncmp(list, name, length) == 0 && (n == length || list[length] == ':'))
            return list;
    return NULL;
}

/* Is the attribute's text among the choices of its entry, if it has any? */
static bool among(const char *choices, size_t length, const char *text)
{
    for (const char *c = choices; c < choices + length;) {
        size_t n = strcspn(c, "| ");
        if (n == strlen(text) && strncmp(c, text, n) == 0) return true;
        c += n + 1;
    }
    return false;
}

static int32_t check_attributes(const xmlNode *node, const char *name, const spt__xml_rule *rule,
                                spt__err *e)
{
    const char *element = rule->element;
    int32_t line = spt__xml_line(node);
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        const char *attribute = (const char *)a->name, *text = spt__xml_attribute(node, attribute);
        const char *known = entry(rule->needs, attribute);
        if (!known) known = entry(rule->takes, attribute);
        if (!known)
            return spt__fail(e, SPT_EFORMAT,
                             "%s:%d: <%s> has an unknown attribute '%.60s'; %s%s%s "
                             "are possible",
                             name, line, element, attribute, rule->needs, rule->takes[0] ? " " : "",
                             rule->takes);
        const char *choices = known + strlen(attribute);
        size_t length = strcspn(choices, " ");
        if (length > 0 && text && !among(choices + 1, length - 1, text))
            return spt__fail(e, SPT_EFORMAT, "%s:%d: %s of <%s> is '%.60s'; %.*s is possible", name,
                             line, attribute, element, text, (int)length - 1, choices + 1);
    }
    const char *list = rule->needs;
    for (size_t n; (n = word(&list)) > 0; list += n) {
        char attribute[32];
        spt__format(attribute, sizeof attribute, "%.*s", (int)strcspn(list, ": "), list);
        if (!spt__xml_attribute(node, attribute))
            return spt__fail(e, SPT_EFORMAT, "%s:%d: <%s> lacks the attribute '%s'", name, line,
                             element, attribute);
    }
    return SPT_OK;
}

/* Walk the elements in the order of the document until one breaks a rule. */
static int32_t check_rules(const xmlDoc *doc, const char *name, const spt__xml_rule *rules,
                           spt__err *e)
{
    const xmlNode *root = xmlDocGetRootElement(doc), *node = root;
    while (node) {
        const char *parent = node == root ? "" : (const char *)node->parent->name;
        const spt__xml_rule *rule = rules;
        while (rule->element && !(spt__xml_is(node, rule->element) &&
                                  (node == root || entry(rule->parents, parent))))
            rule++;
        if (!rule->element)
            return spt__fail(e, SPT_EFORMAT, "%s:%d: <%.60s> is not possible within <%.60s>", name,
                             spt__xml_line(node), (const char *)node->name, parent);
        SPT__TRY(check_attributes(node, name, rule, e));
        const xmlNode *next = spt__xml_first(node);
        while (!next && node != root) {
            next = spt__xml_next(node);
            if (!next) node = node->parent;
        }
        node = next;
    }
    return SPT_OK;
}

static int32_t check_schema(xmlDocPtr doc, const char *name, const spt__xml_kind *kind, spt__err *e)
{
    complaint c = {0};
    listener before = listen(&c);
    int32_t status = SPT_OK;
    int verdict = -1;
    /* The tables of types that all schemas share are made by the first one, without a lock of their
     * own; the library's lock is there once the parser was started. */
    xmlLockLibrary();
    xmlRelaxNGParserCtxtPtr source =
        xmlRelaxNGNewMemParserCtxt(kind->schema, (int)strlen(kind->schema));
    xmlRelaxNGPtr schema = source ? xmlRelaxNGParse(source) : NULL;
    xmlUnlockLibrary();
    xmlRelaxNGValidCtxtPtr valid = schema ? xmlRelaxNGNewValidCtxt(schema) : NULL;
    if (valid) verdict = xmlRelaxNGValidateDoc(valid, doc);
    if (!valid)
        status = c.said && !c.nomem
                     ? spt__fail(e, SPT_EINTERNAL, "the schema of <%s>: %s", kind->root, c.text)
                     : spt__nomem(e);
    else if (verdict != 0 && kind->rules)
        status = check_rules(doc, name, kind->rules, e);
    if (verdict != 0 && status == SPT_OK) status = tell(&c, name, e);
    xmlRelaxNGFreeValidCtxt(valid);
    xmlRelaxNGFree(schema);
    xmlRelaxNGFreeParserCtxt(source);
    deafen(before);
    return status;
}

int32_t spt__xml_parse_memory(const void *data, size_t size, const char *name,
                              const spt__xml_kind *kind, xmlDocPtr *out, spt__err *e)
{
    *out = NULL;
    if (size == 0)
        return spt__fail(e, SPT_EFORMAT, "%s:1: empty; <%s> is needed", name, kind->root);
    if (size > kind->most_bytes)
        return spt__fail(e, SPT_EFORMAT, "%s: %.1f MB; a <%s> of up to %.1f MB is read", name,
                         (double)size * 1e-6, kind->root, (double)kind->most_bytes * 1e-6);
    if (!spt__is_utf8(data, size))
        return spt__fail(e, SPT_EFORMAT, "%s:1: not UTF-8; save it in that encoding", name);
    xmlInitParser();
    xmlDocPtr doc;
    SPT__TRY(parse(data, size, name, &doc, e));
    int32_t status = check_root(doc, name, kind, e);
    if (status == SPT_OK) status = check_schema(doc, name, kind, e);
    if (status == SPT_OK)
        *out = doc;
    else
        xmlFreeDoc(doc);
    return status;
}

int32_t spt__xml_parse_file(spt_ctx *ctx, const char *path, const spt__xml_kind *kind,
                            xmlDocPtr *out, spt__err *e)
{
    *out = NULL;
    char *data;
    size_t size;
    SPT__TRY(spt__file_read(ctx, path, &data, &size, e));
    int32_t status = spt__xml_parse_memory(data, size, path, kind, out, e);
    spt__free(ctx, data);
    return status;
}

/* ---- walking --------------------------------------------------------------------------------- */

bool spt__xml_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static const xmlNode *element_from(const xmlNode *node)
{
    while (node && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

const xmlNode *spt__xml_first(const xmlNode *node)
{
    return element_from(node->children);
}

const xmlNode *spt__xml_next(const xmlNode *node)
{
    return element_from(node->next);
}

int32_t spt__xml_line(const xmlNode *node)
{
    int64_t line = xmlGetLineNo(node);
    return line > 0 && line < INT32_MAX ? (int32_t)line : 1;
}

/* The one text below a node. The parser makes one text of everything between two tags, references
 * to characters included; several nodes mean a comment or an instruction between them. */
static const char *only_text(const xmlNode *first)
{
    if (!first) return "";
    if (first->type != XML_TEXT_NODE || first->next) return NULL;
    return first->content ? (const char *)first->content : "";
}

const char *spt__xml_attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strcmp((const char *)a->name, name) == 0) return only_text(a->children);
    return NULL;
}

const char *spt__xml_content(const xmlNode *node)
{
    return only_text(node->children);
}

int32_t spt__xml_double(const xmlNode *node, const char *name, const char *file, double *value,
                        spt__err *e)
{
    const char *text = spt__xml_attribute(node, name);
    if (!text || spt__parse_double(text, strlen(text), '.', value)) return SPT_OK;
    return spt__fail(e, SPT_EFORMAT, "%s:%d: %s is '%.60s'; a number is needed", file,
                     spt__xml_line(node), name, text);
}

int32_t spt__xml_int64(const xmlNode *node, const char *name, const char *file, int64_t *value,
                       spt__err *e)
{
    const char *text = spt__xml_attribute(node, name);
    if (!text || spt__parse_int64(text, strlen(text), value)) return SPT_OK;
    return spt__fail(e, SPT_EFORMAT, "%s:%d: %s is '%.60s'; a whole number is needed", file,
                     spt__xml_line(node), name, text);
}

int32_t spt__xml_blame(spt__err *e, const char *file, const xmlNode *node)
{
    if (e->status == SPT_EINVAL || e->status == SPT_ENOTFOUND) e->status = SPT_EFORMAT;
    return spt__fail_prefix(e, "%s:%d: ", file, spt__xml_line(node));
}

void spt__xml_put_attribute(spt__buf *b, const char *name, const char *text)
{
    spt__buf_printf(b, " %s=\"", name);
    spt__buf_xml(b, text);
    spt__buf_puts(b, "\"");
}
