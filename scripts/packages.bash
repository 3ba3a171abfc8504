# packages: what shunt needs of Debian, and how it gets there. Sourced by ./run and ./test.
#
# Entries are PACKAGE or COMMAND:PACKAGE; with a command, the package is wanted only if the command is not there, so that
# tools installed in another way count. Nothing here touches the network unless something is missing.

build_packages=(
    meson:meson ninja:ninja-build gcc:gcc pkg-config:pkg-config libc6-dev
    libuv1-dev liblmdb-dev libmicrohttpd-dev libyaml-dev libxxhash-dev libdw-dev libmsgpack-dev uthash-dev
)

# shellcheck disable=SC2034 # used by ./test
test_packages=(
    "${build_packages[@]}"
    libcriterion-dev libjansson-dev
    g++:g++ clang:clang libclang-rt-14-dev clang-format:clang-format
    nft:nftables ip:iproute2
    python3:python3 python3-prometheus-client node:nodejs jq:jq strace:strace valgrind:valgrind
)

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$(basename "$0"): $*"
    exit 1
}

# Print the packages of the given entries that are not there, one a line.
missing_packages() {
    local entry name installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
    for entry in "$@"; do
        name=${entry#*:}
        if [[ $entry == *:* ]] && command -v "${entry%%:*}" >/dev/null; then
            continue
        fi
        grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$name"
    done
}

# Run a command as root, directly or with sudo.
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Install what is missing of the given entries.
install_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        local tool
        for tool in meson ninja pkg-config cc; do
            command -v "$tool" >/dev/null || die "this is not Debian and \`$tool\` is not there. Install what these Debian packages hold: ${*#*:}"
        done
        say "This is not Debian: going on with what is installed."
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -eq 0 ]] && return
    if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
        die "packages are missing, and you are neither root nor is there sudo. As root, run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "Installing from Debian: ${missing[*]}"
    as_root apt-get -q update || die "apt-get update failed: is there a network?"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" ||
        die "could not install: ${missing[*]} (shunt is built and tested on Debian 12)"
}

# Put promtool into DIR/bin unless it is on the PATH, without installing the package it is part of: that one would start a
# server. Returns false if that is not possible.
fetch_promtool() {
    local dir=$1 work status
    command -v promtool >/dev/null && return
    [[ -x $dir/bin/promtool ]] && return
    command -v apt-get >/dev/null || return
    mkdir -p "$dir/bin" || return
    work=$(mktemp -d "$dir/fetch.XXXXXX") || return
    say "Fetching promtool out of Debian's package prometheus"
    (
        cd "$work" || exit
        # As it stands in the lists that are there; where there are none yet, only root can fetch them.
        apt-get -q -o APT::Sandbox::User=root download prometheus ||
            { as_root apt-get -q update && apt-get -q -o APT::Sandbox::User=root download prometheus; } || exit
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >promtool || exit
        chmod +x promtool && mv promtool ../bin/promtool
    ) >&2
    status=$?
    rm -rf "$work"
    return "$status"
}
