/* A vector of floats of the instruction set that this file is compiled for. */
#ifndef SPT_LIB_NN_LANES_H
#define SPT_LIB_NN_LANES_H

#include "kernels.h"

#include <stdint.h>

/* spt__kernels_avx2 and its like; file-local functions need no such name. */
#define SPT__JOIN(a, b) a##b
#define SPT__NAME_OF(a, b) SPT__JOIN(a, b)
#define SPT__PATH(name) SPT__NAME_OF(spt__##name##_, SPT__KERNELS)

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 lanes;
enum { LANES = 16 };
#define LANES_LOAD(p) _mm512_loadu_ps(p)
#define LANES_STORE(p, v) _mm512_storeu_ps(p, v)
#define LANES_SET(x) _mm512_set1_ps(x)
#define LANES_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LANES_MAX(a, b) _mm512_max_ps(a, b) /* NaN in b stays */
#define SPT__OWN_PRODUCTS 1

/* The first n values of a vector, 1 to LANES; the others are 0, or stay as they are in memory. */
static inline lanes lanes_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)(0xffffU >> (LANES - n)), p);
}
static inline void lanes_store_part(float *p, int64_t n, lanes v)
{
    _mm512_mask_storeu_ps(p, (__mmask16)(0xffffU >> (LANES - n)), v);
}

/* Two rows of a matrix become two of its transpose, as far as blocks of d x d go: of the lanes
 * without bit d the first keeps its own and gets the second's, the other way round for the second.
 */
static inline void lanes_swap(lanes *first, lanes *second, int d)
{
    lanes a = *first, b = *second;
    if (d == 8) {
        *first = _mm512_shuffle_f32x4(a, b, 0x44);
        *second = _mm512_shuffle_f32x4(a, b, 0xee);
    } else if (d == 4) {
        *first = _mm512_mask_shuffle_f32x4(a, 0xf0f0, b, b, 0xa0);
        *second = _mm512_mask_shuffle_f32x4(b, 0x0f0f, a, a, 0xf5);
    } else if (d == 2) {
        *first = _mm512_shuffle_ps(a, b, 0x44);
        *second = _mm512_shuffle_ps(a, b, 0xee);
    } else {
        *first = _mm512_mask_moveldup_ps(a, 0xaaaa, b);
        *second = _mm512_mask_movehdup_ps(b, 0x5555, a);
    }
}
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256 lanes;
enum { LANES = 8 };
#define LANES_LOAD(p) _mm256_loadu_ps(p)
#define LANES_STORE(p, v) _mm256_storeu_ps(p, v)
#define LANES_SET(x) _mm256_set1_ps(x)
#define LANES_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LANES_MAX(a, b) _mm256_max_ps(a, b)
#define SPT__OWN_PRODUCTS 1

static inline __m256i lanes_mask(int64_t n)
{
    const __m256i number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), number);
}
/* Stores under a mask are slow on some processors, so full vectors do without. */
static inline lanes lanes_load_part(const float *p, int64_t n)
{
    return n == LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes_mask(n));
}
static inline void lanes_store_part(float *p, int64_t n, lanes v)
{
    if (n == LANES)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, lanes_mask(n), v);
}

static inline void lanes_swap(lanes *first, lanes *second, int d)
{
    lanes a = *first, b = *second;
    if (d == 4) {
        *first = _mm256_permute2f128_ps(a, b, 0x20);
        *second = _mm256_permute2f128_ps(a, b, 0x31);
    } else if (d == 2) {
        *first = _mm256_shuffle_ps(a, b, 0x44);
        *second = _mm256_shuffle_ps(a, b, 0xee);
    } else {
        *first = _mm256_blend_ps(a, _mm256_moveldup_ps(b), 0xaa);
        *second = _mm256_blend_ps(_mm256_movehdup_ps(a), b, 0xaa);
    }
}
#else
#define SPT__OWN_PRODUCTS 0
#endif

/* Before a loop whose turns touch nothing of each other's, though it may work in place: without it
 * compilers test for overlap and take the slow road exactly then. */
#if defined(__clang__)
/* Not an error where it cannot be (sanitizers, no vector units). */
#pragma clang diagnostic ignored "-Wpass-failed"
#define SPT__EACH_ALONE _Pragma("clang loop vectorize(assume_safety)")
#define SPT__UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define SPT__EACH_ALONE _Pragma("GCC ivdep")
#define SPT__UNROLL _Pragma("GCC unroll 16")
#else
#define SPT__EACH_ALONE
#define SPT__UNROLL
#endif

/* The parts of a table, each in its own file. */
extern const spt__kernels SPT__PATH(kernels);
int64_t SPT__PATH(panel_size)(int64_t k, int64_t n);
void SPT__PATH(pack)(int64_t k, int64_t n, spt__mat b, const float *factor, float *panels);
int64_t SPT__PATH(group)(int64_t window, int64_t step, int64_t filters, int64_t most);
int64_t SPT__PATH(product_work)(const spt__product *q);
int32_t SPT__PATH(product)(const spt__product *q);
void SPT__PATH(activate)(int32_t type, const float *x, float *y, int64_t n);
void SPT__PATH(differentiate)(int32_t type, const float *x, const float *y, const float *g,
                              float *out, int64_t n);
void SPT__PATH(apply_mask)(const uint8_t *mask, float scale, const float *x, float *y, int64_t n);
void SPT__PATH(draw_mask)(const uint32_t key[2], const uint32_t counter[3], uint32_t first,
                          int64_t blocks, uint32_t limit, uint8_t *mask);
void SPT__PATH(sums)(const float *x, spt__rows rows, float *partial, double *sums);
void SPT__PATH(squares)(const float *x, spt__rows rows, const float *mean, float *partial,
                        double *sums);
void SPT__PATH(products)(const float *x, const float *g, spt__rows x_rows, int64_t g_stride,
                         const float *mean, float *partial, double *sums);
void SPT__PATH(normalise)(const float *x, float *y, spt__rows x_rows, int64_t y_stride,
                          const float *mean, const float *factor, const float *shift,
                          int32_t activation);
void SPT__PATH(normalise_back)(const float *x, const float *g, float *out, spt__rows x_rows,
                               int64_t g_stride, const float *mean, const float *factor,
                               const float *level, const float *slope);
void SPT__PATH(pool)(const spt__windows *w, const float *x, float *y, uint16_t *place);
void SPT__PATH(pool_back)(const spt__windows *w, const float *g, const uint16_t *place, float *out);

void SPT__PATH(step_sgd)(const spt__rule *rule, int64_t n, float *w, const float *g,
                         float *velocity);
void SPT__PATH(step_adagrad)(const spt__rule *rule, int64_t n, float *w, const float *g,
                             float *sum);
void SPT__PATH(step_rmsprop)(const spt__rule *rule, int64_t n, float *w, const float *g,
                             float *square);
void SPT__PATH(step_adam)(const spt__rule *rule, int64_t n, float *w, const float *g, float *mean,
                          float *square);

#endif
