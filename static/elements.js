// Elements that a script adds to a page.

/** Makes an element. A text among its `children` stays text, whatever is in it. */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
