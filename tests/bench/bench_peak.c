/* The most that one core of this processor can multiply and add: the yardstick of the benchmark.
 *
 *   bench_peak [avx512|avx2|plain] [--rounds N] [--serve]
 *
 * Twelve independent chains of fused multiply-adds in registers, in the widest vectors that
 * processor and system have, or those named. One operation for each product, one for each sum;
 * prints them per second in the place of samples. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

enum { CHAINS = 12, STEPS = 80 * 1000 * 1000 };

/* This file is compiled with -ffp-contract=fast: a * b + c is one instruction where there is one.
 * The chains tend to 1 and never leave the normal numbers. */
#define PEAK(name, attribute, bytes)                                 \
    typedef float name##_vector __attribute__((vector_size(bytes))); \
    attribute static float name(void)                                \
    {                                                                \
        name##_vector chain[CHAINS], a, b;                           \
        for (size_t i = 0; i < (bytes) / sizeof(float); i++) {       \
            a[i] = 0.999F;                                           \
            b[i] = 0.001F;                                           \
            for (int k = 0; k < CHAINS; k++)                         \
                chain[k][i] = 0.1F * (float)k;                       \
        }                                                            \
        for (int s = 0; s < STEPS; s++)                              \
            for (int k = 0; k < CHAINS; k++)                         \
                chain[k] = chain[k] * a + b;                         \
        float sum = 0;                                               \
        for (int k = 0; k < CHAINS; k++)                             \
            sum += chain[k][0];                                      \
        return sum;                                                  \
    }

#if defined(__x86_64__)
PEAK(avx512, __attribute__((target("avx512f"))), 64)
PEAK(avx2, __attribute__((target("avx2,fma"))), 32)
#endif
PEAK(plain, , 16)

typedef struct kind {
    const char *name, *text;
    float (*fn)(void);
    int lanes;
} kind;

static const kind kinds[] = {
#if defined(__x86_64__)
    {"avx512", "AVX-512", avx512, 16},
    {"avx2", "AVX2", avx2, 8},
#endif
    {"plain", "128-bit vectors", plain, 4},
};

static int usable(const kind *k)
{
#if defined(__x86_64__)
    if (k->lanes == 16) return __builtin_cpu_supports("avx512f") != 0;
    if (k->lanes == 8) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return k->lanes == 4;
}

static int run(bench_result *result, void *user)
{
    const kind *k = user;
    const double start = bench_now();
    const float sum = k->fn();
    result->seconds = bench_now() - start;
    result->samples = 2.0 * CHAINS * STEPS * k->lanes;
    snprintf(result->note, sizeof result->note, "(%s, %.1f)", k->text, (double)sum);
    return 0;
}

int main(int argc, char **argv)
{
    static kind chosen;
    int64_t rounds = 5;
    const char *wanted = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--serve") == 0)
            rounds = 0;
        else
            wanted = argv[i];
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && chosen.fn == NULL; i++)
        if (wanted != NULL ? strcmp(kinds[i].name, wanted) == 0 : usable(&kinds[i]))
            chosen = kinds[i];
    if (chosen.fn == NULL || !usable(&chosen)) {
        fprintf(stderr, "bench_peak: %s is not possible here\n", wanted);
        return 2;
    }
    char facts[80];
    snprintf(facts, sizeof facts, "{\"set\": \"%s\"}", chosen.text);
    return bench_rounds(rounds, facts, run, &chosen);
}
