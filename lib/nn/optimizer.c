/* Losses and optimisers; formulas in doc/nn.md. */
#include "training.h"

#include "pass.h"

#include <math.h>

/* ---- losses ---------------------------------------------------------------------------------- */

/* Loss of one error, and its slope. */
static double loss_of(const spt__training *t, double error, double *slope)
{
    double size = fabs(error), delta = t->huber_delta;
    switch (t->loss) {
    case SPT__LOSS_MSE:
        break;
    case SPT__LOSS_MAE:
        *slope = error > 0.0 ? 1.0 : error < 0.0 ? -1.0 : error;
        return size;
    case SPT__LOSS_HUBER:
        *slope = size <= delta ? error : error > 0.0 ? delta : -delta;
        return size <= delta ? 0.5 * error * error : delta * (size - 0.5 * delta);
    }
    *slope = 2.0 * error;
    return error * error;
}

double spt__loss_sum(const spt__training *t, const spt__outcome *o, double scale, float *gradient)
{
    double sum = 0.0;
    for (int64_t i = 0; i < o->n; i++) {
        double weight = o->weight ? (double)o->weight[i] : 1.0;
        float factor = (float)(scale * weight);
        for (int64_t k = i * o->t; k < (i + 1) * o->t; k++) {
            double slope = 0.0;
            sum += weight * loss_of(t, (double)o->output[k] - (double)o->target[k], &slope);
            if (gradient) gradient[k] = (float)slope * factor;
        }
    }
    return sum;
}

double spt__loss_told(const spt__training *t, const spt__unit *unit, const spt__outcome *o,
                      double own)
{
    if (!unit) return own;
    if (!unit->log1p) return own * (t->loss == SPT__LOSS_MAE ? unit->sd : unit->sd * unit->sd);
    spt__training in_unit = {.loss = t->loss, .huber_delta = unit->delta};
    double sum = 0.0, slope;
    for (int64_t i = 0; i < o->n; i++) {
        double is = expm1((double)o->output[i] * unit->sd + unit->mean);
        double should_be = expm1((double)o->target[i] * unit->sd + unit->mean);
        sum += (o->weight ? (double)o->weight[i] : 1.0) * loss_of(&in_unit, is - should_be, &slope);
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

double spt__norm(const float *v, int64_t n)
{
    enum { LANES = 8 };
    double part[LANES] = {0}, sum = 0.0;
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++)
            part[k] += (double)v[i + k] * (double)v[i + k];
    for (int64_t i = whole; i < n; i++)
        part[i - whole] += (double)v[i] * (double)v[i];
    for (int k = 0; k < LANES; k++)
        sum += part[k];
    return sqrt(sum);
}

/* Each rule is one loop over the weights that reads and writes every array once; compilers make
 * vector code of them all. */

static void step_sgd(const spt__training *t, const spt__step *step, int64_t n, float *restrict w,
                     const float *restrict g, float *restrict velocity)
{
    float rate = (float)step->rate, shrink = step->shrink, momentum = (float)t->momentum,
          decay = (float)t->weight_decay;
    for (int64_t i = 0; i < n; i++) {
        velocity[i] = momentum * velocity[i] - rate * (shrink * g[i] + decay * w[i]);
        w[i] += velocity[i];
    }
}

static void step_adagrad(const spt__training *t, const spt__step *step, int64_t n,
                         float *restrict w, const float *restrict g, float *restrict sum)
{
    float rate = (float)step->rate, shrink = step->shrink, decay = (float)t->weight_decay,
          epsilon = (float)t->epsilon;
    for (int64_t i = 0; i < n; i++) {
        float slope = shrink * g[i] + decay * w[i];
        sum[i] += slope * slope;
        w[i] -= rate * slope / (sqrtf(sum[i]) + epsilon);
    }
}

static void step_rmsprop(const spt__training *t, const spt__step *step, int64_t n,
                         float *restrict w, const float *restrict g, float *restrict square)
{
    float rate = (float)step->rate, shrink = step->shrink, decay = (float)t->weight_decay,
          epsilon = (float)t->epsilon, rho = (float)t->rho, rest = (float)(1.0 - t->rho);
    for (int64_t i = 0; i < n; i++) {
        float slope = shrink * g[i] + decay * w[i];
        square[i] = rho * square[i] + rest * slope * slope;
        w[i] -= rate * slope / (sqrtf(square[i]) + epsilon);
    }
}

static void step_adam(const spt__training *t, const spt__step *step, int64_t n, float *restrict w,
                      const float *restrict g, float *restrict mean, float *restrict square)
{
    bool decoupled = t->optimizer == SPT__ADAMW;
    double number = (double)step->number;
    double correction = sqrt(1.0 - pow(t->beta2, number)) / (1.0 - pow(t->beta1, number));
    float rate = (float)(step->rate * correction), epsilon = (float)t->epsilon;
    float shrink = step->shrink, added = decoupled ? 0.0F : (float)t->weight_decay;
    float kept = decoupled ? (float)(1.0 - step->rate * t->weight_decay) : 1.0F;
    float beta1 = (float)t->beta1, rest1 = (float)(1.0 - t->beta1);
    float beta2 = (float)t->beta2, rest2 = (float)(1.0 - t->beta2);
    for (int64_t i = 0; i < n; i++) {
        float slope = shrink * g[i] + added * w[i];
        mean[i] = beta1 * mean[i] + rest1 * slope;
        square[i] = beta2 * square[i] + rest2 * slope * slope;
        w[i] = kept * w[i] - rate * mean[i] / (sqrtf(square[i]) + epsilon);
    }
}

void spt__optimizer_step(const spt__training *t, const spt__step *step, int64_t n, float *w,
                         const float *gradient, float *a, float *b)
{
    switch (t->optimizer) {
    case SPT__SGD:
        step_sgd(t, step, n, w, gradient, a);
        break;
    case SPT__ADAGRAD:
        step_adagrad(t, step, n, w, gradient, a);
        break;
    case SPT__RMSPROP:
        step_rmsprop(t, step, n, w, gradient, a);
        break;
    case SPT__ADAM:
    case SPT__ADAMW:
        step_adam(t, step, n, w, gradient, a, b);
        break;
    }
}
