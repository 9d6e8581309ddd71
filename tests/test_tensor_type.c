// Value types of weight files: names, sizes, half precision both ways.
#include "tests/check.h"

#include "models/tensor_type.h"

static void test_names(void **state)
{
    mg_tensor_type type;

    (void)state;
    for (int t = 0; t < MG_T_COUNT; t++) {
        CHECK(mg_tensor_type_find(mg_tensor_type_name((mg_tensor_type)t), &type));
        CHECK((int)type == t);
    }
    CHECK(!mg_tensor_type_find("F4", &type));
    CHECK(mg_tensor_type_size(MG_T_BF16) == 2 && mg_tensor_type_size(MG_T_I64) == 8);
}

// Every half value survives the way up and down; NaN stays NaN.
static void test_all_halves(void **state)
{
    static const mg_tensor_type types[] = {MG_T_F16, MG_T_BF16};

    (void)state;
    for (int t = 0; t < 2; t++)
        for (uint32_t bits = 0; bits < 65536; bits++) {
            uint16_t half = (uint16_t)bits, back;
            float x;
            mg_tensor_to_f32(&x, types[t], &half, 1);
            mg_tensor_from_f32(&back, types[t], &x, 1);
            if (isnan(x)) {
                mg_tensor_to_f32(&x, types[t], &back, 1);
                CHECK(isnan(x));
            } else {
                CHECK(back == half);
            }
        }
}

static float through_f16(float x)
{
    uint16_t half;
    float y;

    mg_tensor_from_f32(&half, MG_T_F16, &x, 1);
    mg_tensor_to_f32(&y, MG_T_F16, &half, 1);
    return y;
}

static void test_rounding(void **state)
{
    (void)state;
    CHECK(through_f16(1.0f + 0x1p-11f) == 1.0f); // a tie goes to the even neighbour
    CHECK(through_f16(1.0f + 3 * 0x1p-11f) == 1.0f + 0x1p-9f);
    CHECK(through_f16(1.0f + 0x1.1p-11f) == 1.0f + 0x1p-10f);
    CHECK(through_f16(65519.0f) == 65504.0f && isinf(through_f16(65520.0f)));
    CHECK(through_f16(0x1p-24f) == 0x1p-24f && through_f16(0x1p-25f) == 0.0f);
    CHECK(through_f16(-0x1.8p-24f) == -0x1p-23f);
    CHECK(signbit(through_f16(-0.0f)));
    CHECK(through_f16(2047.5f / 2048) == 1.0f); // carries into the exponent
}

static void test_integers(void **state)
{
    const int64_t whole[] = {-3, 1 << 20};
    const uint8_t truth[] = {0, 1};
    char shifted[17];
    float out[2];

    (void)state;
    memcpy(shifted + 1, whole, sizeof whole); // unaligned, as in a file
    mg_tensor_to_f32(out, MG_T_I64, shifted + 1, 2);
    CHECK(out[0] == -3 && out[1] == 1048576);
    mg_tensor_to_f32(out, MG_T_BOOL, truth, 2);
    CHECK(out[0] == 0 && out[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_all_halves),
        cmocka_unit_test(test_rounding), cmocka_unit_test(test_integers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
