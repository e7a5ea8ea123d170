#include "cpu.h"

#include "lib/base/build_info.h" /* stands in the build directory */
#include "ctx.h"
#include "text.h"

#include <string.h>

static const char *const names[SPT__CPU_COUNT] = {"portable", "avx2", "avx512"};

const char *spt__cpu_name(int32_t kernels)
{
    return kernels >= 0 && kernels < SPT__CPU_COUNT ? names[kernels] : NULL;
}

/* The compiler's own test asks the system too: units whose registers it does not save do not count.
 */
int32_t spt__cpu_best(void)
{
#if SPT__BUILT_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return SPT__CPU_AVX512;
#endif
#if SPT__BUILT_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SPT__CPU_AVX2;
#endif
    return SPT__CPU_PORTABLE;
}

/* ---- public ---------------------------------------------------------------------------------- */

const char *spt_kernels_name(int32_t index)
{
    /* What runs AVX-512 runs AVX2 too, so the supported ones are the first of the list. */
    return index <= spt__cpu_best() ? spt__cpu_name(index) : NULL;
}

const char *spt_ctx_kernels(const spt_ctx *ctx)
{
    return ctx ? spt__cpu_name(ctx->kernels) : NULL;
}

int32_t spt_ctx_set_kernels(spt_ctx *ctx, const char *name)
{
    SPT__REQUIRE(ctx);
    int32_t best = spt__cpu_best();
    if (!name) {
        ctx->kernels = best;
        return SPT_OK;
    }
    for (int32_t i = 0; i < SPT__CPU_COUNT; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        if (i > best)
            return spt__fail(&ctx->err, SPT_EUNSUPPORTED,
                             "kernels '%s' need instructions that this processor, system or build "
                             "lacks; '%s' is the fastest that can run",
                             name, names[best]);
        ctx->kernels = i;
        return SPT_OK;
    }
    const char *near = spt__nearest(name, names, SPT__CPU_COUNT);
    return spt__fail(&ctx->err, SPT_ENOTFOUND,
                     "kernels '%.40s' are unknown; '%s' is the nearest of portable, avx2, avx512",
                     name, near ? near : names[best]);
}
