/* One step on a mini-batch, for hosts that write the loop themselves. */
#include "trainer.h"

#include <math.h>
#include <string.h>

int32_t spt__trainer_new(spt_network *network, const spt__training *training,
                         const spt__stream *stream, spt_trainer **out, spt__err *e)
{
    *out = NULL;
    spt_ctx *ctx = network->ctx;
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    spt_trainer *t = spt__calloc(ctx, 1, sizeof *t);
    if (!t) return spt__nomem(e);
    atomic_fetch_add(&network->refs, 1);
    t->network = network;
    t->training = *training;
    t->stream = *stream;
    size_t n = (size_t)network->n_trainable;
    t->memory_a = spt__calloc_aligned(ctx, n, sizeof(float));
    t->memory_b = spt__calloc_aligned(ctx, n, sizeof(float));
    if (!t->memory_a || !t->memory_b) {
        spt_trainer_free(t);
        return spt__nomem(e);
    }
    spt__optimizer_start(training, network->n_trainable, t->memory_a, t->memory_b);
    *out = t;
    return SPT_OK;
}

int32_t spt_trainer_new(spt_network *network, const spt_options *options, spt_trainer **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(network && out);
    spt__training training;
    SPT__TRY(spt__training_read(options, &training, &network->ctx->err));
    return spt__trainer_new(network, &training, &(spt__stream){.seed = training.seed}, out,
                            &network->ctx->err);
}

void spt_trainer_free(spt_trainer *t)
{
    if (!t) return;
    spt_ctx *ctx = t->network->ctx;
    spt__pass_free(t->pass);
    spt__free_aligned(ctx, t->memory_a);
    spt__free_aligned(ctx, t->memory_b);
    spt__free(ctx, t->target);
    spt_network *network = t->network;
    spt__free(ctx, t);
    spt__network_unref(network);
}

int32_t spt__trainer_reserve(spt_trainer *t, int64_t n, spt__err *e)
{
    if (t->pass && t->pass->capacity >= n) return SPT_OK;
    spt_network *network = t->network;
    spt__pass_free(t->pass);
    t->pass = NULL;
    spt__free(network->ctx, t->target);
    t->target = spt__alloc(network->ctx, (size_t)(n * network->outputs), sizeof *t->target);
    if (!t->target) return spt__nomem(e);
    SPT__TRY(spt__pass_new(network, n, SPT__TRAIN, &t->pass, e));
    t->pass->stream = t->stream;
    t->pass->statistics = network->values + network->n_trainable;
    return SPT_OK;
}

int32_t spt__trainer_step(spt_trainer *t, const float *x, const float *y, const int64_t *rows,
                          int64_t n, double *loss, spt__err *e)
{
    spt_network *network = t->network;
    spt__pass *p = t->pass;
    int64_t outputs = network->outputs;
    spt__pass_load(p, x, rows, n);
    for (int64_t s = 0; s < n; s++)
        memcpy(t->target + s * outputs, y + (rows ? rows[s] : s) * outputs,
               (size_t)outputs * sizeof *y);
    p->step = t->steps;
    if (spt__pass_forward(p, n) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the forward pass failed");
    double count = (double)(n * outputs);
    *loss = spt__loss_sum(&t->training, spt__pass_output(p), t->target, n * outputs,
                          (float)(1.0 / count), p->g[network->n_layers]) /
            count;
    if (!isfinite(*loss))
        return spt__fail(e, SPT_EDIVERGED,
                         "step %lld: the training loss is infinite or not a number; the learning "
                         "rate is %g, a lower one would be right",
                         (long long)t->steps + 1, t->training.learning_rate);
    if (spt__pass_backward(p, n) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the backward pass failed");
    t->steps++;
    spt__optimizer_step(&t->training, t->steps, network->n_trainable, network->values, p->gradient,
                        t->memory_a, t->memory_b);
    spt__network_changed(network);
    return SPT_OK;
}

int32_t spt_trainer_step(spt_trainer *trainer, const float *x, const float *y, int64_t n,
                         double *loss)
{
    SPT__REQUIRE(trainer);
    spt__err *e = &trainer->network->ctx->err;
    if (n < 1 || !x || !y)
        return spt__fail(e, SPT_EINVAL,
                         "a step on %lld rows; 1 or more, with x and y, are possible",
                         (long long)n);
    SPT__TRY(spt__trainer_reserve(trainer, n, e));
    double ours = 0.0;
    int32_t status = spt__trainer_step(trainer, x, y, NULL, n, &ours, e);
    if (loss) *loss = ours;
    return status;
}
