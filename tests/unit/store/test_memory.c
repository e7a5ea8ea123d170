/* Memory that runs out: every way out of a store and into one, with the allocation failing that is
 * reached next. Whatever fails says so, leaks nothing and leaves the store as it was. */
#include "failing.h"
#include "studied.h"

typedef struct {
    spt_store *from;
    spt_space *space;
    char csv[1100], json[1100];
} things;

static int32_t ignore_text(const char *text, int64_t size, void *user)
{
    (void)text;
    (void)user;
    return size > 0 ? SPT_OK : SPT_EINVAL;
}

static int32_t everything(spt_ctx *ctx, const things *t)
{
    spt_store *to = NULL;
    int32_t s = spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &to);
    if (s >= 0) s = spt_store_export_text(t->from, "s", SPT_EXPORT_CSV, ignore_text, NULL);
    if (s >= 0) s = spt_store_export_text(t->from, "s", SPT_EXPORT_JSON, ignore_text, NULL);
    if (s >= 0) s = spt_store_copy(t->from, "s", to, "copied");
    if (s >= 0) s = spt_store_import_json(to, t->json, NULL);
    if (s >= 0) s = spt_store_import_csv(to, t->csv, t->space, "table");
    if (s >= 0) s = spt_store_stamp(to, "5.0");
    spt_store_free(to);
    return s;
}

START_TEST(every_allocation)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    things t;
    snprintf(t.csv, sizeof t.csv, "%s.csv", file_name("memory"));
    snprintf(t.json, sizeof t.json, "%s.json", file_name("memory"));
    put_text(t.csv, "number,value,params_blocks,params_rate,params_kind,params_pool,"
                    "intermediate_values_0,user_attrs_a,datetime_start\n"
                    "1,2,1,0.5,relu,true,1,\"x,\"\"y\"\"\",2026-11-26 05:27:40\n"
                    "0,1,0,0.5,elu,false,2,3,2026-11-26 05:27:40\n");
    t.space = new_space(ctx);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &t.from));
    fill_study(ctx, t.from, true);
    OK(ctx, spt_store_export(t.from, "s", SPT_EXPORT_JSON, t.json));
    OK(ctx, everything(ctx, &t)); /* what is made once and kept */
    const long live = f.live;
    f.asked = 0;
    OK(ctx, everything(ctx, &t));
    const long all = f.asked;
    ck_assert_int_gt(all, 300);
    for (long limit = 0; limit < all; limit++) {
        f.until_failure = limit;
        const int32_t s = everything(ctx, &t);
        f.until_failure = -1;
        ck_assert_msg(s == SPT_ENOMEM, "allocation %ld of %ld: %s: %s", limit, all,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        ck_assert_int_eq(f.live, live);
    }
    spt_store_free(t.from);
    spt_space_free(t.space);
    remove(t.csv);
    remove(t.json);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("store memory", every_allocation)
