#!/usr/bin/env python3
"""run.py - the test runner (`tools/dev test` builds and then calls it).

    tests/run.py [--build MODE=DIR ...] [--oracle] [--jobs N] [-v] [FILTER ...]
    tests/run.py --update NAME          write NAME.out (and .err, .status) with CPython's results

A script test is tests/SUITE/NAME.aio with NAME.out, the stdout it must give byte for byte, and optionally
    NAME.err      stderr, line by line: `*` stands for any text, a line `*` for any number of lines
    NAME.status   the exit status (0)
    NAME.args     arguments, one per line;   NAME.in   what to feed to stdin
Without NAME.err a test that ends with status 0 must leave stderr empty. It runs in an empty folder of its own;
the path of the test's folder is taken out of what it prints to stderr.

NAME.sh in its place is a bash script that calls "$AIO"; the rest is the same, but no oracle is asked. In tests/repl
NAME.py drives it through a pseudo-terminal; these are skipped where pyte, the terminal emulator, is not installed.

Comment lines at the very top of the script say how to run it:
    # virtual-time              with `aio --virtual-time` (and the same clock under CPython)
    # aio-builtins              the oracle needs aio's extra builtins or top-level await
    # options: -W error         options for the command, aio's and CPython's alike
    # no-oracle: why            CPython gives something else, or can't run it (tests/differs says more)
    # needs: python3.12         an oracle older than this is not asked
    # skip-gc-stress: why       too slow in this build; likewise skip-asan, skip-release
    # timeout: 60               seconds, instead of 20 (ten times that in the slow builds; programs in C have 60)
    # module                    no test, but imported by one

Unit tests are the executables in DIR/tests/unit, one per file of tests/unit, speaking TAP; those in
DIR/tests/faults run the tests of the public API again with allocations that fail (tests/faults/faults.c); those in
DIR/tests/embed are programs that embed the library and have a NAME.out like scripts. With CPython 3.11
as the runner the syntax trees of all scripts are compared with those of its ast module. A release build also
counts instructions where valgrind is installed (bench/instructions.py).

A run that fails beside the others is tried once more, alone, when all have ended: a machine that was too busy for it must
not look like a bug, nor may a test that depends on that be forgotten, so it is named as unsteady. There is no second
try after a signal or a sanitizer's report, nor when more than a few fail. The last line is "N passed, N failed", over all
builds; the status is 1 when any failed.
"""
import argparse
import ast
import concurrent.futures
import difflib
import functools
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "bench"))
import docs  # noqa: E402
import instructions  # noqa: E402  (beside the programs that it counts)
ROOT = os.path.dirname(HERE)
ORACLE = "/usr/bin/python3.11"
SUITES = ("lang", "asyncio", "limits", "differs", "cli", "repl", "embed")
ORACLE_SUITES = ("lang", "asyncio")
TAP_FOLDERS = ("unit", "faults")
SLOW_MODES = ("asan", "gc-stress", "tsan")
TIMEOUT = 20.0
LIMITED = ["prlimit", f"--as={6 << 30}"]     # a test that eats all memory must not take the machine with it
HEADER = re.compile(r"# ?(virtual-time|aio-builtins|options|no-oracle|needs|timeout|module|"
                    r"skip-[a-z-]+)(?::\s*(.*\S))?\s*$")
SANITIZER = re.compile(rb"AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error: ")


# ---- one test --------------------------------------------------------------------------------------

class Test:
    """A script or an embedding program with its expectations."""

    def __init__(self, path):
        self.path = path
        self.folder = os.path.dirname(path)
        self.stem = os.path.splitext(path)[0]
        self.name = os.path.relpath(self.stem, HERE)
        self.suite = self.name.split(os.sep)[0]
        self.ending = os.path.splitext(path)[1]
        self.header = {} if self.ending == ".c" else read_header(path)
        self.args = [a for a in self.side("args", "").split("\n") if a]
        self.status = int(self.side("status", "0"))
        self.stdin = self.side_bytes("in")
        self.options = self.header.get("options", "").split()
        self.timeout = float(self.header.get("timeout", 3 * TIMEOUT if self.ending == ".c" else TIMEOUT))

    def side_bytes(self, ending):
        try:
            with open(self.stem + "." + ending, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def side(self, ending, default):
        data = self.side_bytes(ending)
        return default if data is None else data.decode()

    def command(self, build, mode):
        """With a limit on memory; the sanitizer reserves address space for all there is and has its own."""
        return self.plain_command(build) if mode in ("asan", "tsan") else LIMITED + self.plain_command(build)

    def plain_command(self, build):
        if self.ending == ".sh":
            return ["env", "AIO=" + os.path.join(build, "aio"), "bash", self.path] + self.args
        if self.ending == ".py":
            return ["env", "AIO=" + os.path.join(build, "aio"), terminal_python(), "-B", self.path] + self.args
        if self.ending == ".c":
            return [os.path.join(build, "tests", "embed", os.path.basename(self.stem))] + self.args
        virtual = ["--virtual-time"] if "virtual-time" in self.header else []
        return [os.path.join(build, "aio")] + virtual + self.options + [self.path] + self.args

    def oracle_command(self):
        return LIMITED + self.plain_oracle_command()

    def plain_oracle_command(self):
        if "virtual-time" in self.header:
            return [ORACLE, "-B", *self.options, os.path.join(HERE, "oracle.py"), "--virtual-time",
                    self.path, *self.args]
        if "aio-builtins" in self.header:
            return [ORACLE, "-B", *self.options, os.path.join(HERE, "oracle.py"), self.path, *self.args]
        return [ORACLE, "-B", *self.options, self.path, *self.args]

    def why_skip(self, mode):
        if self.ending == ".py" and terminal_python() is None:
            return "python3-pyte is not installed"
        key = "skip-" + mode
        return (self.header[key] or "no reason given") if key in self.header else None

    def has_oracle(self):
        if self.suite not in ORACLE_SUITES or self.ending != ".aio" or "no-oracle" in self.header:
            return False
        needs = re.match(r"python(\d+)\.(\d+)$", self.header.get("needs", ""))
        return not needs or tuple(map(int, needs.groups())) <= oracle_version()


@functools.cache
def terminal_python():
    """A Python that has the terminal emulator, or None."""
    for python in (sys.executable, ORACLE, "/usr/bin/python3"):
        try:
            if subprocess.run([python, "-c", "import pyte"], stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            pass
    return None


def read_header(path):
    header = {}
    with open(path, "rb") as file:
        for line in file:
            if not line.startswith(b"#"):
                break
            match = HEADER.match(line.decode(errors="replace"))
            if match:
                header[match.group(1)] = match.group(2) or ""
    return header


def oracle_version():
    return tuple(map(int, re.search(r"(\d+)\.(\d+)$", ORACLE).groups()))


def discover():
    """Every test, and complaints about files that are neither a test nor marked as a module."""
    tests, stray = [], []
    for suite in SUITES:
        for folder, folders, files in os.walk(os.path.join(HERE, suite)):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                stem, ending = os.path.splitext(path)
                if (ending in (".aio", ".sh") or suite == "embed" and ending == ".c"
                        or suite == "repl" and ending == ".py"):
                    if os.path.exists(stem + ".out"):
                        tests.append(Test(path))
                    elif ending != ".c" and "module" not in read_header(path):
                        stray.append(os.path.relpath(path, HERE))
    return tests, stray


# ---- running processes -----------------------------------------------------------------------------

class Outcome:
    def __init__(self, status, out, err, seconds, timed_out):
        self.status, self.out, self.err = status, out, err
        self.seconds, self.timed_out = seconds, timed_out


def environment():
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "CI")}
    keep.update(LC_ALL="C.UTF-8", TZ="UTC", PYTHONIOENCODING="utf-8", PYTHONHASHSEED="0", AIOVM_REPORT="slow:off",
                ASAN_OPTIONS="exitcode=99:hard_rss_limit_mb=4096:allocator_may_return_null=1:"
                             "detect_stack_use_after_return=0",
                UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99",
                TSAN_OPTIONS="exitcode=99", CMOCKA_MESSAGE_OUTPUT="TAP")
    return keep


ENVIRONMENT = environment()


def allow_for_ptrace(builds):
    """Where no process may look into another (some containers), LeakSanitizer can't work: do without."""
    for mode, build in builds:
        if mode == "asan":
            outcome = execute([os.path.join(build, "aio"), "--version"])
            if b"LeakSanitizer has encountered a fatal error" in outcome.err:
                ENVIRONMENT["ASAN_OPTIONS"] += ":detect_leaks=0"


def execute(command, stdin=None, timeout=TIMEOUT):
    """Run a command in an empty folder and in a process group of its own, which is killed afterwards."""
    folder = tempfile.mkdtemp(prefix="aio-test-")
    started = time.monotonic()
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, \
                tempfile.TemporaryFile() as given:
            given.write(stdin or b"")
            given.seek(0)
            try:
                process = subprocess.Popen(command, stdin=given, stdout=out, stderr=err, cwd=folder,
                                           env=ENVIRONMENT, start_new_session=True)
            except OSError as error:
                return Outcome(127, b"", str(error).encode(), 0.0, False)
            timed_out = False
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
            out.seek(0)
            err.seek(0)
            return Outcome(process.returncode, out.read(), err.read(), time.monotonic() - started,
                           timed_out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- judging ---------------------------------------------------------------------------------------

def line_matches(pattern, line):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line) is not None


def stderr_matches(patterns, lines):
    """Whether the lines fit the patterns, where a pattern `*` alone takes any number of lines."""
    reach = {0}
    for pattern in patterns:
        if pattern == "*":
            reach = set(range(min(reach), len(lines) + 1)) if reach else set()
        else:
            reach = {i + 1 for i in reach if i < len(lines) and line_matches(pattern, lines[i])}
    return len(lines) in reach


# What the sanitizer says of an allocation that it refuses, as the tests of limits want it to.
REFUSED = re.compile(rb"^==\d+==WARNING: AddressSanitizer failed to allocate .*\n", re.M)


def tidy_stderr(test, data):
    return REFUSED.sub(b"", data).replace(test.folder.encode() + b"/", b"")


def show_diff(expected, got, title, limit=30):
    lines = list(difflib.unified_diff(expected.decode(errors="backslashreplace").splitlines(),
                                      got.decode(errors="backslashreplace").splitlines(),
                                      "expected " + title, "got", lineterm="", n=2))
    if not lines:
        return [f"{title}: differs in the end of its last line only"]
    return [line[:200] for line in lines[:limit]] + (["..."] if len(lines) > limit else [])


def judge(test, outcome):
    """The complaints about a run; none: it passed."""
    if outcome.timed_out:
        return [f"took longer than {outcome.seconds:.0f} s"]
    wrong = []
    err = tidy_stderr(test, outcome.err)
    if outcome.status != test.status:
        name = f"signal {-outcome.status}" if outcome.status < 0 else f"status {outcome.status}"
        wrong.append(f"ended with {name} instead of status {test.status}")
    if SANITIZER.search(err):
        wrong.append("a sanitizer reports an error")
    expected = test.side_bytes("out")
    if outcome.out != expected:
        wrong += show_diff(expected, outcome.out, "stdout")
    patterns = test.side_bytes("err")
    if patterns is not None:
        if not stderr_matches(patterns.decode().splitlines(),
                              err.decode(errors="backslashreplace").splitlines()):
            wrong += show_diff(patterns, err, "stderr")
    elif err and (test.status == 0 or wrong):
        wrong += ["stderr:"] + err.decode(errors="backslashreplace").splitlines()[-15:]
    return wrong


class OracleCache:
    """Which tests CPython agreed with already: a key covers all that went into the answer."""

    def __init__(self, path):
        self.path, self.lock, self.used = path, threading.Lock(), set()
        try:
            with open(path) as file:
                self.known = set(json.load(file))
        except (OSError, ValueError):
            self.known = set()

    def key(self, test):
        digest = hashlib.sha256()
        for name in sorted(os.listdir(test.folder)):
            # Modules beside the test may be imported by it.
            path = os.path.join(test.folder, name)
            if name.endswith(".py") or path.startswith(test.stem + "."):
                with open(path, "rb") as file:
                    data = file.read()
                digest.update(f"{name} {len(data)} ".encode() + data)
        with open(os.path.join(HERE, "oracle.py"), "rb") as file:
            digest.update(file.read())
        return digest.hexdigest()

    def save(self):
        try:
            with open(self.path, "w") as file:
                json.dump(sorted(self.used), file)
        except OSError:
            pass


def check_oracle(test, cache):
    key = cache.key(test)
    wrong = []
    if key not in cache.known:
        outcome = execute(test.oracle_command(), test.stdin, test.timeout * 3)
        if outcome.timed_out:
            wrong = ["CPython: took too long"]
        elif outcome.out != test.side_bytes("out"):
            wrong = ["CPython gives something else:"]
            wrong += show_diff(test.side_bytes("out"), outcome.out, "stdout")
            wrong += outcome.err.decode(errors="backslashreplace").splitlines()[-5:]
        elif outcome.status != test.status:
            wrong = [f"CPython: ended with status {outcome.status} instead of {test.status}"]
    if not wrong:
        with cache.lock:
            cache.used.add(key)
    return wrong


# ---- what there is to do ---------------------------------------------------------------------------

class Job:
    """One thing to run in one build; run() gives a list of (name, complaints)."""

    def __init__(self, name, mode, run, timeout=TIMEOUT):
        self.name, self.mode, self.run, self.timeout = name, mode, run, timeout


def script_job(test, mode, build, cache):
    timeout = test.timeout * (10 if mode in SLOW_MODES else 1)

    def run():
        outcome = execute(test.command(build, mode), test.stdin, timeout)
        wrong = judge(test, outcome)
        if cache and test.has_oracle():
            wrong = wrong + check_oracle(test, cache)
        return [(test.name, wrong)]
    return Job(test.name, mode, run, test.timeout)


def tap_job(path, mode):
    """A unit test: every `ok` and `not ok` counts, and so does ending badly."""
    name = os.path.basename(os.path.dirname(path)) + "/" + os.path.basename(path)
    timeout = (200 if name.startswith("faults/") else 60) * (10 if mode in SLOW_MODES else 1)

    def run():
        outcome = execute([path], timeout=timeout)
        text = (outcome.out + b"\n" + outcome.err).decode(errors="backslashreplace")
        results = []
        for match in re.finditer(r"^(not ok|ok) \d+(?: -)? ?(.*)$", text, re.M):
            failed = match.group(1) == "not ok"
            results.append((f"{name}:{match.group(2)}", text.splitlines()[-30:] if failed else []))
        if outcome.timed_out:
            results.append((name, [f"took longer than {timeout} s"]))
        elif not results or outcome.status != 0 and not any(wrong for _, wrong in results):
            results.append((name, [f"ended with status {outcome.status}"] + text.splitlines()[-30:]))
        return results
    return Job(name, mode, run)


def instruction_job(mode, build):
    """The instructions that small programs take must not have grown: tests/bench/instructions.py."""
    def run():
        results = instructions.measure(build, instructions.names())
        counts = instructions.load()[1]
        return [(f"bench/{name}", instructions.complaints(name, n, counts.get(name))) for name, n in results.items()]
    return Job("bench/instructions", mode, run)


def lint_job(mode, build):
    def run():
        outcome = execute([os.path.join(ROOT, "tools", "lint.sh"), build], timeout=120)
        results, at = [], 0
        lines = outcome.out.decode(errors="backslashreplace").splitlines()
        for i, line in enumerate(lines):
            match = re.match(r"(not ok|ok) - (.*)$", line)
            if match:
                failed = match.group(1) == "not ok"
                results.append(("lint: " + match.group(2), lines[at:i] or [line] if failed else []))
                at = i + 1
        return results or [("lint", outcome.err.decode(errors="replace").splitlines()[-10:])]
    return Job("lint", mode, run)


CLOCK = re.compile(rb"\b\d\d:\d\d:\d\d\b")
# What works in other processes or threads, or comes from them, takes its own time: the oracle's clock would jump over it.
REAL_TIME = re.compile(rb"create_subprocess|open_connection|start_server|to_thread|run_in_executor|threading")


def example_job(path, mode, build, oracle):
    """An example must end well and, apart from the time of day and random order, as under CPython: in virtual time,
    unless others than its own loop have a part in it."""
    name = os.path.relpath(os.path.splitext(path)[0], ROOT)
    with open(path, "rb") as file:
        source = file.read()
    command = [path] if REAL_TIME.search(source) else ["--virtual-time", path]

    def comparable(data):
        lines = CLOCK.sub(b"hh:mm:ss", data).splitlines()
        return sorted(lines) if b"import random" in source else lines

    def run():
        timeout = 60 * (10 if mode in SLOW_MODES else 1)
        outcome = execute([os.path.join(build, "aio"), *command], source, timeout)
        if outcome.timed_out or outcome.status or outcome.err:
            return [(name, [f"ended with status {outcome.status}"] +
                     outcome.err.decode(errors="backslashreplace").splitlines()[-15:])]
        wrong = []
        if oracle:
            script = os.path.join(HERE, "oracle.py")
            other = execute([ORACLE, "-B", script, *command], source, timeout)
            if comparable(other.out) != comparable(outcome.out):
                wrong = show_diff(other.out, outcome.out, "stdout")
        return [(name, wrong)]
    return Job(name, mode, run)


NUMBER = re.compile(r"(?<=value=)[0-9.][0-9a-fA-FxXoObB_.ejEJ+-]*")


def comparable_tree(text, positions):
    """Numbers by value, and no positions where CPython 3.11's are off (inside of f-strings)."""
    def by_value(match):
        try:
            return repr(ast.literal_eval(match.group()))
        except (SyntaxError, ValueError):
            return match.group()
    def by_character(match):
        code = int(match.group(2)[1:], 16)
        return match.group(1) + (chr(code) if not 0xD800 <= code < 0xE000 else match.group(2))
    # ast_dump knows no table of printable characters.
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\(x[89a-f][0-9a-f]|u[0-9a-f]{4}|U[0-9a-f]{8})", by_character, text)
    if not positions:
        text = re.sub(r",?\n *(end_)?(lineno|col_offset)=\d+", "", text)
    return NUMBER.sub(by_value, text).encode(errors="backslashreplace")


def tree_job(tests, mode, build):
    """The syntax trees of all test scripts must be those of CPython's ast module."""
    def differs(test):
        with open(test.path, "rb") as file:
            source = file.read()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = ast.dump(ast.parse(source), include_attributes=True, indent=1)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        got = execute([os.path.join(build, "tests", "unit", "ast_dump"), test.path])
        positions = "JoinedStr(" not in expected
        expected = comparable_tree(expected, positions)
        tree = comparable_tree(got.out.decode(errors="backslashreplace").rstrip("\n"), positions)
        if tree == expected:
            return []
        return [test.name] + show_diff(expected, tree, "tree", 12) + \
            got.err.decode(errors="replace").splitlines()[:3]

    def run():
        wrong = []
        for test in tests:
            if test.ending == ".aio" and test.suite in ORACLE_SUITES and len(wrong) < 60:
                wrong += differs(test)
        return [("syntax trees", wrong)]
    return Job("syntax trees", mode, run)


def collect_jobs(builds, filters, oracle):
    tests, stray = discover()
    jobs, skipped, caches = [], [], []
    for mode, build in builds:
        # CPython's answer is the same in every build: it is asked once.
        cache = None
        if oracle and not caches and os.path.exists(ORACLE):
            cache = OracleCache(os.path.join(build, "oracle-cache.json"))
            caches.append(cache)
        for test in tests:
            reason = test.why_skip(mode)
            if reason:
                skipped.append((f"{mode} {test.name}", reason))
            else:
                jobs.append(script_job(test, mode, build, cache))
        examples = os.path.join(ROOT, "examples")
        for name in sorted(os.listdir(examples)):
            if name.endswith(".aio"):
                jobs.append(example_job(os.path.join(examples, name), mode, build, cache is not None))
        for folder in TAP_FOLDERS:
            unit = os.path.join(build, "tests", folder)
            for name in sorted(os.listdir(unit)) if os.path.isdir(unit) else []:
                path = os.path.join(unit, name)
                if name.startswith("test_") and os.path.isfile(path) and os.access(path, os.X_OK):
                    jobs.append(tap_job(path, mode))
        if mode == "release":
            jobs.append(lint_job(mode, build))
            for path in docs.pages(ROOT):
                page = docs.Page(path, ROOT, build, ENVIRONMENT)
                jobs.append(Job(page.name, mode, page.run))
            jobs.append(Job("docs/links", mode, lambda: docs.dead_links(ROOT)))
            reason = instructions.why_not(build)
            if reason:
                skipped.append(("release bench/instructions", reason))
            else:
                jobs.append(instruction_job(mode, build))
            if sys.version_info[:2] == oracle_version():
                jobs.append(tree_job(tests, mode, build))
    for path in stray:
        message = ["has no .out file: make it with tools/dev test --update, or mark it `# module`"]
        jobs.append(Job(path, builds[0][0], lambda path=path: [(path, message)]))
    if filters:
        jobs = [job for job in jobs if any(f in job.name for f in filters)]
    return jobs, skipped, caches


# ---- running them all ------------------------------------------------------------------------------

# How many failures are few enough to be chance.
SECOND_TRIES = 12
# What no busy machine excuses.
HARD = re.compile(r"ended with (signal|status -|status 99)|a sanitizer reports|Sanitizer|heap verifier")


class Report:
    def __init__(self, total, verbose):
        self.total, self.verbose = total, verbose
        self.done = self.passed = self.failed = 0
        self.terminal = sys.stdout.isatty()
        self.slow = []
        self.again = []     # (job, results) to be tried once more

    def line(self, text):
        if self.terminal:
            sys.stdout.write("\r\033[K")
        print(text, flush=True)

    def add(self, job, results, seconds):
        self.done += 1
        self.slow.append((seconds, f"{job.mode} {job.name}"))
        complaints = [line for _, wrong in results for line in wrong]
        if complaints and not HARD.search("\n".join(complaints)):
            self.again.append((job, results))
        else:
            self.count(job, results, seconds)
        if self.terminal:
            sys.stdout.write(f"\r\033[K[{self.done}/{self.total}] {self.failed + len(self.again)} failed")
            sys.stdout.flush()

    def try_again(self):
        for job, results in self.again:
            if len(self.again) > SECOND_TRIES:
                self.count(job, results, 0)
                continue
            second, seconds = timed(job)
            if not any(wrong for _, wrong in second):
                self.line(f"unsteady: {job.mode} {job.name} failed beside the others and passed alone:")
                for line in [line for _, wrong in results for line in wrong]:
                    print("    " + line)
            self.count(job, second, seconds)

    def count(self, job, results, seconds):
        for name, wrong in results:
            if wrong:
                self.failed += 1
                self.line(f"FAILED {job.mode} {name}")
                for line in wrong:
                    print("    " + line)
            else:
                self.passed += 1
                if self.verbose:
                    self.line(f"ok {job.mode} {name} ({seconds:.2f} s)")


def timed(job):
    started = time.monotonic()
    results = job.run()
    return results, time.monotonic() - started


def run_all(jobs, report, workers):
    # What takes longest is started first, so that no core is idle at the end: tests that ask for time, the stress builds.
    order = sorted(jobs, key=lambda job: (-job.timeout, SLOW_MODES[::-1].index(job.mode)
                                          if job.mode in SLOW_MODES else len(SLOW_MODES)))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        pending = {pool.submit(timed, job): job for job in order}
        for future in concurrent.futures.as_completed(pending):
            report.add(pending[future], *future.result())
    report.try_again()


# ---- making expectations ---------------------------------------------------------------------------

def update(name):
    if not os.path.exists(ORACLE):
        sys.exit(f"run.py: {ORACLE} is not installed")
    path = os.path.join(HERE, name if name.endswith(".aio") else name + ".aio")
    if not os.path.exists(path):
        sys.exit(f"run.py: there is no {os.path.relpath(path)}")
    test = Test(path)
    outcome = execute(test.oracle_command(), test.stdin, test.timeout * 3)
    if outcome.timed_out:
        sys.exit(f"run.py: {name} took too long")

    def write(ending, data):
        if data:
            with open(test.stem + "." + ending, "wb") as file:
                file.write(data)
        elif os.path.exists(test.stem + "." + ending):
            os.unlink(test.stem + "." + ending)

    with open(test.stem + ".out", "wb") as file:
        file.write(outcome.out)
    write("status", str(outcome.status).encode() + b"\n" if outcome.status else b"")
    # oracle.py's own frames would stand in a traceback: then stderr has to be written by hand.
    if "virtual-time" not in test.header and "aio-builtins" not in test.header:
        write("err", tidy_stderr(test, outcome.err))
    elif outcome.err:
        print("run.py: write the .err file by hand; CPython's stderr was:")
        print(outcome.err.decode(errors="replace"), end="")
    print(f"{test.name}: status {outcome.status}, {len(outcome.out)} bytes of output")


def main():
    # Run in the background of a shell, this process may ignore Ctrl-C; the tests must not inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description="run the tests", allow_abbrev=False)
    parser.add_argument("--build", action="append", default=[], metavar="MODE=DIR")
    parser.add_argument("--oracle", action="store_true", help="ask CPython again where it is installed")
    parser.add_argument("--update", metavar="NAME", action="append")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    options = parser.parse_args()
    if options.update:
        for name in options.update:
            update(name)
        return 0
    # An endless loop that prints must not fill the disk, and no one reads core files here.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    builds = [spec.split("=", 1) for spec in options.build] or [["release", os.path.join(ROOT, "build")]]
    builds = [(mode, os.path.abspath(folder)) for mode, folder in builds]
    started = time.monotonic()
    allow_for_ptrace(builds)
    jobs, skipped, caches = collect_jobs(builds, options.filters, options.oracle)
    report = Report(len(jobs), options.verbose)
    run_all(jobs, report, options.jobs)
    for cache in caches:
        if not options.filters:
            cache.save()
    if report.terminal:
        sys.stdout.write("\r\033[K")
    if options.verbose:
        for name, reason in skipped:
            print(f"skipped {name}: {reason}")
    for seconds, name in sorted(report.slow, reverse=True)[:5]:
        if seconds > 5:
            print(f"slow: {name} {seconds:.1f} s")
    asked = f", {len(skipped)} skipped" if skipped else ""
    print(f"{len(jobs)} runs in {time.monotonic() - started:.0f} s{asked}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
