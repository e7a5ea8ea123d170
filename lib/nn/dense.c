/* Dense layers: every input, whatever its shape, to every unit. */
#include "pass.h"

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

/* ---- products -------------------------------------------------------------------------------- */

static spt__product outputs_of(const spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    return (spt__product){.m = n,
                          .n = l->units,
                          .k = spt__shape_size(l->in),
                          .a = {NULL, l->in_layout.stride, 1},
                          .b = {spt__pass_values(p, l, 0), l->units, 1},
                          .c_row = l->out_layout.stride};
}

static spt__product weight_gradient(const spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    return (spt__product){.m = spt__shape_size(l->in),
                          .n = l->units,
                          .k = n,
                          .a = {NULL, 1, l->in_layout.stride},
                          .b = {NULL, l->out_layout.stride, 1},
                          .c_row = l->units};
}

static spt__product input_gradient(const spt__pass *p, int32_t i, const spt__slot *slot, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    return (spt__product){.m = n,
                          .n = spt__shape_size(l->in),
                          .k = l->units,
                          .a = {NULL, l->out_layout.stride, 1},
                          .b = {spt__pass_values(p, l, 0), 1, l->units},
                          .c_row = l->in_layout.stride,
                          .gate = slot->gate};
}

static bool input_is_wanted(const spt__pass *p, int32_t i)
{
    return i > p->first || (p->mode & SPT__INPUT_GRADIENT);
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t inputs = spt__shape_size(l->in), units = l->units;
    int64_t panels = p->kernels->panel_size(inputs, units);
    spt__product q = outputs_of(p, i, p->capacity);
    /* In training the weights change with every product, which packs them by itself, in parts. */
    if (p->mode & SPT__TRAIN)
        spt__arena_want(arena, p->kernels->product_work(&q));
    else if (panels > 0)
        slot->panels = spt__arena_take(arena, panels, sizeof(float));
    slot->bias = spt__arena_take(arena, units, sizeof(float));
    if (slot->folded) slot->work = spt__arena_take(arena, 3 * units, sizeof(float));
    if (!(p->mode & SPT__TRAIN)) return;
    slot->partial = spt__arena_take(arena, spt__wide(units), sizeof(float));
    slot->sums = spt__arena_take(arena, units, sizeof(double));
    q = weight_gradient(p, i, p->capacity);
    spt__arena_want(arena, p->kernels->product_work(&q));
    if (!input_is_wanted(p, i)) return;
    panels = p->kernels->panel_size(units, inputs);
    if (panels > 0) slot->turned = spt__arena_take(arena, panels, sizeof(float));
    q = input_gradient(p, i, slot, p->capacity);
    if (panels > 0) q.panels = p->network->values; /* some address: they will be packed */
    spt__arena_want(arena, p->kernels->product_work(&q));
}

static void prepare(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    spt__slot *slot = &p->slots[i];
    int64_t inputs = spt__shape_size(l->in), units = l->units;
    const float *bias = spt__pass_values(p, l, 1), *factor = NULL;
    spt__mat weight = {spt__pass_values(p, l, 0), units, 1};
    for (int64_t u = 0; u < units; u++)
        slot->bias[u] = bias[u];
    if (slot->folded) {
        float *mean = slot->work, *shift = mean + 2 * units;
        factor = mean + units;
        spt__batch_norm_running(p, i + 1, mean, mean + units, shift);
        for (int64_t u = 0; u < units; u++)
            slot->bias[u] = (bias[u] - mean[u]) * factor[u] + shift[u];
    }
    if (slot->panels) p->kernels->pack(inputs, units, weight, factor, slot->panels);
    if (slot->turned)
        p->kernels->pack(units, inputs, (spt__mat){weight.data, 1, units}, NULL, slot->turned);
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__slot *slot = &p->slots[i];
    spt__product q = outputs_of(p, i, n);
    q.a.data = spt__pass_x(p, i, first);
    q.c = spt__pass_x(p, i + 1, first);
    q.panels = slot->panels;
    q.bias = slot->bias;
    q.activation = slot->activation;
    q.backwards = p->backwards;
    return spt__pass_product(p, &q);
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t units = l->units;
    const float *g = spt__pass_g(p, i + 1, first);
    spt__slot *slot = &p->slots[i];
    for (int64_t u = 0; u < units; u++)
        slot->sums[u] = 0.0;
    p->kernels->sums(g, (spt__rows){n, 1, units, l->out_layout.stride}, slot->partial, slot->sums);
    float *bias = spt__pass_gradient(p, l, 1);
    for (int64_t u = 0; u < units; u++)
        bias[u] = (float)slot->sums[u];

    spt__product q = weight_gradient(p, i, n);
    q.a.data = spt__pass_x(p, i, first);
    q.b.data = g;
    q.c = spt__pass_gradient(p, l, 0);
    SPT__TRY(spt__pass_product(p, &q));
    if (!p->g[i]) return SPT_OK;
    /* With a gate the gradient takes the place of the input, which nobody reads any more. */
    q = input_gradient(p, i, slot, n);
    q.a.data = g;
    q.panels = slot->turned;
    q.c = spt__pass_g(p, i, first);
    return spt__pass_product(p, &q);
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%lld units", (long long)l->units);
}

const spt__layer_kind spt__kind_dense = {
    .name = "dense",
    .dense = true,
    .epilogue = true,
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .words = words,
};
