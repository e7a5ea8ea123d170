#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int32_t add_layers(spt_network *network, const layer_spec *layers)
{
    for (const layer_spec *l = layers; l->what; l++) {
        int32_t status = SPT_EINTERNAL;
        switch (l->what) {
        case 'c':
            status = spt_network_add_conv(network, l->units, l->kernel, l->stride, l->padding);
            break;
        case 'b':
            status = spt_network_add_batch_norm(network);
            break;
        case 'a':
            status = spt_network_add_activation(network, l->type);
            break;
        case 'p':
            status = spt_network_add_pool(network, l->type, l->kernel, l->stride, l->padding);
            break;
        case 'o':
            status = spt_network_add_dropout(network, l->share);
            break;
        case 'd':
            status = spt_network_add_dense(network, l->units);
            break;
        default:
            break;
        }
        if (status < 0) return status;
    }
    return SPT_OK;
}

/* A batch between layers. */
typedef struct batch {
    int64_t n, length, channels;
    double *v;
} batch;

static double *at(const batch *b, int64_t s, int64_t r, int64_t c)
{
    return &b->v[(s * b->length + r) * b->channels + c];
}

static batch make(int64_t n, int64_t length, int64_t channels)
{
    batch b = {n, length, channels, NULL};
    b.v = calloc((size_t)(n * length * channels), sizeof *b.v);
    return b;
}

/* Output length and zeros before, from the documented rules. */
static int64_t windows(int64_t length, const layer_spec *l, int64_t *before)
{
    *before = 0;
    if (l->padding == SPT_PADDING_VALID)
        return (int64_t)floor((double)(length - l->kernel) / (double)l->stride) + 1;
    int64_t out = (int64_t)ceil((double)length / (double)l->stride);
    int64_t pad = (out - 1) * l->stride + l->kernel - length;
    if (pad > 0) *before = (int64_t)floor((double)pad / 2.0);
    return out;
}

static batch convolve(batch in, const layer_spec *l, double **w)
{
    int64_t before, out = windows(in.length, l, &before);
    batch y = make(in.n, out, l->units);
    const double *weight = *w, *bias = weight + l->kernel * in.channels * l->units;
    for (int64_t s = 0; s < in.n; s++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t f = 0; f < l->units; f++) {
                double sum = bias[f];
                for (int64_t k = 0; k < l->kernel; k++) {
                    int64_t r = o * l->stride + k - before;
                    if (r < 0 || r >= in.length) continue;
                    for (int64_t c = 0; c < in.channels; c++)
                        sum += *at(&in, s, r, c) * weight[(k * in.channels + c) * l->units + f];
                }
                *at(&y, s, o, f) = sum;
            }
    *w += l->kernel * in.channels * l->units + l->units;
    return y;
}

static batch connect(batch in, int64_t units, double **w)
{
    int64_t size = in.length * in.channels;
    batch y = make(in.n, 1, units);
    for (int64_t s = 0; s < in.n; s++)
        for (int64_t u = 0; u < units; u++) {
            double sum = (*w)[size * units + u];
            for (int64_t j = 0; j < size; j++)
                sum += in.v[s * size + j] * (*w)[j * units + u];
            *at(&y, s, 0, u) = sum;
        }
    *w += size * units + units;
    return y;
}

static batch normalise(batch in, double **w, bool train, bool update)
{
    batch y = make(in.n, in.length, in.channels);
    double *scale = *w, *shift = scale + in.channels, *running_mean = shift + in.channels,
           *running_variance = running_mean + in.channels;
    double count = (double)(in.n * in.length);
    for (int64_t c = 0; c < in.channels; c++) {
        double mean = 0.0, variance = 0.0;
        for (int64_t i = 0; i < in.n * in.length; i++)
            mean += in.v[i * in.channels + c] / count;
        for (int64_t i = 0; i < in.n * in.length; i++)
            variance += pow(in.v[i * in.channels + c] - mean, 2.0) / count;
        if (!train) {
            mean = running_mean[c];
            variance = running_variance[c];
        } else if (update) {
            running_mean[c] = 0.9 * running_mean[c] + 0.1 * mean;
            if (count > 1.0)
                running_variance[c] =
                    0.9 * running_variance[c] + 0.1 * variance * count / (count - 1.0);
        }
        for (int64_t i = 0; i < in.n * in.length; i++)
            y.v[i * in.channels + c] =
                (in.v[i * in.channels + c] - mean) / sqrt(variance + 1e-5) * scale[c] + shift[c];
    }
    *w += 4 * in.channels;
    return y;
}

static double activated(int32_t type, double x)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case SPT_ACTIVATION_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case SPT_ACTIVATION_ELU:
        return x > 0 ? x : expm1(x);
    case SPT_ACTIVATION_SELU:
        return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x));
    default:
        return x / (1 + exp(-x));
    }
}

static batch activate(batch in, int32_t type)
{
    batch y = make(in.n, in.length, in.channels);
    for (int64_t i = 0; i < in.n * in.length * in.channels; i++)
        y.v[i] = activated(type, in.v[i]);
    return y;
}

static batch pool(batch in, const layer_spec *l)
{
    int64_t before, out = windows(in.length, l, &before);
    batch y = make(in.n, out, in.channels);
    for (int64_t s = 0; s < in.n; s++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t c = 0; c < in.channels; c++) {
                double sum = 0.0, largest = -INFINITY, count = 0.0;
                for (int64_t k = 0; k < l->kernel; k++) {
                    int64_t r = o * l->stride + k - before;
                    if (r < 0 || r >= in.length) continue;
                    sum += *at(&in, s, r, c);
                    largest = fmax(largest, *at(&in, s, r, c));
                    count += 1.0;
                }
                *at(&y, s, o, c) = l->type == SPT_POOL_MAX ? largest : sum / count;
            }
    return y;
}

/* The masks are the library's (what is random about them is tested elsewhere). */
static batch drop(batch in, double share, const spt__pass *train, int32_t layer)
{
    int64_t size = in.length * in.channels, row = (size + 7) / 8 * 8;
    batch y = make(in.n, in.length, in.channels);
    for (int64_t s = 0; s < in.n; s++)
        for (int64_t j = 0; j < size; j++) {
            double kept = train ? (double)train->slots[layer].mask[s * row + j] / (1 - share) : 1.0;
            y.v[s * size + j] = in.v[s * size + j] * kept;
        }
    return y;
}

void reference_forward(const net_case *c, double *w, const spt__pass *train, bool update,
                       const double *x, int64_t n, double *y)
{
    batch b = make(n, c->bands, c->channels);
    memcpy(b.v, x, (size_t)(n * c->bands * c->channels) * sizeof *x);
    int32_t index = 0; /* of the layer in the library, which puts a copy between convolutions */
    for (const layer_spec *l = c->layers;; l++, index++) {
        batch next;
        switch (l->what) {
        case 'c':
            if (index > 0 && l[-1].what == 'c') index++;
            next = convolve(b, l, &w);
            break;
        case 'b':
            next = normalise(b, &w, train != NULL, update);
            break;
        case 'a':
            next = activate(b, l->type);
            break;
        case 'p':
            next = pool(b, l);
            break;
        case 'o':
            next = drop(b, l->share, train, index);
            break;
        default:
            next = connect(b, l->what ? l->units : c->outputs, &w);
            break;
        }
        free(b.v);
        b = next;
        if (!l->what) break;
    }
    memcpy(y, b.v, (size_t)(n * c->outputs) * sizeof *y);
    free(b.v);
}
