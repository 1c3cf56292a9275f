//! What the configuration promises.

use std::ffi::OsString;

use crate::config::Config;

/// What the program reads when these variables are set.
fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
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
        max_connections_per_user: 3,
        max_rooms: 3,
        max_members_per_room: 3,
    };
    assert_eq!(config, Ok(expected), "no default is more than anybody can reach");
}

#[test]
fn values_that_contradict_each_other_get_a_sentence() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[("MAX_CONNECTIONS_PER_USER", "801")],
            r#"MAX_CONNECTIONS_PER_USER is "801", not a whole number from 1 to 800."#,
        ),
        (
            &[("MAX_ROOMS", "801")],
            r#"MAX_ROOMS is "801", not a whole number from 1 to 800."#,
        ),
        (
            &[("MAX_CONNECTIONS", "39"), ("MAX_MEMBERS_PER_ROOM", "40")],
            r#"MAX_MEMBERS_PER_ROOM is "40", not a whole number from 1 to 39."#,
        ),
        // An outbox takes 256 batches: a message of each, and one announcement.
        (
            &[("MAX_MEMBERS_PER_ROOM", "256")],
            r#"MAX_MEMBERS_PER_ROOM is "256", not a whole number from 1 to 255."#,
        ),
        (&[("MAX_MEMBERS_PER_ROOM", "255")], "no problem"),
        (&[("MAX_CONNECTIONS", "39"), ("MAX_ROOMS", "39")], "no problem"),
    ];

    for (variables, sentence) in cases {
        assert_eq!(problem(variables), sentence, "{variables:?}");
    }
}

#[test]
fn a_value_that_is_no_limit_gets_a_sentence_that_names_the_variable() {
    let cases = [
        ("MAX_CONNECTIONS", 1_000_000),
        ("MAX_CONNECTIONS_PER_USER", 800),
        ("MAX_ROOMS", 800),
        ("MAX_MEMBERS_PER_ROOM", 255),
    ];

    for (name, max) in cases {
        let huge = "18446744073709551616";
        for value in ["0", "", " ", "many", "-1", "1.5", "1_000", "1000001", huge] {
            let sentence =
                format!("{name} is {value:?}, not a whole number from 1 to {max}.");
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
        Err(r#"MAX_ROOMS is "5\xFF", not a whole number from 1 to 800."#.into()),
        "the sentence shows what is there"
    );
}
