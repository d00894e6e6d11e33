"""docs.py - what the documentation shows is run (imported by tests/run.py).

In README.md and docs/*.md, outside of docs/internals:

    ```python               a whole program: it must end with status 0 (under the virtual clock)
    ```python file=x.aio    is only put beside the others, under that name, for the console blocks of the page
    ```python real          the same with the real clock
    ```python fails         ends with another status than 0
    ```python part          only has to be valid: a piece of a program, not run
    ```text                 right after a python block: what it prints on stdout, and on stderr after it
    ```console              lines that begin with `$ ` are shell commands, `aio` among them; what follows each, up to the
                            next, is its output (stdout and stderr)
    ```c                    is built and run by the embedding tests

In expected output `*` stands for any text in a line, and a line of `*` for any number of lines.

Links to files, in all pages, must lead somewhere.
"""
import fnmatch
import os
import re
import shutil
import subprocess
import tempfile

BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```\s*$", re.M | re.S)


def line_matches(pattern, line):
    return pattern == line or fnmatch.fnmatchcase(line, pattern.replace("[", "[[]").replace("?", "[?]"))


def matches(expected, got):
    """Line by line; `*` alone takes any number of lines."""
    if not expected:
        return not got
    if expected[0] == "*":
        return any(matches(expected[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and line_matches(expected[0], got[0]) and matches(expected[1:], got[1:])


def complaint(page, line, what, expected=None, got=None):
    text = [f"{page}:{line}: {what}"]
    if expected is not None:
        text += ["  expected:"] + ["    " + s for s in expected] + ["  got:"] + ["    " + s for s in got]
    return text


class Page:
    def __init__(self, path, root, build, environment):
        self.name = os.path.relpath(path, root)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.blocks = [(text.count("\n", 0, m.start()) + 1, m.group(1).split(), m.group(2), m.end(), text[m.end():])
                       for m in BLOCK.finditer(text)]
        self.environment = dict(environment, PATH=os.path.abspath(build) + os.pathsep + environment.get("PATH", ""))

    def call(self, command, folder, **kwargs):
        done = subprocess.run(command, cwd=folder, env=self.environment, stdout=subprocess.PIPE, timeout=60,
                              stdin=subprocess.DEVNULL, text=True, **kwargs)
        return done.returncode, done.stdout, done.stderr or ""

    def expected_after(self, index):
        """The text block that directly follows a python block."""
        if index + 1 < len(self.blocks):
            line, info, body, _, _ = self.blocks[index + 1]
            rest = self.blocks[index][4]
            if info[:1] == ["text"] and rest.lstrip("\n").startswith("```text"):
                return body.splitlines()
        return None

    def python(self, index, line, words, body, folder):
        file = next((w[5:] for w in words if w.startswith("file=")), None)
        path = os.path.join(folder, file or "program.aio")
        with open(path, "w", encoding="utf-8") as out:
            out.write(body)
        if file:
            return []
        if "part" in words:
            status, out, err = self.call(["aio", "--check", path], folder, stderr=subprocess.STDOUT)
            return complaint(self.name, line, "is not valid", [], out.splitlines()) if status else []
        status, out, err = self.call(["aio"] + ([] if "real" in words else ["--virtual-time"]) + [path], folder,
                                     stderr=subprocess.PIPE)
        if bool(status) != ("fails" in words):
            return complaint(self.name, line, f"ended with status {status}", [], (out + err).splitlines())
        expected = self.expected_after(index)
        got = (out + err).replace(folder + "/", "").splitlines()
        if expected is not None and not matches(expected, got):
            return complaint(self.name, line, "prints something else", expected, got)
        return []

    def console(self, line, body, folder):
        wrong = []
        for command in re.split(r"^\$ ", body, flags=re.M)[1:]:
            command, _, expected = command.partition("\n")
            status, out, err = self.call(["bash", "-c", command], folder, stderr=subprocess.STDOUT)
            got = out.replace(folder + "/", "").splitlines()
            if not matches(expected.splitlines(), got):
                wrong += complaint(self.name, line, f"`{command}` prints something else", expected.splitlines(), got)
        return wrong

    def run(self):
        folder = tempfile.mkdtemp(prefix="aio-docs-")
        wrong = []
        try:
            for index, (line, info, body, _, _) in enumerate(self.blocks):
                kind, words = (info[0] if info else ""), info[1:]
                try:
                    if kind == "python":
                        wrong += self.python(index, line, words, body, folder)
                    elif kind == "console":
                        wrong += self.console(line, body, folder)
                except subprocess.TimeoutExpired:
                    wrong += complaint(self.name, line, "took longer than 60 s")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return [(self.name, wrong)]


def dead_links(root):
    """Of all pages, those for developers too."""
    wrong = []
    for path in pages(root) + [os.path.join(root, "CHANGELOG.md")] + [
            os.path.join(root, "docs", "internals", n) for n in sorted(os.listdir(os.path.join(root, "docs", "internals")))]:
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"^```.*?^```|`[^`\n]*`", lambda m: re.sub(r"[^\n]", " ", m.group()), file.read(), flags=re.M | re.S)
        for m in re.finditer(r"\]\(([^()\s]+)\)", text):
            target, _, anchor = m.group(1).partition("#")
            if re.match(r"\w+:", target) or not target and not anchor:
                continue
            there = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            line = text.count("\n", 0, m.start()) + 1
            if not os.path.exists(there):
                wrong += complaint(os.path.relpath(path, root), line, f"{target} does not exist")
            elif anchor and there.endswith(".md") and anchor not in anchors(there):
                wrong += complaint(os.path.relpath(path, root), line, f"{target} has no heading for #{anchor}")
    return [("docs/links", wrong)]


def anchors(path):
    with open(path, encoding="utf-8") as file:
        heads = re.findall(r"^#+ (.*)$", file.read(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).strip().replace(" ", "-") for h in heads}


def pages(root):
    """The pages whose blocks are run."""
    docs = os.path.join(root, "docs")
    return [os.path.join(root, "README.md")] + [os.path.join(docs, n) for n in sorted(os.listdir(docs)) if n.endswith(".md")]
