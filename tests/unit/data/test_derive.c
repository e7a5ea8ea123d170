/* Datasets from datasets, against values worked out by hand, and folds. */
#include "testing.h"

#include "data/dataset.h"

enum { N = 4, P = 5 };

/* Row i, band j: 10 i + j^2, so that linear interpolation has a kink at every band. */
static double value(int64_t i, int64_t j)
{
    return 10.0 * (double)i + (double)(j * j);
}

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static spt_dataset *new_dataset(spt_ctx *ctx, bool descending, int32_t borrow, double *v)
{
    double axis[P];
    spt_matrix m;
    spt_dataset *ds = NULL;
    for (int64_t j = 0; j < P; j++)
        axis[j] = descending ? 500.0 - 10.0 * (double)j : 100.0 + 10.0 * (double)j;
    for (int64_t k = 0; k < N * P; k++)
        v[k] = value(k / P, k % P);
    m = matrix_of(SPT_FLOAT64, v, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, descending ? SPT_AXIS_CM1 : SPT_AXIS_NM,
                            SPT_UNIT_UNKNOWN, borrow, NULL, NULL, &ds));
    return ds;
}

static void same_row(spt_ctx *ctx, const spt_dataset *ds, int64_t row, const double *expected)
{
    double got[64];
    ck_assert_int_le(spt_dataset_bands(ds), 64);
    ck_assert_int_eq(spt_dataset_spectra(ds, row, 1, got, LENGTH(got)), SPT_OK);
    for (int64_t j = 0; j < spt_dataset_bands(ds); j++)
        NEAR(got[j], expected[j], 1e-15);
    (void)ctx;
}

START_TEST(take_and_select)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    spt_dataset *ds = new_dataset(ctx, false, 1, v), *with = NULL, *sites = NULL;
    const double train[N] = {1, 0, NAN, 1};
    const char *const site[N] = {"n", "s", "s", NULL};
    OK(ctx, spt_dataset_with_numbers(ctx, ds, "train", train, LENGTH(train), &with));
    OK(ctx, spt_dataset_with_texts(ctx, with, "site", site, LENGTH(site), &sites));
    spt_dataset_free(ds);
    spt_dataset_free(with);

    const int64_t rows[] = {3, 1, 3};
    spt_dataset *a = NULL, *b = NULL;
    OK(ctx, spt_dataset_take(ctx, sites, rows, 3, &a));
    ck_assert_int_eq(spt_dataset_rows(a), 3);
    same_row(ctx, a, 0, v + 3 * P);
    same_row(ctx, a, 1, v + 1 * P);
    same_row(ctx, a, 2, v + 3 * P);
    ck_assert_str_eq(spt_dataset_id(a, 0), "4"); /* the row's number in the first dataset */
    ck_assert_str_eq(spt_dataset_id(a, 1), "2");
    ck_assert_str_eq(spt_dataset_text(a, 1, 1), "s");
    ck_assert_ptr_null(spt_dataset_text(a, 2, 1));
    const int64_t again[] = {1};
    OK(ctx, spt_dataset_take(ctx, a, again, 1, &b));
    same_row(ctx, b, 0, v + 1 * P);
    ck_assert_str_eq(spt_dataset_id(b, 0), "2");
    /* the spectra are shared: what borrows them sees what changes there */
    v[1 * P + 2] = 77;
    same_row(ctx, b, 0, v + 1 * P);
    spt_dataset_free(a);
    spt_dataset_free(b);

    struct {
        const char *column, *value;
        int32_t keep;
        int64_t n, first;
    } cases[] = {{"train", "1", 1, 2, 0},   {"train", "1.0", 1, 2, 0}, {"train", "1", 0, 2, 1},
                 {"site", "s", 1, 2, 1},    {"site", "s", 0, 2, 0},    {"site", "t", 0, 4, 0},
                 {"train", "0e3", 1, 1, 1}, {"train", "x", 0, 4, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        OK(ctx, spt_dataset_select(ctx, sites, cases[k].column, cases[k].value, cases[k].keep, &a));
        ck_assert_int_eq(spt_dataset_rows(a), cases[k].n);
        same_row(ctx, a, 0, v + cases[k].first * P);
        spt_dataset_free(a);
    }
    FAILS(ctx, SPT_EDATA, "no row is left: 'site' is 'x' in none",
          spt_dataset_select(ctx, sites, "site", "x", 1, &a));
    FAILS(ctx, SPT_ENOTFOUND, "no column 'sit'; the nearest is 'site'",
          spt_dataset_select(ctx, sites, "sit", "x", 1, &a));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_dataset_select(ctx, sites, "site", NULL, 1, &a));
    FAILS(ctx, SPT_EINVAL, "keep is 2; 0 and 1 are possible",
          spt_dataset_select(ctx, sites, "site", "x", 2, &a));
    const int64_t bad[] = {0, 4};
    FAILS(ctx, SPT_EINVAL, "rows[1] is 4; 0 to 3", spt_dataset_take(ctx, sites, bad, 2, &a));
    FAILS(ctx, SPT_EINVAL, "at least 1", spt_dataset_take(ctx, sites, bad, 0, &a));
    ck_assert_ptr_null(a);
    spt_dataset_free(sites);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(crop)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    for (int descending = 0; descending <= 1; descending++) {
        spt_dataset *ds = new_dataset(ctx, descending, 0, v), *a = NULL, *b = NULL, *c = NULL;
        double low = descending ? 465 : 110, high = descending ? 490 : 135;
        OK(ctx, spt_dataset_crop(ctx, ds, low, high, &a));
        ck_assert_int_eq(spt_dataset_bands(a), 3);
        ck_assert_double_eq(spt_dataset_axis(a)[0], descending ? 490 : 110);
        ck_assert_double_eq(spt_dataset_axis(a)[2], descending ? 470 : 130);
        same_row(ctx, a, 2, v + 2 * P + 1);
        OK(ctx, spt_dataset_crop(ctx, a, descending ? 470 : 120, descending ? 480 : 130, &b));
        ck_assert_int_eq(spt_dataset_bands(b), 2);
        same_row(ctx, b, 1, v + 1 * P + 2);
        const int64_t rows[] = {2};
        OK(ctx, spt_dataset_take(ctx, b, rows, 1, &c));
        same_row(ctx, c, 0, v + 2 * P + 2);
        spt_dataset_free(c);
        spt_dataset_free(a);
        spt_dataset_free(b);
        FAILS(ctx, SPT_EINVAL, "leaves 1 bands, 2 are needed",
              spt_dataset_crop(ctx, ds, descending ? 480 : 120, descending ? 481 : 121, &a));
        FAILS(ctx, SPT_EINVAL, "lower end", spt_dataset_crop(ctx, ds, 490, 110, &a));
        FAILS(ctx, SPT_EINVAL, "lower end", spt_dataset_crop(ctx, ds, NAN, 110, &a));
        ck_assert_ptr_null(a);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(decimate)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    spt_dataset *ds = new_dataset(ctx, false, 0, v), *a = NULL, *b = NULL;
    /* bands 0 1 4 9 16 at 100 110 120 130 140 */
    OK(ctx, spt_dataset_decimate(ctx, ds, 2, 1, &a));
    ck_assert_int_eq(spt_dataset_bands(a), 2);
    same_row(ctx, a, 1, (const double[]){10.5, 16.5});
    ck_assert_double_eq(spt_dataset_axis(a)[0], 105);
    ck_assert_double_eq(spt_dataset_axis(a)[1], 125);
    spt_dataset_free(a);
    OK(ctx, spt_dataset_decimate(ctx, ds, 2, 0, &a));
    ck_assert_int_eq(spt_dataset_bands(a), 3);
    same_row(ctx, a, 1, (const double[]){10, 14, 26});
    ck_assert_double_eq(spt_dataset_axis(a)[2], 140);
    /* of what is decimated and cropped already */
    OK(ctx, spt_dataset_decimate(ctx, a, 2, 0, &b));
    same_row(ctx, b, 3, (const double[]){30, 46});
    spt_dataset_free(b);
    OK(ctx, spt_dataset_crop(ctx, a, 115, 145, &b));
    same_row(ctx, b, 3, (const double[]){34, 46});
    spt_dataset_free(a);
    OK(ctx, spt_dataset_decimate(ctx, b, 1, 1, &a));
    same_row(ctx, a, 3, (const double[]){34, 46});
    spt_dataset_free(a);
    spt_dataset_free(b);
    FAILS(ctx, SPT_EINVAL, "1 to 2 are possible with 5", spt_dataset_decimate(ctx, ds, 3, 1, &a));
    FAILS(ctx, SPT_EINVAL, "1 to 4 are possible with 5", spt_dataset_decimate(ctx, ds, 5, 0, &a));
    FAILS(ctx, SPT_EINVAL, "average is -1; 0 and 1 are possible",
          spt_dataset_decimate(ctx, ds, 2, -1, &a));
    FAILS(ctx, SPT_EINVAL, "decimation by 0", spt_dataset_decimate(ctx, ds, 0, 1, &a));
    ck_assert_ptr_null(a);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(resample)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    /* bands 0 1 4 9 16 at 100 110 120 130 140, or at 500 490 480 470 460 */
    static const struct {
        bool descending;
        double x[4], y[4];
    } cases[] = {
        {false, {100, 105, 132, 140}, {0, 0.5, 10.4, 16}},
        {false, {140, 132, 105, 100}, {16, 10.4, 0.5, 0}},
        {true, {500, 495, 468, 460}, {0, 0.5, 10.4, 16}},
        {true, {460, 468, 495, 500}, {16, 10.4, 0.5, 0}},
        {false, {100 - 1e-9, 110, 120, 140 + 1e-9}, {0, 1, 4, 16}}, /* rounding is forgiven */
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        spt_dataset *ds = new_dataset(ctx, cases[k].descending, 0, v), *a = NULL;
        OK(ctx, spt_dataset_resample(ctx, ds, cases[k].x, 4, &a));
        ck_assert_int_eq(spt_dataset_bands(a), 4);
        ck_assert_int_eq(spt_dataset_rows(a), N);
        ck_assert_int_eq(spt_dataset_axis_unit(a), spt_dataset_axis_unit(ds));
        for (int64_t i = 0; i < N; i++) {
            double y[4];
            for (int j = 0; j < 4; j++)
                y[j] = cases[k].y[j] + 10.0 * (double)i;
            same_row(ctx, a, i, y);
        }
        ck_assert_mem_eq(spt_dataset_axis(a), cases[k].x, sizeof cases[k].x);
        spt_dataset_free(a);
        FAILS(ctx, SPT_EINVAL, "nothing is extrapolated",
              spt_dataset_resample(ctx, ds, (const double[]){99.9, 101}, 2, &a));
        FAILS(ctx, SPT_EINVAL, "strictly",
              spt_dataset_resample(ctx, ds, (const double[]){101, 101}, 2, &a));
        FAILS(ctx, SPT_EINVAL, "at least 2", spt_dataset_resample(ctx, ds, cases[k].x, 1, &a));
        ck_assert_ptr_null(a);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(average)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    spt_dataset *ds = new_dataset(ctx, false, 0, v), *x = NULL, *a = NULL;
    const char *const id[N] = {"s1", "s2", "s1", "s2"}, *const operator_[N] = {"A", "A", "B", "A"},
                      *const gap[N] = {"1", NULL, NULL, "2"};
    const double fat[N] = {1, NAN, 2, NAN}, same[N] = {0.1, 0.7, 0.1, 0.7},
                 some[N] = {NAN, 3, 5, NAN};
#define ADD(call)             \
    do {                      \
        OK(ctx, call);        \
        spt_dataset_free(ds); \
        ds = x;               \
    } while (0)
    ADD(spt_dataset_with_texts(ctx, ds, "id", id, LENGTH(id), &x));
    ADD(spt_dataset_with_texts(ctx, ds, "operator", operator_, LENGTH(operator_), &x));
    ADD(spt_dataset_with_texts(ctx, ds, "gap", gap, LENGTH(gap), &x));
    ADD(spt_dataset_with_numbers(ctx, ds, "fat", fat, LENGTH(fat), &x));
    ADD(spt_dataset_with_numbers(ctx, ds, "same", same, LENGTH(same), &x));
    ADD(spt_dataset_with_numbers(ctx, ds, "some", some, LENGTH(some), &x));
#undef ADD
    OK(ctx, spt_dataset_average(ctx, ds, "id", &a));
    ck_assert_int_eq(spt_dataset_rows(a), 2);
    ck_assert_str_eq(spt_dataset_id(a, 0), "s1");
    ck_assert_str_eq(spt_dataset_id(a, 1), "s2");
    same_row(ctx, a, 0, (const double[]){10, 11, 14, 19, 26});
    same_row(ctx, a, 1, (const double[]){20, 21, 24, 29, 36});
    ck_assert_ptr_null(spt_dataset_text(a, 0, 1));
    ck_assert_str_eq(spt_dataset_text(a, 1, 1), "A");
    double got[N];
    OK(ctx, spt_dataset_numbers(a, 3, got, LENGTH(got)));
    ck_assert_double_eq(got[0], 1.5);
    ck_assert(isnan(got[1]));
    ck_assert_str_eq(spt_dataset_text(a, 0, 3), "1.5");
    OK(ctx, spt_dataset_numbers(a, 4, got, LENGTH(got)));
    ck_assert_double_eq(got[0], 0.1);
    ck_assert_double_eq(got[1], 0.7);
    OK(ctx, spt_dataset_numbers(a, 5, got, LENGTH(got)));
    ck_assert_double_eq(got[0], 5);
    ck_assert_double_eq(got[1], 3);
    ck_assert_str_eq(spt_dataset_note(a, 0), "4 rows averaged to 2 by 'id'");
    spt_dataset_free(a);
    /* by another column: rows without a value stand for themselves, ids that differ give way */
    OK(ctx, spt_dataset_average(ctx, ds, "operator", &a));
    ck_assert_int_eq(spt_dataset_rows(a), 2);
    ck_assert_str_eq(spt_dataset_id(a, 0), "A");
    ck_assert_ptr_null(spt_dataset_text(a, 0, 0));
    ck_assert_str_eq(spt_dataset_text(a, 1, 0), "s1");
    spt_dataset_free(a);
    OK(ctx, spt_dataset_average(ctx, ds, "gap", &a));
    ck_assert_int_eq(spt_dataset_rows(a), 4);
    spt_dataset_free(a);
    FAILS(ctx, SPT_ENOTFOUND, "'gap'", spt_dataset_average(ctx, ds, "gaps", &a));
    ck_assert_ptr_null(a);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* Arithmetic on a spectrum that cannot be used is an error; choosing around the bad band is not. */
START_TEST(bad_values_in_borrowed_storage)
{
    spt_ctx *ctx = new_ctx();
    double v[N * P];
    spt_dataset *ds = new_dataset(ctx, false, 1, v), *a = NULL;
    v[2 * P + 4] = NAN;
    FAILS(ctx, SPT_EDATA, "row '3', band 140 nm", spt_dataset_decimate(ctx, ds, 2, 1, &a));
    FAILS(ctx, SPT_EDATA, "row '3', band 140 nm",
          spt_dataset_resample(ctx, ds, (const double[]){105, 115}, 2, &a));
    OK(ctx, spt_dataset_crop(ctx, ds, 100, 130, &a));
    same_row(ctx, a, 2, (const double[]){20, 21, 24, 29});
    spt_dataset_free(a);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- folds ----------------------------------------------------------------------------------- */

enum { MANY = 53 };

static spt_dataset *many_rows(spt_ctx *ctx, bool with_groups)
{
    static const double axis[2] = {1, 2};
    double v[MANY * 2] = {0};
    spt_matrix m;
    spt_dataset *ds = NULL, *with = NULL;
    m = matrix_of(SPT_FLOAT64, v, MANY, 2);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_UM, SPT_UNIT_UNKNOWN, 0, NULL, NULL, &ds));
    if (!with_groups) return ds;
    /* groups of 1, 3, 5, ... 13 rows, then four rows without one */
    const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    const char *group[MANY] = {NULL};
    for (int i = 0, g = 0, left = 1; g < 7; i++) {
        group[i] = names[g];
        if (--left == 0) left = 2 * ++g + 1;
    }
    OK(ctx, spt_dataset_with_texts(ctx, ds, "site", group, LENGTH(group), &with));
    spt_dataset_free(ds);
    return with;
}

START_TEST(folds_of_rows)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = many_rows(ctx, false);
    int32_t fold[MANY], other[MANY];
    for (int32_t k = 2; k <= MANY; k++) {
        int size[MANY] = {0};
        OK(ctx, spt_dataset_folds(ctx, ds, NULL, k, 7, fold, LENGTH(fold)));
        for (int i = 0; i < MANY; i++) {
            ck_assert(fold[i] >= 0 && fold[i] < k);
            size[fold[i]]++;
        }
        for (int32_t f = 0; f < k; f++)
            ck_assert(size[f] == MANY / k || size[f] == MANY / k + 1);
    }
    OK(ctx, spt_dataset_folds(ctx, ds, NULL, 5, 1, fold, LENGTH(fold)));
    OK(ctx, spt_dataset_folds(ctx, ds, NULL, 5, 1, other, LENGTH(other)));
    ck_assert_mem_eq(fold, other, sizeof fold);
    OK(ctx, spt_dataset_folds(ctx, ds, NULL, 5, 2, other, LENGTH(other)));
    ck_assert_mem_ne(fold, other, sizeof fold);
    /* pinned: studies on disk hold fold vectors made like this */
    static const int32_t pinned[10] = {0, 4, 1, 1, 0, 3, 2, 3, 3, 0};
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fold[i], pinned[i]);
    FAILS(ctx, SPT_EINVAL, "folds is 1; 2 to the number of samples (53) are possible",
          spt_dataset_folds(ctx, ds, NULL, 1, 1, fold, LENGTH(fold)));
    FAILS(ctx, SPT_EINVAL, "folds is 54; 2 to the number of samples (53) are possible",
          spt_dataset_folds(ctx, ds, NULL, 54, 1, fold, LENGTH(fold)));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_dataset_folds(ctx, ds, NULL, 2, 1, NULL, 0));
    FAILS(ctx, SPT_ECAPACITY, "the folds of the rows are 53 values, the buffer holds 52",
          spt_dataset_folds(ctx, ds, NULL, 2, 1, fold, 52));
    const int64_t row = 0;
    spt_dataset *one = NULL;
    OK(ctx, spt_dataset_take(ctx, ds, &row, 1, &one));
    FAILS(ctx, SPT_EINVAL, "folds is 5, but the number of samples is 1",
          spt_dataset_folds(ctx, one, NULL, 5, 1, fold, LENGTH(fold)));
    spt_dataset_free(one);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(folds_of_groups)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = many_rows(ctx, true);
    int32_t fold[MANY], other[MANY];
    bool differ = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        int size[4] = {0};
        OK(ctx, spt_dataset_folds(ctx, ds, "site", 4, seed, fold, LENGTH(fold)));
        for (int i = 0; i < MANY; i++) {
            const char *mine = spt_dataset_text(ds, i, 0);
            const char *next = i + 1 < MANY ? spt_dataset_text(ds, i + 1, 0) : NULL;
            if (mine != NULL && next != NULL && strcmp(mine, next) == 0)
                ck_assert_int_eq(fold[i], fold[i + 1]);
            size[fold[i]]++;
        }
        /* sizes 13 11 9 7 5 3 1 1 1 1 1, placed greedily */
        for (int f = 0; f < 4; f++)
            ck_assert(size[f] >= 13 && size[f] <= 14);
        OK(ctx, spt_dataset_folds(ctx, ds, "site", 4, seed + 1, other, LENGTH(other)));
        differ = differ || memcmp(fold, other, sizeof fold) != 0;
    }
    ck_assert(differ);
    OK(ctx, spt_dataset_folds(ctx, ds, "site", 11, 1, fold, LENGTH(fold))); /* one group each */
    FAILS(ctx, SPT_EINVAL, "folds is 12; 2 to the number of groups (11) are possible",
          spt_dataset_folds(ctx, ds, "site", 12, 1, fold, LENGTH(fold)));
    FAILS(ctx, SPT_ENOTFOUND, "no column 'sites'",
          spt_dataset_folds(ctx, ds, "sites", 2, 1, fold, LENGTH(fold)));
    OK(ctx, spt_dataset_folds(ctx, ds, "site", 3, 1, fold, LENGTH(fold)));
    static const int32_t pinned[MANY] = {1, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                                         2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1};
    ck_assert_mem_eq(fold, pinned, sizeof fold);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("data derive", take_and_select, crop, decimate, resample, average,
          bad_values_in_borrowed_storage, folds_of_rows, folds_of_groups)
