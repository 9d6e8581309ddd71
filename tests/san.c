// Linked into every program of the sanitizer build (MODE=san), and into nothing else: what the leak
// checker has to know about libraries that are not ours. A leak is left out when one of the names
// stands between it and the code that asked for the block; medgraft's own blocks come from mg_alloc
// with none of them above.
#include <mpi.h>
#include <stdlib.h>

int dlclose(void *handle);
int __lsan_is_turned_off(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);

// Open MPI unloads its components before the leak check, which then cannot tell whose code asked for
// a block. Nothing is unloaded in this build.
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

// Asked when the program ends. The tracer of the leak checker crashes in threads of the MPI library now and then:
// tests of whole programs (tests/run_cli.sh) set this variable, and those that did not start MPI are looked at.
int __lsan_is_turned_off(void)
{
    int started = 0;

    if (getenv("MG_LEAKS_WITHOUT_MPI")) MPI_Initialized(&started);
    return started;
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

const char *__lsan_default_suppressions(void)
{
    // Open MPI, PMIx, hwloc and libevent keep names, tables of parameters and the topology of the
    // machine until the process ends. vasprintf is how they make names; its caller cannot be seen,
    // since the C library has no frame pointers, and medgraft never calls it.
    return "leak:libmpi.so\n"
           "leak:libopen-pal.so\n"
           "leak:libopen-rte.so\n"
           "leak:/openmpi/\n"
           "leak:libpmix.so\n"
           "leak:/pmix2/\n"
           "leak:libhwloc.so\n"
           "leak:libevent\n"
           "leak:vasprintf\n"
           // HDF5 1.10 forgets an object header whose bytes turn out to be damaged.
           "leak:libhdf5\n";
}
