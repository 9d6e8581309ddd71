#!/bin/sh
# Install the Debian packages $1 that are missing (root or sudo), or say which are missing and stop.
# On other systems: look for the compiler and the pkg-config names $2 and say which are missing.
packages=$1
names=$2

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for p in $packages; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
    done
    [ -z "$missing" ] && exit 0

    # sudo may ask for a password, but only where somebody can give it.
    if [ "$(id -u)" = 0 ]; then
        root=""
    elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
        root="sudo"
    else
        echo "missing packages:$missing" >&2
        echo "install them with: apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $root apt-get update -q &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "cannot install the packages" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
    exit 0
fi

command -v mpicc >/dev/null 2>&1 || missing="$missing mpicc(Open MPI)"
command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
for n in $names; do
    pkg-config --exists "$n" 2>/dev/null || missing="$missing $n"
done
[ -z "$missing" ] && exit 0
echo "missing on this system:$missing" >&2
echo "load the modules that provide them (and set PKG_CONFIG_PATH), then give the command again" >&2
exit 1
