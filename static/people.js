// The three people whom the pages and the lab sign in, with their passwords. They are for
// trying things out: a release build serves an empty list in place of this file.

export const PEOPLE = {
  ana: "ana-likes-tea",
  ben: "ben-likes-jam",
  cem: "cem-likes-figs",
};
