/* Where a node is split: along one axis, either side a constant or a straight line. */
#include "grow.h"

#include <math.h>
#include <string.h>

/* Gains of the size of rounding are none. */
static const double rounding = 1e-12;
/* A mean and a threshold; and two slopes. */
static const double df_constant = 2, df_linear = 4;

double spt__split_score(const spt__rows *rows, double gain, double df)
{
    const double left = fmax(rows->squares - gain, rounding * rows->squares);
    return rows->n * log(left) + df * log(rows->n);
}

/* ---- the rows by bins ---- */

/* The filled bins of an axis in order; rows without the parameter are passed over. */
static int32_t gather(spt__grower *g, int32_t axis, const spt__rows *rows)
{
    const uint16_t *code = g->table->code + (int64_t)axis * g->table->n;
    const int32_t *row = g->rows + rows->first;
    const double *residual = g->residual + rows->first;
    uint64_t filled[SPT__SET_WORDS] = {0};
    int32_t k = 0;
    for (int32_t i = 0; i < rows->n; i++) {
        const uint16_t c = code[row[i]];
        if (c == SPT__NO_BIN) continue;
        filled[c / 64] |= UINT64_C(1) << (c % 64);
        g->bins[c].n++;
        g->bins[c].sum += residual[i];
    }
    for (int32_t w = 0; w < (g->lattice->axes[axis].bins + 63) / 64; w++)
        for (uint64_t left = filled[w]; left != 0; left &= left - 1) {
            const int32_t b = 64 * w + spt__lowest_bit(left);
            g->bin[k] = b;
            g->filled_count[k] = g->bins[b].n;
            g->filled_sum[k++] = g->bins[b].sum;
            g->bins[b] = (spt__bin_sum){0, 0};
        }
    return k;
}

/* ---- ordered axes ---- */

/* Sums over rows: of z, z^2 and z times residual. */
typedef struct line {
    double z, zz, zy;
} line;

/* What a slope gains on a side with n rows that sum to `total`. */
static inline double slope_gain(line s, double inverse, double total)
{
    const double zz = s.zz - s.z * s.z * inverse, zy = s.zy - s.z * total * inverse;
    return zz > 1e-9 ? zy * zy / zz : 0;
}

static void scan_ordered(spt__grower *g, int32_t axis, int32_t k, const spt__rows *rows,
                         spt__split *constant, spt__split *linear)
{
    const double *at = g->lattice->at + g->lattice->axes[axis].first;
    const int32_t least = (int32_t)g->settings->min_leaf;
    const double base = rows->total * rows->total * g->inverse[rows->n];
    line all = {0, 0, 0}, left = {0, 0, 0};
    double total = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < k; i++) {
        const double z = at[g->bin[i]], nz = g->filled_count[i] * z;
        all.z += nz;
        all.zz += nz * z;
        all.zy += g->filled_sum[i] * z;
    }
    for (int32_t i = 0; i + 1 < k; i++) {
        const double z = at[g->bin[i]], nz = g->filled_count[i] * z;
        n += g->filled_count[i];
        total += g->filled_sum[i];
        left.z += nz;
        left.zz += nz * z;
        left.zy += g->filled_sum[i] * z;
        const int32_t m = rows->n - n;
        if (n < least) continue;
        if (m < least) break;
        const double rest = rows->total - total, a = g->inverse[n], b = g->inverse[m];
        double gain = total * total * a + rest * rest * b - base;
        if (gain > constant->gain) {
            constant->gain = gain;
            constant->axis = axis;
            constant->after = g->bin[i];
            constant->before = g->bin[i + 1];
        }
        if (n >= SPT__SLOPE_ROWS) gain += slope_gain(left, a, total);
        if (m >= SPT__SLOPE_ROWS)
            gain += slope_gain((line){all.z - left.z, all.zz - left.zz, all.zy - left.zy}, b, rest);
        if (gain > linear->gain) {
            linear->gain = gain;
            linear->axis = axis;
            linear->after = g->bin[i];
            linear->before = g->bin[i + 1];
        }
    }
}

/* ---- axes without order ---- */

/* The filled bins by their means: the best cut of that order is the best of all sets. */
static void sort_by_means(spt__grower *g, int32_t k)
{
    for (int32_t i = 1; i < k; i++) {
        const int32_t bin = g->bin[i], count = g->filled_count[i];
        const double sum = g->filled_sum[i];
        int32_t at = i;
        for (; at > 0 && g->filled_sum[at - 1] * count > sum * g->filled_count[at - 1]; at--) {
            g->bin[at] = g->bin[at - 1];
            g->filled_count[at] = g->filled_count[at - 1];
            g->filled_sum[at] = g->filled_sum[at - 1];
        }
        g->bin[at] = bin;
        g->filled_count[at] = count;
        g->filled_sum[at] = sum;
    }
}

static void scan_categorical(spt__grower *g, int32_t axis, int32_t k, const spt__rows *rows,
                             spt__split *constant)
{
    const int32_t least = (int32_t)g->settings->min_leaf;
    const double base = rows->total * rows->total * g->inverse[rows->n];
    double total = 0;
    int32_t n = 0, cut = 0;
    sort_by_means(g, k);
    for (int32_t i = 0; i + 1 < k; i++) {
        n += g->filled_count[i];
        total += g->filled_sum[i];
        if (n < least || rows->n - n < least) continue;
        const double rest = rows->total - total;
        const double gain =
            total * total * g->inverse[n] + rest * rest * g->inverse[rows->n - n] - base;
        if (!(gain > constant->gain)) continue;
        constant->gain = gain;
        constant->axis = axis;
        cut = i + 1;
    }
    if (cut == 0) return;
    memset(constant->left, 0, sizeof constant->left);
    memset(constant->known, 0, sizeof constant->known);
    for (int32_t i = 0; i < k; i++) {
        const uint64_t bit = UINT64_C(1) << (g->bin[i] % 64);
        constant->known[g->bin[i] / 64] |= bit;
        if (i < cut) constant->left[g->bin[i] / 64] |= bit;
    }
}

/* ---- the node ---- */

void spt__split_axis(spt__grower *g, int32_t axis, const spt__rows *rows, const spt__rows *active,
                     spt__split *constant, spt__split *linear)
{
    const int32_t k = gather(g, axis, rows);
    if (k < 2) return;
    if (g->lattice->axes[axis].categorical)
        scan_categorical(g, axis, k, active, constant);
    else
        scan_ordered(g, axis, k, active, constant, linear);
}

void spt__split_find(spt__grower *g, const spt__rows *rows, int32_t depth, spt__split *best)
{
    const int32_t d = g->lattice->d;
    spt__split constant = {.axis = -1, .df = df_constant}, linear = {.axis = -1, .df = df_linear};
    const double least = rounding * (rows->squares + rows->total * rows->total / rows->n);
    constant.gain = linear.gain = least;
    best->axis = -1;
    if (!(rows->squares > least)) return;
    const int32_t tries = (int32_t)ceil(g->settings->features * d);
    for (int32_t i = 0; i < d; i++) {
        if (tries < d) {
            const int32_t j = i + (int32_t)spt__rng_below(g->rng, (uint64_t)(d - i));
            const int32_t axis = g->order[j];
            g->order[j] = g->order[i];
            g->order[i] = axis;
            /* An axis that cannot split costs no try. */
            if (i >= tries && constant.axis >= 0) break;
        }
        if (g->presence[g->lattice->axes[g->order[i]].activity] == SPT__SURELY)
            spt__split_axis(g, g->order[i], rows, rows, &constant, &linear);
    }
    double score =
        constant.axis >= 0 ? spt__split_score(rows, constant.gain, constant.df) : INFINITY;
    if (constant.axis >= 0) *best = constant;
    if (linear.axis >= 0 && spt__split_score(rows, linear.gain, linear.df) < score) {
        score = spt__split_score(rows, linear.gain, linear.df);
        *best = linear;
        best->linear = true;
    }
    if (depth < SPT__LOOK_DEPTH && rows->n >= SPT__LOOK_LEAST)
        spt__look_at_pairs(g, rows, best, &score);
    if (g->lattice->n_activities > 1) spt__look_at_absent(g, rows, best, &score);
}
