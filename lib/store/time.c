/* Times as tables hold them: "YYYY-MM-DD HH:MM:SS.ffffff", UTC. */
#include "image.h"

#include <string.h>

enum { SECONDS = 19 }; /* characters without the fraction */

/* Days from 1970-01-01 of a date of the Gregorian calendar, as every four hundred years have as
 * many; the year begins with March, so that the day that may be missing is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2) year--;
    const int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* `n` digits and nothing else. */
static bool digits(const char *text, size_t n, int64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *value = 10 * *value + (text[i] - '0');
    }
    return true;
}

bool spt__time_of(const char *text, int64_t *microseconds)
{
    static const struct {
        size_t n;
        int64_t low, high;
        char after;
    } parts[] = {{4, 1, 9999, '-'}, {2, 1, 12, '-'}, {2, 1, 31, ' '},
                 {2, 0, 23, ':'},   {2, 0, 59, ':'}, {2, 0, 59, '\0'}};
    int64_t part[6], fraction = 0;
    if (strlen(text) < SECONDS) return false;
    for (int i = 0; i < 6; i++) {
        if (!digits(text, parts[i].n, &part[i]) || part[i] < parts[i].low ||
            part[i] > parts[i].high)
            return false;
        text += parts[i].n;
        if (i == 2 && *text == 'T')
            text++;
        else if (i < 5 && *text++ != parts[i].after)
            return false;
    }
    const size_t n = *text == '.' ? strlen(++text) : 0;
    if (*text != '\0' && (n < 1 || n > 6 || !digits(text, n, &fraction))) return false;
    for (size_t i = n; i < 6; i++)
        fraction *= 10;
    const int64_t days = days_of(part[0], part[1], part[2]);
    *microseconds = (((days * 24 + part[3]) * 60 + part[4]) * 60 + part[5]) * 1000000 + fraction;
    return true;
}

char *spt__time_full(spt_ctx *ctx, const char *text)
{
    static const char none[] = ".000000";
    int64_t ignored;
    if (!spt__time_of(text, &ignored)) return spt__strdup(ctx, text);
    const size_t length = strlen(text);
    char *full = spt__alloc(ctx, SECONDS + sizeof none, 1);
    if (full == NULL) return NULL;
    memcpy(full, text, length);
    full[10] = ' ';
    memcpy(full + length, none + (length - SECONDS), sizeof none - (length - SECONDS));
    return full;
}
