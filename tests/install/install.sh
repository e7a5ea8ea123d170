#!/bin/sh
# Install into an empty folder, then build and run a program outside the tree against what was
# installed, as a host would: through pkg-config and CMake, shared and static, as C and as C++.
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
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
    # The example that is C++, as its reader would build it; what it says is asked in tests/examples.
    instrument()
    {
        LD_LIBRARY_PATH=$lib "$1" "$src/tests/golden/1/model.xml" <"$work/stream.csv" 2>>"$work/log" | grep -c '^one,[0-9.]*,$'
    }
    printf 'id,1000,1100,1190\none,0.3,0.4,0.35\n' >"$work/stream.csv"
    # shellcheck disable=SC2046
    "${CXX:-c++}" -std=c++11 -Wall "$src/examples/instrument.cpp" -o "$work/instrument" $(flags --cflags --libs) &&
        [ "$(instrument "$work/instrument")" = 1 ]
    verdict $? "the C++ example links and runs"
    # shellcheck disable=SC2046,SC2086
    "${CXX:-c++}" -std=c++11 "$src/examples/instrument.cpp" -o "$work/instrument" $(flags --cflags) "$lib"/libspectune.a \
        $(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --libs $modules) $below && [ "$(instrument "$work/instrument")" = 1 ]
    verdict $? "and statically, too"
fi
# The same without what tells where the library is: the checks above mean something.
"${CC:-cc}" -std=c11 "$work/host.c" -o "$work/nowhere" -lspectune >/dev/null 2>&1
[ $? != 0 ]
verdict $? "without pkg-config's flags nothing is found"
if command -v cmake >/dev/null 2>&1; then
    mkdir "$work/cmake"
    cp "$work/host.c" "$src/examples/instrument.cpp" "$work/cmake"
    cat >"$work/cmake/CMakeLists.txt" <<'LISTS'
cmake_minimum_required(VERSION 3.13)
project(host C CXX)
set(CMAKE_CXX_STANDARD 11)
find_package(spectune ${WANTED} REQUIRED ${COMPONENTS})
foreach(source host.c instrument.cpp)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name}_shared ${source})
  target_link_libraries(${name}_shared PRIVATE spectune::spectune)
  if(TARGET spectune::static)
    add_executable(${name}_static ${source})
    target_link_libraries(${name}_static PRIVATE spectune::static)
  endif()
endforeach()
message(STATUS "spectune ${spectune_VERSION}")
LISTS
    # The system's own pkg-config from here on: CMake is to find ours by itself.
    by_cmake()
    {
        env -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR cmake -S "$work/cmake" -B "$work/cmake/$1" -DCMAKE_C_COMPILER="${CC:-cc}" \
            "$2" "$3" "$4" >"$work/cmake.log" 2>&1
    }
    built()
    {
        by_cmake "$@" && cmake --build "$work/cmake/$1" >>"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" && return 1; }
    }
    built first -DCMAKE_PREFIX_PATH="$home" -DWANTED="$version" -DCOMPONENTS="COMPONENTS;static"
    verdict $? "CMake finds, builds and links, shared and static"
    for kind in shared static; do
        [ "$("$work/cmake/first/host_$kind")" = "$version small 1" ] && [ "$(instrument "$work/cmake/first/instrument_$kind")" = 1 ]
        verdict $? "the programs of CMake run, $kind"
    done
    mv "$work/root" "$work/moved"
    built second -DCMAKE_PREFIX_PATH="$work/moved$prefix" -DWANTED= -DCOMPONENTS=
    verdict $? "CMake finds an installation that was moved"
    mv "$work/moved" "$work/root"
    by_cmake third -DWANTED= -DCOMPONENTS= -DCMAKE_PREFIX_PATH="$work"
    [ $? != 0 ] && grep -q 'spectuneConfig.cmake' "$work/cmake.log"
    verdict $? "without its folder CMake finds nothing"
    for wanted in 9.9 0.99; do
        by_cmake "wanted-$wanted" -DCMAKE_PREFIX_PATH="$home" -DWANTED=$wanted -DCOMPONENTS=
        [ $? != 0 ] && grep -q "version: $version" "$work/cmake.log"
        verdict $? "version $wanted is refused, and ours named"
    done
    by_cmake component -DCMAKE_PREFIX_PATH="$home" -DWANTED=0.1 -DCOMPONENTS="COMPONENTS;nonesuch"
    [ $? != 0 ] && tr -s ' \n' ' ' <"$work/cmake.log" | grep -q 'nonesuch is not known'
    verdict $? "a component that there is not is refused, and named"
    rm "$lib/libspectune.so.0"
    by_cmake broken -DCMAKE_PREFIX_PATH="$home" -DWANTED=0.1 -DCOMPONENTS=
    [ $? != 0 ] && tr -s ' \n' ' ' <"$work/cmake.log" | grep -q 'libspectune.so.0 is missing'
    verdict $? "an installation that lacks its library is refused"
    ln -s "libspectune.so.$version" "$lib/libspectune.so.0"
else
    echo "skip CMake: not here (Debian: cmake)"
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
