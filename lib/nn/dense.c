/* Dense layers: every input, whatever its shape, to every unit. */
#include "pass.h"

#include "gemm.h"
#include "../base/text.h"

static const int64_t max_units = 65536;

static int32_t shape(spt__layer *l, spt__err *e)
{
    if (l->units < 1 || l->units > max_units)
        return spt__fail(e, SPT_EINVAL, "%s: units is %lld; 1 to %lld are possible", l->name,
                         (long long)l->units, (long long)max_units);
    l->out = (spt__shape){1, l->units, true};
    return SPT_OK;
}

static int32_t tensors(spt_network *network, int32_t layer, spt__err *e)
{
    const spt__layer *l = &network->layers[layer];
    int64_t inputs = spt__shape_size(l->in), units = l->units;
    SPT__TRY(spt__add_tensor(network, layer, "weight",
                             (spt__tensor){.trainable = true,
                                           .init = SPT__INIT_WEIGHT,
                                           .n_dims = 2,
                                           .dims = {inputs, units},
                                           .fan_in = inputs,
                                           .fan_out = units},
                             e));
    return spt__add_tensor(network, layer, "bias",
                           (spt__tensor){.trainable = true, .n_dims = 1, .dims = {units}}, e);
}

static void plan(const spt__layer *l, int64_t capacity, int32_t mode, spt__slot *slot,
                 spt__arena *arena)
{
    (void)capacity;
    if (!(mode & SPT__TRAIN)) return;
    slot->partial = spt__arena_take(arena, l->units, sizeof(float));
    slot->sums = spt__arena_take(arena, l->units, sizeof(double));
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t units = l->units, y_row = l->out_layout.stride;
    float *y = p->x[i + 1] + first * y_row;
    spt__mat x = {p->x[i] + first * l->in_layout.stride, l->in_layout.stride, 1};
    spt__mat weight = {spt__pass_values(p, l, 0), units, 1};
    SPT__TRY(spt__pass_gemm(p, n, units, spt__shape_size(l->in), x, weight, y, y_row));
    const float *bias = spt__pass_values(p, l, 1);
    for (int64_t s = 0; s < n; s++)
        for (int64_t u = 0; u < units; u++)
            y[s * y_row + u] += bias[u];
    return SPT_OK;
}

static int32_t backward(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t units = l->units, inputs = spt__shape_size(l->in);
    const float *g = p->g[i + 1];
    int64_t g_row = l->out_layout.stride;
    spt__slot *slot = &p->slots[i];
    spt__channel_sums(g, g_row, n, 1, units, slot->partial, slot->sums);
    float *bias = spt__pass_gradient(p, l, 1);
    for (int64_t u = 0; u < units; u++)
        bias[u] = (float)slot->sums[u];

    spt__mat x_turned = {p->x[i], 1, l->in_layout.stride};
    SPT__TRY(spt__gemm(inputs, units, n, x_turned, (spt__mat){g, g_row, 1}, false,
                       spt__pass_gradient(p, l, 0), units));
    if (!p->g[i]) return SPT_OK;
    spt__mat weight_turned = {spt__pass_values(p, l, 0), 1, units};
    return spt__gemm(n, inputs, units, (spt__mat){g, g_row, 1}, weight_turned, false, p->g[i],
                     l->in_layout.stride);
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%lld units", (long long)l->units);
}

const spt__layer_kind spt__kind_dense = {
    .name = "dense",
    .dense = true,
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .words = words,
};
