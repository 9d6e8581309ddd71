// Eigenvalues of a symmetric matrix, in double: for figures about features, not for training.
#ifndef MG_NN_EIGEN_H
#define MG_NN_EIGEN_H

// Eigenvalues of the symmetric matrix A [n, n], in ascending order. A is destroyed.
//   values   [n]
//   scratch  [2 n]
void mg_eigenvalues(double *values, double *A, int n, double *scratch);

#endif
