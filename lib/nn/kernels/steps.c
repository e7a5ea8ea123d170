/* Steps of optimisers: each is one loop over the weights that reads and writes every array once.
 * Without fused products, so that all tables give the same bits here. */
#include "lanes.h"

#include <math.h>

void SPT__PATH(step_sgd)(const spt__rule *rule, int64_t n, float *restrict w,
                         const float *restrict g, float *restrict velocity)
{
    const spt__rule r = *rule;
    for (int64_t i = 0; i < n; i++) {
        velocity[i] = r.first * velocity[i] - r.rate * (r.shrink * g[i] + r.decay * w[i]);
        w[i] += velocity[i];
    }
}

void SPT__PATH(step_adagrad)(const spt__rule *rule, int64_t n, float *restrict w,
                             const float *restrict g, float *restrict sum)
{
    const spt__rule r = *rule;
    for (int64_t i = 0; i < n; i++) {
        float slope = r.shrink * g[i] + r.decay * w[i];
        sum[i] += slope * slope;
        w[i] -= r.rate * slope / (sqrtf(sum[i]) + r.epsilon);
    }
}

void SPT__PATH(step_rmsprop)(const spt__rule *rule, int64_t n, float *restrict w,
                             const float *restrict g, float *restrict square)
{
    const spt__rule r = *rule;
    for (int64_t i = 0; i < n; i++) {
        float slope = r.shrink * g[i] + r.decay * w[i];
        square[i] = r.second * square[i] + r.rest_second * slope * slope;
        w[i] -= r.rate * slope / (sqrtf(square[i]) + r.epsilon);
    }
}

void SPT__PATH(step_adam)(const spt__rule *rule, int64_t n, float *restrict w,
                          const float *restrict g, float *restrict mean, float *restrict square)
{
    const spt__rule r = *rule;
    for (int64_t i = 0; i < n; i++) {
        float slope = r.shrink * g[i] + r.decay * w[i];
        mean[i] = r.first * mean[i] + r.rest_first * slope;
        square[i] = r.second * square[i] + r.rest_second * slope * slope;
        w[i] = r.kept * w[i] - r.rate * mean[i] / (sqrtf(square[i]) + r.epsilon);
    }
}
