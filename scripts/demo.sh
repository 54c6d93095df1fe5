#!/bin/bash
# Three nodes on this machine: A and B cannot reach each other, only the public peer R, which passes on what it cannot
# read. Usage: demo.sh PATH-OF-HYPHA (as root). Leaves nothing behind.
set -euo pipefail

hypha=$(realpath "${1:-.build/release/hypha}")
[ "$(id -u)" = 0 ] || { echo "demo: network namespaces need root: sudo $0" >&2; exit 1; }
[ -x "$hypha" ] || { echo "demo: no program at $hypha, 'make build' makes it" >&2; exit 1; }

name="hypha-demo-$$"
a="$name-a" r="$name-r" b="$name-b"
dir=$(mktemp -d)
started=()

clean_up() {
    trap - EXIT INT TERM
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    # A namespace takes its links and interfaces along.
    for space in "$a" "$r" "$b"; do ip netns del "$space" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { sed 's/^/    /'; }
in_space() { ip netns exec "$@"; }

# start SPACE LOG PROGRAM...: runs in the background and remembers it.
start() {
    local space=$1 log=$2
    shift 2
    ip netns exec "$space" "$@" >"$log" 2>&1 &
    started+=($!)
}

# wait_for FILE TEXT SECONDS
wait_for() {
    for ((i = 0; i < $3 * 20; i++)); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    echo "demo: no \"$2\" within $3 s in $(basename "$1"):" >&2
    cat "$1" >&2
    exit 1
}

say "1. Three network namespaces. A reaches R over IPv6, B reaches R over IPv4, A and B have no path to each other."
for space in "$a" "$r" "$b"; do
    ip netns add "$space"
    ip -n "$space" link set lo up
done
ip -n "$a" link add to-r type veth peer name to-a netns "$r"
ip -n "$b" link add to-r type veth peer name to-b netns "$r"
ip -n "$a" addr add fd00:a::1/64 dev to-r nodad
ip -n "$r" addr add fd00:a::2/64 dev to-a nodad
ip -n "$r" addr add 192.0.2.2/24 dev to-b
ip -n "$b" addr add 192.0.2.1/24 dev to-r
for link in "$a to-r" "$r to-a" "$r to-b" "$b to-r"; do ip -n "${link% *}" link set "${link#* }" up; done
echo "    A fd00:a::1 ---- fd00:a::2 R 192.0.2.2 ---- 192.0.2.1 B"

say "2. Keys. The address of a node follows from its key."
declare -A key address
for node in a r b; do
    "$hypha" generate-keys --key-file "$dir/$node.key" 2>/dev/null
    "$hypha" inspect --key-file "$dir/$node.key" >"$dir/$node.id"
    key[$node]=$(sed -n 's/^Public key: //p' "$dir/$node.id")
    address[$node]=$(sed -n 's/^Address: //p' "$dir/$node.id")
    echo "    ${node^^}  ${address[$node]}  key ${key[$node]:0:16}..."
done

# leaf NODE ADDRESS-OF-R OTHER: a node that dials R and sends to OTHER through it.
leaf() {
    cat <<END
[node]
key_file = "$dir/$1.key"
[[peer]]
uri = "hl1://${key[r]}@$2:9651"
label = "R"
[[route]]
key = "${key[$3]}"
via = "${key[r]}"
END
}
leaf a "[fd00:a::2]" b >"$dir/a.toml"
leaf b 192.0.2.2 a >"$dir/b.toml"
printf '[node]\nkey_file = "%s"\n' "$dir/r.key" >"$dir/r.toml"

say "3. The nodes start. R has no TUN: it only passes on. A's configuration:"
show <"$dir/a.toml"
start "$r" "$dir/r.log" "$hypha" run --config "$dir/r.toml" --no-tun --disable-peer-discovery
relay=$!
start "$a" "$dir/a.log" "$hypha" run --config "$dir/a.toml" --disable-peer-discovery
start "$b" "$dir/b.log" "$hypha" run --config "$dir/b.toml" --disable-peer-discovery
for node in r a b; do
    wait_for "$dir/$node.log" "ready address=" 10
    grep -ao 'ready address=.*' "$dir/$node.log" | sed "s/^/    ${node^^}: /"
done

say "4. Ping from A to B, through R."
for ((i = 0; i < 50; i++)); do
    in_space "$a" ping -6 -c 1 -W 1 "${address[b]}" >/dev/null 2>&1 && break
    sleep 0.1
done
in_space "$a" ping -6 -i 0.2 -c 5 "${address[b]}" | show

say "5. TCP from A to B, then from B to A, then UDP."
# measure TITLE IPERF-ARGUMENTS...
measure() {
    local title=$1
    shift
    : >"$dir/iperf.log"
    start "$b" "$dir/iperf.log" iperf3 --server --one-off --forceflush
    wait_for "$dir/iperf.log" "Server listening" 5
    in_space "$a" iperf3 --client "${address[b]}" --time 3 --format m "$@" >"$dir/iperf.out" || {
        cat "$dir/iperf.out" >&2
        exit 1
    }
    grep -a 'receiver' "$dir/iperf.out" | tail -n 1 | sed "s/^/    $title: /"
}
measure "TCP A -> B"
measure "TCP B -> A" --reverse
measure "UDP A -> B" --udp --bitrate 200M --length 1300

say "6. What R counted (SIGUSR1). It relayed all of it and could read none of it."

before=$(wc -l <"$dir/r.log")
kill -USR1 "$relay"
for ((i = 0; i < 40; i++)); do
    tail -n "+$((before + 1))" "$dir/r.log" | grep -a '^{' >"$dir/counters" && break
    sleep 0.05
done
[ -s "$dir/counters" ] || { echo "demo: R printed no counters" >&2; exit 1; }
# Of the one line of JSON: the counters and drops that are not zero.
for part in counters drops; do
    echo "    $part"
    grep -o "\"$part\":{[^}]*}" "$dir/counters" | head -n 1 | sed 's/^[^{]*{//; s/}$//' | tr ',' '\n' |
        { grep -v ':0$' || echo '"none"'; } | tr -d '"' | sed 's/:/: /; s/^/        /'
done

say "Done. Everything is taken down again."
