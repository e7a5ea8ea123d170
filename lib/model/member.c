#include "member.h"

#include <math.h>
#include <string.h>

int64_t spt__channel_count(int32_t mask)
{
    int64_t c = 0;
    for (int32_t bit = 1; bit < SPT_CHANNEL_ALL; bit <<= 1)
        c += (mask & bit) != 0;
    return c;
}

void spt__take_channels(const float *row, int32_t from, int64_t p, int32_t mask, float *out)
{
    int64_t c_from = spt__channel_count(from), c = spt__channel_count(mask);
    if (from == mask) {
        memcpy(out, row, (size_t)(p * c) * sizeof *out);
        return;
    }
    for (int32_t bit = 1, i = 0, k = 0; bit < SPT_CHANNEL_ALL; bit <<= 1) {
        if (mask & bit) {
            for (int64_t j = 0; j < p; j++)
                out[j * c + k] = row[j * c_from + i];
            k++;
        }
        i += (from & bit) != 0;
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static int32_t check_parts(int32_t mask, const spt_network *network, const spt_scaler *scaler,
                           spt__err *e)
{
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    if (mask < 1 || mask > SPT_CHANNEL_ALL)
        return spt__fail(e, SPT_EINVAL,
                         "the channel mask is %d; one or more of R (1), A (2), A+D1 (4), A+D2 (8), "
                         "A+SNV (16) are needed",
                         (int)mask);
    if (spt__channel_count(mask) != network->channels)
        return spt__fail(e, SPT_EINVAL, "the mask names %lld channels, the network reads %lld",
                         (long long)spt__channel_count(mask), (long long)network->channels);
    if (scaler && (scaler->p != network->bands || scaler->c != network->channels))
        return spt__fail(e, SPT_EINVAL,
                         "the scaler is for %lld bands x %lld channels, the network for %lld x "
                         "%lld",
                         (long long)scaler->p, (long long)scaler->c, (long long)network->bands,
                         (long long)network->channels);
    return SPT_OK;
}

static int32_t set_output(spt__member *m, const spt__output *output, spt__err *e)
{
    const double *mean = output->mean, *sd = output->sd;
    if (output->transform != SPT_TRANSFORM_NONE && output->transform != SPT_TRANSFORM_LOG1P)
        return spt__fail(e, SPT_EINVAL,
                         "the transform is %d; SPT_TRANSFORM_NONE (1) and SPT_TRANSFORM_LOG1P (2) "
                         "are possible",
                         (int)output->transform);
    m->transform = output->transform;
    m->target_mean = spt__calloc(m->ctx, (size_t)m->t, sizeof *mean);
    m->target_sd = spt__calloc(m->ctx, (size_t)m->t, sizeof *sd);
    if (!m->target_mean || !m->target_sd) return spt__nomem(e);
    for (int64_t i = 0; i < m->t; i++) {
        m->target_mean[i] = mean ? mean[i] : 0;
        m->target_sd[i] = sd ? sd[i] : 1;
        if (!isfinite(m->target_mean[i]) || !isfinite(m->target_sd[i]) || m->target_sd[i] <= 0)
            return spt__fail(e, SPT_EINVAL,
                             "mean %g and s.d. %g of target %lld; finite numbers and an s.d. above "
                             "0 are needed",
                             m->target_mean[i], m->target_sd[i], (long long)i + 1);
    }
    return SPT_OK;
}

int32_t spt__member_new(spt_ctx *ctx, int32_t mask, spt_network *network, spt_scaler *scaler,
                        const spt__output *output, spt__member **out, spt__err *e)
{
    *out = NULL;
    spt__member *m = NULL;
    int32_t status = check_parts(mask, network, scaler, e);
    if (status >= 0 && !(m = spt__calloc(ctx, 1, sizeof *m))) status = spt__nomem(e);
    if (status < 0) {
        spt_network_free(network);
        spt_scaler_free(scaler);
        return status;
    }
    atomic_init(&m->refs, 1);
    m->ctx = spt__ctx_ref(ctx);
    m->mask = mask;
    m->p = network->bands;
    m->c = network->channels;
    m->t = network->outputs;
    m->network = network;
    m->scaler = scaler;
    status = set_output(m, output, e);
    if (status < 0) {
        spt__member_unref(m);
        return status;
    }
    *out = m;
    return SPT_OK;
}

spt__member *spt__member_ref(spt__member *member)
{
    atomic_fetch_add_explicit(&member->refs, 1, memory_order_relaxed);
    return member;
}

void spt__member_unref(spt__member *member)
{
    if (!member || atomic_fetch_sub_explicit(&member->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = member->ctx;
    spt_network_free(member->network);
    spt_scaler_free(member->scaler);
    spt__free(ctx, member->target_mean);
    spt__free(ctx, member->target_sd);
    spt__free(ctx, member);
    spt__ctx_unref(ctx);
}

/* ---- prediction ---------------------------------------------------------------------------- */

int64_t spt__steady_rows(const spt_network *network)
{
    const int64_t most_bytes = INT64_C(64) << 20;
    int64_t rows = 64;
    while (rows > 1 && spt__pass_bytes(network, rows, SPT__STEADY) > most_bytes)
        rows /= 2;
    return rows;
}

int32_t spt__member_run(const spt__member *member, spt__pass *pass, float *x, int64_t n, float *y,
                        double *out, spt__err *e)
{
    if (member->scaler) spt_scaler_apply(member->scaler, x, n);
    if (spt__network_predict_with(pass, x, NULL, n, y) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the prediction failed");
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < member->t; k++) {
            double value =
                (double)y[i * member->t + k] * member->target_sd[k] + member->target_mean[k];
            out[i * member->t + k] =
                member->transform == SPT_TRANSFORM_LOG1P ? expm1(value) : value;
        }
    return SPT_OK;
}
