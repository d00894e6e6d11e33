#!/usr/bin/env bash
# lint.sh [BUILD] - what the project forbids, checked in the sources and (with BUILD) in the library.
# Prints what it finds, and after each check "ok - NAME" or "not ok - NAME". The status is 1 if any failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
build=${1-}
status=0

# verdict NAME: reads what was found.
verdict() {
    local found; found=$(cat)
    if [ -z "$found" ]; then
        echo "ok - $1"
    else
        printf '%s\nnot ok - %s\n' "$found" "$1"
        status=1
    fi
}

# Our own sources, below the folders given, that exist.
sources() {
    local folder
    for folder; do
        [ ! -d "$folder" ] || find "$folder" \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.inc' -o -name '*.re' \
            -o -name '*.y' \) -print
    done | sort
}

# Functions whose result follows the host's locale, or that kill the process, or that can't be bounded.
# One list for the sources, which see macros too, and for the symbols of the library.
locale='strtod|strtof|strtold|atof|isalpha|isalnum|isdigit|isspace|isupper|islower|ispunct|isprint|isgraph
|iscntrl|isxdigit|isblank|tolower|toupper|isw[a-z]+|tow[a-z]+|setlocale|uselocale|newlocale|localeconv
|nl_langinfo|strcoll|strxfrm|strcasecmp|strncasecmp|strftime|strptime|strerror|strerror_r|perror|asctime
|ctime|mbs?r?towcs?|wcs?r?tombs?|wcs[a-z]+|btowc|wctob'
unsafe='gets|strcpy|strcat|sprintf|vsprintf|alloca|tmpnam|mktemp|strtok|rand|srand|system|popen'
dying='exit|_exit|abort|quick_exit|longjmp|siglongjmp'
locale=${locale//$'\n'/}

# Comments may say anything: they are blanked out, lines kept, before a search.
bare() {
    awk '
        FNR == 1 { inside = 0 }
        {
            line = $0; out = ""
            while (line != "") {
                if (inside) {
                    i = index(line, "*/")
                    if (!i) { line = ""; break }
                    line = substr(line, i + 2); inside = 0
                } else {
                    i = index(line, "/*"); j = index(line, "//")
                    if (j && (!i || j < i)) { out = out substr(line, 1, j - 1); line = "" }
                    else if (i) { out = out substr(line, 1, i - 1); line = substr(line, i + 2); inside = 1 }
                    else { out = out line; line = "" }
                }
            }
            print FILENAME ":" FNR ":" out
        }' "$@" /dev/null
}

library=$(sources include grammar vm runtime stdlib)
everything=$(sources include grammar vm runtime stdlib cli tools tests)

bare $library | grep -E "^[^:]*:[0-9]*:.*(^|[^A-Za-z0-9_.>\"])($locale|$unsafe|$dying)[[:space:]]*\(" |
    verdict "no call that follows the locale, ends the process or can't be bounded"

bare $library | grep -E 'printf[[:space:]]*\(' | grep -E '%[-+ #0-9.*]*(l|L)?[aAeEfFgG]' |
    verdict "no float is formatted by printf"

bare $library | grep -E '^[^:]*:[0-9]*:.*(__thread|_Thread_local|thread_local)' |
    verdict "no thread-local state"

# The direction of dependencies: what each folder must not include, by path or by bare name.
forbidden_includes() {
    local folder=$1 above header; shift
    for above; do
        [ -d "$above" ] || continue
        grep -rnE "#[[:space:]]*include[[:space:]]*\"(\.\./)?$above/" "$folder" --include='*.[chyri]*' || true
        for header in "$above"/*.h; do
            [ -e "$header" ] || continue
            header=${header##*/}
            [ -e "$folder/$header" ] ||
                grep -rnE "#[[:space:]]*include[[:space:]]*\"$header\"" "$folder" --include='*.[chyri]*' || true
        done
    done
}
{
    forbidden_includes grammar vm runtime stdlib cli
    forbidden_includes vm runtime stdlib cli
    forbidden_includes runtime stdlib cli
    forbidden_includes cli stdlib
    forbidden_includes stdlib grammar runtime cli
} 2>/dev/null | verdict "includes point down: grammar <- vm <- runtime <- cli, vm <- stdlib"

# What of vm/ the modules in C are written against, and who may see more: docs/internals.md says why it is not <aiovm.h>.
offered='abstract|attr|buffer|builtins|bytes|caps|codec|dict|dtoa|exception|file|float|import|int|iter|list|lock|native|object|os_thread'
offered="$offered|set|shape|slot_table|str|str_unicode|type_parts|types_api|vm|warn|weakref"
grep -nE '#[[:space:]]*include[[:space:]]*"vm/' $(sources stdlib | grep -E '\.[ch]$') |
    grep -vE "\"vm/(($offered)\.h|os_error\.def)\"" |
    grep -vE '^stdlib/(mod_gc\.c:[0-9]*:#include "vm/(heap|frame)|mod_sys\.c:[0-9]*:#include "vm/interp|mod_imp\.c:[0-9]*:#include "vm/frozen)\.h"' |
    verdict "modules in C include only what vm/ offers them"

# A source that no list names would not be built, nor missed.
for file in $(sources grammar vm runtime stdlib cli tests/unit tests/embed); do
    case $file in
    *.c | *.re | *.y)
        name=${file##*/}
        list=$(dirname "$file")/meson.build
        while [ ! -e "$list" ] && [ "$list" != ./meson.build ]; do
            list=$(dirname "$(dirname "$list")")/meson.build
        done
        grep -qE "'([^']*/)?(${name//./\\.}|${name%.c})'" "$list" 2>/dev/null || echo "$file is not in $list"
        ;;
    esac
done | verdict "every source is in its folder's meson.build"

# What belongs to one machine or to one day's work.
if files=$(git ls-files --cached --others --exclude-standard 2>/dev/null); then
    printf '%s\n' "$files" | grep -vE '^tools/lint\.sh$' | tr '\n' '\0' |
        xargs -0 -r grep -nIE '(^|[^A-Za-z0-9_.])/(work|tmp/team|farm|root|home/[a-z]+)/' /dev/null 2>/dev/null |
        cut -c1-160 | verdict "no path of somebody's machine"
fi

{
    grep -nP '\t' $(printf '%s\n' "$everything" | grep -E '\.[ch]$') /dev/null | cut -c1-120
    grep -nE '[[:space:]]+$' $everything /dev/null | cut -c1-120
} 2>/dev/null | verdict "no tabs, no trailing blanks"

# `aio --help`, the page of the command and its manual page name the same options; the library's manual page, functions that exist.
grep -oE '^    "  (-[-a-zA-Z, ]*[a-zA-Z]|-) ' cli/main.c | grep -oE -- '-[-a-zA-Z]*' | sort -u | while read -r option; do
    grep -qF -- "\`$option" docs/command.md || echo "docs/command.md says nothing of $option"
    sed 's/\\-/-/g' docs/aio.1 | grep -qE -- "^\.B[IR]* .*${option}( |$|\")" || echo "docs/aio.1 says nothing of $option"
done | verdict "the command's options are documented"
grep -ohE 'aiovm_[a-z_]+' docs/aiovm.3 | sort -u | while read -r name; do
    grep -qw "$name" include/aiovm.h || echo "docs/aiovm.3 names $name, which aiovm.h lacks"
done | verdict "the manual page of the library names what there is"

bash -n tools/dev 2>&1 | verdict "tools/dev parses"

# ---- the library as it was linked ------------------------------------------------------------------

archive=$build/libaiovm.a
most_bytes=2240000      # of libaiovm.so, stripped
most_core_bytes=1850000 # of the one with the core of the modules
if [ -n "$build" ] && [ -e "$archive" ]; then
    # isalpha and its kin are macros: what they leave behind is a call of __ctype_*_loc.
    nm -u "$archive" 2>/dev/null | awk '{ print $NF }' | sort -u |
        grep -xE "__ctype_[a-z_]*|__strto[df].*|__sprintf_chk|$locale|$unsafe|$dying" |
        verdict "the library calls nothing that follows the locale or ends the process"
    # Objects in .data and .bss; tables of const pointers are in .data.rel.ro.
    objdump -t "$archive" 2>/dev/null |
        awk '/^[^ ]+\.o:/ { file = $1 }
             / O \.(data|bss|tdata|tbss)[. \t]/ && !/ O \.data\.rel\.ro/ { print file, $NF }' |
        verdict "the library has no global mutable state"
    nm -D --defined-only "$build/libaiovm.so" 2>/dev/null | awk '{ print $NF }' | grep -vE '^aiovm_|^_(init|fini)$|^AIOVM_0' |
        verdict "the shared library exports aiovm_* only"
    # A release build only: see docs/internals/size.md.
    if grep -q -e ' -O2 .* -Oz ' "$build/compile_commands.json"; then
        bare=$(mktemp)
        for bound in libaiovm.so:$most_bytes libaiovm_core.so:$most_core_bytes; do
            [ -e "$build/${bound%:*}" ] || continue
            strip -o "$bare" "$build/${bound%:*}"
            bytes=$(wc -c <"$bare")
            [ "$bytes" -le "${bound#*:}" ] || echo "${bound%:*}: $bytes bytes, stripped; ${bound#*:} are allowed"
        done
        rm -f "$bare"
    fi | verdict "the shared libraries have their size"
fi
exit $status
