"$AIO" --version
"$AIO" -V
"$AIO" --help | head -n 1
"$AIO" -h | grep -c -e '--virtual-time  '
"$AIO" --help >/dev/full
echo "status $?"
