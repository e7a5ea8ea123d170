/* Memory that runs out at every single allocation: SPT_ENOMEM, nothing made, nothing left. */
#include "models.h"

typedef struct meter {
    int64_t live; /* blocks */
    int64_t left; /* allocations until one fails; negative: none does */
} meter;

static int fails(meter *m)
{
    if (m->left < 0) return 0;
    return m->left-- == 0;
}

static void *meter_alloc(size_t size, void *user)
{
    meter *m = user;
    if (fails(m)) return NULL;
    m->live++;
    return malloc(size);
}

static void *meter_realloc(void *block, size_t size, void *user)
{
    meter *m = user;
    if (fails(m)) return NULL;
    m->live += block == NULL;
    return realloc(block, size);
}

static void meter_free(void *block, void *user)
{
    meter *m = user;
    m->live -= block != NULL;
    free(block);
}

typedef struct bench {
    meter m;
    spt_ctx *ctx;
    spt_dataset *dataset, *fine;
    spt_prep *prep;
    spt_config *config;
    spt_model *model;
    spt_network *network;
    spt_predictor *predictor;
    char *text;
    int64_t size;
} bench;

/* A call that makes a thing and frees it. */
typedef int32_t (*step)(bench *b);

static int32_t drop(int32_t status, spt_model *model)
{
    ck_assert(status == SPT_OK || model == NULL);
    spt_model_free(model);
    return status;
}

static int32_t fit(bench *b)
{
    spt_model *model = NULL;
    spt_options *options = NULL;
    int32_t status = spt_fit_options_new(b->ctx, &options);
    if (status == SPT_OK) status = spt_options_set_text(options, "group", "batch");
    if (status == SPT_OK)
        status = spt_model_fit(b->ctx, b->dataset, b->prep, "fat", b->config, 0, options, NULL,
                               NULL, NULL, &model);
    spt_options_free(options);
    return drop(status, model);
}

static int32_t assemble(bench *b)
{
    spt_model *model = NULL;
    int32_t status = spt_model_assemble(b->ctx, b->dataset, b->prep, SPT_CHANNEL_A, NULL,
                                        b->network, "fat", NULL, NULL, SPT_TRANSFORM_NONE, &model);
    return drop(status, model);
}

static int32_t note(bench *b)
{
    spt_model *model = NULL;
    int32_t status = spt_model_with_note(b->ctx, b->model, "note", "text", &model);
    return drop(status, model);
}

static int32_t join(bench *b)
{
    spt_model *model = NULL;
    const spt_model *two[] = {b->model, b->model};
    int32_t status = spt_model_ensemble(b->ctx, two, 2, &model);
    return drop(status, model);
}

static int32_t read_back(bench *b)
{
    spt_model *model = NULL;
    int32_t status = spt_model_read_memory(b->ctx, b->text, b->size, "m", &model);
    return drop(status, model);
}

static int32_t write_out(bench *b)
{
    int64_t needed = 0;
    return spt_model_xml(b->ctx, b->model, b->text, b->size + 1, &needed);
}

static int32_t predictor(bench *b)
{
    spt_predictor *p = NULL;
    int32_t status = spt_predictor_new(b->ctx, b->model, &p);
    ck_assert(status == SPT_OK || p == NULL);
    spt_predictor_free(p);
    return status;
}

static int32_t resample(bench *b)
{
    double values[20];
    int64_t needed = 0;
    return spt_predictor_dataset(b->predictor, b->fine, SPT_PREDICT_RESAMPLE, values, 20, &needed,
                                 NULL, NULL);
}

static void exhaust(bench *b, const char *name, step fn)
{
    int64_t n = 0;
    for (;; n++) {
        int64_t before = b->m.live;
        b->m.left = n;
        int32_t status = fn(b);
        b->m.left = -1;
        ck_assert_msg(b->m.live == before, "%s: %lld blocks left after failure %lld", name,
                      (long long)(b->m.live - before), (long long)n);
        if (status == SPT_OK) break;
        ck_assert_msg(status == SPT_ENOMEM, "%s, allocation %lld: %d (%s)", name, (long long)n,
                      (int)status, spt_ctx_last_error(b->ctx));
        ck_assert_msg(n < 100000, "%s never succeeds", name);
    }
    ck_assert_msg(n > 0, "%s allocates nothing", name);
}

static void set_up(bench *b)
{
    spt_allocator a;
    spt_record_init(&a, sizeof a);
    *b = (bench){.m = {.left = -1}};
    a.alloc = meter_alloc;
    a.realloc = meter_realloc;
    a.free = meter_free;
    a.user = &b->m;
    ck_assert_int_eq(spt_ctx_new(&a, &b->ctx), SPT_OK);
    b->dataset = make_spectra(b->ctx, 20, 24);
    b->prep = make_recipe(b->ctx);
    b->config = make_config(b->ctx);
    OK(b->ctx, spt_config_set_number(b->config, "epochs", 2));
    b->model = make_model(b->ctx, b->dataset, b->prep, 1);
    OK(b->ctx, spt_network_new(b->ctx, 9, 1, 1, &b->network));
    OK(b->ctx, spt_network_finish(b->network, 1));
    OK(b->ctx, spt_predictor_new(b->ctx, b->model, &b->predictor));
    b->text = document(b->ctx, b->model, &b->size);
    /* the same range in other steps */
    double positions[40];
    for (int j = 0; j < 40; j++)
        positions[j] = 1100 + 46.0 * j / 39;
    OK(b->ctx, spt_dataset_resample(b->ctx, b->dataset, positions, 40, &b->fine));
}

START_TEST(every_allocation)
{
    bench b;
    set_up(&b);
    exhaust(&b, "fit", fit);
    exhaust(&b, "assemble", assemble);
    exhaust(&b, "note", note);
    exhaust(&b, "join", join);
    exhaust(&b, "read", read_back);
    exhaust(&b, "write", write_out);
    exhaust(&b, "predictor", predictor);
    exhaust(&b, "resample", resample);
    spt_predictor_free(b.predictor);
    spt_network_free(b.network);
    spt_model_free(b.model);
    spt_config_free(b.config);
    spt_prep_free(b.prep);
    spt_dataset_free(b.fine);
    spt_dataset_free(b.dataset);
    spt_ctx_free(b.ctx);
    ck_assert_int_eq(b.m.live, 0);
    free(b.text);
}
END_TEST

TEST_MAIN("model_memory", every_allocation)
