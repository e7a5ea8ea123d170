/* Configurations that wait for their turn: enqueued by a host, whole or in part, or taken over from
 * another study. Each is a waiting trial of the store, so that whoever works on the study may run
 * it; one that was stopped or abandoned comes again under another number, since the study goes on
 * as if such trials had never been. */
#include "study.h"

#include "../space/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what waits ---- */

/* Has this, or what came of it, been run or refused? */
static bool is_served(const spt__mark *mark)
{
    return mark->row->state == SPT_TRIAL_RUNNING || mark->counts ||
           spt__row_attribute(mark->row, "refused") != NULL;
}

static int by_place(const void *pa, const void *pb)
{
    const spt__mark *a = *(const spt__mark *const *)pa, *b = *(const spt__mark *const *)pb;
    if (a->queue != b->queue) return a->queue < b->queue ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Of those that have the same place the last one came last. */
int32_t spt__queue_next(spt_study *s, const spt__row **row)
{
    int64_t n = 0;
    *row = NULL;
    if (s->tally.queued == 0) return SPT_OK;
    const spt__mark **queued = spt__alloc(s->ctx, (size_t)s->tally.queued, sizeof *queued);
    if (queued == NULL) return spt__nomem(&s->ctx->err);
    for (int64_t i = 0; i < s->n_marks; i++)
        if (s->marks[i].queue >= 0) queued[n++] = &s->marks[i];
    qsort((void *)queued, (size_t)n, sizeof *queued, by_place);
    for (int64_t i = 0; i < n && *row == NULL;) {
        const int64_t place = queued[i]->queue;
        bool served = false;
        for (; i < n && queued[i]->queue == place; i++)
            served = served || is_served(queued[i]);
        if (!served) *row = queued[i - 1]->row;
    }
    spt__free(s->ctx, (void *)queued);
    return SPT_OK;
}

/* Is the parameter one of the blank-separated names? */
static bool is_named(const char *names, const char *name)
{
    const size_t length = strlen(name);
    while (names != NULL && *names != '\0') {
        const size_t n = strcspn(names, " ");
        if (n == length && memcmp(names, name, n) == 0) return true;
        names += n + strspn(names + n, " ");
    }
    return false;
}

/* The values that are fixed in a waiting trial or one that came of it, NaN where there are none. */
static int32_t fixed_values(const spt_study *s, const spt__row *row, double *values)
{
    const char *fixed = spt__row_attribute(row, "fixed");
    SPT__TRY(spt__store_trial_values(s->store, row->id, s->space, values));
    for (int32_t i = 0; i < s->space->n; i++)
        if (!is_named(fixed, s->space->parameters[i].name)) values[i] = (double)NAN;
    return SPT_OK;
}

/* ---- the rest drawn ---- */

/* Proposals of the sampler lend their values to what is not fixed. A fixed parent may call for
 * children that a proposal has not: those come from an earlier one, or at last are the defaults. */
enum { PATIENCE = 200 };

typedef struct completion {
    spt_study *study;
    const double *fixed;
    double *drawn, *values;
    int32_t attempts;
    spt_config *made;
} completion;

/* false: a value is missing. */
static bool fill_in(completion *c)
{
    const spt_space *space = c->study->space;
    for (int32_t i = 0; i < space->n; i++) {
        c->values[i] = (double)NAN;
        if (!spt__space_exists(space, i, c->values)) continue;
        c->values[i] = !isnan(c->fixed[i]) ? c->fixed[i] : c->drawn[i];
        if (isnan(c->values[i]) && c->attempts > PATIENCE)
            c->values[i] = space->parameters[i].value;
        if (isnan(c->values[i])) return false;
    }
    return true;
}

static int32_t accept_completed(const spt_config *proposal, void *arg)
{
    completion *c = arg;
    spt_study *s = c->study;
    spt_config *config = NULL;
    c->attempts++;
    for (int32_t i = 0; i < s->space->n; i++)
        if (!isnan(proposal->value[i])) c->drawn[i] = proposal->value[i];
    if (!fill_in(c))
        return spt__fail(&s->ctx->err, SPT_EINVAL, "parameters are missing beside those given");
    SPT__TRY(spt__config_from_values(s->ctx, s->space, c->values, &config, &s->ctx->err));
    int32_t status = spt_config_check(config);
    if (status >= 0) status = spt__study_host_check(s, config);
    if (status >= 0) {
        spt_config_free(c->made);
        c->made = config;
    } else {
        spt_config_free(config);
    }
    return status;
}

int32_t spt__queue_config(spt_study *s, const spt__row *row, const spt__entry *entries, int64_t n,
                          int64_t sequence, spt_config **out)
{
    const size_t p = (size_t)s->space->n;
    double *fixed = spt__alloc(s->ctx, 3 * p, sizeof *fixed);
    spt_config *proposal = NULL;
    *out = NULL;
    if (fixed == NULL) return spt__nomem(&s->ctx->err);
    completion c = {.study = s, .fixed = fixed, .drawn = fixed + p, .values = fixed + 2 * p};
    for (size_t i = 0; i < p; i++)
        c.drawn[i] = (double)NAN;
    int32_t status = fixed_values(s, row, fixed);
    if (status >= 0)
        status = spt__study_propose(s, entries, n, sequence, accept_completed, &c, &proposal);
    spt_config_free(proposal);
    spt__free(s->ctx, fixed);
    if (status == SPT_OK)
        *out = c.made;
    else
        spt_config_free(c.made);
    return status;
}

int32_t spt__queue_refuse(spt_study *s, const spt__row *row)
{
    spt__buf b;
    spt__log(s->ctx, SPT_LOG_WARNING, "trial %lld, enqueued, cannot be run: %s",
             (long long)row->number, s->ctx->err.text);
    spt__buf_init(&b, s->ctx);
    spt__buf_json(&b, s->ctx->err.text);
    const spt__attr attrs[] = {{"reason", "\"abandoned\""}, {"refused", b.data}};
    spt__finish f = {.state = SPT_TRIAL_FAILED, .value = (double)NAN, .attrs = attrs, .n_attrs = 2};
    const int32_t status =
        b.failed ? spt__nomem(&s->ctx->err) : spt__store_trial_finish(s->store, row->id, &f);
    spt__buf_free(&b);
    return status;
}

/* ---- enqueueing ---- */

/* The same values of the same parameters wait, or have been run, already: *number, else -1. */
static int32_t find_same(spt_study *s, const char *names, const double *values, int64_t *number)
{
    int64_t n;
    const spt__row *const *rows = spt__history_rows(s->history, &n);
    double *theirs = spt__alloc(s->ctx, (size_t)s->space->n, sizeof *theirs);
    int32_t status = theirs != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
    *number = -1;
    for (int64_t i = 0; i < n && status >= 0 && *number < 0; i++) {
        const char *fixed = spt__row_attribute(rows[i], "fixed");
        if (s->marks[i].queue < 0 || fixed == NULL || strcmp(fixed, names) != 0) continue;
        status = fixed_values(s, rows[i], theirs);
        bool same = status >= 0;
        for (int32_t k = 0; k < s->space->n && same; k++)
            same = isnan(theirs[k]) ? isnan(values[k]) : theirs[k] == values[k];
        if (same) *number = rows[i]->number;
    }
    spt__free(s->ctx, theirs);
    return status;
}

int32_t spt__names_of(spt_study *s, const spt_config *config, spt__buf *list)
{
    for (int32_t i = 0; i < s->space->n; i++)
        if (!isnan(config->value[i]))
            spt__buf_printf(list, "%s%s", list->size > 0 ? " " : "", s->space->parameters[i].name);
    spt__buf_puts(list, "");
    return list->failed ? spt__nomem(&s->ctx->err) : SPT_OK;
}

/* A configuration that has only the named values; all that there are if names is NULL. */
static int32_t take_part(spt_study *s, const spt_config *config, const char *const *names,
                         int64_t n, spt_config *part)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t index = spt__space_index(s->space, names[i], &s->ctx->err);
        SPT__TRY(index);
        if (isnan(config->value[index]))
            return spt__fail(&s->ctx->err, SPT_EINVAL,
                             "parameter '%s' has no value in this configuration", names[i]);
        spt__config_set(part, index, config->value[index]);
    }
    for (int32_t i = 0; i < s->space->n && names == NULL; i++)
        if (!isnan(config->value[i])) spt__config_set(part, i, config->value[i]);
    return SPT_OK;
}

static int32_t enqueue(spt_study *s, const spt_config *config, const char *const *names, int64_t n,
                       int64_t *number)
{
    spt_config *part = NULL;
    spt__buf list, json;
    spt__buf_init(&list, s->ctx);
    spt__buf_init(&json, s->ctx);
    int32_t status =
        names == NULL ? spt__study_check_given(s, config) : spt__study_check_space(s, config);
    if (status >= 0) status = spt__config_new_empty(s->ctx, s->space, &part, &s->ctx->err);
    if (status >= 0) status = take_part(s, config, names, names != NULL ? n : 0, part);
    if (status >= 0) status = spt__names_of(s, part, &list);
    if (status >= 0) status = spt__study_refresh(s);
    if (status >= 0) status = find_same(s, list.data, part->value, number);
    if (status >= 0 && *number < 0) {
        spt__buf_json(&json, list.data);
        const spt__attr attr = {"fixed", json.data};
        const spt__begin begin = {.config = part, .attrs = &attr, .n_attrs = 1};
        status = json.failed ? spt__nomem(&s->ctx->err)
                             : spt__store_trial_queue(s->store, s->id, &begin, number);
    }
    spt_config_free(part);
    spt__buf_free(&list);
    spt__buf_free(&json);
    return status;
}

typedef struct enqueueing {
    spt_study *study;
    const spt_config *config;
    const char *const *names;
    int64_t n, number;
} enqueueing;

/* With nobody else queueing: what two hosts enqueue at once is queued once. */
static int32_t enqueue_alone(void *arg)
{
    enqueueing *e = arg;
    e->number = -1;
    return enqueue(e->study, e->config, e->names, e->n, &e->number);
}

int32_t spt_study_enqueue(spt_study *s, const spt_config *config, const char *const *names,
                          int64_t n, int64_t *number)
{
    enqueueing e = {s, config, names, n, -1};
    SPT__REQUIRE(s != NULL && n >= 0);
    SPT__TRY(spt__study_enter(s));
    const int32_t status = spt__store_alone(s->store, s->id, enqueue_alone, &e);
    spt__study_leave(s);
    if (status >= 0 && number != NULL) *number = e.number;
    return status;
}

/* ---- from another study ---- */

static int by_rank(const void *a, const void *b)
{
    const spt__rank *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

int32_t spt__rank_trials(spt_ctx *ctx, const spt_history *h, spt__rank **out, int64_t *n)
{
    int64_t rows, used = 0;
    const spt__row *const *row = spt__history_rows(h, &rows);
    const bool highest = spt__history_maximizes(h);
    spt__rank *order = spt__alloc(ctx, (size_t)rows, sizeof *order);
    if (order == NULL) return spt__nomem(&ctx->err);
    for (int64_t i = 0; i < rows; i++)
        if (row[i]->state == SPT_TRIAL_COMPLETE && isfinite(row[i]->value))
            order[used++] = (spt__rank){highest ? -row[i]->value : row[i]->value, i};
    qsort(order, (size_t)used, sizeof *order, by_rank);
    *out = order;
    *n = used;
    return SPT_OK;
}

/* A configuration of another space in ours: parameters of the same name have the same value, those
 * that it has not their defaults. */
static int32_t map_config(spt_study *s, const spt_config *from, spt_config **out)
{
    const spt_space *space = s->space;
    double *values = spt__alloc(s->ctx, (size_t)space->n, sizeof *values);
    spt__buf b;
    int32_t status = values != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
    spt__buf_init(&b, s->ctx);
    for (int32_t i = 0; i < space->n && status >= 0; i++) {
        const spt__parameter *p = &space->parameters[i];
        values[i] = (double)NAN;
        if (!spt__space_exists(space, i, values)) continue;
        values[i] = p->value;
        const int32_t theirs = spt_space_find(from->space, p->name);
        if (theirs < 0 || isnan(from->value[theirs])) continue;
        b.size = 0;
        spt__parameter_print(&from->space->parameters[theirs], from->value[theirs], &b);
        status = b.failed ? spt__nomem(&s->ctx->err)
                          : spt__parameter_parse(p, b.data, &values[i], &s->ctx->err);
    }
    if (status >= 0) status = spt__config_from_values(s->ctx, space, values, out, &s->ctx->err);
    spt__buf_free(&b);
    spt__free(s->ctx, values);
    return status;
}

/* SPT_OK also when the trial is left out. */
static int32_t take_over(spt_study *s, const spt_history *from, int64_t index, int64_t *enqueued)
{
    const spt_config *config = spt_history_config(from, index);
    spt_config *mapped = NULL;
    spt_trial_info info;
    int64_t number;
    const spt__err before = s->ctx->err;
    spt_record_init(&info, sizeof info);
    (void)spt_history_trial(from, index, &info);
    int32_t status = config != NULL ? map_config(s, config, &mapped)
                                    : spt__fail(&s->ctx->err, SPT_EINVAL, "parameters are missing");
    if (status >= 0) status = enqueue(s, mapped, NULL, 0, &number);
    spt_config_free(mapped);
    if (status >= 0) {
        *enqueued += 1;
        return SPT_OK;
    }
    if (status == SPT_ENOMEM || status == SPT_ESTORE || status == SPT_EINTERNAL ||
        status == SPT_ECALLBACK)
        return status;
    spt__log(s->ctx, SPT_LOG_WARNING, "trial %lld of study '%s' is not taken over: %s",
             (long long)info.number, spt_history_name(from), s->ctx->err.text);
    s->ctx->err = before;
    return SPT_OK;
}

static int32_t warm_start(spt_study *s, const spt_history *from, int64_t k, int64_t *enqueued)
{
    char *then = NULL;
    spt__buf b;
    SPT__TRY(spt__store_record(s->store, s->id, "warm_start", &then));
    spt__buf_init(&b, s->ctx);
    spt__buf_printf(&b, "%lld best of %s", (long long)k, spt_history_name(from));
    /* Done before: what the other study has found since is not looked at. */
    if (then != NULL || b.failed) {
        const int32_t status = b.failed ? spt__nomem(&s->ctx->err)
                                        : spt__store_pin(s->store, s->id, "warm_start", b.data);
        spt__buf_free(&b);
        spt__free(s->ctx, then);
        return status;
    }
    spt__rank *order = NULL;
    int64_t n = 0;
    int32_t status = spt__rank_trials(s->ctx, from, &order, &n);
    for (int64_t i = 0; i < n && i < k && status >= 0; i++)
        status = take_over(s, from, order[i].index, enqueued);
    if (status >= 0) status = spt__store_pin(s->store, s->id, "warm_start", b.data);
    spt__free(s->ctx, order);
    spt__buf_free(&b);
    return status;
}

typedef struct starting {
    spt_study *study;
    const spt_history *from;
    int64_t k, enqueued;
} starting;

static int32_t warm_start_alone(void *arg)
{
    starting *w = arg;
    w->enqueued = 0;
    return warm_start(w->study, w->from, w->k, &w->enqueued);
}

int32_t spt_study_warm_start(spt_study *s, const spt_history *from, int64_t k, int64_t *enqueued)
{
    starting w = {s, from, k, 0};
    SPT__REQUIRE(s != NULL && from != NULL && k >= 0);
    SPT__TRY(spt__study_enter(s));
    const int32_t status = spt__store_alone(s->store, s->id, warm_start_alone, &w);
    spt__study_leave(s);
    if (enqueued != NULL) *enqueued = status >= 0 ? w.enqueued : 0;
    return status;
}
