#include "rng.h"

#include <math.h>

/* Salmon, Moraes, Dror, Shaw (2011), table 2 and section 4.3: the multipliers and Weyl constants
 * of Philox-4x32. */
static const uint32_t multiplier0 = 0xD2511F53U, multiplier1 = 0xCD9E8D57U;
static const uint32_t weyl0 = 0x9E3779B9U, weyl1 = 0xBB67AE85U;

void spt__philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)multiplier0 * c0;
        const uint64_t p1 = (uint64_t)multiplier1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += weyl0;
        k1 += weyl1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The layout, which is part of every recorded result:
 *   key        = seed
 *   counter[0] = number of the block in the stream
 *   counter[1..3], 96 bits from low to high: a (44), b (44), purpose (7), "wide" (1).
 * Names that fit so never share a stream. When a or b is larger, "wide" is set, so that no stream
 * of the first sort is met; 88 bits of a block made from all of a and b stand in their place and
 * the rest of that block is mixed into the key. */
enum { FIELD_BITS = 44 };

void spt__rng_init(spt__rng *r, uint64_t seed, spt__rng_purpose purpose, uint64_t a, uint64_t b)
{
    const uint64_t field = (UINT64_C(1) << FIELD_BITS) - 1;
    r->key[0] = (uint32_t)seed;
    r->key[1] = (uint32_t)(seed >> 32);
    uint32_t wide = 0;
    if (a > field || b > field) {
        const uint32_t name[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                                  (uint32_t)(b >> 32)};
        uint32_t mixed[4];
        spt__philox(r->key, name, mixed);
        uint64_t low = mixed[0] | (uint64_t)mixed[1] << 32;
        uint64_t high = mixed[2] | (uint64_t)mixed[3] << 32;
        a = low & field;
        b = high & field;
        r->key[0] ^= (uint32_t)(low >> FIELD_BITS);
        r->key[1] ^= (uint32_t)(high >> FIELD_BITS);
        wide = 1;
    }
    r->counter[0] = 0;
    r->counter[1] = (uint32_t)a;
    r->counter[2] = (uint32_t)(a >> 32) | (uint32_t)(b << (FIELD_BITS - 32));
    r->counter[3] =
        (uint32_t)(b >> (64 - FIELD_BITS)) | ((uint32_t)purpose & 0x7fU) << 24 | wide << 31;
    r->used = 4;
    for (int i = 0; i < 4; i++)
        r->block[i] = 0;
}

uint32_t spt__rng_u32(spt__rng *r)
{
    if (r->used >= 4) {
        spt__philox(r->key, r->counter, r->block);
        r->used = 0;
        /* After 64 GiB of one stream: go on with another key rather than repeat. */
        if (++r->counter[0] == 0) r->key[1] += weyl1;
    }
    return r->block[r->used++];
}

uint64_t spt__rng_u64(spt__rng *r)
{
    uint64_t low = spt__rng_u32(r);
    return low | (uint64_t)spt__rng_u32(r) << 32;
}

double spt__rng_double(spt__rng *r)
{
    return (double)(spt__rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t spt__rng_below(spt__rng *r, uint64_t n)
{
    if (n <= 1) return 0;
    /* 2^64 mod n values too many would favour the small results. */
    const uint64_t excess = (0 - n) % n;
    uint64_t v = spt__rng_u64(r);
    while (v < excess)
        v = spt__rng_u64(r);
    return v % n;
}

double spt__rng_normal(spt__rng *r)
{
    /* Centres of 2^52 equal cells: exact, symmetric, and never 0 or 1. */
    return spt__normal_quantile(((double)(spt__rng_u64(r) >> 12) + 0.5) * 0x1p-52);
}

void spt__rng_shuffle(spt__rng *r, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)spt__rng_below(r, (uint64_t)i + 1);
        int64_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}

/* (...(c[7] x + c[6]) x + ...) x + c[0] */
static double polynomial(const double c[8], double x)
{
    double sum = c[7];
    for (int i = 6; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

/* Wichura (1988), algorithm AS 241, PPND16. */
double spt__normal_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[8] = {1.0,
                                4.2313330701600911252e+1,
                                6.8718700749205790830e+2,
                                5.3941960214247511077e+3,
                                2.1213794301586595867e+4,
                                3.9307895800092710610e+4,
                                2.8729085735721942674e+4,
                                5.2264952788528545610e+3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                1.78482653991729133580e0,  2.96560571828504891230e-1,
                                2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    const double r = sqrt(-log(q < 0 ? p : 1 - p));
    const double tail = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                               : polynomial(e, r - 5) / polynomial(f, r - 5);
    return q < 0 ? -tail : tail;
}
