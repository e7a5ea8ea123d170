/* Losses and optimisers; formulas in doc/nn.md. */
#include "training.h"

#include "pass.h"

#include <math.h>

/* ---- losses ---------------------------------------------------------------------------------- */

double spt__loss_sum(const spt__training *t, const float *output, const float *target, int64_t n,
                     float scale, float *gradient)
{
    double sum = 0.0;
    double delta = t->huber_delta;
    for (int64_t i = 0; i < n; i++) {
        double error = (double)output[i] - (double)target[i], slope = 0.0;
        double size = fabs(error);
        switch (t->loss) {
        case SPT__LOSS_MSE:
            sum += error * error;
            slope = 2.0 * error;
            break;
        case SPT__LOSS_MAE:
            sum += size;
            slope = error > 0.0 ? 1.0 : error < 0.0 ? -1.0 : error;
            break;
        case SPT__LOSS_HUBER:
            sum += size <= delta ? 0.5 * error * error : delta * (size - 0.5 * delta);
            slope = size <= delta ? error : error > 0.0 ? delta : -delta;
            break;
        }
        if (gradient) gradient[i] = (float)slope * scale;
    }
    return sum;
}

/* ---- optimisers ------------------------------------------------------------------------------ */

void spt__optimizer_start(const spt__training *t, int64_t n, float *a, float *b)
{
    float start = t->optimizer == SPT__ADAGRAD ? (float)t->adagrad_start : 0.0F;
    for (int64_t i = 0; i < n; i++) {
        a[i] = start;
        b[i] = 0.0F;
    }
}

static void step_sgd(const spt__training *t, int64_t n, float *restrict w, const float *restrict g,
                     float *restrict velocity)
{
    float rate = (float)t->learning_rate, momentum = (float)t->momentum,
          decay = (float)t->weight_decay;
    for (int64_t i = 0; i < n; i++) {
        velocity[i] = momentum * velocity[i] - rate * (g[i] + decay * w[i]);
        w[i] += velocity[i];
    }
}

static void step_adagrad(const spt__training *t, int64_t n, float *restrict w,
                         const float *restrict g, float *restrict sum)
{
    float rate = (float)t->learning_rate, decay = (float)t->weight_decay,
          epsilon = (float)t->epsilon;
    for (int64_t i = 0; i < n; i++) {
        float slope = g[i] + decay * w[i];
        sum[i] += slope * slope;
        w[i] -= rate * slope / (sqrtf(sum[i]) + epsilon);
    }
}

static void step_rmsprop(const spt__training *t, int64_t n, float *restrict w,
                         const float *restrict g, float *restrict square)
{
    float rate = (float)t->learning_rate, decay = (float)t->weight_decay,
          epsilon = (float)t->epsilon, rho = (float)t->rho, rest = (float)(1.0 - t->rho);
    for (int64_t i = 0; i < n; i++) {
        float slope = g[i] + decay * w[i];
        square[i] = rho * square[i] + rest * slope * slope;
        w[i] -= rate * slope / (sqrtf(square[i]) + epsilon);
    }
}

static void step_adam(const spt__training *t, int64_t step, int64_t n, float *restrict w,
                      const float *restrict g, float *restrict mean, float *restrict square)
{
    bool decoupled = t->optimizer == SPT__ADAMW;
    double correction =
        sqrt(1.0 - pow(t->beta2, (double)step)) / (1.0 - pow(t->beta1, (double)step));
    float rate = (float)(t->learning_rate * correction), epsilon = (float)t->epsilon;
    float added = decoupled ? 0.0F : (float)t->weight_decay;
    float kept = decoupled ? (float)(1.0 - t->learning_rate * t->weight_decay) : 1.0F;
    float beta1 = (float)t->beta1, rest1 = (float)(1.0 - t->beta1);
    float beta2 = (float)t->beta2, rest2 = (float)(1.0 - t->beta2);
    for (int64_t i = 0; i < n; i++) {
        float slope = g[i] + added * w[i];
        mean[i] = beta1 * mean[i] + rest1 * slope;
        square[i] = beta2 * square[i] + rest2 * slope * slope;
        w[i] = kept * w[i] - rate * mean[i] / (sqrtf(square[i]) + epsilon);
    }
}

void spt__optimizer_step(const spt__training *t, int64_t step, int64_t n, float *w,
                         const float *gradient, float *a, float *b)
{
    switch (t->optimizer) {
    case SPT__SGD:
        step_sgd(t, n, w, gradient, a);
        break;
    case SPT__ADAGRAD:
        step_adagrad(t, n, w, gradient, a);
        break;
    case SPT__RMSPROP:
        step_rmsprop(t, n, w, gradient, a);
        break;
    case SPT__ADAM:
    case SPT__ADAMW:
        step_adam(t, step, n, w, gradient, a, b);
        break;
    }
}
