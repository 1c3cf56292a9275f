// What mdBook puts around the text, mended where its templates leave no other way. Without
// this script there are five names for two looks, and arrows without a name.

// mdBook offers five themes, and book.css has two looks: Light, and Dark, which mdBook
// calls Navy. The others leave the menu. Who has chosen one of them, in another book at the
// same address, gets the look that it stands for.
const button = (theme) => document.getElementById(`mdbook-theme-${theme}`);
const LOOKS = { rust: "light", coal: "navy", ayu: "navy" };

button("navy").textContent = "Dark";
for (const [theme, look] of Object.entries(LOOKS)) {
  if (document.documentElement.classList.contains(theme)) button(look).click();
  button(theme).parentElement.remove();
}

// The arrows at the end say where they lead: the list of chapters has the names.
const chapters = [...document.querySelectorAll("#mdbook-sidebar .chapter-item a")];
for (const arrow of document.querySelectorAll(".mobile-nav-chapters")) {
  const chapter = chapters.find(({ href }) => href === arrow.href);
  if (!chapter) continue;
  const name = document.createElement("span");
  name.textContent = chapter.textContent.trim();
  arrow.append(name);
  arrow.removeAttribute("title"); // The label stays: it begins with “Next chapter”.
  arrow.ariaLabel = `${arrow.ariaLabel}: ${name.textContent}`;
}

// The bar above the text is a landmark of its own, which screen readers can skip.
document.getElementById("mdbook-menu-bar").role = "banner";

// The button that shows the list of chapters is a label, which the keyboard cannot reach.
const toggle = document.getElementById("mdbook-sidebar-toggle");
toggle.role = "button";
toggle.tabIndex = 0;
toggle.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault(); // The space bar would scroll.
  toggle.click();
});

// What is wider than the page scrolls inside, and the keyboard can get there, too. Not every
// browser sees to that by itself.
const widths = new ResizeObserver((parts) => {
  // Measure all, and then change all: the page for printing has thousands.
  const scrolls = parts.map(({ target }) => target.scrollWidth > target.clientWidth);
  parts.forEach(({ target }, i) => {
    if (scrolls[i]) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  });
});
for (const part of document.querySelectorAll("main pre > code, main .table-wrapper"))
  widths.observe(part);
