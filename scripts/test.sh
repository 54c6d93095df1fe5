#!/bin/bash
# Every test: style, then all rooms in one process, then the built program in network namespaces. Goes on after a
# failure, so that one run shows all of them; the exit code counts.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

echo "== style"
swift format lint --strict --recursive Sources Tests Bench Package.swift || failed+=(style)

echo "== rooms"
swift test --disable-xctest --skip SystemTests || failed+=(rooms)

# By themselves: they measure how soon a link comes back, and other tests would keep all cores busy.
echo "== system"
system=(swift test --disable-xctest --skip-build --filter SystemTests)
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
    system=(sudo env PATH="$PATH" HOME="$HOME" "${system[@]}")
fi
"${system[@]}" || failed+=(system)

if [ ${#failed[@]} -gt 0 ]; then
    echo "tests failed: ${failed[*]}" >&2
    exit 1
fi
echo "all tests passed"
