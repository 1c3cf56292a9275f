#!/usr/bin/env node
// Measures how long a client that has vanished without a Close stays a member: until
// its token expires in lesson 08, and 30 seconds in lesson 09 and in the capstone. At the
// same time it measures what nginx does to a client that is there, and idle; whether a
// client stays that answers while the server stands still; and, if we watch for 75 seconds
// or more, how long a browser waits for the answer to its Close.
//
// Run: .ci/measure/silent_peer.mjs [SECONDS]
//
// SECONDS is how long we watch; 90, if it is left out. The lessons are built already.
//
// As root on Linux, servers and clients live in two network namespaces with a cable
// between them, and we pull the cable. Elsewhere a proxy stands between them, which
// swallows everything. The first line of output says which of the two it was.
//
// nginx cuts a connection on which the server sends nothing for 60 seconds, unless it is told
// otherwise. If we watch for less than 75 seconds, we tell it 25. Where nginx is missing, it
// is unpacked from Debian's package into a temporary folder, and so nothing is installed.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { startProxy } from "../browser/proxy.mjs";
import { freePort } from "../browser/server.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`;
const CLIENT = fileURLToPath(new URL("client.mjs", import.meta.url));

/** When a heartbeat gives somebody up, in seconds, and by how much we may be wrong. */
const STATED = 30;
const MARGIN = 3;

const SERVERS = `chat_servers_${process.pid}`;
const CLIENTS = `chat_clients_${process.pid}`;
const CABLE = "cable";

const watched = Number(process.argv[2] ?? 90);
if (!(watched > STATED + MARGIN)) {
  console.error(`Watch for more than ${STATED + MARGIN} seconds.`);
  process.exit(2);
}

/** How long nginx keeps a connection on which the server sends nothing, in seconds. */
const usesDefault = watched >= 75;
const idleTimeout = usesDefault ? 60 : 25;

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

/** Starts a program, and waits until it prints what `pattern` matches. Also returns it. */
function start(pattern, [command, ...args], env = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let printed = "";
    const fail = (why) => reject(new Error(`${command} ${args.join(" ")}: ${why}`));
    const timer = setTimeout(() => fail(`after 10 s it has printed only: ${printed}`), 10_000);
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      printed += chunk;
      const found = pattern.exec(printed);
      if (found) {
        clearTimeout(timer);
        resolve([found[1], child]);
      }
    });
    child.once("exit", () => fail(`it ended, and had printed: ${printed}`));
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
  const [server] = await start(/http:\/\/([\d.:]+)/, [...network.atServers, program], {
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
  const node = [...network.atClients, process.execPath, ...flags];
  const [, client] = await start(/open/, [...node, CLIENT, url]);
  return {
    name,
    client,
    openedAt: performance.now(),
    hasBen: () => curl("/rooms") === '[{"room":"rust","members":1}]',
  };
}

/**
 * How many seconds after his last message Ben is removed from the list, or `undefined` if he
 * stays. He sends nothing after the opening handshake, so that is his last message.
 */
async function watch({ hasBen, openedAt }, cutAt) {
  while (performance.now() - cutAt < 1000 * watched) {
    if (!hasBen()) return (performance.now() - openedAt) / 1000;
    await sleep(100);
  }
  return undefined;
}

/** Where nginx is, and its version; or `undefined`, if there is none and we get none. */
function findNginx(folder) {
  const unpacked = `${folder}/package`;
  const unpack = () => {
    execFileSync("apt-get", ["download", "-qq", "nginx"], { cwd: folder, stdio: "ignore" });
    const [file] = readdirSync(folder).filter((name) => name.endsWith(".deb"));
    run("dpkg-deb", "--extract", `${folder}/${file}`, unpacked);
  };
  const update = () => execFileSync("apt-get", ["update", "-qq"], { stdio: "ignore" });

  for (const attempt of [() => {}, unpack, update, unpack]) {
    try {
      attempt();
    } catch {
      continue; // The next one may do.
    }
    for (const program of ["nginx", "/usr/sbin/nginx", `${unpacked}/usr/sbin/nginx`]) {
      const { error, stderr } = spawnSync(program, ["-v"], { encoding: "utf8" });
      if (!error) return [program, stderr.trim().split("/").at(-1)];
    }
  }
  return undefined;
}

/** An nginx in front of each server, with the settings of the book's troubleshooting page. */
function layNginx(program, folder) {
  async function reach(server) {
    const port = await freePort();
    const home = mkdtempSync(`${folder}/nginx-`);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${home}/${name};`,
    );
    const config = `
      daemon off;
      master_process off;
      pid ${home}/pid;
      error_log ${home}/error.log;
      events {}
      http {
        access_log off;
        ${temporary.join(" ")}
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://${server};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $http_host;
            ${usesDefault ? "" : `proxy_read_timeout ${idleTimeout}s;`}
          }
        }
      }`;
    writeFileSync(`${home}/nginx.conf`, config);
    const options = ["-p", home, "-c", `${home}/nginx.conf`, "-e", `${home}/error.log`];
    children.push(spawn(program, options, { stdio: "inherit" }));
    await accepts(port);
    return `127.0.0.1:${port}`;
  }
  return { host: "127.0.0.1", atServers: [], atClients: [], reach };
}

/** Waits until somebody accepts connections there. */
async function accepts(port) {
  for (let i = 0; i < 100; i += 1) {
    const socket = connect(port, "127.0.0.1");
    const accepted = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (accepted) return;
    await sleep(100);
  }
  throw new Error(`nginx does not listen on port ${port}.`);
}

/** With which code a client was closed, and after how many seconds; or `undefined`. */
async function watchClient({ client, openedAt }) {
  let printed = "";
  client.stdout.on("data", (chunk) => (printed += chunk));
  while (performance.now() - openedAt < 1000 * watched) {
    const [, code] = /closed (\d+)/.exec(printed) ?? [];
    if (code) return { code, seconds: (performance.now() - openedAt) / 1000 };
    await sleep(100);
  }
  return undefined;
}

/** Whether nginx cut the idle client of lesson 08 when it should, and kept that of 09. */
async function measureNginx(folder, found) {
  if (!found) {
    console.log("SKIPPED: nginx is missing, and apt-get cannot get it.");
    return true;
  }
  const [program, version] = found;
  const nginx = layNginx(program, folder);
  const [without, withHeartbeat] = [
    await open(nginx, "lesson_08_auth"),
    await open(nginx, "lesson_09_heartbeat"),
  ];
  const [cut, kept] = await Promise.all([without, withHeartbeat].map(watchClient));

  const whose = usesDefault ? "its default" : "as we told it";
  console.log(`nginx ${version} waits for ${idleTimeout} s (${whose}) when the server sends nothing.`);
  for (const [{ name }, end] of [
    [without, cut],
    [withHeartbeat, kept],
  ]) {
    const what = end
      ? `closed with ${end.code} after ${end.seconds.toFixed(1)} s`
      : `still open after ${watched} s`;
    console.log(`${name} behind nginx, idle: ${what}.`);
  }
  const inTime = Math.abs(cut?.seconds - idleTimeout) < MARGIN;
  return cut?.code === "1006" && inTime && kept === undefined;
}

/**
 * How long Chromium waits for the answer to a Close, in seconds: only then does the page get
 * its event `close`. `undefined` if there is no browser here.
 */
async function measureChromium() {
  let chromium;
  try {
    const playwright = await import("../browser/node_modules/playwright-core/index.mjs");
    const executablePath = run(`${ROOT}/.ci/browser/chromium`).trim();
    chromium = await playwright.chromium.launch({ executablePath, args: ["--no-sandbox"] });
  } catch (error) {
    console.log(`SKIPPED: no browser can be started (${error.message.split("\n")[0]}).`);
    return undefined;
  }
  const program = `${TARGET}/debug/lesson_09_heartbeat`;
  const [server] = await start(/http:\/\/([\d.:]+)/, [program], { ADDR: "127.0.0.1:0" });
  const proxy = await startProxy(Number(server.split(":")[1]));
  cleanUps.push(() => proxy.stop());
  const page = await chromium.newPage();
  await page.goto(`${proxy.url}/lesson_09.html`);
  await page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ username: "cem", password: "cem-likes-figs" });
    await fetch("/login", { method: "POST", headers, body });
    globalThis.socket = new WebSocket("/ws/chat/rust");
    await new Promise((resolve) => globalThis.socket.addEventListener("open", resolve));
  });
  proxy.swallow();
  const seconds = await page.evaluate(async () => {
    const start = performance.now();
    globalThis.socket.close();
    await new Promise((resolve) => globalThis.socket.addEventListener("close", resolve));
    return (performance.now() - start) / 1000;
  });
  await chromium.close();
  const after = `its event close came ${seconds.toFixed(1)} s after close()`;
  console.log(`Chromium, whose connection was lost: ${after}.`);
  return seconds;
}

/** A server stands still for so long, in milliseconds: longer than a pong may take. */
const STANDSTILL = 12_000;

/**
 * Whether a client stays whose pong is on its way while the whole server stands still. When
 * the server goes on, the deadline is over, and the pong is not read yet.
 */
async function measureStandstill(name) {
  const program = `${TARGET}/debug/${name}`;
  const [server, child] = await start(/http:\/\/([\d.:]+)/, [program], { ADDR: "127.0.0.1:0" });
  const login = await fetch(`http://${server}/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "ana", password: "ana-likes-tea" }),
  });
  const { token } = await login.json();
  const socket = connect(Number(server.split(":")[1]), "127.0.0.1");
  const received = [];
  let wake = () => {};
  socket.on("data", (chunk) => {
    received.push(chunk);
    wake();
  });
  socket.on("error", () => {}); // What matters is what has come before.
  const until = async (opcode) => {
    while (!Buffer.concat(received).includes(opcode)) await new Promise((done) => (wake = done));
  };
  socket.write(
    `GET /ws/chat/rust?token=${token} HTTP/1.1\r\nHost: ${server}\r\n` +
      "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );

  await until(Buffer.from([0x89, 0])); // A ping without a payload.
  child.kill("SIGSTOP");
  received.length = 0;
  socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0])); // A pong, with a mask of zeros.
  await sleep(STANDSTILL);
  child.kill("SIGCONT");
  await sleep(2_000);

  const isClosed = Buffer.concat(received).includes(0x88);
  const what = isClosed ? "was closed" : "is still connected";
  const seconds = STANDSTILL / 1000;
  console.log(`${name} stood still for ${seconds} s: a client that had answered ${what}.`);
  socket.destroy();
  return !isClosed;
}

const network = lay();
const folder = mkdtempSync(`${tmpdir()}/silent-peer-`);
cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
const nginx = findNginx(folder); // Now: it may take a while, and later nobody waits for it.
console.log(`The network: ${network.what}.`);

const without = await open(network, "lesson_08_auth");
const withHeartbeat = [
  await open(network, "lesson_09_heartbeat"),
  await open(network, "lesson_24_capstone"),
];
for (const { name, hasBen } of [without, ...withHeartbeat]) {
  for (let i = 0; i < 100 && !hasBen(); i += 1) await sleep(100); // His handshake came before.
  if (!hasBen()) throw new Error(`${name}: Ben should be in the room by now`);
}
network.cut();
const cutAt = performance.now();
const chromiumWaits = usesDefault ? measureChromium() : undefined;
const nginxIsAsStated = measureNginx(folder, nginx);
const standstill = Promise.all(
  ["lesson_09_heartbeat", "lesson_24_capstone"].map(measureStandstill),
);
const [kept, ...removed] = await Promise.all(
  [without, ...withHeartbeat].map((server) => watch(server, cutAt)),
);

const describe = (seconds) =>
  seconds === undefined
    ? `Ben is still a member after ${watched} s`
    : `Ben was removed ${seconds.toFixed(1)} s after his last message`;
console.log(`${without.name}: ${describe(kept)}.`);
withHeartbeat.forEach(({ name }, i) => {
  console.log(`${name}: ${describe(removed[i])} (stated: ${STATED} s).`);
});

const asStated = removed.every((seconds) => Math.abs(seconds - STATED) < MARGIN);
const [isAsStated, keepAll] = await Promise.all([nginxIsAsStated, standstill, chromiumWaits]);
const isFine = kept === undefined && asStated && isAsStated && keepAll.every(Boolean);
process.exit(isFine ? 0 : 1);
