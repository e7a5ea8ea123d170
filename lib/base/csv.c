#include "csv.h"

#include <string.h>

/* ---- what kind of file it is ------------------------------------------------------------------
 */

static bool starts_with(const char *data, size_t size, const char *bytes, size_t n)
{
    return size >= n && memcmp(data, bytes, n) == 0;
}

static int32_t check_kind(const char *data, size_t size, spt__err *e)
{
    if (size == 0) return spt__fail(e, SPT_EFORMAT, "the file is empty");
    if (starts_with(data, size, "\xff\xfe", 2) || starts_with(data, size, "\xfe\xff", 2))
        return spt__fail(e, SPT_EFORMAT, "the text is UTF-16; save it as UTF-8");
    if (starts_with(data, size, "PK\x03\x04", 4) || starts_with(data, size, "\xd0\xcf\x11\xe0", 4))
        return spt__fail(e, SPT_EFORMAT,
                         "this is a spreadsheet or an archive, not text; save the table as CSV");
    const char *nul = memchr(data, 0, size);
    if (nul == NULL) return SPT_OK;
    if (size >= 2 && nul == data + 1)
        return spt__fail(e, SPT_EFORMAT,
                         "byte 1 is NUL: the text looks like UTF-16; save it as UTF-8");
    return spt__fail(e, SPT_EFORMAT, "byte %lld is NUL: this is not a text file",
                     (long long)(nul - data));
}

/* The candidates in the first two records, outside quotes. */
enum { N_DELIMITERS = 4 };
static const char delimiters[N_DELIMITERS] = {';', '\t', '|', ','};

/* Returns how many of the two records there are. */
static int count_delimiters(const char *data, size_t size, int64_t count[2][N_DELIMITERS])
{
    bool quoted = false, content = false;
    int record = 0;
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '\n' || c == '\r') {
            if (content && ++record == 2) return record;
            content = false;
            continue;
        }
        content = true;
        for (int d = 0; d < N_DELIMITERS; d++)
            count[record][d] += c == delimiters[d];
    }
    return record + content;
}

/* The most frequent one that stands equally often in both records; a comma gives way to one that
 * stands nearly as often, for then it is a decimal mark (n numbers have n commas, and n - 1
 * semicolons between them). Rows may have one more than the header: names of rows as R writes them.
 */
static char find_delimiter(const char *data, size_t size)
{
    int64_t count[2][N_DELIMITERS] = {{0}};
    int records = count_delimiters(data, size, count), best = -1;
    if (records == 1) memcpy(count[1], count[0], sizeof count[0]);
    for (int d = 0; d < N_DELIMITERS - 1; d++) {
        int64_t first = count[0][d], second = count[1][d];
        if (first == 0 || (second != first && second != first + 1)) continue;
        if (best < 0 || first > count[0][best]) best = d;
    }
    int64_t commas = count[0][N_DELIMITERS - 1], commas_below = count[1][N_DELIMITERS - 1];
    if (best < 0) return ',';
    bool comma_fits = commas > 0 && (commas_below == commas || commas_below == commas + 1);
    return comma_fits && commas > count[0][best] + 1 ? ',' : delimiters[best];
}

int32_t spt__csv_open(spt__csv *csv, spt_ctx *ctx, const char *data, size_t size, char delimiter,
                      spt__err *e)
{
    memset(csv, 0, sizeof *csv);
    csv->ctx = ctx;
    SPT__TRY(check_kind(data, size, e));
    if (starts_with(data, size, "\xef\xbb\xbf", 3)) {
        data += 3;
        size -= 3;
    }
    csv->at = data;
    csv->end = data + size;
    csv->line = 1;
    csv->latin1 = !spt__is_utf8(data, size);
    csv->delimiter = delimiter != 0 ? delimiter : find_delimiter(data, size);
    return SPT_OK;
}

void spt__csv_close(spt__csv *csv)
{
    spt__free(csv->ctx, csv->cells);
    csv->cells = NULL;
}

/* ---- records ----------------------------------------------------------------------------------
 */

static bool is_blank(const spt__csv *csv, char c)
{
    return (c == ' ' || c == '\t') && c != csv->delimiter;
}

/* Step over the line end that starts at `at`. */
static void next_line(spt__csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r') csv->at++;
    if (csv->at < csv->end && *csv->at == '\n') csv->at++;
    csv->line++;
}

/* The cell behind an opening quote, up to the delimiter or line end behind the closing one. */
static int32_t read_quoted(spt__csv *csv, spt__cell *cell, spt__err *e)
{
    int64_t opened = csv->line;
    const char *p = csv->at;
    cell->text = p;
    cell->quoted = true;
    for (;; p++) {
        if (p == csv->end)
            return spt__fail(e, SPT_EFORMAT, "line %lld, column %lld: a quote is never closed",
                             (long long)opened, (long long)(csv->n + 1));
        if (*p == '\n' || (*p == '\r' && (p + 1 == csv->end || p[1] != '\n'))) csv->line++;
        if (*p != '"') continue;
        if (p + 1 == csv->end || p[1] != '"') break;
        cell->doubled = true;
        p++;
    }
    cell->length = (size_t)(p - cell->text);
    for (p++; p < csv->end && is_blank(csv, *p); p++) {
    }
    csv->at = p;
    if (p == csv->end || *p == csv->delimiter || *p == '\n' || *p == '\r') return SPT_OK;
    return spt__fail(e, SPT_EFORMAT,
                     "line %lld, column %lld: text behind a closing quote; a quote inside quotes "
                     "is written twice",
                     (long long)csv->line, (long long)(csv->n + 1));
}

static void read_plain(spt__csv *csv, spt__cell *cell)
{
    const char *p = csv->at, *end = csv->end;
    const char delimiter = csv->delimiter;
    while (p < end && *p != delimiter && *p != '\n' && *p != '\r')
        p++;
    cell->text = csv->at;
    csv->at = p;
    while (p > cell->text && is_blank(csv, p[-1]))
        p--;
    cell->length = (size_t)(p - cell->text);
}

static spt__cell *next_cell(spt__csv *csv)
{
    if (csv->n == csv->capacity) {
        int64_t capacity = csv->capacity == 0 ? 64 : 2 * csv->capacity;
        spt__cell *more = spt__realloc(csv->ctx, csv->cells, (size_t)capacity, sizeof *more);
        if (more == NULL) return NULL;
        csv->cells = more;
        csv->capacity = capacity;
    }
    spt__cell *cell = &csv->cells[csv->n];
    memset(cell, 0, sizeof *cell);
    return cell;
}

/* One record, however empty. *content: some cell is not. */
static int32_t read_record(spt__csv *csv, bool *content, spt__err *e)
{
    csv->n = 0;
    csv->record_line = csv->line;
    *content = false;
    for (;;) {
        spt__cell *cell = next_cell(csv);
        if (cell == NULL) return spt__nomem(e);
        while (csv->at < csv->end && is_blank(csv, *csv->at))
            csv->at++;
        if (csv->at < csv->end && *csv->at == '"') {
            csv->at++;
            SPT__TRY(read_quoted(csv, cell, e));
        } else {
            read_plain(csv, cell);
        }
        *content = *content || cell->length > 0 || cell->quoted;
        csv->n++;
        if (csv->at == csv->end) return SPT_OK;
        if (*csv->at == csv->delimiter) {
            csv->at++;
            continue;
        }
        next_line(csv);
        return SPT_OK;
    }
}

int32_t spt__csv_next(spt__csv *csv, spt__err *e)
{
    bool content = false;
    while (!content) {
        if (csv->at == csv->end) return 0;
        SPT__TRY(read_record(csv, &content, e));
    }
    return 1;
}

void spt__csv_text(const spt__csv *csv, const spt__cell *cell, spt__buf *out)
{
    size_t from = 0; /* the first byte not yet put */
    for (size_t i = 0; i < cell->length && (cell->doubled || csv->latin1); i++) {
        uint8_t c = (uint8_t)cell->text[i];
        if (cell->doubled && c == '"') {
            spt__buf_put(out, cell->text + from, i + 1 - from);
            from = ++i + 1; /* past its twin */
        } else if (csv->latin1 && c >= 0x80) {
            const char bytes[2] = {(char)(0xc0 | (c >> 6)), (char)(0x80 | (c & 0x3f))};
            spt__buf_put(out, cell->text + from, i - from);
            spt__buf_put(out, bytes, 2);
            from = i + 1;
        }
    }
    spt__buf_put(out, cell->text + from, cell->length - from);
    spt__buf_put(out, "", 1);
}
