#!/bin/bash
# Installs the Debian packages that hypha is built from, and with --with-test-tools those that the tests and the demo
# use. Quick and silent when nothing is missing.
set -euo pipefail

fail() {
    echo "setup: $*" >&2
    exit 1
}

command -v swift >/dev/null || fail "no swift in PATH: install the Swift 6.3 toolchain from https://swift.org/install"

version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
read -r major minor <<<"${version:-0 0}"
((major > 6 || (major == 6 && minor >= 3))) ||
    fail "this is Swift $major.$minor, hypha needs 6.3 or newer: see https://swift.org/install"

packages=(g++ liburing-dev libsodium-dev libssl-dev libtomlplusplus-dev pkg-config)
command -v dpkg-query >/dev/null ||
    fail "not a Debian system: install the equivalents of ${packages[*]} libipsec-mb-dev, then 'swift build -c release'"

# Intel's packet crypto library exists for this architecture only; elsewhere OpenSSL and libsodium do its work.
[ "$(dpkg --print-architecture)" = amd64 ] && packages+=(libipsec-mb-dev)
[ "${1:-}" = --with-test-tools ] && packages+=(iproute2 iperf3 iputils-ping tcpdump nftables ethtool traceroute)

missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "run this as root once, it installs: ${missing[*]}"
    sudo=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
# The package lists of a fresh machine may be missing or too old.
"${install[@]}" >/dev/null 2>&1 || { "${sudo[@]}" apt-get update -q && "${install[@]}"; } ||
    fail "apt-get could not install: ${missing[*]}"
