/* Register tiles: a few rows of c times a few vectors, all sums of it held in registers. */
#ifndef SPT_LIB_NN_TILES_H
#define SPT_LIB_NN_TILES_H

#include "lanes.h"

/* c = max(floor, from + a b), rows x (vectors * LANES). With `floor` -infinity that is the sum
 * itself. Rows of `from` (and of a) may be the same row over and over: `from_row` 0. */
typedef struct tile {
    int64_t k;
    const float *a;
    int64_t a_row, a_col;
    const float *b;
    int64_t b_row;
    const float *from;
    int64_t from_row;
    float *c;
    int64_t c_row;
    int64_t part; /* columns of the last vector, 1 to LANES */
    float floor;
    /* What will be read later, a line of each of so many rows per CHUNK of k; 0 rows: no hint. */
    const float *ahead;
    int64_t ahead_row, ahead_rows;
} tile;
enum { CHUNK = 16 };
typedef void tile_fn(const tile *t);

/* As many sums as fit into the registers beside a row of b and a value of a. */
#if defined(__AVX512F__)
enum { VECTORS = 4, MOST_ROWS = 12 };
#define ROWS_FOR        \
    {                   \
        0, 12, 12, 8, 6 \
    }
#else
enum { VECTORS = 2, MOST_ROWS = 10 };
#define ROWS_FOR \
    {            \
        0, 10, 6 \
    }
#endif

/* clang-format off */
#define TILE(ROWS, WIDTH)                                                              \
    static void tile_##ROWS##_##WIDTH(const tile *t)                                   \
    {                                                                                  \
        const float *a = t->a, *b = t->b, *ahead = t->ahead;                           \
        const int64_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;            \
        lanes sum[ROWS][WIDTH];                                                        \
        SPT__UNROLL for (int i = 0; i < ROWS; i++)                                     \
            SPT__UNROLL for (int j = 0; j < WIDTH; j++) {                              \
                const float *from = t->from + i * t->from_row + j * LANES;             \
                sum[i][j] = j + 1 < WIDTH ? LANES_LOAD(from) : lanes_load_part(from, t->part); \
            }                                                                          \
        for (int64_t left = t->k; left > 0; left -= CHUNK, ahead += CHUNK) {           \
            for (int64_t i = 0; i < t->ahead_rows; i++)                                \
                __builtin_prefetch(ahead + i * t->ahead_row, 0, 2);                    \
            for (int64_t k = left < CHUNK ? left : CHUNK; k > 0; k--) {                \
                lanes row[WIDTH];                                                      \
                SPT__UNROLL for (int j = 0; j < WIDTH; j++)                            \
                    row[j] = LANES_LOAD(b + j * LANES);                                \
                SPT__UNROLL for (int i = 0; i < ROWS; i++) {                           \
                    const lanes value = LANES_SET(a[i * a_row]);                       \
                    SPT__UNROLL for (int j = 0; j < WIDTH; j++)                        \
                        sum[i][j] = LANES_FMA(value, row[j], sum[i][j]);               \
                }                                                                      \
                a += a_col;                                                            \
                b += b_row;                                                            \
            }                                                                          \
        }                                                                              \
        const lanes floor = LANES_SET(t->floor);                                       \
        SPT__UNROLL for (int i = 0; i < ROWS; i++)                                     \
            SPT__UNROLL for (int j = 0; j < WIDTH; j++) {                              \
                float *to = t->c + i * t->c_row + j * LANES;                           \
                const lanes value = LANES_MAX(floor, sum[i][j]);                       \
                if (j + 1 < WIDTH)                                                     \
                    LANES_STORE(to, value);                                            \
                else                                                                   \
                    lanes_store_part(to, t->part, value);                              \
            }                                                                          \
    }
/* clang-format on */

#define TILES_6(W) TILE(1, W) TILE(2, W) TILE(3, W) TILE(4, W) TILE(5, W) TILE(6, W)
#define TILES_8(W) TILES_6(W) TILE(7, W) TILE(8, W)
#define TILES_10(W) TILES_8(W) TILE(9, W) TILE(10, W)
#define TILES_12(W) TILES_10(W) TILE(11, W) TILE(12, W)
#define NAMES_6(W) tile_1_##W, tile_2_##W, tile_3_##W, tile_4_##W, tile_5_##W, tile_6_##W
#define NAMES_8(W) NAMES_6(W), tile_7_##W, tile_8_##W
#define NAMES_10(W) NAMES_8(W), tile_9_##W, tile_10_##W
#define NAMES_12(W) NAMES_10(W), tile_11_##W, tile_12_##W

#if defined(__AVX512F__)
TILES_12(1)
TILES_12(2)
TILES_8(3)
TILES_6(4)
static tile_fn *const tiles[VECTORS + 1][MOST_ROWS + 1] = {
    {0}, {NULL, NAMES_12(1)}, {NULL, NAMES_12(2)}, {NULL, NAMES_8(3)}, {NULL, NAMES_6(4)}};
#else
TILES_10(1)
TILES_6(2)
static tile_fn *const tiles[VECTORS + 1][MOST_ROWS + 1] = {
    {0}, {NULL, NAMES_10(1)}, {NULL, NAMES_6(2)}};
#endif

#endif
