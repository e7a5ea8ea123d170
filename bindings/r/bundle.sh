#!/bin/sh
# Make the source package of R, with the library's own sources in it.
#
#   sh bindings/r/bundle.sh FOLDER [further arguments of R CMD build]
#
# Leaves spectune_VERSION.tar.gz in FOLDER. R CMD build installs the package for the vignette: against an installed
# library where pkg-config finds one, else from the sources.
set -eu
out=${1:?usage: bundle.sh FOLDER [arguments of R CMD build]}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/spectune-r.XXXXXX")
trap 'rm -rf "$work"' EXIT
package=$work/spectune
mkdir "$package"
(cd bindings/r && tar cf - --exclude bundle.sh --exclude bundle.py .) | tar xf - -C "$package"
python3 bindings/r/bundle.py . "$package"
chmod +x "$package/configure" "$package/cleanup"
cd "$out"
R CMD build "$@" "$package"
