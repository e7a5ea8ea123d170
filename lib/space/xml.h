/* XML documents read safely: no network, no DTD, no entities, limits of libxml2 on, checked against
 * a RELAX NG schema that is part of the library, every message in one line with its line number.
 *
 * libxml2 keeps its own memory (not the context's allocator) and reports what it finds through a
 * handler per thread; the handler that the host had set is put back before a function returns. What
 * libxml2 sets up at first use (xmlInitParser, the type tables of schemas) is done under its own
 * library lock, so that several threads may read at once. xmlCleanupParser is the host's business.
 */
#ifndef SPT_LIB_SPACE_XML_H
#define SPT_LIB_SPACE_XML_H

#include "../base/text.h"

#include <libxml/tree.h>

/* What people get wrong in an element, told better than a grammar can. Lists are separated by
 * blanks; an attribute with choices is written "log:false|true". A table ends with a NULL element.
 */
typedef struct spt__xml_rule {
    const char *element;
    const char *parents; /* "" for the root */
    const char *needs;   /* attributes */
    const char *takes;   /* more attributes */
} spt__xml_rule;

/* What is read. */
typedef struct spt__xml_kind {
    const char *root;           /* element */
    int32_t format;             /* a larger attribute `format` of the root is SPT_EVERSION */
    const char *schema;         /* RELAX NG as text; must not use includes or externalRef */
    size_t most_bytes;          /* larger documents are refused; at most INT32_MAX */
    const spt__xml_rule *rules; /* asked when the schema refuses, for a better text; may be NULL */
} spt__xml_kind;

/* Schemas, embedded at build time (embed.py); doc/schemas holds them for people. */
extern const char spt__schema_space[];
extern const char spt__schema_config[];

/* Parse and check a whole document in memory. Release with xmlFreeDoc.
 * SPT_EFORMAT, SPT_EVERSION, SPT_ENOMEM; messages start with "NAME:LINE: ". */
int32_t spt__xml_parse_memory(const void *data, size_t size, const char *name,
                              const spt__xml_kind *kind, xmlDocPtr *out, spt__err *e);
/* The same from a file: also SPT_EIO. */
int32_t spt__xml_parse_file(spt_ctx *ctx, const char *path, const spt__xml_kind *kind,
                            xmlDocPtr *out, spt__err *e);

/* ---- walking a document that was checked; there are no namespaces ---- */

/* Is it the element of this name? */
bool spt__xml_is(const xmlNode *node, const char *name);
/* First child element, next sibling element; NULL if none. */
const xmlNode *spt__xml_first(const xmlNode *node);
const xmlNode *spt__xml_next(const xmlNode *node);
/* Line of a node, from 1. */
int32_t spt__xml_line(const xmlNode *node);
/* Value of an attribute, valid as long as the document; NULL if there is none. */
const char *spt__xml_attribute(const xmlNode *node, const char *name);
/* Text within an element, valid as long as the document; "" if none. Comments cut it, so that a
 * text broken by one is refused: NULL. */
const char *spt__xml_content(const xmlNode *node);

/* Numbers of attributes; a text that is none is SPT_EFORMAT with name and line. A missing attribute
 * leaves *value as it was. */
int32_t spt__xml_double(const xmlNode *node, const char *name, const char *file, double *value,
                        spt__err *e);
int32_t spt__xml_int64(const xmlNode *node, const char *name, const char *file, int64_t *value,
                       spt__err *e);

/* Put "FILE:LINE: " in front of the text in e and make the status SPT_EFORMAT, unless memory or
 * the library's own state is to blame. Returns the status. */
int32_t spt__xml_blame(spt__err *e, const char *file, const xmlNode *node);

/* ---- writing ---- */

/* ` name="text"`, escaped. */
void spt__xml_put_attribute(spt__buf *b, const char *name, const char *text);

#endif
