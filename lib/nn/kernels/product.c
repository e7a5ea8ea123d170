/* Matrix products of our own: b in panels as wide as a tile, a read where it stands.
 *
 * A panel's part of k_block rows stays in the first-level cache while the tiles of a block of rows
 * of c go over it. The windows of a convolution and the rows of a batch need no packing; only
 * columns of a long batch (the gradient of a dense layer's weights) do. Sums run over k in its
 * order, in blocks that depend on k alone. */
#include "lanes.h"

#if SPT__OWN_PRODUCTS

#include "tiles.h"

#include "spectune/base.h"

#include <math.h>
#include <string.h>

enum {
    PANEL = VECTORS * LANES,
    PANEL_FLOATS = 8192, /* of a panel in one block of k: 32 KB */
    FAR = 512,           /* floats from one value of a row of a to the next that are too many */
    FEW_ROWS = 4 * MOST_ROWS,
    FEW_COLUMNS = 96, /* of a far apart: their lines stay in the first-level cache */
    LINE = 16,        /* floats that come from memory together */
    A_ROWS = 120,     /* rows of a packed at once: whole tiles of any height, eight lines */
    SMALL_C = 32 * 1024
};
static const int32_t rows_for[VECTORS + 1] = ROWS_FOR;

typedef struct plan {
    int64_t panels, base,
        extra; /* the first `extra` panels have base + 1 vectors, the others base */
    int64_t k_block, m_block;
    bool pack_a, pack_b, pack_all; /* pack_all: all of b once, else a block of k at a time */
} plan;

static void plan_panels(plan *p, int64_t n)
{
    int64_t vectors = (n + LANES - 1) / LANES;
    p->panels = (vectors + VECTORS - 1) / VECTORS;
    p->base = vectors / p->panels;
    p->extra = vectors % p->panels;
}

static int64_t panel_vectors(const plan *p, int64_t panel)
{
    return p->base + (panel < p->extra);
}

/* Columns before the panel, in whole vectors. */
static int64_t panel_start(const plan *p, int64_t panel)
{
    return (panel * p->base + (panel < p->extra ? panel : p->extra)) * LANES;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* One tile for each panel: nothing is read twice but a, which stays in the first-level cache. */
static bool is_one_pass(const spt__product *q, const plan *p)
{
    return q->panels && q->a.col == 1 && q->m <= rows_for[p->base + (p->extra > 0)] &&
           q->m * q->k <= PANEL_FLOATS;
}

/* Rows of b in one block of k. A gate wants the whole sum at once. */
static int64_t most_k(const spt__product *q, const plan *p)
{
    int64_t most = PANEL_FLOATS / (LANES * (p->base + (p->extra > 0)));
    return q->gate || q->k < most || is_one_pass(q, p) ? q->k : most;
}

/* Rows of c that stay in the second-level cache while k goes by. */
static int64_t rows_of_c(const spt__product *q)
{
    if (q->m * q->n <= SMALL_C) return q->m;
    int64_t rows = SMALL_C / q->n / A_ROWS * A_ROWS;
    return rows > A_ROWS ? rows : A_ROWS;
}

static plan plan_of(const spt__product *q)
{
    plan p = {0};
    plan_panels(&p, q->n);
    int64_t most = most_k(q, &p);
    p.k_block = divide_up(q->k, divide_up(q->k, most));
    p.pack_a = q->a.col != 1 && (q->a.row != 1 || (q->a.col > FAR && q->k > FEW_COLUMNS));
    p.m_block = p.pack_a ? A_ROWS : rows_of_c(q);
    if (q->panels) return p;
    bool direct = q->b.col == 1 && q->n % LANES == 0 && (q->b.row <= PANEL || q->m <= FEW_ROWS);
    p.pack_b = !direct;
    /* A tall block of c pays for packing its part of b once more. */
    p.pack_all = p.pack_b && p.m_block < q->m && p.m_block <= A_ROWS;
    return p;
}

/* ---- packing --------------------------------------------------------------------------------- */

int64_t SPT__PATH(panel_size)(int64_t k, int64_t n)
{
    return k * divide_up(n, LANES) * LANES;
}

/* Square blocks of b whose columns stand together in memory, turned: `used` columns of k rows. */
static void pack_turned(int64_t k, int64_t used, spt__mat b, int64_t width, float *panel)
{
    for (int64_t j = 0; j < used; j += LANES)
        for (int64_t r = 0; r < k; r += LANES) {
            int64_t columns = used - j < LANES ? used - j : LANES;
            int64_t rows = k - r < LANES ? k - r : LANES;
            lanes block[LANES];
            for (int64_t i = 0; i < LANES; i++)
                block[i] = i < columns ? lanes_load_part(b.data + (j + i) * b.col + r, rows)
                                       : LANES_SET(0.0F);
            SPT__UNROLL for (int d = LANES / 2; d > 0; d /= 2)
                SPT__UNROLL for (int i = 0; i < LANES / 2; i++)
            {
                int h = i / d * 2 * d + i % d;
                lanes_swap(&block[h], &block[h + d], d);
            }
            for (int64_t i = 0; i < rows; i++)
                LANES_STORE(panel + (r + i) * width + j, block[i]);
        }
}

static void pack_rows(int64_t k, int64_t used, spt__mat b, int64_t width, float *panel)
{
    int64_t last = (used - 1) / LANES * LANES;
    for (int64_t r = 0; r < k; r++, panel += width) {
        const float *from = b.data + r * b.row;
        for (int64_t j = 0; j < last; j += LANES)
            LANES_STORE(panel + j, LANES_LOAD(from + j));
        LANES_STORE(panel + last, lanes_load_part(from + last, used - last));
    }
}

static void pack_any(int64_t k, int64_t used, spt__mat b, int64_t width, float *panel)
{
    for (int64_t r = 0; r < k; r++)
        for (int64_t j = 0; j < width; j++)
            panel[r * width + j] = j < used ? b.data[r * b.row + j * b.col] : 0.0F;
}

void SPT__PATH(pack)(int64_t k, int64_t n, spt__mat b, const float *factor, float *panels)
{
    plan p = {0};
    plan_panels(&p, n);
    for (int64_t i = 0; i < p.panels; i++) {
        int64_t start = panel_start(&p, i), width = panel_vectors(&p, i) * LANES;
        int64_t used = n - start < width ? n - start : width;
        float *panel = panels + k * start;
        spt__mat part = {b.data + start * b.col, b.row, b.col};
        if (b.col == 1)
            pack_rows(k, used, part, width, panel);
        else if (b.row == 1)
            pack_turned(k, used, part, width, panel);
        else
            pack_any(k, used, part, width, panel);
        for (int64_t r = 0; factor && r < k; r++)
            for (int64_t j = 0; j < used; j++)
                panel[r * width + j] *= factor[start + j];
    }
}

/* One column of a, which stands together in memory, to its tiles; what comes AHEAD columns later is
 * fetched meanwhile, as the processor does not see the pattern. */
enum { AHEAD = 8 };
static inline void spread(const float *from, int64_t far, int64_t full, int64_t rows,
                          int64_t tile_size, float *out)
{
    for (int64_t i = 0; i < full * rows; i += LINE)
        __builtin_prefetch(from + far + i, 0, 3);
    for (int64_t i = 0; i < full; i++)
        memcpy(out + i * tile_size, from + i * rows, (size_t)rows * sizeof *out);
}

/* Tiles of `rows` rows one after the other, each k x rows; the last may have fewer. */
static void pack_a(spt__mat a, int64_t m, int64_t k, int64_t rows, float *out)
{
    int64_t full = a.row == 1 ? m / rows : 0;
    for (int64_t r = 0; r < k; r++) {
        const float *from = a.data + r * a.col;
        int64_t far = r + AHEAD < k ? AHEAD * a.col : 0;
        /* heights that the compiler knows */
        if (rows == 6)
            spread(from, far, full, 6, 6 * k, out + r * 6);
        else if (rows == 8)
            spread(from, far, full, 8, 8 * k, out + r * 8);
        else if (rows == 12)
            spread(from, far, full, 12, 12 * k, out + r * 12);
        else
            spread(from, far, full, rows, rows * k, out + r * rows);
    }
    out += full * rows * k;
    for (int64_t i = full * rows; i < m; i += rows) {
        int64_t height = m - i < rows ? m - i : rows;
        for (int64_t r = 0; r < k; r++, out += height)
            for (int64_t h = 0; h < height; h++)
                out[h] = a.data[(i + h) * a.row + r * a.col];
    }
}

/* ---- one tile -------------------------------------------------------------------------------- */

/* What a panel's tiles have in common. */
typedef struct strip {
    const spt__product *q;
    int64_t vectors, start, used; /* columns start .. start + used - 1 */
    int64_t rows;                 /* of a full tile */
    bool first, last;             /* block of k */
    bool aside;                   /* c is not what the tile writes, but comes of it */
    const float *next; /* columns of a that are packed next, `next_rows` for each tile to fetch */
    int64_t next_rows;
    tile t;
} strip;

static const float zeros[PANEL] = {0};

/* Where the sums start: at what c holds already, at the bias or at zero. */
static void start_sums(strip *s, const float *c)
{
    const spt__product *q = s->q;
    bool anew = s->first && !q->add;
    s->t.from = !anew ? c : q->bias ? q->bias + s->start : zeros;
    s->t.from_row = anew ? 0 : q->c_row;
}

static void finish_aside(const strip *s, float *restrict c, const float *restrict temp,
                         int64_t height)
{
    const spt__product *q = s->q;
    int64_t width = s->vectors * LANES;
    for (int64_t i = 0; i < height; i++) {
        float *restrict row = c + i * q->c_row;
        const float *restrict sum = temp + i * width;
        if (q->gate == SPT__RELU)
            for (int64_t j = 0; j < s->used; j++)
                row[j] = row[j] > 0.0F ? sum[j] : 0.0F;
        else if (q->gate)
            SPT__PATH(differentiate)(q->gate, row, row, sum, row, s->used);
        else
            SPT__PATH(activate)(q->activation, sum, row, s->used);
    }
}

static void run_tile(strip *s, const float *a, int64_t a_row, int64_t a_col, float *c,
                     int64_t height)
{
    float temp[MOST_ROWS * PANEL];
    start_sums(s, c);
    s->t.a = a;
    s->t.a_row = a_row;
    s->t.a_col = a_col;
    s->t.c = s->aside ? temp : c;
    s->t.c_row = s->aside ? s->vectors * LANES : s->q->c_row;
    tiles[s->vectors][height](&s->t);
    if (s->aside) finish_aside(s, c, temp, height);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* What is far apart in memory is fetched one block of k, or one panel, before it is needed. */
static void hint(strip *s, const float *a, const float *c, int64_t height, bool packed)
{
    const spt__product *q = s->q;
    s->t.ahead_rows = 0;
    if (s->next) {
        s->t.ahead = s->next;
        s->t.ahead_row = q->a.col;
        s->t.ahead_rows = s->next_rows;
        s->next += s->next_rows * q->a.col;
    } else if (!packed && q->a.row >= FAR && s->start == 0 && !s->last) {
        s->t.ahead = a + s->t.k;
        s->t.ahead_row = q->a.row;
        s->t.ahead_rows = height;
    } else if (q->c_row >= FAR && s->last && s->used == PANEL) {
        s->t.ahead = c + PANEL;
        s->t.ahead_row = q->c_row;
        s->t.ahead_rows = height;
    }
}

/* Rows m0 .. m1 - 1 of c, the columns of one panel, rows k0 .. k0 + k - 1 of b. */
static void run_strip(strip *s, int64_t m0, int64_t m1, int64_t k0, const float *packed)
{
    const spt__product *q = s->q;
    for (int64_t i = m0; i < m1; i += s->rows) {
        int64_t height = m1 - i < s->rows ? m1 - i : s->rows;
        float *c = q->c + i * q->c_row + s->start;
        const float *a = q->a.data + i * q->a.row + k0 * q->a.col;
        hint(s, a, c, height, packed);
        if (packed) {
            run_tile(s, packed, 1, height, c, height);
            packed += s->t.k * height;
        } else {
            run_tile(s, a, q->a.row, q->a.col, c, height);
        }
    }
}

/* The columns of a that come after those at k0 of the rows from m0. */
static const float *next_columns(const spt__product *q, const plan *p, int64_t m0, int64_t k0)
{
    if (!p->pack_a || q->a.row != 1) return NULL;
    if (k0 + p->k_block < q->k) return q->a.data + m0 + (k0 + p->k_block) * q->a.col;
    return m0 + 2 * p->m_block <= q->m ? q->a.data + m0 + p->m_block : NULL;
}

static void run_block(const spt__product *q, const plan *p, int64_t m0, int64_t m1, int64_t k0,
                      const float *panels, int64_t panels_k, float *a_room)
{
    int64_t k = q->k - k0 < p->k_block ? q->k - k0 : p->k_block, packed_rows = 0;
    const float *next = next_columns(q, p, m0, k0);
    for (int64_t turn = 0; turn < p->panels; turn++) {
        const int64_t i = q->backwards ? p->panels - 1 - turn : turn;
        strip s = {.q = q, .vectors = panel_vectors(p, i), .start = panel_start(p, i)};
        int64_t width = s.vectors * LANES;
        s.used = q->n - s.start < width ? q->n - s.start : width;
        s.rows = rows_for[s.vectors];
        s.first = k0 == 0;
        s.last = k0 + k == q->k;
        s.aside = s.last && (q->gate || (q->activation && q->activation != SPT__RELU));
        s.t = (tile){.k = k, .part = s.used - (s.vectors - 1) * LANES};
        s.t.floor = s.last && q->activation == SPT__RELU ? 0.0F : -INFINITY;
        if (panels) { /* of panels_k rows; this block's are at k0 of all, at 0 of a block's own */
            s.t.b = panels + panels_k * s.start + (panels_k == q->k ? k0 * width : 0);
            s.t.b_row = width;
        } else {
            s.t.b = q->b.data + k0 * q->b.row + s.start;
            s.t.b_row = q->b.row;
        }
        s.t.ahead = s.t.b; /* no hint yet */
        if (p->pack_a && packed_rows != s.rows) {
            spt__mat part = {q->a.data + m0 * q->a.row + k0 * q->a.col, q->a.row, q->a.col};
            pack_a(part, m1 - m0, k, s.rows, a_room);
            packed_rows = s.rows;
        }
        int64_t calls = divide_up(m1 - m0, s.rows);
        s.next = next;
        s.next_rows = next ? divide_up(k, calls * p->panels) : 0;
        run_strip(&s, m0, m1, k0, p->pack_a ? a_room : NULL);
        next = s.next;
    }
}

/* Enough for a smaller k too, whose blocks may be longer. */
int64_t SPT__PATH(product_work)(const spt__product *q)
{
    plan p = plan_of(q);
    int64_t block = most_k(q, &p);
    int64_t a = p.pack_a ? A_ROWS * block : 0;
    int64_t b = p.pack_b ? SPT__PATH(panel_size)(p.pack_all ? q->k : block, q->n) : 0;
    return a + b;
}

static int32_t without_sums(const spt__product *q)
{
    for (int64_t i = 0; i < q->m && !q->add; i++)
        for (int64_t j = 0; j < q->n; j++)
            q->c[i * q->c_row + j] = q->bias ? q->bias[j] : 0.0F;
    if (q->activation)
        for (int64_t i = 0; i < q->m; i++)
            SPT__PATH(activate)(q->activation, q->c + i * q->c_row, q->c + i * q->c_row, q->n);
    return SPT_OK;
}

int32_t SPT__PATH(product)(const spt__product *q)
{
    if (q->m < 0 || q->n < 0 || q->k < 0) return SPT_EINTERNAL;
    if (q->m == 0 || q->n == 0) return SPT_OK;
    if (!q->c || (q->m > 1 && q->c_row < q->n)) return SPT_EINTERNAL;
    if (q->k == 0) return without_sums(q);
    if (!q->a.data || (!q->b.data && !q->panels)) return SPT_EINTERNAL;
    plan p = plan_of(q);
    if ((p.pack_a || p.pack_b) && !q->work) return SPT_EINTERNAL;
    float *b_room = q->work;
    float *a_room = q->work;
    if (p.pack_b) a_room += SPT__PATH(panel_size)(p.pack_all ? q->k : p.k_block, q->n);
    if (p.pack_all) SPT__PATH(pack)(q->k, q->n, q->b, NULL, b_room);
    for (int64_t m0 = 0; m0 < q->m; m0 += p.m_block) {
        int64_t m1 = q->m - m0 < p.m_block ? q->m : m0 + p.m_block;
        for (int64_t k0 = 0; k0 < q->k; k0 += p.k_block) {
            const float *panels = q->panels ? q->panels : p.pack_b ? b_room : NULL;
            int64_t panels_k = q->k;
            if (p.pack_b && !p.pack_all) {
                panels_k = q->k - k0 < p.k_block ? q->k - k0 : p.k_block;
                spt__mat part = {q->b.data + k0 * q->b.row, q->b.row, q->b.col};
                SPT__PATH(pack)(panels_k, q->n, part, NULL, b_room);
            }
            run_block(q, &p, m0, m1, k0, panels, panels_k, a_room);
        }
    }
    return SPT_OK;
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* With few filters a row of c does not fill the vectors. So several positions are computed as one
 * row, on a window that is longer by `step` for each further position: more products, many of them
 * with zero, in fuller vectors. */
int64_t SPT__PATH(group)(int64_t window, int64_t step, int64_t filters, int64_t most)
{
    int64_t best = 1;
    double least = INFINITY;
    for (int64_t g = 1; g <= most && (g == 1 || g * filters <= PANEL); g++) {
        int64_t vectors = divide_up(g * filters, LANES);
        /* A tile of one vector waits for loads; rows aside are copied once more. */
        double cost = (double)vectors * (double)(window + (g - 1) * step + 4) / (double)g;
        if (vectors == 1) cost *= 1.3;
        if (g * filters % LANES != 0) cost *= 1.15;
        if (cost >= least) continue;
        least = cost;
        best = g;
    }
    return best;
}

#endif
