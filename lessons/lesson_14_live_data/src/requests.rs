//! What the handlers ask of a request. Whatever is wrong is answered in JSON.

use axum::{
    Extension, Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, State},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Chat,
    channels::{Channel, Channels, Identity},
    events::{ClientId, ToFollower},
    guards::{Guest, OwnPage},
    pace::TooFast,
    refusal::Refusal,
};

/// How many records a list has, unless the client asks for fewer or more.
const PAGE_SIZE: usize = 100;

/// The most that it has, however many the client asks for.
const PAGE_LIMIT: usize = 1_000;

/// The header in which a client gives its id, so that it is not told what it did itself.
const CLIENT_ID: &str = "x-client-id";

/// Lets in those who have signed in, and no page of a stranger. Each change counts: it
/// goes to everybody who follows, so it must not come faster than they can hear.
///
/// It stands in front of all of the API, so that no handler can forget it. Behind it,
/// handlers find the guest as an [`Extension`].
pub async fn at_the_door(
    State(chat): State<Chat>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    let (mut parts, body) = request.into_parts();
    OwnPage::from_request_parts(&mut parts, &chat)
        .await
        .map_err(|(status, sentence)| Refusal::new(status, sentence).into_response())?;
    let guest = Guest::from_request_parts(&mut parts, &chat).await.map_err(
        |(status, headers, sentence)| {
            (headers, Refusal::new(status, sentence)).into_response()
        },
    )?;

    if !parts.method.is_safe()
        && let Err(TooFast::Wait(wait)) = chat.changes.of(&guest.username).check()
    {
        return Err(Refusal::too_fast(wait).into_response());
    }

    parts.extensions.insert(guest);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// The id in the path.
pub struct Id(pub i64);

impl FromRequestParts<Chat> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Refusal> {
        let Path(text) = path(parts, chat).await?;
        let id = text.parse().map_err(|_| {
            let sentence = format!("An id is a number, and {text:?} is none.");
            Refusal::new(StatusCode::BAD_REQUEST, sentence)
        })?;
        Ok(Self(id))
    }
}

impl FromRequestParts<Chat> for Channel {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Refusal> {
        let Path(name) = path(parts, chat).await?;
        Self::try_from(name).map_err(Refusal::not_found)
    }
}

async fn path(parts: &mut Parts, chat: &Chat) -> Result<Path<String>, Refusal> {
    Ok(Path::from_request_parts(parts, chat).await?)
}

/// Which part of a list is wanted.
#[derive(Deserialize)]
#[serde(default)]
pub struct Part {
    pub limit: usize,
    /// The last id that the client has.
    pub after: i64,
}

impl Default for Part {
    fn default() -> Self {
        Self { limit: PAGE_SIZE, after: 0 }
    }
}

impl FromRequestParts<Chat> for Part {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Chat) -> Result<Self, Refusal> {
        let part: Self = query(parts)?;
        Ok(Self { limit: part.limit.clamp(1, PAGE_LIMIT), ..part })
    }
}

fn query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Refusal> {
    let Query(query) = Query::try_from_uri(&parts.uri)?;
    Ok(query)
}

/// The client's name for itself, in the query of its socket; or else one that we invent.
impl FromRequestParts<Chat> for Identity {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Introduction {
            client_id: Option<ClientId>,
        }

        let Introduction { client_id } = query(parts)?;
        let client_id = client_id.unwrap_or_else(ClientId::generate);
        Ok(Self { username: guest(parts, chat).await.username, client_id })
    }
}

/// Who hears of a change: everybody who follows, unless the writer wishes otherwise.
pub struct Audience {
    announce: bool,
    exclude: Option<Identity>,
}

impl Audience {
    /// Publishes on a channel, to those whom the writer wants to reach.
    pub fn publish(
        &self,
        to: &Channels,
        channel: Channel,
        message: &ToFollower,
    ) -> usize {
        if self.announce {
            to.publish(channel, message, self.exclude.as_ref())
        } else {
            0
        }
    }
}

impl FromRequestParts<Chat> for Audience {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Wish {
            announce: Option<bool>,
        }

        let Wish { announce } = query(parts)?;
        let exclude = match parts.headers.get(CLIENT_ID) {
            None => None,
            Some(id) => {
                let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
                let client_id = ClientId::try_from(id).map_err(|sentence| {
                    let sentence = format!("{CLIENT_ID}: {sentence}");
                    Refusal::new(StatusCode::BAD_REQUEST, sentence)
                })?;
                Some(Identity { username: guest(parts, chat).await.username, client_id })
            }
        };
        Ok(Self { announce: announce.unwrap_or(true), exclude })
    }
}

async fn guest(parts: &mut Parts, chat: &Chat) -> Guest {
    let Extension(guest) = Extension::from_request_parts(parts, chat)
        .await
        .expect("everybody came in at the door");
    guest
}

/// A body in JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Chat> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, chat: &Chat) -> Result<Self, Refusal> {
        let Json(body) = Json::<Value>::from_request(request, chat).await?;
        if !body.is_object() {
            return Err(Refusal::field("", "the body should be a JSON object"));
        }

        // Why in two steps? The first finds out whether this is JSON at all. The second
        // knows at every moment which field it reads.
        serde_path_to_error::deserialize(body).map(Self).map_err(|problem| {
            let field = problem.path().to_string();
            Refusal::field(field.trim_matches('.'), problem.into_inner().to_string())
        })
    }
}
