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

/* A step's factors in float; the loops over the weights are the kernels'. */
static spt__rule rule_of(const spt__training *t, const spt__step *step)
{
    bool decoupled = t->optimizer == SPT__ADAMW;
    spt__rule r = {.rate = (float)step->rate,
                   .shrink = step->shrink,
                   .decay = decoupled ? 0.0F : (float)t->weight_decay,
                   .kept = decoupled ? (float)(1.0 - step->rate * t->weight_decay) : 1.0F,
                   .epsilon = (float)t->epsilon,
                   .first = (float)t->momentum};
    if (t->optimizer == SPT__RMSPROP) {
        r.second = (float)t->rho;
        r.rest_second = (float)(1.0 - t->rho);
    }
    if (t->optimizer == SPT__ADAM || decoupled) {
        double number = (double)step->number;
        double correction = sqrt(1.0 - pow(t->beta2, number)) / (1.0 - pow(t->beta1, number));
        r.rate = (float)(step->rate * correction);
        r.first = (float)t->beta1;
        r.rest_first = (float)(1.0 - t->beta1);
        r.second = (float)t->beta2;
        r.rest_second = (float)(1.0 - t->beta2);
    }
    return r;
}

void spt__optimizer_step(const spt__kernels *kernels, const spt__training *t, const spt__step *step,
                         int64_t n, float *w, const float *gradient, float *a, float *b)
{
    spt__rule r = rule_of(t, step);
    switch (t->optimizer) {
    case SPT__SGD:
        kernels->step_sgd(&r, n, w, gradient, a);
        break;
    case SPT__ADAGRAD:
        kernels->step_adagrad(&r, n, w, gradient, a);
        break;
    case SPT__RMSPROP:
        kernels->step_rmsprop(&r, n, w, gradient, a);
        break;
    case SPT__ADAM:
    case SPT__ADAMW:
        kernels->step_adam(&r, n, w, gradient, a, b);
        break;
    }
}
