// medgraft doctor: what a job would find here (ranks, binding, threads, memory, libraries, file
// system) as "key value" lines, then each thing that is wrong with its remedy.
#include "runtime/cmd_doctor.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/h5.h"
#include "runtime/log.h"
#include "runtime/machine.h"
#include "runtime/mem.h"
#include "runtime/run.h"

// What each rank tells rank 0.
typedef struct {
    char host[64], processor[96];
    mg_cpus cpus;
    int online, threads;
    int64_t memory;
    char memory_source[24];
} rank_facts;

static const double GIB = 1024.0 * 1024 * 1024;
static const mg_doctor_probe *probes;
static int problems;

void mg_doctor_register(const mg_doctor_probe *list)
{
    probes = list;
}

static mg_doctor_line fact, wrong;

static void fact(const char *key, const char *fmt, ...)
{
    va_list args;

    printf("%-20s ", key);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

static void wrong(const char *remedy, const char *fmt, ...)
{
    va_list args;

    printf("wrong: ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n       %s\n", remedy);
    problems++;
}

static rank_facts look_at_rank(void)
{
    const char *source;
    rank_facts f = {.cpus = mg_machine_cpus(),
                    .online = mg_machine_cpus_online(),
                    .threads = omp_get_max_threads(),
                    .memory = mg_machine_memory(&source)};

    gethostname(f.host, sizeof f.host - 1);
    mg_machine_processor(f.processor, sizeof f.processor);
    snprintf(f.memory_source, sizeof f.memory_source, "%s", source);
    return f;
}

// ---- facts

static void print_launcher(void)
{
    static const char *const names[] = {
        "SLURM_JOB_ID",    "SLURM_NTASKS",  "OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
        "OMP_NUM_THREADS", "OMP_PROC_BIND", "OPENBLAS_NUM_THREADS", "HDF5_USE_FILE_LOCKING"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        fact(names[i], "%s", value ? value : "not set");
    }
}

static void print_facts(const mg_comm *world, const rank_facts *all)
{
    int size = mg_comm_size(world);
    char type[32];
    int64_t free_bytes;

    fact("medgraft", "%s", mg_version());
    fact("mpi_library", "%s", mg_comm_library());
    fact("hdf5_library", "%s", mg_h5_version());
    fact("mpi_ranks", "%d", size);
    fact("nodes", "%d", mg_comm_nodes(world));
    print_launcher();
    for (int r = 0; r < size; r++) {
        char key[32];
        snprintf(key, sizeof key, "rank %d", r);
        fact(key, "host %s cpus %s of %d numa_domains %d threads %d memory_gib %.1f (%s)",
             all[r].host, all[r].cpus.list, all[r].online, all[r].cpus.domains, all[r].threads,
             (double)all[r].memory / GIB, all[r].memory_source);
    }
    fact("processor", "%s", all[0].processor);
    if (mg_machine_file_system(".", type, sizeof type, &free_bytes))
        fact("file_system", "%s free_gib %.1f", type, (double)free_bytes / GIB);
}

// ---- what is wrong

// Ranks and threads of the node of rank r, looked at once per node (by its first rank).
static void check_node(const rank_facts *all, int size, int r)
{
    int ranks = 0, threads = 0, cpus = 0;
    bool same = true;

    for (int q = 0; q < size; q++) {
        if (strcmp(all[q].host, all[r].host) != 0) continue;
        if (q < r) return;
        ranks++;
        threads += all[q].threads;
        cpus += all[q].cpus.count;
        same = same && strcmp(all[q].cpus.list, all[r].cpus.list) == 0;
    }
    if (same) cpus = all[r].cpus.count;
    if (same && ranks > cpus)
        wrong("start fewer ranks, or bind them apart: mpirun --map-by numa, srun --cpu-bind=cores",
              "host %s: %d ranks share %d processors (%s)", all[r].host, ranks, cpus,
              all[r].cpus.list);
    else if (threads > cpus)
        wrong("set OMP_NUM_THREADS to processors / ranks, or give each rank processors of its own",
              "host %s: %d threads of %d ranks run on %d processors", all[r].host, threads, ranks,
              cpus);
    if ((double)all[r].memory / ranks < GIB)
        wrong("ask the batch system for more memory (sbatch --mem), or start fewer ranks",
              "host %s: %.2f GiB of memory for each rank", all[r].host,
              (double)all[r].memory / ranks / GIB);
}

static void check_ranks(const rank_facts *all, int size)
{
    bool even = true, alike = true;
    int spread = 0;

    for (int r = 0; r < size; r++) {
        check_node(all, size, r);
        even = even && all[r].threads == all[0].threads;
        alike = alike && strcmp(all[r].processor, all[0].processor) == 0;
        spread += all[r].cpus.domains > 1 && all[r].threads > 1;
    }
    if (!even)
        wrong("set OMP_NUM_THREADS for all ranks",
              "ranks have different numbers of threads: the slowest sets the pace");
    if (!alike)
        wrong("ask for one type of node (sbatch --constraint)",
              "nodes have different processors: results may differ in their last bits");
    if (spread)
        wrong("start one rank for each domain: mpirun --map-by numa --bind-to numa",
              "the threads of %d ranks spread over several NUMA domains", spread);
    if (size & (size - 1))
        wrong("start 1, 2, 4, 8, ... ranks, or set train.reduce to fast",
              "%d ranks are no power of two: train.reduce: exact needs one", size);
}

static void check_files(void)
{
    char type[32];
    int64_t free_bytes;

    if (!mg_machine_file_system(".", type, sizeof type, &free_bytes)) return;
    if (access(".", W_OK))
        wrong("change to a folder of yours", "this folder cannot be written");
    else if (!mg_machine_locks_work("."))
        wrong("nothing to do for medgraft, which opens HDF5 files without locks; for h5py set "
              "HDF5_USE_FILE_LOCKING=FALSE",
              "file locks do not work here (%s)", type);
    if ((double)free_bytes < GIB)
        wrong("checkpoints need three times the size of the model: make room",
              "%.2f GiB are free here", (double)free_bytes / GIB);
    if (strcmp(type, "tmpfs") == 0)
        wrong("keep runs on a disk", "this folder lies in memory and is lost with the node");
}

mg_status mg_cmd_doctor(const mg_args *args)
{
    const mg_comm *world = args->world;
    int size = mg_comm_size(world);
    rank_facts mine = look_at_rank(), *all = mg_calloc((size_t)size, sizeof *all);
    mg_status st = MG_OK;

    if (!all) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the facts of %d ranks", size);
    st = mg_comm_agree(world, st);
    if (st) goto done;
    mg_comm_allgather(world, &mine, sizeof mine, all);
    if (mg_comm_rank(world) == 0) {
        print_facts(world, all);
        check_ranks(all, size);
        check_files();
    }
    for (const mg_doctor_probe *p = probes; p && *p && !st; p++)
        st = mg_comm_agree(world, (*p)(world, fact, wrong));
    if (mg_comm_rank(world) == 0 && !st) fact("problems", "%d", problems);

done:
    mg_free(all);
    return st;
}
