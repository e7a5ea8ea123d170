#include "process.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { HOST = 110, DEAD = -1 };

/* Field 22 of /proc/PID/stat: the name of the program, in brackets, may hold blanks and brackets.
 * DEAD: it has ended, but its parent has not looked yet. */
static int64_t start_of(int64_t pid)
{
    char path[64], text[1024], *c;
    spt__format(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return 0;
    text[size] = '\0';
    c = strrchr(text, ')');
    if (c != NULL && c[1] == ' ' && (c[2] == 'Z' || c[2] == 'X')) return DEAD;
    /* behind the bracket stands field 3 */
    for (int field = 2; c != NULL && field < 22; field++)
        c = strchr(c + 1, ' ');
    if (c == NULL) return 0;
    const size_t length = strcspn(c + 1, " ");
    int64_t start;
    return spt__parse_int64(c + 1, length, &start) ? start : 0;
}

/* Machine and world of process numbers: two containers may have the same name and not see each
 * other's processes. Linux tells which world it is, and which start of the machine. */
static void host_name(char out[HOST])
{
    char name[64], world[64], boot[64] = "";
    if (gethostname(name, sizeof name) != 0) memcpy(name, "unknown", sizeof "unknown");
    name[sizeof name - 1] = '\0';
    const ssize_t n = readlink("/proc/self/ns/pid", world, sizeof world - 1);
    world[n > 0 ? n : 0] = '\0';
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd >= 0 ? read(fd, boot, 8) : 0;
    boot[size > 0 ? size : 0] = '\0';
    if (fd >= 0) close(fd);
    /* "pid:[4026531836]" */
    const char *number = strchr(world, '[');
    spt__format(out, HOST, "%s/%.*s/%s", name, number != NULL ? (int)strcspn(number + 1, "]") : 0,
                number != NULL ? number + 1 : "", boot);
}

void spt__process_name(char out[SPT__PROCESS_NAME])
{
    char host[HOST];
    const int64_t pid = (int64_t)getpid();
    host_name(host);
    spt__format(out, SPT__PROCESS_NAME, "%s:%lld:%lld", host, (long long)pid,
                (long long)start_of(pid));
}

spt__process_state spt__process_look(const char *name)
{
    char host[HOST];
    int64_t pid, start;
    const char *last = strrchr(name, ':'), *middle = last;
    while (middle != NULL && middle > name && *--middle != ':')
        ;
    if (last == NULL || middle == name ||
        !spt__parse_int64(middle + 1, (size_t)(last - middle - 1), &pid) ||
        !spt__parse_int64(last + 1, strlen(last + 1), &start))
        return SPT__PROCESS_UNKNOWN;
    host_name(host);
    if (strlen(host) != (size_t)(middle - name) || memcmp(host, name, strlen(host)) != 0)
        return SPT__PROCESS_UNKNOWN;
    /* Signal 0 only asks; a process of another user answers with EPERM. */
    if (kill((pid_t)pid, 0) != 0 && errno != EPERM) return SPT__PROCESS_GONE;
    const int64_t now = start_of(pid);
    if (now == DEAD) return SPT__PROCESS_GONE;
    return start != 0 && now != 0 && now != start ? SPT__PROCESS_GONE : SPT__PROCESS_ALIVE;
}
