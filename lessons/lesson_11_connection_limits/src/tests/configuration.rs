//! What the configuration promises.

use std::ffi::OsString;

use crate::{config::Config, connection_limits::SURPLUS_FACTOR};

/// What the program reads when these variables are set.
pub fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Config::read(|name| value(name).map(|(_, value)| value.into()))
}

fn problem(variables: &[(&str, &str)]) -> String {
    read(variables).err().unwrap_or_else(|| "no problem".into())
}

#[test]
fn each_variable_sets_its_field_and_no_other() {
    let default = Config {
        max_connections: 800,
        max_connections_per_user: 5,
        max_rooms: 100,
        max_members_per_room: 40,
    };
    let cases = [
        ("MAX_CONNECTIONS", Config { max_connections: 123, ..default.clone() }),
        (
            "MAX_CONNECTIONS_PER_USER",
            Config { max_connections_per_user: 123, ..default.clone() },
        ),
        ("MAX_ROOMS", Config { max_rooms: 123, ..default.clone() }),
        ("MAX_MEMBERS_PER_ROOM", Config { max_members_per_room: 123, ..default.clone() }),
    ];

    assert_eq!(read(&[]), Ok(default), "without any variable");
    for (name, expected) in cases {
        assert_eq!(read(&[(name, "123")]), Ok(expected), "{name} alone is set");
        assert_ne!(read(&[(name, "-1")]).ok(), read(&[]).ok(), "{name} is read");
    }
}

#[test]
fn one_variable_is_enough_for_a_small_server() {
    let config = read(&[("MAX_CONNECTIONS", "3")]);

    let expected = Config {
        max_connections: 3,
        max_connections_per_user: 1,
        max_rooms: 3,
        max_members_per_room: 3,
    };
    assert_eq!(config, Ok(expected), "no default is more than anybody can reach");
}

#[test]
fn with_its_surplus_no_person_may_hold_all_connections() {
    for max_connections in 4..=1_000 {
        let all = max_connections.to_string();
        let largest = (1..=max_connections).rev().find_map(|own| {
            let own = own.to_string();
            read(&[("MAX_CONNECTIONS", &all), ("MAX_CONNECTIONS_PER_USER", &own)]).ok()
        });
        for config in [largest, read(&[("MAX_CONNECTIONS", &all)]).ok()] {
            let own = config.map(|config| config.max_connections_per_user);
            let held = own.map(|own| own + SURPLUS_FACTOR * own);
            assert!(held.is_some_and(|held| held < max_connections), "{held:?} of {all}");
        }
    }
}

#[test]
fn values_that_contradict_each_other_get_a_sentence_with_the_reason() {
    let third = "1, or less than a third of MAX_CONNECTIONS";
    let reach = "at most MAX_CONNECTIONS";
    let outbox = "at most MAX_CONNECTIONS, less than an outbox takes";
    let cases = [
        (800, "MAX_CONNECTIONS_PER_USER", 266, third),
        (15, "MAX_CONNECTIONS_PER_USER", 4, third),
        (3, "MAX_CONNECTIONS_PER_USER", 1, third),
        (1, "MAX_CONNECTIONS_PER_USER", 1, third),
        (800, "MAX_ROOMS", 800, reach),
        (3, "MAX_ROOMS", 3, reach),
        (39, "MAX_MEMBERS_PER_ROOM", 39, outbox),
        // An outbox takes 256 batches: a message of each, and one announcement.
        (800, "MAX_MEMBERS_PER_ROOM", 255, outbox),
    ];

    for (all, name, max, why) in cases {
        let all = all.to_string();
        let problem_of = |value: usize| {
            problem(&[("MAX_CONNECTIONS", all.as_str()), (name, &value.to_string())])
        };
        assert_eq!(problem_of(max), "no problem", "{name}, with {all} connections");
        let more = max + 1;
        let sentence =
            format!(r#"{name} is "{more}", not a whole number from 1 to {max} ({why})."#);
        assert_eq!(problem_of(more), sentence, "{name}, with {all} connections");
    }
}

#[test]
fn a_value_that_is_no_limit_gets_a_sentence_that_names_the_variable() {
    let cases = [
        ("MAX_CONNECTIONS", 1_000_000, "few systems allow more files"),
        ("MAX_CONNECTIONS_PER_USER", 266, "1, or less than a third of MAX_CONNECTIONS"),
        ("MAX_ROOMS", 800, "at most MAX_CONNECTIONS"),
        (
            "MAX_MEMBERS_PER_ROOM",
            255,
            "at most MAX_CONNECTIONS, less than an outbox takes",
        ),
    ];

    for (name, max, why) in cases {
        let huge = "18446744073709551616";
        for value in ["0", "", " ", "many", "-1", "1.5", "1_000", "1000001", huge] {
            let sentence = format!(
                "{name} is {value:?}, not a whole number from 1 to {max} ({why})."
            );
            assert_eq!(problem(&[(name, value)]), sentence, "{name}={value}");
        }
    }
    let spaces = read(&[("MAX_ROOMS", " 7 ")]).map(|config| config.max_rooms);
    assert_eq!(spaces, Ok(7), "blanks around a number do no harm");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_unicode_is_a_mistake_and_no_default() {
    use std::os::unix::ffi::OsStringExt;

    let read =
        |name: &str| (name == "MAX_ROOMS").then(|| OsString::from_vec(b"5\xff".into()));

    assert_eq!(
        Config::read(read),
        Err(r#"MAX_ROOMS is "5\xFF", not a whole number from 1 to 800 (at most MAX_CONNECTIONS)."#.into()),
        "the sentence shows what is there"
    );
}
