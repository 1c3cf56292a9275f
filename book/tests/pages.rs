//! Checks every page of the book against the code that it speaks of.

use std::{fmt, fs, io, path::Path};

use book::{Fault, ROOT, check, expand, read};

/// All faults, a sentence each.
struct Report(Vec<Fault>);

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}

fn report(faults: Vec<Fault>) -> Result<(), Report> {
    if faults.is_empty() { Ok(()) } else { Err(Report(faults)) }
}

/// The files with this ending in a folder and all below it, as paths from that folder.
fn files(folder: &str, ending: &str) -> Vec<String> {
    fn visit(root: &Path, folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                visit(root, &path, found)?;
            } else if let Ok(path) = path.strip_prefix(root) {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
        Ok(())
    }
    let root = Path::new(ROOT).join(folder);
    let mut found = Vec::new();
    visit(&root, &root, &mut found).unwrap_or_else(|error| panic!("{folder}: {error}"));
    found.retain(|path| path.ends_with(ending));
    found.sort();
    found
}

/// The pages, each with its text.
fn pages() -> Vec<(String, String)> {
    files("book/src", ".md")
        .into_iter()
        .map(|page| {
            let file = format!("book/src/{page}");
            let text = read(&file).expect("it was listed a moment ago");
            (file, text)
        })
        .collect()
}

fn is_summary(file: &str) -> bool {
    file.ends_with("/SUMMARY.md")
}

#[test]
fn every_directive_finds_what_it_names() -> Result<(), Report> {
    report(pages().iter().flat_map(|(file, text)| expand(file, text).1).collect())
}

#[test]
fn every_link_leads_somewhere_and_no_word_is_rude() -> Result<(), Report> {
    let pages = pages();
    let pages = pages.iter().filter(|(file, _)| !is_summary(file));
    report(pages.flat_map(|(file, text)| check::page(file, text)).collect())
}

#[test]
fn every_lesson_has_its_parts() -> Result<(), Report> {
    let pages = pages();
    let lessons = pages.iter().filter(|(file, _)| file.starts_with("book/src/lessons/"));
    report(lessons.flat_map(|(file, text)| check::chapter(file, text)).collect())
}

#[test]
fn every_exercise_has_its_parts() -> Result<(), Report> {
    let pages = pages();
    let exercises = pages.iter().filter(|(file, _)| {
        let name = file.strip_prefix("book/src/exercises/");
        name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()))
    });
    report(exercises.flat_map(|(file, text)| check::exercise(file, text)).collect())
}

#[test]
fn every_page_is_in_the_summary() -> Result<(), Report> {
    let text = read("book/src/SUMMARY.md").expect("the book has a summary");
    report(check::summary(&text, &files("book/src", ".md")))
}

/// The old addresses in `book.toml`, each with the page to which it leads, as paths from
/// `book/src`.
fn redirects() -> Vec<(String, String)> {
    let settings = read("book/book.toml").expect("the book has its settings");
    let (_, table) = settings
        .split_once("\n[output.html.redirect]\n")
        .expect("some chapters have another address");
    let page = |address: &str| {
        let address = address.trim().trim_matches('"').trim_start_matches('/');
        address.replace(".html", ".md")
    };
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(old, new)| {
            let old = page(old);
            let folder = old.rsplit_once('/').map_or("", |(folder, _)| folder);
            let new = format!("{folder}/{}", page(new));
            (old, new)
        })
        .collect()
}

#[test]
fn an_old_address_leads_to_a_page_and_nothing_links_to_it() -> Result<(), Report> {
    let fault = |file: &str, line, sentence| Fault { file: file.into(), line, sentence };
    let pages = files("book/src", ".md");
    let redirects = redirects();
    let mut faults = Vec::new();
    for (old, new) in &redirects {
        if pages.contains(old) {
            let sentence = format!("The redirect from {old} hides that page.");
            faults.push(fault("book/book.toml", 1, sentence));
        }
        if !pages.contains(new) {
            let sentence = format!("The redirect from {old} leads to no page: {new}.");
            faults.push(fault("book/book.toml", 1, sentence));
        }
    }
    let mut texts = vec!["README.md".to_owned()];
    for (folder, ending) in [
        ("book/src", ".md"),
        ("book/breaks", ".txt"),
        ("exercises", ".md"),
        ("exercises", ".rs"),
        ("lessons", ".rs"),
        ("solutions", ".rs"),
        ("static", ".html"),
        ("static", ".js"),
    ] {
        texts.extend(files(folder, ending).iter().map(|file| format!("{folder}/{file}")));
    }
    for file in texts {
        let text = read(&file).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            for (old, new) in &redirects {
                let name = old.rsplit('/').next().unwrap_or(old).trim_end_matches(".md");
                if line.contains(&format!("{name}.md"))
                    || line.contains(&format!("{name}.html"))
                {
                    let sentence = format!("{old} is an old address: it is {new} now.");
                    faults.push(fault(&file, i + 1, sentence));
                }
            }
        }
    }
    report(faults)
}

#[test]
fn the_description_counts_the_lessons_and_the_exercises() {
    let settings = read("book/book.toml").expect("the book has its settings");
    let summary = read("book/src/SUMMARY.md").expect("the book has a summary");
    let count = |title: &str| summary.matches(&format!("- [{title} ")).count();

    let (lessons, exercises) = (count("Lesson"), count("Exercise"));
    let words = format!("{lessons} lessons and {exercises} exercises");
    assert!(settings.contains(&words), "book.toml should say: {words}");
}

#[test]
fn every_drawing_can_be_read_aloud_and_in_the_dark() -> Result<(), Report> {
    let drawings = files("book/drawings", ".svg").into_iter().flat_map(|name| {
        let file = format!("book/drawings/{name}");
        let text = read(&file).expect("it was listed a moment ago");
        check::drawing(&file, &text)
    });
    report(drawings.collect())
}
#[test]
fn every_drawing_transcript_and_recorded_text_is_shown_somewhere() -> Result<(), Report> {
    let all: String = pages().into_iter().map(|(_, text)| text).collect();
    let mut faults = Vec::new();
    for (folder, ending, directive) in [
        ("book/drawings", ".svg", "drawing"),
        ("book/outputs", ".txt", "output"),
        ("book/wrong", ".txt", "says"),
        ("book/breaks", ".txt", "break"),
    ] {
        for name in files(folder, ending) {
            let name = name.trim_end_matches(ending);
            if !all.contains(&format!("{{{{#{directive} {name}}}}}")) {
                faults.push(Fault {
                    file: format!("{folder}/{name}{ending}"),
                    line: 1,
                    sentence: "No page shows this file.".into(),
                });
            }
        }
    }
    report(faults)
}

/// A page of `static` says whose it is, and that program says which page it serves.
#[test]
fn a_page_of_a_program_is_the_one_that_it_serves() -> Result<(), Report> {
    let mut faults = Vec::new();
    for page in files("static", ".html") {
        let file = format!("static/{page}");
        let text = read(&file).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split_once(r#"<meta name="package" content=""#)
            else {
                continue;
            };
            let package = rest.split('"').next().unwrap_or_default();
            if !has_source_with(package, &format!("{page:?}")) {
                let call = format!(r#"pages::router(env!("CARGO_PKG_NAME"), {page:?})"#);
                let sentence = format!("{package} does not serve this page: {call}.");
                faults.push(Fault { file: file.clone(), line: i + 1, sentence });
            }
        }
    }
    report(faults)
}

/// Whether a package has a source file with `text` in it.
fn has_source_with(package: &str, text: &str) -> bool {
    let folders = [format!("lessons/{package}/src"), format!("{package}/src")];
    let mut folders =
        folders.iter().filter(|folder| Path::new(ROOT).join(folder).is_dir());
    folders.any(|folder| {
        let source =
            |file: &String| read(&format!("{folder}/{file}")).unwrap_or_default();
        files(folder, ".rs").iter().any(|file| source(file).contains(text))
    })
}

/// A step says **Send four bytes**: that is a button, or another text of a page.
#[test]
fn what_a_step_says_in_bold_is_on_a_page() -> Result<(), Report> {
    let mut known = String::new();
    for ending in [".html", ".js"] {
        for file in files("static", ending) {
            known.push_str(&read(&format!("static/{file}")).unwrap_or_default());
        }
    }
    // The capstone has folders, so its chapter names files by their paths.
    let capstone = files("lessons/lesson_24_capstone/src", ".rs").join(" ");
    known.push_str(&capstone);
    let known: Vec<&str> = known.split_whitespace().collect();
    let known = known.join(" ");

    let mut faults = Vec::new();
    for (file, text) in pages() {
        let steps = |line: &str| line.starts_with(|c: char| c.is_ascii_digit());
        let in_chapter = file.starts_with("book/src/lessons/");
        let prose = book::prose(&text);
        for (line, words) in prose.iter().filter(|(_, w)| in_chapter && steps(w)) {
            for label in words.split("**").skip(1).step_by(2) {
                if !known.contains(label) {
                    let sentence = format!("No page has “{label}” on it.");
                    faults.push(Fault { file: file.clone(), line: *line, sentence });
                }
            }
        }
    }
    report(faults)
}

/// Code in a sentence that is in no file of the course: the words of a browser, of a
/// compiler or of another program, and what a reader may write.
const FOREIGN: [&str; 74] = [
    "echo $?",
    "#[async_trait]",
    "--host 127.0.0.1",
    "--limit-concurrency",
    "/plain/",
    "/vue/",
    "/ws/{room_id}",
    "0.0.0.0:8000",
    "1000 0001",
    "1000 0101",
    "37 fa 21 3d",
    "58 ^ 37",
    "6f",
    "7f 9f 4d 51 58",
    "7f ^ 37",
    "9f ^ fa",
    ":name",
    "ADDR=0.0.0.0:8000 cargo run -p lesson_07_rooms",
    "ADDR=127.0.0.1:18000 cargo run -p lesson_01_echo",
    "Arc<Mutex<WebSocket>>",
    "AuthError",
    "CONNECTION: close",
    "Cargo.toml",
    "ConcurrencyLimit",
    "CryptoProvider",
    "InvalidAccessError",
    "Lagged(n)",
    "LimitNOFILE",
    "MAX_ROMS=5",
    "Port 8000 is taken",
    "Rc",
    "Retry-After",
    "Sec-WebSocket-Protocol",
    "TestClient",
    "[...text].length",
    "accept error: Too many open files",
    "as_millis",
    "async move |session| { … }",
    "async move |socket| { … }",
    "atob",
    "book/html",
    "broadcast=False",
    "broadcast_custom",
    "broadcast_to_all_channels",
    "cargo --offline run -p lesson_01_echo",
    "cargo run --release",
    "cargo tree -d",
    "cargo tree -i tokio-tungstenite",
    "created_at",
    "exclude_client",
    "exclude_unset",
    "git checkout lessons",
    "is_active",
    "http://localhost:5173",
    "http://localhost:5173/react/",
    "join_room",
    "kill -9",
    "leave_room",
    "let _ = permit",
    "let step = work.step();",
    "load_shed",
    "npm ci",
    "npx vite --host 127.0.0.1",
    "png",
    "rustup update",
    "send_personal_message",
    "socket.close(1001)",
    "std::process::exit",
    "total_channels",
    "total_connections",
    "ulimit -n 500",
    "users.map is not a function",
    "vite.config.js",
    "| head -1",
];

/// The name in `NAME=value`, as one sets a variable of the environment.
fn variable(code: &str) -> Option<&str> {
    let (name, _) = code.split_once('=')?;
    let is_variable = |c: char| c.is_ascii_uppercase() || c == '_';
    (!name.is_empty() && name.chars().all(is_variable)).then_some(name)
}

/// A name in a sentence is a promise, too. When it changes in the code, nobody thinks of
/// the sentence.
#[test]
fn code_in_a_sentence_is_code_of_the_course() -> Result<(), Report> {
    let mut known = read("Cargo.toml").expect("the workspace has one");
    for (folder, endings) in [
        (".ci/browser", ".mjs"),
        ("book/breaks", ".txt"),
        ("book/clients", ".js"),
        ("book/clients", ".jsx"),
        ("book/clients", ".vue"),
        ("book/examples", ".rs"),
        ("book/fastapi", ".py"),
        ("book/outputs", ".txt"),
        ("book/transcripts", ".txt"),
        ("book/wrong", ".rs"),
        ("book/wrong", ".txt"),
        ("exercises", ".rs"),
        ("lessons", ".rs"),
        ("lessons", ".sql"),
        ("lessons", ".toml"),
        ("solutions", ".rs"),
        ("static", ".html"),
        ("static", ".js"),
        ("static", ".rs"),
    ] {
        for file in files(folder, endings).iter().filter(|f| !f.contains("node_modules"))
        {
            known.push_str(&read(&format!("{folder}/{file}")).unwrap_or_default());
        }
    }
    // The capstone has folders, so its chapter names files by their paths.
    let capstone = files("lessons/lesson_24_capstone/src", ".rs").join(" ");
    known.push_str(&capstone);
    // What a learner edits is named by its path, too.
    for file in files("exercises", ".rs") {
        known.push_str(&format!(" exercises/{file}"));
    }
    let known: Vec<&str> = known.split_whitespace().collect();
    let known = known.join(" ");

    let mut faults = Vec::new();
    for (file, text) in pages() {
        if file.ends_with("/transcripts.md") {
            continue; // It has examples of its own, for each kind of line.
        }
        if file.ends_with("/try-it.md") {
            continue; // It is about other programs. `.ci/book/try_it` runs what it shows.
        }
        for (line, words) in book::prose(&text) {
            for code in words.split('`').skip(1).step_by(2) {
                // Folders, commands of mdBook, and addresses with a path.
                let is_place = code.starts_with(".ci") || code.starts_with("http://127.");
                let is_book = code.starts_with("mdbook ") || code.starts_with("lessons/");
                let code = code.trim_start_matches("ADDR=");
                let foreign =
                    FOREIGN.iter().any(|f| f.trim_start_matches("ADDR=") == code);
                let code = variable(code).unwrap_or(code);
                if !is_place && !is_book && !foreign && !known.contains(code) {
                    let sentence = format!("No file of the course has `{code}` in it.");
                    faults.push(Fault { file: file.clone(), line, sentence });
                }
            }
        }
    }
    report(faults)
}
