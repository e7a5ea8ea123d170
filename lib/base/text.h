/* Text: growable buffers, numbers without the locale, names that are nearly right. */
#ifndef SPT_LIB_BASE_TEXT_H
#define SPT_LIB_BASE_TEXT_H

#include "ctx.h"

/* A growable byte buffer, always NUL-terminated once anything was added. An allocation that fails
 * sets `failed`; later calls do nothing; look once at the end. */
typedef struct spt__buf {
    spt_ctx *ctx;
    char *data;
    size_t size, capacity;
    bool failed;
} spt__buf;

void spt__buf_init(spt__buf *b, spt_ctx *ctx);
void spt__buf_free(spt__buf *b);
void spt__buf_put(spt__buf *b, const void *data, size_t size);
void spt__buf_puts(spt__buf *b, const char *text);
void spt__buf_printf(spt__buf *b, const char *format, ...) SPT__PRINTF(2, 3);
/* Shortest decimal text that reads back as the same double ("0.1"); "NaN", "inf", "-inf". */
void spt__buf_double(spt__buf *b, double value);
/* JSON string with quotes and escapes; NULL gives null. */
void spt__buf_json(spt__buf *b, const char *text);
/* XML text or attribute content with the five escapes. Here as in JSON bytes that are no UTF-8 (in
 * XML also controls it has no form for) become U+FFFD. */
void spt__buf_xml(spt__buf *b, const char *text);
/* Hand the bytes over (release with spt__free); NULL when failed. */
char *spt__buf_take(spt__buf *b);

enum { SPT__DOUBLE_CAPACITY = 32 };
/* Shortest round-trip text, as in spt__buf_double; returns its length. */
int spt__format_double(double value, char out[SPT__DOUBLE_CAPACITY]);

/* snprintf for our formats (ctx.h), locale-free. Knows d i u o x X c s p e f g (and E F G) and %%,
 * flags, width and precision (also as '*'), hh h l ll z j t. The length returned is the whole
 * text's, also when it did not fit. */
int spt__vformat(char *out, size_t capacity, const char *format, va_list args);
int spt__format(char *out, size_t capacity, const char *format, ...) SPT__PRINTF(3, 4);

/* Read one number from text[0..length), correctly rounded, with `decimal` as the decimal mark.
 * The whole range must be a number (surrounding blanks and tabs allowed). No hex; inf and nan are
 * refused, as are numbers too large for a double; those too small become 0. */
bool spt__parse_double(const char *text, size_t length, char decimal, double *value);
bool spt__parse_int64(const char *text, size_t length, int64_t *value);

bool spt__same_text(const char *a, const char *b); /* ASCII case ignored */
bool spt__is_utf8(const char *text, size_t length);
/* Bytes of the character that text[0..length) starts with; 0 when that is no UTF-8 or length is 0.
 */
size_t spt__utf8_next(const char *text, size_t length);
/* The name of the list nearest to `name` (edit distance; else one that contains it), NULL if none
 * is near. */
const char *spt__nearest(const char *name, const char *const *names, size_t n);

#endif
