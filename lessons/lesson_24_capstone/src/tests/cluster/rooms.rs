//! The rooms of a node, as the stream changes them.

use serde_json::Value;

use super::{people::username, roomy};
use crate::{
    chat::Queued,
    cluster::{LEASE_LOST, Member, RoomManager, Subject, apply},
    config::Config,
    limits::{ConnectionLimits, ConnectionPermit},
    names::RoomName,
    server::Shutdown,
    session::Disconnect,
};

fn rooms() -> RoomManager {
    RoomManager::new(&roomy(), Shutdown::default())
}

fn permit(name: &str) -> ConnectionPermit {
    let limits = ConnectionLimits::new(&Config::default());
    limits.acquire(&username(name)).expect("there is room for one")
}

/// Somebody whose claim is on its way.
fn opens(rooms: &RoomManager, name: &str) -> Member {
    let opened = rooms.open(room(), username(name), &permit(name), false);
    opened.expect("within the limits").0
}

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
    let mut member = opens(rooms, name);
    says(rooms, seq, name, "here");
    assert!(member.confirm(seq), "{name} has the last claim");
    member
}

/// The announcements for a member, as in `+ana` and `-ana`, and the numbers of chats. `closed`
/// if its outbox is, because another connection has taken its place.
fn heard(member: &mut Member) -> String {
    let mut heard = Vec::new();
    for queued in member.outbox.take_all() {
        match queued {
            Queued::Announcements(texts) => {
                for (_, text) in texts.iter().filter(|(seq, _)| *seq > member.claim) {
                    let message: Value = serde_json::from_str(text).unwrap_or_default();
                    let sign = if message["type"] == "user_joined" { '+' } else { '-' };
                    heard.push(format!(
                        "{sign}{}",
                        message["username"].as_str().unwrap_or_default()
                    ));
                }
            }
            Queued::Chat(seq, _) => heard.push(seq.to_string()),
            Queued::Announcement(_) => unreachable!("here, joins have numbers"),
        }
    }
    if member.is_closed() {
        heard.push("closed".into());
    }
    heard.join(" ")
}

#[test]
fn whoever_is_here_receives_what_comes_behind_its_own_claim() {
    let rooms = rooms();
    says(&rooms, 1, "ana", "there");

    let mut ben = joins(&rooms, 2, "ben");
    says(&rooms, 3, "cem", "there");
    says(&rooms, 4, "ana", "-");

    assert_eq!(heard(&mut ben), "+cem -ana", "neither Ana's join nor its own");
}

#[test]
fn what_is_applied_before_the_claim_is_acknowledged_is_not_missing() {
    let rooms = rooms();

    let mut ben = opens(&rooms, "ben");
    says(&rooms, 1, "ana", "there");
    says(&rooms, 2, "ben", "here");
    says(&rooms, 3, "cem", "there");
    assert!(ben.confirm(2), "his claim is the last one");

    assert_eq!(heard(&mut ben), "+cem", "what is behind his claim, and no more");
}

#[test]
fn a_later_claim_closes_the_outbox_of_an_earlier_one() {
    for node in ["there", "there!", "here!"] {
        let rooms = rooms();
        let mut ana = joins(&rooms, 1, "ana");

        says(&rooms, 2, "ana", node);

        assert_eq!(heard(&mut ana), "closed", "another connection has the name: {node}");
        assert!(!ana.reopen(), "and keeps it");
        assert_eq!(ana.close_reason(), Disconnect::REPLACED, "so this one stays away");
    }
}

/// The others believe that this node is dead.
#[test]
fn whoever_has_lost_a_name_that_is_free_is_not_replaced() {
    let rooms = rooms();
    let mut ana = joins(&rooms, 1, "ana");

    says(&rooms, 2, "ana", "-");

    assert_eq!(heard(&mut ana), "closed", "somebody else may have the name");
    assert_eq!(ana.close_reason(), LEASE_LOST, "nobody has it, so she should come back");
}

#[test]
fn a_claim_that_was_overtaken_is_not_confirmed() {
    let rooms = rooms();

    let mut ana = opens(&rooms, "ana");
    says(&rooms, 2, "ana", "there!");
    assert!(!ana.confirm(1), "the later claim has the name");

    let mut ana = opens(&rooms, "ana");
    says(&rooms, 4, "ana", "-");
    assert!(!ana.confirm(3), "the name is free again");

    let mut ana = opens(&rooms, "ana");
    assert!(ana.confirm(5), "what is not applied yet may be ours");
    says(&rooms, 6, "ana", "there!");
    assert_eq!(heard(&mut ana), "closed", "until a later claim comes");
}

#[test]
fn a_name_that_changes_hands_unseen_has_left_and_joined() {
    let rooms = rooms();
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
    let rooms = rooms();
    let mut ben = joins(&rooms, 1, "ben");

    says(&rooms, 3, "ana", "there!");
    says(&rooms, 4, "ana", "-");

    assert_eq!(heard(&mut ben), "+ana -ana", "who leaves has joined before");
}

#[test]
fn a_crowd_is_announced_together() {
    let rooms = rooms();
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

    let queued = ben.outbox.take_all();
    let [Queued::Announcements(texts)] = &queued[..] else {
        panic!("there is one message for all of them, and not {}", queued.len());
    };
    assert_eq!(texts.len(), 1_000, "and all are in it, so the outbox does not overflow");
}

#[test]
fn what_no_node_of_ours_has_written_is_passed_over() {
    let rooms = rooms();
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

/// Who is on other nodes counts, too, and so does whoever is about to join here.
#[test]
fn the_limits_of_rooms_and_members_count_all_nodes() {
    let two = || super::so_many(2);
    let config = Config { max_rooms: two(), max_members_per_room: two(), ..roomy() };
    let rooms = RoomManager::new(&config, Shutdown::default());
    let open = |name: &str, room: RoomName| {
        let opened = rooms.open(room, username(name), &permit(name), false);
        opened.map(|(member, _)| member)
    };
    let named = |name: &str| RoomName::try_from(name.to_owned()).expect("a good name");

    says(&rooms, 1, "ana", "there");
    let ben = open("ben", room()).expect("there is room for one more");
    assert_eq!(open("cem", room()).err(), Some(Disconnect::ROOM_FULL), "and no more");
    assert!(open("ana", room()).is_ok(), "whether her name is taken, the broker says");
    let tea = open("cem", named("tea")).expect("there is room for one more");
    let full = open("cem", named("milk")).err();
    assert_eq!(full, Some(Disconnect::TOO_MANY_ROOMS), "and no more");

    drop((ben, tea));
    assert!(open("cem", room()).is_ok(), "whoever gave up has left nothing behind");
    assert!(open("cem", named("milk")).is_ok(), "and neither has its room");
}

#[test]
fn a_connection_that_replaces_one_here_takes_over_its_permit() {
    let rooms = rooms();
    let limits = ConnectionLimits::new(&Config {
        max_connections_per_user: super::so_many(1),
        ..Config::default()
    });
    let acquire =
        || limits.acquire(&username("ana")).expect("there is room to be closed");
    let (first, second) = (acquire(), acquire());
    let open = |permit, replace| rooms.open(room(), username("ana"), permit, replace);
    assert_eq!(
        open(&second, true).err(),
        Some(Disconnect::TOO_MANY_CONNECTIONS),
        "it replaces nothing that counts here"
    );
    let (mut old, _) = open(&first, false).expect("an empty room");
    says(&rooms, 1, "ana", "here");
    assert!(old.confirm(1), "she has the last claim");

    let refused = open(&second, false).err();
    assert_eq!(refused, Some(Disconnect::TOO_MANY_CONNECTIONS), "it replaces nothing");
    let (_new, permit) = open(&second, true).expect("it replaces the first");

    second.replace(&permit.expect("the first is here"));
    let surplus = [&first, &second].map(ConnectionPermit::is_surplus);
    assert_eq!(surplus, [true, false], "the old one is the one too many now");
}

/// Each would take over the one permit of the first. Who would then keep it is one too many.
#[test]
fn of_two_that_are_too_many_one_may_replace_the_first_at_a_time() {
    let rooms = rooms();
    let limits = ConnectionLimits::new(&Config {
        max_connections_per_user: super::so_many(1),
        ..Config::default()
    });
    let permits = [(); 3].map(|()| limits.acquire(&username("ana")).expect("or closed"));
    let open = |permit, replace| rooms.open(room(), username("ana"), permit, replace);
    let (mut first, _) = open(&permits[0], false).expect("an empty room");
    says(&rooms, 1, "ana", "here");
    assert!(first.confirm(1), "she has the last claim");

    let (mut second, _) = open(&permits[1], true).expect("it replaces the first");
    let third = open(&permits[2], true).err();
    assert_eq!(third, Some(Disconnect::TOO_MANY_CONNECTIONS), "the second does that");

    says(&rooms, 2, "ana", "here!");
    assert!(second.confirm(2), "she has the last claim");
    let (_third, old) = open(&permits[2], true).expect("now it replaces the second");
    permits[1].replace(&permits[0].downgrade());
    permits[2].replace(&old.expect("the second is here"));
    let surplus = permits.each_ref().map(ConnectionPermit::is_surplus);
    assert_eq!(
        surplus,
        [true, true, false],
        "and each has its permit from the one before"
    );
}

/// All who are here leave, and each of them would hear of all the others.
#[test]
fn during_a_shutdown_nobody_here_is_told_who_leaves() {
    let shutdown = Shutdown::default();
    let rooms = RoomManager::new(&roomy(), shutdown.clone());
    let mut ben = joins(&rooms, 1, "ben");
    says(&rooms, 2, "ana", "there");
    assert_eq!(heard(&mut ben), "+ana", "before it, everybody is");

    shutdown.stop();
    says(&rooms, 3, "ana", "-");

    assert_eq!(heard(&mut ben), "", "he is about to leave himself");
    assert_eq!(rooms.list()[0].members, 1, "but the node knows it");
}
