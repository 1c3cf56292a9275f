// A connection that can be cut without either side being told.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Passes everything on to `port` of this machine, until `swallow` is called. From then on
 * it reads what comes over the connections that there are, and passes nothing on: no byte,
 * no FIN, no RST. To both sides that is like a pulled cable. New connections work.
 */
export async function startProxy(port) {
  const sockets = new Set();
  const swallowed = new Set();

  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  function pass(from, to) {
    sockets.add(from);
    from.setNoDelay(true);
    const passes = () => !swallowed.has(from);
    from.on("data", (bytes) => passes() && to.write(bytes));
    from.on("end", () => passes() && to.end());
    from.on("error", () => passes() && to.destroy());
  }

  return {
    port: server.address().port,
    url: `http://127.0.0.1:${server.address().port}`,
    /** Ends the connections that there are. To both sides, the other one is gone. */
    drop() {
      sockets.forEach((socket) => socket.destroy());
    },
    swallow() {
      sockets.forEach((socket) => swallowed.add(socket));
    },
    stop() {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}
