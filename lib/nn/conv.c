/* Convolution without copies of windows.
 *
 * The input stands padded, sample after sample, each `pitch` strides long. Window o of sample s
 * starts at row (s * pitch + o) * stride, so all windows of the batch are the rows of one matrix
 * that overlap (row stride = stride x channels) and the convolution is one product. Rows whose
 * window runs from one sample into the next are not outputs; they stand between the samples'
 * outputs and nobody reads them. In the gradient they are set to zero: then the same matrix,
 * transposed, gives the gradient of the weights, and windows that look back over the gradient that
 * of the input.
 *
 * Where few filters would leave vectors half empty, `group` neighbouring positions are one row of
 * the product: windows `group - 1` strides longer, weights that repeat, shifted, with zeros
 * between. In memory nothing changes, since the outputs of neighbours are neighbours. The last
 * group may reach beyond the last position, into the room between samples: so a group has at most
 * one position more than that room. */
#include "pass.h"

#include "../base/text.h"

#include <string.h>

static const int64_t max_filters = 65536, max_kernel = 65536;

static int32_t check_settings(const spt__layer *l, spt__err *e)
{
    if (l->in.flat)
        return spt__fail(e, SPT_ESHAPE, "%s: a convolution cannot follow a dense layer", l->name);
    if (l->units < 1 || l->units > max_filters)
        return spt__fail(e, SPT_EINVAL, "%s: filters is %lld; 1 to %lld are possible", l->name,
                         (long long)l->units, (long long)max_filters);
    if (l->kernel < 1 || l->kernel > max_kernel)
        return spt__fail(e, SPT_EINVAL, "%s: kernel is %lld; 1 to %lld are possible", l->name,
                         (long long)l->kernel, (long long)max_kernel);
    if (l->stride < 1 || l->stride > max_kernel)
        return spt__fail(e, SPT_EINVAL, "%s: stride is %lld; 1 to %lld are possible", l->name,
                         (long long)l->stride, (long long)max_kernel);
    if (l->padding != SPT_PADDING_VALID && l->padding != SPT_PADDING_SAME)
        return spt__fail(e, SPT_EINVAL,
                         "%s: padding is %d; SPT_PADDING_VALID and SPT_PADDING_SAME are possible",
                         l->name, (int)l->padding);
    return SPT_OK;
}

static int32_t shape(spt__layer *l, spt__err *e)
{
    SPT__TRY(check_settings(l, e));
    int64_t length = l->in.length, windows = 0;
    l->pad_before = 0;
    if (l->padding == SPT_PADDING_SAME) {
        windows = (length + l->stride - 1) / l->stride;
        int64_t pad = (windows - 1) * l->stride + l->kernel - length;
        if (pad > 0) l->pad_before = pad / 2;
    } else {
        if (l->kernel > length)
            return spt__fail(e, SPT_ESHAPE,
                             "%s: kernel %lld is longer than its input (length %lld); 1 to %lld "
                             "are possible, or padding same",
                             l->name, (long long)l->kernel, (long long)length, (long long)length);
        windows = (length - l->kernel) / l->stride + 1;
    }
    /* Long enough for all windows and for the values that no window reads, in whole strides. */
    int64_t end = (windows - 1) * l->stride + l->kernel;
    if (l->pad_before + length > end) end = l->pad_before + length;
    l->pitch = (end + l->stride - 1) / l->stride;
    l->out = (spt__shape){windows, l->units, false};
    return SPT_OK;
}

static int32_t tensors(spt_network *network, int32_t layer, spt__err *e)
{
    const spt__layer *l = &network->layers[layer];
    int64_t k = l->kernel, c = l->in.channels, f = l->units;
    SPT__TRY(spt__add_tensor(network, layer, "weight",
                             (spt__tensor){.trainable = true,
                                           .init = SPT__INIT_WEIGHT,
                                           .n_dims = 3,
                                           .dims = {k, c, f},
                                           .fan_in = k * c,
                                           .fan_out = k * f},
                             e));
    return spt__add_tensor(network, layer, "bias",
                           (spt__tensor){.trainable = true, .n_dims = 1, .dims = {f}}, e);
}

/* ---- products -------------------------------------------------------------------------------- */

static int64_t window_of(const spt__layer *l)
{
    return l->kernel * l->in.channels;
}
/* Floats from one position's window to the next. */
static int64_t step_of(const spt__layer *l)
{
    return l->stride * l->in.channels;
}
/* Positions of n samples that a block computes, in groups. */
static int64_t groups_of(const spt__layer *l, int64_t n, int64_t group)
{
    int64_t positions = (n - 1) * l->pitch + l->out.length;
    return (positions + group - 1) / group;
}
static int64_t grouped_window(const spt__layer *l, int64_t group)
{
    return window_of(l) + (group - 1) * step_of(l);
}

/* Taps that the input's rows r, r + stride, ... take part in. */
static int64_t taps_of(const spt__layer *l, int64_t r)
{
    return r < l->kernel ? (l->kernel - r + l->stride - 1) / l->stride : 0;
}
/* Rows of the matrix that the input's gradient is multiplied with, for remainder r. */
static int64_t turned_rows(const spt__layer *l, const spt__slot *slot, int64_t r)
{
    int64_t taps = taps_of(l, r);
    return taps > 0 ? (taps + slot->group_back - 1) * l->units : 0;
}
static int64_t turned_size(const spt__pass *p, const spt__layer *l, const spt__slot *slot,
                           int64_t r)
{
    int64_t rows = turned_rows(l, slot, r), columns = slot->group_back * l->in.channels;
    int64_t panels = p->kernels->panel_size(rows, columns);
    return panels > 0 ? panels : rows * columns;
}

static spt__product outputs_of(const spt__pass *p, int32_t i, const spt__slot *slot, int64_t first,
                               int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    spt__product q = {.m = groups_of(l, n, slot->group),
                      .n = slot->group * l->units,
                      .k = grouped_window(l, slot->group),
                      .a = {NULL, slot->group * step_of(l), 1},
                      .b = {spt__pass_values(p, l, 0), l->units, 1},
                      .c_row = slot->group * l->units};
    if (p->x) {
        q.a.data = spt__pass_x(p, i, first) - l->in_layout.lead;
        q.c = spt__pass_x(p, i + 1, first);
    }
    return q;
}

static spt__product weight_gradient(const spt__pass *p, int32_t i, const spt__slot *slot,
                                    int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t width = slot->group * l->units;
    spt__product q = {.m = grouped_window(l, slot->group),
                      .n = width,
                      .k = groups_of(l, n, slot->group),
                      .a = {NULL, 1, slot->group * step_of(l)},
                      .b = {NULL, width, 1},
                      .c_row = width,
                      .add = first > 0};
    if (p->x) {
        q.a.data = spt__pass_x(p, i, first) - l->in_layout.lead;
        q.b.data = spt__pass_g(p, i + 1, first);
        q.c = slot->group > 1 ? slot->grouped : spt__pass_gradient(p, l, 0);
    }
    return q;
}

/* ---- planning -------------------------------------------------------------------------------- */

static bool input_is_wanted(const spt__pass *p, int32_t i)
{
    return i > p->first || (p->mode & SPT__INPUT_GRADIENT);
}

static void plan_back(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    const spt__layer *l = &p->network->layers[i];
    slot->partial = spt__arena_take(arena, spt__wide(l->units), sizeof(float));
    slot->sums = spt__arena_take(arena, l->units, sizeof(double));
    if (slot->group > 1)
        slot->grouped = spt__arena_take(
            arena, grouped_window(l, slot->group) * slot->group * l->units, sizeof(float));
    spt__pass measured = {.network = p->network, .kernels = p->kernels};
    int64_t block = p->capacity < l->block ? p->capacity : l->block;
    spt__product q = weight_gradient(&measured, i, slot, 0, block);
    spt__arena_want(arena, p->kernels->product_work(&q));
    if (!input_is_wanted(p, i)) return;
    int64_t room = (l->pitch - l->out.length) + 1, taps = taps_of(l, 0);
    slot->group_back = 1;
    if (l->stride == 1)
        slot->group_back = p->kernels->group(taps * l->units, l->units, l->in.channels, room);
    int64_t floats = 0;
    for (int64_t r = 0; r < l->stride; r++) {
        floats += turned_size(p, l, slot, r);
        spt__arena_want(arena, turned_rows(l, slot, r) * slot->group_back * l->in.channels);
    }
    slot->turned = spt__arena_take(arena, floats, sizeof(float));
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t room = (l->pitch - l->out.length) + 1;
    slot->group = p->kernels->group(window_of(l), step_of(l), l->units, room);
    int64_t k = grouped_window(l, slot->group), n = slot->group * l->units;
    int64_t panels = p->kernels->panel_size(k, n);
    spt__pass measured = {.network = p->network, .kernels = p->kernels};
    spt__product block = outputs_of(&measured, i, slot, 0, p->capacity);
    if (panels > 0 && (slot->group > 1 || spt__pass_packs(p, &block)))
        slot->panels = spt__arena_take(arena, panels, sizeof(float));
    slot->bias = spt__arena_take(arena, n, sizeof(float));
    if (slot->folded) slot->work = spt__arena_take(arena, 4 * n, sizeof(float));
    if (slot->group > 1) spt__arena_want(arena, k * n);
    if (p->mode & SPT__TRAIN) plan_back(p, i, slot, arena);
}

/* ---- weights, packed ------------------------------------------------------------------------- */

/* The weights of `group` positions side by side; `out` is grouped_window x (group x filters). */
static void group_weights(const spt__layer *l, const float *weight, int64_t group, float *out)
{
    int64_t f = l->units, width = group * f, window = window_of(l);
    memset(out, 0, (size_t)(grouped_window(l, group) * width) * sizeof *out);
    for (int64_t q = 0; q < group; q++)
        for (int64_t k = 0; k < window; k++)
            memcpy(out + (q * step_of(l) + k) * width + q * f, weight + k * f,
                   (size_t)f * sizeof *out);
}

static void prepare_forward(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    spt__slot *slot = &p->slots[i];
    int64_t f = l->units, n = slot->group * f, k = grouped_window(l, slot->group);
    const float *bias = spt__pass_values(p, l, 1), *weight = spt__pass_values(p, l, 0);
    float *factor = NULL;
    for (int64_t j = 0; j < n; j++)
        slot->bias[j] = bias[j % f];
    if (slot->folded) {
        float *mean = slot->work, *shift = mean + n, *factors = mean + 2 * n;
        factor = mean + 3 * n;
        spt__batch_norm_running(p, i + 1, mean, factors, shift);
        for (int64_t j = 0; j < n; j++) {
            factor[j] = factors[j % f];
            slot->bias[j] = (bias[j % f] - mean[j % f]) * factor[j] + shift[j % f];
        }
    }
    if (!slot->panels) return;
    if (slot->group > 1) {
        group_weights(l, weight, slot->group, p->work);
        weight = p->work;
    }
    p->kernels->pack(k, n, (spt__mat){weight, n, 1}, factor, slot->panels);
}

/* Weights turned round for the rows r, r + stride, ... of the input: output rows look back over
 * their taps in reverse. */
static void turn_weights(const spt__pass *p, int32_t i, int64_t r, float *out)
{
    const spt__layer *l = &p->network->layers[i];
    const spt__slot *slot = &p->slots[i];
    int64_t c = l->in.channels, f = l->units, taps = taps_of(l, r), width = slot->group_back * c;
    const float *weight = spt__pass_values(p, l, 0);
    memset(out, 0, (size_t)(turned_rows(l, slot, r) * width) * sizeof *out);
    for (int64_t q = 0; q < slot->group_back; q++)
        for (int64_t t = 0; t < taps; t++) {
            const float *tap = weight + (r + l->stride * (taps - 1 - t)) * c * f;
            float *to = out + (t + q) * f * width + q * c;
            for (int64_t a = 0; a < c; a++)
                for (int64_t b = 0; b < f; b++)
                    to[b * width + a] = tap[a * f + b];
        }
}

static void prepare(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    spt__slot *slot = &p->slots[i];
    prepare_forward(p, i);
    if (!slot->turned) return;
    int64_t width = slot->group_back * l->in.channels;
    float *out = slot->turned;
    for (int64_t r = 0; r < l->stride; r++) {
        int64_t rows = turned_rows(l, slot, r);
        if (p->kernels->panel_size(rows, width) > 0) {
            turn_weights(p, i, r, p->work);
            p->kernels->pack(rows, width, (spt__mat){p->work, width, 1}, NULL, out);
        } else {
            turn_weights(p, i, r, out);
        }
        out += turned_size(p, l, slot, r);
    }
}

/* ---- forward and back ------------------------------------------------------------------------ */

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__slot *slot = &p->slots[i];
    spt__product q = outputs_of(p, i, slot, first, n);
    q.panels = slot->panels;
    q.bias = slot->bias;
    q.activation = slot->activation;
    return spt__pass_product(p, &q);
}

static int32_t input_gradient(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    const spt__slot *slot = &p->slots[i];
    int64_t c = l->in.channels, f = l->units, group = slot->group_back;
    const float *g = spt__pass_g(p, i + 1, first), *turned = slot->turned;
    float *out = spt__pass_g(p, i, first) - l->in_layout.lead;
    for (int64_t r = 0; r < l->stride; r++) {
        int64_t taps = taps_of(l, r), k = turned_rows(l, slot, r);
        spt__product q = {.m = (n * l->pitch + group - 1) / group,
                          .n = group * c,
                          .k = k,
                          .a = {g - (taps > 0 ? taps - 1 : 0) * f, group * f, 1},
                          .b = {turned, group * c, 1},
                          .c = out + r * c,
                          .c_row = group * l->stride * c};
        if (p->kernels->panel_size(k, group * c) > 0) q.panels = turned;
        SPT__TRY(spt__pass_product(p, &q));
        turned += turned_size(p, l, slot, r);
    }
    return SPT_OK;
}

static void finish_weights(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    const spt__slot *slot = &p->slots[i];
    int64_t f = l->units, width = slot->group * f, window = window_of(l);
    float *bias = spt__pass_gradient(p, l, 1), *weight = spt__pass_gradient(p, l, 0);
    for (int64_t j = 0; j < f; j++)
        bias[j] = (float)slot->sums[j];
    for (int64_t k = 0; slot->group > 1 && k < window; k++)
        for (int64_t j = 0; j < f; j++) {
            float sum = 0.0F;
            for (int64_t q = 0; q < slot->group; q++)
                sum += slot->grouped[(q * step_of(l) + k) * width + q * f + j];
            weight[k * f + j] = sum;
        }
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t filters = l->units, stride = l->out_layout.stride;
    spt__slot *slot = &p->slots[i];
    float *g = spt__pass_g(p, i + 1, first);
    /* Between the samples and in front of them: windows that look back end there. */
    int64_t gap = (l->pitch - l->out.length) * filters;
    for (int64_t s = 0; gap > 0 && s < n; s++)
        memset(g + s * stride + l->out.length * filters, 0, (size_t)gap * sizeof *g);
    int64_t look_back = taps_of(l, 0) - 1;
    if (look_back > 0)
        memset(g - look_back * filters, 0, (size_t)(look_back * filters) * sizeof *g);

    for (int64_t f = 0; first == 0 && f < filters; f++)
        slot->sums[f] = 0.0;
    p->kernels->sums(g, (spt__rows){n, l->out.length, filters, stride}, slot->partial, slot->sums);
    spt__product q = weight_gradient(p, i, slot, first, n);
    SPT__TRY(spt__pass_product(p, &q));
    if (first + n == p->rows) finish_weights(p, i);
    return p->g[i] ? input_gradient(p, i, first, n) : SPT_OK;
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%lld filters, kernel %lld, stride %lld, %s", (long long)l->units,
                (long long)l->kernel, (long long)l->stride,
                l->padding == SPT_PADDING_SAME ? "same" : "valid");
}

const spt__layer_kind spt__kind_conv = {
    .name = "conv",
    .epilogue = true,
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .words = words,
};
