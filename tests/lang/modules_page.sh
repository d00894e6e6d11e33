# docs/modules.md lists every module, each can be imported, and what the page calls missing is missing.
root=$(cd "$(dirname "$0")/../.." && pwd)
{ grep -oE "'[a-zA-Z0-9_/]+\.aio'" "$root/stdlib/meson.build" | tr -d "'" | sed -e 's/\.aio$//' -e 's,/__init__$,,' -e 's,/,.,g'
  sed -nE 's/^(CORE|MODULE)\(([a-z0-9_]+),.*/\2/p' "$root/stdlib/modules.def"; } | sort -u > there
cat > check.aio <<'AIO'
import fnmatch, importlib, re, sys

internal = {"posix", "posixpath", "genericpath"}
text = open(sys.argv[1], encoding="utf-8").read()
listed = {}
for line in text.split("\n"):
    if line.startswith("| `"):
        name, _, missing = line.strip("| ").removeprefix("`").replace("\\|", "/").partition("` |")
        listed[name] = re.findall(r"`([\w.*]+)`", line.rsplit(" | ", 1)[1])
for name in open("there").read().split():
    parts = name.split(".")
    if name not in listed and name not in internal and not any(p.startswith("_") for p in parts) and parts[0] != "asyncio":
        print("not on the page:", name)
optional = {"re", "ssl", "zlib", "hashlib"}
for name, missing in listed.items():
    try:
        module = importlib.import_module(name)
    except ImportError as e:
        if name.partition(".")[0] not in optional:
            print("can't import", name, e)
        continue
    for pattern in missing:
        if pattern in ("*",) or "." in pattern or pattern == "module_finder" or pattern.startswith("REPORT_"):
            continue
        found = fnmatch.filter(dir(module), pattern)
        if pattern == "set*id":
            found = []
        if found:
            print(f"{name} has what the page calls missing:", *found)
for name in re.search(r"(?s)Common ones among these are(.*?)\. Modules", text)[1].replace("`", " ").replace(",", " ").split():
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    print("the page says there is no module", name)
print(len(listed) > 100, sum(map(len, listed.values())) > 100)
AIO
"$AIO" check.aio "$root/docs/modules.md"
