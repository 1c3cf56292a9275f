import { useEffect, useState } from "react";

import { follow } from "./live.js";

/** The table behind a channel, for as long as the component is there. */
function useLive(channel) {
  const [table, setTable] = useState({ state: "connecting", rows: [] });

  // What an effect returns cleans up after it. In development, React's strict mode tries
  // that at once: it starts every effect twice, and ends the first.
  useEffect(() => follow(channel, setTable), [channel]);

  return table;
}

export function Users() {
  const { state, rows } = useLive("users");

  return (
    <>
      <h1>React</h1>
      <p>
        The table is <output id="state">{state}</output>.
      </p>
      <ul id="users">
        {rows.map(({ id, name, email }) => (
          <li key={id}>
            {name}, {email}
          </li>
        ))}
      </ul>
    </>
  );
}
