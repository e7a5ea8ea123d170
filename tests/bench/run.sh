#!/bin/sh
# Run a benchmark: sh tests/bench/run.sh NAME [OPTION...]; without a name, the list.
#
# NAME stands for run_NAME.py in this folder. The library is built first, in build/ or in the folder
# that BUILD names. What the benchmark compares with is looked for in the folder that peers.sh makes
# (or SPECTUNE_PEERS names). doc/bench.md tells what is measured.
set -eu
cd "$(dirname "$0")/../.."
bench=$PWD/tests/bench
if [ $# -eq 0 ] || [ ! -f "$bench/run_$1.py" ]; then
    [ $# -eq 0 ] || printf 'bench: there is no benchmark "%s"\n' "$1" >&2
    echo 'usage: sh tests/bench/run.sh NAME [--help | OPTION...]'
    for file in "$bench"/run_*.py; do
        name=${file##*/run_}
        printf '  %-12s %s\n' "${name%.py}" "$(sed -n '/^"""/{s/^"*//;p;q;}' "$file")"
    done
    [ $# -eq 0 ]
    exit
fi
name=$1
shift
. examples/setup.sh
setup_packages build tests
BUILD=${BUILD:-build}
setup_configure "$BUILD"
ninja -C "$BUILD" --quiet
case $BUILD in
/*) ;;
*) BUILD=$PWD/$BUILD ;;
esac
export BUILD PYTHONDONTWRITEBYTECODE=1
exec python3 "$bench/run_$name.py" "$@"
