# timeout: 60
# Source text that nests 100,000 deep: it works or ends with one message and status 1, never with a signal.
repeat() { awk -v s="$1" -v n="$2" 'BEGIN { while (n-- > 0) printf "%s", s }'; }
try() {
    timeout 60 "$AIO" --check "$1.aio" 2>err.txt
    local status=$? last; last=$(tail -n 1 err.txt)
    case $status:$last in
    0:) echo "$1: fine" ;;
    1:SyntaxError:* | 1:IndentationError:* | 1:RecursionError:* | 1:MemoryError*) echo "$1: fine" ;;
    *) echo "$1: status $status, $last" ;;
    esac
}
says() { timeout 60 "$AIO" --check "$1.aio" 2>&1 | tail -n 1; }

repeat '(' 100000 >parentheses.aio
repeat '[' 100000 >brackets.aio
repeat '{' 100000 >braces.aio
{ repeat '(' 100000; repeat ')' 100000; } >balanced.aio
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "%*sif 1:\n", i, ""; printf "%*spass\n", 1000, "" }' >indents.aio
for name in parentheses brackets braces balanced indents; do says $name; done

{ printf 'x = '; repeat '-' 100000; echo 1; } >minus.aio
{ printf 'x = '; repeat 'not ' 100000; echo 1; } >not.aio
{ printf 'x = '; repeat 'lambda: ' 100000; echo 1; } >lambda.aio
{ printf 'x = f'; repeat '()' 100000; echo; } >calls.aio
{ printf 'x = a'; repeat '.a' 100000; echo; } >attributes.aio
{ printf 'x = a'; repeat '[0]' 100000; echo; } >subscripts.aio
{ printf 'x = 1'; repeat '+1' 100000; echo; } >sum.aio
{ printf 'x = 1'; repeat '**1' 100000; echo; } >power.aio
{ printf 'x = 1'; repeat ' < 1' 100000; echo; } >comparison.aio
{ printf 'x = 1'; repeat ' and 1' 100000; echo; } >and.aio
{ printf 'x = '; repeat '1 if 1 else ' 100000; echo 1; } >conditional.aio
{ repeat 'x = ' 100000; echo 1; } >targets.aio
{ printf 'if 1: pass\n'; repeat 'elif 1: pass
' 20000; } >elif.aio
{ printf 'async def f(): return '; repeat 'await ' 100000; echo x; } >await.aio
{ repeat 'f"{' 100000; } >fstrings.aio
{ repeat '@d
' 100000; echo 'def f(): pass'; } >decorators.aio
for name in minus not lambda calls attributes subscripts sum power comparison and conditional targets elif await \
    fstrings decorators; do
    try $name
done
