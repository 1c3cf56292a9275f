// Starts a lesson for the tests, the way a reader does, and stops it again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";

const TARGET =
  process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const TIMEOUT = 10_000;

/** What configures our programs. A reader sets none of it, so no test inherits it. */
const SETTINGS =
  /^((CHAT|LOG|MAX|NATS|SHUTDOWN|TLS)_.*|TRUSTED_PROXIES|(HEADER|REQUEST)_TIMEOUT|BYTES_PER_SECOND|JWT_SECRET|DATABASE|ALLOWED_ORIGINS|SLOW_CLIENT)$/;

/**
 * Lets a server have the processor before the browsers, if we may. It needs little of it, and
 * a transcript gives it milliseconds after each line.
 */
function prioritize(child) {
  try {
    setPriority(child.pid, -5);
  } catch {
    // Only root may. A program that did not start is reported below.
  }
}

let nextPort = process.pid * 211; // Processes that begin at the same time are far from each other.

/**
 * A port that nobody listens on. It is not among those that the system gives to clients, and to
 * whoever wants any: otherwise one of these could have it before our program listens on it, or
 * while it is away for a moment.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + (nextPort++ % 12_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue; // Somebody has it.
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

/**
 * Starts a program, which `cargo build` has built, and waits until it prints where to look.
 * Port 0 means "any free port", which the next one can have, too, when this one has ended.
 *
 * It has the defaults, but for what `env` says.
 */
export async function start(name, port = 0, env = {}) {
  const program = `${TARGET}/debug/${name}`;
  if (!existsSync(program))
    throw new Error(`${program} is missing: cargo build -p ${name}`);

  const inherited = Object.entries(process.env).filter(([key]) => !SETTINGS.test(key));
  const child = spawn(program, {
    env: {
      ...Object.fromEntries(inherited),
      ADDR: `127.0.0.1:${port || (await freePort())}`,
      METRICS_ADDR: "127.0.0.1:0",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  prioritize(child);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill); // Should a test break off.
  const ended = new Promise((resolve) => child.once("exit", resolve));
  ended.then(() => process.off("exit", kill));
  const output = [];

  const url = await new Promise((resolve, reject) => {
    const fail = (why) =>
      reject(new Error(`${name} ${why}. It printed: ${output.join("")}`));
    const timer = setTimeout(() => {
      kill();
      fail(`did not print where it listens within ${TIMEOUT} ms`);
    }, TIMEOUT);
    const read = (chunk) => {
      output.push(chunk);
      const found = /http:\/\/\S+/.exec(output.join(""));
      if (found) {
        clearTimeout(timer);
        resolve(found[0]);
      }
    };

    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", (chunk) => output.push(chunk));
    child.once("error", (error) => fail(`could not be started: ${error.message}`));
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });

  return {
    url,
    port: Number(new URL(url).port),
    /** What it has printed so far. */
    output: () => output.join(""),
    /** Asks it to end, as Ctrl-C or a service manager does. Gives the exit code. */
    async end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
    /** Kills it: its connections are lost without a Close. */
    async stop() {
      kill();
      await ended;
    },
  };
}
