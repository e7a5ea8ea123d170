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
    spt__course_start(&t->course);
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
    spt__free(ctx, t->weight);
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
    spt__free(network->ctx, t->weight);
    t->weight = NULL;
    t->target = spt__alloc(network->ctx, (size_t)(n * network->outputs), sizeof *t->target);
    if (t->target) t->weight = spt__alloc(network->ctx, (size_t)n, sizeof *t->weight);
    if (!t->weight) return spt__nomem(e);
    SPT__TRY(spt__pass_new(network, n, SPT__TRAIN, &t->pass, e));
    t->pass->stream = t->stream;
    t->pass->statistics = network->values + network->n_trainable;
    return SPT_OK;
}

int32_t spt__weights_sum(const float *weights, const int64_t *rows, int64_t n, const char *what,
                         double *sum, spt__err *e)
{
    *sum = (double)n;
    if (!weights || n == 0) return SPT_OK;
    *sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = rows ? rows[i] : i;
        if (!isfinite(weights[row]) || weights[row] < 0.0F)
            return spt__fail(e, SPT_EINVAL,
                             "the weight of row %lld is %g; finite numbers from 0 are possible",
                             (long long)row, (double)weights[row]);
        *sum += (double)weights[row];
    }
    if (*sum > 0.0) return SPT_OK;
    return spt__fail(e, SPT_EINVAL, "the weights of all %lld %srows are 0; one above 0 is needed",
                     (long long)n, what);
}

/* Copy targets and weights of the rows; what stands for the weights in spt__outcome. */
static const float *gather(spt_trainer *t, const spt__samples *samples, const int64_t *rows,
                           int64_t n)
{
    int64_t outputs = t->network->outputs;
    for (int64_t s = 0; s < n; s++)
        memcpy(t->target + s * outputs, samples->y + (rows ? rows[s] : s) * outputs,
               (size_t)outputs * sizeof *t->target);
    if (!samples->weights) return NULL;
    for (int64_t s = 0; s < n; s++)
        t->weight[s] = samples->weights[rows ? rows[s] : s];
    return t->weight;
}

static int32_t diverged(const spt_trainer *t, const char *what, spt__err *e)
{
    return spt__fail(e, SPT_EDIVERGED,
                     "step %lld: the %s is infinite or not a number; the learning rate is %g, a "
                     "lower one would be right",
                     (long long)t->steps + 1, what, spt__trainer_rate(t));
}

/* The factor that brings the gradient's norm down to what is allowed. */
static int32_t clip(const spt_trainer *t, float *shrink, spt__err *e)
{
    double most = t->training.clip_norm;
    *shrink = 1.0F;
    if (!(most > 0.0)) return SPT_OK;
    double norm = spt__norm(t->pass->gradient, t->network->n_trainable);
    if (!isfinite(norm)) return diverged(t, "gradient", e);
    if (norm > most) *shrink = (float)(most / norm);
    return SPT_OK;
}

int32_t spt__trainer_step(spt_trainer *t, const spt__samples *samples, const int64_t *rows,
                          int64_t n, spt__losses *loss, spt__err *e)
{
    spt_network *network = t->network;
    spt__pass *p = t->pass;
    spt__outcome o = {
        .target = t->target, .weight = gather(t, samples, rows, n), .n = n, .t = network->outputs};
    spt__pass_load(p, samples->x, rows, n);
    p->step = t->steps;
    if (spt__pass_forward(p, n) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the forward pass failed");
    o.output = spt__pass_output(p);
    double count = (double)(n * o.t) * samples->mean_weight;
    double own = spt__loss_sum(&t->training, &o, 1.0 / count, p->g[network->n_layers]);
    loss->own = own / count;
    loss->told = spt__loss_told(&t->training, samples->unit, &o, own) / count;
    if (!isfinite(loss->own)) return diverged(t, "training loss", e);
    if (spt__pass_backward(p, n) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the backward pass failed");
    spt__step step = {.number = t->steps + 1, .rate = spt__trainer_rate(t)};
    SPT__TRY(clip(t, &step.shrink, e));
    t->steps++;
    spt__optimizer_step(p->kernels, &t->training, &step, network->n_trainable, network->values,
                        p->gradient, t->memory_a, t->memory_b);
    spt__network_changed(network);
    return SPT_OK;
}

/* ---- for hosts ------------------------------------------------------------------------------- */

int32_t spt_trainer_step(spt_trainer *trainer, const float *x, const float *y, const float *weights,
                         int64_t n, double *loss)
{
    SPT__REQUIRE(trainer);
    spt__err *e = &trainer->network->ctx->err;
    SPT__TRY(spt__network_idle(trainer->network, "make a step of its own"));
    if (n < 1 || !x || !y)
        return spt__fail(e, SPT_EINVAL,
                         "a step on %lld rows; 1 or more, with x and y, are possible",
                         (long long)n);
    spt__samples samples = {.x = x, .y = y, .weights = weights};
    SPT__TRY(spt__weights_sum(weights, NULL, n, "", &samples.mean_weight, e));
    samples.mean_weight /= (double)n;
    SPT__TRY(spt__trainer_reserve(trainer, n, e));
    spt__losses ours = {0};
    int32_t status = spt__trainer_step(trainer, &samples, NULL, n, &ours, e);
    if (loss) *loss = ours.own;
    return status;
}

int32_t spt_trainer_epoch(spt_trainer *trainer, double loss)
{
    SPT__REQUIRE(trainer);
    spt__course_epoch(&trainer->training, &trainer->course, loss);
    return SPT_OK;
}

double spt_trainer_rate(const spt_trainer *trainer)
{
    return trainer ? spt__trainer_rate(trainer) : NAN;
}
