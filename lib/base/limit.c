/* Limits that a host sets: memory of one run, room in its arrays, what a 0 or 1 may be. */
#include "ctx.h"
#include "text.h"

int32_t spt_ctx_set_memory_limit(spt_ctx *ctx, int64_t bytes)
{
    SPT__REQUIRE(ctx);
    if (bytes < 0)
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "the memory limit is %lld bytes; 0 (none) or more are possible",
                         (long long)bytes);
    ctx->memory_limit = bytes;
    return SPT_OK;
}

int64_t spt_ctx_memory_limit(const spt_ctx *ctx)
{
    return ctx ? ctx->memory_limit : SPT_EINVAL;
}

/* "3.21 GiB" */
static void say_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;
    for (; value >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
        value /= 1024;
    spt__format(out, size, "%.*f %s", i == 0 || value >= 100 ? 0 : 2, value, units[i]);
}

int32_t spt__check_memory(const spt_ctx *ctx, int64_t bytes, const char *what, const char *help,
                          spt__err *e)
{
    char needs[32], limit[32];
    if (ctx->memory_limit == 0 || bytes <= ctx->memory_limit) return SPT_OK;
    say_bytes(bytes, needs, sizeof needs);
    say_bytes(ctx->memory_limit, limit, sizeof limit);
    return spt__fail(e, SPT_ELIMIT, "%s %s of memory, the limit is %s; %s", what, needs, limit,
                     help);
}

int32_t spt__check_capacity(int64_t capacity, int64_t needed, const char *what, spt__err *e)
{
    if (capacity >= needed) return SPT_OK;
    return spt__fail(e, SPT_ECAPACITY, "%s are %lld values, the buffer holds %lld", what,
                     (long long)needed, (long long)capacity);
}

int32_t spt__check_switch(int32_t value, const char *name, spt__err *e)
{
    if (value == 0 || value == 1) return SPT_OK;
    return spt__fail(e, SPT_EINVAL, "%s is %d; 0 and 1 are possible", name, (int)value);
}
