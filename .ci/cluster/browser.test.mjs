// Lesson 20 in a browser: a page whose node is killed goes on with another one, and the client
// of lesson 19, on a third node, is in the same conversation.
//
// NATS_SERVER and HAPROXY say where the broker and the balancer are; .ci/cluster/run sets them.
// SCREENSHOT=page.png keeps a picture of the end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { lines, openWindow, sees, useBrowser } from "../browser/browser.mjs";
import { shows, writeAll } from "../browser/delivery-log.mjs";
import { NO_SERVER } from "../browser/lesson.mjs";
import { freePort, start } from "../browser/server.mjs";
import { enter } from "../browser/users.mjs";

const LESSON = "lesson_20_scale_out";
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { NATS_SERVER, HAPROXY, SCREENSHOT, CARGO_TARGET_DIR = here("../../target") } = process.env;

/** The page asks for these while its node is gone, and logs it. */
const GONE = [NO_SERVER, /status of 50[23]/, /Unexpected response code: 50[23]/];

/** Starts a program that runs until the test is over. What it prints comes with `output`. */
function run(t, program, args, { stdin = "ignore", env = {} } = {}) {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: [stdin, "pipe", "pipe"],
  });
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => printed.push(text));
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return { child, output: () => printed.join("") };
}

/** Waits until something is so. */
async function until(what, isSo) {
  const deadline = Date.now() + 20_000;
  while (!(await isSo().catch(() => false))) {
    assert.ok(Date.now() < deadline, `after 20 s it is still not so: ${what}`);
    await sleep(50);
  }
}

const isReady = (url) => async () => (await fetch(`${url}/ready`)).ok;

describe("lesson 20, several nodes", { timeout: 120_000 }, () => {
  useBrowser();

  test("the node of a page is killed: the page goes on with another, and nothing is lost", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "cluster-"));
    const [nats, balancer, ...ports] = await Promise.all(Array.from({ length: 5 }, freePort));
    const env = { NATS_URL: `127.0.0.1:${nats}`, JWT_SECRET: "a secret that only this test knows" };
    run(t, NATS_SERVER, ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", `${nats}`]);
    run(t, HAPROXY, ["-db", "-f", here(`../../lessons/${LESSON}/haproxy.cfg`)], {
      env: {
        BALANCER: `127.0.0.1:${balancer}`,
        NODE_1: `127.0.0.1:${ports[0]}`,
        NODE_2: `127.0.0.1:${ports[1]}`,
      },
    });
    const url = `http://127.0.0.1:${balancer}`;
    const first = await start(LESSON, ports[0], env);
    t.after(() => first.stop());
    await until("there is a node behind the balancer", isReady(url));

    const page = await openWindow(t, `${url}/lesson_20.html`, { excused: GONE });
    t.after(() => rmSync(folder, { recursive: true }));
    await enter(page, "ana"); // On the first node: there is no other one yet.
    await writeAll(page, ["one"]);
    await shows(page, ["one: acknowledged"], "it is in the stream");

    const second = await start(LESSON, ports[1], env);
    t.after(() => second.stop());
    await until("the second node is ready", isReady(second.url));
    const ben = await openWindow(t, `${second.url}/lesson_20.html`);
    await enter(ben, "ben");
    await shows(ben, ["one"], "Ben, on the second node, gets what was said on the first");
    const third = await start(LESSON, ports[2], env);
    t.after(() => third.stop());
    await until("the third node is ready", isReady(third.url));
    const client = run(
      t,
      join(CARGO_TARGET_DIR, "debug/lesson_19_client"),
      ["cem", "rust", "--url", third.url],
      { stdin: "pipe", env: { CHAT_PASSWORD: "cem-likes-figs" } },
    );
    client.child.stdin.write("from a terminal\n");
    await shows(page, ["one: acknowledged", "from a terminal"], "all three nodes are one chat");
    await sleep(1_500); // Until the balancer has noticed the second node.

    await first.stop();
    const killed = Date.now();
    await writeAll(page, ["two", "three"]);
    const all = ["one: acknowledged", "from a terminal", "two: acknowledged", "three: acknowledged"];
    await shows(page, all, "the page sends what waited, on the second node");
    const seconds = (Date.now() - killed) / 1000;

    const others = ["one", "from a terminal", "two", "three"];
    await shows(ben, others, "Ben has all of it, once and in order");
    await until("the client in the terminal has it, too", async () =>
      ["one", "two", "three"].every((text) => client.output().includes(`ana: ${text}`)),
    );
    assert.deepEqual(await lines(page, "problem"), [], "nothing is missing");
    const noticed = (await lines(ben, "notice")).filter((text) => /ana (joined|left)/.test(text));
    assert.deepEqual(noticed, [], "the others have not noticed it");
    await sees(page, "#state", "Connected as ana.", "and so it goes on");
    t.diagnostic(`connected to another node, with all acknowledged, after ${seconds.toFixed(1)} s`);
    if (SCREENSHOT) await page.screenshot({ path: SCREENSHOT });
  });
});
