//! Extractors that answer what is wrong with an [`ApiError`].

use std::{collections::HashSet, fmt};

use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::{
    Deserialize,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use crate::error::ApiError;

/// What stands in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// What stands in the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// A body that is a JSON object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Why in steps? The first finds out whether this is JSON at all. The others know at
        // every moment which field they read.
        let axum::Json(body) =
            axum::Json::<Box<RawValue>>::from_request(request, state).await?;
        let text = body.get();
        if !text.starts_with('{') {
            return Err(ApiError::field("", "the body should be a JSON object"));
        }
        deserialize::<UniqueKeys>(text)?;
        deserialize(text).map(Self)
    }
}

/// Reads JSON. The error says in which field it is wrong.
fn deserialize<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let mut json = Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let message = error.into_inner().to_string();
        // The name of the field says more than a line and a column.
        let message = message.split(" at line ").next().unwrap_or_default();
        ApiError::field(field.trim_matches('.'), message)
    })
}

/// Any JSON in which no object has a key twice, at any depth.
///
/// Why? Some programs take the first of two values, and some the last. What one of them
/// has checked, the next one would not see.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: de::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.insert(key) {
                map.next_value::<Self>()?;
            } else {
                map.next_value::<Duplicate>()?; // Fails.
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// The second value of a key. Why a type? What fails while a value is read has the path
/// of that value.
struct Duplicate;

impl<'de> Deserialize<'de> for Duplicate {
    fn deserialize<D: de::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("this key is there twice"))
    }
}
