/* Numbers to text and back. Nothing here asks the locale: results of snprintf are put right
 * afterwards, and strtod only ever sees whole digits with an exponent, which have no decimal mark.
 */
#include "text.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- formatted text ------------------------------------------------------------------------ */

typedef struct {
    char *out;
    size_t capacity, length; /* length counts what did not fit, too */
} sink;

static void sink_put(sink *s, const char *text, size_t length)
{
    if (s->length + 1 < s->capacity) {
        size_t room = s->capacity - 1 - s->length;
        memcpy(s->out + s->length, text, length < room ? length : room);
    }
    s->length += length;
}

static void sink_fill(sink *s, char c, size_t count)
{
    for (; count > 0; count--)
        sink_put(s, &c, 1);
}

typedef struct {
    bool left, plus, blank, alternate, zero;
    int width, precision; /* precision -1: none given */
    char size;            /* 'H' for hh, 'L' for ll, else the letter or 0 */
    char conversion;
} directive;

static const char *read_directive(directive *d, const char *f, va_list *args)
{
    *d = (directive){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            d->left = true;
        else if (*f == '+')
            d->plus = true;
        else if (*f == ' ')
            d->blank = true;
        else if (*f == '#')
            d->alternate = true;
        else if (*f == '0')
            d->zero = true;
        else
            break;
    }
    if (*f == '*') {
        d->width = va_arg(*args, int);
        if (d->width < 0) {
            d->left = true;
            d->width = d->width > -INT32_MAX ? -d->width : 0;
        }
        f++;
    }
    for (; *f >= '0' && *f <= '9' && d->width < 100000; f++)
        d->width = 10 * d->width + (*f - '0');
    if (*f == '.') {
        f++;
        d->precision = 0;
        if (*f == '*') {
            d->precision = va_arg(*args, int);
            if (d->precision < 0) d->precision = -1;
            f++;
        }
        for (; *f >= '0' && *f <= '9' && d->precision < 100000; f++)
            d->precision = 10 * d->precision + (*f - '0');
    }
    if (*f && strchr("hlzjt", *f)) {
        d->size = *f++;
        if ((d->size == 'h' || d->size == 'l') && *f == d->size) {
            d->size = d->size == 'h' ? 'H' : 'L';
            f++;
        }
    }
    d->conversion = *f;
    return *f ? f + 1 : f;
}

/* Digits of a whole number; every width of integer arrives as 64 bits. */
static void put_integer(sink *s, const directive *d, bool negative, uint64_t value)
{
    const unsigned base = d->conversion == 'o'                           ? 8
                          : d->conversion == 'x' || d->conversion == 'X' ? 16
                                                                         : 10;
    const char *digits = d->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[72];
    size_t at = sizeof text;
    for (uint64_t v = value; v; v /= base)
        text[--at] = digits[v % base];
    size_t count = sizeof text - at;
    char lead[4];
    size_t leads = 0;
    if (d->conversion == 'd' || d->conversion == 'i') {
        if (negative || d->plus || d->blank) lead[leads++] = negative ? '-' : d->plus ? '+' : ' ';
    } else if (d->alternate && base == 16 && value) {
        lead[leads++] = '0';
        lead[leads++] = d->conversion;
    }
    size_t least = d->precision < 0 ? 1 : (size_t)d->precision;
    if (d->alternate && base == 8 && least <= count) least = count + 1;
    size_t zeros = count < least ? least - count : 0;
    size_t total = leads + zeros + count, width = (size_t)d->width;
    size_t pad = total < width ? width - total : 0;
    if (d->zero && !d->left && d->precision < 0) {
        zeros += pad;
        pad = 0;
    }
    if (!d->left) sink_fill(s, ' ', pad);
    sink_put(s, lead, leads);
    sink_fill(s, '0', zeros);
    sink_put(s, text + at, count);
    if (d->left) sink_fill(s, ' ', pad);
}

static void put_signed(sink *s, const directive *d, va_list *args)
{
    int64_t v = 0;
    switch (d->size) {
    case 'l':
        v = va_arg(*args, long);
        break;
    case 'L':
        v = va_arg(*args, long long);
        break;
    case 'z':
    case 't':
        v = va_arg(*args, ptrdiff_t);
        break;
    case 'j':
        v = va_arg(*args, intmax_t);
        break;
    default:
        v = va_arg(*args, int);
        if (d->size == 'h') v = (short)v;
        if (d->size == 'H') v = (signed char)v;
    }
    put_integer(s, d, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void put_unsigned(sink *s, const directive *d, va_list *args)
{
    uint64_t v = 0;
    switch (d->size) {
    case 'l':
        v = va_arg(*args, unsigned long);
        break;
    case 'L':
        v = va_arg(*args, unsigned long long);
        break;
    case 'z':
    case 't':
        v = va_arg(*args, size_t);
        break;
    case 'j':
        v = va_arg(*args, uintmax_t);
        break;
    default:
        v = va_arg(*args, unsigned);
        if (d->size == 'h') v = (unsigned short)v;
        if (d->size == 'H') v = (unsigned char)v;
    }
    put_integer(s, d, false, v);
}

/* What snprintf puts between the digits is the locale's decimal mark, one byte or several. */
static size_t without_locale(char *text)
{
    size_t to = 0;
    bool in_mark = false;
    for (const char *p = text; *p; p++) {
        bool ours = (*p >= '0' && *p <= '9') || strchr("+- eEinfaINFA", *p) != NULL;
        if (ours)
            text[to++] = *p;
        else if (!in_mark)
            text[to++] = '.';
        in_mark = !ours;
    }
    text[to] = '\0';
    return to;
}

static void put_double(sink *s, const directive *d, double v)
{
    /* Room for DBL_MAX as %f with the largest precision; the width is ours to fill. */
    enum { PRECISION_MAX = 100 };
    char text[512], format[8];
    size_t f = 0;
    format[f++] = '%';
    if (d->plus) format[f++] = '+';
    if (d->blank) format[f++] = ' ';
    if (d->alternate) format[f++] = '#';
    format[f++] = '.';
    format[f++] = '*';
    format[f++] = d->conversion;
    format[f] = '\0';
    snprintf(text, sizeof text, format, d->precision > PRECISION_MAX ? PRECISION_MAX : d->precision,
             v);
    size_t length = without_locale(text), width = (size_t)d->width;
    size_t pad = length < width ? width - length : 0;
    if (d->zero && !d->left && isfinite(v)) {
        size_t sign = strchr("+- ", text[0]) ? 1 : 0;
        sink_put(s, text, sign);
        sink_fill(s, '0', pad);
        sink_put(s, text + sign, length - sign);
        return;
    }
    if (!d->left) sink_fill(s, ' ', pad);
    sink_put(s, text, length);
    if (d->left) sink_fill(s, ' ', pad);
}

static void put_text(sink *s, const directive *d, const char *text)
{
    if (!text) text = "(null)";
    size_t length = d->precision < 0 ? strlen(text) : strnlen(text, (size_t)d->precision);
    size_t width = (size_t)d->width, pad = length < width ? width - length : 0;
    if (!d->left) sink_fill(s, ' ', pad);
    sink_put(s, text, length);
    if (d->left) sink_fill(s, ' ', pad);
}

/* False: not one of ours. Its argument cannot be skipped, so what follows cannot be read either. */
static bool put_directive(sink *s, directive *d, va_list *args)
{
    switch (d->conversion) {
    case 'd':
    case 'i':
        put_signed(s, d, args);
        break;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_unsigned(s, d, args);
        break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        put_double(s, d, va_arg(*args, double));
        break;
    case 'c': {
        const char c[2] = {(char)va_arg(*args, int), '\0'};
        d->precision = 1;
        put_text(s, d, c);
        break;
    }
    case 's':
        put_text(s, d, va_arg(*args, const char *));
        break;
    case 'p':
        d->conversion = 'x';
        d->alternate = true;
        put_integer(s, d, false, (uintptr_t)va_arg(*args, void *));
        break;
    case '%':
        sink_put(s, "%", 1);
        break;
    default:
        return false;
    }
    return true;
}

int spt__vformat(char *out, size_t capacity, const char *format, va_list args)
{
    sink s = {out, capacity, 0};
    va_list copy; /* a va_list parameter has no portable address */
    va_copy(copy, args);
    for (const char *f = format; *f;) {
        size_t plain = strcspn(f, "%");
        sink_put(&s, f, plain);
        f += plain;
        if (*f != '%') break;
        directive d;
        const char *next = read_directive(&d, f + 1, &copy);
        if (!put_directive(&s, &d, &copy)) {
            sink_put(&s, f, strlen(f));
            break;
        }
        f = next;
    }
    va_end(copy);
    if (capacity) out[s.length < capacity ? s.length : capacity - 1] = '\0';
    return s.length <= INT32_MAX ? (int)s.length : INT32_MAX;
}

int spt__format(char *out, size_t capacity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = spt__vformat(out, capacity, format, args);
    va_end(args);
    return length;
}

int spt__format_double(double value, char out[SPT__DOUBLE_CAPACITY])
{
    if (isnan(value)) return spt__format(out, SPT__DOUBLE_CAPACITY, "NaN");
    if (isinf(value)) return spt__format(out, SPT__DOUBLE_CAPACITY, value < 0 ? "-inf" : "inf");
    if (fabs(value) < 1e15 && value == floor(value) && !(value == 0 && signbit(value)))
        return spt__format(out, SPT__DOUBLE_CAPACITY, "%" PRId64, (int64_t)value);
    /* A normal double that has a text of up to 15 digits gets it back from %.15g; numbers below
     * that range carry fewer digits. */
    int length = 0;
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        double back = 0;
        length = spt__format(out, SPT__DOUBLE_CAPACITY, "%.*g", digits, value);
        if (digits == 17 || (spt__parse_double(out, (size_t)length, '.', &back) && back == value))
            break;
    }
    return length;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void trim(const char **text, size_t *length)
{
    while (*length && (**text == ' ' || **text == '\t')) {
        ++*text;
        --*length;
    }
    while (*length && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        --*length;
}

/* A decimal number: 0.d1d2d3... * 10^point, leading zeros gone. No double needs more than 767
 * digits to be told from its neighbours' midpoint; what comes after only counts as "more". */
enum { DIGITS_MAX = 780 };
typedef struct {
    bool negative, more;
    int digits;
    int64_t point;
    char digit[DIGITS_MAX];
} decimal_number;

static bool read_decimal(const char *p, const char *end, char mark, decimal_number *d)
{
    d->negative = d->more = false;
    d->digits = 0;
    d->point = 0;
    if (p < end && (*p == '+' || *p == '-')) d->negative = *p++ == '-';
    bool any = false, after_mark = false;
    for (; p < end; p++) {
        if (*p == mark && !after_mark) {
            after_mark = true;
            continue;
        }
        if (!is_digit(*p)) break;
        any = true;
        if (d->digits == 0 && *p == '0') {
            if (after_mark) d->point--;
            continue;
        }
        if (d->digits < DIGITS_MAX)
            d->digit[d->digits++] = *p;
        else if (*p != '0')
            d->more = true;
        if (!after_mark) d->point++;
    }
    if (!any) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool down = p < end && *p == '-';
        if (p < end && (*p == '+' || *p == '-')) p++;
        if (p == end) return false;
        int64_t exponent = 0;
        for (; p < end && is_digit(*p); p++)
            if (exponent < INT64_MAX / 16) exponent = 10 * exponent + (*p - '0');
        d->point += down ? -exponent : exponent;
    }
    return p == end;
}

/* Clinger: both factors and so the one rounding are exact. */
static bool fast_double(const decimal_number *d, double *value)
{
#if FLT_EVAL_METHOD == 0
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int64_t exponent = d->point - d->digits;
    if (d->digits > 16 || exponent < -22 || exponent > 22) return false;
    uint64_t whole = 0;
    for (int i = 0; i < d->digits; i++)
        whole = 10 * whole + (uint64_t)(d->digit[i] - '0');
    if (whole > (UINT64_C(1) << 53)) return false;
    *value = exponent < 0 ? (double)whole / power[-exponent] : (double)whole * power[exponent];
    return true;
#else
    (void)d;
    (void)value;
    return false;
#endif
}

bool spt__parse_double(const char *text, size_t length, char decimal, double *value)
{
    decimal_number d;
    trim(&text, &length);
    if (!read_decimal(text, text + length, decimal, &d)) return false;
    double v = 0;
    if (d.digits > 0 && !fast_double(&d, &v)) {
        char plain[DIGITS_MAX + 40];
        if (d.point > 400) return false;
        int64_t exponent = d.point < -400 ? -1500 : d.point - d.digits;
        memcpy(plain, d.digit, (size_t)d.digits);
        /* One more digit stands for all that were left out. */
        if (d.more) exponent--;
        spt__format(plain + d.digits, sizeof plain - (size_t)d.digits, "%se%d", d.more ? "1" : "",
                    (int)exponent);
        v = strtod(plain, NULL);
        if (isinf(v)) return false;
    }
    *value = d.negative ? -v : v;
    return true;
}

bool spt__parse_int64(const char *text, size_t length, int64_t *value)
{
    trim(&text, &length);
    bool negative = length && *text == '-';
    if (length && (*text == '-' || *text == '+')) {
        text++;
        length--;
    }
    if (!length) return false;
    const uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t v = 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i])) return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (v > (limit - digit) / 10) return false;
        v = 10 * v + digit;
    }
    if (!negative)
        *value = (int64_t)v;
    else
        *value = v == limit ? INT64_MIN : -(int64_t)v;
    return true;
}
