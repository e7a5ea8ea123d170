#!/bin/sh
# Make the Python environment with the programs that the benchmarks compare with, outside the tree.
#
#   sh tests/bench/peers.sh [FOLDER]
#
# FOLDER is ${XDG_CACHE_HOME:-$HOME/.cache}/spectune-peers unless it is given; tell run.sh about
# another one with SPECTUNE_PEERS=FOLDER. Takes about 3 GB and some minutes. Run again, it installs
# what is missing and says what there is. Remove the folder to be rid of it.
#
# PYTHON=... chooses the interpreter (python3): 3.11 or newer, with its venv module.
set -eu
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/spectune-peers}
python=${PYTHON:-python3}
# PyTorch first and by itself: what asks for it later finds this one good enough. On x86-64 Linux the
# index may have only a build for GPUs, which works too.
torch='torch==2.13.0 numpy'
others='tensorflow-cpu keras optuna scikit-learn hyperopt onnx onnxscript onnxruntime'

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM

say()
{
    printf 'peers: %s\n' "$*"
}
fail()
{
    printf 'peers: %s\n' "$*" >&2
    exit 1
}
install()
{
    # shellcheck disable=SC2086
    "$folder/bin/python" -m pip install --disable-pip-version-check --quiet $1 2>"$log" || {
        tail -n 5 "$log" >&2
        fail "pip could not install: $1"
    }
}
# complete NAME...: are distributions of all these names (with version or without) there?
complete()
{
    "$folder/bin/python" - "$@" <<'EOF'
import sys
from importlib.metadata import PackageNotFoundError, version
try:
    for name in sys.argv[1:]:
        name, _, wanted = name.partition("==")
        if wanted and version(name).partition("+")[0] != wanted:
            sys.exit(1)
        version(name)
except PackageNotFoundError:
    sys.exit(1)
EOF
}

if [ ! -x "$folder/bin/python" ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "$python is missing or older than Python 3.11; PYTHON=... names another"
    "$python" -m venv "$folder" >/dev/null ||
        fail "$python could not make $folder; on Debian and Ubuntu its module is in python3-venv"
fi
for list in "$torch" "$others"; do
    # shellcheck disable=SC2086
    complete $list || {
        say "installing $list"
        install "$list"
    }
done

say "in $folder, $("$folder/bin/python" --version):"
"$folder/bin/python" - $torch $others <<'EOF'
import sys
from importlib.metadata import version
for name in sys.argv[1:]:
    name = name.partition("==")[0]
    print(f"  {name} {version(name)}")
EOF
