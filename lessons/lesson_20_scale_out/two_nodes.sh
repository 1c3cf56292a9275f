#!/usr/bin/env bash
# Two nodes, the broker and the balancer on this machine: what compose.yaml does, as commands.
# Needs nats-server, 2.11 or newer, and HAProxy. Keeps the chats in the folder that DATA names,
# and until it ends if there is none.
#
#     lessons/lesson_20_scale_out/two_nodes.sh
#
# Open http://127.0.0.1:8000 in two windows. Ctrl-C stops all of them.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
port=${PORT:-8000} # The balancer. The nodes have the next two, and the broker the one after.
data=${DATA:-$(mktemp -d)}

# NODE may name a program that is compiled already.
node=${NODE:-${CARGO_TARGET_DIR:-$here/../../target}/debug/lesson_20_scale_out}
[ -n "${NODE:-}" ] || cargo build --manifest-path "$here/../../Cargo.toml" -p lesson_20_scale_out

# Whoever knows these can sign in as anybody, or write to every room.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
JWT_SECRET=$(random)
NATS_PASSWORD=p$(random)
export JWT_SECRET NATS_PASSWORD
export NATS_URL=nats://chat:$NATS_PASSWORD@127.0.0.1:$((port + 3))

# The broker is the last to go, so that the nodes can tell it who has left.
stop() {
  trap - EXIT
  kill "${nodes[@]}" 2>/dev/null || true
  wait "${nodes[@]}" 2>/dev/null || true
  kill "$broker" 2>/dev/null || true
  wait "$broker" 2>/dev/null || true
  [ -n "${DATA:-}" ] || rm -r "$data"
}
nodes=()
trap stop EXIT
trap exit INT TERM

NATS_DATA=$data "${NATS_SERVER:-nats-server}" -c "$here/nats.conf" \
  --addr 127.0.0.1 --port $((port + 3)) --log "$data/broker.log" &
broker=$!
ADDR=127.0.0.1:$((port + 1)) "$node" &
nodes+=($!)
ADDR=127.0.0.1:$((port + 2)) "$node" &
nodes+=($!)
BALANCER=127.0.0.1:$port NODE_1=127.0.0.1:$((port + 1)) NODE_2=127.0.0.1:$((port + 2)) \
  "${HAPROXY:-haproxy}" -db -f "$here/haproxy.cfg" &
nodes+=($!)

echo "All of it:  http://127.0.0.1:$port"
echo "The nodes:  ${nodes[0]} and ${nodes[1]}. To see what happens without one: kill -9 ${nodes[0]}"
wait
