# Standard descriptors that are full, closed or broken: an error in the script or a status, never a signal.
"$AIO" -c 'print("x")' >/dev/full 2>/dev/null && echo "full: no error"
"$AIO" -c 'import sys; print("to stderr", file=sys.stderr)' 2>/dev/full; echo "stderr full: status $?"
"$AIO" -c 'f = open("file", "w"); f.write("in the file"); f.close(); print("lost")' >&- 2>&-; cat file; echo
"$AIO" -c 'print(input())' <&- 2>&1 | tail -n 1
"$AIO" -c '
try:
    for i in range(100000):
        print(i)
except BrokenPipeError:
    import sys
    print("broken pipe", file=sys.stderr)
' 2>err.txt | head -n 1
head -n 1 err.txt
