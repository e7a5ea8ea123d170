#!/bin/sh
# Every public header compiles by itself, as C90, C11 and C++11, with every compiler that is here and all warnings on;
# none includes more than two headers of the C library, so that no dependency shows; none defines a name of another's.
# usage: headers.sh SOURCE-FOLDER
set -u
src=$1
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
# The names that the macros of a translation unit have.
macros()
{
    "${CC:-cc}" -std=c11 -I"$src/include" -dM -E -x c - | awk '{ sub(/\(.*/, "", $2); print $2 }' | sort -u
}
# compile COMPILER STANDARD LANGUAGE HEADER
compile()
{
    printf '#include <%s>\ntypedef int nothing;\n' "$4" |
        "$1" -std="$2" -Wall -Wextra -Wpedantic -pedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror \
            -I"$src/include" -fsyntax-only -x "$3" -
}
compilers=$(for c in gcc clang; do command -v $c >/dev/null 2>&1 && echo $c; done)
for compiler in ${compilers:-${CC:-cc}}; do
    for header in "$src"/include/spectune.h "$src"/include/spectune/*.h; do
        name=${header#"$src"/include/}
        for standard in c90 c11; do
            compile "$compiler" $standard c "$name"
            verdict $? "$name as $standard, $compiler"
        done
    done
done
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null 2>&1 || { echo "skip $compiler: not here" && continue; }
    for header in "$src"/include/spectune.h "$src"/include/spectune/*.h; do
        name=${header#"$src"/include/}
        compile "$compiler" c++11 c++ "$name"
        verdict $? "$name as c++11, $compiler"
    done
done
foreign=$(grep -hn '^ *# *include' "$src"/include/spectune.h "$src"/include/spectune/*.h |
    grep -v -E 'include (<std(def|int)\.h>|"(spectune/)?[a-z]+\.h")')
[ -z "$foreign" ]
verdict $? "nothing is included but stddef.h, stdint.h and headers of ours $foreign"
foreign=$(printf '#include <stddef.h>\n#include <stdint.h>\n' | macros >"${TMPDIR:-/tmp}/spectune-macros.$$"
    printf '#include <spectune.h>\n' | macros | comm -13 "${TMPDIR:-/tmp}/spectune-macros.$$" - | grep -v -E '^(SPT_|SPECTUNE_)'
    rm -f "${TMPDIR:-/tmp}/spectune-macros.$$")
[ -z "$foreign" ]
verdict $? "every macro starts with SPT_ or SPECTUNE_ $foreign"
name='([a-zA-Z0-9_]+)'
foreign=$(cat "$src"/include/spectune/*.h | sed -n -E "s/^\} $name;.*/\1/p; s/^typedef [^(]*\(\*$name\).*/\1/p; s/^typedef struct $name $name;.*/\2/p" |
    grep -v '^spt_')
[ -z "$foreign" ]
verdict $? "every type starts with spt_ $foreign"
foreign=$(grep -ohE '^ +(X\()?[A-Z][A-Z0-9_]+( =|,)' "$src"/include/spectune/*.h | sed 's/X(//; s/[ =,]//g' | grep -v '^SPT_')
[ -z "$foreign" ]
verdict $? "every constant starts with SPT_ $foreign"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
