#!/usr/bin/env python3
"""instructions.py - count the instructions that small programs take, by valgrind (`tools/dev bench --instructions`).

    instructions.py BUILD [--write] [NAME ...]

The programs in instructions/ are measured by callgrind: unlike seconds, the count hardly depends on the machine
and not at all on its load. instructions/counts.txt holds the counts of the last look, with the compiler and options
that they are good for; `tools/dev test` fails in a release build made in that way when one has grown by more than
3 %, and passes over a build made otherwise. A change that is worth its price, or that made something faster, comes
with new counts: --write. The count of empty.aio, start and end, is taken off the others, so that one more module
makes only that one grow.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions")
COUNTS = os.path.join(HERE, "counts.txt")
BASE = "empty"
ALLOWED = 0.03
OPTIONS = ("optimization", "debug", "b_ndebug", "b_sanitize", "b_lto", "b_pgo", "gc_stress", "heap_verify", "c_args")


def build_key(build):
    """What must be the same for counts to be comparable: compiler, machine, options."""
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json")) as file:
        values = {option["name"]: option["value"] for option in json.load(file)}
    options = " ".join(f"{name}={values[name]}" for name in OPTIONS if name in values)
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout
    return f"{(compiler.splitlines() or ['no compiler'])[0]}, {os.uname().machine}, {options}"


def names():
    return sorted(name[:-4] for name in os.listdir(HERE) if name.endswith(".aio"))


def count(build, name):
    """Instructions of one run; a str says what went wrong."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", os.path.join(build, "aio"),
               "--virtual-time", os.path.join(HERE, name + ".aio")]
    environment = dict(PATH=os.environ.get("PATH", ""), LC_ALL="C", AIOVM_HASH_SEED="0")
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
    match = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not match:
        return (run.stderr.strip().splitlines() or [f"status {run.returncode}"])[-1]
    return int(match.group(1))


def load():
    """The key and the counts of the last look."""
    key, counts = "", {}
    if os.path.exists(COUNTS):
        with open(COUNTS) as file:
            for line in file:
                if line.startswith("# for: "):
                    key = line[7:].strip()
                elif not line.startswith("#"):
                    name, number = line.split()
                    counts[name] = int(number)
    return key, counts


def why_not(build):
    """Why this build can't be compared; None: it can."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    if build_key(build) != load()[0]:
        return "the counts are for another compiler or other options"
    return None


def complaints(name, now, then):
    """What a test says of a count."""
    if isinstance(now, str):
        return [now]
    if then is None:
        return ["has no count: tools/dev bench --instructions"]
    if now > then * (1 + ALLOWED):
        return [f"takes {now} instructions, {100.0 * now / then - 100:.1f} % more than the {then} of counts.txt",
                "make it cheaper, or write new counts with tools/dev bench --instructions"]
    return []


def measure(build, wanted):
    """Name to net count, or to what went wrong."""
    base = count(build, BASE)
    results = {}
    for name in wanted:
        n = base if name == BASE else count(build, name)
        if name != BASE and isinstance(n, int) and isinstance(base, int):
            n -= base
        results[name] = n
    return results


def main():
    write = "--write" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    build = os.path.abspath(arguments[0])
    wanted = arguments[1:] or names()
    key, before = load()
    results = measure(build, wanted)
    for name, n in results.items():
        then = before.get(name)
        change = f"{100.0 * n / then - 100:+7.2f} %" if then and isinstance(n, int) else ""
        print(f"{name:12} {n!s:>12} {change}")
    if any(isinstance(n, str) for n in results.values()):
        return 1
    if write:
        kept = before if key == build_key(build) else {}
        with open(COUNTS, "w") as file:
            file.write("# Instructions, without start and end (empty). Written by tools/dev bench --instructions.\n"
                       f"# for: {build_key(build)}\n")
            for name, n in sorted({**kept, **results}.items()):
                file.write(f"{name} {n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
