/* What a proposal saw: on record where it is not plain, and the proposal made anew from it. */
#include "study.h"

#include "../space/space.h"
#include "spectune/experimental.h"

#include <string.h>

bool spt__sight_unusual(const spt__entry *entries, int64_t n, int64_t sequence)
{
    if (n != sequence) return true;
    for (int64_t i = 0; i < n; i++)
        if (!entries[i].finished || entries[i].sequence != i) return true;
    return false;
}

enum { SAW = 1, PENDING = 2 };

/* "0-4 7 9-10": which of n numbers have this mark. */
static void print_ranges(spt__buf *b, const uint8_t *marks, int64_t n, uint8_t mark)
{
    bool first = true;
    spt__buf_puts(b, "\"");
    for (int64_t i = 0; i < n; i++) {
        if (marks[i] != mark) continue;
        const int64_t from = i;
        while (i + 1 < n && marks[i + 1] == mark)
            i++;
        spt__buf_printf(b, "%s%lld", first ? "" : " ", (long long)from);
        if (i > from) spt__buf_printf(b, "-%lld", (long long)i);
        first = false;
    }
    spt__buf_puts(b, "\"");
}

int32_t spt__sight_print(spt_ctx *ctx, const spt__entry *entries, int64_t n, spt__buf *saw,
                         spt__buf *pending)
{
    int64_t numbers = 0;
    for (int64_t i = 0; i < n; i++)
        if (entries[i].number >= numbers) numbers = entries[i].number + 1;
    uint8_t *marks = spt__calloc(ctx, (size_t)numbers, sizeof *marks);
    if (marks == NULL) return spt__nomem(&ctx->err);
    for (int64_t i = 0; i < n; i++)
        marks[entries[i].number] = entries[i].finished ? SAW : PENDING;
    print_ranges(saw, marks, numbers, SAW);
    print_ranges(pending, marks, numbers, PENDING);
    spt__free(ctx, marks);
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
        entries[used++] = (spt__entry){rows[i], other, rows[i]->number, finished};
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
