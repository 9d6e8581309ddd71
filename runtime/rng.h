// Counter-based random numbers: Philox4x32-10 (pretraining.md section 8, prompts-and-metrics.md
// section 0). A number is a function of (seed, purpose, epoch, index) and its place in that stream;
// there is no state, and no rank or thread number anywhere.
#ifndef MG_RUNTIME_RNG_H
#define MG_RUNTIME_RNG_H

#include <stddef.h>
#include <stdint.h>

// What a stream is for. Values are part of the file formats: they never change.
typedef enum {
    MG_RNG_ORDER = 1,  // order of the data set; epoch, index 0
    MG_RNG_CROP = 2,   // epoch, sample
    MG_RNG_FLIP = 3,   // epoch, sample
    MG_RNG_MASK = 4,   // MAE mask; epoch, sample
    MG_RNG_SHED = 5,   // ShED choice; epoch, sample
    MG_RNG_LAMBDA = 6, // e-Mix coefficient; epoch, sample
    MG_RNG_PAIRS = 7,  // e-Mix permutation; epoch, step in the epoch
    MG_RNG_INIT = 8,   // initial weights; 0, FNV-1a-32 of the parameter name
    MG_RNG_FREE = 9,   // phantoms, tests
    MG_RNG_CLICKS = 10,
    MG_RNG_BOXES = 11,
    MG_RNG_BOOTSTRAP = 12,
    MG_RNG_TEXTS = 13,
} mg_rng_purpose;

// One block: four output words of the counter under the key, ten rounds.
void mg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// A stream, read by word number. Block q has the counter (q, index, epoch, purpose).
typedef struct {
    uint64_t seed;
    uint32_t purpose, epoch, index;
} mg_stream;

// A cursor that reads a stream's words in order, for rules that say "the next word".
typedef struct {
    mg_stream stream;
    uint64_t next;     // number of the next word
    uint32_t block[4]; // words of the block that holds it
} mg_cursor;

// Word j of the stream.
uint32_t mg_stream_word(const mg_stream *s, uint64_t j);

// The four words of block q.
void mg_stream_block(const mg_stream *s, uint32_t q, uint32_t out[4]);

// Normal number k of the stream (words 2 floor(k/2), 2 floor(k/2) + 1; even cos, odd sin).
double mg_stream_normal(const mg_stream *s, uint64_t k);

// A cursor at word 0. For clicks, boxes and texts the fourth counter word is
// purpose + 256 target + 2^20 stage (prompts-and-metrics.md section 0): pass it as `purpose`.
mg_cursor mg_cursor_at(uint64_t seed, uint32_t purpose, uint32_t epoch, uint32_t index);
uint32_t mg_cursor_word(mg_cursor *c);
uint32_t mg_cursor_below(mg_cursor *c,
                         uint32_t n); // (word * n) >> 32; takes one word even for n = 1
double mg_cursor_unit(mg_cursor *c);  // (word + 0.5) / 2^32

double mg_rng_u24(uint32_t word);                 // [0, 1), exact in float32
double mg_rng_u32(uint32_t word);                 // (0, 1)
uint32_t mg_rng_below(uint32_t word, uint32_t n); // [0, n)

// A random permutation of 0..m-1: indices sorted by the 64-bit keys (w_2i << 32 | w_2i+1), equal
// keys by smaller index. Writes out[m]; `scratch` holds 2 m uint64 values and may be garbage.
void mg_rng_order(const mg_stream *s, uint32_t m, uint32_t *out, uint64_t *scratch);

// Beta(alpha, alpha) of the stream; alpha exactly 1 takes word 0 alone.
double mg_rng_beta(const mg_stream *s, double alpha);

// FNV-1a-32 of a text.
uint32_t mg_fnv1a(const char *text);

#endif
