/* Datasets from memory: views of any stride, borrowing, counting, columns, fingerprints. */
#include "failing.h"
#include "testing.h"

#include "base/threads.h"
#include "data/dataset.h"

enum { N = 3, P = 4 };

static const double axis[P] = {1000, 1010, 1020, 1030};
static const double values[N * P] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.15};

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static spt_dataset *new_dataset(spt_ctx *ctx)
{
    spt_matrix m;
    spt_dataset *ds = NULL;
    m = matrix_of(SPT_FLOAT64, values, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, 0, NULL, NULL, &ds));
    return ds;
}

static void count_call(void *user)
{
    ++*(int *)user;
}

START_TEST(copy_is_independent)
{
    spt_ctx *ctx = new_ctx();
    spt_matrix m;
    spt_dataset *ds = NULL;
    double mine[N * P], got[N * P];
    int calls = 0;
    memcpy(mine, values, sizeof mine);
    m = matrix_of(SPT_FLOAT64, mine, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, 0, &calls, count_call,
                            &ds));
    ck_assert_int_eq(calls, 1); /* a copy needs the host's memory no longer */
    memset(mine, 0, sizeof mine);
    ck_assert_int_eq(spt_dataset_rows(ds), N);
    ck_assert_int_eq(spt_dataset_bands(ds), P);
    ck_assert_int_eq(spt_dataset_axis_unit(ds), SPT_AXIS_NM);
    ck_assert_int_eq(spt_dataset_unit(ds), SPT_UNIT_REFLECTANCE);
    ck_assert_int_eq(spt_dataset_axis_is_even(ds), 1);
    OK(ctx, spt_dataset_spectra(ds, 0, N, got, LENGTH(got)));
    ck_assert_mem_eq(got, values, sizeof got);
    OK(ctx, spt_dataset_spectra(ds, 1, 1, got, LENGTH(got)));
    ck_assert_mem_eq(got, values + P, P * sizeof *got);
    OK(ctx, spt_dataset_spectra(ds, N, 0, got, LENGTH(got)));
    ck_assert_int_eq(spt_dataset_spectra(ds, 2, 2, got, LENGTH(got)), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 2, got, 2 * P - 1), SPT_ECAPACITY);
    ck_assert_int_eq(spt_dataset_spectra(ds, -1, 1, got, LENGTH(got)), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_spectra(ds, 1, INT64_MAX, got, LENGTH(got)), SPT_EINVAL);
    ck_assert_str_eq(spt_dataset_id(ds, 2), "3");
    ck_assert_ptr_null(spt_dataset_id(ds, 3));
    ck_assert_ptr_null(spt_dataset_note(ds, 0));
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(any_strides)
{
    spt_ctx *ctx = new_ctx();
    float grid[2 * P][2 * N]; /* bands down, samples across, every second one, samples reversed */
    memset(grid, 0x7f, sizeof grid);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < P; j++)
            grid[2 * j][2 * (N - 1 - i)] = (float)values[i * P + j];
    spt_matrix m;
    m = matrix_of(SPT_FLOAT32, &grid[0][2 * (N - 1)], N, P);
    m.row_stride = -2;
    m.col_stride = 2 * 2 * N;
    for (int32_t borrow = 0; borrow <= 1; borrow++) {
        spt_dataset *ds = NULL;
        double got[N * P];
        OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, borrow, NULL,
                                NULL, &ds));
        OK(ctx, spt_dataset_spectra(ds, 0, N, got, LENGTH(got)));
        for (int k = 0; k < N * P; k++)
            ck_assert_double_eq(got[k], (double)(float)values[k]);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(borrowed_storage_goes_with_the_last_owner)
{
    spt_ctx *ctx = new_ctx();
    spt_matrix m;
    spt_dataset *ds = NULL, *with = NULL, *more = NULL;
    int calls = 0;
    const double y[N] = {1, NAN, 3};
    const char *const names[N] = {"a", "b", NULL};
    m = matrix_of(SPT_FLOAT64, values, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, 1, &calls, count_call,
                            &ds));
    OK(ctx, spt_dataset_with_numbers(ctx, ds, "y", y, LENGTH(y), &with));
    OK(ctx, spt_dataset_with_texts(ctx, with, "id", names, LENGTH(names), &more));
    spt_ctx_free(ctx); /* any order */
    spt_dataset_free(ds);
    ck_assert_int_eq(calls, 0);
    spt_dataset_free(with);
    ck_assert_int_eq(calls, 0);
    double got[P];
    ck_assert_int_eq(spt_dataset_spectra(more, 2, 1, got, LENGTH(got)), SPT_OK);
    ck_assert_mem_eq(got, values + 2 * P, sizeof got);
    ck_assert_str_eq(spt_dataset_id(more, 1), "b");
    ck_assert_str_eq(spt_dataset_id(more, 2), "3"); /* no id: the row's number */
    ck_assert_ptr_null(spt_dataset_text(more, 2, 1));
    spt_dataset *again = spt__dataset_ref(more);
    spt_dataset_free(more);
    ck_assert_int_eq(calls, 0);
    spt_dataset_free(again);
    ck_assert_int_eq(calls, 1);
    spt_dataset_free(NULL);
}
END_TEST

START_TEST(values_that_are_not_finite)
{
    spt_ctx *ctx = new_ctx();
    spt_matrix m;
    spt_dataset *ds = NULL;
    double mine[N * P], got[P];
    int calls = 0;
    memcpy(mine, values, sizeof mine);
    mine[P + 2] = NAN;
    m = matrix_of(SPT_FLOAT64, mine, N, P);
    FAILS(ctx, SPT_EDATA, "row 1, band 2 (1020 nm)",
          spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, 0, &calls, count_call,
                          &ds));
    ck_assert_ptr_null(ds);
    ck_assert_int_eq(calls, 1); /* also when the call fails */
    mine[P + 2] = INFINITY;
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, 1, &calls, count_call,
                            &ds));
    ck_assert_int_eq(calls, 1);
    spt__err e;
    ck_assert_int_eq(spt__dataset_row(ds, 0, got, &e), SPT_OK);
    ck_assert_int_eq(spt__dataset_row(ds, 1, got, &e), SPT_EDATA);
    ck_assert_str_eq(e.text, "row '2', band 1020 nm: the value is missing or not finite");
    ck_assert_int_eq(spt__dataset_row(ds, 3, got, &e), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 2, mine, LENGTH(mine)), SPT_EDATA);
    spt_dataset_free(ds);
    ck_assert_int_eq(calls, 2);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(bad_arguments)
{
    spt_ctx *ctx = new_ctx();
    spt_matrix m, bad;
    spt_dataset *ds = NULL;
    const double back[P] = {1030, 1020, 1010, 1000}, same[P] = {1000, 1010, 1010, 1030},
                 turn[P] = {1000, 1010, 1020, 1015}, zero[P] = {0, 1, 2, 3},
                 nan[P] = {1000, NAN, 1020, 1030};
    m = matrix_of(SPT_FLOAT64, values, N, P);
#define NEW(matrix, x, axis_unit, unit) \
    spt_dataset_new(ctx, matrix, x, axis_unit, unit, 0, NULL, NULL, &ds)
    bad = m;
    bad.dtype = 3;
    FAILS(ctx, SPT_EINVAL, "dtype is 3", NEW(&bad, axis, 1, 1));
    bad = m;
    bad.cols = 1;
    FAILS(ctx, SPT_EINVAL, "3 x 1", NEW(&bad, axis, 1, 1));
    bad = m;
    bad.row_stride = P;
    FAILS(ctx, SPT_EINVAL, "both 0 (contiguous) or neither", NEW(&bad, axis, 1, 1));
    bad.row_stride = 0;
    bad.col_stride = 1; /* one row repeated */
    FAILS(ctx, SPT_EINVAL, "row_stride is 0 and col_stride is 1", NEW(&bad, axis, 1, 1));
    FAILS(ctx, SPT_EINVAL, "borrow is 2; 0 and 1 are possible",
          spt_dataset_new(ctx, &m, axis, 1, 1, 2, NULL, NULL, &ds));
    bad = m;
    bad.rows = 0;
    FAILS(ctx, SPT_EINVAL, "0 x 4", NEW(&bad, axis, 1, 1));
    bad = m;
    bad.data = NULL;
    FAILS(ctx, SPT_EINVAL, "NULL", NEW(&bad, axis, 1, 1));
    bad = m;
    bad.struct_size = 0;
    FAILS(ctx, SPT_EINVAL, "spt_record_init", NEW(&bad, axis, 1, 1));
    FAILS(ctx, SPT_EINVAL, "axis is NULL", NEW(&m, NULL, 1, 1));
    FAILS(ctx, SPT_EINVAL, "axis_unit is 0", NEW(&m, axis, 0, 1));
    FAILS(ctx, SPT_EINVAL, "unit is 4", NEW(&m, axis, 1, 4));
    FAILS(ctx, SPT_EINVAL, "position 2 (1010)", NEW(&m, same, 1, 1));
    FAILS(ctx, SPT_EINVAL, "position 3 (1015)", NEW(&m, turn, 1, 1));
    FAILS(ctx, SPT_EINVAL, "position 0 is 0", NEW(&m, zero, 1, 1));
    FAILS(ctx, SPT_EINVAL, "position 1 is", NEW(&m, nan, 1, 1));
    ck_assert_ptr_null(ds);
    ck_assert_int_eq(spt_dataset_new(NULL, &m, axis, 1, 1, 0, NULL, NULL, &ds), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_new(ctx, &m, axis, 1, 1, 0, NULL, NULL, NULL), SPT_EINVAL);
    OK(ctx, NEW(&m, back, 1, 1));
    ck_assert_int_eq(spt_dataset_axis_is_even(ds), 1);
    spt_dataset_free(ds);
#undef NEW
    ck_assert_int_eq(spt_dataset_rows(NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_bands(NULL), SPT_EINVAL);
    ck_assert_ptr_null(spt_dataset_axis(NULL));
    ck_assert_int_eq(spt_dataset_columns(NULL), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(columns)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *plain = new_dataset(ctx), *a = NULL, *b = NULL, *c = NULL;
    const double y[N] = {0.1, NAN, -3}, z[N] = {1, 2, INFINITY};
    const char *const site[N] = {"north", "south", "north"}, *const broken[N] = {"a", "\xff", "b"};
    double got[N];
    spt_column_info info;
    int64_t index;
    spt__err e;

    ck_assert_int_eq(spt__dataset_column_named(plain, "fat", &index, &e), SPT_ENOTFOUND);
    OK(ctx, spt_dataset_with_numbers(ctx, plain, "fat", y, LENGTH(y), &a));
    OK(ctx, spt_dataset_with_texts(ctx, a, "site", site, LENGTH(site), &b));
    ck_assert_int_eq(spt_dataset_columns(plain), 0);
    ck_assert_int_eq(spt_dataset_columns(a), 1);
    ck_assert_int_eq(spt_dataset_columns(b), 2);
    ck_assert_int_eq(spt_dataset_find_column(b, "site"), 1);
    ck_assert_int_eq(spt_dataset_find_column(b, "Site"), SPT_ENOTFOUND);

    spt_record_init(&info, sizeof info);
    OK(ctx, spt_dataset_column(b, 0, &info));
    ck_assert_int_eq(info.kind, SPT_COLUMN_NUMBER);
    ck_assert_str_eq(info.name, "fat");
    ck_assert_int_eq(info.n_missing, 1);
    ck_assert_int_eq(info.n_distinct, 2);
    ck_assert_double_eq(info.low, -3);
    ck_assert_double_eq(info.high, 0.1);
    ck_assert_int_eq(info.is_id, 0);
    OK(ctx, spt_dataset_column(b, 1, &info));
    ck_assert_int_eq(info.kind, SPT_COLUMN_TEXT);
    ck_assert_int_eq(info.n_distinct, 2);
    ck_assert(isnan(info.low));
    ck_assert_int_eq(spt_dataset_column(b, 2, &info), SPT_EINVAL);

    OK(ctx, spt_dataset_numbers(b, 0, got, LENGTH(got)));
    ck_assert_double_eq(got[0], 0.1);
    ck_assert(isnan(got[1]));
    ck_assert_int_eq(spt_dataset_numbers(b, 1, got, LENGTH(got)), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_numbers(b, 0, got, N - 1), SPT_ECAPACITY);
    ck_assert_str_eq(spt_dataset_text(b, 0, 0), "0.1");
    ck_assert_ptr_null(spt_dataset_text(b, 1, 0));
    ck_assert_str_eq(spt_dataset_text(b, 2, 0), "-3");

    /* replaced in place; the other dataset keeps its own */
    OK(ctx, spt_dataset_with_texts(ctx, b, "fat", site, LENGTH(site), &c));
    ck_assert_int_eq(spt_dataset_columns(c), 2);
    ck_assert_str_eq(spt_dataset_text(c, 1, 0), "south");
    ck_assert_str_eq(spt_dataset_text(b, 0, 0), "0.1");

    ck_assert_int_eq(spt__dataset_column_named(b, "fatt", &index, &e), SPT_ENOTFOUND);
    ck_assert_str_eq(e.text, "no column 'fatt'; the nearest is 'fat'");
    ck_assert_int_eq(spt__dataset_column_named(b, "site", &index, &e), SPT_OK);
    ck_assert_int_eq(index, 1);

    spt_dataset *bad = NULL;
    FAILS(ctx, SPT_EDATA, "'z', row '3'",
          spt_dataset_with_numbers(ctx, b, "z", z, LENGTH(z), &bad));
    FAILS(ctx, SPT_EINVAL, "column 'z': 2 values; one for each of 3 rows",
          spt_dataset_with_numbers(ctx, b, "z", y, N - 1, &bad));
    FAILS(ctx, SPT_EINVAL, "column 'z': 4 values; one for each of 3 rows",
          spt_dataset_with_texts(ctx, b, "z", site, N + 1, &bad));
    FAILS(ctx, SPT_EINVAL, "name", spt_dataset_with_numbers(ctx, b, "", y, LENGTH(y), &bad));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_dataset_with_numbers(ctx, b, "z", NULL, 0, &bad));
    FAILS(ctx, SPT_EINVAL, "row '2'",
          spt_dataset_with_texts(ctx, b, "t", broken, LENGTH(broken), &bad));
    FAILS(ctx, SPT_EINVAL, "UTF-8",
          spt_dataset_with_texts(ctx, b, "\xff", site, LENGTH(site), &bad));
    ck_assert_ptr_null(bad);
    spt_dataset_free(a);
    spt_dataset_free(b);
    spt_dataset_free(c);
    spt_dataset_free(plain);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(groups)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *plain = new_dataset(ctx), *a = NULL;
    const char *const site[N] = {"north", NULL, "north"};
    int64_t group[N], n_groups;
    spt__err e;
    OK(ctx, spt_dataset_with_texts(ctx, plain, "site", site, LENGTH(site), &a));
    ck_assert_int_eq(spt__dataset_groups(a, 0, group, &n_groups, &e), SPT_OK);
    ck_assert_int_eq(n_groups, 2);
    ck_assert_int_eq(group[0], 0);
    ck_assert_int_eq(group[1], 1);
    ck_assert_int_eq(group[2], 0);
    spt_dataset_free(a);
    spt_dataset_free(plain);
    spt_ctx_free(ctx);
}
END_TEST

/* From Python: hashlib.sha256 over the same bytes, see the comments. */
START_TEST(fingerprints)
{
    spt_ctx *ctx = new_ctx();
    spt_matrix m;
    const float narrow[N * P] = {0.5f, 0.25f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    double wide[N * P];
    char a[65], b[65];
    spt_dataset *one = NULL, *two = NULL, *with = NULL;
    for (int k = 0; k < N * P; k++)
        wide[(k % P) * N + k / P] = (double)narrow[k]; /* transposed */
    m = matrix_of(SPT_FLOAT32, narrow, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_UNKNOWN, 0, NULL, NULL, &one));
    m = matrix_of(SPT_FLOAT64, wide, N, P);
    m.row_stride = 1;
    m.col_stride = N;
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_UNKNOWN, 1, NULL, NULL, &two));
    OK(ctx, spt_dataset_fingerprint(one, SPT_PART_SPECTRA, 0, a));
    OK(ctx, spt_dataset_fingerprint(two, SPT_PART_SPECTRA, 0, b));
    ck_assert_str_eq(a, b);
    /* struct.pack('<qq12d', 3, 4, *v) */
    ck_assert_str_eq(a, "97f4299a5cf32f5e6eed3b5a05395b87618ae2f7a70e7144c8c66843d92cad66");
    /* struct.pack('<q2sq4d', 2, b'nm', 4, 1000, 1010, 1020, 1030) */
    OK(ctx, spt_dataset_fingerprint(one, SPT_PART_AXIS, 0, a));
    ck_assert_str_eq(a, "9e394c53e272d2617e4f2d35c9ec1506d4b5c1020ed32637eb27f3294f05e2dc");
    /* struct.pack('<qqqdqqd', 1, 3, 1, 1.5, 0, 1, -2) */
    const double y[N] = {1.5, NAN, -2};
    OK(ctx, spt_dataset_with_numbers(ctx, one, "y", y, LENGTH(y), &with));
    OK(ctx, spt_dataset_fingerprint(with, SPT_PART_COLUMN, 0, a));
    ck_assert_str_eq(a, "8589c4f030f2841fbc3326ce2e0474ecfd9b122fa36749fc1bc359e0ebf8efec");
    ck_assert_int_eq(spt_dataset_fingerprint(with, SPT_PART_COLUMN, 1, a), SPT_EINVAL);
    ck_assert_int_eq(spt_dataset_fingerprint(with, 9, 0, a), SPT_EINVAL);
    spt_dataset_free(one);
    spt_dataset_free(two);
    spt_dataset_free(with);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(names_of_units)
{
    for (int32_t u = 0; u < 4; u++) {
        ck_assert_int_eq(spt_unit_from_name(spt_unit_name(u)), u);
        ck_assert_int_eq(spt_axis_unit_from_name(spt_axis_unit_name(u)), u);
    }
    ck_assert_str_eq(spt_unit_name(SPT_UNIT_PERCENT_REFLECTANCE), "percent-reflectance");
    ck_assert_str_eq(spt_axis_unit_name(SPT_AXIS_CM1), "cm-1");
    ck_assert_str_eq(spt_unit_name(99), "unknown");
    ck_assert_str_eq(spt_axis_unit_name(-1), "unknown");
    ck_assert_int_eq(spt_unit_from_name("Reflectance"), SPT_EINVAL);
    ck_assert_int_eq(spt_axis_unit_from_name(NULL), SPT_EINVAL);
}
END_TEST

/* What the axis or the values give away becomes a note, and only then. */
START_TEST(warnings)
{
    static const struct {
        double first, step, value;
        int32_t axis_unit, unit;
        const char *words; /* NULL: no note */
    } cases[] = {
        {1100, 2, 0.5, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, NULL},
        {4000, 10, 0.5, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, "look like wavenumbers (cm-1)"},
        {4000, -10, 0.5, SPT_AXIS_CM1, SPT_UNIT_ABSORBANCE, NULL},
        {1.1, 0.1, 0.5, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, "look like micrometres"},
        {1.1, 0.1, 0.5, SPT_AXIS_UM, SPT_UNIT_ABSORBANCE, NULL},
        {1100, 2, 0.5, SPT_AXIS_UM, SPT_UNIT_ABSORBANCE, "look like nanometres"},
        {1100, 2, 0.5, SPT_AXIS_CM1, SPT_UNIT_ABSORBANCE, "look like wavelengths (nm)"},
        {1100, 2, 1.5, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, "look like absorbance"},
        {1100, 2, 40, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE, "look like percent-reflectance"},
        {1100, 2, 40, SPT_AXIS_NM, SPT_UNIT_PERCENT_REFLECTANCE, NULL},
        {1100, 2, 0.4, SPT_AXIS_NM, SPT_UNIT_PERCENT_REFLECTANCE, "as a fraction"},
        {1100, 2, 40, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, "look like percent-reflectance"},
        {1100, 2, -0.5, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, "derivatives"},
        {1100, 2, 40, SPT_AXIS_NM, SPT_UNIT_UNKNOWN, NULL},
    };
    spt_ctx *ctx = new_ctx();
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double x[P], v[P];
        spt_matrix m;
        spt_dataset *ds = NULL;
        for (int j = 0; j < P; j++) {
            x[j] = cases[k].first + j * cases[k].step;
            v[j] = cases[k].value;
        }
        m = matrix_of(SPT_FLOAT64, v, 1, P);
        OK(ctx, spt_dataset_new(ctx, &m, x, cases[k].axis_unit, cases[k].unit, 0, NULL, NULL, &ds));
        const char *note = spt_dataset_note(ds, 0);
        if (cases[k].words == NULL) {
            ck_assert_msg(note == NULL, "case %zu: %s", k, note);
        } else {
            ck_assert_msg(note != NULL, "case %zu: no note", k);
            ck_assert_msg(strncmp(note, "warning: ", 9) == 0 &&
                              strstr(note, cases[k].words) != NULL,
                          "case %zu: %s", k, note);
            ck_assert_ptr_null(spt_dataset_note(ds, 1));
        }
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

/* Reading, holding and deriving from several threads; for the thread sanitizer above all. */
static int32_t use_dataset(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    const spt_dataset *shared = arg;
    double got[P];
    char hash[65];
    (void)worker;
    spt_dataset *mine = spt__dataset_ref(shared);
    int32_t status = spt__dataset_row(mine, index % N, got, e);
    if (status == SPT_OK && memcmp(got, values + (index % N) * P, sizeof got) != 0)
        status = spt__fail(e, SPT_EINTERNAL, "row %d differs", (int)(index % N));
    if (status == SPT_OK) status = spt_dataset_fingerprint(mine, SPT_PART_SPECTRA, 0, hash);
    spt_dataset_free(mine);
    return status;
}

START_TEST(many_threads)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = new_dataset(ctx);
    spt__err e;
    OK(ctx, spt_ctx_set_threads(ctx, 4));
    ck_assert_int_eq(spt__parallel(ctx, 200, use_dataset, ds, &e), SPT_OK);
    ck_assert_int_eq(atomic_load(&ds->refs), 1);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* Every allocation fails once: no leak, no crash, the hook runs, the status is SPT_ENOMEM. */
START_TEST(memory_runs_out)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    const char *const ids[N] = {"a", NULL, "c"};
    const double y[N] = {1, 2, 3};
    int failures = 0;
    for (int64_t limit = 0;; limit++) {
        spt_matrix m;
        spt_dataset *ds = NULL, *with = NULL, *more = NULL;
        int calls = 0;
        m = matrix_of(SPT_FLOAT64, values, N, P);
        f.until_failure = (long)limit;
        int32_t status = spt_dataset_new(ctx, &m, axis, SPT_AXIS_CM1, SPT_UNIT_REFLECTANCE, 1,
                                         &calls, count_call, &ds);
        if (status == SPT_OK) status = spt_dataset_with_numbers(ctx, ds, "y", y, LENGTH(y), &with);
        if (status == SPT_OK)
            status = spt_dataset_with_texts(ctx, with, "id", ids, LENGTH(ids), &more);
        spt_dataset_free(ds);
        spt_dataset_free(with);
        spt_dataset_free(more);
        ck_assert_int_eq(calls, 1);
        if (status == SPT_OK) break;
        ck_assert_int_eq(status, SPT_ENOMEM);
        failures++;
    }
    ck_assert_int_gt(failures, 20);
    f.until_failure = -1;
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("data dataset", copy_is_independent, any_strides,
          borrowed_storage_goes_with_the_last_owner, values_that_are_not_finite, bad_arguments,
          columns, groups, fingerprints, names_of_units, warnings, many_threads, memory_runs_out)
