/* What the benchmark programs share: the networks that are measured, the spectra they read, the
 * clock, and the way in which a program is told to run one more round. */
#ifndef SPECTUNE_BENCH_H
#define SPECTUNE_BENCH_H

#include <spectune.h>

/* One network and how it is trained: a round is `epochs` epochs over `rows` samples, in full
 * mini-batches of `batch`. */
typedef struct bench_job {
    const char *name;
    int64_t bands, channels;
    int32_t mask; /* spt_channel bits */
    int64_t rows, batch, epochs;
    double flops; /* of training on one sample: products only, no gradient of the input */
    double flops_forward;
} bench_job;

/* The job of that name ("R1"), NULL if there is none. */
const bench_job *bench_find(const char *name);
int32_t bench_network(spt_ctx *ctx, const bench_job *job, uint64_t seed, spt_network **out);

/* n made-up absorbance spectra of soils, 400 to 2490 nm in BENCH_BANDS bands, with
 * the property that is to be estimated as column "carbon". The same for every machine. */
enum { BENCH_BANDS = 210 };
int32_t bench_dataset(spt_ctx *ctx, int64_t n, spt_dataset **out);
/* Inputs of a job, standardised by channel (rows x bands x channels), and standardised targets;
 * release with free(). */
int32_t bench_inputs(spt_ctx *ctx, const bench_job *job, int64_t rows, float **x, float **y);
/* Write n values as they stand in memory. Returns 0, or -1 after a message. */
int bench_write(const char *folder, const char *name, const void *data, size_t size, int64_t n);

/* n parameters p00, p01, ...: by turns a float in [0, 1], a logarithm, a whole number, a grid, one
 * of four categories. */
int32_t bench_mixed_space(spt_ctx *ctx, int32_t n, spt_space **out);

double bench_now(void); /* seconds, monotone */
/* A whole number of at least 1 from the command line; ends the program if it is none. */
int64_t bench_whole(const char *text);

/* One round: the seconds it took, and a line on it for whoever asked ("" if there is nothing). */
typedef struct bench_result {
    double samples, seconds;
    char note[160];
} bench_result;
typedef int (*bench_round_fn)(bench_result *result, void *user);

/* Run rounds and print samples/s of each and their median; or, with rounds 0, serve: print the line
 * "ready FACTS", then for each line that comes in run a round and answer "done SAMPLES SECONDS
 * NOTE". Returns what main() is to return. */
int bench_rounds(int64_t rounds, const char *facts, bench_round_fn fn, void *user);

#endif
