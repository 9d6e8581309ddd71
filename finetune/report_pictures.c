// Pictures of a run inside the page, as base64 of their PNG files.
#include <stdlib.h>
#include <string.h>

#include "finetune/report.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { MAX_PICTURE = 4 << 20 }; // larger files are left out, with a warning

// `out` has room for 4 characters for each 3 bytes begun, and the 0 behind them.
static void encode_base64(const unsigned char *data, size_t bytes, char *out)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes; i += 3) {
        unsigned left = (unsigned)(bytes - i < 3 ? bytes - i : 3);
        unsigned word = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0);
        *out++ = digit[word >> 18];
        *out++ = digit[word >> 12 & 63];
        *out++ = left > 1 ? digit[word >> 6 & 63] : '=';
        *out++ = left > 2 ? digit[word & 63] : '=';
    }
    *out = '\0';
}

mg_status mg_png_url(const mg_report_run *run, const char *folder, const char *name, char **url)
{
    static const char head[] = "data:image/png;base64,", signature[] = "\x89PNG\r\n\x1a\n";
    char *path = mg_sprintf("%s/%s/%s", run->path, folder, name), *data = NULL;
    size_t bytes = 0;

    *url = NULL;
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = mg_read_file(path, MAX_PICTURE, &data, &bytes);
    if (!st && (bytes < 8 || memcmp(data, signature, 8) != 0))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is no PNG file", path);
    if (!st && !(*url = mg_alloc(sizeof head + (bytes + 2) / 3 * 4)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the picture '%s'", path);
    if (!st) {
        memcpy(*url, head, sizeof head);
        encode_base64((const unsigned char *)data, bytes, *url + sizeof head - 1);
    }
    mg_free(path), mg_free(data);
    return st;
}

// "recon-000100.png" as "recon 000100".
static void print_caption(FILE *out, const char *name)
{
    char text[2] = "";
    size_t length = strlen(name) - 4;

    for (size_t i = 0; i < length; i++) {
        text[0] = name[i] == '-' || name[i] == '_' ? ' ' : name[i];
        mg_html_text(out, text);
    }
}

static mg_status print_picture(FILE *out, const mg_report_run *run, const char *name)
{
    char *url;
    mg_status st = mg_png_url(run, "pictures", name, &url);

    if (st == MG_ERR_FORMAT) {
        mg_warn("%s: left out", mg_err_message());
        mg_err_clear();
        return MG_OK;
    }
    if (st) return st;
    fprintf(out, "<figure class=\"picture\"><img loading=\"lazy\" alt=\"");
    print_caption(out, name);
    fprintf(out, ", run ");
    mg_html_text(out, run->name);
    fprintf(out, "\" src=\"%s\"><figcaption>", url);
    print_caption(out, name);
    fprintf(out, "</figcaption></figure>\n");
    mg_free(url);
    return MG_OK;
}

mg_status mg_report_pictures(FILE *out, const mg_report_run *run, int most)
{
    size_t count = run->pictures.count, shown = count < (size_t)most ? count : (size_t)most;

    if (!shown) return MG_OK;
    fprintf(out, "<div class=\"pictures\">\n");
    for (size_t i = 0; i < shown; i++) {
        size_t at = shown > 1 ? i * (count - 1) / (shown - 1) : count - 1;
        MG_TRY(print_picture(out, run, run->pictures.item[at]));
    }
    fprintf(out, "</div>\n");
    if (shown < count)
        fprintf(out, "<p class=\"note\">%zu of %zu pictures of this run.</p>\n", shown, count);
    return MG_OK;
}
