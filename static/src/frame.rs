//! The frame around every page: a skip link, a line of links, and the script for the rest.
//!
//! The server puts it there. So it works without a script, and no page has to repeat it.

use std::fmt::Write;

use crate::{Program, course, head, qr_code, xray_is_on};

/// The page `name`, whose text is `text`, as this program serves it.
///
/// The links are those of the program that runs. What there is to try is the page's own.
pub fn framed(running: Program, name: &str, text: &str) -> String {
    let Some((head, rest)) = text.split_once("<body") else { return text.into() };
    let Some((attributes, body)) = rest.split_once('>') else { return text.into() };
    // Scripts of the type "module" run in the order of the page. Ours has to be the first:
    // it looks at the sockets that the page opens.
    let at = head.find("<script").or(head.find("</head>")).unwrap_or(head.len());
    let (before, scripts) = head.split_at(at);
    let body = body.replacen("<main>", r#"<main id="main">"#, 1);

    format!(
        "{before}<script type=\"module\" src=\"/bar.js\"></script>\n    {scripts}\
         <body{attributes}>\n{}{body}",
        bar(running, name)
    )
}

/// The skip link, and the bar with the links.
fn bar(running: Program, name: &str) -> String {
    let page = running.page;
    let mut links = String::from("<a href=\"/\">WebSockets in Rust</a>");
    push(&mut links, &format!("<span>{}</span>", course::place(running)));
    push(&mut links, &link(page, "Page", name));
    if cfg!(debug_assertions) {
        push(&mut links, &link("lab.html", "Lab", name));
        if course::chapter(page).is_some() {
            push(&mut links, &link("chapter", "Chapter", name));
        }
    }
    if let Some(tries) = tries(name) {
        push(&mut links, &tries);
    }
    // The script must know it before the page opens a socket, so it cannot ask.
    let xray = if xray_is_on() { " data-xray" } else { "" };
    format!(
        "    <a class=\"skip\" href=\"#main\">Skip to the page</a>\n    \
         <nav id=\"bar\" aria-label=\"Site\"{xray}>\n      {links}\n    </nav>"
    )
}

fn push(links: &mut String, link: &str) {
    let _ = write!(links, "\n      {link}"); // Writing to a String cannot fail.
}

/// A link to a file. The path is absolute, because a page that says "not found" may stand
/// at any path.
fn link(to: &str, text: &str, name: &str) -> String {
    let current = if to == name { " aria-current=\"page\"" } else { "" };
    let path = if to == "index.html" { "" } else { to }; // It is served at `/`.
    format!("<a href=\"/{path}\"{current}>{text}</a>")
}

/// What a page says that one should try.
fn tries(name: &str) -> Option<String> {
    let items: String =
        head::meta(name, "try").map(|one| format!("<li>{}</li>", escaped(one))).collect();
    (!items.is_empty())
        .then(|| format!("<details><summary>Try it</summary><ol>{items}</ol></details>"))
}

/// How others of the room come to the page of this program: the addresses, and a QR code
/// for phones. Nothing, if nobody can.
pub fn invitation(running: Program, urls: &[String]) -> String {
    let Some((likely, others)) = urls.split_first() else { return String::new() };
    let link = |url: &String| format!("<a href=\"{url}\">{url}</a>");
    let others: String = others.iter().map(|url| format!(" or {}", link(url))).collect();
    // A picture within a page has no line that says that it is XML.
    let code = qr_code(&format!("{likely}/{}", running.page)).unwrap_or_default();
    let picture = code.find("<svg").map(|at| &code[at..]).unwrap_or_default();
    let name =
        format!("<svg role=\"img\" aria-label=\"QR code: {likely}/{}\"", running.page);

    format!(
        "<section id=\"invitation\">\n        <h2>For everybody in this network</h2>\n        \
         <p>This server listens beyond this computer. Others open {}{others}, or point a \
         phone here:</p>\n        {}\n        <p>If nobody gets an answer, the firewall of \
         this computer has to let the port in, or the network keeps its users apart.</p>\n      \
         </section>",
        link(likely),
        picture.replacen("<svg", &name, 1),
    )
}

/// A text as it stands in a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
