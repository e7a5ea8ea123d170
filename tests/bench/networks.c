/* The networks of the benchmark and the amount of arithmetic in them. */
#include "bench.h"

#include <string.h>

enum { FOUR = SPT_CHANNEL_A | SPT_CHANNEL_A_D1 | SPT_CHANNEL_A_D2 | SPT_CHANNEL_A_SNV };

/* Multiplications of one sample on the way forward: length x filters x kernel x channels of each
 * convolution, inputs x units of each dense layer; the first layer's apart, as training takes no
 * gradient of its input. A product counts as two operations, training as three products. */
#define R1_FIRST (210.0 * 64 * 15 * 4)
#define R1_REST (210.0 * 64 * 128 + 128 * 64 + 64)
#define R2_FIRST (210.0 * 32 * 9 * 4)
#define R2_REST (105.0 * 64 * 7 * 32 + 52.0 * 128 * 5 * 64 + 26.0 * 128 * 256 + 256)
#define R3_FIRST (175.0 * 8 * 11)
#define R3_REST (175.0 * 8 * 36 + 36 * 18 + 18)
#define FLOPS(first, rest) (4 * (first) + 6 * (rest)), (2 * ((first) + (rest)))

static const bench_job jobs[] = {
    {"R1", 210, 4, FOUR, 8192, 1024, 2, FLOPS(R1_FIRST, R1_REST)},
    {"R2", 210, 4, FOUR, 4096, 256, 2, FLOPS(R2_FIRST, R2_REST)},
    {"R3", 175, 1, SPT_CHANNEL_A, 16384, 64, 6, FLOPS(R3_FIRST, R3_REST)},
};

const bench_job *bench_find(const char *name)
{
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        if (strcmp(jobs[i].name, name) == 0) return &jobs[i];
    return NULL;
}

/* The first failure counts, later calls are skipped. */
#define THEN(call) (status = status < 0 ? status : (call))

static int32_t conv(spt_network *n, int64_t filters, int64_t kernel, int32_t batch_norm)
{
    int32_t status = spt_network_add_conv(n, filters, kernel, 1, SPT_PADDING_SAME);
    if (batch_norm) THEN(spt_network_add_batch_norm(n));
    return THEN(spt_network_add_activation(n, SPT_ACTIVATION_RELU));
}

static int32_t conv_pool(spt_network *n, int64_t filters, int64_t kernel)
{
    int32_t status = conv(n, filters, kernel, 1);
    return THEN(spt_network_add_pool(n, SPT_POOL_MAX, 2, 2, SPT_PADDING_VALID));
}

static int32_t dense(spt_network *n, int64_t units)
{
    int32_t status = spt_network_add_dense(n, units);
    THEN(spt_network_add_batch_norm(n));
    THEN(spt_network_add_activation(n, SPT_ACTIVATION_RELU));
    return THEN(spt_network_add_dropout(n, 0.2));
}

int32_t bench_network(spt_ctx *ctx, const bench_job *job, uint64_t seed, spt_network **out)
{
    int32_t status = spt_network_new(ctx, job->bands, job->channels, 1, out);
    if (strcmp(job->name, "R1") == 0) {
        THEN(conv(*out, 64, 15, 0));
        THEN(dense(*out, 128));
        THEN(dense(*out, 64));
    } else if (strcmp(job->name, "R2") == 0) {
        THEN(conv_pool(*out, 32, 9));
        THEN(conv_pool(*out, 64, 7));
        THEN(conv_pool(*out, 128, 5));
        THEN(dense(*out, 256));
    } else {
        THEN(conv(*out, 8, 11, 0));
        THEN(dense(*out, 36));
        THEN(dense(*out, 18));
    }
    return THEN(spt_network_finish(*out, seed));
}
