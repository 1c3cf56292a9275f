//! A wrong way: for serde, `null` and a field that is missing are the same `None`.

use serde::Deserialize;

#[derive(Deserialize)]
struct UserDraft {
    name: Option<String>,
    phone: Option<String>,
}

pub fn report() -> String {
    ["{}", r#"{"phone":null}"#, r#"{"name":null}"#, r#"{"phone":"030 123"}"#]
        .map(|body| match serde_json::from_str(body) {
            Ok(UserDraft { name, phone }) => {
                format!("{body}: name {name:?}, phone {phone:?}\n")
            }
            Err(error) => format!("{body}: {error}\n"),
        })
        .concat()
}
