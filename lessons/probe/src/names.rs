//! What every chat in JSON does with the names of people, from lesson 06 on.

use axum::Router;

use crate::{
    Because, Check, Server,
    json::{joined, left},
    serve,
};

/// A chat in which everybody brings a name.
pub struct Names {
    pub app: fn() -> Router,
    /// Where somebody connects. The name is percent-encoded.
    pub path: fn(name: &str) -> String,
}

/// Names in NFC, as they should be: with vowel signs and other marks, in any script.
pub(crate) const WELCOME: [&str; 13] = [
    "प्रिया",
    "தமிழ்",
    "সুচিত্রা",
    "ภาษาไทย",
    "ที่นี่", // Two marks on one letter.
    "小明",
    "Zoë",
    "Çem",
    "נֹעַם",
    "ana-2_b",
    "1",
    "twenty-letters-1-2-3",
    "\u{fb01}lip", // A ligature, which NFC leaves as it is. NFKC would not.
];

/// "José" in NFD: an e, and then an accent that belongs to it.
pub(crate) const JOSE_NFD: &str = "Jose\u{301}";

/// "José" in NFC: the e with its accent is one character.
pub(crate) const JOSE_NFC: &str = "Jos\u{e9}";

impl Names {
    fn path(&self, name: &str) -> String {
        (self.path)(&percent_encoded(name))
    }

    /// Somebody connects as `name` and leaves. The others receive it as `shown`.
    async fn comes_and_goes(&self, server: &Server, name: &str, shown: &str) -> Check {
        let sentence = format!(
            "Somebody connects as \"{}\". This name is valid, and the others should receive it \
             as \"{}\".",
            name.escape_default(), // Or one could not see what they differ in.
            shown.escape_default(),
        );
        let mut ana = server.connect("Ana", &(self.path)("ana")).await?;
        let visitor = server.connect(name, &self.path(name)).await.because(&sentence)?;
        ana.hears(joined(shown)).await.because(&sentence)?;
        visitor.leaves().await?;
        ana.hears(left(shown)).await.because(&sentence)?;
        ana.leaves().await
    }
}

/// A name as a path may have it, whatever its characters.
pub(crate) fn percent_encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A name may have letters of every script, with their marks.
pub async fn names_of_every_script_are_welcome(names: Names) -> Check {
    let server = serve((names.app)());

    for name in WELCOME {
        names.comes_and_goes(&server, name, name).await?;
    }
    Ok(())
}

/// Names that differ only in their Unicode normal form are one name, and all others see it
/// in NFC.
pub async fn nfd_and_nfc_are_one_name(names: Names) -> Check {
    let server = serve((names.app)());
    names.comes_and_goes(&server, JOSE_NFD, JOSE_NFC).await?;

    for (first, second) in [(JOSE_NFD, JOSE_NFC), (JOSE_NFC, JOSE_NFD)] {
        let jose = server.connect("José", &names.path(first)).await?;
        let mut eve = server.connect("Eve", &names.path(second)).await?;
        eve.is_closed(4009, "this name is taken").await.because(&format!(
            "\"{}\" and \"{}\" are one name: they have one NFC.",
            first.escape_default(),
            second.escape_default(),
        ))?;
        jose.leaves().await?;
    }
    Ok(())
}

/// A mark needs a letter in front of it. A name in which it has none is rejected with 400.
pub async fn a_mark_without_a_letter_gets_400(names: Names) -> Check {
    let server = serve((names.app)());

    for name in ["\u{301}ana", "\u{93f}", "ana-\u{301}b", "ana_\u{301}", "प-\u{94d}र"]
    {
        rejects(&server, &names, name, "a mark belongs to a letter").await?;
    }
    Ok(())
}

/// A name has 20 characters at most. They are counted after it has been brought into NFC.
pub async fn characters_are_counted_in_nfc(names: Names) -> Check {
    let server = serve((names.app)());
    let nfd = |letters| "e\u{301}".repeat(letters);
    let nfc = |letters| "\u{e9}".repeat(letters);
    // One character in itself, but two in NFC, which takes this one apart.
    let qa = |letters| "\u{958}".repeat(letters);

    names.comes_and_goes(&server, &nfd(20), &nfc(20)).await?;
    names.comes_and_goes(&server, &qa(10), &"\u{915}\u{93c}".repeat(10)).await?;

    for name in [nfd(21), nfc(21), qa(11)] {
        rejects(&server, &names, &name, "it has more than 20 characters in NFC").await?;
    }
    Ok(())
}

async fn rejects(server: &Server, names: &Names, name: &str, why: &str) -> Check {
    let path = names.path(name);
    let sentence = format!("The name \"{}\" is invalid: {why}.", name.escape_default());
    let response = server.rejects("Eve", &path, 400).await.because(&sentence)?;
    if response.body.is_empty() {
        return Err(server.hint(format!("{sentence} The response should say so.")));
    }
    Ok(())
}

/// These rules as tests, for an application and the path to a name: those that are named
/// after `=>`, or all.
#[macro_export]
macro_rules! name_conformance {
    ($app:expr, $path:expr) => {
        $crate::name_conformance! { $app, $path =>
            names_of_every_script_are_welcome,
            nfd_and_nfc_are_one_name,
            a_mark_without_a_letter_gets_400,
            characters_are_counted_in_nfc,
        }
    };
    ($app:expr, $path:expr => $($rule:ident),* $(,)?) => {
        $crate::rules! {
            names as name_conformance,
            ($crate::names::Names { app: $app, path: $path }) => $($rule),*
        }
    };
}
