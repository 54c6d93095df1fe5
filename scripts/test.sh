#!/bin/bash
# Every test: style, then all rooms in one process, the simulator, then the built program in network namespaces. Goes on after a
# failure, so that one run shows all of them; the exit code counts.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

echo "== style"
swift format lint --strict --recursive Sources Tests Bench Package.swift || failed+=(style)

echo "== rooms"
swift test --disable-xctest --skip SystemTests || failed+=(rooms)

echo "== simulator"
# By the release build: a thousand meshes with every fault, on both kinds of links, two at a time; then four hundred of which
# up to a fifth of the nodes is hostile. Then what the runs must notice.
simulate() { .build/release/hypha-sim --nodes 20 --topology all --faults all "$@"; }
simulate --seeds 500 --links hypha &
hypha_links=$!
simulate --first 501 --seeds 500 --links mixed || failed+=(simulator-mixed)
wait "$hypha_links" || failed+=(simulator-hypha)
simulate --seeds 200 --links hypha --hostile all &
hypha_links=$!
simulate --first 201 --seeds 100 --links mixed --hostile all || failed+=(hostile-mixed)
simulate --first 301 --seeds 100 --links stock --hostile all || failed+=(hostile-stock)
wait "$hypha_links" || failed+=(hostile-hypha)
must_notice() { # mutant, options
    if simulate --seeds 50 --mutant "$@" >/dev/null 2>&1; then
        echo "the runs did not notice the mutant $*" >&2
        failed+=("mutant $1")
    fi
}
for mutant in frozenAlternates noFlush mixedRouterIDs; do must_notice "$mutant"; done
must_notice unboundedTables --hostile flooder --seeds 12
must_notice anySeqno --hostile jumper --seeds 12
must_notice hastyForgetting --hostile all --seeds 12

# Whole nodes: workers, control and packets of hosts.
simulate_whole() { .build/release/hypha-sim --whole --nodes 6 --topology all --faults all --jobs 2 "$@"; }
simulate_whole --seeds 40 --links mixed || failed+=(simulator-whole)
for mutant in lostPacket lostSlot loop blackHole; do
    if simulate_whole --seeds 2 --faults none --mutant "$mutant" >/dev/null 2>&1; then
        echo "2 runs of whole nodes did not notice the mutant $mutant" >&2
        failed+=("mutant $mutant")
    fi
done

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
