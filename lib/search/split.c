/* Which trials are good. */
#include "tpe.h"

#include <stdlib.h>

typedef struct ranked {
    int64_t steps; /* INT64_MAX: complete */
    double loss;
    int64_t index;
} ranked;

/* Negative: a comes first. */
static int compare(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    if (a->steps != b->steps) return a->steps > b->steps ? -1 : 1;
    if (a->loss < b->loss) return -1;
    if (a->loss > b->loss) return 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* SPT__GOOD stands for "may be good". */
static int standing(const spt__view *view, int64_t i, const spt__tpe_rule *rule, ranked *out)
{
    const int32_t state = view->state[i];
    const double loss = view->loss[i];
    *out = (ranked){.steps = INT64_MAX, .loss = loss, .index = i};
    if (state == SPT_TRIAL_RUNNING) return rule->running_bad ? SPT__BAD : SPT__IGNORED;
    if (state == SPT_TRIAL_PRUNED) {
        out->steps = view->steps ? view->steps[i] : 1;
        if (isnan(loss)) out->loss = INFINITY;
        return SPT__GOOD;
    }
    if (state == SPT_TRIAL_COMPLETE && isfinite(loss)) return SPT__GOOD;
    return rule->failed_bad ? SPT__BAD : SPT__IGNORED;
}

/* Keep the `most` first ones in order: a short list by insertion, which one look at each trial
 * does. */
static int64_t insert(ranked *list, int64_t n, int64_t most, const ranked *item)
{
    if (n == most && (most == 0 || compare(item, &list[n - 1]) > 0)) return n;
    int64_t at = n < most ? n++ : n - 1;
    for (; at > 0 && compare(item, &list[at - 1]) < 0; at--)
        list[at] = list[at - 1];
    list[at] = *item;
    return n;
}

int32_t spt__tpe_split(spt_ctx *ctx, const spt__view *view, const spt__tpe_rule *rule,
                       const bool *only, spt__split *split, spt__err *e)
{
    ranked *list = spt__alloc(ctx, (size_t)view->n, sizeof *list), item;
    if (!list) return spt__nomem(e);
    int64_t eligible = 0, counted = 0;
    for (int64_t i = 0; i < view->n; i++) {
        if (only && !only[i]) {
            split->code[i] = SPT__IGNORED;
            continue;
        }
        const int standing_ = standing(view, i, rule, &item);
        split->code[i] = (uint8_t)(standing_ == SPT__GOOD ? SPT__BAD : standing_);
        counted += standing_ == SPT__GOOD || rule->count_all;
        if (standing_ == SPT__GOOD) list[eligible++] = item;
    }
    const double n = (double)counted;
    const double wanted =
        fmin(ceil(rule->gamma * (rule->gamma_sqrt ? sqrt(n) : n)), (double)rule->most_good);
    const int64_t most = wanted < (double)eligible ? (int64_t)wanted : eligible;
    int64_t good = 0;
    if (most <= 64) {
        for (int64_t i = 0; i < eligible; i++) {
            item = list[i];
            good = insert(list, good, most, &item);
        }
    } else {
        qsort(list, (size_t)eligible, sizeof *list, compare);
        good = most;
    }
    for (int64_t i = 0; i < good; i++) {
        split->ranked[i] = (int32_t)list[i].index;
        split->code[list[i].index] = SPT__GOOD;
    }
    split->n_good = good;
    split->counted = counted;
    split->threshold = INFINITY;
    for (int64_t i = 0; i < view->n; i++)
        if (split->code[i] == SPT__BAD && view->state[i] == SPT_TRIAL_COMPLETE &&
            view->loss[i] < split->threshold)
            split->threshold = view->loss[i];
    spt__free(ctx, list);
    return SPT_OK;
}
