//! A wrong way: it trusts the rules that the library has by default.

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode,
    get_current_timestamp,
};
use serde_json::{Value, json};

const SECRET: &[u8] = b"32 bytes or more, please, always";

fn is_valid(token: &str) -> bool {
    let rules = Validation::new(Algorithm::HS256);
    decode::<Value>(token, &DecodingKey::from_secret(SECRET), &rules).is_ok()
}

pub fn report() -> String {
    let now = get_current_timestamp();
    let tokens = [
        ("expired 30 seconds ago", json!({ "sub": "ana", "exp": now - 30 })),
        (
            "valid from tomorrow",
            json!({ "sub": "ana", "exp": now + 99_999, "nbf": now + 86_400 }),
        ),
        ("issued by a stranger", json!({ "sub": "ana", "exp": now + 60, "iss": "eve" })),
        ("for nobody at all", json!({ "exp": now + 60 })),
    ];
    tokens
        .map(|(what, claims)| {
            let key = EncodingKey::from_secret(SECRET);
            let token = encode(&Header::new(Algorithm::HS256), &claims, &key)
                .expect("a secret can sign any claims");
            let verdict = if is_valid(&token) { "accepted" } else { "rejected" };
            format!("{what}: {verdict}\n")
        })
        .concat()
}
