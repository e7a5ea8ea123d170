#!/bin/sh
# Build everything and run every test, on a fresh Debian or Ubuntu machine too: sh tests/run.sh
# BUILD=folder keeps the build elsewhere than in build/. Arguments go to "meson test".
set -eu
cd "$(dirname "$0")/.."
. examples/setup.sh
setup_packages build tests
build=${BUILD:-build}
setup_configure "$build"
ninja -C "$build" --quiet
status=0
meson test -C "$build" --no-rebuild --print-errorlogs "$@" || status=$?
# Check prints "100%: Checks: 12, Failures: 0, Errors: 0", the scripts "12 passed, 0 failed".
awk '
    /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
        gsub(/[^0-9 ]/, ""); n = split($0, a, " ")
        checks += a[n - 2]; bad += a[n - 1] + a[n]
    }
    /^[0-9]+ passed, [0-9]+ failed/ { checks += $1 + $3; bad += $3 }
    END { printf "All together: %d checks, %d of them failed\n", checks, bad; exit bad > 0 || checks == 0 }
' "$build/meson-logs/testlog.txt" || status=1
exit "$status"
