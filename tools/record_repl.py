#!/usr/bin/env python3
"""record_repl.py OUT.svg - records a real session of the REPL and draws its last screen as an SVG.

    AIO=build/aio python3 tools/record_repl.py docs/repl.svg

Needs python3-pyte. Types the keys of SESSION into aio through a pseudo-terminal, waits for what each should bring, and
draws the screen of the emulator, colours included.
"""
import os
import sys
from xml.sax.saxutils import escape

sys.dont_write_bytecode = True
os.environ.setdefault("AIO", "build/aio")
os.environ["AIO"] = os.path.abspath(os.environ["AIO"])
OUT = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "repl"))
import tempfile

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
from terminal import Terminal

COLUMNS, ROWS = 84, 44
CELL_W, CELL_H, PAD = 8.43, 18, 14
COLOURS = {"default": "#d4d4d4", "black": "#555555", "red": "#f14c4c", "green": "#89ca78", "brown": "#e5c07b",
           "blue": "#61afef", "magenta": "#d55fde", "cyan": "#2bbac5", "white": "#d4d4d4", "brightblack": "#7f848e"}


def session(t):
    t.type("async def poll(name, delay):\rfor n in range(1, 4):\rawait asyncio.sleep(delay)\rprint(f'{name}: {n}')\r"
           "\x7freturn name\r\r")
    t.expect("...", ">>>")
    t.type("poller = asyncio.create_task(poll('background', 0.4), name='poller')\r")
    t.expect_text("poller = ")
    t.type("tasks\r")
    t.expect_text("in poll")
    t.type("await gather(poll('첫째', 0.1), poll('둘째', 0.13))\r")
    t.expect("['첫째', '둘째']", ">>>")
    t.type("async def broken():\rreturn {}['key']\r\r")
    t.type("b = asyncio.create_task(broken(), name='broken')\r")
    t.expect("KeyError: 'key'", ">>>")
    t.type("await asyncio.wait_for(poller, ")
    t.expect_text("background: 3")
    t.expect_text("wait_for(fut, timeout)")
    t.settle()


def colour(cell):
    if cell.fg in COLOURS:
        return COLOURS[cell.fg]
    return "#" + cell.fg if len(cell.fg) == 6 else COLOURS["default"]


def runs(row):
    """(column, text, style) of cells that look alike; the right halves of wide characters are empty."""
    out = []
    for x in range(COLUMNS):
        cell = row[x]
        if cell.data == "":
            continue
        style = (colour(cell), cell.bold)
        wide = x + 1 < COLUMNS and row[x + 1].data == ""
        if out and out[-1][2] == style and not wide and not out[-1][3]:
            out[-1][1] += cell.data
        else:
            out.append([x, cell.data, style, wide])
    return out


def draw(t):
    rows = t.screen.cursor.y + 2
    while rows > 1 and rows - 1 > t.screen.cursor.y and not t.screen.display[rows - 1].strip():
        rows -= 1
    width, height = COLUMNS * CELL_W + 2 * PAD, rows * CELL_H + 2 * PAD
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
           f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">',
           f'<rect width="100%" height="100%" rx="8" fill="#1e2127"/>']
    for y in range(rows):
        base = PAD + y * CELL_H + 13
        for x, text, (fill, bold), _ in runs(t.screen.buffer[y]):
            if not text.strip():
                continue
            stripped = text.lstrip(" ")
            x += len(text) - len(stripped)
            weight = ' font-weight="bold"' if bold else ""
            svg.append(f'<text x="{PAD + x * CELL_W:.1f}" y="{base}" fill="{fill}"{weight} xml:space="preserve">'
                       f'{escape(stripped.rstrip(" "))}</text>')
    cursor = t.screen.cursor
    svg.append(f'<rect x="{PAD + cursor.x * CELL_W:.1f}" y="{PAD + cursor.y * CELL_H}" width="{CELL_W}" '
               f'height="{CELL_H - 2}" fill="#d4d4d4" opacity="0.6"/>')
    svg.append("</svg>")
    return "\n".join(svg) + "\n"


with Terminal(columns=COLUMNS, rows=ROWS, banner=False) as t:
    t.expect_text(">>> import asyncio")
    t.settle()
    session(t)
    picture = draw(t)
with open(OUT, "w") as f:
    f.write(picture)
print("\n".join(t.lines()))
