#include "quota.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 1024, TEXT = 4096, LEVELS = 64 };

/* The start of a small file; false if it cannot be read. */
static bool read_start(const char *path, char text[TEXT])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size;
    do
        size = read(fd, text, TEXT - 1);
    while (size < 0 && errno == EINTR);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* Two numbers: microseconds of work allowed in so many microseconds. 0: no limit. */
static int32_t processors(const char *quota, const char *period)
{
    int64_t q, p;
    const size_t n = strcspn(quota, " \n"), m = strcspn(period, " \n");
    if (!spt__parse_int64(quota, n, &q) || !spt__parse_int64(period, m, &p)) return 0;
    if (q <= 0 || p <= 0) return 0;
    const int64_t whole = q / p + (q % p != 0);
    return whole < INT32_MAX ? (int32_t)whole : 0;
}

/* Of one group, whose folder is `folder`. */
static int32_t of_group(const char *folder, bool second)
{
    char path[PATH], text[TEXT], period[TEXT];
    if (second) {
        spt__format(path, sizeof path, "%s/cpu.max", folder);
        if (!read_start(path, text)) return 0;
        const char *blank = strchr(text, ' ');
        return blank != NULL ? processors(text, blank + 1) : 0;
    }
    spt__format(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_start(path, text)) return 0;
    spt__format(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    return read_start(path, period) ? processors(text, period) : 0;
}

/* Of a group and all above it. In a container the path may be one of the host's, which is not
 * there; the mount's own folder, which is looked at last, is the container's then. */
static int32_t of_path(const char *mount, const char *group, size_t length, bool second)
{
    char folder[PATH];
    int32_t least = 0;
    const size_t top = strlen(mount);
    if (spt__format(folder, sizeof folder, "%s%.*s", mount, (int)length, group) >= PATH) return 0;
    for (int level = 0; level < LEVELS; level++) {
        const int32_t n = of_group(folder, second);
        if (n > 0 && (least == 0 || n < least)) least = n;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= top || slash == NULL) break;
        *(slash >= folder + top ? slash : folder + top) = '\0';
    }
    return least;
}

/* Is "cpu" in a list like "cpu,cpuacct"? */
static bool has_cpu(const char *list, size_t length)
{
    for (size_t at = 0, n; at < length; at += n + 1) {
        n = strcspn(list + at, ",:");
        if (n == 3 && memcmp(list + at, "cpu", 3) == 0) return true;
    }
    return false;
}

int32_t spt__quota_processors(const char *root)
{
    char path[PATH], text[TEXT];
    int32_t least = 0;
    spt__format(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_start(path, text)) return 0;
    /* Lines are "number:controllers:path"; in version 2 there is one, without controllers. */
    for (const char *line = text; *line != '\0';
         line += strcspn(line, "\n"), line += *line == '\n') {
        const char *list = strchr(line, ':');
        const char *group = list != NULL ? strchr(list + 1, ':') : NULL;
        if (group == NULL) break;
        list++;
        group++;
        const size_t length = (size_t)(group - 1 - list), size = strcspn(group, "\n");
        if (length > 0 && !has_cpu(list, length)) continue;
        spt__format(path, sizeof path, "%s/sys/fs/cgroup%s%.*s", root, length > 0 ? "/" : "",
                    (int)length, list);
        int32_t n = of_path(path, group, size, length == 0);
        if (n == 0 &&
            length > 0) { /* the controllers' common mount may be known by one name only */
            spt__format(path, sizeof path, "%s/sys/fs/cgroup/cpu", root);
            n = of_path(path, group, size, false);
        }
        if (n > 0 && (least == 0 || n < least)) least = n;
    }
    return least;
}
