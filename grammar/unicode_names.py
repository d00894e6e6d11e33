"""Writes the table that unicode_names.c searches, from the Unicode data of this Python.

    python3 unicode_names.py OUTPUT

An entry is a number: the upper 43 bits are a hash of the character's name, the lower 21 its code
point. The names themselves are not kept: that one of the few names ever asked for is wrong and
meets a stored hash is less likely than a broken memory chip. Families whose names are computed
(ideographs, Hangul syllables) are left to unicode_names.c, which gets the ranges.
"""
import sys
import unicodedata

FAMILIES = ("CJK UNIFIED IDEOGRAPH-", "TANGUT IDEOGRAPH-", "HANGUL SYLLABLE ")

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


def name_hash(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h >> 21


def main(output):
    entries = {}
    ranges = {family: [] for family in FAMILIES[:2]}

    def add(name, cp):
        key = name_hash(name)
        if entries.setdefault(key, cp) != cp:
            sys.exit(f"two names have one hash: {name}")

    for cp in range(0x110000):
        name = unicodedata.name(chr(cp), None)
        if name is None:
            continue
        family = next((f for f in FAMILIES if name.startswith(f)), None)
        if family is None:
            add(name, cp)
        elif family in ranges:
            runs = ranges[family]
            if runs and runs[-1][1] == cp - 1:
                runs[-1][1] = cp
            else:
                runs.append([cp, cp])
    for alias in ALIASES.replace("\n", ";").split(";"):
        if alias:
            try:
                add(alias, ord(unicodedata.lookup(alias)))
            except (KeyError, TypeError):
                pass  # this Python does not know it
    with open(output, "w", encoding="ascii") as f:
        f.write(f"/* Made by unicode_names.py from Unicode {unicodedata.unidata_version}. */\n")
        f.write("static const uint64_t name_entries[] = {\n")
        for key in sorted(entries):
            f.write(f"0x{key << 21 | entries[key]:x},\n")
        f.write("};\n")
        f.write("static const struct name_range name_ranges[] = {\n")
        for family, runs in ranges.items():
            for first, last in runs:
                f.write(f'{{"{family}", 0x{first:x}, 0x{last:x}}},\n')
        f.write("};\n")


if __name__ == "__main__":
    main(sys.argv[1])
