// A folder of its own for a test of data sets, whose path stands in no message: made before the tests, removed
// behind them, when nothing may be left in memory either.
#ifndef MG_TESTS_SCRATCH_H
#define MG_TESTS_SCRATCH_H

#include <stdlib.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

static char root[] = "/tmp/medgraft-test-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return mg_remove_tree(root) != MG_OK || mg_mem_live() != 0;
}

#endif
