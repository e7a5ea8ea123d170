#!/bin/sh
# Importance: how much faster than Optuna's fANOVA on the same history with as many trees, and the time of a large history.
# Last line: importance ratio <times faster> large <seconds>
set -eu
. examples/setup.sh
setup_packages build
build=${BUILD:-build}
setup_configure "$build"
ninja -C "$build" --quiet libspectune.so.0.1.0
peers=${SPECTUNE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/spectune-peers}
python=
for p in "$peers/bin/python" /usr/bin/python3 python3; do
    if command -v "$p" >/dev/null 2>&1 && "$p" -c 'import optuna, sklearn' 2>/dev/null; then
        python=$p
        break
    fi
done
[ -n "$python" ] || {
    echo "importance: no Python with Optuna and scikit-learn at $peers (tests/bench/run.sh tells how to make one), nor Debian's python3-optuna" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -std=c11 -O2 -Wall -Wextra -Iinclude -o "$work/importance" tests/bench/importance.c -L"$build" -lspectune -lm \
    -Wl,-rpath,"$(cd "$build" && pwd)"
"$python" tests/bench/importance.py "$work/importance" "$work/history.db"
