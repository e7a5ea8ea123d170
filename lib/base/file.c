#include "file.h"

#include "rng.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- what the system says ------------------------------------------------------------------ */

#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 32)
/* strerror_r comes in two kinds. */
static inline const char *reason_int(int failed, const char *buffer)
{
    return failed ? "unknown reason" : buffer;
}

static inline const char *reason_text(const char *text, const char *buffer)
{
    (void)buffer;
    return text;
}
#endif

static const char *reason(int error, char *buffer, size_t size)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
    /* The only one of the family that does not ask the locale for a translation. */
    const char *text = strerrordesc_np(error);
    if (text) return text;
    spt__format(buffer, size, "error %d", error);
    return buffer;
#else
    return _Generic(strerror_r(error, buffer, size),
        int: reason_int,
        char *: reason_text)(strerror_r(error, buffer, size), buffer);
#endif
}

/* `doing` is "cannot be read" and the like; some reasons have words of their own. */
static int32_t fail_errno(spt__err *e, const char *path, const char *doing, int error)
{
    char buffer[128];
    switch (error) {
    case ENOENT:
        return spt__fail(e, SPT_EIO, "%s: %s: not found", path, doing);
    case EISDIR:
        return spt__fail(e, SPT_EIO, "%s: %s: is a directory", path, doing);
    default:
        return spt__fail(e, SPT_EIO, "%s: %s: %s", path, doing,
                         reason(error, buffer, sizeof buffer));
    }
}

static bool usable_path(const char *path, spt__err *e)
{
    if (path && *path) return true;
    spt__fail(e, SPT_EINVAL, path ? "the file name is empty" : "no file name is given");
    return false;
}

static int open_retrying(const char *path, int flags, mode_t mode)
{
    int fd = -1;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int32_t fail_too_large(spt__err *e, const char *path, uint64_t size)
{
    return spt__fail(e, SPT_ENOMEM, "%s: no memory for its %llu bytes", path,
                     (unsigned long long)size);
}

/* The size that the system tells is a first guess only: files of /proc tell 0, others grow. */
static int32_t read_all(spt_ctx *ctx, int fd, size_t guess, const char *path, char **data,
                        size_t *size, spt__err *e)
{
    size_t capacity = guess + 1, used = 0;
    char *buffer = spt__alloc(ctx, capacity, 1);
    if (!buffer) return fail_too_large(e, path, guess);
    for (;;) {
        if (used + 1 >= capacity) {
            /* Full to the byte is the usual case: look for the end before the block is doubled. */
            char more[4096];
            ssize_t got = read(fd, more, sizeof more);
            if (got == 0) break;
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) goto failed;
            size_t larger = capacity < SIZE_MAX / 4 ? 2 * capacity + sizeof more : 0;
            char *grown = larger ? spt__realloc(ctx, buffer, larger, 1) : NULL;
            if (!grown) {
                spt__free(ctx, buffer);
                return fail_too_large(e, path, larger);
            }
            buffer = grown;
            capacity = larger;
            memcpy(buffer + used, more, (size_t)got);
            used += (size_t)got;
            continue;
        }
        size_t room = capacity - 1 - used;
        ssize_t got = read(fd, buffer + used, room < (1U << 30) ? room : (1U << 30));
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) goto failed;
        used += (size_t)got;
    }
    buffer[used] = '\0';
    *data = buffer;
    *size = used;
    return SPT_OK;
failed:;
    const int error = errno;
    spt__free(ctx, buffer);
    return fail_errno(e, path, "cannot be read", error);
}

int32_t spt__file_read(spt_ctx *ctx, const char *path, char **data, size_t *size, spt__err *e)
{
    *data = NULL;
    *size = 0;
    if (!usable_path(path, e)) return SPT_EINVAL;
    int fd = open_retrying(path, O_RDONLY, 0);
    if (fd < 0) return fail_errno(e, path, "cannot be read", errno);
    struct stat st;
    int32_t status = SPT_OK;
    if (fstat(fd, &st) != 0) {
        status = fail_errno(e, path, "cannot be read", errno);
    } else if (S_ISDIR(st.st_mode)) {
        status = fail_errno(e, path, "cannot be read", EISDIR);
    } else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size >= (uint64_t)PTRDIFF_MAX) {
        status = fail_too_large(e, path, (uint64_t)st.st_size);
    } else {
        size_t guess = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
        status = read_all(ctx, fd, guess ? guess : 65535, path, data, size, e);
    }
    close(fd);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

enum { BUFFER_SIZE = 65536 };

static void reset(spt__writer *w)
{
    spt__free(w->ctx, w->path);
    spt__free(w->ctx, w->temp);
    spt__free(w->ctx, w->buffer);
    *w = (spt__writer){.fd = -1};
}

void spt__writer_abort(spt__writer *w)
{
    /* A writer of zeros was never opened; its 0 is not a file of ours. */
    if (!w->ctx) return;
    if (w->fd >= 0) close(w->fd);
    if (w->temp) unlink(w->temp);
    reset(w);
}

static int32_t fail_write(spt__writer *w, int error, spt__err *e)
{
    fail_errno(e, w->path, "cannot be written", error);
    spt__writer_abort(w);
    return SPT_EIO;
}

static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Any number will do that two writers are unlikely to draw; O_EXCL sees to the rest. */
static uint64_t draw(const spt__writer *w, uint32_t attempt)
{
    static atomic_uint_least32_t calls;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    const uint32_t key[2] = {(uint32_t)t.tv_nsec, (uint32_t)t.tv_sec};
    const uint32_t counter[4] = {(uint32_t)getpid(), atomic_fetch_add(&calls, 1),
                                 (uint32_t)(uintptr_t)w, attempt};
    uint32_t block[4];
    spt__philox(key, counter, block);
    return block[0] | (uint64_t)block[1] << 32;
}

/* The target's own name is left out: with an addition it could be too long for the file system. */
static int32_t open_temp(spt__writer *w, spt__err *e)
{
    const size_t directory = directory_length(w->path), capacity = directory + 40;
    w->temp = spt__alloc(w->ctx, capacity, 1);
    if (!w->temp) {
        spt__writer_abort(w);
        return spt__nomem(e);
    }
    int error = EEXIST;
    for (uint32_t attempt = 0; attempt < 100 && error == EEXIST; attempt++) {
        spt__format(w->temp, capacity, "%.*s.spectune-%016llx.tmp", (int)directory, w->path,
                    (unsigned long long)draw(w, attempt));
        w->fd = open_retrying(w->temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (w->fd >= 0) return SPT_OK;
        error = errno;
    }
    spt__free(w->ctx, w->temp);
    w->temp = NULL; /* not ours to remove */
    return fail_write(w, error, e);
}

int32_t spt__writer_open(spt__writer *w, spt_ctx *ctx, const char *path, spt__err *e)
{
    *w = (spt__writer){.fd = -1};
    if (!usable_path(path, e)) return SPT_EINVAL;
    w->ctx = ctx;
    w->path = spt__strdup(ctx, path);
    w->buffer = spt__alloc(ctx, BUFFER_SIZE, 1);
    if (!w->path || !w->buffer) {
        spt__writer_abort(w);
        return spt__nomem(e);
    }
    struct stat st;
    if (lstat(path, &st) != 0) {
        const int error = errno;
        size_t length = strlen(path);
        if (error != ENOENT) return fail_write(w, error, e);
        if (path[length - 1] == '/') return fail_write(w, EISDIR, e);
        return open_temp(w, e);
    }
    if (S_ISLNK(st.st_mode)) {
        /* The link stays and its target is replaced. */
        char target[PATH_MAX];
        if (stat(path, &st) != 0) return fail_write(w, errno, e);
        if (S_ISREG(st.st_mode)) {
            char *resolved = realpath(path, target) ? spt__strdup(ctx, target) : NULL;
            if (!resolved) return fail_write(w, errno, e);
            spt__free(ctx, w->path);
            w->path = resolved;
        }
    }
    if (S_ISDIR(st.st_mode)) return fail_write(w, EISDIR, e);
    if (S_ISREG(st.st_mode)) return open_temp(w, e);
    /* A pipe or a device cannot be replaced by a file, only written to. */
    w->fd = open_retrying(path, O_WRONLY, 0);
    return w->fd >= 0 ? SPT_OK : fail_write(w, errno, e);
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size < (1U << 30) ? size : (1U << 30));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        data += put;
        size -= (size_t)put;
    }
    return 0;
}

static int flush(spt__writer *w)
{
    int error = write_all(w->fd, w->buffer, w->used);
    w->used = 0;
    return error;
}

static int32_t fail_closed(spt__err *e)
{
    return spt__fail(e, SPT_EIO, "a file was written to after it was closed or given up");
}

int32_t spt__writer_put(spt__writer *w, const void *data, size_t size, spt__err *e)
{
    if (!w->ctx) return fail_closed(e);
    if (size > BUFFER_SIZE - w->used) {
        int error = flush(w);
        if (error) return fail_write(w, error, e);
    }
    if (size > BUFFER_SIZE) {
        int error = write_all(w->fd, data, size);
        return error ? fail_write(w, error, e) : SPT_OK;
    }
    if (size) memcpy(w->buffer + w->used, data, size);
    w->used += size;
    return SPT_OK;
}

static int sync_file(int fd)
{
    int failed = 0;
    do
        failed = fsync(fd);
    while (failed && errno == EINTR);
    return failed ? errno : 0;
}

/* The new name lasts once its directory is on the disk, too. Not every file system can do that, and
 * the file is complete in any case: no failure. */
static void sync_directory(const spt__writer *w)
{
    char *directory = spt__strndup(w->ctx, w->path, directory_length(w->path));
    if (!directory) return;
    int fd = open_retrying(*directory ? directory : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        sync_file(fd);
        close(fd);
    }
    spt__free(w->ctx, directory);
}

int32_t spt__writer_commit(spt__writer *w, spt__err *e)
{
    if (!w->ctx) return fail_closed(e);
    int error = flush(w);
    if (!error && w->temp) {
        error = sync_file(w->fd);
        if (error == EINVAL || error == ENOTSUP || error == ENOSYS) error = 0;
    }
    if (error) return fail_write(w, error, e);
    const int fd = w->fd;
    w->fd = -1;
    /* EINTR leaves the descriptor closed. Network file systems tell of a full disk only here. */
    if (close(fd) != 0 && errno != EINTR) return fail_write(w, errno, e);
    if (w->temp) {
        if (rename(w->temp, w->path) != 0) return fail_write(w, errno, e);
        sync_directory(w);
    }
    reset(w);
    return SPT_OK;
}

int32_t spt__file_write(spt_ctx *ctx, const char *path, const void *data, size_t size, spt__err *e)
{
    spt__writer w;
    SPT__TRY(spt__writer_open(&w, ctx, path, e));
    SPT__TRY(spt__writer_put(&w, data, size, e));
    return spt__writer_commit(&w, e);
}
