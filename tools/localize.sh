#!/bin/sh
# localize.sh IN.a OUT.a: one object of all that IN holds, in which only the public functions are still visible, so that a host
# that links the library statically can't clash with a name inside it.
set -e
in=$1
out=$2
object=$out.p.o
ld -r -o "$object" --whole-archive "$in"
objcopy --localize-hidden "$object"
rm -f "$out"
ar rcs "$out" "$object"
rm -f "$object"
