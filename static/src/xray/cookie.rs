//! The cookie that marks the connections of a browser.
//!
//! `xray=0123456789abcdef0123456789abcdef.ana`: a random token, and the name of the client
//! on the page. The page's script makes it. The server keeps no list of tokens: a viewer
//! sees the connections that have the viewer's own token.

use super::hub::Token;

/// How long a label may be.
const LABEL_LIMIT: usize = 20;

/// How many hexadecimal digits a token has.
const DIGITS: usize = 32;

/// What is in the cookie.
pub struct XrayCookie {
    pub token: Token,
    pub label: Option<String>,
}

impl XrayCookie {
    /// The cookie in the values of `Cookie` headers, if it is there and has a token.
    pub fn find<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        headers
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix("xray="))
            .find_map(Self::parse)
    }

    fn parse(value: &str) -> Option<Self> {
        let (digits, label) = value.split_once('.').unwrap_or((value, ""));
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits.len() != DIGITS || !are_digits {
            return None;
        }
        let token = Token(u128::from_str_radix(digits, 16).ok()?);
        let is_label = (1..=LABEL_LIMIT).contains(&label.chars().count())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        Some(Self { token, label: is_label.then(|| label.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789ABCDEF";

    fn label(cookie: &str) -> Option<Option<String>> {
        XrayCookie::find([cookie].into_iter()).map(|cookie| cookie.label)
    }

    #[test]
    fn a_token_and_a_label_are_understood_among_other_cookies() {
        let cookie =
            XrayCookie::find([&*format!("a=b; xray={TOKEN}.Ana_2; c=d")].into_iter());

        let XrayCookie { token, label } = cookie.expect("the cookie is there");
        assert!(
            token == Token(0x0123456789abcdef0123456789abcdef),
            "the token is a number"
        );
        assert_eq!(label.as_deref(), Some("Ana_2"), "the label follows the point");
    }

    #[test]
    fn a_label_may_be_missing_and_a_bad_one_is_ignored() {
        let long = "a".repeat(LABEL_LIMIT + 1);
        for bad in ["", ".", ".<b>", ".a b", &format!(".{long}")] {
            assert_eq!(label(&format!("xray={TOKEN}{bad}")), Some(None), "of {bad:?}");
        }
    }

    #[test]
    fn what_is_no_token_shows_nothing() {
        for bad in [
            "".to_owned(),
            "xray=".into(),
            "xray=ana".into(),
            format!("xray={}", &TOKEN[1..]),
            format!("xray={TOKEN}0"),
            format!("xray=+{}", &TOKEN[1..]),
            format!("other={TOKEN}"),
            format!("Xray={TOKEN}"),
        ] {
            assert_eq!(label(&bad), None, "{bad:?} is none");
        }
    }
}
