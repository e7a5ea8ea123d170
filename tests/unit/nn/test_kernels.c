/* Every table of kernels answers the same questions: products against sums in double, loops over
 * values and rows against plain ones, and the promise that a row's bits do not depend on its
 * neighbours. */
#include "testing.h"

#include "base/cpu.h"
#include "base/rng.h"
#include "nn/kernels/kernels.h"

static const spt__kernels *table(int32_t k)
{
    return spt__kernels_table[k];
}
static int32_t tables(void)
{
    return spt__cpu_best() + 1;
}

/* BLIS reads, without using it, what stands behind the last value of a matrix. */
enum { BEHIND = 4096 };

static float *filled(int64_t n, uint64_t key)
{
    float *v = calloc((size_t)(n + BEHIND), sizeof *v);
    spt__rng r;
    spt__rng_init(&r, 11, SPT__RNG_TEST, key, 0);
    for (int64_t i = 0; i < n; i++)
        v[i] = (float)spt__rng_normal(&r);
    return v;
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct form {
    int64_t m, n, k, a_row, a_col, b_row, b_col, c_row;
} form;

static const form forms[] = {
    {1, 1, 1, 1, 1, 1, 1, 1},
    {1, 128, 300, 300, 1, 128, 1, 128},   /* one spectrum, dense */
    {13, 36, 1400, 1400, 1, 36, 1, 36},   /* columns that fill no vector, several blocks of k */
    {64, 1, 18, 18, 1, 1, 1, 1},          /* the output layer */
    {18, 1, 64, 1, 18, 1, 1, 1},          /* its weights' gradient */
    {31, 29, 23, 1, 31, 1, 23, 40},       /* both turned, c with room */
    {200, 16, 12, 2, 1, 16, 1, 16},       /* two positions of eight filters in a row */
    {500, 64, 60, 4, 1, 64, 1, 64},       /* windows of four channels */
    {60, 64, 500, 1, 4, 64, 1, 64},       /* their weights' gradient */
    {500, 50, 60, 4, 1, 50, 1, 50},       /* with filters that fill no vector */
    {250, 100, 500, 1, 600, 100, 1, 100}, /* far columns of a: packed, columns in two panels */
    {130, 72, 150, 1, 700, 72, 1, 72},    /* five vectors: panels of three and two */
    {40, 700, 100, 100, 1, 1, 100, 720},  /* turned weights of a dense layer */
    {57, 4, 21, 7, 1, 4, 1, 12},          /* every third row of c */
    {300, 257, 513, 513, 1, 257, 1, 257}, /* c too large for one block of rows */
    {29, 33, 41, 50, 3, 7, 400, 33},      /* strides that no layer has */
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static int64_t extent(int64_t rows, int64_t row, int64_t cols, int64_t col)
{
    return (rows - 1) * row + (cols - 1) * col + 1;
}

typedef struct matrices {
    float *a, *b, *bias, *panels, *work;
    spt__product q;
} matrices;

static matrices make(const spt__kernels *k, const form *f, bool packed, int32_t gate)
{
    matrices m = {.a = filled(extent(f->m, f->a_row, f->k, f->a_col), 1),
                  .b = filled(extent(f->k, f->b_row, f->n, f->b_col), 2),
                  .bias = filled(f->n, 3)};
    m.q = (spt__product){.m = f->m,
                         .n = f->n,
                         .k = f->k,
                         .a = {m.a, f->a_row, f->a_col},
                         .b = {m.b, f->b_row, f->b_col},
                         .c_row = f->c_row,
                         .gate = gate};
    int64_t size = k->panel_size(f->k, f->n);
    if (packed && size > 0) {
        m.panels = malloc((size_t)size * sizeof(float));
        k->pack(f->k, f->n, m.q.b, NULL, m.panels);
        m.q.panels = m.panels;
    }
    m.work = malloc((size_t)(k->product_work(&m.q) + 1) * sizeof(float));
    m.q.work = m.work;
    return m;
}

static void release(matrices *m)
{
    free(m->a);
    free(m->b);
    free(m->bias);
    free(m->panels);
    free(m->work);
}

/* The same matrices every time, so their products are computed once for each form. */
static double sum_of(const form *f, const matrices *m, int64_t i, int64_t j)
{
    static const form *computed;
    static double *sums;
    if (computed != f) {
        free(sums);
        sums = calloc((size_t)(f->m * f->n), sizeof *sums);
        for (int64_t r = 0; r < f->m; r++)
            for (int64_t c = 0; c < f->n; c++)
                for (int64_t k = 0; k < f->k; k++)
                    sums[r * f->n + c] += (double)m->a[r * f->a_row + k * f->a_col] *
                                          (double)m->b[k * f->b_row + c * f->b_col];
        computed = f;
    }
    return sums[i * f->n + j];
}

static double activated(int32_t type, double x)
{
    switch (type) {
    case SPT_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case SPT_ACTIVATION_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case SPT_ACTIVATION_ELU:
        return x > 0 ? x : expm1(x);
    case SPT_ACTIVATION_SELU:
        return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    case SPT_ACTIVATION_SWISH:
        return x / (1 + exp(-x));
    default:
        return x;
    }
}

/* From the output, but Swish from the input. */
static double derivative(int32_t type, double y)
{
    double s = 1 / (1 + exp(-y));
    switch (type) {
    case SPT_ACTIVATION_RELU:
        return y > 0;
    case SPT_ACTIVATION_LEAKY_RELU:
        return y > 0 ? 1 : 0.01;
    case SPT_ACTIVATION_ELU:
        return y > 0 ? 1 : y + 1;
    case SPT_ACTIVATION_SELU:
        return y > 0 ? 1.0507009873554805 : y + 1.0507009873554805 * 1.6732632423543772;
    default:
        return s * (1 + y * (1 - s));
    }
}

/* What product() has to leave at row i, column j. */
static double wanted(const form *f, const matrices *m, const float *before, int64_t i, int64_t j)
{
    const int64_t at = i * f->c_row + j;
    double want = sum_of(f, m, i, j);
    if (m->q.add) want += (double)before[at];
    if (m->q.bias) want += (double)m->bias[j];
    if (m->q.gate) want *= derivative(m->q.gate, (double)before[at]);
    return activated(m->q.activation, want);
}

/* Check is told of failures only: a word of it for every value would take longer than all else. */
static void check_product(const form *f, const matrices *m, const float *c, const float *before,
                          const char *name)
{
    const double bound = 4e-6 * sqrt((double)f->k + 10) * 10;
    for (int64_t i = 0; i < f->m; i++) {
        for (int64_t j = 0; j < f->n; j++) {
            const double got = (double)c[i * f->c_row + j], want = wanted(f, m, before, i, j);
            if (!(fabs(got - want) < bound))
                ck_abort_msg("%s, %d x %d x %d at %d, %d: %g is not %g", name, (int)f->m, (int)f->n,
                             (int)f->k, (int)i, (int)j, got, want);
        }
        /* between the rows nothing is written */
        const int64_t end = i * f->c_row + f->n;
        if (i + 1 < f->m)
            ck_assert_mem_eq(c + end, before + end, (size_t)(f->c_row - f->n) * sizeof *c);
    }
}

static void run(const spt__kernels *k, const form *f, matrices *m)
{
    int64_t size = extent(f->m, f->c_row, f->n, 1);
    float *c = filled(size, 4), *before = filled(size, 4);
    m->q.c = c;
    ck_assert_int_eq(k->product(&m->q), SPT_OK);
    check_product(f, m, c, before, k->name);
    free(c);
    free(before);
}

START_TEST(products_are_sums)
{
    const form *f = &forms[_i];
    for (int32_t t = 0; t < tables(); t++)
        for (int packed = 0; packed < 2; packed++) {
            matrices m = make(table(t), f, packed, 0);
            run(table(t), f, &m);
            m.q.add = true;
            run(table(t), f, &m);
            m.q.add = false;
            m.q.bias = m.bias;
            for (int32_t type = 0; type <= SPT_ACTIVATION_SWISH; type++) {
                m.q.activation = type;
                run(table(t), f, &m);
            }
            release(&m);
        }
}
END_TEST

START_TEST(a_gate_takes_the_place_of_its_output)
{
    const form *f = &forms[_i];
    for (int32_t t = 0; t < tables(); t++)
        for (int32_t type = SPT_ACTIVATION_RELU; type <= SPT_ACTIVATION_SELU; type++) {
            matrices m = make(table(t), f, true, type);
            run(table(t), f, &m);
            release(&m);
        }
}
END_TEST

/* With `steady` a row of c has the same bits alone and among others. */
START_TEST(rows_do_not_know_their_neighbours)
{
    const form *f = &forms[_i];
    for (int32_t t = 0; t < tables(); t++) {
        int64_t size = extent(f->m, f->c_row, f->n, 1);
        float *all = filled(size, 4), *alone = filled(size, 4);
        matrices m = make(table(t), f, true, 0);
        m.q.steady = true;
        m.q.bias = m.bias;
        m.q.c = all;
        ck_assert_int_eq(table(t)->product(&m.q), SPT_OK);
        for (int64_t i = 0; i < f->m; i++) {
            spt__product one = m.q;
            one.m = 1;
            one.a.data += i * f->a_row;
            one.c = alone + i * f->c_row;
            ck_assert_int_eq(table(t)->product(&one), SPT_OK);
            ck_assert_mem_eq(one.c, all + i * f->c_row, (size_t)f->n * sizeof *all);
        }
        release(&m);
        free(all);
        free(alone);
    }
}
END_TEST

/* The order in which columns come changes no bit, also where a few rows take all of k at once. */
START_TEST(backwards_is_the_same)
{
    const form *f = &forms[_i];
    for (int32_t t = 0; t < tables(); t++)
        for (int64_t rows = 1; rows <= f->m; rows += f->m > 4 ? f->m / 4 : 1) {
            int64_t size = extent(f->m, f->c_row, f->n, 1);
            float *c = filled(size, 4), *other = filled(size, 4);
            matrices m = make(table(t), f, true, 0);
            m.q.m = rows;
            m.q.bias = m.bias;
            m.q.c = c;
            ck_assert_int_eq(table(t)->product(&m.q), SPT_OK);
            m.q.backwards = true;
            m.q.c = other;
            ck_assert_int_eq(table(t)->product(&m.q), SPT_OK);
            ck_assert_mem_eq(c, other, (size_t)size * sizeof *c);
            release(&m);
            free(c);
            free(other);
        }
}
END_TEST

START_TEST(packing_scales_columns)
{
    for (int32_t t = 0; t < tables(); t++) {
        const form *f = &forms[9];
        matrices m = make(table(t), f, true, 0);
        if (m.panels) {
            table(t)->pack(f->k, f->n, m.q.b, m.bias, m.panels);
            float *c = filled(f->m * f->c_row, 4);
            m.q.c = c;
            ck_assert_int_eq(table(t)->product(&m.q), SPT_OK);
            for (int64_t i = 0; i < f->m; i++)
                for (int64_t j = 0; j < f->n; j++)
                    NEAR(c[i * f->c_row + j], sum_of(f, &m, i, j) * (double)m.bias[j], 1e-5);
            free(c);
        }
        release(&m);
    }
}
END_TEST

START_TEST(nothing_and_nonsense)
{
    float a[4] = {1, 2, 3, 4}, c[4] = {5, 6, 7, 8}, bias[2] = {-1, 9}, work[4];
    spt__mat m = {a, 2, 1}, none = {NULL, 2, 1};
    for (int32_t t = 0; t < tables(); t++) {
        const spt__kernels *k = table(t);
        spt__product q = {.m = 2, .n = 2, .k = 2, .a = m, .b = m, .c = c, .c_row = 2, .work = work};
        spt__product nothing = q, odd = q;
        nothing.m = 0;
        ck_assert_int_eq(k->product(&nothing), SPT_OK);
        nothing = q;
        nothing.k = 0;
        nothing.a = nothing.b = none;
        nothing.bias = bias;
        nothing.activation = SPT_ACTIVATION_RELU;
        ck_assert_int_eq(k->product(&nothing), SPT_OK);
        ck_assert(c[0] <= 0 && c[2] <= 0 && c[1] > 8 && c[3] > 8);
        odd.m = -1;
        ck_assert_int_eq(k->product(&odd), SPT_EINTERNAL);
        odd = q;
        odd.c_row = 1;
        ck_assert_int_eq(k->product(&odd), SPT_EINTERNAL);
        odd = q;
        odd.a = none;
        ck_assert_int_eq(k->product(&odd), SPT_EINTERNAL);
        odd = q;
        odd.c = NULL;
        ck_assert_int_eq(k->product(&odd), SPT_EINTERNAL);
    }
}
END_TEST

/* ---- values ---------------------------------------------------------------------------------- */

START_TEST(activations_and_derivatives)
{
    enum { N = 1003 };
    float *x = filled(N, 5), *g = filled(N, 6), y[N], out[N];
    x[0] = NAN;
    for (int32_t t = 0; t < tables(); t++)
        for (int32_t type = SPT_ACTIVATION_RELU; type <= SPT_ACTIVATION_SWISH; type++) {
            table(t)->activate(type, x, y, N);
            ck_assert(isnan(y[0]));
            const float *from = type == SPT_ACTIVATION_SWISH ? x : y;
            table(t)->differentiate(type, x, y, g, out, N);
            for (int j = 1; j < N; j++) {
                NEAR(y[j], activated(type, (double)x[j]), 1e-6);
                NEAR(out[j], (double)g[j] * derivative(type, (double)from[j]), 2e-6);
            }
        }
    free(x);
    free(g);
}
END_TEST

START_TEST(masks_are_philox)
{
    enum { BLOCKS = 37 };
    const uint32_t key[2] = {0x12345678, 0x9abcdef0}, counter[3] = {7, 0xffffffff, 3};
    const uint32_t first = 4000000000U, limit = 20000;
    for (int32_t t = 0; t < tables(); t++) {
        uint8_t mask[BLOCKS * 8];
        table(t)->draw_mask(key, counter, first, BLOCKS, limit, mask);
        for (uint32_t b = 0; b < BLOCKS; b++) {
            const uint32_t at[4] = {first + b, counter[0], counter[1], counter[2]};
            uint32_t word[4];
            spt__philox(key, at, word);
            for (uint32_t k = 0; k < 4; k++) {
                ck_assert_int_eq(mask[b * 8 + 2 * k], (word[k] & 0xffff) >= limit);
                ck_assert_int_eq(mask[b * 8 + 2 * k + 1], word[k] >> 16 >= limit);
            }
        }
        float x[40], y[40];
        for (int j = 0; j < 40; j++)
            x[j] = (float)(j + 1);
        table(t)->apply_mask(mask, 1.25F, x, y, 40);
        for (int j = 0; j < 40; j++)
            NEAR(y[j], mask[j] ? 1.25 * (j + 1) : 0.0, 1e-6);
    }
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------ */

static const spt__rows shapes[] = {
    {1, 1, 1, 1},      {5, 7, 3, 21},     {5, 7, 3, 30},       {33, 1, 36, 36},
    {4, 175, 8, 1480}, {3, 50, 64, 3200}, {2, 90, 130, 11800}, {40, 2, 17, 40},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static float *repeated(int64_t channels, uint64_t key)
{
    float *v = filled(spt__wide(channels), key);
    for (int64_t j = channels; j < spt__wide(channels); j++)
        v[j] = v[j - channels];
    return v;
}

START_TEST(sums_of_rows)
{
    spt__rows r = shapes[_i];
    int64_t size = r.n * r.stride, c = r.channels;
    float *x = filled(size, 7), *g = filled(size, 8), *mean = repeated(c, 9);
    float *partial = malloc(2 * (size_t)spt__wide(c) * sizeof *partial);
    double *want = calloc((size_t)(4 * c), sizeof *want), *sums = malloc((size_t)(2 * c) * 8);
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t j = 0; j < r.length * c; j++) {
            double v = (double)x[s * r.stride + j], d = v - (double)mean[j % c];
            double h = (double)g[s * r.stride + j];
            want[j % c] += v;
            want[c + j % c] += d * d;
            want[2 * c + j % c] += h;
            want[3 * c + j % c] += h * d;
        }
    for (int32_t t = 0; t < tables(); t++) {
        memset(sums, 0, (size_t)(2 * c) * sizeof *sums);
        table(t)->sums(x, r, partial, sums);
        for (int64_t j = 0; j < c; j++)
            NEAR(sums[j], want[j], 1e-4);
        memset(sums, 0, (size_t)(2 * c) * sizeof *sums);
        table(t)->squares(x, r, mean, partial, sums);
        for (int64_t j = 0; j < c; j++)
            NEAR(sums[j], want[c + j], 1e-5);
        memset(sums, 0, (size_t)(2 * c) * sizeof *sums);
        table(t)->products(x, g, r, r.stride, mean, partial, sums);
        for (int64_t j = 0; j < 2 * c; j++)
            NEAR(sums[j], want[2 * c + j], 1e-4);
    }
    free(x);
    free(g);
    free(mean);
    free(partial);
    free(want);
    free(sums);
}
END_TEST

START_TEST(normalised_rows)
{
    spt__rows r = shapes[_i];
    int64_t size = r.n * r.stride, c = r.channels;
    float *x = filled(size, 7), *g = filled(size, 8), *tables_of[5];
    for (uint64_t k = 0; k < 5; k++)
        tables_of[k] = repeated(c, 20 + k);
    const float *mean = tables_of[0], *factor = tables_of[1], *shift = tables_of[2];
    const float *level = tables_of[3], *slope = tables_of[4];
    for (int32_t t = 0; t < tables(); t++)
        for (int32_t type = 0; type <= SPT_ACTIVATION_ELU; type++) {
            float *y = filled(size, 10), *out = filled(size, 10), *before = filled(size, 10);
            table(t)->normalise(x, y, r, r.stride, mean, factor, shift, type);
            table(t)->normalise_back(x, g, out, r, r.stride, mean, factor, level, slope);
            for (int64_t s = 0; s < r.n; s++)
                for (int64_t j = 0; j < r.stride; j++) {
                    int64_t at = s * r.stride + j, k = j % c;
                    if (j >= r.length * c) { /* between samples nothing is written */
                        ck_assert_mem_eq(&y[at], &before[at], sizeof *y);
                        ck_assert_mem_eq(&out[at], &before[at], sizeof *y);
                        continue;
                    }
                    double d = (double)x[at] - (double)mean[k];
                    NEAR(y[at], activated(type, d * (double)factor[k] + (double)shift[k]), 2e-6);
                    NEAR(out[at],
                         (double)factor[k] *
                             ((double)g[at] - (double)level[k] - d * (double)slope[k]),
                         4e-6);
                }
            free(y);
            free(out);
            free(before);
        }
    for (int k = 0; k < 5; k++)
        free(tables_of[k]);
    free(x);
    free(g);
}
END_TEST

/* ---- pooling --------------------------------------------------------------------------------- */

static const spt__windows windows[] = {
    {10, 5, 3, 2, 2, 0, true},  {11, 5, 8, 2, 2, 0, true},   {11, 6, 17, 2, 2, 0, true},
    {10, 4, 5, 3, 2, 0, true},  {10, 10, 4, 3, 1, 1, true},  {13, 3, 6, 2, 5, 0, true},
    {10, 5, 3, 2, 2, 0, false}, {10, 10, 4, 3, 1, 1, false}, {13, 3, 6, 2, 5, 0, false},
    {9, 3, 33, 3, 3, 0, true},  {7, 4, 2, 3, 2, 1, true},    {1, 1, 3, 4, 4, 1, true},
};
enum { WINDOWS = sizeof windows / sizeof windows[0] };

START_TEST(pooled_windows)
{
    spt__windows w = windows[_i];
    int64_t in = w.length * w.channels, outs = w.outputs * w.channels;
    float *x = filled(in, 1), *g = filled(outs, 2);
    float *y = malloc((size_t)outs * sizeof *y), *back = malloc((size_t)in * sizeof *back);
    double *want = malloc((size_t)outs * sizeof *want), *want_back = calloc((size_t)in, 8);
    uint16_t *place = calloc((size_t)outs, sizeof *place);
    for (int64_t o = 0; o < w.outputs; o++)
        for (int64_t c = 0; c < w.channels; c++) {
            int64_t best = -1, rows = 0;
            double sum = 0.0;
            for (int64_t r = o * w.stride - w.before; r < o * w.stride - w.before + w.size; r++) {
                if (r < 0 || r >= w.length) continue;
                sum += (double)x[r * w.channels + c];
                rows++;
                if (best < 0 || x[r * w.channels + c] > x[best * w.channels + c]) best = r;
            }
            int64_t at = o * w.channels + c;
            want[at] = w.largest ? (double)x[best * w.channels + c] : sum / (double)rows;
            for (int64_t r = o * w.stride - w.before; r < o * w.stride - w.before + w.size; r++)
                if (r >= 0 && r < w.length && (!w.largest || r == best))
                    want_back[r * w.channels + c] +=
                        w.largest ? (double)g[at] : (double)g[at] / (double)rows;
        }
    for (int32_t t = 0; t < tables(); t++) {
        table(t)->pool(&w, x, y, NULL);
        for (int64_t j = 0; j < outs; j++)
            NEAR(y[j], want[j], 1e-6);
        table(t)->pool(&w, x, y, w.largest ? place : NULL);
        memset(back, 0xff, (size_t)in * sizeof *back);
        table(t)->pool_back(&w, g, w.largest ? place : NULL, back);
        for (int64_t j = 0; j < outs; j++)
            NEAR(y[j], want[j], 1e-6);
        for (int64_t j = 0; j < in; j++)
            NEAR(back[j], want_back[j], 1e-6);
    }
    free(x);
    free(g);
    free(y);
    free(back);
    free(want);
    free(want_back);
    free(place);
}
END_TEST

/* ---- the choice ------------------------------------------------------------------------------ */

START_TEST(a_host_chooses)
{
    spt_ctx *ctx;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    int32_t n = 0;
    while (spt_kernels_name(n))
        n++;
    ck_assert_int_eq(n, tables());
    ck_assert_ptr_null(spt_kernels_name(-1));
    ck_assert_str_eq(spt_kernels_name(0), "portable");
    for (int32_t i = 0; i < n; i++) {
        OK(ctx, spt_ctx_set_kernels(ctx, spt_kernels_name(i)));
        ck_assert_str_eq(spt_ctx_kernels(ctx), spt_kernels_name(i));
        ck_assert_str_eq(table(i)->name, spt_kernels_name(i));
    }
    OK(ctx, spt_ctx_set_kernels(ctx, NULL));
    ck_assert_str_eq(spt_ctx_kernels(ctx), spt_kernels_name(n - 1));
    FAILS(ctx, SPT_ENOTFOUND, "avx512", spt_ctx_set_kernels(ctx, "avx51"));
    ck_assert_str_eq(spt_ctx_kernels(ctx), spt_kernels_name(n - 1));
    ck_assert_ptr_null(spt_ctx_kernels(NULL));
    ck_assert_int_eq(spt_ctx_set_kernels(NULL, NULL), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("nn_kernels", tcase_add_loop_test(tcase, products_are_sums, 0, FORMS);
           tcase_add_loop_test(tcase, a_gate_takes_the_place_of_its_output, 0, FORMS);
           tcase_add_loop_test(tcase, rows_do_not_know_their_neighbours, 0, FORMS);
           tcase_add_loop_test(tcase, backwards_is_the_same, 0, FORMS);
           tcase_add_test(tcase, packing_scales_columns);
           tcase_add_test(tcase, nothing_and_nonsense);
           tcase_add_test(tcase, activations_and_derivatives);
           tcase_add_test(tcase, masks_are_philox);
           tcase_add_loop_test(tcase, sums_of_rows, 0, SHAPES);
           tcase_add_loop_test(tcase, normalised_rows, 0, SHAPES);
           tcase_add_loop_test(tcase, pooled_windows, 0, WINDOWS);
           tcase_add_test(tcase, a_host_chooses);)
