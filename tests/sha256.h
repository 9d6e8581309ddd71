// SHA-256 (FIPS 180-4), for the hashes in golden files of weights.
#ifndef MG_TESTS_SHA256_H
#define MG_TESTS_SHA256_H

#include <stddef.h>

// 64 hex digits and '\0'.
void sha256_text(const void *data, size_t bytes, char text[65]);

#endif
