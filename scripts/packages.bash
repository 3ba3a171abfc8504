# packages: what shunt needs of Debian, and how it gets there. Sourced by ./run and ./test.
#
# Entries are PACKAGE or COMMAND:PACKAGE; with a command, the package is wanted only if the command is not there, so that
# tools installed in another way count. Nothing here touches the network unless something is missing.

build_packages=(
    meson:meson ninja:ninja-build gcc:gcc pkg-config:pkg-config libc6-dev
    libuv1-dev liblmdb-dev libmicrohttpd-dev libjansson-dev libyaml-dev libxxhash-dev libargon2-dev libdw-dev libmsgpack-dev libseccomp-dev libssl-dev uthash-dev
)

# shellcheck disable=SC2034 # used by ./test
test_packages=(
    "${build_packages[@]}"
    libcriterion-dev
    g++:g++ clang:clang libclang-rt-14-dev clang-format:clang-format
    nft:nftables ip:iproute2
    python3:python3 python3-prometheus-client mypy:mypy python3-pip python3-setuptools python3-wheel openssl:openssl node:nodejs npm:npm chromium:chromium jq:jq curl:curl strace:strace valgrind:valgrind
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
    if [[ $(id -u) -eq 0 ]]; then
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
    local missing by_hand fresh=true
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -eq 0 ]] && return
    by_hand="As root, run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    say "== installing from Debian: ${missing[*]}"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || die "packages are missing, and you are neither root nor is there sudo. $by_hand"
        sudo -v || die "packages are missing, and sudo does not let you install them. $by_hand"
    fi
    # Without Error-Mode it succeeds when it could fetch nothing. A list that is not needed may well be missing.
    as_root apt-get -q -o APT::Update::Error-Mode=any update || fresh=false
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" && return
    $fresh || die "could not install: ${missing[*]}: the lists of packages cannot be fetched. Is there a network? What apt-get printed first says which server it asked."
    die "could not install: ${missing[*]} (shunt is built and tested on Debian 12)"
}

# The programs that alerts are tested with. Their packages are unpacked, not installed: installing would start servers.
alerting_packages=(promtool:prometheus prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager)

# Make DIR/bin have the commands of these packages that are not on the PATH; the packages' files lie in DIR/debian. Returns
# false if that is not possible.
fetch_alerting() {
    local dir=$1 entry work status packages=() commands=()
    for entry in "${alerting_packages[@]}"; do
        [[ -x $dir/bin/${entry%%:*} ]] || command -v "${entry%%:*}" >/dev/null && continue
        commands+=("${entry%%:*}")
        [[ " ${packages[*]} " == *" ${entry#*:} "* ]] || packages+=("${entry#*:}")
    done
    [[ ${#commands[@]} -eq 0 ]] && return
    command -v apt-get >/dev/null || return
    mkdir -p "$dir/bin" "$dir/debian" || return
    work=$(mktemp -d "$dir/fetch.XXXXXX") || return
    say "Fetching ${commands[*]} out of Debian's packages ${packages[*]}"
    (
        cd "$work" || exit
        # As they stand in the lists that are there; where there are none yet, only root can fetch them.
        apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" ||
            { as_root apt-get -q update && apt-get -q -o APT::Sandbox::User=root download "${packages[@]}"; } || exit
        for package in *.deb; do
            dpkg-deb -x "$package" ../debian || exit
        done
        for command in "${commands[@]}"; do
            ln -sf "../debian/usr/bin/$command" "../bin/$command" || exit
        done
    ) >&2
    status=$?
    rm -rf "$work"
    return "$status"
}
