/* Text files: characters out of the stream's bytes and into them.
 *
 * Reading works on bytes of UTF-8, ASCII or Latin-1: in all of them a newline is one byte that nothing else contains.
 * Other encodings are read whole and turned into UTF-8 in the buffer (surrogates kept) before the first character. */
#include "file.h"
#include "bytes.h"
#include "str.h"

static bool is_plain_codec(const file *f)
{
    return f->codec == CODEC_UTF8 || f->codec == CODEC_ASCII || f->codec == CODEC_LATIN1;
}
static bool is_strict(const file *f) { return !IS_STR(f->errors) || str_equal_ascii(AS(str, f->errors), "strict"); }

/* The whole rest of the stream as UTF-8 in its buffer. */
static bool transcode(vm *vm, file *f)
{
    file *s = file_stream(f);
    for (int r; (r = stream_fill(vm, s)) != 0;)
        if (r < 0) return false;
    str *text = codec_decode(vm, f->codec, s->buf + s->pos, s->end - s->pos, f->errors, true, NULL, NULL);
    if (!text) return false;
    s->pos = s->end = 0;
    if (!stream_reserve(vm, s, utf8_size(text))) return false;
    s->end = (size_t)(utf8_write(s->buf, text) - s->buf);
    s->checked = s->end;
    s->transcoded = s->eof = true;
    return true;
}

/* After a fill: what is new must be valid, so that an error shows when the bytes come, at their offset in the file's
 * piece, as in CPython. An incomplete character at the end is left unless the file ends there. */
static bool check_new(vm *vm, file *f, size_t from, bool final)
{
    file *s = file_stream(f);
    if (f->codec == CODEC_LATIN1 || s->transcoded || !is_strict(f)) {
        s->checked = s->end;
        return true;
    }
    const uint8_t *p = s->buf + from;
    size_t n = s->end - from, points, bad, bad_end;
    uint32_t maxchar;
    const char *reason;
    if (ascii_prefix(p, n) == n) {
        s->checked = s->end;
        return true;
    }
    if (f->codec == CODEC_UTF8) {
        if (utf8_check(p, n, &points, &maxchar, &bad, &bad_end, &reason)) {
            s->checked = s->end;
            return true;
        }
        if (!final && bad_end == n && strcmp(reason, "unexpected end of data") == 0) {
            s->checked = from + bad;
            return true;
        }
    }
    str *never = codec_decode(vm, f->codec, p, n, f->errors, true, NULL, NULL);
    return never != NULL;
}

/* More text: 1, 0 at the end, -1 raised. */
static int text_fill(vm *vm, file *f)
{
    file *s = file_stream(f);
    if (!s->started && !is_plain_codec(f)) {
        if (f->codec == CODEC_UTF8_SIG) {
            while (s->end - s->pos < 3) {
                int r = stream_fill(vm, s);
                if (r < 0) return -1;
                if (r == 0) break;
            }
            if (s->end - s->pos >= 3 && memcmp(s->buf + s->pos, "\xef\xbb\xbf", 3) == 0) s->pos += 3;
            f->codec = CODEC_UTF8;
            s->checked = s->pos;
        } else if (!s->transcoded) {
            s->started = true;
            return transcode(vm, f) ? s->end > s->pos : -1;
        }
        s->started = true;
        if (s->end > s->pos) return check_new(vm, f, s->pos, false) ? 1 : -1;
    }
    s->started = true;
    size_t kept = s->end - s->pos, ahead = s->checked > s->pos ? s->checked - s->pos : 0;
    int r = stream_fill(vm, s);
    if (r < 0) return -1;
    /* The storage may have moved to the front: offsets from pos stay. */
    size_t from = s->pos + (ahead < kept ? ahead : kept);
    if (from > s->end) from = s->end; /* what src ran may have read */
    if (r == 0) {
        if (from < s->end && !check_new(vm, f, from, true)) return -1;
        s->checked = s->end;
        return 0;
    }
    return check_new(vm, f, from, false) ? 1 : -1;
}

static str *decode(vm *vm, file *f, size_t from, size_t to)
{
    file *s = file_stream(f);
    const uint8_t *p = s->buf + from;
    size_t n = to - from;
    if (n == 0) return vm->empty_str;
    if (ascii_prefix(p, n) == n) return str_from_ascii(vm, (const char *)p, n);
    if (s->transcoded) return str_new_utf8(vm, (const char *)p, n);
    return codec_decode(vm, f->codec, p, n, f->errors, true, NULL, NULL);
}

/* Text of buf[from, to) with its newlines as the file's mode wants them. */
static str *decode_translated(vm *vm, file *f, size_t from, size_t to)
{
    file *s = file_stream(f);
    str *text = decode(vm, f, from, to);
    if (!text || f->newline > NEWLINE_KEEP) return text;
    const uint8_t *p = s->buf + from, *end = s->buf + to;
    if (!(f->seen_newlines & SEEN_LF) && memchr(p, '\n', to - from)) {
        for (const uint8_t *q = p; (q = memchr(q, '\n', (size_t)(end - q))); q++)
            if (q == p || q[-1] != '\r') {
                f->seen_newlines |= SEEN_LF;
                break;
            }
    }
    if (!memchr(p, '\r', to - from)) return text;
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < text->len; i++) {
        uint32_t c = str_at(text, i);
        if (c != '\r') {
            sb_char(&b, c);
            continue;
        }
        bool pair = i + 1 < text->len && str_at(text, i + 1) == '\n';
        f->seen_newlines |= pair ? SEEN_CRLF : SEEN_CR;
        if (f->newline == NEWLINE_KEEP) {
            sb_char(&b, '\r');
            if (pair) sb_char(&b, '\n');
        } else {
            sb_char(&b, '\n');
        }
        i += pair;
    }
    return sb_finish(&b);
}

/* The end of the line that begins at `from`, its newline included; 0: not in the buffer yet. */
static size_t line_end(const file *f, size_t from, bool final)
{
    const file *s = f->of ? f->of : f;
    const uint8_t *p = s->buf + from, *q, *r;
    size_t n = s->end - from;
    switch (f->newline) {
    case NEWLINE_LF: q = memchr(p, '\n', n); return q ? (size_t)(q + 1 - s->buf) : 0;
    case NEWLINE_CR: q = memchr(p, '\r', n); return q ? (size_t)(q + 1 - s->buf) : 0;
    case NEWLINE_CRLF: q = memmem(p, n, "\r\n", 2); return q ? (size_t)(q + 2 - s->buf) : 0;
    default:
        q = memchr(p, '\n', n);
        r = memchr(p, '\r', q ? (size_t)(q - p) : n);
        if (!r) return q ? (size_t)(q + 1 - s->buf) : 0;
        if (r + 1 < p + n) return (size_t)(r + 1 - s->buf) + (r[1] == '\n');
        return final ? (size_t)(r + 1 - s->buf) : 0; /* a \n may follow */
    }
}

static bool begin_read(vm *vm, file *f) { return stream_before_read(vm, file_stream(f)); }

str *text_readline(vm *vm, file *f, int64_t limit)
{
    file *s = file_stream(f);
    if (limit == 0) return vm->empty_str;
    if (!begin_read(vm, f)) return NULL;
    if (!s->started) {
        if (text_fill(vm, f) < 0) return NULL;
    }
    size_t searched = 0, end;
    for (;;) {
        if (searched > s->end - s->pos) searched = 0;
        end = s->end > s->pos ? line_end(f, s->pos + searched, false) : 0;
        if (end) break;
        searched = s->end - s->pos;
        if (searched) searched--; /* a \r may wait for its \n */
        int r = text_fill(vm, f);
        if (r < 0) return NULL;
        if (r > 0) continue;
        end = s->end > s->pos ? line_end(f, s->pos, true) : 0;
        if (!end) end = s->end;
        break;
    }
    if (limit > 0 && (uint64_t)limit < end - s->pos) { /* count characters only when the line might be too long */
        str *line = decode_translated(vm, f, s->pos, end);
        if (!line) return NULL;
        if ((uint64_t)limit < line->len) return text_read(vm, f, limit);
        s->pos = end;
        return line;
    }
    str *line = decode_translated(vm, f, s->pos, end);
    if (line) s->pos = end;
    return line;
}

static str *text_read_all(vm *vm, file *f)
{
    file *s = file_stream(f);
    bool first = s->end == s->pos;
    /* All bytes, then one check: an error's offset counts from here. */
    if (first && is_plain_codec(f)) s->started = true;
    if (!s->started && text_fill(vm, f) < 0) return NULL;
    for (int r; (r = stream_fill(vm, s)) != 0;) {
        if (r < 0) return NULL;
        if (!vm_tick(vm, 64)) return NULL;
    }
    s->checked = s->end;
    str *text = decode_translated(vm, f, s->pos, s->end);
    if (text) s->pos = s->end;
    return text;
}

str *text_read(vm *vm, file *f, int64_t n)
{
    file *s = file_stream(f);
    if (!begin_read(vm, f)) return NULL;
    if (n < 0) return text_read_all(vm, f);
    if (n == 0) return vm->empty_str;
    uint64_t count = 0;
    size_t at = 0; /* from pos */
    bool collapse = f->newline == NEWLINE_UNIVERSAL, final = false, utf8 = f->codec == CODEC_UTF8 || s->transcoded;
    for (;;) {
        while (s->pos + at < s->end && count < (uint64_t)n) {
            const uint8_t *p = s->buf + s->pos + at;
            size_t left = s->end - s->pos - at, step = 1;
            if (utf8 && *p >= 0xC0) {
                size_t want = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
                while (step < want && step < left && (p[step] & 0xC0) == 0x80) step++;
                if (step < want && step == left && !final) break;
            } else if (collapse && *p == '\r') {
                if (left == 1 && !final) break;
                if (left > 1 && p[1] == '\n') step = 2;
            }
            at += step;
            count++;
        }
        if (count == (uint64_t)n || final) break;
        int r = text_fill(vm, f);
        if (r < 0) return NULL;
        utf8 = f->codec == CODEC_UTF8 || s->transcoded;
        if (r == 0) final = true;
    }
    str *text = decode_translated(vm, f, s->pos, s->pos + at);
    if (text) s->pos += at;
    return text;
}

/* ---- writing ---- */

/* s with each \n replaced by the file's newline. */
static str *with_newlines(vm *vm, file *f, str *s)
{
    if ((f->newline != NEWLINE_CR && f->newline != NEWLINE_CRLF) || !str_find_char(s, '\n')) return s;
    str_builder b;
    sb_init(&b, vm);
    for (size_t i = 0; i < s->len; i++) {
        uint32_t c = str_at(s, i);
        if (c == '\n') sb_cstr(&b, f->newline == NEWLINE_CR ? "\r" : "\r\n");
        else sb_char(&b, c);
    }
    return sb_finish(&b);
}

bool text_write(vm *vm, file *f, str *s)
{
    file *st = file_stream(f);
    str *given = s;
    s = with_newlines(vm, f, s);
    if (!s) return false;
    bytes *b = NULL;
    ROOTS(vm, &given, &s, &b, &f);
    bool ok;
    if (str_is_ascii(s) && (is_plain_codec(f) || f->codec == CODEC_UTF8_SIG) &&
        !(f->codec == CODEC_UTF8_SIG && !st->started)) {
        ok = stream_write(vm, st, s->data, s->len);
    } else if (f->codec == CODEC_LATIN1 && str_width(s) == 1) {
        ok = stream_write(vm, st, s->data, s->len);
    } else {
        codec_id id = f->codec;
        if (st->started) { /* a byte order mark only at the start */
            if (id == CODEC_UTF8_SIG) id = CODEC_UTF8;
            else if (id == CODEC_UTF16) id = CODEC_UTF16_LE;
            else if (id == CODEC_UTF32) id = CODEC_UTF32_LE;
        }
        b = codec_encode(vm, id, s, f->errors);
        if (!b) return false;
        ok = stream_write(vm, st, b->data, b->len);
    }
    st->started = true;
    if (!ok) return false;
    if (f->write_through || (f->line_buffered && (str_find_char(given, '\n') || str_find_char(given, '\r'))))
        return stream_flush(vm, st);
    return true;
}
