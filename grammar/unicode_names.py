"""Writes the tables that unicode_names.c reads, from the Unicode data of this Python.

    python3 unicode_names.py OUTPUT

Families whose names are computed (ideographs, Hangul syllables, ...) become ranges. Every other name is a row of words
with the space or hyphen before them, and is written as what it shares with the name before:

    shape    how many words are the same at the beginning, are new, are the same at the end
    words    the new ones

The first name of a block of BLOCK shares nothing. Aliases come last, as names of their own.
Shapes, words, and the letters of the words are in canonical Huffman codes (a count for each length). A word's number is
its code's rank; the words of one length are sorted, and spelled as the letters they share with the word before and the
others. The first of each GROUP shares nothing.
"""
import collections
import heapq
import re
import sys
import unicodedata

BLOCK, GROUP, MOST = 64, 32, 16
CODED = ("CJK UNIFIED IDEOGRAPH-", "TANGUT IDEOGRAPH-", "CJK COMPATIBILITY IDEOGRAPH-",
         "KHITAN SMALL SCRIPT CHARACTER-", "NUSHU CHARACTER-")
HANGUL = "HANGUL SYLLABLE "

# Python finds characters by alias too, but does not list aliases; these are the ones in use.
ALIASES = """
NULL;NUL;START OF HEADING;SOH;START OF TEXT;STX;END OF TEXT;ETX;END OF TRANSMISSION;EOT;ENQUIRY;ENQ
ACKNOWLEDGE;ACK;ALERT;BEL;BACKSPACE;BS;CHARACTER TABULATION;HORIZONTAL TABULATION;HT;TAB;LINE FEED
NEW LINE;END OF LINE;LF;NL;EOL;LINE TABULATION;VERTICAL TABULATION;VT;FORM FEED;FF;CARRIAGE RETURN
CR;SHIFT OUT;SO;SHIFT IN;SI;DATA LINK ESCAPE;DLE;DEVICE CONTROL ONE;DC1;DEVICE CONTROL TWO;DC2
DEVICE CONTROL THREE;DC3;DEVICE CONTROL FOUR;DC4;NEGATIVE ACKNOWLEDGE;NAK;SYNCHRONOUS IDLE;SYN
END OF TRANSMISSION BLOCK;ETB;CANCEL;CAN;END OF MEDIUM;EOM;SUBSTITUTE;SUB;ESCAPE;ESC
INFORMATION SEPARATOR FOUR;FILE SEPARATOR;FS;INFORMATION SEPARATOR THREE;GROUP SEPARATOR;GS
INFORMATION SEPARATOR TWO;RECORD SEPARATOR;RS;INFORMATION SEPARATOR ONE;UNIT SEPARATOR;US;SP;DELETE
DEL;PADDING CHARACTER;PAD;HIGH OCTET PRESET;HOP;BREAK PERMITTED HERE;BPH;NO BREAK HERE;NBH;INDEX;IND
NEXT LINE;NEL;START OF SELECTED AREA;SSA;END OF SELECTED AREA;ESA;CHARACTER TABULATION SET;HTS
CHARACTER TABULATION WITH JUSTIFICATION;HTJ;LINE TABULATION SET;VTS;PARTIAL LINE FORWARD;PLD
PARTIAL LINE BACKWARD;PLU;REVERSE LINE FEED;REVERSE INDEX;RI;SINGLE SHIFT TWO;SS2;SINGLE SHIFT THREE
SS3;DEVICE CONTROL STRING;DCS;PRIVATE USE ONE;PU1;PRIVATE USE TWO;PU2;SET TRANSMIT STATE;STS
CANCEL CHARACTER;CCH;MESSAGE WAITING;MW;START OF GUARDED AREA;SPA;END OF GUARDED AREA;EPA
START OF STRING;SOS;SINGLE GRAPHIC CHARACTER INTRODUCER;SGC;SINGLE CHARACTER INTRODUCER;SCI
CONTROL SEQUENCE INTRODUCER;CSI;STRING TERMINATOR;ST;OPERATING SYSTEM COMMAND;OSC;PRIVACY MESSAGE;PM
APPLICATION PROGRAM COMMAND;APC;NBSP;SHY;CGJ;ALM;ZWSP;ZWNJ;ZWJ;LRM;RLM;LRE;RLE;PDF;LRO;RLO;NNBSP
MMSP;WJ;LRI;RLI;FSI;PDI;VS1;VS15;VS16;BYTE ORDER MARK;BOM;ZWNBSP
LATIN CAPITAL LETTER GHA;LATIN SMALL LETTER GHA;WEIERSTRASS ELLIPTIC FUNCTION
"""



class Code:
    """Symbols in the order of their codes, how many have each length, and each one's (code, length)."""

    def __init__(self, counts):
        heap = [(n, i, (symbol,)) for i, (symbol, n) in enumerate(sorted(counts.items()))]
        heapq.heapify(heap)
        length = dict.fromkeys(counts, 0)
        serial = len(heap)
        while len(heap) > 1:
            a, b = heapq.heappop(heap), heapq.heappop(heap)
            for symbol in a[2] + b[2]:
                length[symbol] += 1
            serial += 1
            heapq.heappush(heap, (a[0] + b[0], serial, a[2] + b[2]))
        if max(length.values()) >= 24:
            sys.exit("a code is too long")
        self.symbols = sorted(counts, key=lambda symbol: (length[symbol], symbol))
        self.lengths = [0] * (max(length.values()) + 1)
        self.code = {}
        code = last = 0
        for symbol in self.symbols:
            code <<= length[symbol] - last
            last = length[symbol]
            self.lengths[last] += 1
            self.code[symbol] = code, last
            code += 1


class Bits:
    def __init__(self):
        self.bits = []

    def put(self, code, symbol):
        value, length = code.code[symbol]
        self.bits += [value >> i & 1 for i in range(length - 1, -1, -1)]

    def bytes(self):
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return [int("".join(map(str, bits[i:i + 8])), 2) for i in range(0, len(bits), 8)]


def split(name):
    return re.findall(r"[ -]?[^ -]+|[ -]", name)


def common(a, b):
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def shapes(names):
    """(first of a block?, the shape's number, the new words) of each name."""
    before = []
    for i, (_, name) in enumerate(names):
        words = split(name)
        if len(words) >= MOST:
            sys.exit(f"too many words: {name}")
        if i % BLOCK == 0:
            before = []
        same = common(before, words)
        end = common(before[same:][::-1], words[same:][::-1])
        new = words[same:len(words) - end]
        yield i % BLOCK == 0, same << 8 | len(new) << 4 | end, new
        before = words


def spelling(code):
    """(first of a group?, letters shared with the word before, the others) of each word."""
    start = 0
    for n in code.lengths:
        before = ""
        for i, word in enumerate(code.symbols[start:start + n]):
            same = 0 if i % GROUP == 0 else min(common(before, word), MOST - 1)
            yield i % GROUP == 0, same, word[same:] + "\0"
            before = word
        start += n


def all_names():
    names, ranges = [], []
    for cp in range(0x110000):
        name = unicodedata.name(chr(cp), None)
        if name is None or name.startswith(HANGUL):
            continue
        family = next((f for f in CODED if name == f"{f}{cp:04X}"), None)
        if family is None:
            names.append((cp, name))
        elif ranges and ranges[-1][0] == family and ranges[-1][2] == cp - 1:
            ranges[-1][2] = cp
        else:
            ranges.append([family, cp, cp])
    return names, ranges


def all_aliases(names):
    known, found = {name for _, name in names}, {}
    for alias in ALIASES.replace("\n", ";").split(";"):
        try:
            if alias and alias not in known:
                found[alias] = ord(unicodedata.lookup(alias))
        except (KeyError, TypeError):
            pass  # this Python does not know it
    return sorted((cp, alias) for alias, cp in found.items())


def main(output):
    names, ranges = all_names()
    count = len(names)
    names += all_aliases(names)
    rows = list(shapes(names))
    shape = Code(collections.Counter(row[1] for row in rows))
    word = Code(collections.Counter(w for row in rows for w in row[2]))
    number = {w: i for i, w in enumerate(word.symbols)}
    spelled = list(spelling(word))
    share = Code(collections.Counter(s[1] for s in spelled))
    letter = Code(collections.Counter(c for s in spelled for c in s[2]))

    text, groups = Bits(), []
    for first, same, rest in spelled:
        if first:
            groups.append(len(text.bits))
        else:
            text.put(share, same)
        for c in rest:
            text.put(letter, c)

    stream, blocks, filters = Bits(), [], []
    for (first, form, new), (_, name) in zip(rows, names):
        if first:
            blocks.append(len(stream.bits))
            filters.append(0)
        filters[-1] |= 1 << number[split(name)[0]] % 32
        stream.put(shape, form)
        for w in new:
            stream.put(word, w)

    runs = [(cp, i) for i, (cp, _) in enumerate(names) if i == 0 or i == count or names[i - 1][0] != cp - 1]

    with open(output, "w", encoding="ascii") as f:
        def table(kind, name, values):
            f.write(f"static const {kind} {name}[] = {{\n")
            for i in range(0, len(values), 20):
                f.write(",".join(map(str, values[i:i + 20])) + ",\n")
            f.write("};\n")

        f.write(f"/* Made by unicode_names.py from Unicode {unicodedata.unidata_version}. */\n")
        f.write(f"enum {{ NAME_COUNT = {count}, NAME_ALL = {len(names)}, NAME_BLOCK = {BLOCK}, WORD_GROUP = {GROUP}, "
                f"WORDS_MOST = {MOST}, WORD_MOST = {max(map(len, word.symbols))} }};\n")
        table("uint8_t", "name_bits", stream.bytes())
        table("uint32_t", "name_blocks", blocks)
        table("uint32_t", "name_filters", filters)
        table("uint32_t", "name_run_chars", [cp for cp, _ in runs])
        table("uint16_t", "name_run_starts", [i for _, i in runs])
        table("uint16_t", "shape_lengths", shape.lengths)
        table("uint16_t", "shape_symbols", shape.symbols)
        table("uint8_t", "word_bits", text.bytes())
        table("uint32_t", "word_groups", groups)
        table("uint16_t", "word_lengths", word.lengths)
        table("uint16_t", "share_lengths", share.lengths)
        table("uint8_t", "share_symbols", share.symbols)
        table("uint16_t", "letter_lengths", letter.lengths)
        table("uint8_t", "letter_symbols", [ord(c) for c in letter.symbols])
        f.write("static const struct name_range name_ranges[] = {\n")
        for family, first, last in ranges:
            f.write(f'{{"{family}", 0x{first:x}, 0x{last:x}}},\n')
        f.write("};\n")


if __name__ == "__main__":
    main(sys.argv[1])
