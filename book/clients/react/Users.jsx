import { useState, useSyncExternalStore } from "react";

import { shared } from "../shared.js";
import { signIn } from "../sign-in.js";

const users = shared("users");

/** The table, for as long as the component is there. */
function useTable({ subscribe, read }) {
  return useSyncExternalStore(subscribe, read);
}

function List() {
  const { rows } = useTable(users);

  return (
    <ul id="users">
      {rows.map(({ id, name, email }) => (
        <li key={id}>
          {name}, {email}
        </li>
      ))}
    </ul>
  );
}

function Status() {
  const { state, rows } = useTable(users);

  return (
    <p>
      The table is <output id="state">{state}</output>, with{" "}
      <output id="count">{rows.length}</output> rows.
    </p>
  );
}

function SignIn() {
  const [problem, setProblem] = useState("You are not signed in.");

  async function submit(data) {
    try {
      await signIn(data.get("username"), data.get("password"));
      users.restart();
    } catch (error) {
      setProblem(error.message);
    }
  }

  return (
    <form action={submit}>
      <p>{problem}</p>
      <label>
        Name <input name="username" required />
      </label>{" "}
      <label>
        Password <input name="password" type="password" required />
      </label>{" "}
      <button>Sign in</button>
    </form>
  );
}

export function Users() {
  const { state } = useTable(users);
  const [isShown, setShown] = useState(true);

  return (
    <>
      <h1>React</h1>
      <Status />
      {state === "signed out" && <SignIn />}
      <button onClick={() => setShown(!isShown)}>{isShown ? "Hide" : "Show"} the list</button>
      {isShown && <List />}
    </>
  );
}
