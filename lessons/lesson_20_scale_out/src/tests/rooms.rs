//! The rooms of a node, as the stream changes them.

use async_nats::{
    ConnectOptions,
    jetstream::{self, Message},
};
use lesson_08_auth::RoomName;
use lesson_18_delivery::REPLACED;
use serde_json::Value;

use super::people::username;
use crate::{
    follower::{apply, receive},
    lease::LEASE_LOST,
    rooms::{Member, Outgoing, RoomManager},
    storage::Subject,
};

fn room() -> RoomName {
    RoomName::try_from("rust".to_owned()).expect("a good name")
}

/// What the stream says: number, name, and the node, or `-` for somebody who has left. With a
/// `!` behind the node, nobody is told.
fn says(rooms: &RoomManager, seq: i64, name: &str, node: &str) {
    let subject = Subject::Member(room(), username(name)).to_string();
    let (node, announce) = node.strip_suffix('!').map_or((node, true), |n| (n, false));
    let presence = match node {
        "-" => r#"{"type":"left"}"#.to_owned(),
        _ => format!(r#"{{"type":"joined","node":"{node}","announce":{announce}}}"#),
    };
    rooms.apply(|rooms| {
        apply(rooms, &subject, seq, presence.as_bytes());
        rooms.advance(seq);
    });
}

/// Somebody who is here, with the claim of this number.
fn joins(rooms: &RoomManager, seq: i64, name: &str) -> Member {
    let mut member = rooms.open(room(), username(name));
    says(rooms, seq, name, "here");
    assert!(member.confirm(seq), "{name} has the last claim");
    member
}

/// The announcements for a member, as in `+ana` and `-ana`. `closed` if its outbox is.
fn heard(member: &mut Member) -> String {
    let mut heard = Vec::new();
    loop {
        match member.outbox.try_recv() {
            Ok(Outgoing::Announcements(texts)) => {
                for (_, text) in texts.iter().filter(|(seq, _)| *seq > member.claim) {
                    let message: Value = serde_json::from_str(text).unwrap_or_default();
                    let sign = if message["type"] == "user_joined" { '+' } else { '-' };
                    heard.push(format!(
                        "{sign}{}",
                        message["username"].as_str().unwrap_or_default()
                    ));
                }
            }
            Ok(Outgoing::Chat(seq, _)) => heard.push(seq.to_string()),
            Err(error) if member.outbox.is_closed() => {
                assert!(!error.to_string().is_empty(), "it is closed");
                heard.push("closed".into());
                return heard.join(" ");
            }
            Err(_) => return heard.join(" "),
        }
    }
}

#[test]
fn whoever_is_here_receives_what_comes_behind_its_own_claim() {
    let rooms = RoomManager::default();
    says(&rooms, 1, "ana", "there");

    let mut ben = joins(&rooms, 2, "ben");
    says(&rooms, 3, "cem", "there");
    says(&rooms, 4, "ana", "-");

    assert_eq!(heard(&mut ben), "+cem -ana", "neither Ana's join nor its own");
}

#[test]
fn what_is_applied_before_the_claim_is_acknowledged_is_not_missing() {
    let rooms = RoomManager::default();

    let mut ben = rooms.open(room(), username("ben"));
    says(&rooms, 1, "ana", "there");
    says(&rooms, 2, "ben", "here");
    says(&rooms, 3, "cem", "there");
    assert!(ben.confirm(2), "his claim is the last one");

    assert_eq!(heard(&mut ben), "+cem", "what is behind his claim, and no more");
}

#[test]
fn a_later_claim_closes_the_outbox_of_an_earlier_one() {
    for node in ["there", "there!", "here!"] {
        let rooms = RoomManager::default();
        let mut ana = joins(&rooms, 1, "ana");

        says(&rooms, 2, "ana", node);

        assert_eq!(heard(&mut ana), "closed", "another connection has the name: {node}");
        assert!(!ana.reopen(), "and keeps it");
        assert_eq!(ana.close_reason(), REPLACED, "so this one stays away");
    }
}

/// The others believe that this node is dead.
#[test]
fn whoever_has_lost_a_name_that_is_free_is_not_replaced() {
    let rooms = RoomManager::default();
    let mut ana = joins(&rooms, 1, "ana");

    says(&rooms, 2, "ana", "-");

    assert_eq!(heard(&mut ana), "closed", "somebody else may have the name");
    assert_eq!(ana.close_reason(), LEASE_LOST, "nobody has it, so she should come back");
}

#[test]
fn a_claim_that_was_overtaken_is_not_confirmed() {
    let rooms = RoomManager::default();

    let mut ana = rooms.open(room(), username("ana"));
    says(&rooms, 2, "ana", "there!");
    assert!(!ana.confirm(1), "the later claim has the name");

    let mut ana = rooms.open(room(), username("ana"));
    says(&rooms, 4, "ana", "-");
    assert!(!ana.confirm(3), "the name is free again");

    let mut ana = rooms.open(room(), username("ana"));
    assert!(ana.confirm(5), "what is not applied yet may be ours");
    says(&rooms, 6, "ana", "there!");
    assert_eq!(heard(&mut ana), "closed", "until a later claim comes");
}

#[test]
fn a_name_that_changes_hands_unseen_has_left_and_joined() {
    let rooms = RoomManager::default();
    let mut ben = joins(&rooms, 1, "ben");

    says(&rooms, 2, "ana", "there");
    says(&rooms, 4, "ana", "elsewhere");
    assert_eq!(heard(&mut ben), "+ana -ana +ana", "what was between is no longer kept");

    says(&rooms, 5, "ana", "there!");
    assert_eq!(heard(&mut ben), "", "who replaces its own connection never left");
    says(&rooms, 6, "ana", "-");
    says(&rooms, 7, "ana", "-");
    assert_eq!(heard(&mut ben), "-ana", "and leaves once");
}

/// A node that was cut off finds the last claim of a name, and none of those before it.
#[test]
fn a_join_that_nobody_here_has_seen_is_announced_with_the_claim_that_replaced_it() {
    let rooms = RoomManager::default();
    let mut ben = joins(&rooms, 1, "ben");

    says(&rooms, 3, "ana", "there!");
    says(&rooms, 4, "ana", "-");

    assert_eq!(heard(&mut ben), "+ana -ana", "who leaves has joined before");
}

#[test]
fn a_crowd_is_announced_together() {
    let rooms = RoomManager::default();
    let mut ben = joins(&rooms, 1, "ben");
    heard(&mut ben);

    rooms.apply(|rooms| {
        for i in 0..1_000 {
            let subject =
                Subject::Member(room(), username(&format!("member-{i}"))).to_string();
            let joined = r#"{"type":"joined","node":"there","announce":true}"#;
            apply(rooms, &subject, 2 + i, joined.as_bytes());
        }
    });

    let Ok(Outgoing::Announcements(texts)) = ben.outbox.try_recv() else {
        panic!("there is one message for all of them");
    };
    assert_eq!(texts.len(), 1_000, "and all are in it");
    assert!(ben.outbox.try_recv().is_err(), "so the outbox does not overflow");
}

/// The consumer of the library begins with the first message when it is created anew and has seen
/// nothing yet.
#[tokio::test]
async fn what_a_consumer_delivers_once_more_is_passed_over() {
    let rooms = RoomManager::default();
    let mut ben = joins(&rooms, 1, "ben");
    says(&rooms, 2, "ana", "there");
    says(&rooms, 3, "ana", "-");
    assert_eq!(heard(&mut ben), "+ana -ana", "she was there");
    let nowhere = ConnectOptions::new().retry_on_initial_connect();
    let client = nowhere.connect("127.0.0.1:1").await.expect("it waits for nobody");
    let context = jetstream::new(client);

    for (count, seq) in (1..=3).zip(1..=3) {
        let reply = format!("$JS.ACK.CHAT.consumer.1.{seq}.{count}.0.0");
        let joined = r#"{"type":"joined","node":"there","announce":true}"#;
        let message = async_nats::Message {
            subject: Subject::Member(room(), username("ana")).to_string().into(),
            reply: Some(reply.into()),
            payload: joined.into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        };
        let message = Message { message, context: context.clone() };
        let received = rooms.apply(|rooms| receive(rooms, &message, count));
        received.expect("none of them is missing");
    }

    assert_eq!(heard(&mut ben), "", "she is not there once more");
    assert_eq!(rooms.position(), 3, "and the node has not gone back");
}

#[test]
fn what_no_node_of_ours_has_written_is_passed_over() {
    let rooms = RoomManager::default();
    let mut ben = joins(&rooms, 1, "ben");

    rooms.apply(|rooms| {
        for (subject, payload) in [
            ("room.x72757374.chat", "{}"),
            ("room.x72757374.chat", "hello"),
            ("room.x72757374.member.x616e61", "{\"type\":\"joined\"}"),
            ("room.*.chat", "{}"),
            ("something else", ""),
        ] {
            apply(rooms, subject, 2, payload.as_bytes());
        }
    });

    assert_eq!(heard(&mut ben), "", "and the node goes on");
}
