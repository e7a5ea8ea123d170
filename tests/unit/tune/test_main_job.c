/* The main job as a host does it: a table is read, a study tuned, the best confirmed, a model made,
 * written, read again and used, with every single allocation failing once. */
#include "failing.h"
#include "studies.h"

enum { ROWS = 10, COLUMNS = 12 };

static char table[ROWS * COLUMNS * 12];

static void make_table(void)
{
    char *at = table;
    at += sprintf(at, "id,y");
    for (int j = 0; j < COLUMNS; j++)
        at += sprintf(at, ",%d", 1000 + 10 * j);
    for (int i = 0; i < ROWS; i++) {
        at += sprintf(at, "\ns%d,%d.5", i, i);
        for (int j = 0; j < COLUMNS; j++)
            at += sprintf(at, ",0.%d", 2000 + 37 * i + 11 * j * (i % 3 + 1));
    }
    sprintf(at, "\n");
}

typedef struct job {
    spt_dataset *ds;
    spt_space *space;
    spt_options *csv, *o, *sampler;
    spt_cv *cv;
    spt_store *store;
    spt_study *study;
    spt_history *h;
    spt_model *model, *again;
    spt_fanova *fanova;
    spt_predictor *predictor;
    char *text;
} job;

static void close_job(job *j)
{
    spt_predictor_free(j->predictor);
    spt_fanova_free(j->fanova);
    spt_model_free(j->again);
    spt_model_free(j->model);
    spt_history_free(j->h);
    spt_study_free(j->study);
    spt_store_free(j->store);
    spt_cv_free(j->cv);
    spt_options_free(j->sampler);
    spt_options_free(j->o);
    spt_options_free(j->csv);
    spt_space_free(j->space);
    spt_dataset_free(j->ds);
    free(j->text);
}

#define TRY(call) \
    if ((s = (call)) < 0) return s

static int32_t make_space(spt_ctx *ctx, spt_space **space)
{
    int32_t s;
    TRY(spt_space_new(ctx, "main", space));
    TRY(spt_space_add_int(*space, "conv_blocks", 0, 1, 1, 0, 1));
    TRY(spt_space_add_int(*space, "conv_1_filters", 2, 3, 1, 0, 2));
    TRY(spt_space_add_condition(*space, "conv_1_filters", "conv_blocks", SPT_OP_EQ,
                                (const char *[]){"1"}, 1));
    TRY(spt_space_add_int(*space, "fc_blocks", 0, 0, 1, 0, 0));
    return spt_space_add_float(*space, "learning_rate", 1e-3, 1e-1, 0, 1, 1e-2);
}

static int32_t tune(spt_ctx *ctx, const char *url, job *j)
{
    int32_t s;
    TRY(spt_cv_options_new(ctx, &j->o));
    TRY(spt_options_set_number(j->o, "folds", 2));
    TRY(spt_options_set_number(j->o, "epochs", 1));
    TRY(spt_cv_new(ctx, j->ds, NULL, "y", j->o, &j->cv));
    TRY(spt_sampler_options_new(ctx, &j->sampler));
    TRY(spt_options_set_number(j->sampler, "startup", 2));
    TRY(spt_store_open(ctx, url, SPT_STORE_CREATE, &j->store));
    TRY(spt_study_open(j->store, "s", j->space, j->sampler, &j->study));
    TRY(spt_study_set_cv(j->study, j->cv));
    TRY(spt_study_run(j->study, 3, 0));
    TRY(spt_study_confirm(j->study, 1, 1, NULL));
    TRY(spt_study_run(j->study, 4, 0));
    return spt_study_history(j->study, &j->h);
}

static int32_t use(spt_ctx *ctx, job *j)
{
    int32_t s;
    int64_t needed = 0;
    TRY(spt_fanova_new(ctx, j->h, NULL, &j->fanova));
    TRY(spt_cv_model(j->cv, j->h, spt_history_confirmed(j->h), 0, NULL, NULL, &j->model));
    s = spt_model_xml(ctx, j->model, NULL, 0, &needed);
    if (s < 0 && s != SPT_ECAPACITY) return s;
    j->text = malloc((size_t)needed);
    TRY(spt_model_xml(ctx, j->model, j->text, needed, &needed));
    TRY(spt_model_read_memory(ctx, j->text, needed - 1, "model", &j->again));
    return spt_predictor_new(ctx, j->again, &j->predictor);
}

static int32_t main_job(spt_ctx *ctx, const char *url)
{
    job j = {.ds = NULL};
    int32_t s = spt_csv_options_new(ctx, &j.csv);
    if (s >= 0) s = spt_options_set_text(j.csv, "unit", "absorbance");
    if (s >= 0)
        s = spt_dataset_read_csv_memory(ctx, table, (int64_t)strlen(table), "table", j.csv, &j.ds);
    if (s >= 0) s = make_space(ctx, &j.space);
    if (s >= 0) s = tune(ctx, url, &j);
    if (s >= 0) s = use(ctx, &j);
    /* what failed has left nothing in its output */
    ck_assert((s >= 0) == (j.predictor != NULL));
    close_job(&j);
    return s;
}

START_TEST(every_allocation)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    OK(ctx, spt_ctx_set_threads(ctx, 1));
    make_table();
    OK(ctx, main_job(ctx, "memory:"));
    f.asked = 0;
    OK(ctx, main_job(ctx, "memory:"));
    const long all = f.asked, live = f.live;
    for (long limit = 0; limit < all; limit++) {
        f.until_failure = limit;
        const int32_t s = main_job(ctx, "memory:");
        f.until_failure = -1;
        ck_assert_msg(s == SPT_ENOMEM, "allocation %ld of %ld: %s: %s", limit, all,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        ck_assert_int_eq(f.live, live);
    }
    ck_assert_int_gt(all, 2000);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("main job", every_allocation)
