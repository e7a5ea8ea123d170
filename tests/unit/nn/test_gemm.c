/* Matrix products against direct sums in double: odd shapes, strides, overlapping rows. */
#include "testing.h"

#include "base/rng.h"
#include "base/threads.h"
#include "nn/gemm.h"

typedef struct product {
    int64_t m, n, k, a_row, a_col, b_row, b_col, c_row;
} product;

static const product products[] = {
    {1, 1, 1, 1, 1, 1, 1, 1},
    {1, 1, 50, 50, 1, 1, 1, 1},
    {3, 5, 7, 7, 1, 5, 1, 5},
    {17, 1, 9, 9, 1, 1, 1, 1},
    {1, 33, 129, 129, 1, 33, 1, 40},
    {64, 18, 36, 36, 1, 18, 1, 18},
    {31, 29, 23, 1, 31, 29, 1, 29}, /* a transposed */
    {31, 29, 23, 23, 1, 1, 23, 29}, /* b transposed */
    {31, 29, 23, 1, 31, 1, 23, 64}, /* both, c with room */
    {200, 8, 11, 1, 1, 8, 1, 8},    /* windows of one channel, stride 1 */
    {101, 16, 60, 4, 1, 16, 1, 16}, /* of four */
    {101, 16, 60, 8, 1, 16, 1, 16}, /* of four, stride 2 */
    {60, 16, 101, 1, 4, 16, 1, 16}, /* windows transposed: gradient of the weights */
    {57, 4, 21, 7, 1, 4, 1, 12},    /* every third row of c: gradient of the input at stride 3 */
    {300, 257, 513, 513, 1, 257, 1, 257},
};

static int64_t extent(int64_t rows, int64_t row, int64_t cols, int64_t col)
{
    return (rows - 1) * row + (cols - 1) * col + 1;
}

static float *filled(int64_t n, uint64_t key)
{
    float *v = malloc((size_t)n * sizeof *v);
    spt__rng r;
    spt__rng_init(&r, 4, SPT__RNG_TEST, key, 0);
    for (int64_t i = 0; i < n; i++)
        v[i] = (float)spt__rng_normal(&r);
    return v;
}

START_TEST(products_are_direct_sums)
{
    const product *p = &products[_i];
    float *a = filled(extent(p->m, p->a_row, p->k, p->a_col), 1);
    float *b = filled(extent(p->k, p->b_row, p->n, p->b_col), 2);
    int64_t size = p->m * p->c_row;
    for (int add = 0; add < 2; add++) {
        float *c = filled(size, 3), *before = filled(size, 3);
        ck_assert_int_eq(spt__gemm(p->m, p->n, p->k, (spt__mat){a, p->a_row, p->a_col},
                                   (spt__mat){b, p->b_row, p->b_col}, add, c, p->c_row),
                         SPT_OK);
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->c_row; j++) {
                int64_t at = i * p->c_row + j;
                if (j >= p->n) { /* between the rows nothing is written */
                    if (c[at] != before[at])
                        ck_abort_msg("product %d writes behind row %d", _i, (int)i);
                    continue;
                }
                double sum = add ? (double)before[at] : 0.0;
                for (int64_t k = 0; k < p->k; k++)
                    sum += (double)a[i * p->a_row + k * p->a_col] *
                           (double)b[k * p->b_row + j * p->b_col];
                if (!(fabs((double)c[at] - sum) < 2e-6 * (double)(p->k + 10)))
                    ck_abort_msg("product %d at %d, %d: %g is not %g", _i, (int)i, (int)j,
                                 (double)c[at], sum);
            }
        free(c);
        free(before);
    }
    free(a);
    free(b);
}
END_TEST

START_TEST(nothing_and_nonsense)
{
    float a[4] = {1, 2, 3, 4}, c[4] = {5, 6, 7, 8};
    spt__mat m = {a, 2, 1}, none = {NULL, 2, 1};
    ck_assert_int_eq(spt__gemm(0, 2, 2, m, m, false, c, 2), SPT_OK);
    ck_assert_int_eq(spt__gemm(2, 0, 2, m, m, false, c, 2), SPT_OK);
    ck_assert_int_eq(spt__gemm(0, 0, 0, none, none, false, NULL, 0), SPT_OK);
    ck_assert_int_eq(spt__gemm(2, 2, 0, none, none, true, c, 2), SPT_OK);
    ck_assert(c[0] > 4 && c[3] > 7);
    ck_assert_int_eq(spt__gemm(2, 2, 0, none, none, false, c, 2), SPT_OK);
    ck_assert(fabsf(c[0]) + fabsf(c[1]) + fabsf(c[2]) + fabsf(c[3]) <= 0);
    ck_assert_int_eq(spt__gemm(-1, 2, 2, m, m, false, c, 2), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, -1, 2, m, m, false, c, 2), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, 2, -1, m, m, false, c, 2), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, 2, 2, m, m, false, c, 1), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, 2, 2, none, m, false, c, 2), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, 2, 2, m, none, false, c, 2), SPT_EINTERNAL);
    ck_assert_int_eq(spt__gemm(2, 2, 2, m, m, false, NULL, 2), SPT_EINTERNAL);
}
END_TEST

enum { M = 150, N = 70, K = 300, CALLS = 8 };

typedef struct shared {
    const float *a, *b;
    float *c;
} shared;

static int32_t one_call(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    (void)e;
    const shared *s = arg;
    return spt__gemm(M, N, K, (spt__mat){s->a, K, 1}, (spt__mat){s->b, N, 1}, false,
                     s->c + index * M * N, N);
}

/* The first calls into BLIS may come from several threads at once. */
START_TEST(calls_at_once_have_the_same_bits)
{
    spt_ctx *ctx;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_ctx_set_threads(ctx, 4));
    shared s = {filled(M * K, 1), filled(K * N, 2), malloc(sizeof(float) * CALLS * M * N)};
    spt__err e;
    ck_assert_int_eq(spt__parallel(ctx, CALLS, one_call, &s, &e), SPT_OK);
    for (int i = 1; i < CALLS; i++)
        ck_assert_mem_eq(s.c, s.c + i * M * N, sizeof(float) * M * N);
    free((void *)(uintptr_t)s.a);
    free((void *)(uintptr_t)s.b);
    free(s.c);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("nn gemm", tcase_add_test(tcase, calls_at_once_have_the_same_bits);
           tcase_add_loop_test(tcase, products_are_direct_sums, 0,
                               (int)(sizeof products / sizeof products[0]));
           tcase_add_test(tcase, nothing_and_nonsense);)
