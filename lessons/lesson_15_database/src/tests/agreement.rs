//! The promise of lesson 14, over a list that comes in parts: who follows first, loads all
//! parts then, and applies the events, never shows a list that has not been there.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    mem,
    time::Duration,
};

use probe::{Check, Client, Hint, Server, serve};
use serde_json::{Value, json};

use super::{NONE, Reply, app, asks, new_user, subscribes};

type Table = BTreeMap<i64, Value>;

/// How many stories we tell, and how long each is.
const STORIES: u64 = 20;
const STEPS: usize = 80;

/// What `static/live.js` does, on connections that may be late.
#[derive(Default)]
struct Screen {
    rows: Table,
    /// The version that we have of each row, those included that are gone.
    seen: HashMap<i64, i64>,
    /// The version of the last part of the list.
    loaded: i64,
    /// The newest version that has arrived.
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
        self.loaded = part.version.unwrap_or_default();
        self.latest = self.latest.max(self.loaded);
        for row in part.body.as_array().into_iter().flatten() {
            let id = number(&row["id"]);
            self.seen.insert(id, self.loaded);
            self.rows.insert(id, row.clone());
        }
        if part.link.is_none() {
            self.state = State::Catching;
        }
    }

    fn receive(&mut self, message: Value) {
        match message["type"].as_str() {
            Some("pong") => {
                for event in mem::take(&mut self.early) {
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
    after: i64,
}

impl Story {
    async fn new(seed: u64) -> Result<Self, Hint> {
        let server = serve(app());
        let ana = subscribes(&server, "ana").await?;
        Ok(Self {
            server,
            dice: Dice(seed),
            history: vec![Table::new()],
            ana,
            screen: Screen::default(),
            events: VecDeque::new(),
            parts: VecDeque::new(),
            after: 0,
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
        let id = table.keys().nth(self.dice.roll(8) as usize).copied();
        match (self.dice.roll(4), id) {
            (0, Some(id)) => {
                asks(&self.server, "ben", &format!("DELETE /users/{id}"), NONE).await?;
                table.remove(&id);
            }
            (1 | 2, Some(id)) => {
                let what = format!("PATCH /users/{id}");
                let body = json!({ "name": format!("Name {number}") });
                table.insert(id, asks(&self.server, "ben", &what, body).await?.body);
            }
            _ => {
                let new = new_user(&format!("Name{number}"));
                let row = asks(&self.server, "ben", "POST /users", new).await?.body;
                table.insert(self::number(&row["id"]), row);
            }
        }
        self.history.push(table);
        Ok(())
    }

    async fn ana_asks_for_a_part(&mut self) -> Check {
        if self.screen.state == State::Loading && self.parts.is_empty() {
            let what = format!("GET /users?limit=2&after={}", self.after);
            self.parts.push_back(asks(&self.server, "ana", &what, NONE).await?);
        }
        Ok(())
    }

    async fn a_part_arrives(&mut self) -> Check {
        if let Some(part) = self.parts.pop_front() {
            self.screen.load(&part);
            let last = part.body.as_array().and_then(|rows| rows.last());
            self.after = last.map(|row| number(&row["id"])).unwrap_or_default();
            if self.screen.state == State::Catching {
                self.ana.says(r#"{"action":"ping"}"#).await?;
            }
        }
        Ok(())
    }

    async fn an_event_arrives(&mut self) {
        for heard in self.ana.hears_out(Duration::ZERO).await {
            self.events.push_back(serde_json::from_str(&heard).expect("it is JSON"));
        }
        if let Some(event) = self.events.pop_front() {
            self.screen.receive(event);
        }
    }

    /// Her connection is lost: she subscribes again, and forgets what she had.
    async fn ana_reconnects(&mut self) -> Check {
        self.ana = subscribes(&self.server, "ana").await?;
        self.screen = Screen::default();
        self.events.clear();
        self.parts.clear();
        self.after = 0;
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

#[tokio::test(start_paused = true)]
async fn who_loads_all_parts_and_applies_the_events_always_shows_a_list_that_was_there()
-> Check {
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
