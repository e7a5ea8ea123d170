#!/bin/sh
# Benchmarks against the programs that people use today: sh tests/bench/run.sh NAME
# Each prints what it measured and one last line for machines. Peers come from a Python environment made outside the tree,
# ${SPECTUNE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/spectune-peers}:
#   python3 -m venv DIR && DIR/bin/pip install optuna scikit-learn
set -eu
cd "$(dirname "$0")/../.."
name=${1:-}
[ $# = 0 ] || shift
case $name in
importance) exec sh tests/bench/importance.sh "$@" ;;
*)
    echo "usage: sh tests/bench/run.sh importance" >&2
    exit 2
    ;;
esac
