#!/usr/bin/env node
// Measures how long a client that has vanished without a word stays a member: until
// its token expires in lesson 08, and 30 seconds in lesson 09 and in the capstone.
//
// Run: .ci/measure/silent_peer.mjs [SECONDS]
//
// SECONDS is how long we watch; 90, if nothing is said. The lessons are built already.
//
// As root on Linux, servers and clients live in two network namespaces with a cable
// between them, and we pull the cable. Elsewhere a proxy stands between them, which
// swallows everything. The first line of output says which of the two it was.

import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { startProxy } from "../browser/proxy.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`;
const CLIENT = fileURLToPath(new URL("client.mjs", import.meta.url));

/** When a heartbeat gives somebody up, in seconds, and by how much we may be wrong. */
const STATED = 30;
const MARGIN = 1.5;

const SERVERS = `chat_servers_${process.pid}`;
const CLIENTS = `chat_clients_${process.pid}`;
const CABLE = "cable";

const watched = Number(process.argv[2] ?? 90);
if (!(watched > STATED + MARGIN)) {
  console.error(`Watch for more than ${STATED + MARGIN} seconds.`);
  process.exit(2);
}

const children = [];
const cleanUps = [];
process.on("exit", () => {
  children.forEach((child) => child.kill("SIGKILL"));
  cleanUps.forEach((cleanUp) => cleanUp());
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

function run(command, ...args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: "pipe", timeout: 10_000 });
}

/** Starts a program, and waits until it prints what `pattern` matches. */
function start(pattern, [command, ...args], env = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let printed = "";
    const fail = (why) => reject(new Error(`${command} ${args.join(" ")}: ${why}`));
    const timer = setTimeout(() => fail(`after 10 s it says only: ${printed}`), 10_000);
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      printed += chunk;
      const found = pattern.exec(printed);
      if (found) {
        clearTimeout(timer);
        resolve(found);
      }
    });
    child.once("exit", () => fail(`it ended, and said: ${printed}`));
    child.once("error", ({ message }) => fail(message));
  });
}

/** Two namespaces and a cable. Fails where they are not permitted. */
function layCable() {
  const inside = (name) => ["ip", "netns", "exec", name];
  for (const name of [SERVERS, CLIENTS]) {
    run("ip", "netns", "add", name);
    cleanUps.push(() => run("ip", "netns", "del", name));
  }
  const [near, far] = [
    ["name", CABLE, "netns", SERVERS],
    ["name", CABLE, "netns", CLIENTS],
  ];
  run("ip", "link", "add", ...near, "type", "veth", "peer", ...far);
  for (const [name, address] of [
    [SERVERS, "10.89.0.1/30"],
    [CLIENTS, "10.89.0.2/30"],
  ]) {
    run("ip", "-n", name, "address", "add", address, "dev", CABLE);
    run("ip", "-n", name, "link", "set", CABLE, "up");
    run("ip", "-n", name, "link", "set", "lo", "up");
  }
  return {
    what: "a cable between two network namespaces, and it is pulled",
    host: "10.89.0.1",
    atServers: inside(SERVERS),
    atClients: inside(CLIENTS),
    reach: async (server) => server,
    cut: () => run("ip", "-n", CLIENTS, "link", "set", CABLE, "down"),
  };
}

/** A proxy in front of each server. */
function layPipe() {
  const proxies = [];
  return {
    what: "a proxy that swallows everything, because namespaces are not permitted here",
    host: "127.0.0.1",
    atServers: [],
    atClients: [],
    reach: async (server) => {
      const proxy = await startProxy(Number(server.split(":")[1]));
      proxies.push(proxy);
      cleanUps.push(() => proxy.stop());
      return `127.0.0.1:${proxy.port}`;
    },
    cut: () => proxies.forEach((proxy) => proxy.swallow()),
  };
}

function lay() {
  try {
    return layCable();
  } catch {
    cleanUps.splice(0).forEach((cleanUp) => cleanUp());
    return layPipe();
  }
}

/** Starts a lesson, and brings Ben in over the network. */
async function open(network, name) {
  const program = `${TARGET}/debug/${name}`;
  if (!existsSync(program))
    throw new Error(`${program} is missing: cargo build -p ${name}`);

  const ADDR = `${network.host}:0`;
  const [, server] = await start(/http:\/\/([\d.:]+)/, [...network.atServers, program], {
    ADDR,
  });
  const curl = (path, ...more) => {
    const [command, ...args] = [...network.atServers, "curl", "--silent", "--noproxy", "*"];
    return run(command, ...args, ...more, `http://${server}${path}`);
  };
  const json = "content-type: application/json";
  const ben = JSON.stringify({ username: "ben", password: "ben-likes-jam" });
  const { token } = JSON.parse(curl("/login", "--header", json, "--data", ben));

  const url = `ws://${await network.reach(server)}/ws/chat/rust?token=${token}`;
  const flags = ["--no-warnings", "--experimental-websocket"];
  await start(/open/, [...network.atClients, process.execPath, ...flags, CLIENT, url]);
  return { name, hasBen: () => curl("/rooms") === '[{"room":"rust","members":1}]' };
}

/** How many seconds Ben is still on the list, or `undefined` if he stays. */
async function watch({ hasBen }, cutAt) {
  const since = () => (performance.now() - cutAt) / 1000;
  while (since() < watched) {
    if (!hasBen()) return since();
    await sleep(100);
  }
  return undefined;
}

const network = lay();
console.log(`The network: ${network.what}.`);

const without = await open(network, "lesson_08_auth");
const withHeartbeat = [
  await open(network, "lesson_09_heartbeat"),
  await open(network, "lesson_24_capstone"),
];
for (const { name, hasBen } of [without, ...withHeartbeat]) {
  if (!hasBen()) throw new Error(`${name}: Ben should be in the room by now`);
}
network.cut();
const cutAt = performance.now();
const [kept, ...removed] = await Promise.all(
  [without, ...withHeartbeat].map((server) => watch(server, cutAt)),
);

const tell = (seconds) =>
  seconds === undefined
    ? `Ben is still a member after ${watched} s`
    : `Ben was removed after ${seconds.toFixed(1)} s`;
console.log(`${without.name}: ${tell(kept)}.`);
withHeartbeat.forEach(({ name }, i) => {
  console.log(`${name}: ${tell(removed[i])} (stated: ${STATED} s).`);
});

const asStated = removed.every((seconds) => Math.abs(seconds - STATED) < MARGIN);
process.exit(kept === undefined && asStated ? 0 : 1);
