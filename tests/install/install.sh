#!/bin/sh
# Install into an empty folder, then build and run a program outside the tree against what was
# installed, as a host would: through pkg-config, shared and static, as C and as C++.
# usage: install.sh SOURCE-FOLDER BUILD-FOLDER
set -u
src=$1 build=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/spectune-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
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
DESTDIR="$work/root" meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1
verdict $? "meson install"
prefix=$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys; print([o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"][0])')
home=$work/root$prefix
pc=$(find "$home" -name spectune.pc)
lib=$(dirname "$(dirname "$pc")")
for file in bin/spectune include/spectune.h include/spectune/tune.h share/man/man1/spectune.1 \
    share/spectune/schemas/space.rng share/spectune/schemas/config.rng share/spectune/schemas/model.rng; do
    [ -f "$home/$file" ]
    verdict $? "$file is installed"
done
PKG_CONFIG_PATH=$(dirname "$pc"):${PKG_CONFIG_PATH:-}
PKG_CONFIG_SYSROOT_DIR=$work/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
# The folders of the system's own libraries must not get the sysroot's prefix.
flags()
{
    pkg-config "$@" spectune | sed "s,$work/root\(/usr/include\|/usr/lib\),\1,g"
}
cat >"$work/host.c" <<'HOST'
#include <spectune.h>
#include <stdio.h>
int main(void)
{
    spt_ctx *ctx;
    spt_space *space;
    if (spt_ctx_new(NULL, &ctx) < 0 || spt_space_preset(ctx, "small", &space) < 0)
        return 1;
    printf("%s %s %d\n", spt_version(), spt_space_name(space), (int)(spt_space_count(space) > 10));
    spt_space_free(space);
    spt_ctx_free(ctx);
    return 0;
}
HOST
version=$(pkg-config --modversion spectune)
# shellcheck disable=SC2046
"${CC:-cc}" -std=c11 -Wall -Wextra -Werror "$work/host.c" -o "$work/shared" $(flags --cflags --libs)
verdict $? "a program links against the shared library"
[ "$(LD_LIBRARY_PATH=$lib "$work/shared")" = "$version small 1" ]
verdict $? "and runs, and tells the version of spectune.pc ($version)"
readelf -d "$lib"/libspectune.so | grep -q 'SONAME.*libspectune\.so\.0'
verdict $? "the library has its soname"
readelf -d "$work/shared" | grep -q 'NEEDED.*libspectune\.so\.0'
verdict $? "the program asks for that soname"
# Ours static, the libraries below it as they are installed: their own static parts want packages
# (of compression and the like) that a system with the shared ones need not have.
below=$(sed -n 's/^Libs.private: //p' "$pc")
modules=$(sed -n 's/^Requires.private: //p' "$pc")
# shellcheck disable=SC2046,SC2086
"${CC:-cc}" -std=c11 "$work/host.c" -o "$work/static" $(flags --cflags) "$lib"/libspectune.a \
    $(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --libs $modules) $below
verdict $? "a program links against the static library"
[ "$("$work/static")" = "$version small 1" ]
verdict $? "and runs"
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
    cp "$work/host.c" "$work/host.cpp"
    # shellcheck disable=SC2046
    "${CXX:-c++}" -std=c++11 -Wall "$work/host.cpp" -o "$work/cpp" $(flags --cflags --libs) &&
        [ "$(LD_LIBRARY_PATH=$lib "$work/cpp")" = "$version small 1" ]
    verdict $? "the same as C++"
fi
LD_LIBRARY_PATH=$lib "$home/bin/spectune" --version | grep -q "$version"
verdict $? "the installed tool runs"
# The absolute symbol is the name of the version itself.
foreign=$(nm -D --defined-only "$lib"/libspectune.so | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -v '^spt_[a-z0-9_]*$' | grep -v -E '^(_init|_fini)$' | head -3)
[ -z "$foreign" ]
verdict $? "nothing but spt_ names leaves the library $foreign"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
