/* What a host sees of a finished network: its tensors, and its summary. */
#include "network.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

int64_t spt_network_weights(const spt_network *network)
{
    return network ? network->weights : SPT_EINVAL;
}

int64_t spt_network_tensors(const spt_network *network)
{
    return network ? network->n_tensors : SPT_EINVAL;
}

static int32_t check_index(const spt_network *network, int64_t index)
{
    if (index >= 0 && index < network->n_tensors) return SPT_OK;
    return spt__fail(&network->ctx->err, SPT_EINVAL,
                     "tensor %lld does not exist; the network has 0 to %d", (long long)index,
                     (int)network->n_tensors - 1);
}

static int32_t check_finished(const spt_network *network)
{
    if (network->finished) return SPT_OK;
    return spt__fail(&network->ctx->err, SPT_EINVAL,
                     "the network has no weights yet; call spt_network_finish() first");
}

int32_t spt_network_tensor(const spt_network *network, int64_t index, spt_tensor_info *info)
{
    SPT__REQUIRE(network && info);
    SPT__TRY(check_finished(network));
    SPT__TRY(check_index(network, index));
    const spt__tensor *t = &network->tensors[index];
    spt_tensor_info ours;
    spt_record_init(&ours, sizeof ours);
    ours.trainable = t->trainable;
    ours.name = t->name;
    ours.n_dims = t->n_dims;
    for (int i = 0; i < 3; i++)
        ours.dims[i] = i < t->n_dims ? t->dims[i] : 0;
    ours.size = t->size;
    if (spt__record_out(info, &ours, sizeof ours) < 0)
        return spt__fail(&network->ctx->err, SPT_EINVAL,
                         "spt_tensor_info.struct_size is not set; call spt_record_init() first");
    return SPT_OK;
}

int32_t spt_network_values(const spt_network *network, int64_t index, float *values,
                           int64_t capacity)
{
    SPT__REQUIRE(network && values);
    SPT__TRY(check_finished(network));
    SPT__TRY(check_index(network, index));
    const spt__tensor *t = &network->tensors[index];
    SPT__TRY(spt__check_capacity(capacity, t->size, t->name, &network->ctx->err));
    memcpy(values, network->values + t->offset, (size_t)t->size * sizeof *values);
    return SPT_OK;
}

int32_t spt_network_set_values(spt_network *network, int64_t index, const float *values, int64_t n)
{
    SPT__REQUIRE(network && values);
    SPT__TRY(check_finished(network));
    SPT__TRY(spt__network_idle(network, "change its weights"));
    SPT__TRY(check_index(network, index));
    const spt__tensor *t = &network->tensors[index];
    if (n != t->size)
        return spt__fail(&network->ctx->err, SPT_EINVAL, "%lld values for %s; it has %lld",
                         (long long)n, t->name, (long long)t->size);
    size_t name = strlen(t->name);
    const char *tail = ".variance";
    bool variance = name > strlen(tail) && !strcmp(t->name + name - strlen(tail), tail);
    for (int64_t i = 0; i < t->size; i++) {
        if (!isfinite(values[i]))
            return spt__fail(&network->ctx->err, SPT_EINVAL,
                             "value %lld for %s is not finite; the tensor is unchanged",
                             (long long)i, t->name);
        if (variance && values[i] < 0.0F)
            return spt__fail(&network->ctx->err, SPT_EINVAL,
                             "value %lld for %s is %g; a variance is 0 or more", (long long)i,
                             t->name, (double)values[i]);
    }
    memcpy(network->values + t->offset, values, (size_t)t->size * sizeof *values);
    spt__network_changed(network);
    return SPT_OK;
}

/* ---- summary --------------------------------------------------------------------------------- */

static void put_row(spt__buf *b, const char *name, const char *words, spt__shape shape,
                    const char *weights)
{
    char size[48];
    if (shape.flat)
        spt__format(size, sizeof size, "%lld", (long long)shape.channels);
    else
        spt__format(size, sizeof size, "%lld x %lld", (long long)shape.length,
                    (long long)shape.channels);
    spt__buf_printf(b, "%-14s %-42s %14s %12s\n", name, words, size, weights);
}

int32_t spt_network_summary(const spt_network *network, char *buffer, int64_t capacity,
                            int64_t *needed)
{
    SPT__REQUIRE(network);
    spt__buf b;
    spt__buf_init(&b, network->ctx);
    spt__buf_printf(&b, "%-14s %-42s %14s %12s\n", "layer", "settings", "output", "weights");
    put_row(&b, "input", "", (spt__shape){network->bands, network->channels, false}, "");
    int64_t statistics = 0;
    for (int32_t i = 0; i < network->n_layers; i++) {
        const spt__layer *l = &network->layers[i];
        if (l->kind->hidden) continue;
        int64_t weights = 0;
        for (int32_t k = 0; k < network->n_tensors; k++) {
            const spt__tensor *t = &network->tensors[k];
            if (t->layer != i) continue;
            *(t->trainable ? &weights : &statistics) += t->size;
        }
        char words[80] = "", number[24] = "";
        if (l->kind->words) l->kind->words(l, words, sizeof words);
        if (weights > 0) spt__format(number, sizeof number, "%lld", (long long)weights);
        put_row(&b, l->name, words, l->out, number);
    }
    spt__buf_printf(&b, "%lld trainable weights, %lld running statistics",
                    (long long)network->weights, (long long)statistics);
    int32_t status =
        b.failed ? spt__nomem(&network->ctx->err) : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}
