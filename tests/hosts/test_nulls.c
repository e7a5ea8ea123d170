/* NULL where a handle, a name or an array should be: SPT_EINVAL, NULL, NaN or nothing, from every
 * public function, and no out-parameter left as it was. The calls are written by nulls.py from the
 * headers. */
#include "world.h"

#include <spectune/experimental.h>

static int nowhere, destroyed;
static const double numbers[4096];
static double numbers_out[4096];
static const float floats[4096];
static float floats_out[4096];
static const int32_t ints[4096];
static int32_t ints_out[4096];
static const int64_t longs[4096];
static int64_t longs_out[4096];
static const char bytes[4096], *const texts[] = {"y", "y"}, *text;
static char bytes_out[4096], text_out[4096];

static void count_destroy(void *user)
{
    ck_assert_ptr_eq(user, &destroyed);
    destroyed++;
}

/* What the functions of calls.h are held to. */
static const char *now_calling;
static int now_missing;

static void negative(int64_t result)
{
    ck_assert_msg(result == SPT_EINVAL, "%s, parameter %d is NULL: %lld", now_calling, now_missing,
                  (long long)result);
}

static void not_a_number(double result)
{
    ck_assert_msg(isnan(result), "%s: %g", now_calling, result);
}

static void null(const void *result)
{
    ck_assert_msg(result == NULL, "%s: not NULL", now_calling);
}

static void words(const char *result)
{
    ck_assert_msg(result != NULL || strstr(now_calling, "_name"), "%s: NULL", now_calling);
}

static void a_callback(void)
{
}

/* A space that may still be added to. */
static spt_space *an_open_space;

#include "calls.h"

static world w;

static void setup(void)
{
    world_new(&w);
    OK(w.ctx, spt_space_new(w.ctx, "open", &an_open_space));
    OK(w.ctx, spt_space_add_float(an_open_space, "y", 0, 1, 0, 0, 0.5));
    OK(w.ctx, spt_space_forbid(an_open_space));
    init_records();
}

static void teardown(void)
{
    spt_space_free(an_open_space);
    world_free(&w);
}

START_TEST(everything)
{
    now_calling = calls[_i].name;
    now_missing = -1;
    calls[_i].call(&w, -1);
}
END_TEST

START_TEST(one_at_a_time)
{
    now_calling = calls[_i].name;
    for (int k = 0; k < calls[_i].n; k++) {
        now_missing = calls[_i].needed[k].index;
        destroyed = 0;
        calls[_i].call(&w, now_missing);
        ck_assert_msg(destroyed == calls[_i].destroys, "%s: destroy ran %d times after a failure",
                      now_calling, destroyed);
    }
}
END_TEST

SUITE_MAIN("nulls", tcase_add_unchecked_fixture(tcase, setup, teardown);
           const int n = (int)(sizeof calls / sizeof calls[0]);
           tcase_add_loop_test(tcase, everything, 0, n);
           tcase_add_loop_test(tcase, one_at_a_time, 0, n);)
