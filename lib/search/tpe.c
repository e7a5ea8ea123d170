/* TPE (Bergstra, Bardenet, Bengio & Kegl 2011), over the declared tree or as other programs have
 * it. Trials are split by loss into good and bad ones; of some candidates drawn from the density of
 * the good ones, the one with the highest ratio of the two densities is proposed. */
#include "tpe.h"

#include "branch.h"

#include <stdlib.h>
#include <string.h>

/* Nothing is learnt from a refused proposal, so a model whose favourites are refused would go on
 * proposing them: from here on draws are uniform. An attempt is the next candidate of a batch along
 * the tree, but all candidates of all blocks elsewhere. */
enum { TREE_ATTEMPTS = 100, BLOCK_ATTEMPTS = 6 };

/* What is kept from one ask to the next; none of it changes a result. */
typedef struct tpe {
    spt__tpe_rule rule;
    spt__record record;
    spt__side good, bad;
    spt__side focus_good, focus_bad; /* of the trials of one branch */
    uint64_t branch;                 /* which one */
    bool branching;                  /* the space has several */
    const spt__view *view;           /* between prepare() and the last draw() */
    spt__blocks blocks;
    spt__rng *rngs;           /* of parameters and blocks */
    double *value, *position; /* of the candidate that is looked at */
    int32_t *place;
    bool *common;
    int32_t *starts; /* per parameter: the block that it is the first member of, or -1 */
    uint8_t *code;
    int32_t *ranked;
    int64_t n_code;
    spt__split split;
    bool whole;  /* it is of all trials */
    bool ready;  /* the model, not the start-up, proposes */
    bool fitted; /* the model of all trials was made for this ask */
    /* The candidates of one batch, best first: a refusal moves on to the next. */
    spt__point *candidates;
    double *candidate_numbers; /* values and positions of all of them */
    int32_t *candidate_places;
    struct scored *order;
    int64_t batch; /* -1: none */
} tpe;

typedef struct scored {
    double score;
    int64_t index;
} scored;

static int best_first(const void *pa, const void *pb)
{
    const scored *a = pa, *b = pb;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* ---- life -------------------------------------------------------------------------------- */

static void tpe_destroy(spt__sampler *s)
{
    tpe *t = s->memory;
    if (!t) return;
    spt__side_free(&t->good);
    spt__side_free(&t->bad);
    spt__side_free(&t->focus_good);
    spt__side_free(&t->focus_bad);
    spt__blocks_free(&t->blocks);
    if (t->record.ctx) spt__record_free(&t->record);
    spt__free(s->ctx, t->rngs);
    spt__free(s->ctx, t->value);
    spt__free(s->ctx, t->place);
    spt__free(s->ctx, t->common);
    spt__free(s->ctx, t->starts);
    spt__free(s->ctx, t->code);
    spt__free(s->ctx, t->ranked);
    spt__free(s->ctx, t->candidates);
    spt__free(s->ctx, t->candidate_numbers);
    spt__free(s->ctx, t->candidate_places);
    spt__free(s->ctx, t->order);
    spt__free(s->ctx, t);
    s->memory = NULL;
}

static int32_t make_blocks(spt__sampler *s, spt__err *e)
{
    tpe *t = s->memory;
    spt__blocks_free(&t->blocks);
    SPT__TRY(spt__blocks_init(&t->blocks, s->ctx, s->space, s->domains, t->rule.structure,
                              t->common, e));
    for (int32_t i = 0; i < s->space->n; i++)
        t->starts[i] = -1;
    for (int32_t b = 0; b < t->blocks.n; b++)
        t->starts[t->blocks.items[b].members[0]] = b;
    return SPT_OK;
}

static int32_t make_candidates(spt__sampler *s, spt__err *e)
{
    tpe *t = s->memory;
    const size_t n = (size_t)t->rule.candidates, p = (size_t)s->space->n;
    t->candidates = spt__alloc(s->ctx, n, sizeof *t->candidates);
    t->candidate_numbers = spt__alloc(s->ctx, 2 * n * p, sizeof *t->candidate_numbers);
    t->candidate_places = spt__alloc(s->ctx, n * p, sizeof *t->candidate_places);
    t->order = spt__alloc(s->ctx, n, sizeof *t->order);
    if (!t->candidates || !t->candidate_numbers || !t->candidate_places || !t->order)
        return spt__nomem(e);
    for (size_t c = 0; c < n; c++)
        t->candidates[c] = (spt__point){.value = t->candidate_numbers + 2 * c * p,
                                        .position = t->candidate_numbers + (2 * c + 1) * p,
                                        .place = t->candidate_places + c * p};
    return SPT_OK;
}

static int32_t tpe_init(spt__sampler *s, spt__err *e)
{
    const int32_t p = s->space->n;
    tpe *t = spt__calloc(s->ctx, 1, sizeof *t);
    s->memory = t;
    if (!t) return spt__nomem(e);
    SPT__TRY(spt__tpe_rule_init(&t->rule, s->options, e));
    SPT__TRY(spt__record_init(&t->record, s->ctx, s->domains, p, e));
    SPT__TRY(spt__side_init(&t->good, &t->record, &t->rule, true, e));
    SPT__TRY(spt__side_init(&t->bad, &t->record, &t->rule, false, e));
    SPT__TRY(spt__side_init(&t->focus_good, &t->record, &t->rule, true, e));
    SPT__TRY(spt__side_init(&t->focus_bad, &t->record, &t->rule, false, e));
    t->rngs = spt__alloc(s->ctx, 2 * (size_t)p, sizeof *t->rngs);
    t->value = spt__alloc(s->ctx, 2 * (size_t)p, sizeof *t->value);
    t->place = spt__alloc(s->ctx, (size_t)p, sizeof *t->place);
    t->common = spt__calloc(s->ctx, (size_t)p, sizeof *t->common);
    t->starts = spt__alloc(s->ctx, (size_t)p, sizeof *t->starts);
    if (!t->rngs || !t->value || !t->place || !t->common || !t->starts) return spt__nomem(e);
    if (t->rule.structure == SPT__STRUCTURE_TREE) SPT__TRY(make_candidates(s, e));
    t->position = t->value + p;
    if (t->rule.structure != SPT__STRUCTURE_COMMON) SPT__TRY(make_blocks(s, e));
    for (int32_t i = 0; i < p; i++)
        t->branching = t->branching || s->space->parameters[i].when.n > 0;
    return SPT_OK;
}

/* ---- the model --------------------------------------------------------------------------- */

/* The parameters that all complete and pruned trials have. */
static void find_common(const spt__view *view, bool *common)
{
    int64_t n = 0;
    for (int64_t i = 0; i < view->n; i++) {
        if (view->state[i] != SPT_TRIAL_COMPLETE && view->state[i] != SPT_TRIAL_PRUNED) continue;
        for (int32_t d = 0; d < view->n_params; d++)
            common[d] = (n == 0 || common[d]) && !isnan(view->values[i * view->n_params + d]);
        n++;
    }
    if (n == 0) memset(common, 0, (size_t)view->n_params * sizeof *common);
}

static int32_t room_for(spt__sampler *s, tpe *t, int64_t n, spt__err *e)
{
    if (n <= t->n_code) return SPT_OK;
    spt__free(s->ctx, t->code);
    spt__free(s->ctx, t->ranked);
    t->n_code = 0;
    t->code = spt__alloc(s->ctx, (size_t)(2 * n), sizeof *t->code);
    t->ranked = spt__alloc(s->ctx, (size_t)(2 * n), sizeof *t->ranked);
    if (!t->code || !t->ranked) return spt__nomem(e);
    t->n_code = 2 * n;
    return SPT_OK;
}

/* only: which trials count, or NULL for all. */
static int32_t split(spt__sampler *s, const spt__view *view, const bool *only, spt__err *e)
{
    tpe *t = s->memory;
    SPT__TRY(room_for(s, t, view->n, e));
    t->whole = only == NULL;
    t->split = (spt__split){.code = t->code, .ranked = t->ranked};
    return spt__tpe_split(s->ctx, view, &t->rule, only, &t->split, e);
}

/* The record, and what the sides know of rows that it has replaced. */
static int32_t follow(tpe *t, const spt__view *view, spt__err *e)
{
    spt__side *const sides[] = {&t->good, &t->bad, &t->focus_good, &t->focus_bad};
    SPT__TRY(spt__record_compare(&t->record, view, e));
    for (int i = 0; i < 4; i++)
        spt__side_leave(sides[i]);
    SPT__TRY(spt__record_follow(&t->record, view, e));
    for (int i = 0; i < 4; i++)
        spt__side_forget(sides[i]);
    return SPT_OK;
}

/* Fit two densities to the trials as they were split. */
static int32_t fit(spt__sampler *s, const spt__view *view, spt__side *good, spt__side *bad,
                   spt__err *e)
{
    tpe *t = s->memory;
    if (t->rule.structure == SPT__STRUCTURE_COMMON) {
        find_common(view, t->common);
        SPT__TRY(make_blocks(s, e));
    }
    spt__side_rows rows = {.code = t->code,
                           .mine = SPT__GOOD,
                           .ranked = t->split.ranked,
                           .n = t->split.n_good,
                           .loss = view->loss,
                           .threshold = t->split.threshold};
    SPT__TRY(spt__side_fit(good, &t->blocks, &rows, e));
    rows.mine = SPT__BAD;
    return spt__side_fit(bad, &t->blocks, &rows, e);
}

static int32_t tpe_prepare(spt__sampler *s, const spt__view *view, spt__err *e)
{
    tpe *t = s->memory;
    t->view = view;
    t->fitted = t->ready = false;
    t->batch = -1;
    SPT__TRY(split(s, view, NULL, e));
    if (t->split.counted < t->rule.startup) return SPT_OK;
    SPT__TRY(follow(t, view, e));
    t->ready = true;
    return SPT_OK;
}

/* ---- branches ---------------------------------------------------------------------------- */

/* While the search rests, a share of the proposals is made from the trials of one branch alone,
 * another than the best one: what was learnt within it counts there, however good other branches
 * are. */
static int32_t focus(spt__sampler *s, int64_t sequence, int64_t batch, bool *focused, spt__err *e)
{
    tpe *t = s->memory;
    const spt__view *view = t->view;
    spt__rng rng;
    bool rests = false;
    *focused = false;
    spt__sampler_rng(s, sequence, (int32_t)batch, 2 * s->space->n, &rng);
    if (!t->branching || spt__rng_double(&rng) >= t->rule.focus) return SPT_OK;
    SPT__TRY(spt__branch_rests(s->ctx, view, t->rule.focus_after, &rests, e));
    if (!rests) return SPT_OK;
    SPT__TRY(spt__branch_least_tried(s->ctx, view, t->record.branch, t->rule.branches, focused,
                                     &t->branch, e));
    if (!*focused) return SPT_OK;
    bool *only = spt__alloc(s->ctx, (size_t)view->n, sizeof *only);
    if (!only) return spt__nomem(e);
    for (int64_t i = 0; i < view->n; i++)
        only[i] = t->record.branch[i] == t->branch;
    int32_t status = split(s, view, only, e);
    if (status >= 0) status = fit(s, view, &t->focus_good, &t->focus_bad, e);
    spt__free(s->ctx, only);
    return status;
}

/* The model of all trials, if there is none yet for this ask. */
static int32_t fit_all(spt__sampler *s, spt__err *e)
{
    tpe *t = s->memory;
    if (t->fitted) return SPT_OK;
    if (!t->whole) SPT__TRY(split(s, t->view, NULL, e));
    SPT__TRY(fit(s, t->view, &t->good, &t->bad, e));
    t->fitted = true;
    return SPT_OK;
}

/* ---- candidates -------------------------------------------------------------------------- */

static void begin_streams(spt__sampler *s, int64_t sequence, int64_t batch)
{
    tpe *t = s->memory;
    const int32_t p = s->space->n;
    for (int32_t i = 0; i < p + t->blocks.n; i++)
        spt__sampler_rng(s, sequence, (int32_t)batch, i, &t->rngs[i]);
}

/* Some member has a value. */
static bool touches(const spt__block *block, const double *values)
{
    for (int32_t m = 0; m < block->n; m++)
        if (!isnan(values[block->members[m]])) return true;
    return false;
}

static double bad_log(spt__side *bad, const spt__point *at, int32_t lane)
{
    double sum = 0;
    spt__side_begin(bad, at, lane);
    for (int32_t b = 0; b < bad->blocks->n; b++)
        if (touches(&bad->blocks->items[b], at->value)) sum += spt__side_log(bad, b, at);
    return sum;
}

/* One whole configuration, parents before children; the log of the good side's density there. */
static double draw_whole(spt__sampler *s, spt__side *good, spt__point *at)
{
    tpe *t = s->memory;
    double log_good = 0;
    for (int32_t i = 0; i < s->space->n; i++)
        at->value[i] = NAN;
    for (int32_t i = 0; i < s->space->n; i++) {
        if (!isnan(at->value[i]) || !spt__space_exists(s->space, i, at->value)) continue;
        if (spt__domain_single(&s->domains[i])) at->value[i] = s->domains[i].parameter->low;
        if (t->starts[i] < 0) continue;
        spt__side_draw(good, t->starts[i], at, t->rngs);
        log_good += spt__side_log(good, t->starts[i], at);
    }
    return log_good;
}

/* A batch of configurations, sorted by the ratio of the densities. */
static int32_t draw_tree(spt__sampler *s, int64_t sequence, int64_t batch, spt__err *e)
{
    tpe *t = s->memory;
    const int32_t n = (int32_t)t->rule.candidates;
    bool focused = false;
    SPT__TRY(focus(s, sequence, batch, &focused, e));
    if (!focused) SPT__TRY(fit_all(s, e));
    spt__side *good = focused ? &t->focus_good : &t->good;
    spt__side *bad = focused ? &t->focus_bad : &t->bad;
    begin_streams(s, sequence, batch);
    for (int32_t c = 0; c < n; c++)
        t->order[c] = (scored){draw_whole(s, good, &t->candidates[c]), c};
    for (int32_t c = 0; c < n; c++) {
        const spt__point *at = &t->candidates[c];
        const int32_t lane = c % SPT__LANES, left = n - c;
        if (lane == 0) spt__side_sieve(bad, at, left < SPT__LANES ? left : SPT__LANES);
        /* The densities of one branch know nothing of the others. */
        const bool astray = focused && spt__branch_of(at->value, s->space->n) != t->branch;
        if (astray)
            t->order[c].score = -INFINITY;
        else
            t->order[c].score -= bad_log(bad, at, lane);
    }
    qsort(t->order, (size_t)n, sizeof *t->order, best_first);
    t->batch = batch;
    return SPT_OK;
}

/* The best of so many draws of one block. */
static void draw_block(spt__sampler *s, int32_t b, double *values)
{
    tpe *t = s->memory;
    const spt__block *block = &t->blocks.items[b];
    spt__point at = {t->value, t->position, t->place};
    double most = -INFINITY;
    for (int32_t i = 0; i < s->space->n; i++)
        at.value[i] = NAN;
    for (int64_t c = 0; c < t->rule.candidates; c++) {
        spt__side_draw(&t->good, b, &at, t->rngs);
        double score = spt__side_log(&t->good, b, &at);
        spt__side_begin(&t->bad, &at, 0);
        score -= spt__side_log(&t->bad, b, &at);
        if (c > 0 && !(score > most)) continue;
        most = score;
        for (int32_t m = 0; m < block->n; m++)
            values[block->members[m]] = at.value[block->members[m]];
    }
}

/* Block by block. */
static void draw_blocks(spt__sampler *s, int64_t sequence, int32_t attempt, double *values)
{
    tpe *t = s->memory;
    begin_streams(s, sequence, attempt);
    for (int32_t i = 0; i < s->space->n; i++)
        values[i] = NAN;
    for (int32_t i = 0; i < s->space->n; i++) {
        const int32_t b = t->starts[i];
        const bool exists = spt__space_exists(s->space, i, values);
        if (exists && spt__domain_single(&s->domains[i])) values[i] = s->domains[i].parameter->low;
        /* A block of several is drawn as a whole; what does not exist is dropped. */
        if (b >= 0 && (exists || t->blocks.items[b].n > 1)) draw_block(s, b, values);
        if (!exists) values[i] = NAN;
    }
}

static int32_t tpe_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                        spt__err *e)
{
    tpe *t = s->memory;
    const bool tree = t->rule.structure == SPT__STRUCTURE_TREE;
    if (!t->ready && t->rule.startup_sobol) {
        spt__sampler_sobol_point(s, sequence, attempt, values);
    } else if (!t->ready || attempt >= (tree ? TREE_ATTEMPTS : BLOCK_ATTEMPTS)) {
        spt__sampler_uniform(s, sequence, attempt, values);
    } else if (tree) {
        const int64_t batch = attempt / t->rule.candidates, rank = attempt % t->rule.candidates;
        if (t->batch != batch) SPT__TRY(draw_tree(s, sequence, batch, e));
        memcpy(values, t->candidates[t->order[rank].index].value,
               (size_t)s->space->n * sizeof *values);
    } else {
        SPT__TRY(fit_all(s, e));
        draw_blocks(s, sequence, attempt, values);
    }
    return SPT_OK;
}

int32_t spt__tpe_fit(spt__sampler *s, const spt__view *view, spt__err *e)
{
    tpe *t = s->memory;
    t->view = view;
    t->batch = -1;
    t->ready = t->fitted = false;
    SPT__TRY(split(s, view, NULL, e));
    SPT__TRY(follow(t, view, e));
    return fit(s, view, &t->good, &t->bad, e);
}

void spt__tpe_look(spt__sampler *s, const double *values, double *log_good, double *log_bad)
{
    tpe *t = s->memory;
    spt__point at = {t->value, t->position, t->place};
    for (int32_t i = 0; i < s->space->n; i++)
        spt__point_set(&at, &s->domains[i], i, values[i]);
    *log_good = 0;
    for (int32_t b = 0; b < t->blocks.n; b++)
        if (touches(&t->blocks.items[b], values)) *log_good += spt__side_log(&t->good, b, &at);
    spt__side_sieve(&t->bad, &at, 1);
    *log_bad = bad_log(&t->bad, &at, 0);
}

const spt__sampler_kind spt__sampler_tpe = {.name = "tpe",
                                            .prepare = tpe_prepare,
                                            .draw = tpe_draw,
                                            .init = tpe_init,
                                            .destroy = tpe_destroy};
