// The machine: opcodes of pickle protocol 2 in a closed table, a stack, marks and a memo.
// What names and calls may do is in pickle_call.c.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/pickle_private.h"
#include "models/unicode.h"
#include "runtime/hash.h"

enum {
    MAX_OPCODES = 20000000,
    MAX_MEMO = 4000000,
    MAX_MARKS = 100,
    MAX_TEXT = 1 << 20,
    MAX_NAME = 256,
};

mg_status mg_pickle_refuse(const mg_unpickler *u, const char *source, int line, const char *func,
                           const char *fmt, ...)
{
    char reason[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    return mg_err_fail(MG_ERR_FORMAT, source, line, func, "'%s' is refused at byte %llu: %s",
                       u->file->path, (unsigned long long)u->opcode_at, reason);
}

// --- bytes ------------------------------------------------------------------------------------------

static mg_status take_bytes(mg_unpickler *u, void *out, size_t bytes)
{
    uint64_t left = u->end - u->at + (u->have - u->used);

    if (bytes > left) return MG_REFUSE(u, "the pickle is cut short");
    for (size_t done = 0; done < bytes;) {
        if (u->used == u->have) {
            u->have =
                u->end - u->at < sizeof u->buffer ? (size_t)(u->end - u->at) : sizeof u->buffer;
            u->used = 0;
            MG_TRY(mg_raw_read(u->file, u->at, u->buffer, u->have));
            u->at += u->have;
        }
        size_t n = u->have - u->used < bytes - done ? u->have - u->used : bytes - done;
        memcpy((char *)out + done, u->buffer + u->used, n);
        u->used += n;
        done += n;
    }
    return MG_OK;
}

static mg_status take_number(mg_unpickler *u, int bytes, uint32_t *out)
{
    uint8_t raw[4] = {0};

    MG_TRY(take_bytes(u, raw, (size_t)bytes));
    *out = raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
    return MG_OK;
}

// A line of at most MAX_NAME bytes, without its end.
static mg_status take_line(mg_unpickler *u, char line[MAX_NAME + 1])
{
    size_t n = 0;

    for (;;) {
        char c;
        MG_TRY(take_bytes(u, &c, 1));
        if (c == '\n') break;
        if (n == MAX_NAME || c == '\0') return MG_REFUSE(u, "a name is too long or malformed");
        line[n++] = c;
    }
    line[n] = '\0';
    return MG_OK;
}

// --- values -----------------------------------------------------------------------------------------

mg_status mg_pickle_grow(void **array, uint32_t *room, uint32_t need, size_t size)
{
    if (need <= *room) return MG_OK;
    size_t wanted = need < 64 ? 64 : (size_t)need + need / 2;
    if (wanted > UINT32_MAX) wanted = UINT32_MAX;
    void *larger = mg_realloc(*array, wanted * size);
    MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate %zu bytes for a pickle", wanted * size);
    *array = larger;
    *room = (uint32_t)wanted;
    return MG_OK;
}

mg_status mg_pickle_new(mg_unpickler *u, mg_pickle_kind kind, uint32_t *value)
{
    mg_pickle *p = u->p;

    MG_TRY(mg_pickle_grow((void **)&p->value, &p->value_room, p->values + 1, sizeof *p->value));
    *value = p->values++;
    p->value[*value] = (mg_pickle_value){.kind = (uint8_t)kind};
    if (kind >= MG_PICKLE_TUPLE && kind <= MG_PICKLE_ARGS) p->value[*value].depth = 1;
    return MG_OK;
}

// Note that `value` lies in `container`: nesting is bounded while it is built.
static mg_status nest(mg_unpickler *u, uint32_t container, uint32_t value)
{
    mg_pickle_value *c = &u->p->value[container];
    int depth = u->p->value[value].depth + 1;

    if (container == value) return MG_REFUSE(u, "a container is put inside itself");
    if (depth > MG_PICKLE_DEPTH)
        return MG_REFUSE(u, "containers are nested more than %d deep", MG_PICKLE_DEPTH);
    if (depth > c->depth) c->depth = (uint8_t)depth;
    return MG_OK;
}

mg_status mg_pickle_append(mg_unpickler *u, uint32_t container, uint32_t key, uint32_t value)
{
    mg_pickle *p = u->p;
    uint32_t i = p->cells ? p->cells : 1;

    MG_TRY(nest(u, container, value));
    MG_TRY(mg_pickle_grow((void **)&p->cell, &p->cell_room, i + 1, sizeof *p->cell));
    p->cells = i + 1;
    p->cell[i] = (mg_pickle_cell){key, value, 0};
    mg_pickle_value *c = &p->value[container];
    if (c->list.first)
        p->cell[c->list.last].next = i;
    else
        c->list.first = i;
    c->list.last = i;
    c->list.count++;
    return MG_OK;
}

uint32_t mg_pickle_members(const mg_pickle *p, uint32_t container, uint32_t *member, uint32_t room)
{
    uint32_t n = 0;

    for (uint32_t c = p->value[container].list.first; c && n < room; c = p->cell[c].next)
        member[n++] = p->cell[c].value;
    return p->value[container].list.count;
}

const char *mg_pickle_text(const mg_pickle *p, uint32_t value, uint32_t *bytes)
{
    if (bytes) *bytes = p->value[value].text.bytes;
    return p->texts + p->value[value].text.at;
}

bool mg_pickle_is_text(const mg_pickle *p, uint32_t value, const char *text)
{
    const mg_pickle_value *v = &p->value[value];

    return v->kind == MG_PICKLE_TEXT && v->text.bytes == strlen(text) &&
           !memcmp(p->texts + v->text.at, text, v->text.bytes);
}

// Texts are kept with a zero byte behind them.
static mg_status keep_text(mg_unpickler *u, mg_pickle_kind kind, size_t bytes, uint32_t *value)
{
    mg_pickle *p = u->p;

    if (p->text_bytes > UINT32_MAX - bytes - 1) return MG_REFUSE(u, "too much text");
    uint32_t at = p->text_bytes, need = at + (uint32_t)bytes + 1;
    MG_TRY(mg_pickle_grow((void **)&p->texts, &p->text_room, need, 1));
    MG_TRY(take_bytes(u, p->texts + at, bytes));
    p->texts[at + bytes] = '\0';
    p->text_bytes = need;
    MG_TRY(mg_pickle_new(u, kind, value));
    p->value[*value].text.at = at;
    p->value[*value].text.bytes = (uint32_t)bytes;
    return MG_OK;
}

// --- items of dicts ---------------------------------------------------------------------------------

static uint64_t key_hash(const mg_pickle *p, uint32_t owner, uint32_t key)
{
    const mg_pickle_value *k = &p->value[key];
    uint64_t mine = k->kind == MG_PICKLE_TEXT ? mg_hash64(p->texts + k->text.at, k->text.bytes)
                                              : (uint64_t)k->i * 0x9E3779B97F4A7C15u;
    uint64_t mix[2] = {mine, owner};

    return mg_hash64(mix, sizeof mix);
}

static bool same_key(const mg_pickle *p, uint32_t a, uint32_t b)
{
    const mg_pickle_value *x = &p->value[a], *y = &p->value[b];

    if (x->kind != y->kind) return false;
    if (x->kind == MG_PICKLE_INT) return x->i == y->i;
    return x->text.bytes == y->text.bytes &&
           !memcmp(p->texts + x->text.at, p->texts + y->text.at, x->text.bytes);
}

static mg_pickle_slot *probe(const mg_unpickler *u, mg_pickle_slot *slot, uint32_t slots,
                             uint32_t owner, uint32_t key)
{
    uint32_t i = (uint32_t)key_hash(u->p, owner, key) & (slots - 1);

    while (slot[i].found && !(slot[i].owner == owner && same_key(u->p, slot[i].key, key)))
        i = (i + 1) & (slots - 1);
    return &slot[i];
}

static mg_status grow_slots(mg_unpickler *u)
{
    uint32_t slots = u->slots ? 2 * u->slots : 256;

    if (2 * u->slots_used < u->slots) return MG_OK;
    mg_pickle_slot *larger = mg_calloc(slots, sizeof *larger);
    MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate the keys of a pickle");
    for (uint32_t i = 0; i < u->slots; i++)
        if (u->slot[i].found)
            *probe(u, larger, slots, u->slot[i].owner, u->slot[i].key) = u->slot[i];
    mg_free(u->slot);
    u->slot = larger;
    u->slots = slots;
    return MG_OK;
}

mg_status mg_pickle_slot_of(mg_unpickler *u, uint32_t owner, uint32_t key, mg_pickle_slot **slot)
{
    MG_TRY(grow_slots(u));
    *slot = probe(u, u->slot, u->slots, owner, key);
    if (!(*slot)->found) {
        (*slot)->owner = owner;
        (*slot)->key = key;
        u->slots_used++;
    }
    return MG_OK;
}

mg_status mg_pickle_set(mg_unpickler *u, uint32_t container, uint32_t key, uint32_t value)
{
    mg_pickle_kind kind = u->p->value[key].kind;
    mg_pickle_slot *slot;

    if (kind != MG_PICKLE_TEXT && kind != MG_PICKLE_INT)
        return MG_REFUSE(u, "a key is neither a text nor an integer");
    MG_TRY(mg_pickle_slot_of(u, container, key, &slot));
    if (slot->found) { // the later value stands
        MG_TRY(nest(u, container, value));
        u->p->cell[slot->found].value = value;
        return MG_OK;
    }
    mg_status st = mg_pickle_append(u, container, key, value);
    if (!st) slot->found = u->p->value[container].list.last;
    return st;
}

// --- stack, marks, memo -----------------------------------------------------------------------------

static mg_status push(mg_unpickler *u, uint32_t value)
{
    MG_TRY(mg_pickle_grow((void **)&u->stack, &u->stack_room, u->depth + 1, sizeof *u->stack));
    u->stack[u->depth++] = value;
    return MG_OK;
}

// Values above the last mark belong to it: nothing reaches below.
static mg_status pop(mg_unpickler *u, uint32_t *value)
{
    uint32_t floor = u->marks ? u->mark[u->marks - 1] : 0;

    if (u->depth <= floor) return MG_REFUSE(u, "the stack has no value left");
    *value = u->stack[--u->depth];
    return MG_OK;
}

static mg_status top(mg_unpickler *u, uint32_t *value)
{
    MG_TRY(pop(u, value));
    u->depth++;
    return MG_OK;
}

static mg_status set_mark(mg_unpickler *u)
{
    if (u->marks == MAX_MARKS) return MG_REFUSE(u, "more than %d open marks", MAX_MARKS);
    u->mark[u->marks++] = u->depth;
    return MG_OK;
}

// The values since the last mark, which is taken away: *count of them at u->stack + *first.
static mg_status pop_mark(mg_unpickler *u, uint32_t *first, uint32_t *count)
{
    if (!u->marks) return MG_REFUSE(u, "there is no mark");
    *first = u->mark[--u->marks];
    *count = u->depth - *first;
    u->depth = *first;
    return MG_OK;
}

static mg_status memo_store(mg_unpickler *u, uint32_t index)
{
    uint32_t before = u->memo_room, value = 0;

    MG_TRY(top(u, &value));
    if (index >= MAX_MEMO) return MG_REFUSE(u, "memo index %u is too large", index);
    MG_TRY(mg_pickle_grow((void **)&u->memo, &u->memo_room, index + 1, sizeof *u->memo));
    if (u->memo_room > before)
        memset(u->memo + before, 0, (size_t)(u->memo_room - before) * sizeof *u->memo);
    u->memo[index] = value + 1;
    return MG_OK;
}

static mg_status memo_get(mg_unpickler *u, uint32_t index)
{
    if (index >= u->memo_room || !u->memo[index])
        return MG_REFUSE(u, "memo %u was never stored", index);
    return push(u, u->memo[index] - 1);
}

// --- opcodes ----------------------------------------------------------------------------------------

static mg_status push_new(mg_unpickler *u, mg_pickle_kind kind, int64_t i)
{
    uint32_t value = 0;

    MG_TRY(mg_pickle_new(u, kind, &value));
    if (kind <= MG_PICKLE_INT) u->p->value[value].i = i;
    return push(u, value);
}

static mg_status push_tuple(mg_unpickler *u, uint32_t first, uint32_t count)
{
    uint32_t tuple = 0;

    MG_TRY(mg_pickle_new(u, MG_PICKLE_TUPLE, &tuple));
    for (uint32_t i = 0; i < count; i++) MG_TRY(mg_pickle_append(u, tuple, 0, u->stack[first + i]));
    u->depth = first;
    return push(u, tuple);
}

static mg_status push_small_tuple(mg_unpickler *u, uint32_t count)
{
    uint32_t floor = u->marks ? u->mark[u->marks - 1] : 0;

    if (u->depth - floor < count) return MG_REFUSE(u, "the stack has no value left");
    return push_tuple(u, u->depth - count, count);
}

static bool is_utf8(const char *text, size_t bytes)
{
    int32_t point;

    while (bytes) {
        int n = mg_utf8_decode(text, bytes, &point);
        if (n <= 0) return false;
        text += n;
        bytes -= (size_t)n;
    }
    return true;
}

static mg_status push_text(mg_unpickler *u)
{
    uint32_t bytes = 0, value = 0;

    MG_TRY(take_number(u, 4, &bytes));
    if (bytes > MAX_TEXT) return MG_REFUSE(u, "a text has %u bytes", bytes);
    MG_TRY(keep_text(u, MG_PICKLE_TEXT, bytes, &value));
    if (!is_utf8(mg_pickle_text(u->p, value, NULL), bytes))
        return MG_REFUSE(u, "a text is not UTF-8");
    return push(u, value);
}

static mg_status push_long(mg_unpickler *u)
{
    uint32_t bytes = 0, value = 0;

    MG_TRY(take_number(u, 1, &bytes));
    if (bytes > 10) return MG_REFUSE(u, "an integer of %u bytes", bytes);
    if (bytes > 8) {
        MG_TRY(keep_text(u, MG_PICKLE_BIG, bytes, &value));
        return push(u, value);
    }
    uint8_t raw[8];
    MG_TRY(take_bytes(u, raw, bytes));
    uint64_t x = bytes && raw[bytes - 1] & 0x80 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < bytes; i++)
        x = (x & ~((uint64_t)0xFF << 8 * i)) | (uint64_t)raw[i] << 8 * i;
    return push_new(u, MG_PICKLE_INT, (int64_t)x);
}

static mg_status push_real(mg_unpickler *u)
{
    uint8_t raw[8];
    uint64_t bits = 0;
    uint32_t value = 0;

    MG_TRY(take_bytes(u, raw, sizeof raw));
    for (int i = 0; i < 8; i++) bits = bits << 8 | raw[i];
    MG_TRY(mg_pickle_new(u, MG_PICKLE_REAL, &value));
    memcpy(&u->p->value[value].r, &bits, sizeof bits);
    return push(u, value);
}

static mg_status append_items(mg_unpickler *u, uint32_t first, uint32_t count)
{
    uint32_t list = 0;

    MG_TRY(top(u, &list));
    if (u->p->value[list].kind != MG_PICKLE_LIST) return MG_REFUSE(u, "APPEND to what is no list");
    for (uint32_t i = 0; i < count; i++) MG_TRY(mg_pickle_append(u, list, 0, u->stack[first + i]));
    return MG_OK;
}

static mg_status set_items(mg_unpickler *u, uint32_t first, uint32_t count)
{
    uint32_t dict = 0;

    MG_TRY(top(u, &dict));
    mg_pickle_kind kind = u->p->value[dict].kind;
    if (kind != MG_PICKLE_DICT && kind != MG_PICKLE_ORDERED)
        return MG_REFUSE(u, "SETITEM on what is no dict");
    if (count % 2) return MG_REFUSE(u, "a key without a value");
    for (uint32_t i = 0; i < count; i += 2)
        MG_TRY(mg_pickle_set(u, dict, u->stack[first + i], u->stack[first + i + 1]));
    return MG_OK;
}

static mg_status do_name(mg_unpickler *u)
{
    char module[MAX_NAME + 1], name[MAX_NAME + 1];
    uint32_t value = 0;

    MG_TRY(take_line(u, module));
    MG_TRY(take_line(u, name));
    MG_TRY(mg_pickle_name(u, module, name, &value));
    return push(u, value);
}

static mg_status do_persistent(mg_unpickler *u)
{
    uint32_t id = 0, value = 0;

    MG_TRY(pop(u, &id));
    MG_TRY(mg_pickle_persistent(u, id, &value));
    return push(u, value);
}

static mg_status do_call(mg_unpickler *u,
                         mg_status (*call)(mg_unpickler *, uint32_t, uint32_t, uint32_t *))
{
    uint32_t args = 0, callee = 0, value = 0;

    MG_TRY(pop(u, &args));
    MG_TRY(pop(u, &callee));
    MG_TRY(call(u, callee, args, &value));
    return push(u, value);
}

static mg_status do_build(mg_unpickler *u)
{
    uint32_t state = 0, object = 0;

    MG_TRY(pop(u, &state));
    MG_TRY(top(u, &object));
    return mg_pickle_build(u, object, state);
}

static mg_status do_proto(mg_unpickler *u)
{
    uint32_t version = 0;

    MG_TRY(take_number(u, 1, &version));
    if (version != 2) return MG_REFUSE(u, "pickle protocol %u, expected 2", version);
    return MG_OK;
}

static mg_status push_int(mg_unpickler *u, int bytes)
{
    uint32_t x = 0;

    MG_TRY(take_number(u, bytes, &x));
    return push_new(u, MG_PICKLE_INT, bytes == 4 ? (int64_t)(int32_t)x : (int64_t)x);
}

static mg_status do_memo(mg_unpickler *u, int bytes, mg_status (*action)(mg_unpickler *, uint32_t))
{
    uint32_t index = 0;

    MG_TRY(take_number(u, bytes, &index));
    return action(u, index);
}

// APPEND and SETITEM take `count` values from the top, APPENDS and SETITEMS those since the mark.
static mg_status do_items(mg_unpickler *u, uint32_t count, bool marked,
                          mg_status (*action)(mg_unpickler *, uint32_t, uint32_t))
{
    uint32_t first = 0, value = 0;

    if (marked) {
        MG_TRY(pop_mark(u, &first, &count));
    } else {
        for (uint32_t i = 0; i < count; i++) MG_TRY(pop(u, &value));
        first = u->depth;
    }
    return action(u, first, count);
}

static mg_status do_tuple(mg_unpickler *u)
{
    uint32_t first = 0, count = 0;

    MG_TRY(pop_mark(u, &first, &count));
    return push_tuple(u, first, count);
}

static mg_status step(mg_unpickler *u, uint8_t opcode)
{
    switch (opcode) {
    case 0x80:
        return do_proto(u);
    case '(':
        return set_mark(u);
    case 'N':
        return push_new(u, MG_PICKLE_NONE, 0);
    case 0x88:
        return push_new(u, MG_PICKLE_BOOL, 1);
    case 0x89:
        return push_new(u, MG_PICKLE_BOOL, 0);
    case 'K':
        return push_int(u, 1);
    case 'M':
        return push_int(u, 2);
    case 'J':
        return push_int(u, 4);
    case 0x8A:
        return push_long(u);
    case 'G':
        return push_real(u);
    case 'X':
        return push_text(u);
    case '}':
        return push_new(u, MG_PICKLE_DICT, 0);
    case ']':
        return push_new(u, MG_PICKLE_LIST, 0);
    case ')':
        return push_new(u, MG_PICKLE_TUPLE, 0);
    case 't':
        return do_tuple(u);
    case 0x85:
        return push_small_tuple(u, 1);
    case 0x86:
        return push_small_tuple(u, 2);
    case 0x87:
        return push_small_tuple(u, 3);
    case 'a':
        return do_items(u, 1, false, append_items);
    case 'e':
        return do_items(u, 0, true, append_items);
    case 's':
        return do_items(u, 2, false, set_items);
    case 'u':
        return do_items(u, 0, true, set_items);
    case 'q':
        return do_memo(u, 1, memo_store);
    case 'r':
        return do_memo(u, 4, memo_store);
    case 'h':
        return do_memo(u, 1, memo_get);
    case 'j':
        return do_memo(u, 4, memo_get);
    case 'c':
        return do_name(u);
    case 'Q':
        return do_persistent(u);
    case 'R':
        return do_call(u, mg_pickle_reduce);
    case 0x81:
        return do_call(u, mg_pickle_new_object);
    case 'b':
        return do_build(u);
    default:
        return MG_REFUSE(u, "opcode 0x%02x is not one of PyTorch's", opcode);
    }
}

static mg_status run(mg_unpickler *u)
{
    uint64_t left = u->end - u->at;
    uint8_t opcode = 0;

    for (int count = 0; count < MAX_OPCODES; count++) {
        u->opcode_at = u->at - (u->have - u->used);
        MG_TRY(take_bytes(u, &opcode, 1));
        if (count == 0 && opcode != 0x80) return MG_REFUSE(u, "this is no pickle");
        if (opcode != '.') {
            MG_TRY(step(u, opcode));
            continue;
        }
        if (u->depth != 1 || u->marks)
            return MG_REFUSE(u, "%u values are left at the end, expected 1", u->depth);
        u->p->root = u->stack[0];
        return MG_OK;
    }
    return MG_REFUSE(u, "more than %d opcodes in %llu bytes", MAX_OPCODES,
                     (unsigned long long)left);
}

mg_status mg_pickle_read(const mg_raw_file *file, uint64_t *at, uint64_t end, mg_pickle_form form,
                         mg_pickle *out)
{
    mg_unpickler *u = mg_calloc(1, sizeof *u);
    uint32_t room = 0;

    *out = (mg_pickle){0};
    MG_CHECK(u, MG_ERR_MEMORY, "cannot allocate a pickle reader");
    u->file = file;
    u->at = *at;
    u->end = end;
    u->form = form;
    u->p = out;
    mg_status st = mg_pickle_grow((void **)&u->mark, &room, MAX_MARKS, sizeof *u->mark);
    if (!st) st = run(u);
    *at = u->at - (u->have - u->used);
    mg_free(u->stack);
    mg_free(u->mark);
    mg_free(u->memo);
    mg_free(u->slot);
    mg_free(u);
    if (st) mg_pickle_free(out);
    return st;
}

void mg_pickle_free(mg_pickle *p)
{
    mg_free(p->value);
    mg_free(p->cell);
    mg_free(p->texts);
    mg_free(p->storage);
    mg_free(p->tensor);
    *p = (mg_pickle){0};
}
