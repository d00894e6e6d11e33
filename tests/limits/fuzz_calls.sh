# timeout: 120
# skip-gc-stress: a collection at every safepoint leaves too few calls
# Everything that is written in C, called with odd arguments: one round of tools/fuzz_calls, which runs for as long as one likes.
"$(dirname "$0")/../../tools/fuzz_calls" "$AIO" --rounds 1 --calls 120 --seconds 100 | sed 's/^[0-9]* runs, [0-9]* lines of calls, //'
