# timeout: 200
# skip-asan: the two don't go together
# skip-gc-stress: nothing but more time
# A few of the API's test programs under valgrind, where it is installed: no error, and nothing is lost. `tools/dev valgrind`
# runs them all.
if command -v valgrind > /dev/null; then
    "$(dirname "$0")/../../tools/valgrind_api" "$(dirname "$AIO")" errors natives values test_api_natives test_api_states
fi
echo done
