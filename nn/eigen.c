// Eigenvalues of a symmetric matrix: Householder reflections to a tridiagonal one, 4/3 n^3
// operations, then bisection, where the number of eigenvalues below x is the number of negative
// pivots of T - x (Golub and Van Loan, Matrix Computations, 8.3 and 8.4). Nothing can fail to
// converge; the absolute error is a few units in the last place of the largest eigenvalue.
#include "nn/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

// One reflection: row k of A becomes (.., off, 0, ..) right of the diagonal, the block below it is
// transformed on both sides. p is scratch [n].
static double reflect(double *A, int n, int k, double *p)
{
    int m = n - k - 1; // size of the block
    double *v = A + (size_t)k * n + k + 1, norm = 0, dot = 0;

    for (int i = 1; i < m; i++) norm += v[i] * v[i];
    if (norm == 0) return v[0];
    double length = sqrt(norm + v[0] * v[0]), off = v[0] > 0 ? -length : length;
    v[0] -= off;
    double beta = 2 / (norm + v[0] * v[0]);
    for (int i = 0; i < m; i++) {
        const double *row = A + (size_t)(k + 1 + i) * n + k + 1;
        double sum = 0;
        for (int j = 0; j < m; j++) sum += row[j] * v[j];
        p[i] = beta * sum;
        dot += p[i] * v[i];
    }
    for (int i = 0; i < m; i++) p[i] -= beta / 2 * dot * v[i];
    for (int i = 0; i < m; i++) {
        double *row = A + (size_t)(k + 1 + i) * n + k + 1;
        for (int j = 0; j < m; j++) row[j] -= v[i] * p[j] + p[i] * v[j];
    }
    return off;
}

// Eigenvalues below x of the tridiagonal matrix with this diagonal and off-diagonal.
static int below(const double *diagonal, const double *off, int n, double x, double tiny)
{
    double pivot = 1;
    int count = 0;

    for (int i = 0; i < n; i++) {
        pivot = diagonal[i] - x - (i ? off[i - 1] * off[i - 1] / pivot : 0);
        if (fabs(pivot) < tiny) pivot = -tiny;
        count += pivot < 0;
    }
    return count;
}

void mg_eigenvalues(double *values, double *A, int n, double *scratch)
{
    double *diagonal = scratch, *off = scratch + n, bound = 0;

    for (int k = 0; k + 1 < n; k++) off[k] = reflect(A, n, k, values);
    for (int k = 0; k < n; k++) diagonal[k] = A[(size_t)k * n + k];
    for (int k = 0; k < n; k++) { // every eigenvalue lies within +- bound (Gershgorin)
        double reach = fabs(diagonal[k]);
        if (k > 0) reach += fabs(off[k - 1]);
        if (k + 1 < n) reach += fabs(off[k]);
        bound = fmax(bound, reach);
    }
    for (int k = 0; k < n; k++) {
        double low = k ? values[k - 1] : -bound, high = bound;
        while (high - low > 2 * DBL_EPSILON * bound) {
            double middle = low + (high - low) / 2;
            if (middle <= low || middle >= high) break;
            if (below(diagonal, off, n, middle, DBL_MIN + DBL_EPSILON * DBL_EPSILON * bound) > k)
                high = middle;
            else
                low = middle;
        }
        values[k] = low + (high - low) / 2;
    }
}
