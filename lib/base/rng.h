/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). Every stream is named by (seed, purpose, a, b), so no result depends on
 * which stream was used first. */
#ifndef SPT_LIB_BASE_RNG_H
#define SPT_LIB_BASE_RNG_H

#include <stdint.h>

/* Numbers are part of the file format in effect: append only. */
typedef enum {
    SPT__RNG_FOLDS = 1,      /* assignment of rows to folds: (seed, -, -) */
    SPT__RNG_SAMPLE = 2,     /* a sampler's draws: a = trial number, b = parameter */
    SPT__RNG_INIT = 3,       /* initial weights: a = trial or 0, b = fold << 16 | tensor */
    SPT__RNG_SHUFFLE = 4,    /* mini-batches: a = trial or 0, b = fold << 32 | epoch */
    SPT__RNG_DROPOUT = 5,    /* dropout masks: a = step, b = fold << 16 | layer */
    SPT__RNG_VALIDATION = 6, /* rows watched for early stopping: a = trial or 0, b = fold */
    SPT__RNG_FOREST = 7,     /* a = tree, b = node */
    SPT__RNG_TEST = 99
} spt__rng_purpose;

typedef struct spt__rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    uint32_t used; /* words of block already given out */
} spt__rng;

void spt__rng_init(spt__rng *r, uint64_t seed, spt__rng_purpose purpose, uint64_t a, uint64_t b);
uint32_t spt__rng_u32(spt__rng *r);
uint64_t spt__rng_u64(spt__rng *r);
/* Uniform in [0, 1), 53 bits. */
double spt__rng_double(spt__rng *r);
/* Uniform in 0 .. n-1 without bias; n >= 1. */
uint64_t spt__rng_below(spt__rng *r, uint64_t n);
/* Standard normal (inverse of its distribution function, so one draw takes one u64). */
double spt__rng_normal(spt__rng *r);
/* Fisher-Yates. */
void spt__rng_shuffle(spt__rng *r, int64_t *items, int64_t n);
/* One block, for kernels that want many words at once. */
void spt__philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* Inverse of the standard normal distribution function, p in (0, 1), relative error < 1e-15. */
double spt__normal_quantile(double p);

#endif
