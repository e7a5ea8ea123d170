/* What is wrong with a file is told with line and column, and nothing comes into the store. */
#include "studied.h"

static const char *path_of(const char *name)
{
    static char path[1100];
    snprintf(path, sizeof path, "%s.in", file_name(name));
    return path;
}

/* ---- tables ---- */

typedef struct {
    const char *text, *words;
} bad;

static const bad bad_tables[] = {
    {"", "the file is empty"},
    {"\n\n", "is empty"},
    {"number,vlaue\n", "line 1, column 2 (vlaue): is not known; did you mean value?"},
    {"number,x\n", "line 1, column 2 (x): is not known; number, state, value,"},
    {"value,params_rat\n", "column 2 (params_rat): "},
    {"value,value\n", "line 1, column 2 (value): stands in column 1, too"},
    {"intermediate_values_x\n", "column 1 (intermediate_values_x): a step is a whole number"},
    {"intermediate_values_-1\n", "a step is a whole number from 0 on"},
    {"user_attrs_\n", "an attribute has a name"},
    {"number,value,params_rate\n0,1\n", "line 2: has 2 fields; the header has 3"},
    {"number,value,params_rate\n0,1,2,3\n", "line 2: has 4 fields; the header has 3"},
    {"number,state\n0,FAIL\n1,FINE\n",
     "line 3, column 2 (state): is 'FINE'; COMPLETE, PRUNED, FAIL, RUNNING and WAITING"},
    {"number,state\n0.5,FAIL\n", "line 2, column 1 (number): is '0.5'; a whole number"},
    {"number,state\n-1,FAIL\n", "is '-1'; a whole number from 0 on"},
    {"number,state\n,FAIL\n", "is ''; a whole number from 0 on"},
    {"number,state\n0,FAIL\n0,FAIL\n", "two trials have the number 0"},
    {"number,state\n0,FAIL\n2,FAIL\n", "trial 1 is missing; trials are numbered from 0"},
    {"state,value\nFAIL,\n\nFAIL,none of it\n", "line 4, column 2 (value): is 'none of it'"},
    {"state,value\nCOMPLETE,\n", "line 2: a complete trial has a value"},
    {"state,datetime_start\nFAIL,2026-13-01 00:00:00\n",
     "line 2, column 2 (datetime_start): is '2026-13-01 00:00:00'; a time is YYYY-MM-DD"},
    {"state,datetime_complete\nFAIL,26.11.2026 5:00\n", "(datetime_complete): is '26.11.2026"},
    {"state,params_rate\nFAIL,fast\n", "line 2, column 2 (params_rate): is 'fast'; a number from"},
    {"state,params_rate\nFAIL,2\n", "column 2 (params_rate): parameter 'rate'"},
    {"state,params_rate\nFAIL,inf\n", "is 'inf'; a number from 1e-05 to 1 is wanted"},
    {"state,params_blocks\nFAIL,0.5\n", "column 2 (params_blocks): parameter 'blocks'"},
    {"state,params_kind\nFAIL,rleu\n", "(params_kind): parameter 'kind' has no choice 'rleu'"},
    {"state,params_pool\nFAIL,2\n", "(params_pool): parameter 'pool' has no choice '2'"},
    {"state,intermediate_values_0\nFAIL,x\n", "(intermediate_values_0): is 'x'; a number"},
    {"value,params_blocks,params_rate,params_kind\n1,0,1,relu\n",
     "line 2: parameter 'pool' has no value; it exists always"},
    {"value,params_blocks,params_rate,params_kind,params_pool,params_units\n1,0,1,relu,true,16\n",
     "line 2: parameter 'units'"},
    {"value,params_blocks,params_rate,params_kind,params_pool\n1,2,1,relu,true\n",
     "line 2: parameter 'units' has no value; it exists because blocks >= 2"},
    {"state,value\nFAIL,\"1\n", "line 2, column 2: a quote is never closed"},
};

START_TEST(bad_table)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    const char *path = path_of("table");
    put_text(path, bad_tables[_i].text);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    FAILS(ctx, SPT_EFORMAT, bad_tables[_i].words, spt_store_import_csv(store, path, space, "name"));
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), path));
    ck_assert_ptr_null(spt_store_study(store, 0));
    spt_space_free(space);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

/* What data frames and spreadsheets make of a table. */
static const char *const good_tables[] = {
    "\xef\xbb\xbf,number,value,params_blocks,params_rate,params_kind,params_pool,params_units,"
    "system_attrs_x,duration,state\n"
    "0,1.0,2.5,2.0,0.5,elu,True,24.0,?,0 days,COMPLETE\n"
    "1,0.0,1.5,0.0,1e-5,relu,False,,?,0 days,complete\n",
    "params_rate;params_units;params_pool;params_kind;params_blocks;value;seconds\r\n"
    "0,00001;;false;\"relu\";0;1,5;9\r\n"
    "0,5;24;true;elu;2;2,5;9\r\n",
    "value\tparams_rate\tparams_units\tparams_pool\tparams_kind\tparams_blocks\tdatetime_start\n"
    "1.5\t1e-5\tNA\tFALSE\trelu\t0\t2026-11-26T05:27:40.5\n"
    "2.5\t0.5\t24\tTRUE\telu\t2\tNaT\n",
};

START_TEST(good_table)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    spt_history *h = NULL;
    spt_trial_info info;
    double x;
    const char *path = path_of("good");
    spt_record_init(&info, sizeof info);
    put_text(path, good_tables[_i]);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_store_import_csv(store, path, space, "n\xc3\xa4me"));
    OK(ctx, spt_history_read(store, "n\xc3\xa4me", &h));
    ck_assert_int_eq(spt_history_count(h), 2);
    for (int64_t i = 0; i < 2; i++) {
        const spt_config *c = spt_history_config(h, i);
        OK(ctx, spt_history_trial(h, i, &info));
        ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
        ck_assert_int_eq(info.number, i);
        ck_assert_double_eq(info.value, i == 0 ? 1.5 : 2.5);
        ck_assert_str_eq(spt_config_choice(c, "kind"), i == 0 ? "relu" : "elu");
        OK(ctx, spt_config_number(c, "rate", &x));
        ck_assert_double_eq(x, i == 0 ? 1e-5 : 0.5);
        OK(ctx, spt_config_number(c, "pool", &x));
        ck_assert_double_eq(x, i == 0 ? 0 : 1);
        ck_assert_int_eq(spt_config_exists(c, "units"), i == 1);
    }
    OK(ctx, spt_history_trial(h, 0, &info));
    ck_assert_str_eq(info.started, _i == 2 ? "2026-11-26 05:27:40.500000" : "");
    spt_history_free(h);
    spt_space_free(space);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

/* As the store itself has it: what is complete has a finite value. */
START_TEST(no_finite_value)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    const char *path = path_of("infinite");
    put_text(path, "state,value,user_attrs_reason,params_pool\nCOMPLETE,inf,,\nCOMPLETE,nan,,true\n"
                   "COMPLETE,-inf,mine,\n,7e999,,\n,,,\nRUNNING,3,,\n");
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    FAILS(ctx, SPT_EFORMAT, "line 5, column 2 (value): is '7e999'; a number is wanted",
          spt_store_import_csv(store, path, space, "s"));
    put_text(path, "state,value,user_attrs_reason,params_pool\nCOMPLETE,inf,,\nCOMPLETE,nan,,true\n"
                   "COMPLETE,-inf,mine,\n,,,false\nRUNNING,3,,\n");
    OK(ctx, spt_store_import_csv(store, path, space, "s"));
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_history_read(store, "s", &h));
    ck_assert_int_eq(spt_history_count(h), 5);
    for (int64_t i = 0; i < 5; i++) {
        OK(ctx, spt_history_trial(h, i, &info));
        ck_assert_int_eq(info.state, SPT_TRIAL_FAILED);
    }
    ck_assert_str_eq(spt_history_attribute(h, 0, "reason"), "the loss is infinite");
    ck_assert_str_eq(spt_history_attribute(h, 1, "reason"), "the loss is not a number");
    ck_assert_str_eq(spt_history_attribute(h, 2, "reason"), "mine");
    ck_assert_ptr_null(spt_history_attribute(h, 3, "reason"));
    ck_assert_str_eq(spt_history_attribute(h, 4, "reason"), "abandoned");
    spt_history_free(h);
    spt_space_free(space);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- JSON ---- */

#define STUDY(rest) "{\"format\": \"spectune study\", \"version\": 1, \"study\": \"s\",\n" rest "}"
#define TRIALS(rest) STUDY("\"directions\": [\"minimize\"], \"trials\": [\n" rest "]")

static const bad bad_json[] = {
    {"", "line 1, column 0: "},
    {"[]", "line 1, column 1: is no exported study"},
    {"{\"study\": }", "line 1, column 11: "},
    {"{}", "line 1, column 1: \"format\" is missing"},
    {"{\"format\": \"other\"}", "line 1, column 12: is no exported study; its format is"},
    {STUDY("\"trials\": []"), "\"directions\" is missing"},
    {STUDY("\"directions\": [\"minimize\"]"), "\"trials\" is missing"},
    {STUDY("\"directions\": null, \"trials\": []"), "line 2, column 15: \"directions\" is null"},
    {STUDY("\"directions\": []"), "a study has one direction or more"},
    {STUDY("\"directions\": [\"up\"]"), "line 2, column 16: is no direction; minimize"},
    {STUDY("\"directons\": []"), "\"directons\" is not known here; did you mean \"directions\"?"},
    {STUDY("\"records\": []"), "\"records\" is an object in braces"},
    {STUDY("\"study\": 1"), "duplicate object key"},
    {STUDY("\"space\": \"<space\""), "line 2, column 10: the space:1: "},
    {STUDY("\"blocks\": {\"rows\": \"A\"}"), "line 2, column 20: is no base64"},
    {STUDY("\"blocks\": {\"rows\": 1}"), "line 2, column 20: is no text"},
    {TRIALS("1"), "line 3, column 1: a trial is an object in braces"},
    {TRIALS("{\"state\": \"failed\"}"), "\"number\" is missing"},
    {TRIALS("{\"number\": 0}"), "\"state\" is missing"},
    {TRIALS("{\"number\": 1, \"state\": \"failed\"}"),
     "the number is 1; trials are in order, 0 is"},
    {TRIALS("{\"number\": -1}"), "line 3, column 12: is no whole number from 0 on"},
    {TRIALS("{\"number\": \"0\"}"), "is no whole number"},
    {TRIALS("{\"number\": 0, \"state\": \"FAIL\"}"), "is no state; running, complete, pruned"},
    {TRIALS("{\"number\": 0, \"state\": \"complete\"}"), "a complete trial has as many values"},
    {TRIALS("{\"number\": 0, \"state\": \"pruned\", \"values\": [1, 2]}"), "has more values than"},
    {TRIALS("{\"number\": 0, \"values\": [\"NaN\"]}"), "NaN is no value"},
    {TRIALS("{\"number\": 0, \"values\": [true]}"), "is no number; infinite ones are \"inf\""},
    {TRIALS("{\"number\": 0, \"started\": \"yesterday\"}"), "is no time; \"YYYY-MM-DD"},
    {TRIALS("{\"number\": 0, \"steps\": [1]}"), "a step is [number, value]"},
    {TRIALS("{\"number\": 0, \"steps\": [[0, 1, 2]]}"), "a step is [number, value]"},
    {TRIALS("{\"number\": 0, \"steps\": [[1, 1], [1, 1]]}"), "step 1 comes after 1"},
    {TRIALS("{\"number\": 0, \"parameters\": {\"a\": 1}}"), "a parameter is {\"value\""},
    {TRIALS("{\"number\": 0, \"parameters\": {\"a\": {\"value\": 1}}}"),
     "\"distribution\" is missing"},
    {TRIALS("{\"number\": 0, \"parameters\": {\"a\": {\"value\": 1, \"distribution\": {}}}}"),
     "a distribution has \"name\" and \"attributes\""},
};

START_TEST(bad_document)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    const char *path = path_of("json");
    put_text(path, bad_json[_i].text);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    FAILS(ctx, SPT_EFORMAT, bad_json[_i].words, spt_store_import_json(store, path, "name"));
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), path));
    ck_assert_ptr_null(spt_store_study(store, 0));
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(other_refusals)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    const char *path = path_of("other");
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    FAILS(ctx, SPT_EIO, "not found", spt_store_import_json(store, "no such file", NULL));
    FAILS(ctx, SPT_EIO, "not found", spt_store_import_csv(store, "no such file", space, NULL));
    ck_assert_int_eq(spt_store_import_csv(store, path, NULL, NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_store_import_json(NULL, path, NULL), SPT_EINVAL);
    put_text(path, "{\"format\": \"spectune study\", \"version\": 2}");
    FAILS(ctx, SPT_EVERSION, "newer library (version 2;", spt_store_import_json(store, path, NULL));
    put_text(path, STUDY("\"directions\": [\"minimize\"], \"trials\": [],"
                         " \"system_attributes\": {\"spectune:format\": 2}"));
    FAILS(ctx, SPT_EVERSION, "newer library (format 2;", spt_store_import_json(store, path, NULL));
    put_text(path, TRIALS(""));
    FAILS(ctx, SPT_EINVAL, "1 to 512 bytes", spt_store_import_json(store, path, ""));
    OK(ctx, spt_store_import_json(store, path, NULL));
    FAILS(ctx, SPT_EBUSY, "has a study 's' already", spt_store_import_json(store, path, NULL));
    put_text(path, "state\nFAIL\n");
    FAILS(ctx, SPT_EBUSY, "has a study 's'", spt_store_import_csv(store, path, space, "s"));
    ck_assert_ptr_null(spt_store_study(store, 1));
    spt_space_free(space);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

/* Members in any order, as other programs write objects; several objectives. */
START_TEST(another_order)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    const char *path = path_of("order");
    put_text(path, "{\"trials\": [{\"values\": [1, \"-inf\"], \"attributes\": {\"\\u0061\": 1e-05},"
                   " \"steps\": [[3, \"NaN\"]], \"state\": \"complete\", \"number\": 0}],\n"
                   "\"directions\": [\"minimize\", \"maximize\"], \"version\": 1, \"records\": {},"
                   " \"format\": \"spectune study\", \"blocks\": {\"b\": \"AA\\u003d=\"},"
                   " \"study\": \"two\"}\n");
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_store_import_json(store, path, NULL));
    char *text = exported(ctx, store, NULL, SPT_EXPORT_JSON);
    ck_assert_ptr_nonnull(strstr(text, "\"values\": [1, \"-inf\"]"));
    ck_assert_ptr_nonnull(strstr(text, "{\"a\": 1e-05}"));
    ck_assert_ptr_nonnull(strstr(text, "\"directions\": [\"minimize\", \"maximize\"]"));
    ck_assert_ptr_nonnull(strstr(text, "{\"b\": \"AA==\"}"));
    free(text);
    text = exported(ctx, store, NULL, SPT_EXPORT_CSV);
    ck_assert_str_eq(text,
                     "number,state,values_0,values_1,datetime_start,datetime_complete,seconds,"
                     "intermediate_values_3,user_attrs_a\n0,COMPLETE,1,-inf,,,,NaN,1e-05\n");
    free(text);
    spt_store_free(store);
    ck_assert_int_eq(remove(path), 0);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("store import",
           tcase_add_loop_test(tcase, bad_table, 0, sizeof bad_tables / sizeof bad_tables[0]);
           tcase_add_loop_test(tcase, good_table, 0, 3); tcase_add_test(tcase, no_finite_value);
           tcase_add_loop_test(tcase, bad_document, 0, sizeof bad_json / sizeof bad_json[0]);
           tcase_add_test(tcase, other_refusals); tcase_add_test(tcase, another_order);)
