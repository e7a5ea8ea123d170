/* When parameters exist: as the space says, or as the trials show. */
#include "problem.h"

#include <string.h>

/* Make room for one more need of an axis; its `in` is false everywhere. */
static int32_t add_need(spt__draft *d, int32_t child, int32_t parent, bool **in, spt__err *e)
{
    spt__axis_spec *spec = &d->specs[child];
    const size_t n = (size_t)spec->n_needs + 1;
    spt__axis_need *grown =
        spt__realloc(d->ctx, (spt__axis_need *)(uintptr_t)spec->needs, n, sizeof *grown);
    if (grown == NULL) return spt__nomem(e);
    spec->needs = grown;
    *in = spt__calloc(d->ctx, (size_t)d->specs[parent].bins, sizeof **in);
    if (*in == NULL) return spt__nomem(e);
    grown[spec->n_needs++] = (spt__axis_need){parent, *in};
    return SPT_OK;
}

/* ---- declared ---- */

int32_t spt__needs_declared(spt__draft *d, spt__err *e)
{
    double *values = spt__alloc(d->ctx, (size_t)d->n_parameters, sizeof *values);
    if (values == NULL) return spt__nomem(e);
    int32_t status = SPT_OK;
    for (int32_t j = 0; j < d->n_parameters && status >= 0; j++) {
        const spt__terms *when = &d->space->parameters[j].when;
        for (int32_t i = 0; i < when->n && status >= 0; i++) {
            const int32_t p = when->items[i].parameter;
            bool *in;
            status = add_need(d, j, p, &in, e);
            /* No condition cuts a bin, so one of its values tells for all. */
            for (int32_t b = 0; b < d->bins[p].n && status >= 0; b++) {
                values[p] = spt__bins_value(&d->space->parameters[p], &d->bins[p], b);
                in[b] = spt__term_holds(&when->items[i], values);
            }
        }
    }
    spt__free(d->ctx, values);
    return status;
}

/* ---- observed ---- */

static bool present(const spt__draft *d, int32_t axis, int64_t row)
{
    return d->code[axis * d->n + row] != SPT__NO_BIN;
}

static bool same_rows(const spt__draft *d, int32_t a, int32_t b)
{
    for (int64_t i = 0; i < d->n; i++)
        if (present(d, a, i) != present(d, b, i)) return false;
    return true;
}

/* What the bins of a possible parent say of a child: bit 0 seen with it, bit 1 without. */
static bool explains(const spt__draft *d, int32_t parent, int32_t child, uint8_t *seen)
{
    const int32_t bins = d->bins[parent].n;
    int64_t with = 0, without = 0, filled = 0;
    memset(seen, 0, (size_t)bins);
    for (int64_t i = 0; i < d->n; i++) {
        const bool here = present(d, child, i);
        if (!present(d, parent, i)) {
            if (here) return false;
            continue;
        }
        seen[d->code[parent * d->n + i]] |= here ? 1 : 2;
        with += here;
        without += !here;
    }
    for (int32_t b = 0; b < bins; b++) {
        if (seen[b] == 3) return false;
        filled += seen[b] != 0;
    }
    /* Many values that nobody repeats are apart by chance. */
    return with > 0 && without > 0 && with + without >= 3 * filled;
}

/* Bins that no trial has: of an ordered parent as the nearest that one has, else not needed. */
static void fill_in(const uint8_t *seen, int32_t bins, bool ordered, bool *in)
{
    for (int32_t b = 0; b < bins; b++) {
        int32_t near = b;
        for (int32_t step = 0; step < bins && ordered && seen[near] == 0; step++)
            near = b - step >= 0 && seen[b - step] != 0     ? b - step
                   : b + step < bins && seen[b + step] != 0 ? b + step
                                                            : near;
        in[b] = seen[near] == 1;
    }
}

/* The parameter with the fewest values that explains the child, -1 if none does. */
static int32_t find_parent(const spt__draft *d, int32_t child, uint8_t *seen)
{
    int32_t best = -1;
    for (int32_t p = 0; p < d->n_parameters; p++)
        if (p != child && (best < 0 || d->bins[p].n < d->bins[best].n) &&
            explains(d, p, child, seen))
            best = p;
    if (best >= 0) explains(d, best, child, seen);
    return best;
}

static int32_t add_switch(spt__draft *d, int32_t child, spt__err *e)
{
    const int32_t j = d->d;
    double *weight = spt__calloc(d->ctx, 2, sizeof *weight);
    double *at = spt__calloc(d->ctx, 2, sizeof *at);
    d->specs[j] = (spt__axis_spec){.bins = 2, .categorical = true, .weight = weight, .at = at};
    d->hidden[j - d->n_parameters] = child;
    d->d++;
    if (weight == NULL || at == NULL) return spt__nomem(e);
    for (int64_t i = 0; i < d->n; i++) {
        const bool here = present(d, child, i);
        d->code[j * d->n + i] = here;
        weight[here]++;
    }
    return SPT_OK;
}

int32_t spt__needs_observed(spt__draft *d, spt__err *e)
{
    int32_t status = SPT_OK;
    int32_t most = 1;
    for (int32_t p = 0; p < d->n_parameters; p++)
        most = d->bins[p].n > most ? d->bins[p].n : most;
    uint8_t *seen = spt__alloc(d->ctx, (size_t)most, sizeof *seen);
    if (seen == NULL) return spt__nomem(e);
    for (int32_t j = 0; j < d->n_parameters && status >= 0; j++) {
        bool always = true, never = true, *in;
        for (int64_t i = 0; i < d->n; i++) {
            always = always && present(d, j, i);
            never = never && !present(d, j, i);
        }
        if (always || never) continue;
        int32_t parent = find_parent(d, j, seen);
        if (parent < 0) {
            /* A switch of another parameter may be the same. */
            for (int32_t k = d->n_parameters; k < d->d && parent < 0; k++)
                if (same_rows(d, d->hidden[k - d->n_parameters], j)) parent = k;
            if (parent < 0) {
                parent = d->d;
                status = add_switch(d, j, e);
            }
            if (status >= 0) status = add_need(d, j, parent, &in, e);
            if (status >= 0) in[1] = true;
            continue;
        }
        status = add_need(d, j, parent, &in, e);
        if (status < 0) break;
        fill_in(seen, d->bins[parent].n, !d->specs[parent].categorical, in);
    }
    spt__free(d->ctx, seen);
    return status;
}

/* ---- the measure of the trials ---- */

/* Do the needs of all axes treat two bins of a parent alike? */
static bool alike(const spt__draft *d, int32_t parent, int32_t a, int32_t b)
{
    for (int32_t j = 0; j < d->d; j++)
        for (int32_t i = 0; i < d->specs[j].n_needs; i++) {
            const spt__axis_need *need = &d->specs[j].needs[i];
            if (need->axis == parent && need->in[a] != need->in[b]) return false;
        }
    return true;
}

static bool is_parent(const spt__draft *d, int32_t axis)
{
    for (int32_t j = 0; j < d->d; j++)
        for (int32_t i = 0; i < d->specs[j].n_needs; i++)
            if (d->specs[j].needs[i].axis == axis) return true;
    return false;
}

static double rows_in(const spt__draft *d, int32_t axis, int32_t bin)
{
    double rows = 0;
    for (int64_t i = 0; i < d->n; i++)
        rows += d->code[axis * d->n + i] == bin;
    return rows;
}

/* One parent: bins that are alike are a class, which is done at its first bin. */
static void weigh(spt__draft *d, int32_t p, bool *done)
{
    const int32_t bins = d->specs[p].bins;
    double *weight = (double *)(uintptr_t)d->specs[p].weight;
    double tried = 0;
    for (int32_t b = 0; b < bins; b++)
        tried += rows_in(d, p, b);
    /* Of a switch that no trial has nothing is known but the prior. */
    if (tried == 0) return;
    memset(done, 0, (size_t)bins * sizeof *done);
    for (int32_t a = 0; a < bins; a++) {
        double prior = 0, rows = 0;
        if (done[a]) continue;
        for (int32_t b = a; b < bins; b++)
            if (alike(d, p, a, b)) {
                prior += weight[b];
                rows += rows_in(d, p, b);
            }
        for (int32_t b = a; b < bins; b++) {
            if (done[b] || !alike(d, p, a, b)) continue;
            weight[b] = prior > 0 ? weight[b] / prior * rows : 0;
            done[b] = true;
        }
    }
}

int32_t spt__needs_weigh(spt__draft *d, spt__err *e)
{
    int32_t most = 1;
    for (int32_t p = 0; p < d->n_parameters; p++)
        most = d->specs[p].bins > most ? d->specs[p].bins : most;
    bool *done = spt__alloc(d->ctx, (size_t)most, sizeof *done);
    if (done == NULL) return spt__nomem(e);
    for (int32_t p = 0; p < d->n_parameters; p++)
        if (is_parent(d, p)) weigh(d, p, done);
    spt__free(d->ctx, done);
    return SPT_OK;
}
