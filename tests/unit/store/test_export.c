/* What leaves a store comes back: JSON and copies exactly, tables as far as they say it. */
#include "studied.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- exact ---- */

START_TEST(json_comes_back)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i), *other = NULL;
    char path[1100];
    snprintf(path, sizeof path, "%s.json", file_name("export"));
    fill_study(ctx, store, false);
    char *first = exported(ctx, store, NULL, SPT_EXPORT_JSON);
    OK(ctx, spt_store_export(store, "s", SPT_EXPORT_JSON, path));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &other));
    OK(ctx, spt_store_import_json(other, path, NULL));
    char *second = exported(ctx, other, "s", SPT_EXPORT_JSON);
    ck_assert_str_eq(first, second);
    /* and back into a store of the first kind, under another name */
    FAILS(ctx, SPT_EBUSY, "has a study 's' already", spt_store_import_json(store, path, NULL));
    OK(ctx, spt_store_import_json(store, path, "t"));
    char *third = exported(ctx, store, "t", SPT_EXPORT_JSON);
    const char *a = strstr(first, "\"directions\""), *b = strstr(third, "\"directions\"");
    ck_assert(a != NULL && b != NULL);
    ck_assert_str_eq(a, b);
    /* what it means */
    spt_history *h = NULL;
    double number;
    OK(ctx, spt_history_read(other, "s", &h));
    ck_assert_int_eq(spt_history_count(h), 5);
    ck_assert_str_eq(spt_history_attribute(h, 0, "note"), "says \"no\", then\nmore; \xc3\xbc");
    ck_assert_str_eq(spt_history_record(h, "target"), "C \"org\"\n\xc3\xa4");
    OK(ctx, spt_config_number(spt_history_config(h, 0), "rate", &number));
    ck_assert_double_eq(number, 0.1 + 0.2);
    char bytes[5];
    int64_t needed;
    OK(ctx, spt_store_block(other, "s", 0, "predictions", bytes, 5, &needed));
    ck_assert(needed == 5 && memcmp(bytes, "abcde", 5) == 0);
    OK(ctx, spt_store_block(other, "s", -1, "empty", bytes, 5, &needed));
    ck_assert_int_eq(needed, 0);
    spt_history_free(h);
    free(first);
    free(second);
    free(third);
    spt_store_free(other);
    close_kind(store, _i);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(copies)
{
    spt_ctx *ctx = new_ctx(), *of_other = new_ctx();
    spt_store *store = open_kind(ctx, _i), *other = NULL;
    fill_study(ctx, store, false);
    OK(ctx, spt_store_open(of_other, "memory:", SPT_STORE_CREATE, &other));
    OK(of_other, spt_store_copy(store, NULL, other, NULL));
    FAILS(of_other, SPT_EBUSY, "has a study 's' already", spt_store_copy(store, "s", other, NULL));
    FAILS(of_other, SPT_ENOTFOUND, "has no study 'x'", spt_store_copy(store, "x", other, NULL));
    FAILS(of_other, SPT_EINVAL, "1 to 512 bytes", spt_store_copy(store, "s", other, ""));
    OK(ctx, spt_store_copy(other, "s", store, "back"));
    OK(ctx, spt_store_copy(store, "s", store, "beside"));
    char *a = exported(ctx, store, "s", SPT_EXPORT_JSON),
         *b = exported(of_other, other, "s", SPT_EXPORT_JSON);
    ck_assert_str_eq(a, b);
    free(b);
    b = exported(ctx, store, "back", SPT_EXPORT_JSON);
    ck_assert_str_eq(strstr(a, "\"directions\""), strstr(b, "\"directions\""));
    free(b);
    b = exported(ctx, store, "beside", SPT_EXPORT_JSON);
    ck_assert_str_eq(strstr(a, "\"directions\""), strstr(b, "\"directions\""));
    free(a);
    free(b);
    ck_assert_str_eq(spt_store_study(store, 2), "beside");
    ck_assert_ptr_null(spt_store_study(store, 3));
    spt_store_free(other);
    close_kind(store, _i);
    spt_ctx_free(ctx);
    spt_ctx_free(of_other);
}
END_TEST

/* Nobody works on them where they come to. */
START_TEST(running_trials)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i), *other = NULL;
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    fill_study(ctx, store, true);
    char *text = exported(ctx, store, "s", SPT_EXPORT_JSON);
    ck_assert_ptr_nonnull(strstr(text, "\"number\": 5, \"state\": \"running\""));
    free(text);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &other));
    OK(ctx, spt_store_copy(store, NULL, other, NULL));
    OK(ctx, spt_history_read(other, NULL, &h));
    ck_assert_int_eq(spt_history_count(h), 6);
    OK(ctx, spt_history_trial(h, 5, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_FAILED);
    ck_assert_int_eq((int)strlen(info.ended), 26);
    ck_assert_str_eq(spt_history_attribute(h, 5, "reason"), "abandoned");
    ck_assert_int_eq(spt_history_finished(h), 4);
    spt_history_free(h);
    /* the original goes on */
    OK(ctx, spt_history_read(store, "s", &h));
    OK(ctx, spt_history_trial(h, 5, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_RUNNING);
    spt_history_free(h);
    spt_store_free(other);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- tables ---- */

static const char table[] =
    "number,state,value,datetime_start,datetime_complete,seconds,params_blocks,params_rate,"
    "params_kind,params_pool,params_units,intermediate_values_0,intermediate_values_2,"
    "intermediate_values_10,user_attrs_rmse,user_attrs_note,\"user_attrs_a, \"\"b\"\"\"\n"
    "0,COMPLETE,0.30000000000000004,2026-11-26 05:27:40.000000,2026-11-26 05:27:41.500000,1.5,"
    "2,1e-05,\"\"\"quoted\"\" & <odd>\",true,16,1.5,NaN,,0.1,\"says \"\"no\"\",\nthen; more\","
    "\"[1, 2]\"\n"
    "1,FAIL,,2026-02-28 23:59:59.000001,2026-03-01 00:00:00.000000,0.999999,,,,,,,-inf,,,"
    "\" \xc3\xa4 \",\n"
    "2,PRUNED,-1e+300,2024-02-28 23:59:59.000001,2024-03-01 00:00:00.000000,86400.999999,0,1,"
    "relu,false,,,,3,-0,plain,\"\"\n"
    "3,WAITING,,,,,1,,,,,,,,,,\n";

START_TEST(tables)
{
    /* where a number has a comma, a table still has points */
    static const char *const locales[] = {"C", "de_DE.UTF-8", "de_DE"};
    char *before = strdup(setlocale(LC_ALL, NULL));
    setlocale(LC_ALL, locales[_i]);
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    char path[1100];
    snprintf(path, sizeof path, "%s.csv", file_name("table"));
    put_text(path, table);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_store_import_csv(store, path, space, NULL));
    ck_assert_str_eq(spt_store_study(store, 0), "spectune");
    char *text = exported(ctx, store, NULL, SPT_EXPORT_CSV);
    ck_assert_str_eq(text, table);
    free(text);
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_history_read(store, NULL, &h));
    ck_assert_int_eq(spt_history_count(h), 4);
    ck_assert_int_eq(spt_history_best(h), 0);
    OK(ctx, spt_history_trial(h, 0, &info));
    ck_assert_double_eq(info.value, 0.1 + 0.2);
    ck_assert_str_eq(spt_config_choice(spt_history_config(h, 0), "kind"), "\"quoted\" & <odd>");
    ck_assert_str_eq(spt_history_attribute(h, 0, "note"), "says \"no\",\nthen; more");
    spt_history_free(h);
    spt_space_free(space);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
    setlocale(LC_ALL, before);
    free(before);
}
END_TEST

START_TEST(tables_of_everything)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = open_kind(ctx, _i);
    fill_study(ctx, store, true);
    char *text = exported(ctx, store, "s", SPT_EXPORT_CSV);
    ck_assert_ptr_nonnull(strstr(text, ",\"params_of \"\"theirs\"\"\","));
    ck_assert_ptr_nonnull(strstr(text, "\n0,COMPLETE,0.30000000000000004,"));
    ck_assert_ptr_nonnull(strstr(text, ",0.30000000000000004,\"says \"\"no\"\", then\nmore;"));
    ck_assert_ptr_nonnull(strstr(text, ",1.5,NaN,-inf,"));
    ck_assert_ptr_nonnull(strstr(text, "\n2,PRUNED,1e+300,"));
    ck_assert_ptr_nonnull(strstr(text, "\n3,COMPLETE,inf,"));
    ck_assert_ptr_nonnull(strstr(text, "\n4,WAITING,,,,,2,"));
    ck_assert_ptr_nonnull(strstr(text, "\n5,RUNNING,,"));
    ck_assert_ptr_nonnull(strstr(text, ",0.1,")); /* the second choice of theirs is a number */
    free(text);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- refusals ---- */

static int32_t refuse_text(const char *text, int64_t size, void *user)
{
    (void)text;
    (void)size;
    (void)user;
    return SPT_STOP_HOST;
}

START_TEST(refusals)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL, *empty = NULL;
    char path[1100];
    snprintf(path, sizeof path, "%s.none", file_name("refusals"));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &empty));
    fill_study(ctx, store, false);
    FAILS(ctx, SPT_EINVAL, "format is 3", spt_store_export(store, "s", 3, path));
    FAILS(ctx, SPT_ENOTFOUND, "has no study 'x'",
          spt_store_export(store, "x", SPT_EXPORT_CSV, path));
    FAILS(ctx, SPT_ENOTFOUND, "holds no study",
          spt_store_export(empty, NULL, SPT_EXPORT_JSON, path));
    FAILS(ctx, SPT_ENOTFOUND, "holds no study", spt_store_copy(empty, NULL, store, NULL));
    FAILS(ctx, SPT_ECALLBACK, "did not take",
          spt_store_export_text(store, NULL, SPT_EXPORT_CSV, refuse_text, NULL));
    ck_assert_int_eq(spt_store_export(store, NULL, SPT_EXPORT_CSV, NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_store_export(NULL, NULL, SPT_EXPORT_CSV, path), SPT_EINVAL);
    ck_assert_int_eq(spt_store_copy(NULL, NULL, store, NULL), SPT_EINVAL);
    FAILS(ctx, SPT_EIO, "not found",
          spt_store_export(store, NULL, SPT_EXPORT_CSV, "/no such folder/x.csv"));
    ck_assert_int_ne(access(path, F_OK), 0);
    spt_store_free(store);
    spt_store_free(empty);
    spt_ctx_free(ctx);
}
END_TEST

/* Files may not grow past so many bytes, -1: any: a disk that is full says the same. */
static void limit_files(int64_t bytes)
{
    static struct rlimit before;
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    if (before.rlim_max == 0) before = limit;
    limit.rlim_cur = bytes >= 0 ? (rlim_t)bytes : before.rlim_cur;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(full_disk)
{
    spt_ctx *ctx = new_ctx();
    spt_store *from = NULL, *to = NULL, *reader = NULL;
    const char *path = file_name("full");
    char file[1100];
    struct stat st;
    snprintf(file, sizeof file, "%s.json", path);
    remove(path);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &from));
    fill_study(ctx, from, false);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_CREATE, &to));
    OK(ctx, spt_store_copy(from, NULL, to, "first"));
    ck_assert_int_eq(stat(path, &st), 0);
    put_text(file, "old");
    limit_files(1000);
    FAILS(ctx, SPT_EIO, file, spt_store_export(from, NULL, SPT_EXPORT_JSON, file));
    limit_files(st.st_size);
    int32_t status = SPT_OK;
    for (int i = 0; i < 50 && status >= 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "copy %d", i);
        status = spt_store_copy(from, NULL, to, name);
    }
    limit_files(-1);
    ck_assert_int_eq(status, SPT_ESTORE);
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), "disk is full"));
    /* the old file is there, whole; every study that is there is a whole one */
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_size, 3);
    char *want = exported(ctx, from, NULL, SPT_EXPORT_CSV);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_READONLY, &reader));
    for (int64_t i = 0; spt_store_study(reader, i) != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", spt_store_study(reader, i));
        char *text = exported(ctx, reader, name, SPT_EXPORT_CSV);
        ck_assert_str_eq(text, want);
        free(text);
    }
    FAILS(ctx, SPT_EINVAL, "read only", spt_store_copy(from, NULL, reader, "more"));
    free(want);
    spt_store_free(reader);
    spt_store_free(to);
    spt_store_free(from);
    remove(path);
    remove(file);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- stamps ---- */

static int32_t revision(spt_store *store, void *arg)
{
    SPT__TRY(spt__db_run(store, "DELETE FROM alembic_version", ""));
    return spt__db_run(store, "INSERT INTO alembic_version (version_num) VALUES (?)", "t",
                       (const char *)arg);
}

typedef struct {
    char text[64];
} stamped;

static int32_t read_stamp(spt_store *store, void *arg)
{
    stamped *out = arg;
    spt__cursor q;
    out->text[0] = '\0';
    SPT__TRY(spt__db_query(store, &q, "SELECT version_num FROM alembic_version", ""));
    int32_t status;
    while ((status = spt__db_row(&q)) > 0)
        snprintf(out->text + strlen(out->text), 32, "%s;", spt__col_text(&q, 0));
    return status;
}

START_TEST(stamps)
{
    static const char *const good[][2] = {
        {"3.0", "v3.0.0.d;"},   {"3.1", "v3.0.0.d;"}, {"3.1.1", "v3.0.0.d;"}, {"3.2", "v3.2.0.a;"},
        {"4.9.0", "v3.2.0.a;"}, {"5", "v3.2.0.a;"},   {"5.0", "v3.2.0.a;"},   {"any", ""}};
    static const char *const bad[] = {"", "2.10", "6.0", "3.x", "x", "3.", "-3.1", "3.1 "};
    spt_ctx *ctx = new_ctx();
    const char *url = _i == SERVER ? server_url() : file_name("conf");
    spt_store *store = open_kind(ctx, _i), *again = NULL;
    stamped now;
    if (_i != SERVER) FAILS(ctx, SPT_ENOTFOUND, "holds no study", spt_store_stamp(store, "3.1"));
    fill_study(ctx, store, false);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        OK(ctx, spt_store_stamp(store, good[i][0]));
        OK(ctx, spt__db_transact(store, false, read_stamp, &now));
        ck_assert_str_eq(now.text, good[i][1]);
        if (_i == MEMORY) continue;
        OK(ctx, spt_store_open(ctx, url, SPT_STORE_OPEN, &again));
        spt_store_free(again);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        FAILS(ctx, SPT_EINVAL, "is not known", spt_store_stamp(store, bad[i]));
    OK(ctx, spt__db_transact(store, false, read_stamp, &now));
    ck_assert_str_eq(now.text, "");
    if (_i != MEMORY) {
        OK(ctx, spt__db_transact(store, true, revision, "v2.6.0.a"));
        FAILS(ctx, SPT_EVERSION, "older Optuna (revision v2.6.0.a); 'optuna storage upgrade'",
              spt_store_open(ctx, url, SPT_STORE_READONLY, &again));
        OK(ctx, spt__db_transact(store, true, revision, "v3.0.0.c"));
        FAILS(ctx, SPT_EVERSION, "optuna storage upgrade",
              spt_store_open(ctx, url, SPT_STORE_CREATE, &again));
        OK(ctx, spt__db_transact(store, true, revision, "v6.0.0.a"));
        FAILS(ctx, SPT_EVERSION, "newer Optuna (revision v6.0.0.a;",
              spt_store_open(ctx, url, SPT_STORE_OPEN, &again));
        OK(ctx, spt_store_stamp(store, "any"));
        OK(ctx, spt_store_open(ctx, url, SPT_STORE_READONLY, &again));
        FAILS(ctx, SPT_EINVAL, "read only", spt_store_stamp(again, "3.1"));
        spt_store_free(again);
    }
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("store export", const int n = kinds(); tcase_add_loop_test(tcase, json_comes_back, 0, n);
           tcase_add_loop_test(tcase, copies, 0, n);
           tcase_add_loop_test(tcase, running_trials, 0, n);
           tcase_add_loop_test(tcase, tables, 0, 3);
           tcase_add_loop_test(tcase, tables_of_everything, 0, n); tcase_add_test(tcase, refusals);
           tcase_add_test(tcase, full_disk); tcase_add_loop_test(tcase, stamps, 0, n);)
