/* XML read as a stream of tags, for documents too large for a tree. Strict: no DTD, no entities of
 * its own, no network, no comments, and every element and attribute must be expected by somebody.
 *
 * The reader stands at a tag: at the start of an element, at its end, or behind the root's. */
#ifndef SPT_LIB_MODEL_STREAM_H
#define SPT_LIB_MODEL_STREAM_H

#include "../base/text.h"

#include <libxml/xmlreader.h>

typedef struct spt__in {
    spt_ctx *ctx; /* errors are told on it, as SPT_EFORMAT with "NAME:LINE: " in front */
    const char *name;
    xmlTextReaderPtr reader;
    size_t size; /* bytes of the document */
    bool start;  /* at a start tag */
    bool empty;  /* of an element that ends in it; its end tag is made up */
    bool text;   /* at the text within an element */
    bool over;   /* behind the root */
    bool nomem;
    char said[200]; /* the first complaint of libxml2 */
} spt__in;

/* At the root's start tag. `data` must stay as it is until the reader is closed. */
int32_t spt__in_open(spt__in *in, spt_ctx *ctx, const char *data, size_t size, const char *name);
void spt__in_close(spt__in *in);

int32_t spt__in_fail(const spt__in *in, const char *format, ...) SPT__PRINTF(2, 3);
/* Put file and line in front of the text that the context has, and make it SPT_EFORMAT unless
 * memory is to blame. Returns the status. */
int32_t spt__in_blame(const spt__in *in);

bool spt__in_at(const spt__in *in, const char *element); /* at its start tag */
/* The reader must stand at the start of `element`, which must have so many attributes. */
int32_t spt__in_expect(const spt__in *in, const char *element, int attributes);
int32_t spt__in_next(spt__in *in); /* to the next tag; nothing but blanks may lie between */
/* The reader must stand at the end of `element`; goes on. */
int32_t spt__in_end(spt__in *in, const char *element);
/* Of an element without content: from its start tag to behind its end tag. */
int32_t spt__in_leave(spt__in *in, const char *element);
/* The text of an element without children, from its start tag; spt__in_end() goes on. Valid until
 * then. */
int32_t spt__in_content(spt__in *in, const char **text, size_t *length);

/* Attributes of the element at whose start the reader stands. */
int spt__in_attributes(const spt__in *in);
int32_t spt__in_text(const spt__in *in, const char *name, char **out); /* spt__free() it */
int32_t spt__in_int(const spt__in *in, const char *name, int64_t *out);
int32_t spt__in_double(const spt__in *in, const char *name, double *out);
/* Index in a list of names that ends with NULL. */
int32_t spt__in_choice(const spt__in *in, const char *name, const char *const *names, int *out);

/* <element count="n"> of <piece>s with decimals, from its start tag to behind its end tag. Each is
 * finite. *values with spt__free(); NULL when it fails. */
int32_t spt__in_numbers(spt__in *in, const char *element, double **values, int64_t *n);

enum { SPT__IN_PIECE = 1000000 /* characters of a <piece> at most */ };

#endif
