// Facts about processor, memory and file systems from Linux: /proc, /sys, a few calls.
#include "runtime/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

void mg_machine_processor(char *name, size_t bytes)
{
    char line[256];
    FILE *in = fopen("/proc/cpuinfo", "r");

    snprintf(name, bytes, "unknown");
    while (in && fgets(line, sizeof line, in)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, bytes, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (in) fclose(in);
}

// "0-3,8" for a set.
static void print_set(const cpu_set_t *set, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < CPU_SETSIZE && used < bytes; i++) {
        int last = i;
        if (!CPU_ISSET(i, set)) continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set)) last++;
        const char *comma = used ? "," : "";
        int n = last > i ? snprintf(text + used, bytes - used, "%s%d-%d", comma, i, last)
                         : snprintf(text + used, bytes - used, "%s%d", comma, i);
        used += (size_t)n;
        i = last;
    }
}

// True if the domain has one of the processors; its list reads like "0-3,8".
static bool domain_meets(FILE *list, const cpu_set_t *set)
{
    int from, to;

    while (fscanf(list, "%d", &from) == 1) {
        to = from;
        int mark = fgetc(list);
        if (mark == '-' && fscanf(list, "%d", &to) == 1) mark = fgetc(list);
        for (int i = from; i <= to && i < CPU_SETSIZE; i++)
            if (i >= 0 && CPU_ISSET(i, set)) return true;
        if (mark != ',') break;
    }
    return false;
}

mg_cpus mg_machine_cpus(void)
{
    mg_cpus cpus = {"unknown", 1, 0};
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        cpus.count = CPU_COUNT(&set);
        print_set(&set, cpus.list, sizeof cpus.list);
        for (int node = 0; node < 1024; node++) {
            char path[64];
            snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
            FILE *list = fopen(path, "r");
            if (!list) break;
            cpus.domains += domain_meets(list, &set);
            fclose(list);
        }
    }
    if (cpus.domains == 0) cpus.domains = 1;
    return cpus;
}

int mg_machine_cpus_online(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

// ---- memory

// The number in a small file; INT64_MAX if it holds none ("max") or cannot be read.
static int64_t read_limit(const char *path)
{
    int64_t value = INT64_MAX;
    FILE *in = fopen(path, "r");

    if (in && fscanf(in, "%" SCNd64, &value) != 1) value = INT64_MAX;
    if (in) fclose(in);
    return value;
}

// The least limit of this process's control group (version 2) and all above it, or of version 1.
static int64_t group_limit(void)
{
    char line[512], path[600];
    int64_t least = read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    FILE *in = fopen("/proc/self/cgroup", "r");

    while (in && fgets(line, sizeof line, in)) {
        if (strncmp(line, "0::", 3) != 0) continue;
        char *group = line + 3;
        group[strcspn(group, "\n")] = '\0';
        for (;;) {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
            int64_t limit = read_limit(path);
            least = limit < least ? limit : least;
            char *slash = strrchr(group, '/');
            if (!slash) break;
            *slash = '\0';
        }
    }
    if (in) fclose(in);
    return least;
}

int64_t mg_machine_memory(const char **source)
{
    int64_t least = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = group_limit();
    struct rlimit limit;

    *source = "machine";
    if (group < least) least = group, *source = "control group";
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        (int64_t)limit.rlim_cur < least)
        least = (int64_t)limit.rlim_cur, *source = "process limit";
    return least;
}

// ---- file systems

bool mg_machine_file_system(const char *path, char *type, size_t bytes, int64_t *free_bytes)
{
    static const struct {
        unsigned long magic; // f_type of statfs(2)
        const char *name;
    } known[] = {
        {0xEF53, "ext4"},       {0x58465342, "xfs"},    {0x9123683E, "btrfs"},
        {0x2FC12FC1, "zfs"},    {0x01021994, "tmpfs"},  {0x794C7630, "overlay"},
        {0x6969, "nfs"},        {0x0BD00BD0, "lustre"}, {0x47504653, "gpfs"},
        {0x19830326, "beegfs"}, {0x00C36400, "ceph"},   {0x65735546, "fuse"},
        {0x01021997, "9p"},
    };
    struct statfs info;

    if (statfs(path, &info)) return false;
    *free_bytes = (int64_t)info.f_bavail * (int64_t)info.f_bsize;
    snprintf(type, bytes, "0x%lx", (unsigned long)info.f_type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].magic == (unsigned long)info.f_type)
            snprintf(type, bytes, "%s", known[i].name);
    return true;
}

bool mg_machine_locks_work(const char *folder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = mg_sprintf("%s/.medgraft-lock-%ld", folder, (long)getpid());
    bool ok = false;

    if (!path) return false;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        ok = fcntl(fd, F_SETLK, &lock) == 0;
        close(fd);
        unlink(path);
    }
    mg_free(path);
    return ok;
}
