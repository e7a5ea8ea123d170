/* Activations, and the exponential they need. */
#include "pass.h"

#include "../base/text.h"

#include <string.h>

/* Klambauer et al. 2017, "Self-normalizing neural networks". */
static const float selu_scale = 1.0507009873554805F, selu_alpha = 1.6732632423543772F;
static const float leaky_slope = 0.01F;

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

/* exp in a form that compilers turn into vector code, to 2 units in the last place: 2^n times a
 * polynomial in the rest, |rest| <= ln(2) / 2. The coefficients are those of the Taylor series; its
 * error at the ends, 0.347^8 / 8!, is below float's resolution. NaN stays NaN. */
static inline float exponential(float x)
{
    const float log2e = 1.44269504F, ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
    const float round = 12582912.0F; /* 1.5 * 2^23: adding it rounds to a whole number */
    float clamped = x < -87.0F ? -87.0F : x;
    clamped = clamped > 88.0F ? 88.0F : clamped;
    float shifted = clamped * log2e + round;
    float whole = shifted - round;
    float r = clamped - whole * ln2_high - whole * ln2_low;
    float sum = 1.0F / 5040.0F;
    sum = sum * r + 1.0F / 720.0F;
    sum = sum * r + 1.0F / 120.0F;
    sum = sum * r + 1.0F / 24.0F;
    sum = sum * r + 1.0F / 6.0F;
    sum = sum * r + 0.5F;
    sum = sum * r + 1.0F;
    sum = sum * r + 1.0F;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    /* The low bits of `shifted` hold the whole number; 0x4b400000 are those of `round`. */
    uint32_t power = (bits - 0x4b400000U + 127U) << 23;
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return sum * scale;
}

static inline float sigmoid(float x)
{
    return 1.0F / (1.0F + exponential(-x));
}

/* Written so that NaN comes out where NaN went in: divergence must show in the loss. */
static void activate(int32_t type, const float *x, float *y, int64_t n)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] < 0.0F ? 0.0F : x[j];
        break;
    case SPT_ACTIVATION_LEAKY_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] < 0.0F ? leaky_slope * x[j] : x[j];
        break;
    case SPT_ACTIVATION_ELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float below = exponential(x[j]) - 1.0F;
            y[j] = x[j] < 0.0F ? below : x[j];
        }
        break;
    case SPT_ACTIVATION_SELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float below = selu_scale * selu_alpha * (exponential(x[j]) - 1.0F);
            y[j] = x[j] < 0.0F ? below : selu_scale * x[j];
        }
        break;
    default:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] * sigmoid(x[j]);
        break;
    }
}

/* g * derivative, from the output y (Swish: from the input x). */
static void differentiate(int32_t type, const float *x, const float *y, const float *g, float *out,
                          int64_t n)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = y[j] > 0.0F ? g[j] : 0.0F;
        break;
    case SPT_ACTIVATION_LEAKY_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = y[j] > 0.0F ? g[j] : leaky_slope * g[j];
        break;
    case SPT_ACTIVATION_ELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = g[j] * (y[j] > 0.0F ? 1.0F : y[j] + 1.0F);
        break;
    case SPT_ACTIVATION_SELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = g[j] * (y[j] > 0.0F ? selu_scale : y[j] + selu_scale * selu_alpha);
        break;
    default:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float s = sigmoid(x[j]);
            out[j] = g[j] * s * (1.0F + x[j] * (1.0F - s));
        }
        break;
    }
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t size = spt__shape_size(l->in);
    for (int64_t s = first; s < first + n; s++)
        activate(l->type, p->x[i] + s * l->in_layout.stride, p->x[i + 1] + s * l->out_layout.stride,
                 size);
    return SPT_OK;
}

static int32_t backward(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    int64_t size = spt__shape_size(l->in), in = l->in_layout.stride, out = l->out_layout.stride;
    for (int64_t s = 0; s < n; s++)
        differentiate(l->type, p->x[i] + s * in, p->x[i + 1] + s * out, p->g[i + 1] + s * out,
                      p->g[i] + s * in, size);
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
        memcpy(p->x[i + 1] + s * l->out_layout.stride, p->x[i] + s * l->in_layout.stride,
               (size_t)spt__shape_size(l->in) * sizeof(float));
    return SPT_OK;
}

static int32_t copy_backward(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i] || p->g[i] == p->g[i + 1]) return SPT_OK;
    for (int64_t s = 0; s < n; s++)
        memcpy(p->g[i] + s * l->in_layout.stride, p->g[i + 1] + s * l->out_layout.stride,
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
