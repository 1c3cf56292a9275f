// What a page remembers on this computer, in the browser.

/**
 * Uses the storage of all windows, or with "sessionStorage" that of this one. Gives null if
 * the browser does not let us.
 */
export function withStorage(use, name = "localStorage") {
  try {
    return use(globalThis[name]);
  } catch {
    return null;
  }
}
