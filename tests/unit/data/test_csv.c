/* The CSV reader: forms of headers, dialects, missing values, notes, refusals. */
#include "csv.h"

/* Ten or so headers made of a format, two rows of values 0.01, 0.02, ... */
static void make_table(char *out, size_t capacity, const char *format, double first, double step,
                       int bands, char delimiter)
{
    size_t used = (size_t)snprintf(out, capacity, "id");
    for (int j = 0; j < bands; j++) {
        char header[64];
        /* snprintf would write the comma of a German locale */
        spt__format(header, sizeof header, format, first + j * step);
        used += (size_t)snprintf(out + used, capacity - used, "%c%s", delimiter, header);
    }
    for (int i = 0; i < 2; i++) {
        used += (size_t)snprintf(out + used, capacity - used, "\ns%d", i + 1);
        for (int j = 0; j < bands; j++)
            used += (size_t)snprintf(out + used, capacity - used, "%c0%c%02d", delimiter,
                                     delimiter == ';' ? ',' : '.', 10 * i + j + 1);
    }
    ck_assert_uint_lt(used, capacity);
}

static void check_table(const spt_dataset *ds, double first, double step, int bands)
{
    double got[2 * 64];
    ck_assert_int_eq(spt_dataset_rows(ds), 2);
    ck_assert_int_eq(spt_dataset_bands(ds), bands);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 2, got, LENGTH(got)), SPT_OK);
    for (int j = 0; j < bands; j++) {
        RELATIVE(spt_dataset_axis(ds)[j], first + j * step, 1e-12);
        for (int i = 0; i < 2; i++)
            ck_assert_double_eq(got[i * bands + j], (10 * i + j + 1) / 100.0);
    }
    ck_assert_str_eq(spt_dataset_id(ds, 0), "s1");
}

START_TEST(forms_of_headers)
{
    static const struct {
        const char *format; /* of the position */
        double first, step;
        char delimiter;
        int32_t unit; /* what the axis must be taken for */
    } forms[] = {
        {"%.0f", 1100, 2, ',', SPT_AXIS_NM},
        {"%.1f", 1100, 2, ',', SPT_AXIS_NM},
        {"\"%.0f\"", 1100, 2, ',', SPT_AXIS_NM},
        {" %.0f ", 1100, 2, ',', SPT_AXIS_NM},
        {"%.0f", 1100, 2, '\t', SPT_AXIS_NM},
        {"%.0f", 1100, 2, '|', SPT_AXIS_NM},
        {"%.0f", 1100, 2, ';', SPT_AXIS_NM},
        {"X%.0f", 350, 1, ',', SPT_AXIS_NM},
        {"X%.1f", 350.5, 1, ',', SPT_AXIS_NM},
        {"X%g", 350.5, 0.5, ',', SPT_AXIS_NM},
        {"spc.%g", 400, 0.5, ',', SPT_AXIS_NM},
        {"SPC.%g", 400, 0.5, ',', SPT_AXIS_NM},
        {"scan_visnir.%.0f_ref", 350, 2, ',', SPT_AXIS_NM},
        {"scan_nir.%.0f_ref", 1350, 2, ',', SPT_AXIS_NM},
        {"scan_mir.%.0f_abs", 600, 2, ',', SPT_AXIS_CM1},
        {"%.0f nm", 2498, -2, ',', SPT_AXIS_NM},
        {"%.0fnm", 400, 10, ',', SPT_AXIS_NM},
        {"%.0f cm-1", 4000, -8, ',', SPT_AXIS_CM1},
        {"%.0f cm^-1", 4000, 8, ',', SPT_AXIS_CM1},
        {"%.0f 1/cm", 4000, 8, ',', SPT_AXIS_CM1},
        {"%.0f cm\xe2\x88\x92"
         "1",
         4000, 8, ',', SPT_AXIS_CM1},
        {"%.3f \xc2\xb5m", 1.1, 0.002, ',', SPT_AXIS_UM},
        {"%.3f um", 1.1, 0.002, ',', SPT_AXIS_UM},
        {"wl_%.0f", 350, 1, ',', SPT_AXIS_NM},
        {"wn_%.1f", 5397.9, -3.9, ',', SPT_AXIS_CM1},
        {"Wave_%.0f", 500, 1, ',', SPT_AXIS_NM},
        {"R_%.0f", 400, 1, ',', SPT_AXIS_NM},
        {"b1_%.0f", 400, 1, ',', SPT_AXIS_NM},
        {"%.6e", 1100, 2, ',', SPT_AXIS_NM},
        {"%.0f", 4000, 8, ',', SPT_AXIS_UNKNOWN},
        {"%.0f", 2500, -1, ',', SPT_AXIS_UNKNOWN},
        {"w%.0f", 1, 1, ',', SPT_AXIS_UNKNOWN},
        {"%.0f", 1, 1, ',', SPT_AXIS_UNKNOWN},
    };
    spt_ctx *ctx = new_ctx();
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        char text[4096];
        spt_dataset *ds = NULL;
        make_table(text, sizeof text, forms[k].format, forms[k].first, forms[k].step, 12,
                   forms[k].delimiter);
        int32_t status = read_text(ctx, text, "", &ds);
        ck_assert_msg(status == SPT_OK, "'%s': %s", forms[k].format, spt_ctx_last_error(ctx));
        check_table(ds, forms[k].first, forms[k].step, 12);
        ck_assert_msg(spt_dataset_axis_unit(ds) == forms[k].unit, "'%s': %s", forms[k].format,
                      spt_axis_unit_name(spt_dataset_axis_unit(ds)));
        ck_assert_int_eq(count_warnings(ds), forms[k].unit == SPT_AXIS_UNKNOWN);
        ck_assert_ptr_nonnull(note_with(ds, "rows are named by column 'id'"));
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(decimal_commas_in_headers)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL;
    OK(ctx, read_text(ctx,
                      "Probe;350,5;351;351,5;352;352,5;353;353,5;354;354,5;355;pH\r\n"
                      "\"A;1\";0,1;0,2;0,3;0,4;0,5;0,6;0,7;0,8;0,9;1;6,5\r\n",
                      "id=Probe", &ds));
    double got[10];
    ck_assert_int_eq(spt_dataset_bands(ds), 10);
    ck_assert_double_eq(spt_dataset_axis(ds)[0], 350.5);
    ck_assert_double_eq(spt_dataset_axis(ds)[9], 355);
    ck_assert_int_eq(spt_dataset_axis_is_even(ds), 1);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 1, got, LENGTH(got)), SPT_OK);
    ck_assert_double_eq(got[8], 0.9);
    ck_assert_str_eq(spt_dataset_id(ds, 0), "A;1");
    ck_assert_ptr_nonnull(
        note_with(ds, "cells are separated by semicolons, the decimal mark is a comma"));
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "pH"), got, LENGTH(got)));
    ck_assert_double_eq(got[0], 6.5);
    ck_assert_str_eq(spt_dataset_text(ds, 0, spt_dataset_find_column(ds, "pH")), "6,5");
    spt_dataset_free(ds);
    /* wavenumbers only, comma in every cell: as many commas as semicolons, and one more */
    OK(ctx, read_text(ctx,
                      "4000,5;4001,5;4002,5;4003,5;4004,5;4005,5;4006,5;4007,5;4008,5;4009,5\n"
                      "0,1;0,2;0,3;0,4;0,5;0,6;0,7;0,8;0,9;0,11\n",
                      "axis_unit=cm-1", &ds));
    ck_assert_int_eq(spt_dataset_bands(ds), 10);
    ck_assert_int_eq(spt_dataset_columns(ds), 0);
    ck_assert_str_eq(spt_dataset_id(ds, 0), "1");
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(dialects)
{
    static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        const char *settings;
        const char *id; /* of the second row */
        const char *site;
    } cases[] = {
        {"id,site," H10 "\na,x," R10 "\nb,y," R10 "\n", 0, "", "b", "y"},
        {"id,site," H10 "\na,x," R10 "\nb,y," R10, 0, "", "b", "y"},
        {"\xef\xbb\xbfid,site," H10 "\r\na,x," R10 "\r\nb,y," R10 "\r\n", 0, "", "b", "y"},
        {"id,site," H10 "\ra,x," R10 "\rb,y," R10 "\r", 0, "", "b", "y"},
        {"\n\nid,site," H10 "\n\na,x," R10 "\n,,,,,,,,,,,\n\nb,y," R10 "\n\n\n", 0, "", "b", "y"},
        {"\"id\",\"site\"," H10 "\n\"a\",\"x\"," R10 "\n\"b\",\"y\"," R10 "\n", 0, "", "b", "y"},
        {"id,site," H10 "\na,x," R10 "\n \"b\" , \"say \"\"y\"\"\" ," R10 "\n", 0, "", "b",
         "say \"y\""},
        {"id,site," H10 "\na,x," R10 "\nb,\"two\nlines, and\r\na comma\"," R10 "\n", 0, "", "b",
         "two\nlines, and\r\na comma"},
        {"id,site," H10 "\na,x," R10 "\n  b\t, y ," R10 "\n", 0, "", "b", "y"},
        /* a delimiter at the end of each line */
        {"id,site," H10 ",\na,x," R10 ",\nb,y," R10 ",\n", 0, "", "b", "y"},
        /* names of rows, as R writes them: with and without an empty header */
        {"\"site\"," H10 "\n\"a\",x," R10 "\n\"b\",y," R10 "\n", 0, "", "b", "y"},
        {"\"\",\"site\"," H10 "\n\"a\",x," R10 "\n\"b\",y," R10 "\n", 0, "", "b", "y"},
        {"site,Sample_ID," H10 "\nx,a," R10 "\ny,b," R10 "\n", 0, "", "b", "y"},
        {"ID,site,plot," H10 "\na,x,p," R10 "\nb,y,q," R10 "\n", 0, "id=plot", "q", "y"},
        {"site," H10 "\nx," R10 "\ny," R10 "\n", 0, "", "2", "y"},
        /* Latin-1 */
        {"id,site," H10 "\na,x," R10 "\nb,K\xf6ln," R10 "\n", 0, "", "b", "K\xc3\xb6ln"},
        /* a numeric id keeps its form; empty ones are replaced by the row's number */
        {"id,site," H10 "\n01,x," R10 "\n007,y," R10 "\n", 0, "", "007", "y"},
        {"id,site," H10 "\nNA,x," R10 "\n,y," R10 "\n", 0, "", "2", "y"},
        {"id;site;1100;1102;1104;1106;1108;1110;1112;1114;1116;1118\n"
         "a;x,y;0.1;0.2;0.3;0.4;0.5;0.6;0.7;0.8;0.9;1\nb;y;0.1;0.2;0.3;0.4;0.5;0.6;0.7;0.8;0.9;1",
         0, "", "b", "y"},
    };
    static const double expected[10] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};
    spt_ctx *ctx = new_ctx();
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        spt_dataset *ds = NULL;
        double got[20];
        int32_t status = read_text(ctx, cases[k].text, cases[k].settings, &ds);
        ck_assert_msg(status == SPT_OK, "case %zu: %s", k, spt_ctx_last_error(ctx));
        ck_assert_int_eq(spt_dataset_rows(ds), 2);
        ck_assert_int_eq(spt_dataset_bands(ds), 10);
        ck_assert_int_eq(spt_dataset_spectra(ds, 0, 2, got, LENGTH(got)), SPT_OK);
        ck_assert_mem_eq(got, expected, sizeof expected);
        ck_assert_mem_eq(got + 10, expected, sizeof expected);
        ck_assert_msg(strcmp(spt_dataset_id(ds, 1), cases[k].id) == 0, "case %zu: '%s'", k,
                      spt_dataset_id(ds, 1));
        ck_assert_str_eq(spt_dataset_text(ds, 1, spt_dataset_find_column(ds, "site")),
                         cases[k].site);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(missing_values)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL;
    spt_column_info info;
    OK(ctx, read_text(ctx,
                      "id,soc,site,lod," H10 "\na,1.5,n,1," R10 "\nb,,NA,2," R10 "\nc,NA,s,3," R10
                      "\nd,N/A,s,< LOD," R10 "\ne,nan,.,5," R10 "\nf,-9999,s,6," R10
                      "\ng,-9999.0,s,7," R10 "\nh,?,s,8," R10 "\ni,null,s,9," R10 "\nj,-,s,10," R10
                      "\nk,99,s,11," R10 "\n",
                      "missing=99|x", &ds));
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_dataset_column(ds, 1, &info));
    ck_assert_int_eq(info.kind, SPT_COLUMN_NUMBER);
    ck_assert_int_eq(info.n_missing, 10);
    ck_assert_double_eq(info.low, 1.5);
    OK(ctx, spt_dataset_column(ds, 2, &info));
    ck_assert_int_eq(info.kind, SPT_COLUMN_TEXT);
    ck_assert_int_eq(info.n_missing, 2);
    OK(ctx, spt_dataset_column(ds, 3, &info));
    ck_assert_int_eq(info.kind, SPT_COLUMN_TEXT);
    ck_assert_ptr_nonnull(note_with(
        ds, "warning: column 'lod' is taken as text because of '< LOD' on line 5; 10 of its"));
    spt_dataset_free(ds);
    OK(ctx, read_text(ctx, "id,soc,void," H10 "\na,< LOD,," R10 "\nb,1,," R10 "\n",
                      "missing=<|n.d.", &ds));
    OK(ctx, spt_dataset_column(ds, 2, &info)); /* nothing there: numbers, all missing */
    ck_assert_int_eq(info.kind, SPT_COLUMN_NUMBER);
    ck_assert_int_eq(info.n_missing, 2);
    ck_assert(isnan(info.low) && isnan(info.high));
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(notes)
{
    static const struct {
        const char *text, *settings, *words;
    } cases[] = {
        {"id," H10 "\na," R10 "\n", "axis_unit=cm-1", "look like wavelengths (nm)"},
        {"id,4000,4010,4020,4030,4040,4050,4060,4070,4080,4090\na," R10 "\n", "axis_unit=nm",
         "look like wavenumbers (cm-1)"},
        {"id,4000,4010,4020,4030,4040,4050,4060,4070,4080,4090\na," R10 "\n", "",
         "declare which (axis_unit: nm, cm-1 or um)"},
        {"id,w1,w2,w3,w4,w5,w6,w7,w8,w9,w10\na," R10 "\n", "", "bands are numbered from 1 to 10"},
        {"id," H10 "\na," R10 "\n", "unit=percent-reflectance",
         "look like reflectance as a fraction"},
        {"id," H10 "\na,10,20,30,40,50,60,70,80,90,99\n", "unit=reflectance",
         "look like percent-reflectance"},
        {"id," H10 "\na,-1,0,1,0,-1,0,1,0,1,0\n", "unit=absorbance", "derivatives"},
        {"id,site,site," H10 "\na,x,y," R10 "\n", "", "column 3 is left out"},
        {"id," H10 "\na,0.1,x,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", "bad_spectra=keep",
         "1 spectra have missing or unreadable values, the first on line 2, column 3 (band "
         "'1102')"},
        {"id,s\xe9," H10 "\na,x," R10 "\n", "", "read as Latin-1"},
        {"id,X350_abs,X351_abs,X352_abs,X353_abs,X354_abs,X355_abs,X356_abs,X357_abs,X358_abs,"
         "X359_abs\na," R10 "\n",
         "unit=reflectance", "the headers speak of absorbance"},
    };
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        int32_t status = read_text(ctx, cases[k].text, cases[k].settings, &ds);
        ck_assert_msg(status == SPT_OK, "case %zu: %s", k, spt_ctx_last_error(ctx));
        const char *note = note_with(ds, cases[k].words);
        ck_assert_msg(note != NULL && strncmp(note, "warning: ", 9) == 0, "case %zu: %s", k,
                      note != NULL ? note : "no such note");
        ck_assert_int_eq(count_warnings(ds), 1);
        spt_dataset_free(ds);
    }
    /* not warnings: what is only told */
    OK(ctx, read_text(ctx, "id," H10 "\na," R10 "\nb," R10 "\na," R10 "\na," R10 "\n", "", &ds));
    ck_assert_ptr_nonnull(note_with(ds, "2 rows repeat the id of another one ('a', for one)"));
    ck_assert_ptr_nonnull(note_with(ds, "4 rows; 10 bands, 1100 to 1118 nm by its range"));
    ck_assert_int_eq(count_warnings(ds), 0);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* Zeros among measured values are suspicious; among codes they are not. */
START_TEST(zeros)
{
    spt_ctx *ctx = new_ctx();
    for (int flag = 0; flag <= 1; flag++) {
        char text[4096];
        spt_dataset *ds = NULL;
        size_t used = (size_t)snprintf(text, sizeof text, "id,y," H10 "\n");
        for (int i = 0; i < 20; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "s%d,%d," R10 "\n", i,
                                     i % 3 == 0 ? 0
                                     : flag     ? 1
                                                : i + 1);
        OK(ctx, read_text(ctx, text, "", &ds));
        ck_assert_int_eq(count_warnings(ds), !flag);
        if (!flag) ck_assert_ptr_nonnull(note_with(ds, "7 of the 20 values of column 'y' are 0"));
        spt_dataset_free(ds);
        OK(ctx, read_text(ctx, text, "missing=0", &ds));
        ck_assert_int_eq(count_warnings(ds), 0);
        spt_column_info info;
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_dataset_column(ds, 1, &info));
        ck_assert_int_eq(info.n_missing, 7);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(two_sets_of_bands)
{
    spt_ctx *ctx = new_ctx();
    char text[16384];
    spt_dataset *ds = NULL;
    size_t used = (size_t)snprintf(text, sizeof text, "id");
    for (int j = 0; j < 60; j++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",scan_mir.%d_abs", 600 + 2 * j);
    for (int j = 0; j < 70; j++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, ",scan_visnir.%d_ref", 350 + 2 * j);
    used += (size_t)snprintf(text + used, sizeof text - used, ",clay\nA");
    for (int j = 0; j < 130; j++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",%d", j);
    used += (size_t)snprintf(text + used, sizeof text - used, ",33\n");
    double got[70];
    OK(ctx, read_text(ctx, text, "", &ds));
    ck_assert_int_eq(spt_dataset_bands(ds), 70);
    ck_assert_int_eq(spt_dataset_columns(ds), 2);
    ck_assert_int_eq(spt_dataset_axis_unit(ds), SPT_AXIS_NM);
    ck_assert_ptr_nonnull(note_with(ds, "warning: 60 further bands, 'scan_mir.600_abs' to "
                                        "'scan_mir.718_abs', are left out"));
    ck_assert_ptr_nonnull(note_with(ds, "the headers speak of reflectance"));
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 1, got, LENGTH(got)), SPT_OK);
    ck_assert_double_eq(got[0], 60);
    spt_dataset_free(ds);
    OK(ctx, read_text(ctx, text, "bands=scan_mir.", &ds));
    ck_assert_int_eq(spt_dataset_bands(ds), 60);
    ck_assert_int_eq(spt_dataset_axis_unit(ds), SPT_AXIS_CM1);
    ck_assert_int_eq(spt_dataset_spectra(ds, 0, 1, got, LENGTH(got)), SPT_OK);
    ck_assert_double_eq(got[59], 59);
    spt_dataset_free(ds);
    FAILS(ctx, SPT_EFORMAT, "no band columns start with 'mir.'",
          read_text(ctx, text, "bands=mir.", &ds));
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(spectra_that_cannot_be_read)
{
    spt_ctx *ctx = new_ctx();
    spt_dataset *ds = NULL, *a = NULL;
    double got[10];
    spt__err e;
    OK(ctx, read_text(ctx,
                      "id," H10 "\na," R10 "\nb,1,2,3,,5,6,7,8,9,10\nc," R10
                      "\nd,nan,inf,-9999,4,5,6,7,8,9,10\n",
                      "bad_spectra=keep", &ds));
    ck_assert_int_eq(spt_dataset_rows(ds), 4);
    ck_assert_int_eq(spt__dataset_row(ds, 0, got, &e), SPT_OK);
    ck_assert_int_eq(spt__dataset_row(ds, 1, got, &e), SPT_EDATA);
    ck_assert_str_eq(e.text, "row 'b', band 1106 nm: the value is missing or not finite");
    ck_assert_int_eq(spt__dataset_row(ds, 3, got, &e), SPT_EDATA);
    /* arithmetic leaves the good rows and the good bands usable */
    OK(ctx, spt_dataset_decimate(ctx, ds, 5, 1, &a));
    ck_assert_int_eq(spt__dataset_row(a, 0, got, &e), SPT_OK);
    NEAR(got[0], 0.3, 1e-15);
    ck_assert_int_eq(spt__dataset_row(a, 1, got, &e), SPT_EDATA);
    spt_dataset_free(a);
    OK(ctx, spt_dataset_resample(ctx, ds, (const double[]){1108, 1111}, 2, &a));
    ck_assert_int_eq(spt__dataset_row(a, 1, got, &e), SPT_OK);
    ck_assert_double_eq(got[0], 5);
    ck_assert_double_eq(got[1], 6.5);
    spt_dataset_free(a);
    OK(ctx, spt_dataset_average(ctx, ds, "id", &a));
    ck_assert_int_eq(spt__dataset_row(a, 2, got, &e), SPT_OK);
    ck_assert_int_eq(spt__dataset_row(a, 3, got, &e), SPT_EDATA);
    spt_dataset_free(a);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        const char *settings;
        int32_t status;
        const char *words;
    } cases[] = {
        {"", 0, "", SPT_EFORMAT, "t.csv: the file is empty"},
        {"\xef\xbb\xbf", 0, "", SPT_EFORMAT, "t.csv: the file is empty"},
        {"\n\r\n\n", 0, "", SPT_EFORMAT, "t.csv: the file is empty"},
        {"id," H10 "\n", 0, "", SPT_EFORMAT, "t.csv: line 1 is a header, and no rows follow"},
        {"id;1100;1102;1104;1106;1108;1110;1112;1114;1116;1118", 0, "", SPT_EFORMAT, "no rows"},
        {"\xff\xfei\0d\0", 6, "", SPT_EFORMAT, "UTF-16"},
        {"\xfe\xff\0i\0d", 6, "", SPT_EFORMAT, "UTF-16"},
        {"i\0d\0,\0", 6, "", SPT_EFORMAT, "UTF-16"},
        {"id," H10 "\na\0," R10, 80, "", SPT_EFORMAT, "byte 54 is NUL: this is not a text file"},
        {"PK\x03\x04xlsx", 0, "", SPT_EFORMAT, "spreadsheet"},
        {"id," H10 "\na," R10 "\nb,0.1,0.2\n", 0, "", SPT_EFORMAT,
         "t.csv: line 3 has 3 cells; 11 are needed, as in line 1"},
        {"id," H10 "\na," R10 ",7\nb," R10 ",8\nc," R10 "\n", 0, "", SPT_EFORMAT,
         "line 4 has 11 cells; 12 are needed, as in line 2"},
        {"id," H10 "\n\"a\nb\"," R10 "\nb,0.1\n", 0, "", SPT_EFORMAT, "line 4 has 2 cells"},
        {"id," H10 "\n\"a," R10 "\n", 0, "", SPT_EFORMAT,
         "line 2, column 1: a quote is never closed"},
        {"id," H10 "\n\"a\"b," R10 "\n", 0, "", SPT_EFORMAT, "text behind a closing quote"},
        {"id," H10 "\na," R10 "\nb,0.1,,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "t.csv: line 3, column 3 (band '1102'), sample 'b': a missing value in a spectrum"},
        {"id," H10 "\na," R10 "\nb,0.1,NaN,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "line 3, column 3 (band '1102'), sample 'b': a missing value"},
        {"id," H10 "\na," R10 "\nb,0.1,-9999,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "line 3, column 3 (band '1102'), sample 'b': a missing value"},
        {"id," H10 "\na," R10 "\nb,0.1,x2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "line 3, column 3 (band '1102'), sample 'b': 'x2' is not a number"},
        {"id," H10 "\na," R10 "\nb,0.1,inf,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "'inf' is not a number"},
        {"id," H10 "\na," R10 "\nb,0.1,1e999,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1\n", 0, "", SPT_EDATA,
         "'1e999' is not a number"},
        {"1100;1102;1104;1106;1108;1110;1112;1114;1116;1118\n"
         "0,1;0,2;0,3;0,4;0,5;1.234,5;0,7;0,8;0,9;1\n",
         0, "", SPT_EDATA,
         "line 2, column 6 (band '1110'): '1.234,5' is not a number (decimal mark ','"},
        {"id," H10 ",1120,1118,1116,1114,1112,1110,1108,1106,1104,1102,1100,1098\na\n", 0, "",
         SPT_EFORMAT, "strictly ascending or descending"},
        {"id," H10 ",1118\na\n", 0, "", SPT_EFORMAT, "columns 11 and 12: band '1118' stands twice"},
        {"id,0,1,2,3,4,5,6,7,8,9,10\na,0," R10 "\n", 0, "", SPT_EFORMAT,
         "the bands are numbered from 0"},
        {"id,X0,X2,X4,X6,X8,X10,X12,X14,X16,X18\na," R10 "\n", 0, "", SPT_EFORMAT,
         "band position 0"},
        {"id,a,b,c\n1,2,3,4\n", 0, "", SPT_EFORMAT, "no bands: 10 or more"},
        {"id,1100,1102,1104,1106,1108,1110,1112,1114,1116\na,1,2,3,4,5,6,7,8,9\n", 0, "",
         SPT_EFORMAT, "10 columns separated by commas found"},
        {R10 ",0.7,0.3,0.2\n" R10 ",0.7,0.3,0.2\n", 0, "", SPT_EFORMAT,
         "line 1 looks like a spectrum, not like a header"},
        {R10 "\n" R10 "\n", 0, "", SPT_EFORMAT, "line 1 looks like a spectrum"},
        {"a," R10 "\nb," R10 "\n", 0, "", SPT_EFORMAT, "line 1 looks like a spectrum"},
        {"id,site," H10 "\na,x," R10 "\n", 0, "id=sites", SPT_ENOTFOUND,
         "t.csv: no column 'sites' for the ids; the nearest is 'site'"},
    };
    spt_ctx *ctx = new_ctx();
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        spt_dataset *ds = (spt_dataset *)&ds;
        size_t size = cases[k].size != 0 ? cases[k].size : strlen(cases[k].text);
        int32_t status = read_bytes(ctx, cases[k].text, size, cases[k].settings, &ds);
        ck_assert_msg(status == cases[k].status && ds == NULL, "case %zu (%s): %s: %s", k,
                      cases[k].words, spt_status_name(status), spt_ctx_last_error(ctx));
        FAILS(ctx, cases[k].status, cases[k].words,
              read_bytes(ctx, cases[k].text, size, cases[k].settings, &ds));
    }
    spt_dataset *ds = NULL;
    FAILS(ctx, SPT_EIO, "no-such.csv", spt_dataset_read_csv(ctx, "no-such.csv", NULL, &ds));
    FAILS(ctx, SPT_EIO, "directory", spt_dataset_read_csv(ctx, ".", NULL, &ds));
    FAILS(ctx, SPT_EINVAL, "size", spt_dataset_read_csv_memory(ctx, "x", -1, "x", NULL, &ds));
    ck_assert_int_eq(spt_dataset_read_csv(NULL, "x", NULL, &ds), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

/* A file cut anywhere is read or refused; a row cut in the middle of its last number cannot be
 * noticed. */
START_TEST(cut_anywhere)
{
    static const char whole[] =
        "\xef\xbb\xbf\"id\";\"Ort \"\"x\"\"\";350,5;351;351,5;352;352,5;353;"
        "353,5;354;354,5;355;pH\r\n\"A;1\";K\xc3\xb6ln;0,1;0,2;0,3;0,4;0,5;"
        "0,6;0,7;0,8;0,9;1;6,5\r\nB;\"x\ny\";0,1;0,2;0,3;0,4;0,5;0,6;0,7;0,8;"
        "0,9;1;NA\r\n";
    spt_ctx *ctx = new_ctx();
    int read = 0;
    for (size_t size = 0; size < sizeof whole; size++) {
        char *cut = malloc(size + 1); /* exactly as long, so that reading past it shows */
        memcpy(cut, whole, size);
        char *exact = realloc(cut, size != 0 ? size : 1);
        spt_dataset *ds = NULL;
        int32_t status = read_bytes(ctx, exact, size, "", &ds);
        read += status == SPT_OK;
        ck_assert((status == SPT_OK) == (ds != NULL));
        if (status != SPT_OK) ck_assert(strncmp(spt_ctx_last_error(ctx), "t.csv: ", 7) == 0);
        spt_dataset_free(ds);
        free(exact);
    }
    ck_assert_int_ge(read, 4);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("data csv", forms_of_headers, decimal_commas_in_headers, dialects, missing_values, notes,
          zeros, two_sets_of_bands, spectra_that_cannot_be_read, refusals, cut_anywhere)
