# Sourced by the scripts that build libspectune: sees to the packages that a build needs.
#
#   . examples/setup.sh
#   setup_packages build            or: build tests
#
# On Debian and Ubuntu what is missing is installed with apt-get, with sudo only when not root. On
# other systems the build goes on if everything is there, else one message says what to install.

setup_build='gcc libc6-dev meson ninja-build pkg-config python3 libblis-pthread-dev libxml2-dev libsqlite3-dev libjansson-dev libpq-dev'
setup_tests='check'

setup_say()
{
    printf '%s\n' "$*" >&2
}

setup_installed()
{
    # "pkg-config" is a virtual name where pkgconf has taken its place.
    [ "$1" != pkg-config ] || ! command -v pkg-config >/dev/null 2>&1 || return 0
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

setup_apt()
{
    setup_missing=
    for setup_p in "$@"; do
        setup_installed "$setup_p" || setup_missing="$setup_missing $setup_p"
    done
    [ -n "$setup_missing" ] || return 0
    setup_sudo=
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            setup_say "setup: these packages are missing and there is no sudo; as root, run:" \
                "apt-get install$setup_missing"
            return 1
        fi
        setup_sudo=sudo
    fi
    setup_say "setup: installing$setup_missing"
    # A package list that is too old to install from is the usual failure; a fresh machine has none.
    # shellcheck disable=SC2086
    $setup_sudo apt-get update -qq >&2 || setup_say "setup: apt-get update failed; trying with what is known"
    # shellcheck disable=SC2086
    $setup_sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $setup_missing >"${TMPDIR:-/tmp}/spectune-setup.$$" 2>&1 || {
        tail -n 5 "${TMPDIR:-/tmp}/spectune-setup.$$" >&2
        rm -f "${TMPDIR:-/tmp}/spectune-setup.$$"
        setup_say "setup: apt-get could not install$setup_missing"
        return 1
    }
    rm -f "${TMPDIR:-/tmp}/spectune-setup.$$"
}

# What a build needs, looked for by use: for systems without apt-get.
setup_look()
{
    setup_lack=
    for setup_t in cc meson ninja pkg-config python3; do
        command -v "$setup_t" >/dev/null 2>&1 || setup_lack="$setup_lack $setup_t"
    done
    setup_modules='libxml-2.0 sqlite3 jansson'
    case " $* " in *' tests '*) setup_modules="$setup_modules check" ;; esac
    for setup_m in $setup_modules; do
        pkg-config --exists "$setup_m" 2>/dev/null || setup_lack="$setup_lack $setup_m"
    done
    printf '#include <blis.h>\nint main(void) { return 0; }\n' |
        cc -x c -o /dev/null - -lblis 2>/dev/null || setup_lack="$setup_lack BLIS"
    [ -z "$setup_lack" ] && return 0
    setup_say "setup: this system has no apt-get (only Debian and Ubuntu are set up automatically);" \
        "please install, with their headers, and run this again:$setup_lack"
    return 1
}

setup_packages()
{
    if command -v apt-get >/dev/null 2>&1; then
        setup_list=
        for setup_w in "$@"; do
            case $setup_w in
            build) setup_list="$setup_list $setup_build" ;;
            tests) setup_list="$setup_list $setup_tests" ;;
            *) setup_list="$setup_list $setup_w" ;;
            esac
        done
        # shellcheck disable=SC2086
        setup_apt $setup_list
    else
        setup_look "$@"
    fi
}

# setup_configure FOLDER OPTION...: make a build folder once; it is kept and brought up to date.
setup_configure()
{
    if [ -f "$1/build.ninja" ]; then
        return 0
    fi
    meson setup "$@" >"$1.log" 2>&1 || {
        tail -n 20 "$1.log" >&2
        return 1
    }
    rm -f "$1.log"
}
