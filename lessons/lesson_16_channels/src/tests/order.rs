//! Stories: subscribing and publishing are in one order, on every socket.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use probe::{Check, Client, Server, serve};
use serde_json::{Value, json};

use super::{NONE, app, asks, identity, makes, new_post, new_user, ws_path};
use crate::{
    channels::{Channel, Channels},
    events::LiveEvent,
};

/// How many stories we tell, and how long each is.
const STORIES: u64 = 20;
const STEPS: usize = 60;

/// Numbers that look random, and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// Ana subscribes and unsubscribes, while Ben writes. She reads nothing before the end.
struct Story {
    server: Server,
    ana: Client,
    dice: Dice,
    /// What she should receive: `subscribed users`, `users 7`, `pong`, …
    expected: Vec<String>,
    subscribed: [bool; 2],
    version: i64,
}

const MODELS: [&str; 2] = ["users", "posts"];

impl Story {
    async fn step(&mut self) -> Check {
        let model = self.dice.roll(2) as usize;
        let channel = MODELS[model];
        match self.dice.roll(6) {
            0 => {
                self.ana_asks(&format!("subscribe {channel}"), Some((model, true))).await
            }
            1 => {
                self.ana_asks(&format!("unsubscribe {channel}"), Some((model, false)))
                    .await
            }
            2 => self.ana_asks("ping", None).await,
            _ => {
                self.version += 1;
                let body = match model {
                    0 => new_user(&format!("Name{}", self.version)),
                    _ => new_post(1, &format!("Title {}", self.version)),
                };
                makes(&self.server, "ben", &format!("POST /{channel}"), body).await?;
                if self.subscribed[model] {
                    self.expected.push(format!("{channel} {}", self.version));
                }
                Ok(())
            }
        }
    }

    async fn ana_asks(&mut self, what: &str, change: Option<(usize, bool)>) -> Check {
        let mut words = what.split(' ');
        let (action, channel) = (words.next(), words.next());
        let request = json!({ "action": action, "channel": channel });
        self.ana.says(request.to_string()).await?;
        // The server has read it when it answers a request that came after it.
        asks(&self.server, "ben", "GET /ws/stats", NONE).await?;
        self.expected.push(match channel {
            Some(channel) => format!("{}d {channel}", action.unwrap_or_default()),
            None => "pong".into(),
        });
        if let Some((model, subscribed)) = change {
            self.subscribed[model] = subscribed;
        }
        Ok(())
    }
}

/// What a message says, in short.
fn in_short(text: &str) -> String {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    let kind = message["type"].as_str().unwrap_or_default();
    let channel = message["channel"].as_str().unwrap_or_default();
    match kind {
        "created" => format!("{channel} {}", message["version"]),
        "subscribed" | "unsubscribed" => format!("{kind} {channel}"),
        _ => kind.into(),
    }
}

#[tokio::test(start_paused = true)]
async fn between_subscribed_and_unsubscribed_come_all_events_of_a_channel_and_no_other()
-> Check {
    for seed in 0..STORIES {
        let server = serve(app());
        makes(&server, "ben", "POST /users", new_user("Dora")).await?;
        let mut ana = server.connect("Ana", &ws_path("ana", "")).await?;
        ana.hears_any().await?;
        let (dice, expected) = (Dice(seed), Vec::new());
        let mut story =
            Story { server, ana, dice, expected, subscribed: [false; 2], version: 1 };

        for _ in 0..STEPS {
            story.step().await?;
        }

        let heard = story.ana.hears_out(Duration::from_secs(1)).await;
        let heard: Vec<String> = heard.iter().map(|text| in_short(text)).collect();
        assert_eq!(heard, story.expected, "in story {seed}");
    }
    Ok(())
}

/// Two threads publish, and one client subscribes and unsubscribes all the time: whatever
/// comes between an answer and the next belongs there.
#[test]
fn no_event_comes_behind_unsubscribed_or_before_subscribed() {
    let channels = Channels::default();
    let mut ana = channels.connect(identity("ana"), None);
    ana.outbox.try_recv().expect("the greeting");
    let (waiting, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let publish = || {
        while !is_over.load(Relaxed) {
            if waiting.load(Relaxed) > 100 {
                thread::yield_now(); // More would make a slow client of her.
                continue;
            }
            let event = LiveEvent::Announcement { message: "Tea is ready." };
            let reached = channels.publish(Channel::News, &event, None);
            waiting.fetch_add(reached, Relaxed);
        }
    };

    let mut wrong = Vec::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(publish);
        }
        let (mut came, mut changes, mut subscribed) = (0, 0, false);
        while (came < 1_000 || changes < 30_000) && wrong.is_empty() {
            if subscribed {
                ana.unsubscribe(Channel::News);
            } else {
                ana.subscribe(Channel::News);
            }
            // The answer is there already, behind the events that were published before.
            loop {
                match ana.outbox.try_recv().map(|text| in_short(&text)).as_deref() {
                    Ok("announcement") if subscribed => came += 1,
                    Ok("subscribed news") if !subscribed => break,
                    Ok("unsubscribed news") if subscribed => break,
                    other => break wrong.push(format!("{other:?}")),
                }
                waiting.fetch_sub(1, Relaxed);
            }
            subscribed = !subscribed;
            changes += 1;
        }
        is_over.store(true, Relaxed); // Or this test would wait for them for ever.
    });
    assert_eq!(wrong, [""; 0], "an event on the wrong side of an answer");
}

/// All subscribers receive the same order, whoever writes.
#[tokio::test(start_paused = true)]
async fn two_subscribers_of_a_channel_receive_the_same_order() -> Check {
    let server = serve(app());
    let mut clients = Vec::new();
    for name in ["ana", "ben"] {
        clients.push(super::subscribes(&server, name, "users").await?);
    }

    for (i, writer) in ["ana", "ben", "cem"].iter().cycle().take(30).enumerate() {
        makes(&server, writer, "POST /users", new_user(&format!("Name{i}"))).await?;
    }

    let versions: Vec<String> =
        (1..=30).map(|version| format!("users {version}")).collect();
    for client in &mut clients {
        let heard = client.hears_out(Duration::from_secs(1)).await;
        let heard: Vec<String> = heard.iter().map(|text| in_short(text)).collect();
        assert_eq!(heard, versions, "in the order of the changes");
    }
    Ok(())
}
