#include "testing.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static spt_ctx *ctx;
static char directory[256];

static const char *in_directory(const char *name)
{
    static char path[4][400];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static void setup(void)
{
    const char *temp = getenv("TMPDIR");
    OK(NULL, spt_ctx_new(NULL, &ctx));
    snprintf(directory, sizeof directory, "%s/spectune-test-XXXXXX", temp ? temp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

/* How many names the directory holds. */
static int names(void)
{
    int n = 0;
    DIR *d = opendir(directory);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d))
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(d);
    return n;
}

/* Fails when anything is left that the test did not remove itself: a temporary file, say. */
static void teardown(void)
{
    ck_assert_int_eq(rmdir(directory), 0);
    spt_ctx_free(ctx);
}

static void check_content(const char *path, const char *expected, size_t expected_size)
{
    char *data = NULL;
    size_t size = 0;
    OK(ctx, spt__file_read(ctx, path, &data, &size, &ctx->err));
    ck_assert_uint_eq(size, expected_size);
    ck_assert(memcmp(data, expected, size) == 0 && data[size] == '\0');
    spt__free(ctx, data);
}

START_TEST(what_is_written_is_read)
{
    setup();
    const char *path = in_directory("a file \xc3\xa4.txt");
    OK(ctx, spt__file_write(ctx, path, "one\0two", 7, &ctx->err));
    check_content(path, "one\0two", 7);
    OK(ctx, spt__file_write(ctx, path, NULL, 0, &ctx->err));
    check_content(path, "", 0);
    ck_assert_int_eq(names(), 1);
    unlink(path);
    teardown();
}
END_TEST

START_TEST(large_files_pass)
{
    enum { SIZE = 3000000 };
    setup();
    const char *path = in_directory("large");
    char *data = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 % 251);
    spt__writer w;
    OK(ctx, spt__writer_open(&w, ctx, path, &ctx->err));
    for (size_t at = 0, piece = 1; at < SIZE; piece = piece * 3 % 200003) {
        size_t n = piece < SIZE - at ? piece : SIZE - at;
        OK(ctx, spt__writer_put(&w, data + at, n, &ctx->err));
        at += n;
    }
    ck_assert_int_ne(access(path, F_OK), 0);
    OK(ctx, spt__writer_commit(&w, &ctx->err));
    spt__writer_abort(&w);
    check_content(path, data, SIZE);
    free(data);
    unlink(path);
    teardown();
}
END_TEST

START_TEST(failures_to_read_are_told_apart)
{
    char *data = directory;
    size_t size = 1;
    setup();
    FAILS(ctx, SPT_EIO, "missing: cannot be read: not found",
          spt__file_read(ctx, in_directory("missing"), &data, &size, &ctx->err));
    ck_assert_ptr_null(data);
    FAILS(ctx, SPT_EIO, "is a directory", spt__file_read(ctx, directory, &data, &size, &ctx->err));
    FAILS(ctx, SPT_EINVAL, "empty", spt__file_read(ctx, "", &data, &size, &ctx->err));
    FAILS(ctx, SPT_EINVAL, "no file name", spt__file_read(ctx, NULL, &data, &size, &ctx->err));
    const char *path = in_directory("secret");
    OK(ctx, spt__file_write(ctx, path, "x", 1, &ctx->err));
    FAILS(ctx, SPT_EIO, "Not a directory",
          spt__file_read(ctx, in_directory("secret/x"), &data, &size, &ctx->err));
    chmod(path, 0);
    if (geteuid() == 0)
        printf("skipped: to root every file is readable\n");
    else
        FAILS(ctx, SPT_EIO, "Permission denied",
              spt__file_read(ctx, path, &data, &size, &ctx->err));
    unlink(path);
    teardown();
}
END_TEST

START_TEST(pipes_and_files_without_a_size_are_read)
{
    enum { SIZE = 40000 };
    char path[64], *data = NULL, text[SIZE];
    size_t size = 0;
    int ends[2];
    setup();
    memset(text, 'p', SIZE);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, SIZE), SIZE);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    if (access(path, F_OK) != 0) {
        printf("skipped: this system has no /dev/fd\n");
    } else {
        check_content(path, text, SIZE);
        int old_stdin = dup(0);
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], "from a pipe", 11), 11);
        close(ends[1]);
        dup2(ends[0], 0);
        check_content("/dev/stdin", "from a pipe", 11);
        dup2(old_stdin, 0);
        close(old_stdin);
    }
    if (access("/proc/self/status", R_OK) == 0) {
        OK(ctx, spt__file_read(ctx, "/proc/self/status", &data, &size, &ctx->err));
        ck_assert_uint_gt(size, 100);
        spt__free(ctx, data);
    }
    teardown();
}
END_TEST

START_TEST(a_writer_given_up_leaves_the_old_file)
{
    setup();
    const char *path = in_directory("kept");
    OK(ctx, spt__file_write(ctx, path, "old", 3, &ctx->err));
    spt__writer w;
    OK(ctx, spt__writer_open(&w, ctx, path, &ctx->err));
    OK(ctx, spt__writer_put(&w, "new", 3, &ctx->err));
    ck_assert_int_eq(names(), 2);
    spt__writer_abort(&w);
    spt__writer_abort(&w);
    ck_assert_int_eq(names(), 1);
    check_content(path, "old", 3);
    FAILS(ctx, SPT_EIO, "given up", spt__writer_put(&w, "new", 3, &ctx->err));
    FAILS(ctx, SPT_EIO, "given up", spt__writer_commit(&w, &ctx->err));
    memset(&w, 0, sizeof w);
    spt__writer_abort(&w);
    ck_assert_int_ne(fcntl(0, F_GETFD), -1);
    unlink(path);
    teardown();
}
END_TEST

START_TEST(failures_to_write_are_told)
{
    setup();
    spt__writer w;
    FAILS(ctx, SPT_EIO, "none/x: cannot be written: not found",
          spt__writer_open(&w, ctx, in_directory("none/x"), &ctx->err));
    spt__writer_abort(&w);
    FAILS(ctx, SPT_EIO, "is a directory", spt__writer_open(&w, ctx, directory, &ctx->err));
    FAILS(ctx, SPT_EIO, "is a directory",
          spt__writer_open(&w, ctx, in_directory("new/"), &ctx->err));
    FAILS(ctx, SPT_EINVAL, "empty", spt__writer_open(&w, ctx, "", &ctx->err));
    spt__writer_abort(&w);
    teardown();
}
END_TEST

START_TEST(new_files_have_the_usual_mode)
{
    setup();
    struct stat st;
    mode_t old = umask(027);
    const char *path = in_directory("mode");
    OK(ctx, spt__file_write(ctx, path, "x", 1, &ctx->err));
    umask(old);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    unlink(path);
    teardown();
}
END_TEST

START_TEST(links_are_followed)
{
    setup();
    const char *file = in_directory("file"), *link = in_directory("link");
    struct stat st;
    OK(ctx, spt__file_write(ctx, file, "old", 3, &ctx->err));
    ck_assert_int_eq(symlink("file", link), 0);
    OK(ctx, spt__file_write(ctx, link, "new", 3, &ctx->err));
    check_content(file, "new", 3);
    ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    unlink(file);
    FAILS(ctx, SPT_EIO, "not found", spt__file_write(ctx, link, "new", 3, &ctx->err));
    unlink(link);
    teardown();
}
END_TEST

START_TEST(names_without_a_directory_work)
{
    setup();
    char *old = getcwd(NULL, 0), name[256];
    ck_assert_int_eq(chdir(directory), 0);
    /* As long as a name may be: the temporary one must not be longer. */
    memset(name, 'n', 255);
    name[255] = '\0';
    OK(ctx, spt__file_write(ctx, name, "x", 1, &ctx->err));
    check_content(name, "x", 1);
    unlink(name);
    ck_assert_int_eq(chdir(old), 0);
    free(old);
    teardown();
}
END_TEST

START_TEST(devices_are_written_to_not_replaced)
{
    struct stat st;
    setup();
    OK(ctx, spt__file_write(ctx, "/dev/null", "x", 1, &ctx->err));
    ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    if (stat("/dev/full", &st) != 0 || !S_ISCHR(st.st_mode)) {
        printf("skipped: this system has no /dev/full\n");
    } else {
        FAILS(ctx, SPT_EIO, "/dev/full: cannot be written: No space left on device",
              spt__file_write(ctx, "/dev/full", "x", 1, &ctx->err));
        ck_assert(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
    }
    teardown();
}
END_TEST

START_TEST(a_full_disk_leaves_nothing_behind)
{
    enum { LIMIT = 100000 };
    static char data[LIMIT];
    setup();
    struct rlimit old, tight;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = LIMIT;
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    spt__writer w;
    int32_t status = spt__writer_open(&w, ctx, in_directory("full"), &ctx->err);
    for (int i = 0; i < 10 && status == SPT_OK; i++)
        status = spt__writer_put(&w, data, 30000, &ctx->err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, old_handler);
    FAILS(ctx, SPT_EIO, "full: cannot be written: File too large", status);
    ck_assert_int_eq(names(), 0);
    FAILS(ctx, SPT_EIO, "given up", spt__writer_commit(&w, &ctx->err));
    teardown();
}
END_TEST

TEST_MAIN("base: file", what_is_written_is_read, large_files_pass, failures_to_read_are_told_apart,
          pipes_and_files_without_a_size_are_read, a_writer_given_up_leaves_the_old_file,
          failures_to_write_are_told, new_files_have_the_usual_mode, links_are_followed,
          names_without_a_directory_work, devices_are_written_to_not_replaced,
          a_full_disk_leaves_nothing_behind)
