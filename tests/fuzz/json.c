// Fuzz target of JSON: any bytes as a text; what can be read must come back the same after writing it, in one line
// and indented.
#include "runtime/json.h"
#include "tests/fuzz/fuzz.h"

static void look(const mg_json *value)
{
    char *line = mg_json_dump(value, false);

    for (int indent = 0; indent < 2; indent++) {
        char *text = mg_json_dump(value, indent);
        mg_json *again = NULL;
        if (!text || mg_json_parse(text, strlen(text), "written", &again)) abort();
        char *twice = mg_json_dump(again, false);
        if (!twice || strcmp(twice, line) != 0) abort();
        mg_json_free(&again);
        mg_free(twice);
        mg_free(text);
    }
    mg_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    mg_json *value;

    fuzz_begin();
    if (mg_json_parse((const char *)data, bytes, "fuzz", &value) == MG_OK) look(value);
    mg_json_free(&value);
    fuzz_end();
    return 0;
}
