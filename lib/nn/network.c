/* The builder: a list of layers that fit each other, and the array of their weights. */
#include "pass.h"

#include "../base/rng.h"
#include "../base/text.h"

#include <math.h>
#include <string.h>

const spt__layer_kind *const spt__layer_kinds[] = {
    &spt__kind_conv,    &spt__kind_batch_norm, &spt__kind_activation, &spt__kind_pool,
    &spt__kind_dropout, &spt__kind_dense,      &spt__kind_copy,       NULL};

enum { LINE = 16 /* floats on 64 bytes */ };
static const int64_t max_bands = 1000000, max_channels = 65536, max_values = INT64_C(1) << 31;

int32_t spt_network_new(spt_ctx *ctx, int64_t bands, int64_t channels, int64_t outputs,
                        spt_network **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    if (bands < 1 || bands > max_bands)
        return spt__fail(&ctx->err, SPT_EINVAL, "bands is %lld; 1 to %lld are possible",
                         (long long)bands, (long long)max_bands);
    if (channels < 1 || channels > max_channels)
        return spt__fail(&ctx->err, SPT_EINVAL, "channels is %lld; 1 to %lld are possible",
                         (long long)channels, (long long)max_channels);
    if (outputs < 1 || outputs > max_channels)
        return spt__fail(&ctx->err, SPT_EINVAL, "outputs is %lld; 1 to %lld are possible",
                         (long long)outputs, (long long)max_channels);
    spt_network *network = spt__calloc(ctx, 1, sizeof *network);
    if (!network) return spt__nomem(&ctx->err);
    network->ctx = spt__ctx_ref(ctx);
    atomic_init(&network->refs, 1);
    network->bands = bands;
    network->channels = channels;
    network->outputs = outputs;
    *out = network;
    return SPT_OK;
}

void spt__network_unref(spt_network *network)
{
    if (!network || atomic_fetch_sub(&network->refs, 1) > 1) return;
    spt_ctx *ctx = network->ctx;
    spt__pass_free(network->predictor);
    spt__free_aligned(ctx, network->values);
    spt__free(ctx, network->tensors);
    spt__free(ctx, network->layers);
    spt__free(ctx, network);
    spt__ctx_unref(ctx);
}

int32_t spt__network_idle(const spt_network *network, const char *what)
{
    if (!network->training) return SPT_OK;
    return spt__fail(&network->ctx->err, SPT_EBUSY,
                     "the network is being trained; a callback cannot %s", what);
}

void spt_network_free(spt_network *network)
{
    spt__network_unref(network);
}

int32_t spt__add_tensor(spt_network *network, int32_t layer, const char *role, spt__tensor tensor,
                        spt__err *e)
{
    spt__layer *l = &network->layers[layer];
    tensor.size = 1;
    for (int32_t i = 0; i < tensor.n_dims; i++) {
        if (tensor.dims[i] > max_values / tensor.size)
            return spt__fail(e, SPT_ESHAPE, "%s.%s would have more than 2^31 values", l->name,
                             role);
        tensor.size *= tensor.dims[i];
    }
    if (network->n_tensors == network->tensor_capacity) {
        int32_t capacity = network->tensor_capacity * 2 + 8;
        spt__tensor *more =
            spt__realloc(network->ctx, network->tensors, (size_t)capacity, sizeof *more);
        if (!more) return spt__nomem(e);
        network->tensors = more;
        network->tensor_capacity = capacity;
    }
    spt__format(tensor.name, sizeof tensor.name, "%s.%s", l->name, role);
    tensor.layer = layer;
    if (l->tensor < 0) l->tensor = network->n_tensors;
    network->tensors[network->n_tensors++] = tensor;
    if (tensor.trainable) network->weights += tensor.size;
    return SPT_OK;
}

/* ---- adding layers --------------------------------------------------------------------------- */

static spt__shape last_shape(const spt_network *network)
{
    if (network->n_layers > 0) return network->layers[network->n_layers - 1].out;
    return (spt__shape){network->bands, network->channels, false};
}

static int32_t append(spt_network *network, const spt__layer *settings, spt__err *e)
{
    if (network->n_layers == network->layer_capacity) {
        int32_t capacity = network->layer_capacity * 2 + 16;
        spt__layer *more =
            spt__realloc(network->ctx, network->layers, (size_t)capacity, sizeof *more);
        if (!more) return spt__nomem(e);
        network->layers = more;
        network->layer_capacity = capacity;
    }
    spt__layer *l = &network->layers[network->n_layers];
    *l = *settings;
    l->in = last_shape(network);
    l->tensor = -1;
    int32_t number = 1;
    for (int32_t i = 0; i < network->n_layers; i++)
        if (network->layers[i].kind == l->kind) number++;
    if (!l->name[0]) spt__format(l->name, sizeof l->name, "%s_%d", l->kind->name, (int)number);
    SPT__TRY(l->kind->shape(l, e));
    if (spt__shape_size(l->out) > max_values)
        return spt__fail(e, SPT_ESHAPE, "%s would have more than 2^31 outputs per sample", l->name);
    network->n_layers++;
    if (!l->kind->tensors) return SPT_OK;
    int32_t n_tensors = network->n_tensors;
    int64_t weights = network->weights;
    int32_t status = l->kind->tensors(network, network->n_layers - 1, e);
    if (status < 0) {
        network->n_layers--;
        network->n_tensors = n_tensors;
        network->weights = weights;
    }
    return status;
}

int32_t spt__network_add(spt_network *network, const spt__layer *settings, spt__err *e)
{
    if (network->finished)
        return spt__fail(e, SPT_EBUSY,
                         "%s: the network is finished; layers are added before "
                         "spt_network_finish()",
                         settings->kind->name);
    /* A convolution leaves its samples apart and the next wants them apart otherwise. */
    bool two_convs = settings->kind == &spt__kind_conv && network->n_layers > 0 &&
                     network->layers[network->n_layers - 1].kind == &spt__kind_conv;
    if (two_convs) SPT__TRY(append(network, &(spt__layer){.kind = &spt__kind_copy}, e));
    int32_t status = append(network, settings, e);
    if (status < 0 && two_convs) network->n_layers--;
    return status;
}

int32_t spt_network_add_conv(spt_network *network, int64_t filters, int64_t kernel, int64_t stride,
                             int32_t padding)
{
    SPT__REQUIRE(network);
    return spt__network_add(network,
                            &(spt__layer){.kind = &spt__kind_conv,
                                          .units = filters,
                                          .kernel = kernel,
                                          .stride = stride,
                                          .padding = padding},
                            &network->ctx->err);
}

int32_t spt_network_add_batch_norm(spt_network *network)
{
    SPT__REQUIRE(network);
    return spt__network_add(network, &(spt__layer){.kind = &spt__kind_batch_norm},
                            &network->ctx->err);
}

int32_t spt_network_add_activation(spt_network *network, int32_t activation)
{
    SPT__REQUIRE(network);
    return spt__network_add(network,
                            &(spt__layer){.kind = &spt__kind_activation, .type = activation},
                            &network->ctx->err);
}

int32_t spt_network_add_pool(spt_network *network, int32_t type, int64_t size, int64_t stride,
                             int32_t padding)
{
    SPT__REQUIRE(network);
    return spt__network_add(network,
                            &(spt__layer){.kind = &spt__kind_pool,
                                          .type = type,
                                          .kernel = size,
                                          .stride = stride,
                                          .padding = padding},
                            &network->ctx->err);
}

int32_t spt_network_add_dropout(spt_network *network, double share)
{
    SPT__REQUIRE(network);
    return spt__network_add(network, &(spt__layer){.kind = &spt__kind_dropout, .share = share},
                            &network->ctx->err);
}

int32_t spt_network_add_dense(spt_network *network, int64_t units)
{
    SPT__REQUIRE(network);
    return spt__network_add(network, &(spt__layer){.kind = &spt__kind_dense, .units = units},
                            &network->ctx->err);
}

/* ---- finishing ------------------------------------------------------------------------------- */

/* Give every tensor its place; false when the sum is more than an array can hold. */
static bool place_tensors(spt_network *network)
{
    int64_t end = 0;
    for (int pass = 0; pass < 2; pass++) { /* the trainable ones first */
        for (int32_t i = 0; i < network->n_tensors; i++) {
            spt__tensor *t = &network->tensors[i];
            if (t->trainable != (pass == 0)) continue;
            t->offset = end;
            end += (t->size + LINE - 1) / LINE * LINE;
            if (end > max_values) return false;
        }
        if (pass == 0) network->n_trainable = end;
    }
    network->n_values = end;
    return true;
}

int32_t spt__network_finish(spt_network *network, const spt__stream *stream, spt__err *e)
{
    if (network->finished)
        return spt__fail(e, SPT_EBUSY, "the network is already finished; it can be trained");
    int32_t n_layers = network->n_layers, n_tensors = network->n_tensors;
    int64_t weights = network->weights;
    spt__layer output = {.kind = &spt__kind_dense, .units = network->outputs, .name = "output"};
    SPT__TRY(append(network, &output, e));
    int32_t status = SPT_OK;
    if (!place_tensors(network))
        status = spt__fail(e, SPT_ESHAPE, "the network would have more than 2^31 weights");
    else if (spt__check_memory(network->ctx, network->n_values * (int64_t)sizeof(float),
                               "the weights of the network need",
                               "fewer filters or units, or more pooling, would help", e) < 0)
        status = SPT_ELIMIT;
    else if (!(network->values = spt__calloc_aligned(network->ctx, (size_t)network->n_values,
                                                     sizeof *network->values)))
        status = spt__nomem(e);
    if (status < 0) {
        network->n_layers = n_layers;
        network->n_tensors = n_tensors;
        network->weights = weights;
        return status;
    }
    spt__network_plan(network);
    network->finished = true;
    if (stream) spt__network_init(network, stream);
    return SPT_OK;
}

int32_t spt_network_finish(spt_network *network, uint64_t seed)
{
    SPT__REQUIRE(network);
    return spt__network_finish(network, &(spt__stream){.seed = seed}, &network->ctx->err);
}

/* Standard deviation of the initial weights: the activation that follows decides. */
static double initial_deviation(const spt_network *network, const spt__tensor *t)
{
    for (int32_t i = t->layer + 1; i < network->n_layers; i++) {
        const spt__layer *l = &network->layers[i];
        if (l->kind == &spt__kind_conv || l->kind == &spt__kind_dense) break;
        if (l->kind != &spt__kind_activation) continue;
        double gain = l->type == SPT_ACTIVATION_SELU ? 1.0 : 2.0; /* LeCun, else He */
        return sqrt(gain / (double)t->fan_in);
    }
    return sqrt(2.0 / (double)(t->fan_in + t->fan_out)); /* Glorot */
}

void spt__network_init(spt_network *network, const spt__stream *stream)
{
    spt__network_changed(network);
    for (int32_t i = 0; i < network->n_tensors; i++) {
        const spt__tensor *t = &network->tensors[i];
        float *values = network->values + t->offset;
        if (t->init != SPT__INIT_WEIGHT) {
            for (int64_t j = 0; j < t->size; j++)
                values[j] = t->init == SPT__INIT_ONE ? 1.0F : 0.0F;
            continue;
        }
        double deviation = initial_deviation(network, t);
        spt__rng r;
        spt__rng_init(&r, stream->seed, SPT__RNG_INIT, (uint64_t)stream->trial,
                      (uint64_t)stream->fold << 16 | (uint64_t)i);
        for (int64_t j = 0; j < t->size; j++)
            values[j] = (float)(deviation * spt__rng_normal(&r));
    }
}

int32_t spt__network_clone(const spt_network *network, spt_network **out, spt__err *e)
{
    *out = NULL;
    spt_ctx *ctx = network->ctx;
    spt_network *copy = spt__calloc(ctx, 1, sizeof *copy);
    if (!copy) return spt__nomem(e);
    copy->ctx = spt__ctx_ref(ctx);
    atomic_init(&copy->refs, 1);
    copy->bands = network->bands;
    copy->channels = network->channels;
    copy->outputs = network->outputs;
    copy->n_layers = copy->layer_capacity = network->n_layers;
    copy->n_tensors = copy->tensor_capacity = network->n_tensors;
    copy->n_trainable = network->n_trainable;
    copy->n_values = network->n_values;
    copy->weights = network->weights;
    copy->finished = network->finished;
    copy->layers = spt__alloc(ctx, (size_t)network->n_layers, sizeof *copy->layers);
    copy->tensors = spt__alloc(ctx, (size_t)network->n_tensors, sizeof *copy->tensors);
    copy->values = spt__calloc_aligned(ctx, (size_t)network->n_values, sizeof *copy->values);
    if (!copy->layers || !copy->tensors || !copy->values) {
        spt__network_unref(copy);
        return spt__nomem(e);
    }
    memcpy(copy->layers, network->layers, (size_t)network->n_layers * sizeof *copy->layers);
    memcpy(copy->tensors, network->tensors, (size_t)network->n_tensors * sizeof *copy->tensors);
    memcpy(copy->values, network->values, (size_t)network->n_values * sizeof *copy->values);
    *out = copy;
    return SPT_OK;
}

bool spt__network_same_shape(const spt_network *a, const spt_network *b)
{
    if (a->bands != b->bands || a->channels != b->channels || a->outputs != b->outputs ||
        a->n_layers != b->n_layers)
        return false;
    for (int32_t i = 0; i < a->n_layers; i++) {
        const spt__layer *p = &a->layers[i], *q = &b->layers[i];
        if (p->kind != q->kind || p->units != q->units || p->kernel != q->kernel ||
            p->stride != q->stride || p->padding != q->padding || p->type != q->type ||
            p->share < q->share || p->share > q->share)
            return false;
    }
    return true;
}
