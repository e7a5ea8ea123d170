/* Sobol's sequence (1967) with the direction numbers of Joe & Kuo (2008) and nested uniform
 * scrambling (Owen 1995), as a start for TPE and as a sampler: points that fill the space more
 * evenly than chance does. Parameters beyond the table's dimensions are uniform. */
#include "sobol.h"

#include "sampler.h"

static int degree(uint32_t polynomial)
{
    int d = -1;
    for (; polynomial; polynomial >>= 1)
        d++;
    return d;
}

uint32_t spt__sobol(uint32_t index, int32_t dimension)
{
    const uint16_t *row = spt__sobol_table;
    for (int32_t i = 0; i < dimension; i++)
        row += 1 + degree(row[0]);
    const uint32_t polynomial = row[0];
    const int s = degree(polynomial);
    uint32_t v[32], x = 0;
    for (int k = 0; k < 32 && index >> k; k++) {
        if (s == 0) {
            v[k] = UINT32_C(1) << (31 - k);
        } else if (k < s) {
            v[k] = (uint32_t)row[1 + k] << (31 - k);
        } else {
            v[k] = v[k - s] ^ (v[k - s] >> s);
            for (int j = 1; j < s; j++)
                if (polynomial >> (s - j) & 1) v[k] ^= v[k - j];
        }
        if (index >> k & 1) x ^= v[k];
    }
    return x;
}

double spt__sobol_scrambled(uint32_t index, int32_t dimension, uint64_t seed)
{
    /* Beside the streams of parameters, whose b is below 2^40. */
    const uint64_t beside = UINT64_C(1) << 40;
    const uint32_t x = spt__sobol(index, dimension);
    uint32_t out = 0;
    for (int k = 0; k < 32; k++) {
        const uint64_t above = k ? x >> (32 - k) : 0;
        spt__rng rng;
        spt__rng_init(&rng, seed, SPT__RNG_SAMPLE, (uint64_t)dimension << 32 | above,
                      beside | (uint64_t)k);
        out = out << 1 | ((x >> (31 - k) ^ spt__rng_u32(&rng)) & 1);
    }
    return out * 0x1p-32;
}

void spt__sampler_sobol_point(const spt__sampler *s, int64_t sequence, int32_t attempt,
                              double *values)
{
    if (attempt > 0 || sequence > UINT32_MAX) {
        spt__sampler_uniform(s, sequence, attempt, values);
        return;
    }
    for (int32_t i = 0; i < s->space->n; i++) {
        values[i] = NAN;
        if (!spt__space_exists(s->space, i, values)) continue;
        spt__rng rng;
        spt__sampler_rng(s, sequence, attempt, i, &rng);
        values[i] = i < SPT__SOBOL_DIMENSIONS
                        ? spt__domain_share(&s->domains[i],
                                            spt__sobol_scrambled((uint32_t)sequence, i, s->seed))
                        : spt__domain_draw(&s->domains[i], &rng);
    }
}

static int32_t sobol_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                          spt__err *e)
{
    (void)e;
    spt__sampler_sobol_point(s, sequence, attempt, values);
    return SPT_OK;
}

const spt__sampler_kind spt__sampler_sobol = {.name = "sobol", .draw = sobol_draw};
