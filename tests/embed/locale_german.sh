# A host in a locale with a decimal comma: 1,5 in its printf, and no difference in any script.
localedef -i de_DE -f UTF-8 ./de_DE.UTF-8 > localedef.log 2>&1 || { [ -z "$CI" ] && echo ok || cat localedef.log; exit 0; }
LOCPATH=$PWD LC_ALL=de_DE.UTF-8 "$(dirname "$AIO")/tests/embed/locale" 1,5
