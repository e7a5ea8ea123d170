/* Networks, weights and scaling from documents. */
#include "read.h"

#include "../base/file.h"

#include <string.h>

/* ---- networks ------------------------------------------------------------------------------ */

static int32_t read_conv(const spt__in *in, spt_network *network)
{
    int64_t filters = 0, kernel = 0, stride = 0;
    int padding = 0;
    SPT__TRY(spt__in_expect(in, "conv", 4));
    SPT__TRY(spt__in_int(in, "filters", &filters));
    SPT__TRY(spt__in_int(in, "kernel", &kernel));
    SPT__TRY(spt__in_int(in, "stride", &stride));
    SPT__TRY(spt__in_choice(in, "padding", spt__padding_names, &padding));
    int32_t status = spt_network_add_conv(network, filters, kernel, stride, padding + 1);
    return status < 0 ? spt__in_blame(in) : SPT_OK;
}

static int32_t read_pool(const spt__in *in, spt_network *network)
{
    int64_t size = 0, stride = 0;
    int type = 0, padding = 0;
    SPT__TRY(spt__in_expect(in, "pool", 4));
    SPT__TRY(spt__in_choice(in, "type", spt__pool_names, &type));
    SPT__TRY(spt__in_int(in, "size", &size));
    SPT__TRY(spt__in_int(in, "stride", &stride));
    SPT__TRY(spt__in_choice(in, "padding", spt__padding_names, &padding));
    int32_t status = spt_network_add_pool(network, type + 1, size, stride, padding + 1);
    return status < 0 ? spt__in_blame(in) : SPT_OK;
}

/* The layer at whose tag the reader stands; *element is its name. */
static int32_t read_layer(const spt__in *in, spt_network *network, const char **element)
{
    int32_t status = SPT_OK;
    int64_t units = 0;
    double share = 0;
    int type = 0;
    if (spt__in_at(in, *element = "conv")) return read_conv(in, network);
    if (spt__in_at(in, *element = "pool")) return read_pool(in, network);
    if (spt__in_at(in, *element = "batch_norm")) {
        SPT__TRY(spt__in_expect(in, "batch_norm", 0));
        status = spt_network_add_batch_norm(network);
    } else if (spt__in_at(in, *element = "activation")) {
        SPT__TRY(spt__in_expect(in, "activation", 1));
        SPT__TRY(spt__in_choice(in, "type", spt__activation_names, &type));
        status = spt_network_add_activation(network, type + 1);
    } else if (spt__in_at(in, *element = "dropout")) {
        SPT__TRY(spt__in_expect(in, "dropout", 1));
        SPT__TRY(spt__in_double(in, "share", &share));
        status = spt_network_add_dropout(network, share);
    } else {
        SPT__TRY(spt__in_expect(in, *element = "dense", 1));
        SPT__TRY(spt__in_int(in, "units", &units));
        status = spt_network_add_dense(network, units);
    }
    return status < 0 ? spt__in_blame(in) : SPT_OK;
}

/* Weights of the finished network, before anything is allocated for them. */
static int64_t weights_to_be(const spt_network *network)
{
    int64_t inputs = network->bands * network->channels;
    if (network->n_layers > 0) inputs = spt__shape_size(network->layers[network->n_layers - 1].out);
    return spt_network_weights(network) + (inputs + 1) * network->outputs;
}

static int32_t read_weights(spt__reading *r, float *values, int64_t n, int64_t *used)
{
    spt__in *in = &r->in;
    const char *text = NULL;
    size_t length = 0, size = SPT__IN_PIECE;
    SPT__TRY(spt__in_expect(in, "piece", 0));
    SPT__TRY(spt__in_content(in, &text, &length));
    if (length > SPT__IN_PIECE)
        return spt__in_fail(in, "a piece of %zu characters; up to %d are read", length,
                            (int)SPT__IN_PIECE);
    if (!spt__base64_decode(text, length, r->bytes, &size) || size % 4 != 0)
        return spt__in_fail(in, "the piece is no base64 of float32 values");
    int64_t count = (int64_t)(size / 4);
    if (count > n - *used) return spt__in_fail(in, "more than %lld values", (long long)n);
    for (int64_t i = 0; i < count; i++) {
        const unsigned char *b = r->bytes + 4 * i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&values[*used + i], &bits, sizeof bits);
    }
    *used += count;
    return spt__in_end(in, "piece");
}

static int32_t read_tensor(spt__reading *r, spt_network *network, const spt__tensor *tensor)
{
    spt__in *in = &r->in;
    char *name = NULL;
    int64_t count = 0, used = 0;
    SPT__TRY(spt__in_expect(in, "tensor", 2));
    SPT__TRY(spt__in_int(in, "count", &count));
    SPT__TRY(spt__in_text(in, "name", &name));
    bool same = strcmp(name, tensor->name) == 0 && count == tensor->size;
    spt__free(r->ctx, name);
    if (!same)
        return spt__in_fail(in, "another tensor stands where %s with %lld values is needed",
                            tensor->name, (long long)tensor->size);
    SPT__TRY(spt__in_next(in));
    while (spt__in_at(in, "piece"))
        SPT__TRY(read_weights(r, network->values + tensor->offset, tensor->size, &used));
    if (used != tensor->size)
        return spt__in_fail(in, "%s has %lld values; %lld are needed", tensor->name,
                            (long long)used, (long long)tensor->size);
    return spt__in_end(in, "tensor");
}

static int32_t read_layers(spt__reading *r, spt_network *network)
{
    spt__in *in = &r->in;
    SPT__TRY(spt__in_expect(in, "layers", 0));
    SPT__TRY(spt__in_next(in));
    while (in->start) {
        const char *element = NULL;
        SPT__TRY(read_layer(in, network, &element));
        SPT__TRY(spt__in_leave(in, element));
    }
    return spt__in_end(in, "layers");
}

/* *out is the caller's also when it fails. */
static int32_t read_network(spt__reading *r, spt_network **out)
{
    spt__in *in = &r->in;
    int64_t bands = 0, channels = 0, outputs = 0;
    SPT__TRY(spt__in_expect(in, "network", 3));
    SPT__TRY(spt__in_int(in, "bands", &bands));
    SPT__TRY(spt__in_int(in, "channels", &channels));
    SPT__TRY(spt__in_int(in, "outputs", &outputs));
    if (spt_network_new(r->ctx, bands, channels, outputs, out) < 0) return spt__in_blame(in);
    SPT__TRY(spt__in_next(in));
    SPT__TRY(read_layers(r, *out));
    /* A value takes more than five characters. */
    if ((uint64_t)weights_to_be(*out) > in->size / 5)
        return spt__in_fail(in, "the layers have %lld weights, which the document cannot hold",
                            (long long)weights_to_be(*out));
    if (spt__network_finish(*out, NULL, &r->ctx->err) < 0) return spt__in_blame(in);
    for (int32_t i = 0; i < (*out)->n_tensors; i++)
        SPT__TRY(read_tensor(r, *out, &(*out)->tensors[i]));
    return spt__in_end(in, "network");
}

/* ---- members ------------------------------------------------------------------------------- */

/* What a member is made of, until it is made. */
typedef struct pieces {
    int32_t mask;
    double weight;
    int mode; /* index in spt__scale_names */
    double *mean, *sd;
    int64_t n_mean, n_sd;
    spt_network *network;
    double *target_mean, *target_sd;
    int32_t transform;
} pieces;

static int32_t read_mask(const spt__in *in, int32_t *mask)
{
    char *text = NULL;
    SPT__TRY(spt__in_text(in, "channels", &text));
    int32_t status = SPT_OK;
    *mask = 0;
    for (const char *word = text; *word && status >= 0;) {
        size_t length = strcspn(word, " ");
        int32_t bit = 1;
        for (; bit < SPT_CHANNEL_ALL; bit <<= 1)
            if (strlen(spt_channel_name(bit)) == length &&
                memcmp(spt_channel_name(bit), word, length) == 0)
                break;
        if (bit > SPT_CHANNEL_ALL || bit <= *mask)
            status = spt__in_fail(in,
                                  "channels is '%.60s'; some of R A A+D1 A+D2 A+SNV in this "
                                  "order are needed",
                                  text);
        *mask |= bit;
        word += length + (word[length] == ' ');
    }
    spt__free(in->ctx, text);
    return status;
}

static int32_t read_scaling(spt__in *in, pieces *p)
{
    SPT__TRY(spt__in_expect(in, "scaling", 1));
    SPT__TRY(spt__in_choice(in, "mode", spt__scale_names, &p->mode));
    SPT__TRY(spt__in_next(in));
    if (p->mode + 1 != SPT_SCALE_NONE) {
        SPT__TRY(spt__in_numbers(in, "mean", &p->mean, &p->n_mean));
        SPT__TRY(spt__in_numbers(in, "sd", &p->sd, &p->n_sd));
    }
    return spt__in_end(in, "scaling");
}

static int32_t read_output(spt__reading *r, pieces *p)
{
    spt__in *in = &r->in;
    int64_t t = p->network->outputs;
    p->target_mean = spt__calloc(r->ctx, (size_t)t, sizeof(double));
    p->target_sd = spt__calloc(r->ctx, (size_t)t, sizeof(double));
    if (!p->target_mean || !p->target_sd) return spt__nomem(&r->ctx->err);
    SPT__TRY(spt__in_expect(in, "output", 0));
    SPT__TRY(spt__in_next(in));
    for (int64_t i = 0; i < t; i++) {
        SPT__TRY(spt__in_expect(in, "scale", 2));
        SPT__TRY(spt__in_double(in, "mean", &p->target_mean[i]));
        SPT__TRY(spt__in_double(in, "sd", &p->target_sd[i]));
        SPT__TRY(spt__in_leave(in, "scale"));
    }
    p->transform = SPT_TRANSFORM_NONE;
    if (spt__in_at(in, "expm1")) {
        p->transform = SPT_TRANSFORM_LOG1P;
        SPT__TRY(spt__in_expect(in, "expm1", 0));
        SPT__TRY(spt__in_leave(in, "expm1"));
    }
    return spt__in_end(in, "output");
}

/* Takes the network. */
static int32_t make_member(spt__reading *r, pieces *p, spt__member **out)
{
    spt_network *network = p->network;
    spt_scaler *scaler = NULL;
    int64_t n = network->channels;
    if (p->mode + 1 != SPT_SCALE_CHANNEL) n *= network->bands;
    if (p->mode + 1 != SPT_SCALE_NONE) {
        if (p->n_mean != n || p->n_sd != n)
            return spt__in_fail(&r->in, "scaling has %lld means and %lld s.d.; %lld are needed",
                                (long long)p->n_mean, (long long)p->n_sd, (long long)n);
        if (spt_scaler_new(r->ctx, network->bands, network->channels, p->mode + 1, p->mean, p->sd,
                           &scaler) < 0)
            return spt__in_blame(&r->in);
    }
    p->network = NULL;
    spt__output output = {p->target_mean, p->target_sd, p->transform};
    int32_t status = spt__member_new(r->ctx, p->mask, network, scaler, &output, out, &r->ctx->err);
    return status < 0 ? spt__in_blame(&r->in) : SPT_OK;
}

static int32_t read_pieces(spt__reading *r, pieces *p, spt__member **out)
{
    spt__in *in = &r->in;
    SPT__TRY(spt__in_expect(in, "member", 2));
    SPT__TRY(spt__in_double(in, "weight", &p->weight));
    SPT__TRY(read_mask(in, &p->mask));
    SPT__TRY(spt__in_next(in));
    SPT__TRY(read_scaling(in, p));
    SPT__TRY(read_network(r, &p->network));
    SPT__TRY(read_output(r, p));
    SPT__TRY(make_member(r, p, out));
    return spt__in_end(in, "member");
}

int32_t spt__read_member(spt__reading *r)
{
    pieces p = {0};
    spt__part part = {0};
    int32_t status = read_pieces(r, &p, &part.member);
    spt_network_free(p.network);
    spt__free(r->ctx, p.mean);
    spt__free(r->ctx, p.sd);
    spt__free(r->ctx, p.target_mean);
    spt__free(r->ctx, p.target_sd);
    part.weight = p.weight;
    spt__part *more =
        status < 0 ? NULL : spt__realloc(r->ctx, r->parts, (size_t)r->n_parts + 1, sizeof *more);
    if (status >= 0 && !more) status = spt__nomem(&r->ctx->err);
    if (status < 0) {
        spt__member_unref(part.member);
        return status;
    }
    r->parts = more;
    r->parts[r->n_parts++] = part;
    return SPT_OK;
}
