//! What reads otherwise in a service of your own than in the course.

/// Stands for the name of the service.
pub const NAME: &str = "{{name}}";

/// The header of `main.rs`: that of the capstone speaks of the lessons before it.
const HEADER: &str = "\
//! {{name}}: a chat, live data and tasks over WebSockets.
//!
//! `app.rs` has the state and the routes, `config.rs` the configuration. Each folder is a
//! feature, and imports nothing from `app.rs` or from here.
//!
//! Run:   cargo run
//! Open:  http://127.0.0.1:8000
//! Check: cargo test
";

/// What it says here, and what it says there. The longer ones come first.
pub type Row = (&'static str, &'static str);

/// In all files.
pub const EVERYWHERE: &[Row] = &[
    ("/../../book/transcripts", "/../transcripts"),
    ("book/transcripts", "transcripts"),
    ("lessons/probe", "probe"),
    ("Lesson 24: the capstone", NAME),
    ("Lesson 24, the browser's half:", "The browser's half:"),
    ("lesson_24_capstone", NAME),
    ("lesson_24.", "index."),
    (" of the course does", " does"),
];

/// In the service itself.
pub const SERVICE: &[Row] = &[
    (
        "The capstone: a chat, live data and tasks in one server, to copy and to deploy.",
        "A chat, live data and tasks over WebSockets.",
    ),
    (" // As in all lessons.", ""),
    ("_as_in_all_lessons", ""),
    ("The conversations of the book, in", "The conversations in"),
    // What the book needs is what a server of pages for their development needs.
    (
        "The book, as `mdbook serve` shows it.",
        "A server for development on this machine.",
    ),
    ("BOOK", "LOCAL"),
    ("our_own_page_and_those_of_the_book", "our_own_page_and_local_ones"),
];

/// In the crate that serves the pages, and in the pages.
pub const PAGES: &[Row] = &[
    (" of every lesson: the pages", ": the pages"),
    (" of the course, embedded into every program", ", embedded into the program"),
    ("every program of the course", "the program"),
    ("wherever the course has been moved to", "wherever both have been moved to"),
    (" The first lessons have no library for that.", ""),
    // What the bar says of the course.
    ("mod course;\n", ""),
    (", course, head", ", head"),
    ("            .merge(course::router(running))\n", ""),
    ("course::place(running)", "running.package"),
    (
        "        if course::chapter(page).is_some() {\n            push(&mut links, \
         &link(\"chapter\", \"Chapter\", name));\n        }\n",
        "",
    ),
    (
        " <a href=\"/chapter\">The chapter</a> explains the program: you\n        get the \
         page of the book while <code>mdbook serve book</code> runs, and else the text\n        \
         that it is made from.\n",
        "\n",
    ),
    ("//! <meta name=\"chapter\" content=\"lessons/07-rooms\" />\n", ""),
    (
        " `chapter` is the file of the book that\n//! explains the program, without its \
         ending, and each `try` something to do with the page.",
        "\n//! Each `try` is something to do with the page.",
    ),
    ("    <meta name=\"chapter\" content=\"lessons/24-capstone\" />\n", ""),
    ("WebSockets in Rust", NAME),
    ("cargo run -p lesson_01_echo", "cargo run"),
    ("Lesson 07: rooms", "My chat"),
    ("lesson_07_rooms", NAME),
    ("The book's pages may ask, too,", "Pages of this machine may ask, too,"),
    (
        "The book, as `mdbook serve` shows it.",
        "A server for development on this machine.",
    ),
    ("BOOK_ORIGINS", "LOCAL_ORIGINS"),
    ("with_book", "with_local"),
    ("let book =", "let local ="),
    ("chain(book", "chain(local"),
    ("transcripts of the book", "transcripts"),
    ("for the pages of the book:", "for pages of other origins:"),
    ("and those of the book.", "and the local ones."),
    ("These are the ones of this course.", "These are our own."),
    ("// The book specifies the language. `probe` runs it", "// `probe` runs them"),
    ("A server that is not of the course", "A server without the lab"),
    ("as lesson 08 gives it", "as the server gives it"),
    ("a page of the book, which has another origin,", "a page of another origin"),
    ("// It may be on a page of the book. Without", "// Without"),
    ("    if (wanted === \"exercises\" && running === \"solutions\") return {};\n", ""),
    ("Where `mdbook serve` shows the book. Our", "Pages of this machine. Our"),
    ("answer its pages there.", "answer them, too."),
    ("and to pages of the book.", "and to pages of other origins."),
    ("where it is known: mdbook serve book`", "where it is known.`"),
    ("any server of the course reads", "the server reads"),
];

/// In the test client.
pub const PROBE: &[Row] = &[
    // Only its examples need this, and they stay here.
    ("[dev-dependencies]\npages.workspace = true\n\n", ""),
    // And only the exercises need this.
    ("mod steps;\n", ""),
    ("pub use steps::on_virtual_time;\n", ""),
    ("#[cfg(feature = \"memory\")]\npub mod memory;\n", ""),
    ("#[cfg(feature = \"memory\")]\npub use memory::peak_memory;\n", ""),
    (
        "[features]\n# Counts what is allocated. Who wants it gets another allocator, which \
         counts.\nmemory = [\"dep:allocation-counter\"]\n\n",
        "",
    ),
    ("allocation-counter = { workspace = true, optional = true }\n", ""),
    ("A lesson's tests call these", "The tests call these"),
    ("More than any lesson accepts", "More than the server accepts"),
    ("A lesson describes its messages", "A test describes the messages"),
    (", from lesson 08 on.", "."),
    (", from lesson 07 on.", "."),
    (", from lesson 06 on.", "."),
    ("Where the book keeps its transcripts,", "Where the transcripts are,"),
    (
        "The reference part of\n//! the book specifies both, and `static/transcript.js` does",
        "`pages/transcript.js` does",
    ),
    ("the_transcripts_in_the_book_are_true", "the_transcripts_are_true"),
];

/// A text of the course as the service has it. `folder` is where it is there.
pub fn adapted(folder: &str, text: &str, name: &str) -> String {
    let rows = match folder {
        "pages" => PAGES,
        "probe" => PROBE,
        _ => SERVICE,
    };
    let text = with_header(text);
    let text = if folder == "pages" { without_tests(&text) } else { &text };
    // What is said of one folder may contain what is said everywhere.
    rows.iter()
        .chain(EVERYWHERE)
        .fold(text.to_owned(), |text, (here, there)| text.replace(here, there))
        .replace(NAME, name)
}

fn with_header(text: &str) -> String {
    if !text.starts_with("//! Lesson 24") {
        return text.to_owned();
    }
    let rest = text.lines().skip_while(|line| line.starts_with("//!"));
    let rest: String = rest.flat_map(|line| [line, "\n"]).collect();
    format!("{HEADER}{rest}")
}

/// The tests of the pages are about those of all lessons. They are the end of a file.
fn without_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code)
}
