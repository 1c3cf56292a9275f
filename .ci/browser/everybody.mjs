// What makes a page one for everybody: for screen readers, for fingers and for keyboards, in
// the colours of the system, and without motion.

import { readFileSync } from "node:fs";

const AXE = new URL("node_modules/axe-core/axe.min.js", import.meta.url);

/** The rules of axe-core: those of WCAG, its best practices, and one more of WCAG 2.2. */
const OPTIONS = {
  resultTypes: ["violations"],
  rules: { "target-size": { enabled: true } },
};

/**
 * What is wrong with a page as it is now: what axe-core finds, but for the rules `without`,
 * what can be seen in a colour of ours alone, and what moves although somebody asks for
 * less motion.
 */
export async function findings(page, { without = [] } = {}) {
  await page.evaluate(readFileSync(AXE, "utf8"));
  const rules = Object.fromEntries(without.map((rule) => [rule, { enabled: false }]));
  const { violations } = await page.evaluate((options) => globalThis.axe.run(options), {
    ...OPTIONS,
    rules: { ...OPTIONS.rules, ...rules },
  });
  return [
    ...violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`),
    ...(await withOtherSettings(page)),
  ];
}

/** What is wrong when the system chooses the colours, and shall not move. */
async function withOtherSettings(page) {
  await page.evaluate(`globalThis.everybody = (${inThePage})()`);
  const settings = await page.evaluate(() => ({
    forcedColors: matchMedia("(forced-colors: active)").matches ? "active" : "none",
    reducedMotion: matchMedia("(prefers-reduced-motion)").matches ? "reduce" : "no-preference",
  }));

  await page.emulateMedia({ forcedColors: "none" });
  await page.evaluate(() => globalThis.everybody.remember());
  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
  await page.keyboard.press("Shift"); // After a key, browsers show which element has the focus.
  const found = await page.evaluate(() => globalThis.everybody.look());

  await page.emulateMedia(settings);
  return found;
}

/** The half that runs in the page. */
function inThePage() {
  const DRAWN_BY_THE_BROWSER = "[type=checkbox], [type=radio], progress";
  const CONTROLS = `:is(button, input, select, textarea):not(${DRAWN_BY_THE_BROWSER})`;
  const FOCUSABLE = `:is(a[href], button, input, select, textarea, summary, [tabindex="0"]):not(:disabled)`;
  const STATES = ["aria-pressed", "aria-selected", "aria-current"];

  const within = (root) =>
    [...root.querySelectorAll("*")].flatMap((element) =>
      element.shadowRoot ? [element, ...within(element.shadowRoot)] : [element],
    );
  /** All elements that one can see, those in shadows, too. */
  const visible = () =>
    within(document.body).filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true });
    });
  const parent = (element) => element.parentElement ?? element.getRootNode().host;
  const style = (element) => getComputedStyle(element);
  const shows = (colour) => !/^rgba\(.* 0\)$|^transparent$/.test(colour);

  /** The colour that is behind what an element contains. */
  const paper = (element) => {
    for (let at = element; at; at = parent(at)) {
      const { backgroundColor } = style(at);
      if (shows(backgroundColor)) return backgroundColor;
    }
    return style(document.documentElement).backgroundColor;
  };
  const isFilled = (element) => {
    const { backgroundColor } = style(element);
    return shows(backgroundColor) && backgroundColor !== paper(parent(element));
  };

  const isDrawn = (kind, width, colour, behind) =>
    kind !== "none" && parseFloat(width) > 0 && shows(colour) && colour !== behind;
  const hasOutline = (element) => {
    const { outlineStyle, outlineWidth, outlineColor } = style(element);
    return isDrawn(outlineStyle, outlineWidth, outlineColor, paper(element));
  };
  const hasEdge = (element) => {
    const look = style(element);
    const hasBorder = ["Top", "Right", "Bottom", "Left"].some((side) =>
      isDrawn(
        look[`border${side}Style`],
        look[`border${side}Width`],
        look[`border${side}Color`],
        paper(parent(element)),
      ),
    );
    return hasBorder || hasOutline(element) || isFilled(element);
  };

  const TYPE = ["fontFamily", "fontWeight", "fontStyle", "textDecorationLine"];
  const LOOK = [...TYPE, "color", "backgroundColor", "border", "outline"];
  const look = (element, of) => of.map((name) => style(element)[name]).join();
  /** Whether its font tells it from what is around it, or the sign that it begins with. */
  const hasOwnType = (element) =>
    look(element, TYPE) !== look(parent(element), TYPE) ||
    /^".+"$/.test(getComputedStyle(element, "::before").content) ||
    /^[-+]/.test(element.textContent);

  /** Whether one can see it if the keyboard is on an element. */
  const hasFocusRing = (element) => {
    element.focus({ preventScroll: true, focusVisible: true });
    if (element.getRootNode().activeElement !== element) return true; // It is inert.
    const active = element.getAttribute("aria-activedescendant");
    return hasOutline(active ? element.getRootNode().getElementById(active) : element);
  };

  /** Whether one can see that an element is chosen, pressed, or where one is. */
  const showsState = (element, state) => {
    const before = look(element, LOOK);
    const value = element.getAttribute(state);
    element.removeAttribute(state);
    const after = look(element, LOOK);
    element.setAttribute(state, value);
    return before !== after;
  };

  const moves = (element) => {
    const { transitionDuration, animationName, scrollBehavior } = style(element);
    const takesTime = transitionDuration.split(",").some((time) => parseFloat(time) > 0);
    return takesTime || animationName !== "none" || scrollBehavior === "smooth";
  };

  let filled;
  return {
    remember() {
      filled = visible().filter((e) => !e.matches(DRAWN_BY_THE_BROWSER) && isFilled(e));
    },
    look() {
      const elements = visible();
      const found = (why, those) => those.map(({ outerHTML }) => `${why}: ${outerHTML.slice(0, 100)}`);
      const having = (state) =>
        elements.filter((e) => e.hasAttribute(state) && e.getAttribute(state) !== "false");

      const focused = document.activeElement;
      const focusable = elements.filter((e) => e.matches(FOCUSABLE));
      const problems = [
        ...found(
          "in forced colours this has no edge, only a background",
          filled.filter((e) => e.checkVisibility() && !hasEdge(e) && !hasOwnType(e)),
        ),
        ...found(
          "in forced colours this control has no edge",
          elements.filter((e) => e.matches(CONTROLS) && !hasEdge(e) && !hasOwnType(e)),
        ),
        ...STATES.flatMap((state) =>
          found(
            `in forced colours one cannot see its ${state}`,
            having(state).filter((e) => !showsState(e, state)),
          ),
        ),
        ...found("in forced colours one cannot see its focus", focusable.filter((e) => !hasFocusRing(e))),
        ...found(
          "this moves, though less motion is asked for",
          [document.documentElement, document.body, ...elements].filter(moves),
        ),
        ...document.getAnimations().map((a) => `this goes on moving: ${a.animationName ?? a.transitionProperty}`),
      ];
      focused?.focus({ preventScroll: true });
      return problems;
    },
  };
}
