//! The book in other languages. mdbook-i18n-helpers takes the sentences out of the pages, and
//! puts their translations in: it knows Markdown, and no directives of ours.
//!
//! So three steps fill a translated page. `commented` makes comments of the directives, which
//! nobody translates; mdbook-gettext translates what is left; `translated` takes the comments
//! away, and goes on as for any page. `.ci/book/translations` runs them.
//!
//! Each page has a file of translations: `book/po/es/start/set-up.po` is `start/set-up.md` in
//! Spanish. A page that has none is in English, and says so. A page whose English has changed
//! says that, too.

use crate::{heading_ids, prose, read};

/// The language in which the pages are written.
pub const ENGLISH: &str = "en";

/// What a page says of itself. The translations of these are in `notes.po`.
pub const NOT_TRANSLATED: &str = "This page is not translated yet.";
pub const PARTLY_TRANSLATED: &str =
    "Some paragraphs of this page are newer than their translation. They are in English.";

const SUMMARY: (&str, &str) = ("<summary>", "</summary>");
const SUMMARY_BEGINS: &str = "<!--summary-->";
const SUMMARY_ENDS: &str = "<!--/summary-->";

/// One message of a file of translations.
#[derive(Debug, Default, PartialEq)]
pub struct Message {
    pub english: String,
    pub translation: String,
    /// The English has changed since it was translated.
    pub fuzzy: bool,
}

impl Message {
    /// Whether mdbook-gettext uses it.
    pub fn is_current(&self) -> bool {
        !self.fuzzy && !self.translation.is_empty()
    }
}

/// The file with the translations of a page.
pub fn file(language: &str, page: &str) -> String {
    format!("book/po/{language}/{}.po", page.trim_end_matches(".md"))
}

/// The messages of a file of translations, without its head.
pub fn messages(po: &str) -> Vec<Message> {
    let mut found = Vec::new();
    // A blank line ends a message.
    for block in po.split("\n\n") {
        let mut message = Message::default();
        let mut in_translation = None;
        for line in block.lines() {
            if let Some(flags) = line.strip_prefix("#,") {
                message.fuzzy = flags.contains("fuzzy");
            } else if let Some(text) = line.strip_prefix("msgid ") {
                in_translation = Some(false);
                message.english.push_str(&unquoted(text));
            } else if let Some(text) = line.strip_prefix("msgstr ") {
                in_translation = Some(true);
                message.translation.push_str(&unquoted(text));
            } else if line.starts_with('"') {
                match in_translation {
                    Some(true) => message.translation.push_str(&unquoted(line)),
                    Some(false) => message.english.push_str(&unquoted(line)),
                    None => {}
                }
            }
        }
        if !message.english.is_empty() {
            found.push(message);
        }
    }
    found
}

/// What stands between the quotation marks of a line.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix('"').unwrap_or(text);
    let text = text.strip_suffix('"').unwrap_or(text);
    let mut letters = text.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}

/// A page whose directives are comments, as mdbook-i18n-helpers gets it.
///
/// A directive inside a sentence stays, because a translation has to find a place for it. The
/// `<summary>` of what is folded becomes a paragraph: HTML is not translated.
pub fn commented(text: &str) -> String {
    let (mut in_fence, mut in_directive) = (false, false);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start();
        let margin = &line[..line.len() - words.len()];
        if words.starts_with("```") {
            in_fence = !in_fence;
        }
        lines.push(if in_fence {
            line.to_owned()
        } else if in_directive && words == "}}" {
            in_directive = false;
            format!("{line}-->")
        } else if words.starts_with("{{#") && words.ends_with("}}") {
            format!("{margin}<!--{words}-->")
        } else if words.starts_with("{{#") && !words.contains("}}") {
            in_directive = true;
            format!("{margin}<!--{words}")
        } else if let Some(text) =
            words.strip_prefix(SUMMARY.0).and_then(|rest| rest.strip_suffix(SUMMARY.1))
        {
            [SUMMARY_BEGINS, text, SUMMARY_ENDS]
                .map(|part| format!("{margin}{part}"))
                .join("\n\n")
        } else {
            line.to_owned()
        });
    }
    lines.join("\n")
}

/// The page again, with its directives.
fn uncommented(text: &str) -> String {
    let text = text.replace("<!--{{#", "{{#").replace("}}-->", "}}");
    let mut lines: Vec<String> = Vec::new();
    let mut summary: Option<String> = None;
    for line in text.split('\n') {
        match (&mut summary, line.trim()) {
            (None, SUMMARY_BEGINS) => {
                summary = Some(line.replace(SUMMARY_BEGINS, SUMMARY.0));
            }
            (Some(begun), SUMMARY_ENDS) => {
                lines.push(format!("{begun}{}", SUMMARY.1));
                summary = None;
            }
            (Some(begun), words) => begun.push_str(words),
            (None, _) => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// A page in another language, ready for its directives to be filled.
///
/// `text` is what mdbook-gettext gave. A page without a file of translations is taken as it is
/// written.
pub fn translated(language: &str, page: &str, text: &str) -> Result<String, String> {
    let english = read(&format!("book/src/{page}"))?;
    let Ok(po) = read(&file(language, page)) else {
        return Ok(with_note(&english, &note(language, NOT_TRANSLATED)));
    };
    let text = with_ids(&uncommented(text), &english)
        .map_err(|sentence| format!("{page} in {language}: {sentence}"))?;
    if messages(&po).iter().all(Message::is_current) {
        Ok(text)
    } else {
        Ok(with_note(&text, &note(language, PARTLY_TRANSLATED)))
    }
}

/// What a page says of itself, in its language.
fn note(language: &str, english: &str) -> String {
    let po = read(&file(language, "notes")).unwrap_or_default();
    messages(&po)
        .into_iter()
        .find(|message| message.english == english && message.is_current())
        .map_or_else(|| english.to_owned(), |message| message.translation)
}

/// The page, with a note below its title.
fn with_note(text: &str, note: &str) -> String {
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!("{title}\n\n> {note}\n{rest}")
}

/// The translated page, whose headings have the addresses of the English ones: links lead to
/// them from pages in every language.
fn with_ids(text: &str, english: &str) -> Result<String, String> {
    let ids = heading_ids(english);
    let headings: Vec<usize> = prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(number, _)| number - 1)
        .collect();
    if headings.len() != ids.len() {
        let (has, should) = (headings.len(), ids.len());
        return Err(format!("it has {has} headings, and the English page has {should}."));
    }
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for (i, (line, id)) in headings.into_iter().zip(&ids).enumerate() {
        // mdBook counts those that say the same.
        let before = ids[..i].iter().filter(|other| *other == id).count();
        let count = if before == 0 { String::new() } else { format!("-{before}") };
        lines[line].push_str(&format!(" {{#{id}{count}}}"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{Message, commented, messages, uncommented, with_ids, with_note};

    const PAGE: &str = "# A page\n\n{{#item a.rs impl<S> A<S> ++ //!}}\n\n\
        It takes {{#minutes a.md}} minutes.\n\n```text\n{{#item}}\n```\n\n\
        1. One:\n\n   {{#break a}}\n\n{{#schedule 9:00\na.md\n}}\n\n\
        1. Two:\n\n   <details>\n   <summary>Two?</summary>\n\n   Yes.\n\n   </details>\n\n\
        <details>\n<summary>Does <code>run</code> end?</summary>\n\nNo.\n\n</details>\n";

    #[test]
    fn directives_are_comments_and_come_back() {
        let text = commented(PAGE);

        assert!(text.contains("<!--{{#item a.rs impl<S> A<S> ++ //!}}-->"), "{text}");
        assert!(text.contains("   <!--{{#break a}}-->"), "in a list: {text}");
        assert!(text.contains("<!--{{#schedule 9:00\na.md\n}}-->"), "of lines: {text}");
        assert!(
            text.contains("\n\nDoes <code>run</code> end?\n\n"),
            "a question: {text}"
        );
        assert!(text.contains("takes {{#minutes a.md}} min"), "in a sentence: {text}");
        assert!(text.contains("```text\n{{#item}}\n```"), "in a block of code: {text}");
        assert_eq!(uncommented(&text), PAGE, "nothing is lost");
    }

    #[test]
    fn a_translated_heading_keeps_its_address() {
        let english = "# Set up\n\n## Rust `1`\n\n## Rust `1`\n";
        let text = with_ids("# Preparativos\n\n## Rust\n\n## Rust\n", english);

        let expected =
            "# Preparativos {#set-up}\n\n## Rust {#rust-1}\n\n## Rust {#rust-1-1}\n";
        assert_eq!(text.as_deref(), Ok(expected), "as mdBook makes them");
        let fewer = with_ids("# Preparativos\n", english);
        assert!(fewer.is_err_and(|sentence| sentence.contains("1 headings")));
    }

    #[test]
    fn a_note_stands_below_the_title() {
        assert_eq!(
            with_note("# Set up\n\nRust.\n", "Not yet."),
            "# Set up\n\n> Not yet.\n\nRust.\n"
        );
    }

    #[test]
    fn messages_are_read_as_gettext_writes_them() {
        let po = "msgid \"\"\nmsgstr \"\"\n\"Language: es\\n\"\n\n\
            #: src/a.md\n#, fuzzy\n#| msgid \"Old\"\nmsgid \"New\"\nmsgstr \"Viejo\"\n\n\
            msgid \"\"\n\"A \\\"long\\\" \"\n\"one\"\nmsgstr \"\"\n\"Una \"\n\"larga\"\n\n\
            #~ msgid \"Gone\"\n#~ msgstr \"Ido\"\n";

        let message = |english: &str, translation: &str, fuzzy| Message {
            english: english.into(),
            translation: translation.into(),
            fuzzy,
        };
        let expected = [
            message("New", "Viejo", true),
            message("A \"long\" one", "Una larga", false),
        ];
        assert_eq!(messages(po), expected, "without the head, and without what is gone");
    }
}
