#include "text.h"

#include <string.h>

/* ---- UTF-8 --------------------------------------------------------------------------------- */

size_t spt__utf8_next(const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    if (!length) return 0;
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || length < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    /* Overlong forms, surrogates, beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool spt__is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = spt__utf8_next(text + i, length - i);
        if (!n) return false;
        i += n;
    }
    return true;
}

/* ---- buffers ------------------------------------------------------------------------------- */

void spt__buf_init(spt__buf *b, spt_ctx *ctx)
{
    *b = (spt__buf){.ctx = ctx};
}

void spt__buf_free(spt__buf *b)
{
    if (b->ctx) spt__free(b->ctx, b->data);
    b->data = NULL;
    b->size = b->capacity = 0;
}

/* Room for `more` bytes and the NUL. */
static bool reserve(spt__buf *b, size_t more)
{
    if (b->failed) return false;
    if (more < b->capacity - b->size) return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity - b->size <= more) {
        if (capacity > SIZE_MAX / 2) {
            b->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = spt__realloc(b->ctx, b->data, capacity, 1);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void spt__buf_put(spt__buf *b, const void *data, size_t size)
{
    if (!reserve(b, size)) return;
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void spt__buf_puts(spt__buf *b, const char *text)
{
    spt__buf_put(b, text, strlen(text));
}

void spt__buf_printf(spt__buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = spt__vformat(NULL, 0, format, args);
    va_end(args);
    if (!reserve(b, (size_t)length)) return;
    va_start(args, format);
    spt__vformat(b->data + b->size, (size_t)length + 1, format, args);
    va_end(args);
    b->size += (size_t)length;
}

void spt__buf_double(spt__buf *b, double value)
{
    char text[SPT__DOUBLE_CAPACITY];
    spt__buf_put(b, text, (size_t)spt__format_double(value, text));
}

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD, for bytes that are no UTF-8 */

void spt__buf_json(spt__buf *b, const char *text)
{
    if (!text) {
        spt__buf_puts(b, "null");
        return;
    }
    spt__buf_put(b, "\"", 1);
    for (size_t length = strlen(text); length;) {
        size_t n = spt__utf8_next(text, length);
        const unsigned char c = (unsigned char)*text;
        if (!n) {
            spt__buf_puts(b, replacement);
            n = 1;
        } else if (c == '"' || c == '\\') {
            const char escaped[2] = {'\\', *text};
            spt__buf_put(b, escaped, 2);
        } else if (c == '\n') {
            spt__buf_puts(b, "\\n");
        } else if (c == '\t') {
            spt__buf_puts(b, "\\t");
        } else if (c == '\r') {
            spt__buf_puts(b, "\\r");
        } else if (c < 0x20) {
            spt__buf_printf(b, "\\u%04x", (unsigned)c);
        } else {
            spt__buf_put(b, text, n);
        }
        text += n;
        length -= n;
    }
    spt__buf_put(b, "\"", 1);
}

static const char *xml_escape(const char *text, size_t n)
{
    const unsigned char c = (unsigned char)*text;
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    /* As numbers, else a reader turns them into blanks where they stand in an attribute. */
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        break;
    }
    /* XML 1.0 has no way to write the other controls, nor U+FFFE and U+FFFF. */
    if (n == 0 || c < 0x20) return replacement;
    if (n == 3 && memcmp(text, "\xef\xbf\xbe", 3) == 0) return replacement;
    if (n == 3 && memcmp(text, "\xef\xbf\xbf", 3) == 0) return replacement;
    return NULL;
}

void spt__buf_xml(spt__buf *b, const char *text)
{
    for (size_t length = text ? strlen(text) : 0; length;) {
        size_t n = spt__utf8_next(text, length);
        const char *escape = xml_escape(text, n);
        if (n == 0) n = 1;
        if (escape)
            spt__buf_puts(b, escape);
        else
            spt__buf_put(b, text, n);
        text += n;
        length -= n;
    }
}

char *spt__buf_take(spt__buf *b)
{
    spt__buf_put(b, "", 0);
    char *data = b->failed ? NULL : b->data;
    if (b->failed) spt__free(b->ctx, b->data);
    spt__buf_init(b, b->ctx);
    return data;
}

/* ---- names --------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool spt__same_text(const char *a, const char *b)
{
    if (!a || !b) return a == b;
    for (; *a && lower(*a) == lower(*b); a++, b++)
        ;
    return lower(*a) == lower(*b);
}

enum { NAME_MAX_BYTES = 64 };

/* What people mix up counts as the same: case, and the ways to join words. */
static char folded(char c)
{
    return c == '-' || c == ' ' || c == '.' ? '_' : lower(c);
}

/* Insertions, deletions, changes and swaps of neighbours that lead from a to b. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= nb; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const bool same = folded(a[i - 1]) == folded(b[j - 1]);
            size_t best = last[j - 1] + (same ? 0 : 1);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb];
}

static bool contains(const char *text, size_t length, const char *part, size_t part_length)
{
    for (size_t i = 0; i + part_length <= length; i++) {
        size_t j = 0;
        while (j < part_length && folded(text[i + j]) == folded(part[j]))
            j++;
        if (j == part_length) return true;
    }
    return false;
}

const char *spt__nearest(const char *name, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_cost = SIZE_MAX;
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length > NAME_MAX_BYTES) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = names[i] ? strlen(names[i]) : 0;
        if (other == 0 || other > NAME_MAX_BYTES) continue;
        size_t cost = distance(name, length, names[i], other);
        size_t longer = other > length ? other : length;
        size_t allowed = longer / 3 > 1 ? longer / 3 : 1;
        if (cost >= longer) continue;
        if (cost > allowed) {
            /* "rate" is no misspelling of "learning_rate", but it is what was meant. */
            if (length < 3 || !contains(names[i], other, name, length)) continue;
            cost += NAME_MAX_BYTES;
        }
        if (cost < best_cost) {
            best_cost = cost;
            best = names[i];
        }
    }
    return best;
}
