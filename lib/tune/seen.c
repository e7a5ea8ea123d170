/* What the sampler of a study sees: which trials, in which order, and their numbers in one piece.
 * The piece is kept from ask to ask and changed where trials came or ended, since copying a long
 * history costs more than looking at it. It depends on the trials alone. */
#include "study.h"

#include "../search/domain.h"

#include <stdlib.h>
#include <string.h>

/* ---- which trials -------------------------------------------------------------------------- */

static int by_sequence(const void *a, const void *b)
{
    const spt__entry *x = a, *y = b;
    if (x->finished != y->finished) return x->finished ? -1 : 1;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Trials that several workers ran are nearly in order: few stand behind one that belongs behind
 * them. Those are taken out, sorted, and put in again. */
void spt__entries_sort(spt__entry *entries, int64_t n)
{
    enum { FEW = 128 };
    spt__entry late[FEW];
    int64_t kept = 0, taken = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || by_sequence(&entries[kept - 1], &entries[i]) <= 0) {
            entries[kept++] = entries[i];
            continue;
        }
        if (taken == FEW) {
            memcpy(entries + kept, late, (size_t)taken * sizeof *late);
            qsort(entries, (size_t)n, sizeof *entries, by_sequence);
            return;
        }
        late[taken++] = entries[i];
    }
    qsort(late, (size_t)taken, sizeof *late, by_sequence);
    for (int64_t to = n - 1; taken > 0; to--) {
        if (kept > 0 && by_sequence(&entries[kept - 1], &late[taken - 1]) > 0)
            entries[to] = entries[--kept];
        else
            entries[to] = late[--taken];
    }
}

/* The lowest sequence number that no entry has: they are at most so many. */
static int32_t lowest_free(spt_study *s, const spt__entry *entries, int64_t n, int64_t *next)
{
    bool *has = spt__calloc(s->ctx, (size_t)n + 1, sizeof *has);
    if (has == NULL) return spt__nomem(&s->ctx->err);
    for (int64_t i = 0; i < n; i++)
        if (entries[i].sequence < n) has[entries[i].sequence] = true;
    *next = 0;
    while (has[*next])
        *next += 1;
    spt__free(s->ctx, has);
    return SPT_OK;
}

/* Where other workers are, or have been, results come as they come, and none is kept back. A worker
 * alone with K in flight has begun K - 1 at most behind the next one, and runs all that run. */
static bool is_alone(const spt_study *s, const spt__entry *entries, int64_t n, int64_t next)
{
    int64_t behind = 0, running = 0;
    for (int64_t i = 0; i < n; i++) {
        behind += entries[i].sequence > next;
        running += !entries[i].finished;
    }
    for (const spt_trial *t = s->live; t != NULL; t = t->next_live)
        running--;
    return behind < s->rules.in_flight && running <= 0;
}

int32_t spt__study_collect(spt_study *s, spt__entry **out, int64_t *count, int64_t *next)
{
    int64_t used = 0, running = 0;
    const int64_t n = s->n_marks;
    spt__entry *entries = spt__alloc(s->ctx, (size_t)n, sizeof *entries);
    if (entries == NULL) return spt__nomem(&s->ctx->err);
    /* Finished ones first, so that little is left to sort. */
    for (int64_t i = 0; i < n; i++) {
        const spt__mark *m = &s->marks[i];
        if (m->counts) entries[used++] = (spt__entry){m->row, m->sequence, m->number, true};
        running += !m->settled;
    }
    for (int64_t i = 0; i < n && running > 0; i++) {
        const spt__mark *m = &s->marks[i];
        if (m->settled) continue;
        running--;
        if (m->row->state == SPT_TRIAL_RUNNING)
            entries[used++] = (spt__entry){m->row, m->sequence, m->number, false};
    }
    const int32_t status = lowest_free(s, entries, used, next);
    if (status < 0) {
        spt__free(s->ctx, entries);
        return status;
    }
    /* With K in flight trial n knows how those up to n - K ended, not those between, whether or not
     * they have ended by now. */
    if (s->rules.wait && s->rules.in_flight > 0 && is_alone(s, entries, used, *next))
        for (int64_t i = 0; i < used; i++)
            if (entries[i].sequence > *next - s->rules.in_flight) entries[i].finished = false;
    spt__entries_sort(entries, used);
    *out = entries;
    *count = used;
    return SPT_OK;
}

/* ---- their numbers ------------------------------------------------------------------------- */

void spt__seen_free(spt_study *s)
{
    spt__seen *v = &s->seen;
    spt__free(s->ctx, v->entries);
    spt__free(s->ctx, v->place);
    spt__free(s->ctx, (void *)v->rows);
    spt__free(s->ctx, v->values);
    spt__free(s->ctx, v->loss);
    spt__free(s->ctx, v->state);
    spt__free(s->ctx, v->sequence);
    spt__free(s->ctx, v->steps);
    spt__free(s->ctx, v->key);
    *v = (spt__seen){0};
}

static bool grow(spt_ctx *ctx, void *array, int64_t n, size_t size)
{
    void **a = array;
    void *larger = spt__realloc(ctx, *a, (size_t)n, size);
    if (larger != NULL) *a = larger;
    return larger != NULL;
}

static int32_t reserve(spt_study *s, int64_t n)
{
    spt__seen *v = &s->seen;
    const size_t width = (size_t)s->space->n * sizeof *v->values;
    if (n <= v->capacity) return SPT_OK;
    n += n / 4 + 64;
    if (!grow(s->ctx, &v->entries, n, sizeof *v->entries) ||
        !grow(s->ctx, &v->place, n, sizeof *v->place) ||
        !grow(s->ctx, &v->rows, n, sizeof *v->rows) || !grow(s->ctx, &v->values, n, width) ||
        !grow(s->ctx, &v->loss, n, sizeof *v->loss) ||
        !grow(s->ctx, &v->state, n, sizeof *v->state) ||
        !grow(s->ctx, &v->sequence, n, sizeof *v->sequence) ||
        !grow(s->ctx, &v->steps, n, sizeof *v->steps) || !grow(s->ctx, &v->key, n, sizeof *v->key))
        return spt__nomem(&s->ctx->err);
    v->capacity = n;
    return SPT_OK;
}

/* How many entries from the start on are those of last time. A finished row stays where it is as
 * long as the study, so its address tells; that of a running one may be another's by now. */
static int64_t same_entries(const spt__seen *v, const spt__entry *entries, int64_t n)
{
    int64_t i = 0;
    for (; i < n && i < v->n_entries; i++) {
        const spt__entry *then = &v->entries[i], *now = &entries[i];
        if (!then->finished || !now->finished || then->row != now->row ||
            then->sequence != now->sequence)
            break;
    }
    return i;
}

static spt__curve curve_of(const spt__row *row)
{
    return (spt__curve){.steps = row->steps,
                        .values = row->step_values,
                        .n = row->n_steps,
                        .complete = row->state == SPT_TRIAL_COMPLETE,
                        .value = row->value};
}

/* The best complete trial that is seen, NULL if there is none. */
static const spt__row *best_seen(const spt__seen *v)
{
    int64_t best = -1;
    for (int64_t i = 0; i < v->n; i++)
        if (v->state[i] == SPT_TRIAL_COMPLETE && (best < 0 || v->loss[i] < v->loss[best])) best = i;
    return best >= 0 ? v->rows[best] : NULL;
}

/* The loss as a sampler sees it. The mean of a pruned trial's folds is not comparable, since the
 * easy ones may come first: see below. */
static double seen_loss(const spt__seen *v, const spt__row *row, int32_t state)
{
    if (state != SPT_TRIAL_COMPLETE && state != SPT_TRIAL_PRUNED) return INFINITY;
    return isnan(row->value) ? INFINITY : v->sign * row->value;
}

/* What pruned trials would have come to, measured by the best one, from `from` on. */
static void estimate_pruned(spt__seen *v, const spt__row *best, int64_t from)
{
    if (best == NULL) return;
    const spt__curve complete = curve_of(best);
    for (int64_t i = from; i < v->n; i++) {
        if (v->state[i] != SPT_TRIAL_PRUNED) continue;
        const spt__curve own = curve_of(v->rows[i]);
        const double estimate = spt__prune_estimate(&own, &complete);
        v->loss[i] = isnan(estimate) ? seen_loss(v, v->rows[i], v->state[i]) : v->sign * estimate;
    }
}

enum { GAPS = 0xffff /* no proposal is attempted so often */ };

/* A trial of another program may lack what always exists in a space that knows no tree. What has no
 * value tells nothing: any will do, and must be the same each time. */
static void fill_gaps(const spt_study *s, const spt__row *row, double *values)
{
    for (int32_t i = 0; i < s->space->n; i++) {
        spt__domain d;
        spt__rng rng;
        if (!isnan(values[i])) continue;
        spt__domain_init(&d, &s->space->parameters[i]);
        spt__sampler_rng(s->sampler, row->number, GAPS, i, &rng);
        values[i] = spt__domain_draw(&d, &rng);
    }
}

static void put(spt_study *s, const spt__entry *entry)
{
    spt__seen *v = &s->seen;
    const spt__row *row = entry->row;
    const size_t p = (size_t)s->space->n;
    const int64_t i = v->n++;
    memcpy(v->values + (size_t)i * p, row->config->value, p * sizeof *v->values);
    if (s->foreign) fill_gaps(s, row, v->values + (size_t)i * p);
    v->rows[i] = row;
    v->state[i] = entry->finished ? row->state : SPT_TRIAL_RUNNING;
    v->loss[i] = seen_loss(v, row, v->state[i]);
    v->steps[i] = row->n_steps;
    v->sequence[i] = entry->sequence;
    v->key[i] = row->id;
}

int32_t spt__seen_update(spt_study *s, const spt__entry *entries, int64_t n, spt__view *view)
{
    spt__seen *v = &s->seen;
    SPT__TRY(reserve(s, n));
    v->sign = spt__history_maximizes(s->history) ? -1 : 1;
    const int64_t same = same_entries(v, entries, n);
    const int64_t from = same < v->n_entries ? v->place[same] : v->n;
    v->n = from;
    for (int64_t i = same; i < n; i++) {
        v->entries[i] = entries[i];
        v->place[i] = v->n;
        if (entries[i].row->config != NULL) put(s, &entries[i]);
    }
    v->n_entries = n;
    const spt__row *best = best_seen(v);
    estimate_pruned(v, best, best == v->best ? from : 0);
    v->best = best;
    *view = (spt__view){.n = v->n,
                        .n_params = s->space->n,
                        .values = v->values,
                        .loss = v->loss,
                        .state = v->state,
                        .sequence = v->sequence,
                        .steps = v->steps,
                        .key = v->key,
                        .source = v->source};
    return SPT_OK;
}

/* ---- proposing ----------------------------------------------------------------------------- */

/* Who asks, for the check of a proposal. */
typedef struct asker {
    spt_study *study;
    int64_t refused; /* as duplicates */
} asker;

enum { DUPLICATES_AVOIDED = 100 };

static bool is_duplicate(const spt_study *s, const spt_config *config)
{
    const spt__seen *v = &s->seen;
    const int32_t p = s->space->n;
    for (int64_t i = 0; i < v->n; i++) {
        const double *theirs = v->values + i * p;
        int32_t k = 0;
        while (k < p &&
               (config->value[k] == theirs[k] || (isnan(config->value[k]) && isnan(theirs[k]))))
            k++;
        if (k == p) return true;
    }
    return false;
}

static int32_t accept_proposal(const spt_config *config, void *arg)
{
    asker *a = arg;
    spt_study *s = a->study;
    const spt__duplicates rule = s->rules.duplicates;
    if ((rule == SPT__NEVER || (rule == SPT__AVOID && a->refused < DUPLICATES_AVOIDED)) &&
        is_duplicate(s, config)) {
        a->refused++;
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a trial has had this configuration");
    }
    return spt__study_host_check(s, config);
}

/* A sampler that the host made may have an equal space of its own. */
static int32_t make_ours(spt_study *s, spt_config **config)
{
    spt_config *proposed = *config;
    if (proposed->space == s->space) return SPT_OK;
    *config = NULL;
    const int32_t status =
        spt__config_from_values(s->ctx, s->space, proposed->value, config, &s->ctx->err);
    spt_config_free(proposed);
    return status;
}

int32_t spt__study_propose(spt_study *s, const spt__entry *entries, int64_t n, int64_t sequence,
                           spt__accept_fn accept, void *arg, spt_config **config)
{
    asker who = {.study = s};
    spt__view view;
    SPT__TRY(spt__seen_update(s, entries, n, &view));
    int32_t status =
        spt__sampler_propose(s->sampler, &view, sequence, accept != NULL ? accept : accept_proposal,
                             accept != NULL ? arg : &who, config, &s->ctx->err);
    if (status == SPT_OK) status = make_ours(s, config);
    return status;
}
