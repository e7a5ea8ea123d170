#include "gemm.h"

#include "spectune/base.h"

#include <blis.h>

static int32_t product(int64_t m, int64_t n, int64_t k, spt__mat a, spt__mat b, bool add, float *c,
                       int64_t c_row, bool steady)
{
    if (m < 0 || n < 0 || k < 0) return SPT_EINTERNAL;
    if (m == 0 || n == 0) return SPT_OK;
    if (!c || c_row < n) return SPT_EINTERNAL;
    if (k == 0) {
        for (int64_t i = 0; i < m && !add; i++)
            for (int64_t j = 0; j < n; j++)
                c[i * c_row + j] = 0.0F;
        return SPT_OK;
    }
    if (!a.data || !b.data) return SPT_EINTERNAL;

    /* One thread whatever the environment or the host told BLIS: the folds are what runs in
     * parallel, and the order of a sum must not depend on it. */
    rntm_t one_thread = BLIS_RNTM_INITIALIZER;
    bli_rntm_set_num_threads(1, &one_thread);
    /* For small matrices BLIS has other kernels, whose sums run in another order. */
    if (steady) bli_rntm_disable_l3_sup(&one_thread);
    /* BLIS prints and aborts when its own checks fail, and they do not know of overlapping rows.
     * The level belongs to this thread; the host gets its own back. */
    errlev_t level = bli_error_checking_level();
    bli_error_checking_level_set(BLIS_NO_ERROR_CHECKING);
    float alpha = 1.0F, beta = add ? 1.0F : 0.0F;
    /* BLIS takes pointers to non-const and does not write through them. */
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &alpha, (float *)(uintptr_t)a.data,
                 a.row, a.col, (float *)(uintptr_t)b.data, b.row, b.col, &beta, c, c_row, 1, NULL,
                 &one_thread);
    bli_error_checking_level_set(level);
    return SPT_OK;
}

int32_t spt__gemm(int64_t m, int64_t n, int64_t k, spt__mat a, spt__mat b, bool add, float *c,
                  int64_t c_row)
{
    return product(m, n, k, a, b, add, c, c_row, false);
}

int32_t spt__gemm_steady(int64_t m, int64_t n, int64_t k, spt__mat a, spt__mat b, bool add,
                         float *c, int64_t c_row)
{
    return product(m, n, k, a, b, add, c, c_row, true);
}
