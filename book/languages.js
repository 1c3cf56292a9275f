// The same page in the other languages. .ci/book/translations builds these, each in a folder of
// its own, and adds this script; without it, there is one language and nothing to choose.
{
  const LANGUAGES = { en: "English", es: "Español", pt: "Português" };

  const current = document.documentElement.lang;
  const root = new URL(path_to_root || "./", location.href);
  // The English pages are at the top, and the other languages in folders beside them.
  const top = current === "en" ? root : new URL("../", root);
  const page = location.href.slice(root.href.length);

  const list = document.createElement("nav");
  list.className = "languages";
  list.setAttribute("aria-label", "Language");
  for (const [language, name] of Object.entries(LANGUAGES)) {
    const link = document.createElement("a");
    link.href = new URL(language === "en" ? page : `${language}/${page}`, top);
    link.lang = link.hreflang = language;
    link.textContent = name;
    if (language === current) link.setAttribute("aria-current", "page");
    list.append(link);
  }
  document.querySelector(".menu-bar .right-buttons").prepend(list);
}
