/* What a proposal saw: on record where it is not plain, and the proposal made anew from it. */
#include "study.h"

#include "../space/space.h"

#include <stdlib.h>
#include <string.h>

bool spt__sight_unusual(const spt__entry *entries, int64_t n, int64_t sequence)
{
    if (n != sequence) return true;
    for (int64_t i = 0; i < n; i++)
        if (!entries[i].finished || entries[i].sequence != i) return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* "0-4 7 9-10" */
static void print_ranges(spt__buf *b, int64_t *numbers, int64_t n)
{
    qsort(numbers, (size_t)n, sizeof *numbers, by_number);
    spt__buf_puts(b, "\"");
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && numbers[j] == numbers[j - 1] + 1; j++) {
        }
        spt__buf_printf(b, "%s%lld", i > 0 ? " " : "", (long long)numbers[i]);
        if (j > i + 1) spt__buf_printf(b, "-%lld", (long long)numbers[j - 1]);
    }
    spt__buf_puts(b, "\"");
}

int32_t spt__sight_print(spt_ctx *ctx, const spt__entry *entries, int64_t n, spt__buf *saw,
                         spt__buf *pending)
{
    int64_t *numbers = spt__alloc(ctx, (size_t)n, sizeof *numbers);
    if (numbers == NULL) return spt__nomem(&ctx->err);
    for (int finished = 0; finished < 2; finished++) {
        int64_t used = 0;
        for (int64_t i = 0; i < n; i++)
            if (entries[i].finished == (finished == 1)) numbers[used++] = entries[i].row->number;
        print_ranges(finished ? saw : pending, numbers, used);
    }
    spt__free(ctx, numbers);
    return saw->failed || pending->failed ? spt__nomem(&ctx->err) : SPT_OK;
}

/* Is the number in a list that print_ranges() made? */
static bool in_ranges(const char *text, int64_t number)
{
    while (*text != '\0') {
        int64_t from = 0, to = 0;
        const size_t length = strcspn(text, " "), dash = strcspn(text, " -");
        if (!spt__parse_int64(text, dash, &from)) return false;
        to = from;
        if (dash < length && !spt__parse_int64(text + dash + 1, length - dash - 1, &to))
            return false;
        if (number >= from && number <= to) return true;
        text += length + strspn(text + length, " ");
    }
    return false;
}

const char *spt__row_attribute(const spt__row *row, const char *key)
{
    for (int64_t i = 0; i < row->n_attrs; i++)
        if (strcmp(row->attrs[i].key, key) == 0) return row->attrs[i].text;
    return NULL;
}

/* The entries that trial `row` saw. */
static int64_t recall(const spt_study *s, const spt__row *row, spt__entry *entries)
{
    const char *saw = spt__row_attribute(row, "saw"), *pending = spt__row_attribute(row, "pending");
    const int64_t sequence = spt__row_sequence(row);
    int64_t n, used = 0;
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t other = spt__row_sequence(rows[i]);
        bool finished = saw != NULL ? in_ranges(saw, rows[i]->number)
                                    : spt__row_counts(rows[i]) && other < sequence;
        if (!finished && (pending == NULL || !in_ranges(pending, rows[i]->number))) continue;
        entries[used++] = (spt__entry){rows[i], other, finished};
    }
    spt__entries_sort(entries, used);
    return used;
}

static int32_t replay(spt_study *s, int64_t number, spt_config **out)
{
    int64_t n;
    SPT__TRY(spt__study_refresh(s));
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    if (number < 0 || number >= n)
        return spt__fail(&s->ctx->err, SPT_ENOTFOUND, "the study has no trial %lld",
                         (long long)number);
    if (spt__row_attribute(rows[number], "given") != NULL)
        return spt__fail(&s->ctx->err, SPT_ENOTFOUND, "trial %lld was given, not proposed",
                         (long long)number);
    spt__entry *entries = spt__alloc(s->ctx, (size_t)n, sizeof *entries);
    if (entries == NULL) return spt__nomem(&s->ctx->err);
    const int64_t used = recall(s, rows[number], entries);
    const int32_t status =
        spt__study_propose(s, entries, used, spt__row_sequence(rows[number]), NULL, NULL, out);
    spt__free(s->ctx, entries);
    return status;
}

int32_t spt_study_replay(spt_study *s, int64_t number, spt_config **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(s != NULL);
    SPT__TRY(spt__study_enter(s));
    const int32_t status = replay(s, number, out);
    spt__study_leave(s);
    return status;
}

int32_t spt_study_ask_many(spt_study *s, int64_t n, spt_trial **out, int64_t *got)
{
    int32_t status = SPT_OK;
    SPT__REQUIRE(got != NULL);
    *got = 0;
    SPT__REQUIRE(s != NULL && n >= 0 && (out != NULL || n == 0));
    while (*got < n && (status = spt_study_ask(s, &out[*got])) == SPT_OK)
        *got += 1;
    return status;
}
