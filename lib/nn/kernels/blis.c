/* Products of the table that has none of its own: BLIS, and what stands round a product in steps of
 * their own. */
#include "lanes.h"

#if !SPT__OWN_PRODUCTS

#include "spectune/base.h"

int64_t SPT__PATH(panel_size)(int64_t k, int64_t n)
{
    (void)k;
    (void)n;
    return 0;
}

void SPT__PATH(pack)(int64_t k, int64_t n, spt__mat b, const float *factor, float *panels)
{
    (void)k;
    (void)n;
    (void)b;
    (void)factor;
    (void)panels;
}

int64_t SPT__PATH(group)(int64_t window, int64_t step, int64_t filters, int64_t most)
{
    (void)window;
    (void)step;
    (void)filters;
    (void)most;
    return 1;
}

/* A gate needs the product beside the output that it replaces. */
int64_t SPT__PATH(product_work)(const spt__product *q)
{
    return q->gate ? q->m * q->n : 0;
}

static int32_t with_gate(const spt__product *q)
{
    if (!q->work) return SPT_EINTERNAL;
    int32_t status = q->steady
                         ? spt__gemm_steady(q->m, q->n, q->k, q->a, q->b, false, q->work, q->n)
                         : spt__gemm(q->m, q->n, q->k, q->a, q->b, false, q->work, q->n);
    for (int64_t i = 0; status == SPT_OK && i < q->m; i++) {
        float *row = q->c + i * q->c_row;
        SPT__PATH(differentiate)(q->gate, row, row, q->work + i * q->n, row, q->n);
    }
    return status;
}

int32_t SPT__PATH(product)(const spt__product *q)
{
    if (q->gate) return with_gate(q);
    int32_t status = q->steady
                         ? spt__gemm_steady(q->m, q->n, q->k, q->a, q->b, q->add, q->c, q->c_row)
                         : spt__gemm(q->m, q->n, q->k, q->a, q->b, q->add, q->c, q->c_row);
    if (status != SPT_OK || (!q->bias && !q->activation)) return status;
    for (int64_t i = 0; i < q->m; i++) {
        float *row = q->c + i * q->c_row;
        if (q->bias) {
            SPT__EACH_ALONE
            for (int64_t j = 0; j < q->n; j++)
                row[j] += q->bias[j];
        }
        if (q->activation) SPT__PATH(activate)(q->activation, row, row, q->n);
    }
    return SPT_OK;
}

#endif
