// What a page remembers on this computer, in the browser.

/** Uses the storage, or gives null if the browser does not let us. */
export function withStorage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}
