#!/bin/sh
# Every public header compiles by itself, as C11 and (where there is a compiler) as C++, with all
# warnings on; and every exported function is declared in one of them.
# usage: headers.sh SOURCE-FOLDER LIBRARY
set -u
src=$1 library=$2
passed=0 failed=0
verdict()
{
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok   $2"
    else
        failed=$((failed + 1))
        echo "FAIL $2"
    fi
}
for header in "$src"/include/spectune.h "$src"/include/spectune/*.h; do
    name=${header#"$src"/include/}
    printf '#include <%s>\ntypedef int nothing;\n' "$name" |
        "${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$src/include" \
            -fsyntax-only -x c -
    verdict $? "$name as C11"
    if command -v "${CXX:-c++}" >/dev/null 2>&1; then
        printf '#include <%s>\n' "$name" |
            "${CXX:-c++}" -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$src/include" -fsyntax-only -x c++ -
        verdict $? "$name as C++11"
    else
        echo "skip $name as C++11: no C++ compiler here"
    fi
done
# One name a line, of what the library exports and of what the headers declare.
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" || $2 == "D" || $2 == "B" || $2 == "R" { print $3 }' |
    sed 's/@.*//' | sort -u)
declared=$(cat "$src"/include/spectune/*.h | tr '\n' ' ' | grep -o 'SPT_API [^;]*' |
    grep -o 'spt_[a-z0-9_]*(' | sed 's/($//' | sort -u)
for name in $exported; do
    printf '%s\n' "$declared" | grep -qx "$name"
    verdict $? "$name is declared"
done
for name in $declared; do
    printf '%s\n' "$exported" | grep -qx "$name" || { verdict 1 "$name is exported"; }
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
