# timeout: 60
# Long but flat source text is no problem, and takes time in proportion.
{ printf 'x = ['; head -c 400000 /dev/zero | sed 's/\x00/1,/g'; echo ']'; echo 'print(len(x))'; } >list.aio
{ printf 'x = "'; head -c 2000000 /dev/zero | tr '\0' 'y'; echo '"'; echo 'print(len(x))'; } >string.aio
{ head -c 100000 /dev/zero | sed 's/\x00/x = 1\n/g'; echo 'print("lines")'; } >lines.aio
{ head -c 100000 /dev/zero | sed 's/\x00/x = 1; /g'; echo 'print("one line")'; } >line.aio
{ head -c 2000000 /dev/zero | tr '\0' 'n'; echo ' = 5'; echo 'print("name")'; } >name.aio
{ head -c 2000000 /dev/zero | tr '\0' '\n'; echo 'print("blank lines")'; } >blank.aio
{ head -c 2000000 /dev/zero | tr '\0' '#'; echo; echo 'print("comment")'; } >comment.aio
for name in list string lines line name blank comment; do
    timeout 60 "$AIO" $name.aio || echo "$name: status $?"
done
