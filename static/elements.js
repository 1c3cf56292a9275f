// Elements that a script adds to a page.

/** Makes an element. A text among its `children` stays text, whatever is in it. */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Gives an element the keyboard, unless somebody uses another part of the page, such as the
 * drawer. `part` is the part that the element belongs to.
 *
 * Nobody uses a button that has just been hidden or disabled.
 */
export function takeFocus(element, part = element) {
  const { activeElement: active } = document;
  const isFree =
    active.contains(element) || active.matches(":disabled") || !active.checkVisibility();
  if (isFree || part.contains(active)) element.focus();
}
