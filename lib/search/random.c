/* Random search (Bergstra & Bengio 2012): every parameter uniform on its scale. */
#include "sampler.h"

static int32_t random_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                           spt__err *e)
{
    (void)e;
    spt__sampler_uniform(s, sequence, attempt, values);
    return SPT_OK;
}

const spt__sampler_kind spt__sampler_random = {.name = "random", .draw = random_draw};
