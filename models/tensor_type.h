// Types of the values in weight files, and their way to float32 and back. Half precision is exact on
// the way up (subnormals, infinities); down it rounds to nearest, ties to even.
#ifndef MG_MODELS_TENSOR_TYPE_H
#define MG_MODELS_TENSOR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In the order in which a safetensors writer lays tensors out (text-and-weights.md e).
typedef enum {
    MG_T_U64,
    MG_T_I64,
    MG_T_F64,
    MG_T_C64,
    MG_T_F32,
    MG_T_U32,
    MG_T_I32,
    MG_T_BF16,
    MG_T_F16,
    MG_T_U16,
    MG_T_I16,
    MG_T_I8,
    MG_T_U8,
    MG_T_BOOL,
    MG_T_F8_E4M3, // listed, not read
    MG_T_F8_E5M2,
    MG_T_COUNT,
} mg_tensor_type;

size_t mg_tensor_type_size(mg_tensor_type type);
const char *mg_tensor_type_name(mg_tensor_type type);             // "F32"; as safetensors spells it
bool mg_tensor_type_find(const char *name, mg_tensor_type *type); // false: no such type
bool mg_tensor_type_is_float(mg_tensor_type type);                // F64, F32, F16, BF16
bool mg_tensor_type_is_readable(mg_tensor_type type); // all but C64 and the 8-bit floats

// count values of a readable type to float32. `in` may be unaligned.
void mg_tensor_to_f32(float *out, mg_tensor_type type, const void *in, size_t count);
// float32 to F32, F16 or BF16. `out` may be unaligned.
void mg_tensor_from_f32(void *out, mg_tensor_type type, const float *in, size_t count);

#endif
