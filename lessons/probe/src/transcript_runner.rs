//! Runs transcripts, on a clock that may be paused.

use std::{
    fmt::Write,
    fs, io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{Router, http::Request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Act, HashMap, Message, ROOM, Step, parse};
use crate::{Check, Client, Hint, Server, WAIT, client::Event, serve};

/// Where the book keeps its transcripts, a folder for each program.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../book/transcripts");

/// The same, as hints name it.
const SHOWN: &str = "book/transcripts";

/// Between two lines the server gets a moment. On a paused clock that is until every
/// task waits.
const MOMENT: Duration = Duration::from_millis(1);

/// How many replays there have been, each in a room of its own.
static REPLAYS: AtomicU64 = AtomicU64::new(0);

/// What came of one line.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    True,
    /// With what came instead.
    False(String),
    /// A line before it was false.
    NotRun,
}

/// Runs all steps until one of them is false. Gives a verdict for each.
pub async fn replay(server: &Server, steps: &[Step]) -> Vec<Verdict> {
    let mut replay = Replay {
        server,
        room: format!("replay-{}-", REPLAYS.fetch_add(1, Ordering::Relaxed)),
        ignored_types: Vec::new(),
        ignored_fields: Vec::new(),
        clients: HashMap::new(),
        tokens: HashMap::new(),
    };
    let mut verdicts = Vec::new();
    for step in steps {
        if matches!(verdicts.last(), Some(Verdict::False(_) | Verdict::NotRun)) {
            verdicts.push(Verdict::NotRun);
            continue;
        }
        verdicts.push(match replay.run(&step.who, &step.act).await {
            Ok(()) => Verdict::True,
            Err(came) => Verdict::False(came),
        });
        sleep(MOMENT).await;
    }
    verdicts
}

/// Runs all transcripts of a folder, each against a fresh server.
///
/// Those in the folder `false` inside it must be false, in the line that follows a
/// comment with `#!`.
pub async fn check_folder(name: &str, app: impl Fn() -> Router) -> Check {
    check_each(name, |_| app(), 1).await
}

/// Runs all transcripts of a folder `times` times in a row, each against the server that
/// `app` makes for its file. What is left of one replay must not matter to the next.
pub async fn check_each(name: &str, app: impl Fn(&str) -> Router, times: usize) -> Check {
    let folder = Path::new(FOLDER).join(name);
    let transcripts = texts(&folder);
    if transcripts.is_empty() {
        return Err(Hint::new(format!("{SHOWN}/{name} has no transcript.")));
    }
    let mut errors = String::new();
    for (file, text) in transcripts.iter().chain(&texts(&folder.join("false"))) {
        let steps = match parse(text) {
            Ok(steps) => steps,
            Err(error) => {
                let _ = writeln!(errors, "{file}: {error}");
                continue;
            }
        };
        let server = serve(app(file.rsplit('/').next().unwrap_or(file)));
        let mut verdicts = replay(&server, &steps).await;
        for _ in 1..times {
            if !verdicts.contains(&Verdict::NotRun) {
                sleep(MOMENT).await; // The server sees that all have left.
                verdicts = replay(&server, &steps).await;
            }
        }

        let marked = text.lines().position(|line| line.starts_with("#!"));
        let expected =
            marked.and_then(|mark| steps.iter().position(|step| step.line > mark + 1));
        let found = verdicts.iter().position(|verdict| *verdict != Verdict::True);
        if found != expected || marked.is_some() != file.contains("/false/") {
            let Some(i) = found else {
                let _ = writeln!(
                    errors,
                    "{file}: a line after #! should be false, but all are true"
                );
                continue;
            };
            let Step { line, text, .. } = &steps[i];
            let Verdict::False(came) = &verdicts[i] else { continue };
            let _ = writeln!(
                errors,
                "{}",
                server.hint(format!("{file}:{line}: {text}\n  is false: {came}."))
            );
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Hint::new(errors)) }
}

/// Every transcript in a folder, each with a name for hints.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let read = || -> io::Result<Vec<_>> {
        let mut texts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "txt") {
                let name = path.strip_prefix(FOLDER).unwrap_or(&path).display();
                texts.push((format!("{SHOWN}/{name}"), fs::read_to_string(&path)?));
            }
        }
        texts.sort();
        Ok(texts)
    };
    read().unwrap_or_default()
}

struct Replay<'a> {
    server: &'a Server,
    /// What `{room}` stands for.
    room: String,
    ignored_types: Vec<&'a str>,
    ignored_fields: Vec<&'a str>,
    clients: HashMap<String, Client>,
    tokens: HashMap<String, String>,
}

impl<'a> Replay<'a> {
    /// Runs one step. The error is what came instead.
    async fn run(&mut self, who: &str, act: &'a Act) -> Result<(), String> {
        match act {
            Act::Connects { path } => {
                let path = self.filled(path);
                let client = self.server.connect(who, &path).await.map_err(sentence)?;
                self.clients.insert(who.into(), client);
                Ok(())
            }
            Act::IsRefused { status, path } => {
                let path = self.filled(path);
                self.server.rejects(who, &path, *status).await.map_err(sentence)?;
                Ok(())
            }
            Act::SignsIn { password } => match self.sign_in(who, password).await? {
                (200, token) => {
                    self.tokens.insert(who.into(), token);
                    Ok(())
                }
                (status, _) => Err(format!("signing in was refused with {status}")),
            },
            Act::IsRefusedSigningIn { status, password } => {
                match self.sign_in(who, password).await? {
                    (200, _) => Err("signing in succeeded".into()),
                    (came, _) if came == *status => Ok(()),
                    (came, _) => Err(format!("it was refused with {came}")),
                }
            }
            Act::Closes { code, reason } => {
                let client = self.clients.remove(who).ok_or("nobody was there")?;
                client.leaves_with(*code, reason).await.map_err(sentence)
            }
            Act::Vanishes => {
                let client = self.clients.remove(who).ok_or("nobody was there")?;
                client.vanishes().await;
                Ok(())
            }
            Act::Waits(time) => {
                sleep(*time).await;
                Ok(())
            }
            Act::IgnoresMessages(types) => {
                self.ignored_types.extend(types.iter().map(String::as_str));
                Ok(())
            }
            Act::IgnoresFields(fields) => {
                self.ignored_fields.extend(fields.iter().map(String::as_str));
                Ok(())
            }
            Act::Sends(message) => {
                let room = self.room.clone();
                let client = self.client(who)?;
                match message {
                    Message::Text(text) | Message::Json(text, _) => {
                        client.says(text.replace(ROOM, &room)).await
                    }
                    Message::Bytes(bytes) => client.sends_binary(bytes).await,
                }
                .map_err(sentence)
            }
            Act::Receives(expected) => match self.next(who, WAIT).await? {
                Some(Event::Text(text)) if expected.matches_text(&text) => Ok(()),
                Some(Event::Binary(came))
                    if *expected == Message::Bytes(came.to_vec()) =>
                {
                    Ok(())
                }
                came => Err(description(came)),
            },
            Act::ReceivesNothing(time) => match self.next(who, *time).await? {
                None => Ok(()),
                came => Err(description(came)),
            },
            Act::IsClosed { code, reason } => {
                let (came, why) = match self.next(who, WAIT).await? {
                    Some(Event::Close(frame)) => match self.next(who, WAIT).await? {
                        Some(Event::End { .. }) => frame.unwrap_or((1005, String::new())),
                        other => return Err(description(other)),
                    },
                    Some(Event::End { .. }) => (1006, String::new()),
                    other => return Err(description(other)),
                };
                self.clients.remove(who);
                if came == *code && reason.as_ref().is_none_or(|reason| *reason == why) {
                    Ok(())
                } else {
                    Err(format!("it was closed with {came} {why}").trim_end().to_owned())
                }
            }
        }
    }

    /// A path in which `{room}` has become this replay's room, and `{ana.token}` the token
    /// that Ana got.
    fn filled(&self, path: &str) -> String {
        let path = path.replace(ROOM, &self.room);
        self.tokens.iter().fold(path, |path, (name, token)| {
            path.replace(&format!("{{{name}.token}}"), token)
        })
    }

    /// What comes next and is not ignored, as a transcript would say it.
    async fn next(
        &mut self,
        who: &str,
        limit: Duration,
    ) -> Result<Option<Event>, String> {
        let deadline = Instant::now() + limit;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            let text = match self.client(who)?.next(rest).await {
                Some(Event::Text(text)) => text.replace(&self.room, ROOM),
                came => return Ok(came),
            };
            let Ok(mut message) = serde_json::from_str::<Value>(&text) else {
                return Ok(Some(Event::Text(text)));
            };
            let kind = message["type"].as_str();
            if kind.is_some_and(|kind| self.ignored_types.contains(&kind)) {
                continue;
            }
            let removed = remove_fields(&mut message, &self.ignored_fields);
            return Ok(Some(Event::Text(if removed {
                message.to_string()
            } else {
                text
            })));
        }
    }

    fn client(&mut self, who: &str) -> Result<&mut Client, String> {
        self.clients.get_mut(who).ok_or_else(|| "nobody was there".into())
    }

    /// The status and, if it is 200, the token.
    async fn sign_in(&self, who: &str, password: &str) -> Result<(u16, String), String> {
        let body = json!({ "username": who, "password": password }).to_string();
        let request = Request::post("/login")
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| error.to_string())?;
        let response = self.server.request(request).await.map_err(sentence)?;
        let token = serde_json::from_str(&response.body)
            .ok()
            .and_then(|body: serde_json::Value| Some(body["token"].as_str()?.to_owned()));
        Ok((response.status.as_u16(), token.unwrap_or_default()))
    }
}

/// Removes fields, however deep they are. Says whether there were any.
fn remove_fields(value: &mut Value, fields: &[&str]) -> bool {
    match value {
        Value::Object(object) => {
            let before = object.len();
            object.retain(|field, _| !fields.contains(&field.as_str()));
            let mut removed = object.len() < before;
            for value in object.values_mut() {
                removed |= remove_fields(value, fields);
            }
            removed
        }
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |removed, value| remove_fields(value, fields) | removed),
        _ => false,
    }
}

/// The first line of a hint, without the conversation.
fn sentence(hint: Hint) -> String {
    let text = hint.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches('.').to_owned()
}

fn description(came: Option<Event>) -> String {
    match came {
        None => format!("nothing came for {} s", WAIT.as_secs()),
        Some(Event::Text(text)) => format!("{text} came"),
        Some(Event::Binary(bytes)) => format!("{} bytes came", bytes.len()),
        Some(Event::Pong(_)) => "a pong came".into(),
        Some(Event::Close(Some((code, reason)))) => {
            format!("it was closed with {code} {reason}")
        }
        Some(Event::Close(None)) => "it was closed without a code".into(),
        Some(Event::End { .. }) => "the connection was lost".into(),
    }
}
