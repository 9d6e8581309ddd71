// What the files of the MPI module (comm.c, comm_reduce.c) share. Nobody else includes this.
#ifndef MG_RUNTIME_COMM_PRIVATE_H
#define MG_RUNTIME_COMM_PRIVATE_H

#include <mpi.h>

#include "runtime/comm.h"

enum { COMM_TREE_VALUES = 64 }; // doubles that mg_comm_sum_tree moves at once

struct mg_comm {
    MPI_Comm comm;       // own duplicate; MPI_COMM_NULL when alone
    MPI_Comm last;       // another one, for mg_comm_meet beside whatever hangs in `comm`
    MPI_Request meeting; // of it
    bool started;        // ends MPI with it
    int rank, size;
    int node_rank, node_size, nodes;
    double *tree; // [size, COMM_TREE_VALUES], scratch of mg_comm_sum_tree
    int *counts;  // [2 size], scratch of mg_comm_allgatherv
};

#endif
