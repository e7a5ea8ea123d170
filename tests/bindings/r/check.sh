#!/bin/sh
# The R package, as R itself checks it: twice with R CMD check --as-cran (against an installed library, and from the
# sources in the tarball without one), no error, warning or note; then a package that links to it, and a long session.
#
#   sh tests/bindings/r/check.sh        BUILD=folder: where the library is built (build/)
#
# Needs r-base-dev, r-cran-testthat, r-cran-knitr, r-cran-rmarkdown, pandoc, and for R CMD check itself devscripts
# (checkbashisms) and qpdf, without which it warns of every package that has a configure script or a vignette. SPECTUNE_VALGRIND=yes runs the tests of
# callbacks and handles under valgrind, too.
set -eu
cd "$(dirname "$0")/../../.."
here=$PWD/tests/bindings/r
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/spectune-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
began=$(date +%s)
say() { printf '%s (after %d s)\n' "$*" $(($(date +%s) - began)); }

export MAKEFLAGS="${MAKEFLAGS:--j2}" _R_CHECK_SYSTEM_CLOCK_=0 _R_CHECK_CRAN_INCOMING_=FALSE OMP_NUM_THREADS=2 NOT_CRAN=true

# ---- a library that is installed: in a place of its own ----
DESTDIR=$work/root meson install -C "$build" --no-rebuild >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
pc=$(find "$work/root" -name spectune.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
sed -i "s|=$prefix|=$work/root$prefix|" "$pc"

# ---- the tarball ----
export PKG_CONFIG_PATH="$(dirname "$pc")"
SPECTUNE_BUNDLED=no sh bindings/r/bundle.sh "$work" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
tarball=$(ls "$work"/spectune_*.tar.gz)
say "$(basename "$tarball") is built"
passed=$((passed + 1))

# A PostgreSQL server for the tests, where one is installed.
server='python3 tests/postgres/server.py'
$server true >/dev/null 2>&1 || server=

# ---- R CMD check, both ways ----
check()
{
    mkdir "$work/$1"
    $server R CMD check --as-cran --no-manual --output="$work/$1" "$tarball" >"$work/log" 2>&1 || {
        cat "$work/log" "$work/$1"/spectune.Rcheck/00install.out
        exit 1
    }
    grep -q '^Status: OK$' "$work/log" || {
        cat "$work/log"
        exit 1
    }
    grep -h '^spectune: ' "$work/$1/spectune.Rcheck/00install.out" | head -n 1
    say "R CMD check, $1: $(grep '^Status' "$work/log")"
    passed=$((passed + 1))
}
export SPECTUNE_TOOL="$build/examples/spectune/spectune" # the numbers of R are its numbers, in both builds
SPECTUNE_BUNDLED=no check installed
SPECTUNE_BUNDLED=yes PKG_CONFIG_PATH= check bundled
! ldd "$work/bundled/spectune.Rcheck/spectune/libs/spectune.so" | grep -q libspectune ||
    { echo 'the bundled build uses an installed library'; exit 1; }

# ---- a package that embeds the library through this one ----
export R_LIBS="$work/bundled/spectune.Rcheck"
cp -r "$here/linking" "$work/linking"
R CMD INSTALL --library="$R_LIBS" "$work/linking" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
Rscript -e 'x <- linking::minimise(40); cat("LinkingTo: lowest", x, "\n"); stopifnot(x >= 3, x < 3.2)
            stopifnot(inherits(try(linking::minimise(3, -1), silent = TRUE), "try-error"))'
passed=$((passed + 1))

# ---- a long session ----
SPECTUNE_GCTORTURE=${SPECTUNE_GCTORTURE:-100} Rscript "$here/stress.R" >"$work/stress" 2>&1 || {
    cat "$work/stress"
    exit 1
}
cat "$work/stress"
passed=$((passed + $(sed -n 's/^\([0-9]*\) passed, 0 failed$/\1/p' "$work/stress")))

if [ "${SPECTUNE_VALGRIND:-no}" = yes ]; then
    for suite in callbacks handles; do
        R -d 'valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99' \
            --vanilla --no-echo -e "library(testthat); library(spectune); test_file('bindings/r/tests/testthat/test-$suite.R', stop_on_failure = TRUE, reporter = 'minimal')" \
            >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
        say "valgrind: $suite"
        passed=$((passed + 1))
    done
fi
say 'the R package'
echo "$passed passed, 0 failed"
