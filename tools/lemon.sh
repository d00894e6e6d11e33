#!/bin/sh
# lemon.sh LEMON GRAMMAR OUTDIR - make OUTDIR/NAME.c and NAME.h from NAME.y; any conflict is an error.
# Lemon resolves a conflict on its own and goes on; the grammar promises to have none.
set -u
lemon=$1 grammar=$2 out=$3
name=$(basename "$grammar" .y)
report=$("$lemon" -d"$out" "$grammar" 2>&1)
status=$?
[ -z "$report" ] || printf '%s\n' "$report" >&2
case $report in
*onflict*) status=1 ;;
esac
if [ "$status" -ne 0 ]; then
    # The states where it happens, from lemon's own report.
    grep -n -B12 'conflict \*\*' "$out/$name.out" 2>/dev/null | tail -n 60 >&2
    rm -f "$out/$name.c" "$out/$name.h"
    echo "lemon.sh: $grammar was refused" >&2
    exit 1
fi
