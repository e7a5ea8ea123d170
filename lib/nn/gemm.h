/* Matrix products. The only door to BLIS, so that another engine needs one file. */
#ifndef SPT_LIB_NN_GEMM_H
#define SPT_LIB_NN_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* A matrix to read: element (i, j) is data[i * row + j * col]. Rows may overlap: the windows of a
 * convolution are a matrix whose row stride is shorter than its rows. */
typedef struct spt__mat {
    const float *data;
    int64_t row, col;
} spt__mat;

/* c (m x n, rows `c_row` apart) = a (m x k) b (k x n), plus c itself with `add`.
 *
 * One thread, no shared state: any number of calls may run at once. The same call gives the same
 * bits. Without rows or columns nothing happens; with k 0 the product is zero. SPT_EINTERNAL for
 * what BLIS would end the process over: negative sizes, rows of c that overlap, no memory. */
int32_t spt__gemm(int64_t m, int64_t n, int64_t k, spt__mat a, spt__mat b, bool add, float *c,
                  int64_t c_row);
/* The same, slower, but a row of c has the same bits whatever rows stand beside it in a. */
int32_t spt__gemm_steady(int64_t m, int64_t n, int64_t k, spt__mat a, spt__mat b, bool add,
                         float *c, int64_t c_row);

#endif
