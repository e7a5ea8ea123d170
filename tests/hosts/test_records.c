/* Records meet programs that are older (a shorter record) or newer (a longer one) than the library:
 * byte by byte, for every size, nothing is written beyond the host's record, what both know agrees,
 * what only the host knows is 0. */
#include "world.h"

enum { ROOM = 512, FILL = 0xa5, NEWER = 40 };

typedef union {
    unsigned char bytes[ROOM];
    uint32_t struct_size;
    double aligned;
} record;

static world w;

static void setup(void)
{
    world_new(&w);
}

static void teardown(void)
{
    world_free(&w);
}

static void set_size(record *r, uint32_t size)
{
    memset(r->bytes, FILL, ROOM);
    r->struct_size = size;
}

static void untouched(const record *r, size_t from, const char *what, uint32_t size)
{
    for (size_t i = from; i < ROOM; i++)
        if (r->bytes[i] != FILL)
            ck_abort_msg("%s of %u bytes: byte %zu was written", what, size, i);
}

/* ---- records made by the host ------------------------------------------------------------------
 */

START_TEST(init)
{
    for (uint32_t size = 4; size <= ROOM; size++) {
        record r;
        set_size(&r, 0);
        spt_record_init(&r, size);
        ck_assert_uint_eq(r.struct_size, size);
        for (size_t i = 4; i < size; i++)
            ck_assert_int_eq(r.bytes[i], 0);
        untouched(&r, size, "a record", size);
    }
    for (uint32_t size = 0; size < 4; size++) {
        record r;
        set_size(&r, FILL * 0x01010101u);
        spt_record_init(&r, size); /* no room for the size itself: nothing happens */
        untouched(&r, 0, "a record", size);
    }
}
END_TEST

/* Every record of the headers, by its type: init function and members that C itself zeroes are the
 * same bytes. */
#define RECORD(type)                                       \
    do {                                                   \
        static const type zero;                            \
        type made, other = zero;                           \
        ck_assert_uint_eq(offsetof(type, struct_size), 0); \
        memset(&made, FILL, sizeof made);                  \
        spt_record_init(&made, sizeof made);               \
        memset(&other, 0, sizeof other);                   \
        other.struct_size = sizeof other;                  \
        ck_assert_mem_eq(&made, &other, sizeof made);      \
        ck_assert_msg(sizeof made <= ROOM - NEWER, #type); \
        ck_assert_msg(sizeof made % 8 == 0, #type);        \
    } while (0);

START_TEST(every_record)
{
#include "records.h"
} END_TEST

/* ---- records that the library fills ------------------------------------------------------------
 */

static int32_t option(void *r)
{
    return spt_options_describe(w.options, 0, r);
}

static int32_t column(void *r)
{
    return spt_dataset_column(w.dataset, 0, r);
}

static int32_t parameter(void *r)
{
    return spt_space_describe(w.space, 1, r);
}

static int32_t tensor(void *r)
{
    return spt_network_tensor(w.network, 0, r);
}

static int32_t statistics(void *r)
{
    static const double reference[] = {1, 2, 3, 4}, predicted[] = {1.1, 2.1, 2.8, 4.3};
    return spt_statistics_compute(reference, predicted, 4, r);
}

static int32_t trial(void *r)
{
    return spt_history_trial(w.history, 1, r);
}

static int32_t importance(void *r)
{
    return spt_fanova_main(w.fanova, 0, r);
}

static int32_t interaction(void *r)
{
    const int64_t both[] = {0, 2};
    return spt_fanova_subset(w.ctx, w.fanova, both, 2, r);
}

/* All of one training: `seconds` differs from run to run and is cut off by the size compared. */
static int32_t report(void *r)
{
    static const float x[2 * WORLD_BANDS] = {0.5f}, y[2] = {0, 1};
    static const int64_t rows[] = {0, 1};
    spt_network *network = NULL;
    int32_t status = spt_network_from_config(w.ctx, w.config, WORLD_BANDS, 1, 1, 7, &network);
    if (status == SPT_OK)
        status =
            spt_network_fit(network, x, y, NULL, 2, rows, 2, NULL, 0, w.options, NULL, NULL, r);
    spt_network_free(network);
    return status;
}

static const struct {
    const char *name;
    uint32_t size, compared; /* of this library's headers */
    int32_t (*fill)(void *);
} filled[] = {
    {"spt_option_info", sizeof(spt_option_info), sizeof(spt_option_info), option},
    {"spt_column_info", sizeof(spt_column_info), sizeof(spt_column_info), column},
    {"spt_parameter_info", sizeof(spt_parameter_info), sizeof(spt_parameter_info), parameter},
    {"spt_tensor_info", sizeof(spt_tensor_info), sizeof(spt_tensor_info), tensor},
    {"spt_statistics", sizeof(spt_statistics), sizeof(spt_statistics), statistics},
    {"spt_trial_info", sizeof(spt_trial_info), sizeof(spt_trial_info), trial},
    {"spt_importance", sizeof(spt_importance), sizeof(spt_importance), importance},
    {"spt_interaction", sizeof(spt_interaction), sizeof(spt_interaction), interaction},
    {"spt_training_report", sizeof(spt_training_report), offsetof(spt_training_report, seconds),
     report},
};

START_TEST(of_every_size)
{
    record whole;
    const char *name = filled[_i].name;
    set_size(&whole, filled[_i].size);
    OK(w.ctx, filled[_i].fill(&whole));
    untouched(&whole, filled[_i].size, name, filled[_i].size);
    for (uint32_t size = 4; size <= filled[_i].size + NEWER; size++) {
        record r;
        set_size(&r, size);
        OK(w.ctx, filled[_i].fill(&r));
        ck_assert_msg(r.struct_size == size, "%s: its size was changed from %u to %u", name, size,
                      r.struct_size);
        untouched(&r, size, name, size);
        const size_t same = size < filled[_i].compared ? size : filled[_i].compared;
        ck_assert_msg(memcmp(r.bytes + 4, whole.bytes + 4, same - 4) == 0,
                      "%s of %u bytes has other contents", name, size);
        for (size_t i = filled[_i].size; i < size; i++)
            ck_assert_msg(r.bytes[i] == 0, "%s of %u bytes: byte %zu is not 0", name, size, i);
    }
}
END_TEST

/* A record that nobody initialised is refused, and stays as it is. */
START_TEST(without_a_size)
{
    static const uint32_t sizes[] = {0, 1, 3, 1u << 20, UINT32_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        record r;
        set_size(&r, sizes[k]);
        ck_assert_msg(filled[_i].fill(&r) == SPT_EINVAL, "%s with a size of %u", filled[_i].name,
                      sizes[k]);
        untouched(&r, 4, filled[_i].name, sizes[k]);
    }
}
END_TEST

/* ---- records that the library reads ------------------------------------------------------------
 */

static void *take(size_t size, void *user)
{
    ++*(int *)user;
    return malloc(size);
}

static void *retake(void *block, size_t size, void *user)
{
    (void)user;
    return realloc(block, size);
}

static void give(void *block, void *user)
{
    (void)user;
    free(block);
}

/* What a longer record has beyond ours is not looked at; a shorter one lacks its last members. */
START_TEST(read_of_every_size)
{
    static const double x[2 * 3] = {0.5, 0.6, 0.7, 0.6, 0.7, 0.8}, axis[] = {1, 2, 3};
    /* Members are whole in any version of a record. */
    for (uint32_t size = 8; size <= sizeof(spt_allocator) + NEWER; size += 8) {
        int count = 0;
        record r;
        spt_allocator a;
        spt_ctx *ctx = NULL;
        spt_record_init(&a, sizeof a);
        a.alloc = take;
        a.realloc = retake;
        a.free = give;
        a.user = &count;
        set_size(&r, 0);
        memcpy(&r, &a, sizeof a < size ? sizeof a : size);
        r.struct_size = size;
        int32_t status = size >= sizeof a ? SPT_OK : SPT_EINVAL;
        if (size == offsetof(spt_allocator, user))
            continue; /* all but `user`, which take() wants */
        ck_assert_int_eq(spt_ctx_new((void *)&r, &ctx), status);
        ck_assert_int_eq(count, status == SPT_OK);
        spt_ctx_free(ctx);
    }
    for (uint32_t size = 8; size <= sizeof(spt_matrix) + NEWER; size += 8) {
        record r;
        spt_matrix m;
        spt_dataset *dataset = NULL;
        spt_record_init(&m, sizeof m);
        m.dtype = SPT_FLOAT64;
        m.data = x;
        m.rows = 2;
        m.cols = 3;
        set_size(&r, 0);
        memcpy(&r, &m, sizeof m < size ? sizeof m : size);
        r.struct_size = size;
        int32_t status = spt_dataset_new(w.ctx, (void *)&r, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE,
                                         0, NULL, NULL, &dataset);
        if (size >= sizeof m) ck_assert_int_eq(status, SPT_OK);
        if (size < offsetof(spt_matrix, rows)) ck_assert_int_eq(status, SPT_EINVAL);
        spt_dataset_free(dataset);
    }
}
END_TEST

/* ---- records that callbacks are given ----------------------------------------------------------
 */

static int32_t told_epoch(const spt_epoch *epoch, void *user)
{
    ck_assert_uint_eq(epoch->struct_size, sizeof(spt_epoch));
    ++*(int *)user;
    return SPT_OK;
}

static int32_t told_event(const spt_event *event, void *user)
{
    ck_assert_uint_eq(event->struct_size, sizeof(spt_event));
    ++*(int *)user;
    return SPT_OK;
}

START_TEST(given_to_callbacks)
{
    int epochs = 0, events = 0;
    spt_model *model = NULL;
    spt_study *study = NULL;
    OK(w.ctx, spt_model_fit(w.ctx, w.dataset, NULL, "y", w.config, 2, NULL, told_epoch, &epochs,
                            NULL, &model));
    ck_assert_int_eq(epochs, 2);
    spt_model_free(model);
    OK(w.ctx, spt_study_open(w.store, "another", w.space, NULL, &study));
    OK(w.ctx, spt_study_set_cv(study, w.cv));
    OK(w.ctx, spt_study_set_events(study, told_event, &events, NULL));
    OK(w.ctx, spt_study_run(study, 1, 0));
    ck_assert_int_gt(events, 3);
    spt_study_free(study);
}
END_TEST

SUITE_MAIN("records", tcase_add_unchecked_fixture(tcase, setup, teardown);
           const int n = (int)(sizeof filled / sizeof filled[0]); tcase_add_test(tcase, init);
           tcase_add_test(tcase, every_record); tcase_add_loop_test(tcase, of_every_size, 0, n);
           tcase_add_loop_test(tcase, without_a_size, 0, n);
           tcase_add_test(tcase, read_of_every_size); tcase_add_test(tcase, given_to_callbacks);)
