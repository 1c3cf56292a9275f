// The users who may sign in, from lesson 08 on, and how they do it.

import { fill, press, sees } from "./browser.mjs";

export const PASSWORDS = {
  ana: "ana-likes-tea",
  ben: "ben-likes-jam",
  cem: "cem-likes-figs",
};

/** Signs in with the form of the page, as a person does. */
export async function signIn(page, name) {
  await fill(page, "Name", name);
  await fill(page, "Password", PASSWORDS[name]);
  await press(page, "Sign in");
}

/** Signs in, and waits until the page is connected. */
export async function enter(page, name) {
  await signIn(page, name);
  await sees(page, "#state", `Connected as ${name}.`, `${name} signs in`);
}

/** Gives the page the cookie of Ana, or of somebody else, and nothing more. */
export async function login(page, username = "ana") {
  await page.evaluate(
    async (user) => {
      await fetch("/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(user),
      });
    },
    { username, password: PASSWORDS[username] },
  );
}
