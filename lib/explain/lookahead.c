/* Splits that pay only with the next one. Where two parameters matter together and neither alone
 * (exclusive or), no single split gains anything and a greedy tree cuts at random; so the rows are
 * put into coarse tables of two parameters each and cut in four. And what a conditional parameter
 * does shows only after the split that tells where it exists. */
#include "grow.h"

#include <math.h>
#include <string.h>

enum { G = SPT__GROUPS };

/* One mean, one threshold each: four regions; the split on existence and one or two lines. */
static const double df_pair = 6, df_absent = 2;

/* Residuals of rows by the groups of two axes: sums and numbers. */
typedef struct table {
    double sum[G][G];
    int32_t n[G][G];
} table;

/* The best way to cut in four: the first axis behind group `cut`, then the second on either side,
 * behind two groups that need not be the same. */
typedef struct quarter {
    int32_t first, second, cut, second_left, second_right;
    double gain;
} quarter;

/* From cells to sums of all cells up to there. */
static void accumulate(table *t)
{
    for (int32_t r = 0; r < G; r++)
        for (int32_t c = 1; c < G; c++) {
            t->sum[r][c] += t->sum[r][c - 1];
            t->n[r][c] += t->n[r][c - 1];
        }
    for (int32_t r = 1; r < G; r++)
        for (int32_t c = 0; c < G; c++) {
            t->sum[r][c] += t->sum[r - 1][c];
            t->n[r][c] += t->n[r - 1][c];
        }
}

/* A part with n rows cut in two, of which one has k: what lies between their means; 0 if one has
 * too few. */
static inline double between(const spt__grower *g, double sum, int32_t k, double total, int32_t n)
{
    const int32_t least = (int32_t)g->settings->min_leaf;
    if (k < least || n - k < least) return 0;
    return sum * sum * g->inverse[k] + (total - sum) * (total - sum) * g->inverse[n - k];
}

/* The best cut of the rows of an accumulated table and then its columns, or the reverse. */
static void cut_in_four(const spt__grower *g, const table *t, bool columns_first, quarter *q)
{
    const double all = t->sum[G - 1][G - 1];
    const int32_t n = t->n[G - 1][G - 1];
    q->gain = 0;
    for (int32_t i = 0; i + 1 < G; i++) {
        const double side = columns_first ? t->sum[G - 1][i] : t->sum[i][G - 1];
        const int32_t n_side = columns_first ? t->n[G - 1][i] : t->n[i][G - 1];
        double left = 0, right = 0;
        int32_t at_left = 0, at_right = 0;
        for (int32_t k = 0; k + 1 < G; k++) {
            const int32_t r = columns_first ? k : i, c = columns_first ? i : k;
            const double along = columns_first ? t->sum[k][G - 1] : t->sum[G - 1][k];
            const int32_t n_along = columns_first ? t->n[k][G - 1] : t->n[G - 1][k];
            const double a = between(g, t->sum[r][c], t->n[r][c], side, n_side);
            const double b =
                between(g, along - t->sum[r][c], n_along - t->n[r][c], all - side, n - n_side);
            if (a > left) {
                left = a;
                at_left = k;
            }
            if (b > right) {
                right = b;
                at_right = k;
            }
        }
        const double gain = left + right - all * all * g->inverse[n];
        if (left == 0 || right == 0 || !(gain > q->gain)) continue;
        q->gain = gain;
        q->cut = i;
        q->second_left = at_left;
        q->second_right = at_right;
    }
}

/* The axes to be looked at: those that surely exist, some drawn if they are many. */
static int32_t draw_axes(spt__grower *g, int32_t *axes)
{
    const spt__lattice *lattice = g->lattice;
    int32_t seen = 0, n = 0;
    for (int32_t j = 0; j < lattice->d; j++) {
        if (g->presence[lattice->axes[j].activity] != SPT__SURELY || lattice->axes[j].bins < 2)
            continue;
        seen++;
        if (n < SPT__LOOK_AXES) {
            axes[n++] = j;
        } else {
            const uint64_t k = spt__rng_below(g->rng, (uint64_t)seen);
            if (k < SPT__LOOK_AXES) axes[k] = j;
        }
    }
    return n;
}

static void fill_tables(const spt__grower *g, const spt__rows *rows, int32_t n, int32_t first,
                        const int32_t *others, int32_t n_others, table *tables)
{
    const int32_t d = g->lattice->d;
    memset(tables, 0, (size_t)n_others * sizeof *tables);
    for (int32_t i = 0; i < n; i++) {
        const uint8_t *group = g->group + (int64_t)g->rows[rows->first + i] * d;
        const double r = g->residual[rows->first + i];
        const int32_t own = group[first];
        for (int32_t k = 0; k < n_others; k++) {
            const int32_t other = group[others[k]];
            tables[k].sum[own][other] += r;
            tables[k].n[own][other]++;
        }
    }
}

/* The first cut at its best among all bins of its axis, the second cuts as they stand. */
static void refine(spt__grower *g, const spt__rows *rows, const quarter *q, spt__split *split)
{
    const spt__lattice *lattice = g->lattice;
    const spt__axis *axis = &lattice->axes[q->first];
    const uint16_t *code = g->table->code + (int64_t)q->first * g->table->n;
    const double least = (double)g->settings->min_leaf;
    /* Per bin and for each side's cut of the second axis: numbers and sums within it, and of all.
     */
    double *cell = g->cells;
    double all[6] = {0}, left[6] = {0};
    int32_t last = -1;
    memset(cell, 0, 6 * (size_t)axis->bins * sizeof *cell);
    for (int32_t i = 0; i < rows->n; i++) {
        const int32_t row = g->rows[rows->first + i];
        const double r = g->residual[rows->first + i];
        const uint8_t group = g->group[(int64_t)row * lattice->d + q->second];
        double *c = cell + 6 * (int32_t)code[row];
        c[0] += 1;
        c[1] += r;
        if (group <= q->second_left) c[2] += 1, c[3] += r;
        if (group <= q->second_right) c[4] += 1, c[5] += r;
    }
    for (int32_t b = 0; b < axis->bins; b++)
        for (int32_t k = 0; k < 6; k++)
            all[k] += cell[6 * b + k];
    split->gain = 0;
    for (int32_t b = 0; b < axis->bins; b++) {
        if (cell[6 * b] == 0) continue;
        const double n[4] = {left[2], left[0] - left[2], all[4] - left[4],
                             all[0] - left[0] - (all[4] - left[4])};
        const double s[4] = {left[3], left[1] - left[3], all[5] - left[5],
                             all[1] - left[1] - (all[5] - left[5])};
        double gain = -all[1] * all[1] / all[0];
        bool enough = true;
        for (int32_t k = 0; k < 4; k++) {
            enough = enough && n[k] >= least;
            gain += n[k] > 0 ? s[k] * s[k] / n[k] : 0;
        }
        if (enough && gain > split->gain) {
            split->gain = gain;
            split->axis = q->first;
            split->after = last;
            split->before = b;
        }
        for (int32_t k = 0; k < 6; k++)
            left[k] += cell[6 * b + k];
        last = b;
    }
}

/* Of an axis without order the bins whose groups the cut takes. */
static void take_groups(spt__grower *g, const spt__rows *rows, const quarter *q, spt__split *split)
{
    const spt__lattice *lattice = g->lattice;
    const uint16_t *code = g->table->code + (int64_t)q->first * g->table->n;
    memset(split->left, 0, sizeof split->left);
    memset(split->known, 0, sizeof split->known);
    for (int32_t i = rows->first; i < rows->first + rows->n; i++) {
        const int32_t row = g->rows[i], b = code[row];
        split->known[b / 64] |= UINT64_C(1) << (b % 64);
        if (g->group[(int64_t)row * lattice->d + q->first] <= q->cut)
            split->left[b / 64] |= UINT64_C(1) << (b % 64);
    }
    split->axis = q->first;
    split->gain = q->gain;
}

void spt__look_at_pairs(spt__grower *g, const spt__rows *rows, spt__split *best, double *score)
{
    int32_t axes[SPT__LOOK_AXES];
    const int32_t k = draw_axes(g, axes), n = rows->n < SPT__LOOK_MOST ? rows->n : SPT__LOOK_MOST;
    table *tables = g->tables;
    quarter found = {.gain = 0};
    for (int32_t i = 0; i + 1 < k; i++) {
        fill_tables(g, rows, n, axes[i], axes + i + 1, k - i - 1, tables);
        for (int32_t j = i + 1; j < k; j++) {
            table *t = &tables[j - i - 1];
            accumulate(t);
            for (int32_t way = 0; way < 2; way++) {
                quarter q = {.first = axes[way == 0 ? i : j], .second = axes[way == 0 ? j : i]};
                cut_in_four(g, t, way == 1, &q);
                if (q.gain > found.gain) found = q;
            }
        }
    }
    if (!(found.gain > 0)) return;
    spt__split split = {.axis = -1, .df = df_pair};
    /* So far of some rows. */
    found.gain *= (double)rows->n / n;
    if (g->lattice->axes[found.first].categorical)
        take_groups(g, rows, &found, &split);
    else
        refine(g, rows, &found, &split);
    if (split.axis < 0 || !(spt__split_score(rows, split.gain, split.df) < *score)) return;
    *best = split;
    *score = spt__split_score(rows, split.gain, split.df);
}

/* ---- conditional parameters ---- */

/* The split that comes nearer to the activity: its first need that the box does not keep. */
static void towards(const spt__grower *g, const spt__activity *activity, spt__split *split)
{
    for (int32_t i = 0; i < activity->n; i++) {
        const spt__need *need = &activity->needs[i];
        const spt__axis *axis = &g->lattice->axes[need->axis];
        const spt__part *box = &g->box[need->axis];
        if (spt__part_within(axis, box, &need->part)) continue;
        split->axis = need->axis;
        split->linear = false;
        if (axis->categorical) {
            memset(split->left, 0, sizeof split->left);
            memcpy(split->left, need->part.set, (size_t)axis->words * sizeof *split->left);
            memset(split->known, 0xff, sizeof split->known);
        } else {
            /* One end of the run; the other may follow. */
            split->after = box->low < need->part.low ? need->part.low - 1 : need->part.high;
            split->before = split->after + 1;
        }
        return;
    }
}

void spt__look_at_absent(spt__grower *g, const spt__rows *rows, spt__split *best, double *score)
{
    const spt__lattice *lattice = g->lattice;
    for (int32_t j = 0; j < lattice->d; j++) {
        const int32_t activity = lattice->axes[j].activity;
        if (g->presence[activity] != SPT__MAYBE) continue;
        const uint16_t *code = g->table->code + (int64_t)j * g->table->n;
        spt__rows active = {.first = rows->first};
        for (int32_t i = rows->first; i < rows->first + rows->n; i++) {
            if (code[g->rows[i]] == SPT__NO_BIN) continue;
            active.n++;
            active.total += g->residual[i];
        }
        const int32_t absent = rows->n - active.n;
        if (active.n < 2 * g->settings->min_leaf) continue;
        const double rest = rows->total - active.total;
        const double existence = absent == 0 ? 0
                                             : active.total * active.total / active.n +
                                                   rest * rest / absent -
                                                   rows->total * rows->total / rows->n;
        spt__split split[2] = {{.axis = -1, .df = df_absent + 2},
                               {.axis = -1, .df = df_absent + 4}};
        spt__split_axis(g, j, rows, &active, &split[0], &split[1]);
        for (int32_t i = 0; i < 2; i++) {
            if (split[i].axis < 0) continue;
            const double gain = split[i].gain + existence;
            if (!(spt__split_score(rows, gain, split[i].df) < *score)) continue;
            *score = spt__split_score(rows, gain, split[i].df);
            *best = split[i];
            best->gain = gain;
            towards(g, &lattice->activities[activity], best);
        }
    }
}
