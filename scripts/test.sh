#!/bin/bash
# Every test: style, then all rooms in one process, then the built program in network namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== style"
swift format lint --strict --recursive Sources Tests Bench Package.swift

echo "== rooms"
swift test --disable-xctest --skip SystemTests

# By themselves: they measure how soon a link comes back, and other tests would keep both cores busy.
echo "== system"
system=(swift test --disable-xctest --skip-build --filter SystemTests)
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
    sudo env PATH="$PATH" HOME="$HOME" "${system[@]}"
else
    "${system[@]}"
fi
