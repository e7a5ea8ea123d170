/* Loops over values one by one: activations and the exponential they need, masks of dropout. */
#include "lanes.h"

#include "spectune/nn.h"

#include <string.h>

/* Klambauer et al. 2017, "Self-normalizing neural networks". */
static const float selu_scale = 1.0507009873554805F, selu_alpha = 1.6732632423543772F;
static const float leaky_slope = 0.01F;

/* exp in a form that compilers turn into vector code, to 2 units in the last place: 2^n times a
 * polynomial in the rest, |rest| <= ln(2) / 2. The coefficients are those of the Taylor series; its
 * error at the ends, 0.347^8 / 8!, is below float's resolution. NaN stays NaN. */
static inline float exponential(float x)
{
    const float log2e = 1.44269504F, ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
    const float round = 12582912.0F; /* 1.5 * 2^23: adding it rounds to a whole number */
    float clamped = x < -87.0F ? -87.0F : x;
    clamped = clamped > 88.0F ? 88.0F : clamped;
    float shifted = clamped * log2e + round;
    float whole = shifted - round;
    float r = clamped - whole * ln2_high - whole * ln2_low;
    float sum = 1.0F / 5040.0F;
    sum = sum * r + 1.0F / 720.0F;
    sum = sum * r + 1.0F / 120.0F;
    sum = sum * r + 1.0F / 24.0F;
    sum = sum * r + 1.0F / 6.0F;
    sum = sum * r + 0.5F;
    sum = sum * r + 1.0F;
    sum = sum * r + 1.0F;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    /* The low bits of `shifted` hold the whole number; 0x4b400000 are those of `round`. */
    uint32_t power = (bits - 0x4b400000U + 127U) << 23;
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return sum * scale;
}

static inline float sigmoid(float x)
{
    return 1.0F / (1.0F + exponential(-x));
}

/* Written so that NaN comes out where NaN went in: divergence must show in the loss. */
void SPT__PATH(activate)(int32_t type, const float *x, float *y, int64_t n)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] < 0.0F ? 0.0F : x[j];
        break;
    case SPT_ACTIVATION_LEAKY_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] < 0.0F ? leaky_slope * x[j] : x[j];
        break;
    case SPT_ACTIVATION_ELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float below = exponential(x[j]) - 1.0F;
            y[j] = x[j] < 0.0F ? below : x[j];
        }
        break;
    case SPT_ACTIVATION_SELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float below = selu_scale * selu_alpha * (exponential(x[j]) - 1.0F);
            y[j] = x[j] < 0.0F ? below : selu_scale * x[j];
        }
        break;
    default:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] * sigmoid(x[j]);
        break;
    }
}

void SPT__PATH(differentiate)(int32_t type, const float *x, const float *y, const float *g,
                              float *out, int64_t n)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = y[j] > 0.0F ? g[j] : 0.0F;
        break;
    case SPT_ACTIVATION_LEAKY_RELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = y[j] > 0.0F ? g[j] : leaky_slope * g[j];
        break;
    case SPT_ACTIVATION_ELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = g[j] * (y[j] > 0.0F ? 1.0F : y[j] + 1.0F);
        break;
    case SPT_ACTIVATION_SELU:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++)
            out[j] = g[j] * (y[j] > 0.0F ? selu_scale : y[j] + selu_scale * selu_alpha);
        break;
    default:
        SPT__EACH_ALONE
        for (int64_t j = 0; j < n; j++) {
            float s = sigmoid(x[j]);
            out[j] = g[j] * s * (1.0F + x[j] * (1.0F - s));
        }
        break;
    }
}

/* ---- masks ----------------------------------------------------------------------------------- */

void SPT__PATH(apply_mask)(const uint8_t *mask, float scale, const float *x, float *y, int64_t n)
{
    SPT__EACH_ALONE
    for (int64_t j = 0; j < n; j++)
        y[j] = x[j] * ((float)mask[j] * scale);
}

/* Philox4x32-10 as in lib/base/rng.c, many blocks side by side. A test compares the two. */
enum { BLOCKS = 16, WORDS = 4 };
typedef struct words {
    uint32_t v[WORDS][BLOCKS];
} words;

static void philox_blocks(const uint32_t key[2], const uint32_t counter[3], uint32_t first,
                          words *out)
{
    uint32_t k0 = key[0], k1 = key[1];
    words c;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        c.v[0][b] = first + b;
        c.v[1][b] = counter[0];
        c.v[2][b] = counter[1];
        c.v[3][b] = counter[2];
    }
    for (int round = 0; round < 10; round++) {
        for (int b = 0; b < BLOCKS; b++) {
            const uint64_t p0 = (uint64_t)0xD2511F53U * c.v[0][b];
            const uint64_t p1 = (uint64_t)0xCD9E8D57U * c.v[2][b];
            c.v[0][b] = (uint32_t)(p1 >> 32) ^ c.v[1][b] ^ k0;
            c.v[1][b] = (uint32_t)p1;
            c.v[2][b] = (uint32_t)(p0 >> 32) ^ c.v[3][b] ^ k1;
            c.v[3][b] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    *out = c;
}

void SPT__PATH(draw_mask)(const uint32_t key[2], const uint32_t counter[3], uint32_t first,
                          int64_t blocks, uint32_t limit, uint8_t *mask)
{
    for (int64_t start = 0; start < blocks; start += BLOCKS) {
        words w;
        philox_blocks(key, counter, first + (uint32_t)start, &w);
        int64_t n = blocks - start < BLOCKS ? blocks - start : BLOCKS;
        for (int64_t b = 0; b < n; b++)
            for (int k = 0; k < WORDS; k++) {
                *mask++ = (w.v[k][b] & 0xffffU) >= limit;
                *mask++ = w.v[k][b] >> 16 >= limit;
            }
    }
}
