//! The promise of this lesson: who subscribes first, and loads the list then, never shows a
//! list that has not been there.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use probe::{Check, Client, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

use super::{NONE, adds, app, asks, event, new_user, subscribes, user};

/// How many stories we tell, and how long each is.
const STORIES: u64 = 20;
const STEPS: usize = 80;

type Rows = BTreeMap<i64, Value>;

/// What a page has of the list: the same as `Replica` in `static/lesson_14.js`.
#[derive(Default)]
struct Replica {
    rows: Rows,
    /// The version of the rows. There is none before the list has been loaded.
    version: Option<i64>,
    early: Vec<Value>,
}

impl Replica {
    /// The list has been loaded.
    fn load(&mut self, version: i64, list: &Value) {
        let rows = list.as_array().into_iter().flatten();
        self.rows = rows.map(|row| (number(&row["id"]), row.clone())).collect();
        self.version = Some(version);
        for event in mem::take(&mut self.early) {
            self.receive(event);
        }
    }

    /// An event has come.
    fn receive(&mut self, event: Value) {
        let Some(version) = self.version else {
            return self.early.push(event); // Until we know how old it is.
        };
        if number(&event["version"]) <= version {
            return; // The list has it already.
        }
        self.version = Some(number(&event["version"]));
        let id = number(&event["data"]["id"]);
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

/// In which order a page gets the list and the events.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    SubscribeFirst,
    LoadFirst,
}

/// Somebody writes, and Ana has a page. Lists and events take as long as they like.
struct Story {
    order: Order,
    server: Server,
    dice: Dice,
    /// What the list was after each change.
    history: Vec<Rows>,
    replica: Replica,
    ana: Option<Client>,
    /// What the server has sent, and Ana's page has not got yet.
    events: VecDeque<Value>,
    list: Option<(i64, Value)>,
}

impl Story {
    fn new(seed: u64, order: Order) -> Self {
        Self {
            order,
            server: serve(app()),
            dice: Dice(seed),
            history: vec![Rows::new()],
            replica: Replica::default(),
            ana: None,
            events: VecDeque::new(),
            list: None,
        }
    }

    async fn step(&mut self) -> Check {
        match self.dice.roll(10) {
            0..=3 => self.somebody_writes().await?,
            4 | 5 => self.ana_goes_on().await?,
            6 => self.the_list_arrives(),
            7 | 8 => self.an_event_arrives().await,
            _ if self.dice.roll(8) == 0 => self.ana_reloads(),
            _ => {}
        }
        Ok(())
    }

    async fn somebody_writes(&mut self) -> Check {
        let mut rows = self.history.last().cloned().unwrap_or_default();
        let id = rows.keys().nth(self.dice.roll(8) as usize).copied();
        match (self.dice.roll(4), id) {
            (0, Some(id)) => {
                asks(&self.server, "ben", &format!("DELETE /users/{id}"), NONE).await?;
                rows.remove(&id);
            }
            (1 | 2, Some(id)) => {
                let what = format!("PATCH /users/{id}");
                let body = json!({ "name": format!("Name {}", self.history.len()) });
                rows.insert(id, asks(&self.server, "ben", &what, body).await?.json());
            }
            _ => {
                let new = new_user(&format!("Name{}", self.history.len()));
                let row = asks(&self.server, "ben", "POST /users", new).await?.json();
                rows.insert(number(&row["id"]), row);
            }
        }
        self.history.push(rows);
        Ok(())
    }

    /// Ana's page takes the next of its two steps.
    async fn ana_goes_on(&mut self) -> Check {
        let has_asked = self.list.is_some() || self.replica.version.is_some();
        match (self.order, self.ana.is_some(), has_asked) {
            (Order::SubscribeFirst, false, _) | (Order::LoadFirst, false, true) => {
                self.ana = Some(subscribes(&self.server, "ana").await?);
            }
            (Order::SubscribeFirst, true, false) | (Order::LoadFirst, _, false) => {
                let reply = asks(&self.server, "ana", "GET /users", NONE).await?;
                self.list = Some((reply.version.unwrap_or_default(), reply.json()));
            }
            (_, true, true) => {}
        }
        Ok(())
    }

    fn the_list_arrives(&mut self) {
        if let Some((version, list)) = self.list.take() {
            self.replica.load(version, &list);
        }
    }

    async fn an_event_arrives(&mut self) {
        if let Some(ana) = &mut self.ana {
            for text in ana.hears_out(Duration::ZERO).await {
                self.events.push_back(serde_json::from_str(&text).expect("it is JSON"));
            }
        }
        if let Some(event) = self.events.pop_front() {
            self.replica.receive(event);
        }
    }

    /// She has lost her connection, or has pressed F5: the page forgets what it knew.
    fn ana_reloads(&mut self) {
        self.replica = Replica::default();
        self.ana = None;
        self.events.clear();
        self.list = None;
    }

    /// Nobody writes any more, and everything arrives.
    async fn comes_to_rest(&mut self) -> Check {
        while self.ana.is_none() || self.replica.version.is_none() {
            self.ana_goes_on().await?;
            self.the_list_arrives();
        }
        self.an_event_arrives().await;
        while !self.events.is_empty() {
            self.an_event_arrives().await;
        }
        Ok(())
    }

    /// Whether its rows are those of the list at its version.
    fn replica_is_right(&self) -> bool {
        let Some(version) = self.replica.version else { return true }; // It has none yet.
        self.history.get(version as usize) == Some(&self.replica.rows)
    }

    fn replica_is_up_to_date(&self) -> bool {
        self.history.last() == Some(&self.replica.rows)
    }
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_first_always_shows_a_list_that_was_there() -> Check {
    for seed in 0..STORIES {
        let mut story = Story::new(seed, Order::SubscribeFirst);
        for _ in 0..STEPS {
            story.step().await?;
            let version = story.replica.version;
            let reason = "the list has never been like that";
            assert!(story.replica_is_right(), "{reason}: story {seed}, {version:?}");
        }
        story.comes_to_rest().await?;

        assert!(story.replica_is_up_to_date(), "all has arrived, in story {seed}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_loads_first_has_a_wrong_list_in_some_of_the_stories() -> Check {
    let mut wrong = 0;
    for seed in 0..STORIES {
        let mut story = Story::new(seed, Order::LoadFirst);
        for _ in 0..STEPS {
            story.step().await?;
        }
        story.comes_to_rest().await?;

        wrong += u64::from(!story.replica_is_up_to_date());
    }

    assert_eq!(wrong, 8, "so many of {STORIES} pages are wrong when all has arrived");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_loads_the_list_first_misses_a_change() -> Check {
    let server = serve(app());

    let list = asks(&server, "ana", "GET /users", NONE).await?;
    adds(&server, "Dora").await?; // Between the two steps of Ana's page.
    let mut ana = subscribes(&server, "ana").await?;

    assert_eq!(list.json(), json!([]), "Dora was not there yet");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_first_can_tell_old_events_from_new_ones() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;

    adds(&server, "Dora").await?;
    let list = asks(&server, "ana", "GET /users", NONE).await?;
    adds(&server, "Emil").await?;

    assert_eq!(list.version, Some(1), "the list has Dora");
    ana.hears(event("created", 1, user(1, "Dora"))).await?; // Old.
    ana.hears(event("created", 2, user(2, "Emil"))).await // New.
}
