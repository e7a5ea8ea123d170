/* A space of any number of parameters of all kinds. */
#include "bench.h"

#include <stdio.h>

static int32_t add_parameter(spt_space *space, int32_t i)
{
    static const char *const choices[] = {"a", "b", "c", "d"};
    char name[32];
    snprintf(name, sizeof name, "p%02d", (int)i);
    switch (i % 5) {
    case 0:
        return spt_space_add_float(space, name, 0, 1, 0, 0, 0.5);
    case 1:
        return spt_space_add_float(space, name, 1e-5, 1e-1, 0, 1, 1e-3);
    case 2:
        return spt_space_add_int(space, name, 1, 64, 1, 0, 8);
    case 3:
        return spt_space_add_float(space, name, 0, 0.6, 0.05, 0, 0.1);
    default:
        return spt_space_add_categorical(space, name, choices, 4, 0);
    }
}

int32_t bench_mixed_space(spt_ctx *ctx, int32_t n, spt_space **out)
{
    int32_t status = spt_space_new(ctx, "bench", out);
    for (int32_t i = 0; i < n && status >= 0; i++)
        status = add_parameter(*out, i);
    return status;
}
