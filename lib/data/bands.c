#include "bands.h"

#include "../base/text.h"
#include "spectune/data.h"

#include <math.h>
#include <string.h>

/* ---- one header --------------------------------------------------------------------------------
 */

/* One way to read a header as PREFIX NUMBER SUFFIX, and the run of headers that ends with it. */
typedef struct reading {
    size_t prefix; /* its length */
    size_t behind; /* where the suffix starts */
    double position;
    int64_t length; /* headers in the run */
    int32_t order;  /* 1 ascending, -1 descending, 0 not known yet */
} reading;

/* More numbers than this in one header are not looked at. */
enum { READINGS = 6 };

typedef struct header {
    int n;
    reading readings[READINGS];
} header;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(const char *text, size_t at)
{
    while (is_digit(text[at]))
        at++;
    return at;
}

static void add_reading(header *h, const char *text, size_t from, size_t to, char mark)
{
    double position;
    if (h->n == READINGS || !spt__parse_double(text + from, to - from, mark, &position)) return;
    h->readings[h->n++] =
        (reading){.prefix = from, .behind = to, .position = position, .length = 1};
}

/* Where a number with an exponent ends ("1.1e+03"), or `at` when there is none. */
static size_t exponent(const char *text, size_t at)
{
    if (text[at] != 'e' && text[at] != 'E') return at;
    size_t from = at + 1;
    if (text[from] == '+' || text[from] == '-') from++;
    size_t to = digits(text, from);
    return to > from && text[to] == '\0' ? to : at;
}

/* Every number in a header is a candidate, the longest form first: "spc.400.5" is 400.5 behind
 * "spc.", and 5 behind "spc.400." */
static void read_header(header *h, const char *text, bool comma)
{
    h->n = 0;
    for (size_t at = 0; text[at] != '\0';) {
        if (!is_digit(text[at])) {
            at++;
            continue;
        }
        size_t whole = digits(text, at), end = whole;
        bool fraction =
            (text[whole] == '.' || (comma && text[whole] == ',')) && is_digit(text[whole + 1]);
        if (fraction) end = digits(text, whole + 1);
        char mark = fraction ? text[whole] : '.';
        if (exponent(text, end) > end)
            add_reading(h, text, at, exponent(text, end), mark);
        else
            add_reading(h, text, at, end, mark);
        if (fraction) add_reading(h, text, whole + 1, end, '.');
        at = end;
    }
}

static bool same_affixes(const char *a, const reading *ra, const char *b, const reading *rb)
{
    return ra->prefix == rb->prefix && memcmp(a, b, ra->prefix) == 0 &&
           strcmp(a + ra->behind, b + rb->behind) == 0;
}

/* Let a reading carry on the run of the header before it. */
static void join_run(const char *before, const header *h, const char *text, reading *r)
{
    for (int k = 0; k < h->n; k++) {
        const reading *left = &h->readings[k];
        if (!same_affixes(before, left, text, r) || left->position == r->position) continue;
        int32_t order = r->position > left->position ? 1 : -1;
        int64_t length = left->order == order || left->order == 0 ? left->length + 1 : 2;
        if (length <= r->length) continue;
        r->length = length;
        r->order = order;
    }
}

/* ---- runs ---------------------------------------------------------------------------------------
 */

static void copy_affix(char *out, const char *text, size_t length)
{
    if (length >= SPT__AFFIX_CAPACITY) length = SPT__AFFIX_CAPACITY - 1;
    while (length > 0 && !spt__is_utf8(text, length))
        length--;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* The longest run among headers that are not taken; the first of several. */
static const reading *longest(const header *read, int64_t n, const bool *taken, int64_t *at)
{
    const reading *best = NULL;
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < read[i].n; k++) {
            const reading *r = &read[i].readings[k];
            if (best != NULL && r->length <= best->length) continue;
            if (taken[i] || taken[i - r->length + 1]) continue;
            best = r;
            *at = i;
        }
    }
    return best;
}

/* The reading of header i with the same affixes, or NULL. */
static const reading *like(const char *const *headers, const header *read, int64_t i,
                           const char *text, const reading *r)
{
    for (int k = 0; k < read[i].n; k++)
        if (same_affixes(headers[i], &read[i].readings[k], text, r)) return &read[i].readings[k];
    return NULL;
}

static void describe_run(spt__run *run, const char *const *headers, const header *read,
                         int64_t last, const reading *r)
{
    run->first = last - r->length + 1;
    run->n = r->length;
    run->from = like(headers, read, run->first, headers[last], r)->position;
    run->to = r->position;
    copy_affix(run->prefix, headers[last], r->prefix);
    copy_affix(run->suffix, headers[last] + r->behind, strlen(headers[last] + r->behind));
}

/* Bands of the same name that touch the run but do not fit into it: a mistake in the file rather
 * than columns of another kind. `step` 1: behind the run, -1: before it. */
static int32_t check_edge(const char *const *headers, const header *read, int64_t n,
                          const spt__run *run, const char *text, const reading *r, int step,
                          spt__err *e)
{
    int64_t edge = step > 0 ? run->first + run->n - 1 : run->first, more = 0;
    double position = step > 0 ? run->to : run->from;
    for (int64_t i = edge + step; i >= 0 && i < n; i += step, more++) {
        const reading *other = like(headers, read, i, text, r);
        if (other == NULL) break;
        if (more == 0 && other->position == position)
            return spt__fail(e, SPT_EFORMAT, "columns %lld and %lld: band '%s' stands twice",
                             (long long)(edge + 1), (long long)(i + 1), headers[i]);
    }
    if (more < SPT__BANDS_LEAST) return SPT_OK;
    int64_t left = step > 0 ? edge : edge - 1;
    return spt__fail(e, SPT_EFORMAT,
                     "columns %lld and %lld: band '%s' is followed by '%s'; bands must be strictly "
                     "ascending or descending",
                     (long long)(left + 1), (long long)(left + 2), headers[left],
                     headers[left + 1]);
}

static int32_t fill_bands(spt__bands *bands, spt_ctx *ctx, const char *const *headers,
                          const header *read, int64_t n, bool *taken, spt__err *e)
{
    int64_t last = 0;
    const reading *r = longest(read, n, taken, &last);
    if (r == NULL || r->length < SPT__BANDS_LEAST) return SPT_OK;
    spt__run *run = &bands->run;
    describe_run(run, headers, read, last, r);
    SPT__TRY(check_edge(headers, read, n, run, headers[last], r, 1, e));
    SPT__TRY(check_edge(headers, read, n, run, headers[last], r, -1, e));
    bands->axis = spt__alloc(ctx, (size_t)run->n, sizeof *bands->axis);
    if (bands->axis == NULL) return spt__nomem(e);
    for (int64_t j = 0; j < run->n; j++) {
        bands->axis[j] = like(headers, read, run->first + j, headers[last], r)->position;
        taken[run->first + j] = true;
    }
    while (bands->n_surplus < SPT__MAX_SURPLUS) {
        r = longest(read, n, taken, &last);
        if (r == NULL || r->length < SPT__BANDS_SURPLUS) break;
        run = &bands->surplus[bands->n_surplus++];
        describe_run(run, headers, read, last, r);
        for (int64_t j = 0; j < run->n; j++)
            taken[run->first + j] = true;
    }
    return SPT_OK;
}

int32_t spt__bands_find(spt__bands *bands, spt_ctx *ctx, const char *const *headers, int64_t n,
                        bool comma, const char *prefix, spt__err *e)
{
    memset(bands, 0, sizeof *bands);
    int32_t status = SPT_ENOMEM;
    header *read = spt__calloc(ctx, (size_t)n, sizeof *read);
    bool *taken = spt__calloc(ctx, (size_t)n, sizeof *taken);
    if (read == NULL || taken == NULL) {
        (void)spt__nomem(e);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        if (strncmp(headers[i], prefix, strlen(prefix)) != 0) continue;
        read_header(&read[i], headers[i], comma);
        for (int k = 0; i > 0 && k < read[i].n; k++)
            join_run(headers[i - 1], &read[i - 1], headers[i], &read[i].readings[k]);
    }
    status = fill_bands(bands, ctx, headers, read, n, taken, e);
done:
    spt__free(ctx, read);
    spt__free(ctx, taken);
    if (status < 0) spt__bands_free(bands, ctx);
    return status;
}

void spt__bands_free(spt__bands *bands, spt_ctx *ctx)
{
    spt__free(ctx, bands->axis);
    memset(bands, 0, sizeof *bands);
}

/* ---- units --------------------------------------------------------------------------------------
 */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool in_word(char c)
{
    c = lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

bool spt__has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (size_t at = 0; text[at] != '\0'; at++) {
        if (at > 0 && in_word(text[at - 1])) continue;
        size_t k = 0;
        while (k < length && lower(text[at + k]) == word[k])
            k++;
        if (k == length && !in_word(text[at + k])) return true;
    }
    return false;
}

static bool has_any(const spt__run *run, const char *const *words)
{
    for (; *words != NULL; words++)
        if (spt__has_word(run->prefix, *words) || spt__has_word(run->suffix, *words)) return true;
    return false;
}

bool spt__bands_numbered(const spt__bands *bands)
{
    for (int64_t j = 0; j < bands->run.n; j++)
        if (bands->axis[j] != (double)(j + 1)) return false;
    return true;
}

int32_t spt__bands_unit(const spt__bands *bands, const char **why)
{
    /* the dashes are U+2212 and U+207B U+00B9; the letters mu U+00B5 and U+03BC */
    static const char *const cm1[] = {"cm-1",
                                      "cm^-1",
                                      "1/cm",
                                      "cm1",
                                      "cm\xe2\x88\x92"
                                      "1",
                                      "cm\xe2\x81\xbb\xc2\xb9",
                                      "wn",
                                      "wavenumber",
                                      "wavenumbers",
                                      NULL};
    static const char *const um[] = {"um", "\xc2\xb5m", "\xce\xbcm", "micron", "microns", NULL};
    static const char *const nm[] = {"nm", "nanometer", "nanometers", NULL};
    static const char *const length[] = {"wl", "wavelength", "lambda", NULL};
    static const char *const short_wave[] = {"vis", "visnir", "vnir", "swir", "nir", NULL};
    static const char *const mid[] = {"mir", "ftir", NULL};
    const spt__run *run = &bands->run;
    double low = fmin(run->from, run->to), high = fmax(run->from, run->to);
    if (spt__bands_numbered(bands)) return SPT_AXIS_UNKNOWN;
    *why = "by its headers";
    if (has_any(run, cm1)) return SPT_AXIS_CM1;
    if (has_any(run, nm)) return SPT_AXIS_NM;
    if (has_any(run, um)) return SPT_AXIS_UM;
    if (has_any(run, length)) return high <= 30 ? SPT_AXIS_UM : SPT_AXIS_NM;
    if (has_any(run, short_wave) && low >= 190 && high <= 2600) return SPT_AXIS_NM;
    if (has_any(run, mid) && high > 100 && high <= 12500) return SPT_AXIS_CM1;
    *why = "by its range";
    if (run->from < run->to && low >= 190 && high <= 2600) return SPT_AXIS_NM;
    if (run->from < run->to && low >= 0.19 && high <= 30) return SPT_AXIS_UM;
    return SPT_AXIS_UNKNOWN;
}
