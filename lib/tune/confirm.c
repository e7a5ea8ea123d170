/* Trying the best configurations again. The repetitions wait in the queue like what a host
 * enqueues, so any program that works on the study may run them. */
#include "study.h"

#include "../space/space.h"

/* Of n trials in order the first k that repeat no other, each configuration once; how many. */
static int64_t candidates(const spt__row *const *rows, spt__rank *order, int64_t n, int64_t k)
{
    int64_t used = 0;
    for (int64_t i = 0; i < n && used < k; i++) {
        const spt__row *row = rows[order[i].index];
        bool seen = row->config == NULL || spt__row_repeats(row) >= 0;
        for (int64_t j = 0; j < used && !seen; j++)
            seen = spt__config_same_values(rows[order[j].index]->config, row->config);
        if (!seen) order[used++] = order[i];
    }
    return used;
}

/* Repetitions that it has or will have. */
static int64_t repetitions(const spt__row *const *rows, int64_t n, int64_t number)
{
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++)
        found += spt__row_repeats(rows[i]) == number && spt__row_asks_again(rows[i]);
    return found;
}

/* One waiting trial with all values of the configuration. */
static int32_t queue_again(spt_study *s, const spt__row *row)
{
    char number[32];
    int64_t at;
    spt__buf names, json;
    spt__buf_init(&names, s->ctx);
    spt__buf_init(&json, s->ctx);
    int32_t status = spt__names_of(s, row->config, &names);
    if (status >= 0) spt__buf_json(&json, names.data);
    spt__format(number, sizeof number, "%lld", (long long)row->number);
    const spt__attr attrs[] = {{"fixed", json.data}, {SPT__REPEATS, number}};
    const spt__begin begin = {.config = row->config, .attrs = attrs, .n_attrs = 2};
    if (status >= 0 && json.failed) status = spt__nomem(&s->ctx->err);
    if (status >= 0) status = spt__store_trial_queue(s->store, s->id, &begin, &at);
    spt__buf_free(&names);
    spt__buf_free(&json);
    return status;
}

typedef struct confirming {
    spt_study *study;
    int64_t k, repeats, enqueued;
} confirming;

/* With nobody else queueing: two workers that are done at the same time add no more than one. */
static int32_t confirm(void *arg)
{
    confirming *c = arg;
    spt_study *s = c->study;
    int64_t n, ranked;
    c->enqueued = 0;
    spt__rank *best = NULL;
    SPT__TRY(spt__study_refresh(s));
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    SPT__TRY(spt__rank_trials(s->ctx, s->history, &best, &ranked));
    const int64_t found = candidates(rows, best, ranked, c->k);
    int32_t status = SPT_OK;
    for (int64_t i = 0; i < found; i++) {
        const spt__row *row = rows[best[i].index];
        for (int64_t r = repetitions(rows, n, row->number); r < c->repeats && status >= 0; r++) {
            status = queue_again(s, row);
            c->enqueued += status >= 0;
        }
    }
    spt__free(s->ctx, best);
    return status;
}

int32_t spt_study_confirm(spt_study *s, int64_t k, int64_t repeats, int64_t *enqueued)
{
    confirming c = {s, k, repeats, 0};
    SPT__REQUIRE(s != NULL);
    if (k < 0 || repeats < 0)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "%lld trials are to be tried %lld times again; 0 or more are possible",
                         (long long)k, (long long)repeats);
    SPT__TRY(spt__study_enter(s));
    const int32_t status = spt__store_alone(s->store, s->id, confirm, &c);
    spt__study_leave(s);
    if (enqueued != NULL) *enqueued = status >= 0 ? c.enqueued : 0;
    return status;
}
