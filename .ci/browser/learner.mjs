// A learner of the class, as the board sees one: a client of WebSockets without a browser,
// because a request from a page says its origin, and no page can be a learner.

import { once } from "node:events";
import { request } from "node:http";
import { randomBytes } from "node:crypto";

/** Joins a board under a name. What the board answers is not read. */
export async function join(board, name) {
  const asking = request(`${board.url}/ws/learner`, {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    },
  });
  asking.end();
  const [, socket] = await once(asking, "upgrade");
  socket.on("error", () => {}); // The board is stopped before its learners.
  socket.resume();

  const send = (message) => socket.write(frame(JSON.stringify(message)));
  send({ type: "hello", name, session: randomBytes(16).toString("hex") });
  return {
    /** Reports how many steps of each exercise pass, and at which step one is. */
    report(exercises, exercise, step, seconds) {
      send({
        type: "progress",
        exercises: Object.entries(exercises).map(([name, [passed, failed]]) => ({
          name,
          passed: steps(passed, 1),
          failed: steps(failed, passed + 1),
        })),
        current: exercise ? { exercise, step, seconds } : null,
      });
    },
    /** Is gone without a word. */
    vanish: () => socket.destroy(),
  };
}

const steps = (count, first) =>
  Array.from({ length: count }, (_, i) => `step_${first + i}_it_works`);

/** One text frame of a client (RFC 6455, section 5.2). The mask is 0, so nothing changes. */
function frame(text) {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
