import { useEffect, useState } from "react";

function useUsers() {
  const [users, setUsers] = useState([]);

  useEffect(() => {
    fetch("/api/v1/users/")
      .then((response) => response.json())
      .then(setUsers);

    const socket = new WebSocket(`ws://${location.host}/api/v1/ws/users`);
    socket.onmessage = (event) => {
      const { type, data } = JSON.parse(event.data);
      if (type === "created") setUsers((users) => [...users, data]);
      if (type === "updated")
        setUsers((users) => users.map((user) => (user.id === data.id ? data : user)));
      if (type === "deleted")
        setUsers((users) => users.filter((user) => user.id !== data.id));
    };
    return () => socket.close();
  }, []);

  return users;
}

export function Users() {
  const users = useUsers();

  return (
    <>
      <h1>React, as in the guides</h1>
      <ul id="users">
        {users.map(({ id, name, email }) => (
          <li key={id}>
            {name}, {email}
          </li>
        ))}
      </ul>
    </>
  );
}
