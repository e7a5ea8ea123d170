#include "stream.h"

#include <libxml/parser.h>
#include <limits.h>
#include <string.h>

/* ---- messages ------------------------------------------------------------------------------ */

static int line_of(const spt__in *in)
{
    int line = in->reader ? xmlTextReaderGetParserLineNumber(in->reader) : 1;
    return line > 0 ? line : 1;
}

int32_t spt__in_fail(const spt__in *in, const char *format, ...)
{
    char text[SPT__ERROR_CAPACITY];
    va_list args;
    va_start(args, format);
    spt__vformat(text, sizeof text, format, args);
    va_end(args);
    return spt__fail(&in->ctx->err, SPT_EFORMAT, "%s:%d: %s", in->name, line_of(in), text);
}

int32_t spt__in_blame(const spt__in *in)
{
    spt__err *e = &in->ctx->err;
    if (e->status == SPT_ENOMEM || e->status == SPT_EINTERNAL) return e->status;
    e->status = SPT_EFORMAT;
    return spt__fail_prefix(e, "%s:%d: ", in->name, line_of(in));
}

#if LIBXML_VERSION >= 21200
static void hear(void *user, const xmlError *error)
#else
static void hear(void *user, xmlError *error)
#endif
{
    spt__in *in = user;
    if (!error || error->level < XML_ERR_ERROR) return;
    if (error->code == XML_ERR_NO_MEMORY) in->nomem = true;
    if (in->said[0]) return;
    const char *text = error->message ? error->message : "not well-formed";
    size_t length = strcspn(text, "\n");
    if (length >= sizeof in->said) length = sizeof in->said - 1;
    memcpy(in->said, text, length);
    in->said[length] = '\0';
}

static int32_t not_well_formed(const spt__in *in)
{
    if (in->nomem) return spt__nomem(&in->ctx->err);
    return spt__in_fail(in, "%s", in->said[0] ? in->said : "not well-formed");
}

/* ---- steps --------------------------------------------------------------------------------- */

int32_t spt__in_open(spt__in *in, spt_ctx *ctx, const char *data, size_t size, const char *name)
{
    *in = (spt__in){.ctx = ctx, .name = name, .size = size};
    if (size > INT_MAX)
        return spt__fail(&ctx->err, SPT_EFORMAT, "%s: %zu bytes; up to %d are read", name, size,
                         INT_MAX);
    xmlInitParser();
    in->reader = xmlReaderForMemory(data, (int)size, NULL, "UTF-8", XML_PARSE_NONET);
    if (!in->reader) return spt__nomem(&ctx->err);
    xmlTextReaderSetStructuredErrorHandler(in->reader, hear, in);
    return spt__in_next(in);
}

void spt__in_close(spt__in *in)
{
    if (in->reader) xmlFreeTextReader(in->reader);
    in->reader = NULL;
}

/* The next event that is more than blanks between tags, as libxml2 numbers them; 0 at the end. */
static int32_t step(spt__in *in, int *type)
{
    for (;;) {
        int got = xmlTextReaderRead(in->reader);
        if (got < 0 || in->said[0] || in->nomem) return not_well_formed(in);
        *type = got == 0 ? 0 : xmlTextReaderNodeType(in->reader);
        if (*type != XML_READER_TYPE_WHITESPACE && *type != XML_READER_TYPE_SIGNIFICANT_WHITESPACE)
            return SPT_OK;
    }
}

static const char *node_name(const spt__in *in)
{
    const char *name = (const char *)xmlTextReaderConstName(in->reader);
    return name ? name : "";
}

int32_t spt__in_next(spt__in *in)
{
    int type = 0;
    if (in->over) return spt__in_fail(in, "the document ends here");
    if (in->start && in->empty) { /* <x/> is <x></x> */
        in->start = false;
        return SPT_OK;
    }
    SPT__TRY(step(in, &type));
    in->start = type == XML_READER_TYPE_ELEMENT;
    in->empty = in->start && xmlTextReaderIsEmptyElement(in->reader) == 1;
    in->over = type == 0;
    if (in->start || in->over || type == XML_READER_TYPE_END_ELEMENT) return SPT_OK;
    if (type == XML_READER_TYPE_TEXT) return spt__in_fail(in, "text stands between the elements");
    return spt__in_fail(in, "only elements are read: no DTD, no comments, no instructions");
}

bool spt__in_at(const spt__in *in, const char *element)
{
    return in->start && strcmp(node_name(in), element) == 0;
}

int spt__in_attributes(const spt__in *in)
{
    return xmlTextReaderAttributeCount(in->reader);
}

int32_t spt__in_expect(const spt__in *in, const char *element, int attributes)
{
    if (!spt__in_at(in, element))
        return spt__in_fail(in, "<%s%.60s> stands where <%s> is needed", in->start ? "" : "/",
                            in->over ? "" : node_name(in), element);
    if (spt__in_attributes(in) != attributes)
        return spt__in_fail(in, "<%s> has %d attributes; %d are needed", element,
                            spt__in_attributes(in), attributes);
    return SPT_OK;
}

int32_t spt__in_end(spt__in *in, const char *element)
{
    if (in->text) { /* behind it */
        in->text = false;
        SPT__TRY(spt__in_next(in));
    }
    if (in->over || in->start || strcmp(node_name(in), element) != 0)
        return spt__in_fail(in, "<%s%.60s> stands where </%s> is needed", in->start ? "" : "/",
                            in->over ? "" : node_name(in), element);
    return spt__in_next(in);
}

int32_t spt__in_leave(spt__in *in, const char *element)
{
    SPT__TRY(spt__in_next(in));
    return spt__in_end(in, element);
}

int32_t spt__in_content(spt__in *in, const char **text, size_t *length)
{
    *text = "";
    *length = 0;
    in->start = false;
    if (in->empty) return SPT_OK;
    int got = xmlTextReaderRead(in->reader);
    if (got < 1 || in->said[0] || in->nomem) return not_well_formed(in);
    int type = xmlTextReaderNodeType(in->reader);
    if (type == XML_READER_TYPE_END_ELEMENT) return SPT_OK;
    if (type != XML_READER_TYPE_TEXT && type != XML_READER_TYPE_WHITESPACE &&
        type != XML_READER_TYPE_SIGNIFICANT_WHITESPACE)
        return spt__in_fail(in, "an element or something else stands where text is needed");
    in->text = true;
    const char *value = (const char *)xmlTextReaderConstValue(in->reader);
    *text = value ? value : "";
    *length = strlen(*text);
    return SPT_OK;
}

/* ---- attributes ---------------------------------------------------------------------------- */

int32_t spt__in_text(const spt__in *in, const char *name, char **out)
{
    *out = NULL;
    xmlChar *value = xmlTextReaderGetAttribute(in->reader, (const xmlChar *)name);
    if (!value) return spt__in_fail(in, "<%.60s> lacks the attribute %s", node_name(in), name);
    *out = spt__strdup(in->ctx, (const char *)value);
    xmlFree(value);
    return *out ? SPT_OK : spt__nomem(&in->ctx->err);
}

int32_t spt__in_int(const spt__in *in, const char *name, int64_t *out)
{
    char *text = NULL;
    SPT__TRY(spt__in_text(in, name, &text));
    int32_t status = SPT_OK;
    if (!spt__parse_int64(text, strlen(text), out))
        status = spt__in_fail(in, "%s is '%.40s'; a whole number is needed", name, text);
    spt__free(in->ctx, text);
    return status;
}

int32_t spt__in_double(const spt__in *in, const char *name, double *out)
{
    char *text = NULL;
    SPT__TRY(spt__in_text(in, name, &text));
    int32_t status = SPT_OK;
    if (!spt__parse_double(text, strlen(text), '.', out))
        status = spt__in_fail(in, "%s is '%.40s'; a number is needed", name, text);
    spt__free(in->ctx, text);
    return status;
}

int32_t spt__in_choice(const spt__in *in, const char *name, const char *const *names, int *out)
{
    char *text = NULL;
    SPT__TRY(spt__in_text(in, name, &text));
    int32_t status = SPT_OK;
    for (*out = 0; names[*out]; ++*out)
        if (strcmp(names[*out], text) == 0) break;
    if (!names[*out])
        status =
            spt__in_fail(in, "%s is '%.40s'; one such as '%s' is needed", name, text, names[0]);
    spt__free(in->ctx, text);
    return status;
}

/* ---- lists of numbers ---------------------------------------------------------------------- */

static int32_t read_piece(spt__in *in, double *values, int64_t n, int64_t *used)
{
    const char *text = NULL;
    size_t length = 0;
    SPT__TRY(spt__in_expect(in, "piece", 0));
    SPT__TRY(spt__in_content(in, &text, &length));
    if (length > SPT__IN_PIECE)
        return spt__in_fail(in, "a piece of %zu characters; up to %d are read", length,
                            (int)SPT__IN_PIECE);
    while (*text) {
        size_t word = strcspn(text, " ");
        if (*used == n) return spt__in_fail(in, "more than %lld numbers", (long long)n);
        if (!spt__parse_double(text, word, '.', &values[*used]))
            return spt__in_fail(in, "'%.*s' stands where a number is needed",
                                word > 40 ? 40 : (int)word, text);
        ++*used;
        text += word + (text[word] == ' ');
    }
    return spt__in_end(in, "piece");
}

int32_t spt__in_numbers(spt__in *in, const char *element, double **values, int64_t *n)
{
    *values = NULL;
    *n = 0;
    int64_t count = 0, used = 0;
    SPT__TRY(spt__in_expect(in, element, 1));
    SPT__TRY(spt__in_int(in, "count", &count));
    /* A number takes two characters at least. */
    if (count < 1 || (uint64_t)count > in->size / 2)
        return spt__in_fail(in, "<%s> has a count of %lld, which the document cannot hold", element,
                            (long long)count);
    double *list = spt__alloc(in->ctx, (size_t)count, sizeof *list);
    if (!list) return spt__nomem(&in->ctx->err);
    int32_t status = spt__in_next(in);
    while (status >= 0 && spt__in_at(in, "piece"))
        status = read_piece(in, list, count, &used);
    if (status >= 0 && used != count)
        status = spt__in_fail(in, "<%s> has %lld numbers; %lld are announced", element,
                              (long long)used, (long long)count);
    if (status >= 0) status = spt__in_end(in, element);
    if (status < 0) {
        spt__free(in->ctx, list);
        return status;
    }
    *values = list;
    *n = count;
    return SPT_OK;
}
