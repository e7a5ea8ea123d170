/* Trials that try the configuration of another one again, and what comes of it: a search takes the
 * lowest of many losses, and the lowest of losses that chance has a part in is a lucky one. */
#include "rows.h"

#include <math.h>
#include <string.h>

/* An attribute that is a whole number, -1 without it. */
static int64_t number_at(const spt__row *row, const char *key)
{
    int64_t number;
    const char *text = spt__row_text(row, key);
    return text != NULL && spt__parse_int64(text, strlen(text), &number) ? number : -1;
}

int64_t spt__row_repeats(const spt__row *row)
{
    return number_at(row, SPT__REPEATS);
}

/* What was stopped comes again under another number but with that of its place in the queue, which
 * is the number of the one that came first. */
bool spt__row_asks_again(const spt__row *row)
{
    return spt__row_repeats(row) >= 0 && number_at(row, "queue") == row->number;
}

int64_t spt_history_repeated(const spt_history *h)
{
    int64_t n, found = 0;
    if (h == NULL) return SPT_EINVAL;
    const spt__row *const *rows = spt__history_rows(h, &n);
    for (int64_t i = 0; i < n; i++)
        found += spt__row_asks_again(rows[i]) && spt__row_text(rows[i], "refused") == NULL;
    return found;
}

int32_t spt_history_repeats(const spt_history *h, int64_t index, int64_t *count, double *mean,
                            double *sd)
{
    int64_t n, k = 0;
    double sum = 0, squares = 0;
    if (h == NULL || count == NULL) return SPT_EINVAL;
    const spt__row *const *rows = spt__history_rows(h, &n);
    if (index < 0 || index >= n) return SPT_EINVAL;
    for (int64_t i = 0; i < n; i++) {
        if (spt__row_repeats(rows[i]) != rows[index]->number) continue;
        if (rows[i]->state != SPT_TRIAL_COMPLETE || !isfinite(rows[i]->value)) continue;
        /* from the first value, so that large losses with small differences lose no digits */
        const double d = rows[i]->value - rows[index]->value;
        sum += d;
        squares += d * d;
        k++;
    }
    *count = k;
    const double level = k > 0 ? sum / (double)k : (double)NAN;
    if (mean != NULL) *mean = rows[index]->value + level;
    if (sd != NULL)
        *sd = k > 1 ? sqrt(fmax(0, squares - sum * level) / (double)(k - 1)) : (double)NAN;
    return SPT_OK;
}

int64_t spt_history_confirmed(const spt_history *h)
{
    int64_t n, best = -1, most = 1;
    double lowest = 0;
    SPT__REQUIRE(h != NULL);
    const spt__row *const *rows = spt__history_rows(h, &n);
    const double sign = spt__history_maximizes(h) ? -1 : 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t count = 0;
        double mean;
        if (rows[i]->state != SPT_TRIAL_COMPLETE || spt__row_repeats(rows[i]) >= 0) continue;
        (void)spt_history_repeats(h, i, &count, &mean, NULL);
        /* One whose repetitions were cut short is no match for the others. */
        if (count < most || (count == most && best >= 0 && !(sign * mean < lowest))) continue;
        most = count;
        lowest = sign * mean;
        best = i;
    }
    return best >= 0 ? best : spt_history_best(h);
}
