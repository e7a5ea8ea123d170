/* What every unit test shares: a context per test, comparisons that print both sides, a main(). */
#ifndef SPT_TESTS_TESTING_H
#define SPT_TESTS_TESTING_H

#include "spectune.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With SPT_TEST_KERNELS in the environment the contexts of a test use these kernels; meson runs the
 * suites that compute once for each table. */
static inline int32_t testing_ctx_new(const spt_allocator *allocator, spt_ctx **out)
{
    int32_t status = spt_ctx_new(allocator, out);
    const char *kernels = getenv("SPT_TEST_KERNELS");
    if (status == SPT_OK && kernels) status = spt_ctx_set_kernels(*out, kernels);
    return status;
}
#define spt_ctx_new(allocator, out) testing_ctx_new(allocator, out)

/* The machine has the instructions that the suite is asked to use. */
static inline bool testing_kernels_run(void)
{
    const char *kernels = getenv("SPT_TEST_KERNELS");
    if (!kernels) return true;
    for (int32_t i = 0; spt_kernels_name(i); i++)
        if (!strcmp(spt_kernels_name(i), kernels)) return true;
    printf("skipped: this machine cannot run the kernels '%s'\n", kernels);
    return false;
}

/* Places of an array, as functions of the library take them. */
#define LENGTH(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

/* A view of rows that follow each other. */
static inline spt_matrix matrix_of(int32_t dtype, const void *data, int64_t rows, int64_t cols)
{
    spt_matrix m;
    spt_record_init(&m, sizeof m);
    m.dtype = dtype;
    m.data = data;
    m.rows = rows;
    m.cols = cols;
    return m;
}

/* The call must succeed; else the test fails with the library's own words. */
#define OK(ctx, call)                                                                    \
    do {                                                                                 \
        int32_t ok_status_ = (call);                                                     \
        ck_assert_msg(ok_status_ >= 0, "%s: %s: %s", #call, spt_status_name(ok_status_), \
                      spt_ctx_last_error(ctx));                                          \
    } while (0)

/* The call must fail with this status, and the text must hold `words` and be one line. */
#define FAILS(ctx, expected, words, call)                                                          \
    do {                                                                                           \
        int32_t fails_status_ = (call);                                                            \
        ck_assert_msg(fails_status_ == (expected), "%s: %s, expected %s (%s)", #call,              \
                      spt_status_name(fails_status_), spt_status_name(expected),                   \
                      spt_ctx_last_error(ctx));                                                    \
        ck_assert_msg(strstr(spt_ctx_last_error(ctx), (words)) != NULL, "%s: \"%s\" lacks \"%s\"", \
                      #call, spt_ctx_last_error(ctx), (words));                                    \
        ck_assert_msg(strchr(spt_ctx_last_error(ctx), '\n') == NULL, "%s: more than one line",     \
                      #call);                                                                      \
    } while (0)

/* |a - b| <= tol * max(1, |b|). Check hears of failures only: a word to it for every comparison of
 * an array would take longer than the comparisons. */
#define NEAR(a, b, tol)                                                       \
    do {                                                                      \
        double near_a_ = (double)(a), near_b_ = (double)(b);                  \
        if (!(fabs(near_a_ - near_b_) <= (tol)*fmax(1.0, fabs(near_b_))))     \
            ck_abort_msg("%s = %.17g, %s = %.17g", #a, near_a_, #b, near_b_); \
    } while (0)

/* |a - b| <= tol * |b| */
#define RELATIVE(a, b, tol)                                                   \
    do {                                                                      \
        double near_a_ = (double)(a), near_b_ = (double)(b);                  \
        if (!(fabs(near_a_ - near_b_) <= (tol)*fabs(near_b_)))                \
            ck_abort_msg("%s = %.17g, %s = %.17g", #a, near_a_, #b, near_b_); \
    } while (0)

/* A main() that runs the tests which the statements add to `tcase`, in the locale of the
 * environment: the suite must pass in any. With CK_RUN_... and CK_FORK as Check documents them. */
#define SUITE_MAIN(name, ...)                               \
    int main(void)                                          \
    {                                                       \
        setlocale(LC_ALL, "");                              \
        if (!testing_kernels_run()) return 77;              \
        Suite *suite_ = suite_create(name);                 \
        TCase *tcase = tcase_create(name);                  \
        tcase_set_timeout(tcase, 240);                      \
        __VA_ARGS__                                         \
        suite_add_tcase(suite_, tcase);                     \
        SRunner *runner_ = srunner_create(suite_);          \
        srunner_run_all(runner_, CK_NORMAL);                \
        const int failed_ = srunner_ntests_failed(runner_); \
        srunner_free(runner_);                              \
        return failed_ != 0;                                \
    }

/* The same for tests that run once each. */
#define TEST_MAIN(name, ...)                                                    \
    SUITE_MAIN(name, const TTest *const tests_[] = {__VA_ARGS__};               \
               for (size_t i_ = 0; i_ < sizeof tests_ / sizeof tests_[0]; i_++) \
                   tcase_add_test(tcase, tests_[i_]);)

#endif
