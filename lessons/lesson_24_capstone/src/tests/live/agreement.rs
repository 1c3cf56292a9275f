//! The promise of the live data: whoever loads the list and applies the events never
//! shows a wrong state.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use probe::{Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    app, app_with,
    asking::{Reply, asks, subscribes},
};
use crate::{
    config::Config,
    tests::people::{at_least_one, config},
};

type Table = BTreeMap<i64, Value>;

/// How Ana asks for the list, in small parts.
const FIRST_PART: &str = "/users?limit=2";

/// How many stories we tell, and how long each is.
const STORIES: u64 = 20;
const STEPS: usize = 80;

/// What `static/live.js` does, on connections that may be late.
#[derive(Default)]
struct Screen {
    rows: Table,
    /// The version that she has of each row, those included that are gone.
    seen: HashMap<i64, i64>,
    /// The version of the last part of the list.
    loaded: i64,
    /// The last version that has arrived.
    latest: i64,
    early: Vec<Value>,
    state: State,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Loading,
    /// The whole list is here. Events that are older may still be on their way.
    Catching,
    Live,
}

impl Screen {
    fn load(&mut self, part: &Reply) {
        self.loaded = part.version.expect("a list has a version");
        self.latest = self.latest.max(self.loaded);
        for row in part.body.as_array().expect("a list is an array") {
            let id = number(&row["id"]);
            self.seen.insert(id, self.loaded);
            self.rows.insert(id, row.clone());
        }
        if part.next.is_none() {
            self.state = State::Catching;
        }
    }

    fn receive(&mut self, message: Value) {
        match message["type"].as_str() {
            Some("pong") => {
                for event in std::mem::take(&mut self.early) {
                    self.apply(&event);
                }
                self.state = State::Live;
            }
            _ if self.state == State::Live => self.apply(&message),
            _ => self.early.push(message),
        }
    }

    fn apply(&mut self, event: &Value) {
        let (version, id) = (number(&event["version"]), number(&event["data"]["id"]));
        if version <= *self.seen.get(&id).unwrap_or(&self.loaded) {
            return; // The list has it.
        }
        self.seen.insert(id, version);
        self.latest = self.latest.max(version);
        if event["type"] == "deleted" {
            self.rows.remove(&id);
        } else {
            self.rows.insert(id, event["data"].clone());
        }
    }
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

/// Numbers that look random, and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// Everything that happens in one story.
struct Story {
    server: Server,
    dice: Dice,
    /// What the table was after each change.
    history: Vec<Table>,
    ana: Client,
    screen: Screen,
    /// What the server has sent, and Ana's browser has not read yet. Events come on one
    /// connection, lists on another.
    events: VecDeque<Value>,
    parts: VecDeque<Reply>,
    /// Where the next part of the list is.
    next: String,
}

impl Story {
    async fn new(seed: u64) -> Result<Self, Hint> {
        let server = serve(app());
        let ana = subscribes(&server, "ana", "users").await?;
        Ok(Self {
            server,
            dice: Dice(seed),
            history: vec![Table::new()],
            ana,
            screen: Screen::default(),
            events: VecDeque::new(),
            parts: VecDeque::new(),
            next: FIRST_PART.into(),
        })
    }

    async fn step(&mut self) -> Check {
        match self.dice.roll(9) {
            0..=2 => self.somebody_writes().await?,
            3 | 4 => self.ana_asks_for_a_part().await?,
            5 => self.a_part_arrives().await?,
            6 | 7 => self.an_event_arrives().await,
            _ if self.dice.roll(8) == 0 => self.ana_reconnects().await?,
            _ => {}
        }
        if self.screen.state == State::Live {
            let expected = &self.history[self.screen.latest as usize];
            assert_eq!(&self.screen.rows, expected, "version {}", self.screen.latest);
        }
        Ok(())
    }

    async fn somebody_writes(&mut self) -> Check {
        let mut table = self.history.last().cloned().unwrap_or_default();
        let number = self.history.len();
        // Before Ana asks for the list, a change in silence is in the list, too.
        let early = self.screen.state == State::Loading && self.screen.loaded == 0;
        let silent = early && self.parts.is_empty() && self.dice.roll(2) == 0;
        let wish = if silent { "?announce=false" } else { "" };
        let somebody = table.keys().nth(self.dice.roll(8) as usize).copied();
        match (self.dice.roll(4), somebody) {
            (0, Some(id)) => {
                asks(
                    &self.server,
                    "ben",
                    &format!("DELETE /users/{id}{wish}"),
                    Value::Null,
                )
                .await?;
                table.remove(&id);
            }
            (1 | 2, Some(id)) => {
                let what = format!("PATCH /users/{id}{wish}");
                let body = json!({ "name": format!("Name {number}") });
                let reply = asks(&self.server, "ben", &what, body).await?;
                table.insert(id, reply.body);
            }
            _ => {
                let email = format!("{number}@example.org");
                let body = json!({ "name": "New", "email": email });
                let reply =
                    asks(&self.server, "ben", &format!("POST /users{wish}"), body)
                        .await?;
                table.insert(number_of(&reply), reply.body);
            }
        }
        self.history.push(table);
        Ok(())
    }

    async fn ana_asks_for_a_part(&mut self) -> Check {
        if self.screen.state == State::Loading && self.parts.is_empty() {
            let what = format!("GET {}", self.next);
            let part = asks(&self.server, "ana", &what, Value::Null).await?;
            self.parts.push_back(part);
        }
        Ok(())
    }

    async fn a_part_arrives(&mut self) -> Check {
        if let Some(part) = self.parts.pop_front() {
            self.screen.load(&part);
            match part.next {
                Some(next) => self.next = next,
                None => self.ana.says(r#"{"action":"ping"}"#).await?,
            }
        }
        Ok(())
    }

    async fn an_event_arrives(&mut self) {
        for heard in self.ana.hears_out(std::time::Duration::ZERO).await {
            self.events.push_back(serde_json::from_str(&heard).expect("it is JSON"));
        }
        if let Some(event) = self.events.pop_front() {
            self.screen.receive(event);
        }
    }

    /// Her connection is lost: she subscribes again, and forgets what she had.
    async fn ana_reconnects(&mut self) -> Check {
        self.ana = subscribes(&self.server, "ana", "users").await?;
        self.screen = Screen::default();
        self.events.clear();
        self.parts.clear();
        self.next = FIRST_PART.into();
        Ok(())
    }

    /// Nobody writes any more, and everything arrives.
    async fn settles(&mut self) -> Check {
        while self.screen.state == State::Loading {
            self.ana_asks_for_a_part().await?;
            self.a_part_arrives().await?;
        }
        loop {
            self.an_event_arrives().await;
            if self.events.is_empty() && self.screen.state == State::Live {
                return Ok(());
            }
        }
    }
}

fn number_of(reply: &Reply) -> i64 {
    number(&reply.body["id"])
}

#[tokio::test(start_paused = true)]
async fn who_loads_the_list_and_applies_the_events_never_shows_a_wrong_state() -> Check {
    for seed in 0..STORIES {
        let mut story = Story::new(seed).await?;
        for _ in 0..STEPS {
            story.step().await?;
        }
        story.settles().await?;

        let table = story.history.last().cloned().unwrap_or_default();
        assert_eq!(story.screen.rows, table, "in the end, in story {seed}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_loads_the_list_before_subscribing_misses_a_change() -> Check {
    let server = serve(app());

    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&server, "ben", "POST /users", user).await?;
    let mut ana = subscribes(&server, "ana", "users").await?;

    assert_eq!(list.body, json!([]), "Ben was not there yet");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_old_event_does_not_undo_what_was_changed_in_silence() -> Check {
    let mut story = Story::new(0).await?;
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&story.server, "ben", "POST /users", user).await?;
    let silent = "PATCH /users/1?announce=false";
    asks(&story.server, "ben", silent, json!({ "name": "Benno" })).await?;

    story.settles().await?;

    assert_eq!(
        story.screen.rows[&1]["name"], "Benno",
        "the event says Ben, and is older"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_first_can_tell_old_events_by_their_versions() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&server, "ben", "POST /users", user).await?;
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    asks(&server, "ben", "PATCH /users/1", json!({ "name": "Benno" })).await?;

    let mut versions = Vec::new();
    for _ in 0..2 {
        let event: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        versions.push(number(&event["version"]));
    }
    assert_eq!(list.version, Some(1), "the list has Ben");
    assert_eq!(
        versions,
        [1, 2],
        "so the first of these is in the list, and the second is not"
    );
    Ok(())
}

/// How many people write at the same time, and how many changes each of them makes.
const WRITERS: usize = 8;
const CHANGES: usize = 125;

/// Creates users, renames each twice, and deletes it. The last one stays. Returns the
/// versions.
async fn writes(server: &Server, writer: usize) -> Result<Vec<i64>, Hint> {
    let mut versions = Vec::new();
    let mut id = 0;
    for step in 0..CHANGES {
        let name = format!("{writer}-{step}");
        let email = format!("{name}@example.org");
        let (what, body) = match step % 4 {
            0 => ("POST /users".into(), json!({ "name": name, "email": email })),
            3 => (format!("DELETE /users/{id}"), Value::Null),
            _ => (format!("PATCH /users/{id}"), json!({ "name": name })),
        };
        let reply = asks(server, "ben", &what, body).await?;
        id = reply.body["id"].as_i64().unwrap_or(id);
        versions.push(reply.version.expect("it is allowed"));
    }
    Ok(versions)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_changes_of_eight_writers_none_is_lost_doubled_or_out_of_order() -> Check {
    let config = Config {
        outbox_size: WRITERS * CHANGES,
        change_burst: at_least_one(10_000),
        ..config()
    };
    let server = Arc::new(serve(app_with(config)));
    let mut ana = subscribes(&server, "ana", "users").await?;

    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let server = server.clone();
        writers.spawn(async move { writes(&server, writer).await });
    }
    let all: Vec<i64> = (1..=(WRITERS * CHANGES) as i64).collect();
    let mut screen = Screen { state: State::Live, ..Screen::default() };
    let mut versions = Vec::new();
    for _ in &all {
        let event: Value = serde_json::from_str(&ana.hears_any().await?).expect("JSON");
        versions.push(number(&event["version"]));
        screen.receive(event);
    }
    let mut answers = Vec::new();
    while let Some(versions) = writers.join_next().await {
        answers.extend(versions.expect("nobody panics")?);
    }
    answers.sort_unstable();

    assert_eq!(versions, all, "what Ana has heard");
    assert_eq!(answers, all, "what the writers were told, sorted");
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    let rows: Vec<Value> = screen.rows.into_values().collect();
    assert_eq!(rows.len(), WRITERS, "the last user of each writer");
    assert_eq!(list.body, json!(rows), "so her table is the list");
    Ok(())
}
