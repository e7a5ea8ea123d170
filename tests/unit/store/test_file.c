/* Study files: what is refused, what a killed process leaves, two processes at once, full disks. */
#include "stores.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void put_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(refusals)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    const char *path = file_name("refusals");
    char url[1100];
    remove(path);
    FAILS(ctx, SPT_EIO, "no such study file", spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
    FAILS(ctx, SPT_EIO, "no such study file",
          spt_store_open(ctx, path, SPT_STORE_READONLY, &store));
    ck_assert_int_ne(access(path, F_OK), 0);
    FAILS(ctx, SPT_EIO, "directory", spt_store_open(ctx, "/tmp", SPT_STORE_CREATE, &store));
    FAILS(ctx, SPT_EUNSUPPORTED, "mysql://",
          spt_store_open(ctx, "mysql://x/y", SPT_STORE_OPEN, &store));
    FAILS(ctx, SPT_EINVAL, "empty", spt_store_open(ctx, "", SPT_STORE_OPEN, &store));
    FAILS(ctx, SPT_EINVAL, "mode is 9", spt_store_open(ctx, path, 9, &store));
    /* longer than the header of a hundred bytes that SQLite looks at first */
    memset(url, 'x', sizeof url);
    put_file(path, url, 200);
    FAILS(ctx, SPT_EFORMAT, "is not a study file",
          spt_store_open(ctx, path, SPT_STORE_CREATE, &store));
    put_file(path, "", 0);
    FAILS(ctx, SPT_EFORMAT, "is empty", spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
    snprintf(url, sizeof url, "sqlite:///%s", path);
    OK(ctx, spt_store_open(ctx, url, SPT_STORE_CREATE, &store));
    spt_store_free(store);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

/* A study with `n` trials in a new file. */
static void make_file(spt_ctx *ctx, const char *path, int n)
{
    spt_store *store = NULL;
    spt_space *space = new_space(ctx);
    spt_config *config = new_config(ctx, space, 2, 0.5, 1);
    int64_t study;
    bool made;
    remove(path);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_CREATE, &store));
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    for (int i = 0; i < n; i++)
        add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, i);
    spt_store_free(store);
    spt_config_free(config);
    spt_space_free(space);
}

START_TEST(nothing_before_the_first_study)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    const char *path = file_name("lazy");
    remove(path);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_CREATE, &store));
    ck_assert_ptr_null(spt_store_study(store, 0));
    spt_store_free(store);
    ck_assert_int_ne(access(path, F_OK), 0);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(cut_and_foreign_files)
{
    spt_ctx *ctx = new_ctx();
    spt_store *store = NULL;
    spt_history *h = NULL;
    const char *path = file_name("cut");
    make_file(ctx, path, 40);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    /* whatever is cut off, an error and no crash; and the whole file still opens after it */
    char *data = malloc((size_t)st.st_size);
    FILE *f = fopen(path, "rb");
    ck_assert_uint_eq(fread(data, 1, (size_t)st.st_size, f), (size_t)st.st_size);
    fclose(f);
    for (int k = 1; k < 20; k++) {
        put_file(path, data, (size_t)(st.st_size * k / 20));
        int32_t s = spt_store_open(ctx, path, SPT_STORE_OPEN, &store);
        if (s == SPT_OK) s = spt_history_read(store, "s", &h);
        ck_assert_int_lt(s, 0);
        ck_assert_ptr_null(h);
        spt_store_free(store);
    }
    put_file(path, data, (size_t)st.st_size);
    free(data);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_READONLY, &store));
    OK(ctx, spt_history_read(store, NULL, &h));
    ck_assert_int_eq(spt_history_count(h), 40);
    int64_t study;
    bool made;
    spt_space *space = new_space(ctx);
    OK(ctx, spt__store_find_study(store, "s", &study));
    FAILS(ctx, SPT_EINVAL, "read only", spt__store_make_study(store, "t", space, &study, &made));
    spt_space_free(space);
    spt_history_free(h);
    spt_store_free(store);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

/* The child finishes trials as fast as it can and tells of each on a pipe, after it is durable. */
static void child(const char *path, int out)
{
    spt_ctx *ctx = NULL;
    spt_store *store = NULL;
    int64_t study, id, number;
    if (spt_ctx_new(NULL, &ctx) < 0) _exit(3);
    if (spt_store_open(ctx, path, SPT_STORE_OPEN, &store) < 0) _exit(4);
    if (spt__store_find_study(store, "s", &study) < 0) _exit(5);
    spt_space *space = NULL;
    if (spt__store_space(store, study, &space, NULL) < 0) _exit(6);
    spt_config *config = NULL;
    if (spt_config_new(ctx, space, &config) < 0) _exit(7);
    for (;;) {
        spt__finish f = {.state = SPT_TRIAL_COMPLETE, .value = 1};
        if (new_trial(store, study, config, &id, &number) < 0) _exit(8);
        if (spt__store_trial_step(store, id, 0, 1) < 0) _exit(9);
        if (spt__store_trial_finish(store, id, &f) < 0) _exit(10);
        if (write(out, &number, sizeof number) != sizeof number) _exit(11);
    }
}

START_TEST(killed)
{
    spt_ctx *ctx = new_ctx();
    const char *path = file_name("killed");
    make_file(ctx, path, 0);
    int64_t told = 0;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        const pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            child(path, ends[1]);
        }
        close(ends[1]);
        int64_t number;
        /* However slow the machine is: every other round something was finished before the end. */
        if (round % 2 == 1) {
            ck_assert_int_eq(read(ends[0], &number, sizeof number), sizeof number);
            told++;
        }
        usleep((useconds_t)(2000 + 3700 * round));
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        while (read(ends[0], &number, sizeof number) == sizeof number)
            told++;
        close(ends[0]);
        int how;
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        spt_store *store = NULL;
        spt_history *h = NULL;
        int64_t study, failed;
        OK(ctx, spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
        OK(ctx, spt__store_find_study(store, "s", &study));
        failed = fail_stale(store, study, 3600);
        ck_assert_int_ge(failed, 0);
        ck_assert_int_le(failed, 1);
        OK(ctx, spt_history_read(store, "s", &h));
        /* every trial we were told of is there; at most one per round was not told in time */
        ck_assert_int_ge(spt_history_finished(h), told);
        ck_assert_int_le(spt_history_finished(h), told + round + 1);
        for (int64_t i = 0; i < spt_history_count(h); i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            OK(ctx, spt_history_trial(h, i, &info));
            ck_assert_int_eq(info.number, i);
            ck_assert(info.state == SPT_TRIAL_COMPLETE || info.state == SPT_TRIAL_FAILED);
        }
        spt_history_free(h);
        spt_store_free(store);
    }
    ck_assert_int_gt(told, 0);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(two_processes_make_one_study)
{
    spt_ctx *ctx = new_ctx();
    const char *path = file_name("two");
    enum { N = 4, EACH = 10 };
    remove(path);
    pid_t pid[N];
    for (int k = 0; k < N; k++) {
        pid[k] = fork();
        if (pid[k] != 0) continue;
        spt_ctx *c = NULL;
        spt_store *store = NULL;
        int64_t study, id, number;
        bool made;
        if (spt_ctx_new(NULL, &c) < 0 || spt_store_open(c, path, SPT_STORE_CREATE, &store) < 0)
            _exit(3);
        spt_space *space = new_space(c);
        spt_config *config = new_config(c, space, 1, 0.5, 0);
        if (spt__store_make_study(store, "s", space, &study, &made) < 0) _exit(4);
        for (int i = 0; i < EACH; i++) {
            spt__finish f = {.state = SPT_TRIAL_COMPLETE, .value = i};
            if (new_trial(store, study, config, &id, &number) < 0 ||
                spt__store_trial_finish(store, id, &f) < 0)
                _exit(5);
        }
        spt_config_free(config);
        spt_space_free(space);
        spt_store_free(store);
        spt_ctx_free(c);
        spt_ctx_free(ctx);
        _exit(0);
    }
    for (int k = 0; k < N; k++) {
        int how;
        ck_assert_int_eq(waitpid(pid[k], &how, 0), pid[k]);
        ck_assert_msg(WIFEXITED(how) && WEXITSTATUS(how) == 0, "child %d: %d", k, how);
    }
    spt_store *store = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
    OK(ctx, spt_history_read(store, NULL, &h));
    ck_assert_int_eq(spt_history_count(h), N * EACH);
    for (int64_t i = 0; i < N * EACH; i++) {
        spt_trial_info info;
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_history_trial(h, i, &info));
        ck_assert_int_eq(info.number, i);
        ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
    }
    spt_history_free(h);
    spt_store_free(store);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(full_disk)
{
    spt_ctx *ctx = new_ctx();
    const char *path = file_name("full");
    spt_store *store = NULL;
    spt_history *h = NULL;
    int64_t study, before;
    make_file(ctx, path, 5);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    OK(ctx, spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
    OK(ctx, spt__store_find_study(store, NULL, &study));
    spt_space *space = NULL;
    OK(ctx, spt__store_space(store, study, &space, NULL));
    spt_config *config = new_config(ctx, space, 1, 0.5, 0);
    /* files may not grow past what this one has (a disk that is full says the same) */
    struct rlimit old, tight;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)st.st_size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int32_t s = SPT_OK;
    for (int i = 0; i < 500 && s >= 0; i++) {
        int64_t id, number;
        s = new_trial(store, study, config, &id, &number);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(s, SPT_ESTORE);
    ck_assert_msg(strstr(spt_ctx_last_error(ctx), "disk is full") != NULL, "%s",
                  spt_ctx_last_error(ctx));
    /* with room again, all goes on with the same handle */
    before = add_trial(ctx, store, study, config, SPT_TRIAL_COMPLETE, 1);
    OK(ctx, spt_history_read(store, NULL, &h));
    ck_assert_int_eq(spt_history_count(h), before + 1);
    spt_history_free(h);
    spt_config_free(config);
    spt_space_free(space);
    spt_store_free(store);
    remove(path);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("store file", refusals, nothing_before_the_first_study, cut_and_foreign_files, killed,
          two_processes_make_one_study, full_disk)
