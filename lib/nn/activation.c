/* Activations. */
#include "pass.h"

#include "../base/text.h"

#include <string.h>

static const char *const names[] = {NULL, "relu", "leaky_relu", "elu", "selu", "swish"};

const char *spt__activation_name(int32_t activation)
{
    return activation >= SPT_ACTIVATION_RELU && activation <= SPT_ACTIVATION_SWISH
               ? names[activation]
               : NULL;
}

static int32_t shape(spt__layer *l, spt__err *e)
{
    if (!spt__activation_name(l->type))
        return spt__fail(e, SPT_EINVAL,
                         "%s: activation %d is unknown; SPT_ACTIVATION_RELU to "
                         "SPT_ACTIVATION_SWISH (1 to 5) are possible",
                         l->name, (int)l->type);
    l->out = l->in;
    return SPT_OK;
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    for (int64_t s = first; s < first + n; s++)
        p->kernels->activate(l->type, spt__pass_x(p, i, s), spt__pass_x(p, i + 1, s),
                             spt__shape_size(l->in));
    return SPT_OK;
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    for (int64_t s = first; s < first + n; s++)
        p->kernels->differentiate(l->type, spt__pass_x(p, i, s), spt__pass_x(p, i + 1, s),
                                  spt__pass_g(p, i + 1, s), spt__pass_g(p, i, s),
                                  spt__shape_size(l->in));
    return SPT_OK;
}

/* ELU and SELU read their output again, which must be what they wrote; of the others' output only
 * the sign matters, which activations and dropout keep (a zero of theirs stops the gradient). */
static bool reads_output(const spt__layer *l)
{
    return l->type == SPT_ACTIVATION_ELU || l->type == SPT_ACTIVATION_SELU;
}

/* Swish reads its input again. */
static bool in_place(const spt__layer *l)
{
    return l->type != SPT_ACTIVATION_SWISH;
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%s", names[l->type]);
}

const spt__layer_kind spt__kind_activation = {
    .name = "activation",
    .elementwise = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .in_place = in_place,
    .reads_output = reads_output,
    .words = words,
};

/* ---- copy: from one layout to another between two convolutions --------------------------------
 */

static int32_t copy_shape(spt__layer *l, spt__err *e)
{
    (void)e;
    l->out = l->in;
    return SPT_OK;
}

static int32_t copy_forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    for (int64_t s = first; s < first + n; s++)
        memcpy(spt__pass_x(p, i + 1, s), spt__pass_x(p, i, s),
               (size_t)spt__shape_size(l->in) * sizeof(float));
    return SPT_OK;
}

static int32_t copy_backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i] || p->g[i] == p->g[i + 1]) return SPT_OK;
    for (int64_t s = first; s < first + n; s++)
        memcpy(spt__pass_g(p, i, s), spt__pass_g(p, i + 1, s),
               (size_t)spt__shape_size(l->in) * sizeof(float));
    return SPT_OK;
}

const spt__layer_kind spt__kind_copy = {
    .name = "copy",
    .hidden = true,
    .elementwise = true,
    .shape = copy_shape,
    .forward = copy_forward,
    .backward = copy_backward,
};
