// The page of lesson 20, with one node and without a broker. .ci/cluster has it move from a
// node that is killed to another one.

import { describe } from "node:test";

import { useBrowser } from "./browser.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";
import { enter, login } from "./users.mjs";

describe("lesson 20, scale-out", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_20_scale_out");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet", reconnects: true });
});
