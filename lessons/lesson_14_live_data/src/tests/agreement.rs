//! The promise of this lesson: whoever loads the list and follows the events never shows
//! a wrong state.

use std::collections::{BTreeMap, HashMap, VecDeque};

use probe::{Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

use super::{
    app,
    asking::{Reply, asks, follows},
};

type Table = BTreeMap<i64, Value>;

/// How many stories we tell, and how long each is.
const STORIES: u64 = 20;
const STEPS: usize = 80;

/// What `static/live.js` does, with a line on which things can wait.
#[derive(Default)]
struct Screen {
    rows: Table,
    /// Which change each row comes from, those included that are gone.
    seen: HashMap<i64, i64>,
    /// The change of the last part of the list.
    loaded: i64,
    /// The last change that has arrived.
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
    fn load(&mut self, page: &Value) {
        self.loaded = number(&page["change"]);
        self.latest = self.latest.max(self.loaded);
        for row in page["data"].as_array().into_iter().flatten() {
            let id = number(&row["id"]);
            self.seen.insert(id, self.loaded);
            self.rows.insert(id, row.clone());
        }
        if page["next"].is_null() {
            self.state = State::Catching;
        }
    }

    fn hear(&mut self, message: Value) {
        match message["type"].as_str() {
            Some("stats") => {
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
        let (change, id) = (number(&event["change"]), number(&event["data"]["id"]));
        if change <= *self.seen.get(&id).unwrap_or(&self.loaded) {
            return; // Old news.
        }
        self.seen.insert(id, change);
        self.latest = self.latest.max(change);
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
    /// line, lists on another.
    events: VecDeque<Value>,
    pages: VecDeque<Value>,
    after: i64,
}

impl Story {
    async fn new(seed: u64) -> Result<Self, Hint> {
        let server = serve(app());
        let ana = follows(&server, "ana", "users").await?;
        Ok(Self {
            server,
            dice: Dice(seed),
            history: vec![Table::new()],
            ana,
            screen: Screen::default(),
            events: VecDeque::new(),
            pages: VecDeque::new(),
            after: 0,
        })
    }

    async fn step(&mut self) -> Check {
        match self.dice.roll(9) {
            0..=2 => self.somebody_writes().await?,
            3 | 4 => self.ana_asks_for_a_page().await?,
            5 => self.a_page_arrives().await?,
            6 | 7 => self.an_event_arrives().await,
            _ if self.dice.roll(8) == 0 => self.ana_comes_again().await?,
            _ => {}
        }
        if self.screen.state == State::Live {
            let expected = &self.history[self.screen.latest as usize];
            assert_eq!(&self.screen.rows, expected, "change {}", self.screen.latest);
        }
        Ok(())
    }

    async fn somebody_writes(&mut self) -> Check {
        let mut table = self.history.last().cloned().unwrap_or_default();
        let number = self.history.len();
        // Before Ana asks for the list, a change in silence is in the list, too.
        let early = self.screen.state == State::Loading && self.screen.loaded == 0;
        let silent = early && self.pages.is_empty() && self.dice.roll(2) == 0;
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

    async fn ana_asks_for_a_page(&mut self) -> Check {
        if self.screen.state == State::Loading && self.pages.is_empty() {
            let what = format!("GET /users?limit=2&after={}", self.after);
            let page = asks(&self.server, "ana", &what, Value::Null).await?.body;
            self.pages.push_back(page);
        }
        Ok(())
    }

    async fn a_page_arrives(&mut self) -> Check {
        if let Some(page) = self.pages.pop_front() {
            self.screen.load(&page);
            self.after = page["next"].as_i64().unwrap_or_default();
            if self.screen.state == State::Catching {
                self.ana.says(r#"{"action":"get_stats"}"#).await?;
            }
        }
        Ok(())
    }

    async fn an_event_arrives(&mut self) {
        for heard in self.ana.hears_out(std::time::Duration::ZERO).await {
            self.events.push_back(serde_json::from_str(&heard).expect("it is JSON"));
        }
        if let Some(event) = self.events.pop_front() {
            self.screen.hear(event);
        }
    }

    /// Her line dropped: she follows again, and forgets what she knew.
    async fn ana_comes_again(&mut self) -> Check {
        self.ana = follows(&self.server, "ana", "users").await?;
        self.screen = Screen::default();
        self.events.clear();
        self.pages.clear();
        self.after = 0;
        Ok(())
    }

    /// Nobody writes any more, and everything arrives.
    async fn comes_to_rest(&mut self) -> Check {
        while self.screen.state == State::Loading {
            self.ana_asks_for_a_page().await?;
            self.a_page_arrives().await?;
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
async fn who_loads_the_list_and_follows_the_events_never_shows_a_wrong_state() -> Check {
    for seed in 0..STORIES {
        let mut story = Story::new(seed).await?;
        for _ in 0..STEPS {
            story.step().await?;
        }
        story.comes_to_rest().await?;

        let table = story.history.last().cloned().unwrap_or_default();
        assert_eq!(story.screen.rows, table, "in the end, in story {seed}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_loads_the_list_before_following_misses_a_change() -> Check {
    let server = serve(app());

    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&server, "ben", "POST /users", user).await?;
    let mut ana = follows(&server, "ana", "users").await?;

    assert_eq!(list.body["data"], json!([]), "Ben was not there yet");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_old_event_does_not_undo_what_was_changed_in_silence() -> Check {
    let mut story = Story::new(0).await?;
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&story.server, "ben", "POST /users", user).await?;
    let silent = "PATCH /users/1?announce=false";
    asks(&story.server, "ben", silent, json!({ "name": "Benno" })).await?;

    story.comes_to_rest().await?;

    assert_eq!(
        story.screen.rows[&1]["name"], "Benno",
        "the event says Ben, and is older"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_follows_first_can_tell_old_events_by_their_numbers() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&server, "ben", "POST /users", user).await?;
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    asks(&server, "ben", "PATCH /users/1", json!({ "name": "Benno" })).await?;

    let mut changes = Vec::new();
    for _ in 0..2 {
        let event: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        changes.push(number(&event["change"]));
    }
    assert_eq!(list.body["change"], 1, "the list has Ben");
    assert_eq!(
        changes,
        [1, 2],
        "so the first of these is old news, and the second is not"
    );
    Ok(())
}
