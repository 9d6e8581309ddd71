// DDTI: case files, outlines whole and cut off, filling of polygons, dark borders, and folders with what goes wrong.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/borders.h"
#include "datasets/ddti_case.h"
#include "datasets/decode.h"
#include "datasets/xml.h"
#include "runtime/mem.h"
#include "tests/scratch.h"

#define P(x, y)  "{\"x\":" #x ",\"y\":" #y "}"
#define TRIANGLE P(1, 1) "," P(4, 1) "," P(4, 4)

// --- XML --------------------------------------------------------------------------------------------

static mg_status parse_xml(const char *text, mg_xml **out)
{
    return mg_xml_parse(text, "7.xml", out);
}

static void xml(void **state)
{
    static const char text[] = "<?xml version=\"1.0\"?>\n<a><!-- b --><b> one </b>x<c/><b>t&lt;<i>w"
                               "</i>&#x6f;<![CDATA[<]]></b></a>";
    mg_xml *doc;
    (void)state;

    OK(parse_xml(text, &doc));
    const mg_xml_element *b = mg_xml_child(mg_xml_root(doc), "b");
    assert_string_equal(mg_xml_name(mg_xml_root(doc)), "a");
    char *one = mg_xml_text(b), *two = mg_xml_text(mg_xml_next(b, "b")), *none = mg_xml_text(NULL);
    assert_string_equal(one, "one");
    assert_string_equal(two, "t<wo<");
    assert_string_equal(none, "");
    CHECK(!mg_xml_next(mg_xml_next(b, "b"), "b") && !mg_xml_child(b, "b"));
    CHECK(!mg_xml_child(NULL, "b") && !mg_xml_next(NULL, "b"));
    mg_free(one), mg_free(two), mg_free(none);
    mg_xml_free(&doc);
    mg_xml_free(&doc);

    // UTF-8 where it is that, Latin-1 where it is not, whatever it says.
    OK(parse_xml("<?xml version=\"1.0\" encoding=\"UTF-7\"?><a>n\xC3\xB3</a>", &doc));
    one = mg_xml_text(mg_xml_root(doc));
    assert_string_equal(one, "n\xC3\xB3");
    mg_xml_free(&doc);
    OK(parse_xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>n\xF3</a>", &doc));
    two = mg_xml_text(mg_xml_root(doc));
    assert_string_equal(two, "n\xC3\xB3");
    mg_xml_free(&doc);
    mg_free(one), mg_free(two);
}

static void xml_refused(void **state)
{
    mg_xml *doc;
    char *deep = mg_alloc(8 * 4096 + 1);
    (void)state;

    FAILS(parse_xml("", &doc), MG_ERR_FORMAT, "'7.xml' is not valid XML");
    FAILS(parse_xml("<a>\n<b></a>", &doc), MG_ERR_FORMAT, "line 2: ");
    FAILS(parse_xml("<a>&what;</a>", &doc), MG_ERR_FORMAT, "what");
    FAILS(parse_xml("<a></a><a></a>", &doc), MG_ERR_FORMAT, "line 1");
    // No entity is looked at, be it of this file, of another one, or of the net.
    FAILS(parse_xml("<!DOCTYPE a [<!ENTITY e \"ha\"><!ENTITY f \"&e;&e;\">]><a>&f;</a>", &doc),
          MG_ERR_FORMAT, "'7.xml' has a document type, which is refused");
    FAILS(parse_xml("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>", &doc),
          MG_ERR_FORMAT, "document type");
    FAILS(parse_xml("<!DOCTYPE a SYSTEM \"http://localhost/a.dtd\"><a/>", &doc), MG_ERR_FORMAT,
          "document type");
    for (int i = 0; i < 4096; i++)
        memcpy(deep + 3 * i, "<a>", 3), memcpy(deep + 3 * 4096 + 4 * i, "</a>", 4);
    deep[7 * 4096] = '\0';
    FAILS(parse_xml(deep, &doc), MG_ERR_FORMAT, "depth");
    mg_free(deep);
    CHECK(!doc);
}

static void case_file(void **state)
{
    static const char text[] =
        "<case><number>67</number><age>59</age><sex>F</sex><composition>\n solid\n</composition>"
        "<margins/><tirads> 4b </tirads><mark><image>1</image><svg>[]</svg></mark><mark><image>2"
        "</image></mark><mark><svg>[{\"points\":[" TRIANGLE
        "]}]</svg><image> 1 </image></mark></case>";
    mg_ddti_case c;
    mg_outlines o;
    (void)state;

    OK(mg_ddti_parse(text, "67.xml", &c));
    assert_string_equal(c.number, "67");
    assert_string_equal(c.tirads, "4b");
    assert_string_equal(c.facts, "age 59, sex F, composition solid");
    assert_int_equal(c.marks, 3);
    assert_string_equal(c.mark[1].outline, "");
    OK(mg_ddti_outlines(&c, "1", "67.xml", &o)); // over both marks
    CHECK(o.regions == 1 && o.end[0] == 3 && o.point[2].y == 4);
    mg_outlines_free(&o);
    OK(mg_ddti_outlines(&c, "2", "67.xml", &o));
    CHECK(o.regions == 0 && !o.truncated);
    mg_outlines_free(&o);
    mg_ddti_free(&c);
    FAILS(mg_ddti_parse("<cases/>", "1.xml", &c), MG_ERR_FORMAT,
          "'1.xml' begins with <cases>, expected <case>");
    CHECK(!c.mark && !c.number);
}

// --- outlines ---------------------------------------------------------------------------------------

static void whole(void **state)
{
    mg_outlines o = {0};
    (void)state;

    OK(mg_outlines_add("[{\"points\":[" TRIANGLE "],\"annotation\":{},\"regionType\":\"freehand\"},"
                       "{\"annotation\":{\"points\":[]},\"points\":[" TRIANGLE
                       ",{\"y\":-2.5,\"x\":1e3}]}]",
                       "1.xml", &o));
    CHECK(o.regions == 2 && o.end[0] == 3 && o.end[1] == 7 && !o.truncated && !o.open);
    CHECK(o.point[0].x == 1 && o.point[2].y == 4 && o.point[6].x == 1000 && o.point[6].y == -2.5);
    OK(mg_outlines_add("[]", "1.xml", &o)); // adds nothing
    OK(mg_outlines_add("[{\"points\":[]},{\"points\":[" P(1, 2) "," P(3, 4) "]}]", "1.xml",
                       &o)); // no area
    OK(mg_outlines_add("[{\"points\":[" TRIANGLE "]}]", "1.xml", &o));
    CHECK(o.regions == 3 && o.end[2] == 10 && !o.truncated);
    mg_outlines_free(&o);
}

// What is kept of texts that end early: regions, points of the last one, and whether that one is whole.
static void cut_off(void **state)
{
    static const struct {
        const char *text;
        int regions, points;
        bool open;
    } row[] = {
        // As cases 197 and 205: only the last key is cut, the outline is whole.
        {"[{\"points\":[" TRIANGLE "],\"annotation\":{},\"regionType\":\"free", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "],\"annotation\":{},\"regionT", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "],\"annotation\":{},", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "],\"annotation\":{\"a\":[1,", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "]", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "]}", 1, 3, false},
        {"[{\"points\":[" TRIANGLE "]},", 1, 3, false},
        // As case 54 and the others: the list of points is cut.
        {"[{\"points\":[" TRIANGLE, 1, 3, true},
        {"[{\"points\":[" TRIANGLE ",", 1, 3, true},
        {"[{\"points\":[" TRIANGLE ",{", 1, 3, true},
        {"[{\"points\":[" TRIANGLE ",{\"x\":12", 1, 3, true},
        {"[{\"points\":[" TRIANGLE ",{\"x\":12,\"y\":", 1, 3, true},
        {"[{\"points\":[" TRIANGLE ",{\"x\":12,\"y\":13", 1, 3, true},
        {"[{\"points\":[" TRIANGLE "," P(0, 9) ",{\"x", 1, 4, true},
        {"[{\"points\":[" P(1, 1) "," P(4, 1), 0, 0, true},
        {"[{\"points\":[", 0, 0, true},
        {"[{\"points\"", 0, 0, true},
        {"[{\"annotation\":{},\"poi", 0, 0, true},
        {"[{", 0, 0, true},
        {"[", 0, 0, false},
        // The second of two.
        {"[{\"points\":[" TRIANGLE "]},{\"poin", 1, 3, true},
        {"[{\"points\":[" TRIANGLE "]},{\"points\":[" P(0, 0) ",", 1, 3, true},
        {"[{\"points\":[" TRIANGLE "]},{\"points\":[" TRIANGLE, 2, 6, true},
        {"[{\"points\":[" TRIANGLE "]},{\"points\":[" TRIANGLE "],\"a\":\"[{\\\"", 2, 6, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        mg_outlines o = {0};
        OK(mg_outlines_add(row[i].text, "54.xml", &o));
        int points = o.regions ? o.end[o.regions - 1] : 0;
        if (o.regions != row[i].regions || points != row[i].points || o.open != row[i].open ||
            !o.truncated)
            fail_msg("%s: %d regions, %d points, open %d", row[i].text, o.regions, points, o.open);
        mg_outlines_free(&o);
    }
}

// Every length of a text with two regions: what is kept never shrinks, and the whole text is not truncated.
static void cut_anywhere(void **state)
{
    static const char text[] =
        "[{\"points\":[" TRIANGLE "," P(9, 9) "],\"annotation\":{},\"regionType\":"
                                              "\"free [{hand\"},{\"points\": [ " TRIANGLE
                                              " ], \"annotation\" : { } }]";
    int points = 0;
    (void)state;

    for (size_t n = 1; n < sizeof text; n++) {
        char cut[sizeof text];
        mg_outlines o = {0};
        snprintf(cut, n + 1, "%s", text);
        OK(mg_outlines_add(cut, "x", &o));
        int kept = o.regions ? o.end[o.regions - 1] : 0;
        CHECK(kept >= points && o.truncated == (n < sizeof text - 1));
        points = kept;
        mg_outlines_free(&o);
    }
    assert_int_equal(points, 7);
}

static void not_outlines(void **state)
{
    static const struct {
        const char *text, *part;
    } row[] = {
        {"{}", "are no list of regions"},
        {"3", "are no list of regions"},
        {"[3]", "region 1 of '1.xml' has no list of \"points\""},
        {"[{\"point\":[]}]", "has no list of \"points\""},
        {"[{\"points\":{}}]", "has no list of \"points\""},
        {"[{\"points\":[" TRIANGLE ",{\"x\":1,\"y\":\"2\"}]}]", "point 4 of region 1"},
        {"[{\"points\":[" TRIANGLE ",7]}]", "point 4 of region 1"},
        {"[{\"points\":[" TRIANGLE "]}]]", "'1.xml' is not valid JSON at line 1"},
        {"[{\"points\":[" TRIANGLE "}]", "is not valid JSON"},
        {"[{\"points\":[" TRIANGLE " " P(1, 2) ",", "is not valid JSON"}, // cut, and broken before
        {"polygon", "is not valid JSON"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "is not valid JSON"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        mg_outlines o = {0};
        FAILS(mg_outlines_add(row[i].text, "1.xml", &o), MG_ERR_FORMAT, row[i].part);
        mg_outlines_free(&o);
    }

    size_t many = MG_OUTLINE_POINTS + 1, bytes = many * 14 + 64;
    char *text = mg_alloc(bytes), *to = stpcpy(text, "[{\"points\":[");
    for (size_t i = 0; i < many; i++)
        to = stpcpy(to, i ? ",{\"x\":1,\"y\":2}" : "{\"x\":1,\"y\":2}");
    stpcpy(to, "]}]");
    mg_outlines o = {0};
    FAILS(mg_outlines_add(text, "1.xml", &o), MG_ERR_FORMAT, "more than 65536 points");
    mg_outlines_free(&o);
    mg_free(text);
}

// --- filling ----------------------------------------------------------------------------------------

enum { H = 8, W = 10 };

static void filled(const char *json, const char *const want[H])
{
    mg_outlines o = {0};
    uint8_t mask[H * W];
    char got[H][W + 1];

    OK(mg_outlines_add(json, "1.xml", &o));
    memset(mask, 77, sizeof mask);
    OK(mg_outlines_fill(&o, H, W, mask));
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++)
            got[y][x] = mask[y * W + x] == 1 ? '#' : mask[y * W + x] ? '?' : '.';
        got[y][W] = '\0';
        if (strcmp(got[y], want[y]) != 0)
            fail_msg("%s: row %d is %s, expected %s", json, y, got[y], want[y]);
    }
    mg_outlines_free(&o);
}

static void fill(void **state)
{
    (void)state;
    // A box: its outline belongs to it, on all four sides, in both directions.
    static const char *const box[H] = {"..........", "..........", "...####...", "...####...",
                                       "...####...", "..........", "..........", ".........."};
    filled("[{\"points\":[" P(3, 2) "," P(6, 2) "," P(6, 4) "," P(3, 4) "]}]", box);
    filled("[{\"points\":[" P(3, 4) "," P(6, 4) "," P(6, 2) "," P(3, 2) "," P(3, 4) "]}]", box);
    // Pixels whose middle lies inside, and those next to the outline.
    filled("[{\"points\":[" P(1, 1) "," P(7, 1) "," P(1, 7) "]}]",
           (const char *const[H]){"..........", ".#######..", ".######...", ".#####....",
                                  ".####.....", ".###......", ".##.......", ".#........"});
    // Even-odd: a path that goes around twice leaves a hole (but for outlines).
    filled("[{\"points\":[" P(0, 0) "," P(8, 0) "," P(8, 7) "," P(0, 7) "," P(0, 0) "," P(
               3, 2) "," P(6, 2) "," P(6, 5) "," P(3, 5) "," P(3, 2) "]}]",
           (const char *const[H]){"#########.", "#########.", "#########.", "####..###.",
                                  "####..###.", "#########.", "#########.", "#########."});
    // Two regions are added up, also where they overlap.
    filled("[{\"points\":[" P(1, 1) "," P(5, 1) "," P(5, 4) "," P(1, 4) "]},{\"points\":[" P(
               3, 3) "," P(8, 3) "," P(8, 6) "," P(3, 6) "]}]",
           (const char *const[H]){"..........", ".#####....", ".#####....", ".########.",
                                  ".########.", "...######.", "...######.", ".........."});
    // Points outside move to the edge of the frame.
    filled("[{\"points\":[" P(-5, 5) "," P(40, 5) "," P(40, 99) "," P(-5, 1e300) "]}]",
           (const char *const[H]){"..........", "..........", "..........", "..........",
                                  "..........", "##########", "##########", "##########"});
    filled("[]", (const char *const[H]){"..........", "..........", "..........", "..........",
                                        "..........", "..........", "..........", ".........."});
}

// Distance from (x, y) to the side a b.
static double distance(mg_point a, mg_point b, double x, double y)
{
    double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    double t = square > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / square : 0;

    t = fmin(fmax(t, 0), 1);
    return hypot(a.x + t * dx - x, a.y + t * dy - y);
}

// Even-odd rule by a ray to the right; *nearest is the distance to the outline.
static bool is_inside(const mg_point *p, int n, double x, double y, double *nearest)
{
    bool inside = false;

    *nearest = INFINITY;
    for (int i = 0, j = n - 1; i < n; j = i++) {
        bool crosses = (p[i].y > y) != (p[j].y > y);
        if (crosses && x < (p[j].x - p[i].x) * (y - p[i].y) / (p[j].y - p[i].y) + p[i].x)
            inside = !inside;
        *nearest = fmin(*nearest, distance(p[i], p[j], x, y));
    }
    return inside;
}

// Every pixel of wild polygons against that rule: inside is filled, outside is not unless the outline passes through.
static void fill_random(void **state)
{
    enum { POINTS = 9 };
    int on_outline = 0, outside = 0;
    (void)state;

    for (uint32_t number = 0; number < 400; number++) {
        mg_stream s = {number, MG_RNG_FREE, 0, 0};
        mg_point p[POINTS];
        int end = 3 + (int)number % (POINTS - 2);
        mg_outlines o = {.point = p, .end = &end, .regions = 1};
        uint8_t mask[H * W];
        for (int i = 0; i < end; i++) {
            p[i].x = 4.5 + 2 * mg_stream_normal(&s, 2 * (uint64_t)i);
            p[i].y = 3.5 + 2 * mg_stream_normal(&s, 2 * (uint64_t)i + 1);
            p[i] = (mg_point){fmin(fmax(p[i].x, 0), W - 1), fmin(fmax(p[i].y, 0), H - 1)};
            if (number % 2) p[i] = (mg_point){round(p[i].x), round(p[i].y)};
        }
        OK(mg_outlines_fill(&o, H, W, mask));
        for (int i = 0; i < H * W; i++) {
            double nearest;
            bool inside = is_inside(p, end, i % W, i / W, &nearest);
            on_outline += nearest < 1e-9;
            outside += !inside && nearest > .75;
            if (inside || nearest < 1e-9) CHECK(mask[i] == 1);
            if (!inside && nearest > .75) CHECK(mask[i] == 0);
        }
    }
    CHECK(on_outline > 500 && outside > 5000);
}

// --- dark borders -----------------------------------------------------------------------------------

enum { BH = 50, BW = 60 };

// A picture of value 100 with a strip on the left, text above, and borders of value 4; the label is a box.
static void bordered(mg_sample *s, int label_left)
{
    uint8_t *v = mg_alloc(BH * BW);

    *s = (mg_sample){.type = MG_U8,
                     .depth = 1,
                     .height = BH,
                     .width = BW,
                     .channels = 1,
                     .pixels = v,
                     .full_height = BH,
                     .full_width = BW,
                     .label = mg_calloc(BH * BW, 1)};
    CHECK(v && s->label);
    for (int y = 0; y < BH; y++)
        for (int x = 0; x < BW; x++) {
            bool strip = x >= 2 && x < 6 && y >= 10 && y < 40, text = y == 1 && x >= 20 && x < 40;
            bool inside = x >= 10 && x < 55 && y >= 3 && y < 48;
            v[y * BW + x] = inside ? (uint8_t)(100 + x + y) : strip || text ? 90 : 4;
            s->label[y * BW + x] = x >= label_left && x < 40 && y >= 20 && y < 30;
        }
}

static void borders(void **state)
{
    mg_sample s;
    mg_hash128 whole;
    (void)state;

    bordered(&s, 30);
    OK(mg_sample_hash(&s, &whole));
    OK(mg_sample_cut_borders(&s));
    CHECK(s.height == 45 && s.width == 45 && s.full_height == 45 && s.full_width == 45);
    CHECK(((uint8_t *)s.pixels)[0] == 113 && ((uint8_t *)s.pixels)[45 * 45 - 1] == 100 + 54 + 47);
    for (int y = 0; y < 45; y++)
        for (int x = 0; x < 45; x++)
            CHECK(s.label[y * 45 + x] == (x >= 20 && x < 30 && y >= 17 && y < 27));
    CHECK(s.hashed && s.hash.low == whole.low && s.hash.high == whole.high);
    assert_string_equal(s.remark, "rows 3 to 47 and columns 10 to 54 of 50 x 60");
    mg_sample_free(&s);

    bordered(&s, 9); // a label that reaches out of it
    OK(mg_sample_cut_borders(&s));
    CHECK(s.height == BH && s.width == BW && !s.hashed && !*s.remark);
    mg_sample_free(&s);

    bordered(&s, 30); // nothing dark, and everything dark
    memset(s.pixels, 5, BH * BW);
    OK(mg_sample_cut_borders(&s));
    CHECK(s.height == BH && s.width == BW);
    memset(s.pixels, 4, BH * BW);
    OK(mg_sample_cut_borders(&s));
    CHECK(s.height == BH && s.width == BW);
    mg_sample_free(&s);
}

// --- folders ----------------------------------------------------------------------------------------

static void put_text(const char *name, const char *text)
{
    char *path = mg_path_join(root, name);
    OK(mg_write_file(path, text, strlen(text)));
    mg_free(path);
}

static void put_picture(const char *name)
{
    static uint8_t pixels[H * W];
    char *path = mg_path_join(root, name);

    for (int i = 0; i < H * W; i++) pixels[i] = (uint8_t)(40 + i);
    OK(mg_write_jpeg(path, pixels, H, W, 1, 95));
    mg_free(path);
}

#define MARK(k, points) "<mark><image>" #k "</image><svg>" points "</svg></mark>"

static const mg_item *item_named(const mg_scan *found, const char *name)
{
    for (int64_t i = 0; i < found->count; i++)
        if (!strcmp(found->item[i].name, name)) return &found->item[i];
    fail_msg("no item '%s'", name);
    return NULL;
}

static bool has_text(const mg_texts *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strstr(list->item[i], text)) return true;
    return false;
}

static void folder(void **state)
{
    const mg_dataset *set = mg_dataset_find("ddti");
    mg_option_group group = {set->options, calloc(1, set->config_bytes)};
    mg_scan found;
    mg_sample s;
    (void)state;

    OK(mg_config_load(&group, 1, "ddti", "", "test.yaml", NULL));
    FAILS(set->scan(root, group.base, &found), MG_ERR_FORMAT, "100.xml");
    put_text("3.xml",
             "<case><number>4</number><tirads>4B</tirads>" MARK(1, "[{\"points\":[" TRIANGLE "]},"
                                                                   "{\"points\":[" TRIANGLE "]}]")
                 MARK(2, "[{\"points\":[" TRIANGLE "," P(2, 5) ",") MARK(3, "")
                     MARK(9, "[]") "</case>");
    FAILS(set->scan(root, group.base, &found), MG_ERR_FORMAT, "100_1.jpg");
    put_picture("3_1.JPG");
    put_picture("3_2.jpg");
    put_picture("3_3.jpg");
    put_picture("5_1.jpg");
    put_picture("nothing.jpg");
    put_picture("7_1.jpg");
    put_text("7.xml", "<case><tirads>6</tirads>" MARK(1, "{}") "</case>");
    put_text("8.xml", "<case>" MARK(1, "") "</case>");
    put_text("9.xml", "<case>");
    put_picture("9_1.jpg");
    OK(set->scan(root, group.base, &found));
    assert_int_equal(found.count, 3);
    assert_string_equal(item_named(&found, "3_1.JPG")->patient, "3");
    assert_string_equal(item_named(&found, "3_1.JPG")->label, "4B");
    assert_string_equal(item_named(&found, "3_1.JPG")->extra, "outlines 2");
    assert_string_equal(item_named(&found, "7_1.jpg")->label, "");
    assert_int_equal(found.skipped.count, 7);
    CHECK(has_text(&found.skipped, "3.xml: outline without its picture '3_9.jpg'"));
    CHECK(has_text(&found.skipped, "3_3.jpg: known to be without an outline, by '3.xml'"));
    CHECK(has_text(&found.skipped, "5_1.jpg: picture without a case file"));
    CHECK(has_text(&found.skipped, "nothing.jpg: picture without a case file"));
    CHECK(has_text(&found.skipped, "8.xml: case without a picture"));
    CHECK(has_text(&found.skipped, "9.xml: '9.xml' is not valid XML at line 1"));
    CHECK(has_text(&found.skipped, "9_1.jpg: its case file is damaged"));
    CHECK(has_text(&found.notes, "case files whose number is not that of their name: 1"));
    CHECK(has_text(&found.notes, "'7.xml': '6' is no TI-RADS"));
    CHECK(has_text(&found.notes, "pictures: 7, expected 480"));

    OK(set->read(root, group.base, &found, item_named(&found, "3_1.JPG"), NULL, &s));
    CHECK(s.channels == 1 && s.label[1 * W + 1] == 1 && s.label[0] == 0 &&
          s.label[4 * W + 4] == 1 && !*s.remark);
    mg_sample_free(&s);
    FAILS(set->read(root, group.base, &found, item_named(&found, "3_2.jpg"), NULL, &s),
          MG_ERR_FORMAT, "'3_2.jpg' in '3.xml' is cut off after 4 points");
    FAILS(set->read(root, group.base, &found, item_named(&found, "7_1.jpg"), NULL, &s),
          MG_ERR_FORMAT, "outlines of '7.xml' are no list of regions");
    mg_config_free(&group, 1);
    OK(mg_config_load(&group, 1, "ddti", "ddti: {salvage: points}", "test.yaml", NULL));
    OK(set->read(root, group.base, &found, item_named(&found, "3_2.jpg"), NULL, &s));
    assert_string_equal(s.remark, "outlines truncated, closed after the last whole point");
    CHECK(s.label[5 * W + 2] == 1);
    mg_sample_free(&s);
    mg_config_free(&group, 1);
    free(group.base);
    mg_scan_free(&found);
}

// Phantoms with and without their borders: the same nodule, at the place that the remark names.
static void cropped(void **state)
{
    const mg_dataset *set = mg_dataset_find("ddti");
    mg_option_group group = {set->options, calloc(1, set->config_bytes)};
    char *out = mg_path_join(root, "phantom");
    mg_phantom_order order = {.out = out, .count = 6, .seed = 3, .size = 160, .hi = 6};
    int cut = 0;
    mg_scan found;
    (void)state;

    OK(mg_make_dirs(out));
    OK(set->phantom(&order));
    OK(mg_config_load(&group, 1, "ddti", "ddti: {crop: true}", "test.yaml", NULL));
    OK(set->scan(out, group.base, &found));
    assert_int_equal(found.count, 6);
    for (int64_t i = 0; i < found.count; i++) {
        mg_decode_hint whole = {.as_found = true};
        mg_sample a, b;
        int top, bottom, left, right, height, width, area = 0;
        OK(set->read(out, group.base, &found, &found.item[i], &whole, &a));
        OK(set->read(out, group.base, &found, &found.item[i], NULL, &b));
        CHECK(!a.hashed && a.width >= 100);
        for (int k = 0; k < a.height * a.width; k++) area += a.label[k];
        if (*b.remark) {
            assert_int_equal(sscanf(b.remark, "rows %d to %d and columns %d to %d of %d x %d", &top,
                                    &bottom, &left, &right, &height, &width),
                             6);
            CHECK(height == a.height && width == a.width && b.height == bottom - top + 1 &&
                  b.width == right - left + 1 && b.width < a.width);
            cut++;
        } else {
            top = left = 0;
        }
        for (int y = 0; y < b.height; y++)
            for (int x = 0; x < b.width; x++) {
                int from = (top + y) * a.width + left + x, to = y * b.width + x;
                CHECK(((uint8_t *)a.pixels)[from] == ((uint8_t *)b.pixels)[to]);
                CHECK(a.label[from] == b.label[to]);
                area -= b.label[to];
            }
        assert_int_equal(area, 0);
        mg_sample_free(&a);
        mg_sample_free(&b);
    }
    CHECK(cut >= 4);
    mg_scan_free(&found);
    mg_config_free(&group, 1);
    free(group.base);
    mg_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xml),          cmocka_unit_test(xml_refused),
        cmocka_unit_test(case_file),    cmocka_unit_test(whole),
        cmocka_unit_test(cut_off),      cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(not_outlines), cmocka_unit_test(fill),
        cmocka_unit_test(fill_random),  cmocka_unit_test(borders),
        cmocka_unit_test(folder),       cmocka_unit_test(cropped),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
