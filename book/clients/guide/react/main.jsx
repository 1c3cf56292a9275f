import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Users } from "./Users.jsx";

createRoot(document.querySelector("#app")).render(
  <StrictMode>
    <Users />
  </StrictMode>,
);
