#include "lattice.h"

#include <string.h>

/* ---- parts of an axis ---- */

spt__part spt__part_whole(const spt__axis *axis, uint64_t *words)
{
    const spt__part whole = {0, axis->bins - 1, axis->categorical ? words : NULL};
    for (int32_t i = 0; i < axis->words; i++) {
        const int32_t left = axis->bins - 64 * i;
        words[i] = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
    }
    return whole;
}

spt__part spt__part_meet(const spt__axis *axis, spt__part a, spt__part b, uint64_t *words)
{
    if (!axis->categorical) {
        a.low = a.low > b.low ? a.low : b.low;
        a.high = a.high < b.high ? a.high : b.high;
        return a;
    }
    for (int32_t i = 0; i < axis->words; i++)
        words[i] = a.set[i] & b.set[i];
    a.set = words;
    return a;
}

bool spt__part_empty(const spt__axis *axis, const spt__part *part)
{
    if (!axis->categorical) return part->high < part->low;
    for (int32_t i = 0; i < axis->words; i++)
        if (part->set[i] != 0) return false;
    return true;
}

bool spt__part_within(const spt__axis *axis, const spt__part *a, const spt__part *b)
{
    if (!axis->categorical) return a->high < a->low || (a->low >= b->low && a->high <= b->high);
    for (int32_t i = 0; i < axis->words; i++)
        if ((a->set[i] & ~b->set[i]) != 0) return false;
    return true;
}

double spt__part_sum(const spt__lattice *lattice, const spt__axis *axis, const spt__part *part,
                     const double *values, const double *below)
{
    double sum = 0;
    if (!axis->categorical) {
        below += axis->first;
        return part->high < part->low ? 0 : below[part->high + 1] - below[part->low];
    }
    const double *weight = lattice->weight + axis->first;
    values += axis->first;
    for (int32_t b = 0; b < axis->bins; b++)
        if (spt__set_has(part->set, b)) sum += weight[b] * values[b];
    return sum;
}

spt__moments spt__part_moments(const spt__lattice *lattice, const spt__axis *axis,
                               const spt__part *part)
{
    spt__moments m = {0, 0, 0};
    const double *weight = lattice->weight + axis->first;
    if (!axis->categorical) {
        if (part->high < part->low) return m;
        const int32_t low = axis->first + part->low, high = axis->first + part->high + 1;
        return (spt__moments){lattice->below0[high] - lattice->below0[low],
                              lattice->below1[high] - lattice->below1[low],
                              lattice->below2[high] - lattice->below2[low]};
    }
    for (int32_t b = 0; b < axis->bins; b++)
        if (spt__set_has(part->set, b)) m.w += weight[b];
    return m;
}

/* ---- activities ---- */

const spt__need *spt__activity_need(const spt__activity *activity, int32_t axis)
{
    for (int32_t i = 0; i < activity->n; i++)
        if (activity->needs[i].axis == axis) return &activity->needs[i];
    return NULL;
}

static double measure_of(const spt__lattice *lattice, const spt__need *need)
{
    return spt__part_moments(lattice, &lattice->axes[need->axis], &need->part).w;
}

double spt__activity_given(const spt__lattice *lattice, const spt__activity *a,
                           const spt__activity *given)
{
    uint64_t words[SPT__SET_WORDS];
    double p = 1;
    for (int32_t i = 0; i < a->n; i++) {
        const spt__need *other = spt__activity_need(given, a->needs[i].axis);
        spt__need both = a->needs[i];
        if (other != NULL)
            both.part = spt__part_meet(&lattice->axes[both.axis], both.part, other->part, words);
        const double within = other != NULL ? measure_of(lattice, other) : 1;
        p *= within > 0 ? measure_of(lattice, &both) / within : 0;
    }
    return p;
}

int32_t spt__activity_meet(const spt__lattice *lattice, const spt__activity *a,
                           const spt__activity *b, spt__activity *out, uint64_t **words,
                           spt__err *e)
{
    const size_t most = (size_t)(a->n + b->n);
    out->n = 0;
    out->measure = 1;
    out->needs = spt__alloc(lattice->ctx, most, sizeof *out->needs);
    *words = spt__alloc(lattice->ctx, most * SPT__SET_WORDS, sizeof **words);
    if (out->needs == NULL || *words == NULL) return spt__nomem(e);
    for (int32_t i = 0; i < a->n; i++) {
        const spt__need *other = spt__activity_need(b, a->needs[i].axis);
        spt__need *need = &out->needs[out->n];
        *need = a->needs[i];
        if (other != NULL)
            need->part = spt__part_meet(&lattice->axes[need->axis], need->part, other->part,
                                        *words + (size_t)out->n * SPT__SET_WORDS);
        out->n++;
    }
    for (int32_t i = 0; i < b->n; i++)
        if (spt__activity_need(a, b->needs[i].axis) == NULL) out->needs[out->n++] = b->needs[i];
    for (int32_t i = 0; i < out->n; i++)
        out->measure *= measure_of(lattice, &out->needs[i]);
    return SPT_OK;
}

/* ---- building ---- */

/* Room while a lattice is built. */
typedef struct builder {
    spt__lattice *lattice;
    const spt__axis_spec *specs;
    spt__need *needs; /* d: those of the axis at work */
    uint64_t *words;  /* d x SPT__SET_WORDS, for them */
    int32_t n;
    int32_t *state; /* per axis: 0 not looked at, 1 at work, 2 done */
} builder;

/* Are the bins a run? Then where. */
static bool run_of(const bool *in, int32_t bins, spt__part *part)
{
    int32_t low = 0, high = bins - 1;
    while (low < bins && !in[low])
        low++;
    while (high >= low && !in[high])
        high--;
    *part = (spt__part){low, high, NULL};
    for (int32_t b = low; b <= high; b++)
        if (!in[b]) return false;
    return true;
}

static int32_t lay_out(const spt__axis_spec *specs, int32_t d, spt__lattice *f, spt__err *e)
{
    for (int32_t j = 0; j < d; j++) {
        f->axes[j].bins = specs[j].bins;
        f->axes[j].categorical = f->axes[j].categorical || specs[j].categorical;
        for (int32_t i = 0; i < specs[j].n_needs; i++) {
            spt__part part;
            const int32_t p = specs[j].needs[i].axis;
            if (!run_of(specs[j].needs[i].in, specs[p].bins, &part)) f->axes[p].categorical = true;
        }
    }
    for (int32_t j = 0; j < d; j++) {
        spt__axis *a = &f->axes[j];
        if (a->bins > SPT__BINS_LIMIT)
            return spt__fail(e, SPT_EUNSUPPORTED,
                             "the conditions cut one parameter into %d parts; at most %d are "
                             "possible for importance",
                             a->bins, SPT__BINS_LIMIT);
        a->first = f->places;
        a->word = a->categorical ? f->words : -1;
        a->words = a->categorical ? (a->bins + 63) / 64 : 0;
        f->places += a->bins + 1;
        f->words += a->words;
    }
    return SPT_OK;
}

static void measure_axis(spt__lattice *f, const spt__axis *a, const spt__axis_spec *spec)
{
    double total = 0, below = 0;
    double *weight = f->weight + a->first, *at = f->at + a->first;
    for (int32_t b = 0; b < a->bins; b++)
        total += spec->weight != NULL ? spec->weight[b] : 1;
    for (int32_t b = 0; b < a->bins; b++) {
        weight[b] = (spec->weight != NULL ? spec->weight[b] : 1) / total;
        at[b] = a->categorical ? 0 : spec->at != NULL ? spec->at[b] : below + weight[b] / 2;
        below += weight[b];
        const int32_t i = a->first + b;
        f->below0[i + 1] = f->below0[i] + weight[b];
        f->below1[i + 1] = f->below1[i] + weight[b] * at[b];
        f->below2[i + 1] = f->below2[i] + weight[b] * at[b] * at[b];
    }
}

static void add_need(builder *b, int32_t axis, spt__part part)
{
    const spt__axis *a = &b->lattice->axes[axis];
    for (int32_t i = 0; i < b->n; i++) {
        if (b->needs[i].axis != axis) continue;
        b->needs[i].part =
            spt__part_meet(a, b->needs[i].part, part, b->words + (size_t)i * SPT__SET_WORDS);
        return;
    }
    uint64_t *words = b->words + (size_t)b->n * SPT__SET_WORDS;
    if (a->categorical) {
        memcpy(words, part.set, (size_t)a->words * sizeof *words);
        part.set = words;
    }
    b->needs[b->n++] = (spt__need){axis, part};
}

static bool same_needs(const spt__lattice *f, const spt__activity *a, const builder *b)
{
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < b->n; i++) {
        const spt__need *other = spt__activity_need(a, b->needs[i].axis);
        if (other == NULL) return false;
        const spt__axis *axis = &f->axes[b->needs[i].axis];
        if (!spt__part_within(axis, &other->part, &b->needs[i].part) ||
            !spt__part_within(axis, &b->needs[i].part, &other->part))
            return false;
    }
    return true;
}

/* The needs at work as an activity of the lattice, which may have it already. Its sets stand behind
 * its needs. */
static int32_t keep_activity(builder *b, int32_t *index, spt__err *e)
{
    spt__lattice *f = b->lattice;
    size_t words = 0;
    for (*index = 0; *index < f->n_activities; *index += 1)
        if (same_needs(f, &f->activities[*index], b)) return SPT_OK;
    for (int32_t i = 0; i < b->n; i++)
        words += (size_t)f->axes[b->needs[i].axis].words;
    spt__activity *a = &f->activities[f->n_activities];
    a->needs = spt__alloc(f->ctx, 1, (size_t)b->n * sizeof *a->needs + words * sizeof(uint64_t));
    if (a->needs == NULL) return spt__nomem(e);
    f->n_activities++;
    a->n = b->n;
    a->measure = 1;
    uint64_t *sets = (uint64_t *)(void *)(a->needs + b->n);
    for (int32_t i = 0; i < b->n; i++) {
        const spt__axis *axis = &f->axes[b->needs[i].axis];
        spt__need *need = &a->needs[i];
        *need = b->needs[i];
        if (axis->categorical) {
            memcpy(sets, need->part.set, (size_t)axis->words * sizeof *sets);
            need->part.set = sets;
            sets += axis->words;
        }
        a->measure *= measure_of(f, need);
    }
    return SPT_OK;
}

static int32_t find_activity(builder *b, int32_t j, spt__err *e)
{
    const spt__axis_spec *spec = &b->specs[j];
    if (b->state[j] == 2) return SPT_OK;
    if (b->state[j] == 1)
        return spt__fail(e, SPT_EINTERNAL, "the conditions of axis %d go in a circle", j);
    b->state[j] = 1;
    for (int32_t i = 0; i < spec->n_needs; i++)
        SPT__TRY(find_activity(b, spec->needs[i].axis, e));
    b->n = 0;
    for (int32_t i = 0; i < spec->n_needs; i++) {
        const int32_t p = spec->needs[i].axis;
        const spt__axis *axis = &b->lattice->axes[p];
        const spt__activity *above = &b->lattice->activities[axis->activity];
        uint64_t words[SPT__SET_WORDS] = {0};
        spt__part part;
        for (int32_t k = 0; k < above->n; k++)
            add_need(b, above->needs[k].axis, above->needs[k].part);
        run_of(spec->needs[i].in, axis->bins, &part);
        for (int32_t k = 0; k < axis->bins && axis->categorical; k++)
            if (spec->needs[i].in[k]) words[k / 64] |= UINT64_C(1) << (k % 64);
        if (axis->categorical) part.set = words;
        add_need(b, p, part);
    }
    b->state[j] = 2;
    return keep_activity(b, &b->lattice->axes[j].activity, e);
}

static int32_t find_activities(builder *b, int32_t d, spt__err *e)
{
    spt_ctx *ctx = b->lattice->ctx;
    b->needs = spt__alloc(ctx, (size_t)d, sizeof *b->needs);
    b->words = spt__alloc(ctx, (size_t)d * SPT__SET_WORDS, sizeof *b->words);
    b->state = spt__calloc(ctx, (size_t)d, sizeof *b->state);
    if (b->needs == NULL || b->words == NULL || b->state == NULL) return spt__nomem(e);
    int32_t always;
    SPT__TRY(keep_activity(b, &always, e));
    for (int32_t j = 0; j < d; j++)
        SPT__TRY(find_activity(b, j, e));
    return SPT_OK;
}

int32_t spt__lattice_new(spt_ctx *ctx, const spt__axis_spec *specs, int32_t d, spt__lattice *f,
                         spt__err *e)
{
    builder b = {.lattice = f, .specs = specs};
    *f = (spt__lattice){.ctx = ctx, .d = d};
    f->axes = spt__calloc(ctx, (size_t)d, sizeof *f->axes);
    f->activities = spt__calloc(ctx, (size_t)d + 1, sizeof *f->activities);
    int32_t status = f->axes != NULL && f->activities != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) status = lay_out(specs, d, f, e);
    if (status >= 0) {
        const size_t n = (size_t)f->places;
        f->weight = spt__calloc(ctx, 5 * n, sizeof *f->weight);
        status = f->weight != NULL ? SPT_OK : spt__nomem(e);
        if (status >= 0) {
            f->at = f->weight + n;
            f->below0 = f->at + n;
            f->below1 = f->below0 + n;
            f->below2 = f->below1 + n;
            for (int32_t j = 0; j < d; j++)
                measure_axis(f, &f->axes[j], &specs[j]);
            status = find_activities(&b, d, e);
        }
    }
    spt__free(ctx, b.needs);
    spt__free(ctx, b.words);
    spt__free(ctx, b.state);
    if (status < 0) spt__lattice_free(f);
    return status;
}

void spt__lattice_free(spt__lattice *f)
{
    if (f->ctx == NULL) return;
    for (int32_t i = 0; i < f->n_activities; i++)
        spt__free(f->ctx, f->activities[i].needs);
    spt__free(f->ctx, f->activities);
    spt__free(f->ctx, f->axes);
    spt__free(f->ctx, f->weight);
    *f = (spt__lattice){.ctx = NULL};
}
