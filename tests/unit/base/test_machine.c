/* What a process learns of the machine: its share of the processors, who else is alive. */
#include "testing.h"

#include "base/process.h"
#include "base/quota.h"
#include "base/text.h"
#include "base/threads.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A tree of files like the system's, in the build folder. */
static const char *root(void)
{
    static char path[900];
    const char *folder = getenv("SPT_TEST_BUILD");
    snprintf(path, sizeof path, "%s/machine %d", folder != NULL ? folder : ".", (int)getpid());
    return path;
}

static void put(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s%s", root(), name);
    for (char *c = path + strlen(root()); *c != '\0'; c++) {
        if (*c != '/') continue;
        *c = '\0';
        mkdir(path, 0755);
        *c = '/';
    }
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void clear(void)
{
    char command[1000];
    snprintf(command, sizeof command, "rm -rf '%s'", root());
    ck_assert_int_eq(system(command), 0);
}

START_TEST(no_groups_no_quota)
{
    clear();
    ck_assert_int_eq(spt__quota_processors(root()), 0);
    put("/proc/self/cgroup", "nonsense\n");
    ck_assert_int_eq(spt__quota_processors(root()), 0);
    put("/proc/self/cgroup", "0::/a/b\n");
    ck_assert_int_eq(spt__quota_processors(root()), 0);
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 0);
    clear();
}
END_TEST

START_TEST(second_version)
{
    put("/proc/self/cgroup", "0::/job/step\n");
    put("/sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/job/cpu.max", "350000 100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 4);
    put("/sys/fs/cgroup/job/step/cpu.max", "150000 100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 2);
    /* a container sees its own group at the top, whatever the path says */
    put("/proc/self/cgroup", "0::/docker/abcdef\n");
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 1);
    put("/proc/self/cgroup", "0::/\n");
    ck_assert_int_eq(spt__quota_processors(root()), 1);
    clear();
}
END_TEST

START_TEST(first_version)
{
    put("/proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/job/7\n1:name=systemd:/y\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/7/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/7/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 3);
    clear();
    put("/proc/self/cgroup", "4:cpuacct,cpu:/job\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "120000\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(spt__quota_processors(root()), 2);
    clear();
}
END_TEST

START_TEST(available_threads)
{
    const int32_t n = spt__available_threads(), quota = spt__quota_processors("");
    ck_assert_int_ge(n, 1);
    if (quota > 0) ck_assert_int_le(n, quota);
}
END_TEST

START_TEST(who_is_alive)
{
    char own[SPT__PROCESS_NAME], other[SPT__PROCESS_NAME + 8];
    spt__process_name(own);
    ck_assert_int_eq(spt__process_look(own), SPT__PROCESS_ALIVE);
    /* the same number, begun at another time */
    snprintf(other, sizeof other, "%s1", own);
    ck_assert_int_eq(spt__process_look(other), SPT__PROCESS_GONE);
    /* another machine, or another container with the same name */
    snprintf(other, sizeof other, "x%s", own);
    ck_assert_int_eq(spt__process_look(other), SPT__PROCESS_UNKNOWN);
    ck_assert_int_eq(spt__process_look("nonsense"), SPT__PROCESS_UNKNOWN);
    ck_assert_int_eq(spt__process_look(""), SPT__PROCESS_UNKNOWN);
    const char *world = strchr(own, '/');
    ck_assert_ptr_nonnull(world);
    snprintf(other, sizeof other, "%.*s/1%s", (int)(world - own), own, world + 1);
    ck_assert_int_eq(spt__process_look(other), SPT__PROCESS_UNKNOWN);
    /* a child that has ended */
    int ends[2], how;
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        spt__process_name(own);
        _exit(write(ends[1], own, sizeof own) == sizeof own ? 0 : 1);
    }
    ck_assert_int_eq(read(ends[0], own, sizeof own), sizeof own);
    /* ended, and not yet waited for */
    for (int i = 0; i < 500 && spt__process_look(own) != SPT__PROCESS_GONE; i++)
        spt__sleep(0.01);
    ck_assert_int_eq(spt__process_look(own), SPT__PROCESS_GONE);
    ck_assert_int_eq(waitpid(pid, &how, 0), pid);
    ck_assert_int_eq(spt__process_look(own), SPT__PROCESS_GONE);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_nap)
{
    const double began = spt__now();
    spt__sleep(0.02);
    ck_assert_double_ge(spt__now() - began, 0.015);
}
END_TEST

TEST_MAIN("base machine", no_groups_no_quota, second_version, first_version, available_threads,
          who_is_alive, a_nap)
