#!/usr/bin/env python3
"""compare.py - measure aio side by side with the peers that are installed (`tools/dev bench`).

    compare.py --aio build/aio [-n 5] [--core N] [--write docs/performance.md] [NAME ...]

The programs lie in cpu/, async/ and memory/ beside this file: NAME.aio runs on aio and on CPython 3.11 unchanged,
NAME.lua is the same program for Lua 5.4 and LuaJIT's interpreter. The runs are interleaved, so that a machine
that gets slower meanwhile does so for all, and pinned to one core. A figure is the median of the CPU seconds
(user and system, whole process); a ratio is aio / peer: below 1 aio is faster. What a program prints must agree
with CPython, else it counts as failed. A program in memory/, pauses/, collector/ or growth/ writes its figure to
stderr, last, as `what it is: N`.
With --write the tables go into that file; its text after the line NOTES is kept.
"""
import argparse
import datetime
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("cpu", "async", "memory", "pauses", "collector", "growth")
UNITS = {"cpu": "CPU s", "async": "CPU s", "memory": "bytes each", "pauses": "ms", "collector": "% of the CPU time",
         "growth": "times"}
NOTES = "<!-- Below this line the text is written by hand and kept. -->"
STARTUP_RUNS = 41


class Run:
    """One finished process: CPU seconds, wall seconds, what it printed."""

    def __init__(self, command, timeout):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.monotonic()
            process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
            alarm = threading.Timer(timeout, process.kill)
            alarm.start()
            _, status, usage = os.wait4(process.pid, 0)
            alarm.cancel()
            self.wall = time.monotonic() - started
            process.returncode = self.status = os.waitstatus_to_exitcode(status)
            self.cpu = usage.ru_utime + usage.ru_stime
            out.seek(0)
            err.seek(0)
            self.out = out.read()
            self.err = err.read().decode(errors="replace")

    def problem(self):
        if self.status == 0:
            return None
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else f"status {self.status}"

    def told(self):
        """The figure that the program itself writes."""
        match = re.search(r": *([0-9.]+)\s*\Z", self.err)
        return float(match.group(1)) if match else None


def find_peers():
    """Name to command and the ending of the programs it runs."""
    peers = {}
    python = "/usr/bin/python3.11" if os.path.exists("/usr/bin/python3.11") else shutil.which("python3.11")
    if python:
        peers["CPython 3.11"] = ([python], ".aio")
    if shutil.which("lua5.4"):
        peers["Lua 5.4"] = (["lua5.4"], ".lua")
    if shutil.which("luajit"):
        peers["LuaJIT -joff"] = (["luajit", "-joff"], ".lua")
    return peers


def programs(names):
    for kind in KINDS:
        folder = os.path.join(HERE, kind)
        for file in sorted(os.listdir(folder)):
            name, ending = os.path.splitext(file)
            if ending == ".aio" and (not names or name in names):
                yield kind, name, os.path.join(folder, name)


class Row:
    """The runs of one program, by who ran it."""

    def __init__(self, kind, name):
        self.kind, self.name, self.runs, self.problems = kind, name, {}, []

    def median(self, who, pick):
        values = [pick(run) for run in self.runs.get(who, [])]
        return statistics.median(values) if values and None not in values else None

    def ratio(self, who, pick):
        ours, theirs = self.median("aio", pick), self.median(who, pick)
        return ours / max(theirs, 1e-4) if ours is not None and theirs else None


def measure(row, commands, options):
    order = list(commands)
    for round_number in range(options.n):
        for who in order if round_number % 2 == 0 else order[::-1]:
            if who in row.runs and row.runs[who] is None:
                continue
            run = Run(commands[who], options.timeout)
            if run.problem():
                row.problems.append(f"{who}: {run.problem()}")
                row.runs[who] = None
            else:
                row.runs.setdefault(who, []).append(run)
    row.runs = {who: runs for who, runs in row.runs.items() if runs}
    reference = row.runs.get("CPython 3.11")
    if reference and "aio" in row.runs and row.runs["aio"][0].out != reference[0].out:
        row.problems.append("the output differs from CPython's")
        del row.runs["aio"]
    return row


def figure(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def cpu(run):
    return run.cpu


def told(run):
    return run.told()


def picker(kind):
    """What is read off a run, and how many places of it are shown."""
    return {"cpu": (cpu, 3), "async": (cpu, 3), "memory": (told, 0)}.get(kind, (told, 1))


def table(rows, peers, kind):
    """A Markdown table of one kind of programs, with the geometric mean of the ratios below."""
    pick, digits = picker(kind)
    rows = [row for row in rows if row.kind == kind]
    if not rows:
        return []
    lines = ["| program | aio, " + UNITS[kind] + "".join(f" | {peer} | ratio" for peer in peers) + " |",
             "|---|---:" + "|---:|---:" * len(peers) + "|"]
    for row in rows:
        cells = [f"{figure(row.median(peer, pick), digits)} | {figure(row.ratio(peer, pick), 2)}"
                 for peer in peers]
        lines.append(" | ".join([f"| {row.name}", figure(row.median("aio", pick), digits)] + cells) + " |")
    means = []
    for peer in peers:
        ratios = [row.ratio(peer, pick) for row in rows]
        ratios = [max(ratio, 1e-4) for ratio in ratios if ratio is not None]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
        means.append(f" | {figure(mean, 3)}")
    lines.append("| geometric mean | | " + " | ".join(means) + " |")
    return lines


PYTHON_STATUS = "print(open('/proc/self/status').read())"
LUA_STATUS = "io.write(io.open('/proc/self/status'):read('a'))"


def start_up(aio, peers):
    """Wall milliseconds of an empty program, interleaved, and what a program needs that does next to nothing.

    The peak is what the process says of itself: the kernel's figure for an ended child begins with the memory
    of whoever started it.
    """
    commands = {"aio": [aio, "-c"]}
    for peer, (command, ending) in peers.items():
        commands[peer] = command + ["-c" if ending == ".aio" else "-e"]
    runs = {who: [] for who in commands}
    for _ in range(STARTUP_RUNS):
        for who, command in commands.items():
            runs[who].append(Run(command + [""], 30))
    peaks = {}
    for who, command in commands.items():
        status = Run(command + [PYTHON_STATUS if command[-1] == "-c" else LUA_STATUS], 30).out
        match = re.search(rb"VmHWM:\s*(\d+)", status)
        peaks[who] = match.group(1).decode() if match else "-"
    lines = ["| empty program | median ms | least ms | peak KiB |", "|---|---:|---:|---:|"]
    for who, those in runs.items():
        walls = sorted(run.wall * 1000 for run in those)
        lines.append(f"| {who} | {statistics.median(walls):.2f} | {walls[0]:.2f} | {peaks[who]} |")
    return lines


def sizes(aio):
    """The shared library beside the command, as it is and stripped."""
    library = os.path.join(os.path.dirname(aio), "libaiovm.so")
    if not os.path.exists(library) or not shutil.which("strip"):
        return []
    with tempfile.TemporaryDirectory() as folder:
        bare = os.path.join(folder, "bare")
        subprocess.run(["strip", "-o", bare, library], check=True)
        lines = ["| stripped libaiovm.so | bytes |", "|---|---:|", f"| all of it | {os.path.getsize(bare)} |"]
        wanted = {".text": "code", ".rodata": "constant data", ".data.rel.ro": "tables of pointers"}
        found = {}
        for line in subprocess.run(["size", "-A", bare], capture_output=True, text=True).stdout.splitlines():
            words = line.split()
            for section in wanted:
                if words and (words[0] == section or words[0].startswith(section + ".")):
                    found[section] = found.get(section, 0) + int(words[1])
    return lines + [f"| {what} | {found.get(section, 0)} |" for section, what in wanted.items()]


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout
    return (f"{datetime.date.today()}, {model}, {os.cpu_count()} cores, Linux {os.uname().release}, "
            f"{(compiler.splitlines() or ['unknown compiler'])[0]}")


def write_report(path, sections):
    kept = "\n## Notes\n"
    try:
        with open(path) as file:
            text = file.read()
        if NOTES in text:
            kept = text.split(NOTES, 1)[1]
    except FileNotFoundError:
        pass
    with open(path, "w") as file:
        file.write("# Performance\n\n"
                   "Written by `tools/dev bench`: medians of interleaved runs pinned to one core. A ratio is\n"
                   "aio / peer: below 1 aio needs less.\n\n" + machine() + "\n")
        for title, lines in sections:
            if lines:
                file.write(f"\n## {title}\n\n" + "\n".join(lines) + "\n")
        file.write("\n" + NOTES + kept)


def main():
    parser = argparse.ArgumentParser(description="measure aio beside its peers")
    parser.add_argument("--aio", default=os.path.join(HERE, "../../build/aio"))
    parser.add_argument("-n", type=int, default=5, help="runs of each program")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    aio = os.path.abspath(options.aio)
    # The children inherit it; this process only waits.
    os.sched_setaffinity(0, {options.core})
    peers = find_peers()
    rows, problems = [], 0
    for kind, name, stem in programs(options.names):
        commands = {"aio": [aio, stem + ".aio"]}
        for peer, (command, ending) in peers.items():
            if os.path.exists(stem + ending):
                commands[peer] = command + [stem + ending]
        row = measure(Row(kind, name), commands, options)
        rows.append(row)
        problems += len(row.problems)
        pick = picker(kind)[0]
        shown = "  ".join(f"{peer} {figure(row.ratio(peer, pick), 2)}" for peer in peers)
        print(f"{kind:7} {name:18} {figure(row.median('aio', pick), 3):>9}   {shown}", flush=True)
        for problem in row.problems:
            print(f"    {problem}", file=sys.stderr)
    sections = [("CPU programs", table(rows, peers, "cpu")), ("Async programs", table(rows, peers, "async")),
                ("Memory", table(rows, peers, "memory")), ("Pauses", table(rows, peers, "pauses")),
                ("The collector's share", table(rows, peers, "collector")), ("Growth", table(rows, peers, "growth"))]
    if not options.names:
        sections.append(("Start-up", start_up(aio, peers)))
        sections.append(("Size", sizes(aio)))
    for title, lines in sections:
        if lines:
            print(f"\n{title}\n" + "\n".join(lines))
    if options.write and not options.names:
        write_report(options.write, sections)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
