/* The CSV reader on files: joining a second one, the data that ships, memory that runs out. */
#include "csv.h"
#include "failing.h"

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(joining)
{
    const char *folder = getenv("SPT_TEST_BUILD");
    char path[1024];
    snprintf(path, sizeof path, "%s/data csv k\xc3\xb6ln.csv", folder != NULL ? folder : ".");
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL, *joined = NULL, *some = NULL;
    OK(ctx, read_text(ctx, "id,site," H10 "\na,x," R10 "\nb,y," R10 "\na,x," R10 "\nc,z," R10 "\n",
                      "", &ds));
    write_file(path, "POINTID;soc;site;w\nb;1,5;q;u\na;NA;q;v\nd;2,5;q;w\n");
    OK(ctx, spt_dataset_join_csv(ctx, ds, path, NULL, NULL, &joined));
    ck_assert_int_eq(spt_dataset_columns(joined), 4);
    double soc[4];
    OK(ctx, spt_dataset_numbers(joined, spt_dataset_find_column(joined, "soc"), soc, LENGTH(soc)));
    ck_assert(isnan(soc[0]) && soc[1] == 1.5 && isnan(soc[2]) && isnan(soc[3]));
    int64_t w = spt_dataset_find_column(joined, "w");
    ck_assert_str_eq(spt_dataset_text(joined, 0, w), "v");
    ck_assert_str_eq(spt_dataset_text(joined, 2, w), "v");
    ck_assert_ptr_null(spt_dataset_text(joined, 3, w));
    ck_assert_ptr_nonnull(note_with(joined, "column 'site' of"));
    ck_assert_ptr_nonnull(note_with(
        joined, "by 'POINTID': 3 rows have a match, 1 have none; 1 rows of the file are not"));
    spt_dataset_free(joined);
    /* by a column of the key's name, where that is not what names the rows */
    write_file(path, "SITE_,soc\nx,3\nz,4\n");
    OK(ctx, spt_dataset_join_csv(ctx, ds, path, "SITE_", NULL, &joined));
    OK(ctx, spt_dataset_numbers(joined, spt_dataset_find_column(joined, "soc"), soc, LENGTH(soc)));
    ck_assert(soc[0] == 3 && isnan(soc[1]) && soc[2] == 3 && soc[3] == 4);
    spt_dataset_free(joined);
    /* onto a subset, by a named key */
    const int64_t rows[] = {3, 1};
    OK(ctx, spt_dataset_take(ctx, ds, rows, 2, &some));
    write_file(path, "soc,key\n9,c\n8,b\n");
    OK(ctx, spt_dataset_join_csv(ctx, some, path, "key", NULL, &joined));
    OK(ctx, spt_dataset_numbers(joined, spt_dataset_find_column(joined, "soc"), soc, LENGTH(soc)));
    ck_assert(soc[0] == 9 && soc[1] == 8);
    spt_dataset_free(joined);
    spt_dataset_free(some);
    FAILS(ctx, SPT_EINVAL, "no column has a usual name of ids",
          spt_dataset_join_csv(ctx, ds, path, NULL, NULL, &joined));
    FAILS(ctx, SPT_ENOTFOUND, "no column 'keys' for the ids; the nearest is 'key'",
          spt_dataset_join_csv(ctx, ds, path, "keys", NULL, &joined));
    FAILS(ctx, SPT_EDATA, "no 'soc' is the 'id' of a spectrum",
          spt_dataset_join_csv(ctx, ds, path, "soc", NULL, &joined));
    write_file(path, "id,soc\na,1\nb,2\na,3\n");
    FAILS(ctx, SPT_EDATA, "rows 1 and 3 have the same 'id' ('a'); each may stand once",
          spt_dataset_join_csv(ctx, ds, path, NULL, NULL, &joined));
    FAILS(ctx, SPT_EIO, "no-such.csv",
          spt_dataset_join_csv(ctx, ds, "no-such.csv", NULL, NULL, &joined));
    spt_dataset_free(ds);
    OK(ctx, read_text(ctx, H10 "\n" R10 "\n", "", &ds));
    FAILS(ctx, SPT_EINVAL, "the dataset has no column 'id', and none that names its rows",
          spt_dataset_join_csv(ctx, ds, path, NULL, NULL, &joined));
    ck_assert_ptr_null(joined);
    spt_dataset_free(ds);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(shipped_data)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL, *test = NULL;
    spt_options *o = options_of(ctx, "unit=absorbance");
    OK(ctx, spt_dataset_read_csv(ctx, SPT_TEST_SOURCE "/examples/data/tecator.csv", o, &ds));
    spt_options_free(o);
    ck_assert_int_eq(spt_dataset_rows(ds), 215);
    ck_assert_int_eq(spt_dataset_bands(ds), 100);
    ck_assert_int_eq(spt_dataset_axis_unit(ds), SPT_AXIS_NM);
    ck_assert_int_eq(spt_dataset_axis_is_even(ds), 1);
    ck_assert_int_eq(count_warnings(ds), 0);
    double fat[215], sum = 0, first[100];
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "fat"), fat, LENGTH(fat)));
    for (int i = 0; i < 215; i++)
        sum += fat[i];
    NEAR(sum, 3900.6, 1e-9);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 1, first, LENGTH(first)), SPT_OK);
    ck_assert_double_eq(first[0], 2.61776);
    OK(ctx, spt_dataset_select(ctx, ds, "split", "T", 1, &test));
    ck_assert_int_eq(spt_dataset_rows(test), 43);
    ck_assert_str_eq(spt_dataset_id(test, 0), "meat173");
    spt_dataset_free(test);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* Every allocation fails once. */
START_TEST(memory_runs_out)
{
    static const char text[] = "id,y,w," H10 "\na,1,u," R10 "\nb,2,v," R10 "\na,3,u," R10 "\n";
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    int failures = 0;
    for (int64_t limit = 0;; limit++) {
        spt_dataset *ds[7] = {NULL};
        int32_t fold[3];
        const int64_t rows[] = {2, 0};
        f.until_failure = (long)limit;
        int32_t s = spt_dataset_read_csv_memory(ctx, text, sizeof text - 1, "t", NULL, &ds[0]);
        if (s == SPT_OK) s = spt_dataset_take(ctx, ds[0], rows, 2, &ds[1]);
        if (s == SPT_OK) s = spt_dataset_select(ctx, ds[0], "w", "u", 1, &ds[2]);
        if (s == SPT_OK) s = spt_dataset_crop(ctx, ds[1], 1102, 1110, &ds[3]);
        if (s == SPT_OK) s = spt_dataset_decimate(ctx, ds[3], 2, 1, &ds[4]);
        if (s == SPT_OK) s = spt_dataset_average(ctx, ds[0], "id", &ds[5]);
        if (s == SPT_OK)
            s = spt_dataset_resample(ctx, ds[0], (const double[]){1101, 1103}, 2, &ds[6]);
        if (s == SPT_OK) s = spt_dataset_folds(ctx, ds[0], NULL, 2, 1, fold, LENGTH(fold));
        if (s == SPT_OK) s = spt_dataset_folds(ctx, ds[0], "id", 2, 1, fold, LENGTH(fold));
        for (int k = 0; k < 7; k++)
            spt_dataset_free(ds[k]);
        if (s == SPT_OK) break;
        ck_assert_int_eq(s, SPT_ENOMEM);
        failures++;
    }
    ck_assert_int_gt(failures, 100);
    f.until_failure = -1;
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("data csv files", joining, shipped_data, memory_runs_out)
