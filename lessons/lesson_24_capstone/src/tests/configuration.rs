//! What the configuration promises.

use std::{ffi::OsString, time::Duration};

use super::people::username;
use crate::{
    app::AppState,
    cluster::END_TIMEOUT,
    config::{Config, help},
    database::CLOSE_TIMEOUT,
    server::Shutdown,
};

/// What the program reads in this environment.
fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
    Config::read(variables.collect())
}

fn problem(variables: &[(&str, &str)]) -> String {
    read(variables).err().unwrap_or_else(|| "no problem".into())
}

/// A variable, a value that is not its default, and where the value should arrive.
type Case = (&'static str, &'static str, fn(&Config) -> String);

/// What has to be set before this variable may be.
fn needs(name: &str) -> &'static [(&'static str, &'static str)] {
    let node = &[
        ("CHAT_NATS_URL", "127.0.0.1:1"),
        ("CHAT_JWT_SECRET", "a secret for the tests, 32 bytes or more"),
    ];
    if name.starts_with("CHAT_NATS_") { node } else { &[] }
}

const CASES: [Case; 29] = [
    ("CHAT_ADDR", "192.0.2.1:80", |config| config.addr.to_string()),
    ("CHAT_DATABASE", "chat.db", |config| {
        config
            .database
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }),
    ("CHAT_MAX_DATABASE_SIZE", "12", |config| config.max_database_size.to_string()),
    ("CHAT_ALLOWED_ORIGINS", "https://a,https://b", |config| {
        config.allowed_origins.clone()
    }),
    ("CHAT_SECURE_COOKIES", "true", |config| config.secure_cookies.to_string()),
    ("CHAT_TRUSTED_PROXIES", "10.0.0.1", |config| {
        config.trusted_proxies.iter().map(ToString::to_string).collect()
    }),
    ("CHAT_LOG_FORMAT", "json", |config| {
        format!("{:?}", config.log_format).to_lowercase()
    }),
    ("CHAT_LOG_FILTER", "debug", |config| config.log_filter.to_string()),
    ("CHAT_METRICS_ADDR", "127.0.0.1:9000", |config| {
        config.metrics_addr.map(|addr| addr.to_string()).unwrap_or_default()
    }),
    ("CHAT_NATS_REPLICAS", "3", |config| config.nats_replicas.to_string()),
    ("CHAT_NATS_MAX_SIZE", "100", |config| {
        config.nats_max_size.map(|size| size.to_string()).unwrap_or_default()
    }),
    ("CHAT_MAX_CONNECTIONS", "1", |config| config.max_connections.to_string()),
    ("CHAT_MAX_CONNECTIONS_PER_USER", "2", |config| {
        config.max_connections_per_user.to_string()
    }),
    ("CHAT_MAX_HTTP_CONNECTIONS", "3", |config| config.max_http_connections.to_string()),
    ("CHAT_MAX_MEMBERS_PER_ROOM", "4", |config| config.max_members_per_room.to_string()),
    ("CHAT_MAX_ROOMS", "5", |config| config.max_rooms.to_string()),
    ("CHAT_OUTBOX_SIZE", "2000", |config| config.outbox_size.to_string()),
    ("CHAT_MESSAGES_PER_SECOND", "6", |config| config.messages_per_second.to_string()),
    ("CHAT_MESSAGE_BURST", "7", |config| config.message_burst.to_string()),
    ("CHAT_CHANGES_PER_SECOND", "8", |config| config.changes_per_second.to_string()),
    ("CHAT_CHANGE_BURST", "9", |config| config.change_burst.to_string()),
    ("CHAT_READS_PER_SECOND", "10", |config| config.reads_per_second.to_string()),
    ("CHAT_READ_BURST", "11", |config| config.read_burst.to_string()),
    ("CHAT_HEADER_TIMEOUT", "12", |config| config.header_timeout.as_secs().to_string()),
    ("CHAT_BODY_TIMEOUT", "13", |config| config.body_timeout.as_secs().to_string()),
    ("CHAT_MAX_CONNECTION_AGE", "14", |config| {
        config.max_connection_age.as_secs().to_string()
    }),
    ("CHAT_SHUTDOWN_DELAY", "15", |config| config.shutdown_delay.as_secs().to_string()),
    ("CHAT_SHUTDOWN_TIMEOUT", "16", |config| {
        config.shutdown_timeout.as_secs().to_string()
    }),
    ("CHAT_JWT_SECRET", "long enough, or not", |config| {
        config.jwt_secret.clone().unwrap_or_default()
    }),
];

#[test]
fn each_variable_sets_its_field_and_no_other() -> Result<(), String> {
    for (name, value, field) in CASES {
        let default = read(needs(name))?;
        assert_ne!(field(&default), value, "another value than the default of {name}");
        let config = read(&[needs(name), &[(name, value)]].concat())?;
        assert_eq!(field(&config), value, "{name} is read");
        for (other, _, field) in CASES.iter().filter(|(other, ..)| *other != name) {
            assert_eq!(
                field(&config),
                field(&default),
                "{name} has nothing to do with {other}"
            );
        }
    }
    let count = help().lines().filter(|line| line.starts_with("  CHAT_")).count();
    assert_eq!(count, CASES.len() + 1, "these are all, and CHAT_NATS_URL");
    Ok(())
}

#[test]
fn values_that_contradict_each_other_get_a_sentence() {
    const AGE: &str = "CHAT_MAX_CONNECTION_AGE should not be less than CHAT_HEADER_TIMEOUT \
                       and CHAT_BODY_TIMEOUT.";
    const BODY: &str = "CHAT_MESSAGES_PER_SECOND lets in fewer bytes within \
                        CHAT_BODY_TIMEOUT than the longest body has, 1 MiB.";
    const ZERO: &str = "CHAT_HEADER_TIMEOUT and CHAT_BODY_TIMEOUT should be 1 or more.";
    const PERMITS: &str = "CHAT_MAX_CONNECTIONS and CHAT_MAX_HTTP_CONNECTIONS are too many \
                           for any machine.";
    let cases = [
        (
            "CHAT_OUTBOX_SIZE",
            "100",
            "CHAT_OUTBOX_SIZE is 100, but a full room may send 840 messages at once: \
             CHAT_MAX_MEMBERS_PER_ROOM times one more than CHAT_MESSAGE_BURST.",
        ),
        (
            "CHAT_MESSAGE_BURST",
            "30",
            "CHAT_OUTBOX_SIZE is 1024, but a full room may send 1240 messages at once: \
             CHAT_MAX_MEMBERS_PER_ROOM times one more than CHAT_MESSAGE_BURST.",
        ),
        (
            "CHAT_MAX_MEMBERS_PER_ROOM",
            "18446744073709551615",
            "CHAT_OUTBOX_SIZE is 1024, but a full room may send 18446744073709551615 \
             messages at once: CHAT_MAX_MEMBERS_PER_ROOM times one more than \
             CHAT_MESSAGE_BURST.",
        ),
        (
            "CHAT_MESSAGE_BURST",
            "1",
            "CHAT_MESSAGE_BURST is 1, but to connect counts as 2.",
        ),
        ("CHAT_HEADER_TIMEOUT", "31", AGE),
        ("CHAT_BODY_TIMEOUT", "31", AGE),
        ("CHAT_MAX_CONNECTION_AGE", "4", AGE),
        ("CHAT_MESSAGES_PER_SECOND", "3", BODY),
        ("CHAT_BODY_TIMEOUT", "1", BODY),
        ("CHAT_BODY_TIMEOUT", "0", ZERO),
        ("CHAT_HEADER_TIMEOUT", "0", ZERO),
        ("CHAT_MAX_CONNECTIONS", "18446744073709551615", PERMITS),
        ("CHAT_MAX_HTTP_CONNECTIONS", "18446744073709551615", PERMITS),
    ];

    for (name, value, sentence) in cases {
        assert_eq!(problem(&[(name, value)]), sentence, "{name}={value}");
    }
}

/// Somebody who has mistyped the variable with the URL would have a chat on each node.
#[test]
fn settings_of_the_broker_without_a_broker_get_a_sentence() {
    let sentence =
        "CHAT_NATS_REPLICAS and CHAT_NATS_MAX_SIZE do nothing without CHAT_NATS_URL.";
    for variable in [("CHAT_NATS_REPLICAS", "3"), ("CHAT_NATS_MAX_SIZE", "100")] {
        assert_eq!(problem(&[variable]), sentence, "{variable:?}");
    }
}

/// NATS has no others that are of use: of two or four servers no more may fail than of one or
/// three.
#[test]
fn there_are_one_or_three_or_five_replicas() {
    let with = |replicas| {
        [needs("CHAT_NATS_REPLICAS"), &[("CHAT_NATS_REPLICAS", replicas)]].concat()
    };
    for replicas in ["2", "4", "6", "7"] {
        let sentence =
            format!("CHAT_NATS_REPLICAS is {replicas}, but should be 1, 3 or 5.");
        assert_eq!(problem(&with(replicas)), sentence);
    }
    for replicas in ["1", "3", "5"] {
        assert_eq!(problem(&with(replicas)), "no problem", "{replicas} are possible");
    }
}

#[test]
fn a_value_that_we_cannot_read_gets_a_sentence_that_names_the_variable() {
    let digit = "invalid digit found in string";
    let size = "number too large to fit in target type";
    let seconds = "it should be whole seconds";
    let address = "it should be an IP address and a port, as in 127.0.0.1:18000";
    let cases = [
        ("CHAT_MAX_ROOMS", "many", digit),
        ("CHAT_MAX_CONNECTIONS", "-1", digit),
        ("CHAT_MESSAGES_PER_SECOND", "4294967296", size),
        ("CHAT_SHUTDOWN_TIMEOUT", "18446744073709551615", seconds),
        ("CHAT_SHUTDOWN_DELAY", "1.5", seconds),
        ("CHAT_SECURE_COOKIES", "maybe", "provided string was not `true` or `false`"),
        ("CHAT_ADDR", "localhost:8000", address),
        ("CHAT_ADDR", "8000", address),
    ];

    for (name, value, reason) in cases {
        let sentence = format!("{name} is {value:?}: {reason}.");
        assert_eq!(problem(&[(name, value)]), sentence, "{name}={value}");
    }
    let sentence = format!(r#"CHAT_ADDR is "8000": {address}."#);
    assert_eq!(problem(&[("ADDR", "8000")]), sentence, "ADDR is the same");
}

#[test]
fn a_limit_of_zero_gets_a_sentence() {
    for name in ["CHAT_MAX_ROOMS", "CHAT_MESSAGE_BURST", "CHAT_MAX_CONNECTIONS"] {
        let sentence = format!("{name} is 0: that would keep everybody out.");
        assert_eq!(problem(&[(name, "0")]), sentence, "{name}=0");
    }
}

/// An empty secret, for example, would mean that anybody can sign.
#[test]
fn an_empty_variable_gets_a_sentence() {
    for (name, ..) in CASES {
        let sentence = format!("{name} is empty: leave it out, or give it a value.");
        assert_eq!(problem(&[(name, "")]), sentence, "{name}=");
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_gets_a_sentence_that_names_the_variable() {
    use std::os::unix::ffi::OsStringExt;

    for (name, ..) in CASES {
        let value = OsString::from_vec(vec![0xFF]);
        let problem = Config::read([(name.into(), value)].into()).err();
        let sentence = format!("{name} is not text in UTF-8.");
        assert_eq!(problem, Some(sentence), "{name} is one byte, 0xFF");
    }
}

#[test]
fn a_mistyped_variable_is_refused() {
    for name in ["CHAT_MAX_ROMS", "CHAT_", "CHAT_max_rooms", "CHAT_JWT_SECRETS"] {
        let sentence = format!("There is no variable {name}: --help lists them all.");
        assert_eq!(problem(&[(name, "7")]), sentence, "it would not limit anything");
    }
    assert!(read(&[("MAX_ROOMS", "7"), ("CHATTY", "1")]).is_ok(), "of other programs");
}

#[test]
fn the_address_may_come_from_addr_as_in_all_lessons() -> Result<(), String> {
    let address = |variables: &[_]| Ok::<_, String>(read(variables)?.addr.to_string());
    let (ours, common) = (("CHAT_ADDR", "127.0.0.1:1"), ("ADDR", "127.0.0.1:2"));

    assert_eq!(address(&[])?, "127.0.0.1:8000", "the default");
    assert_eq!(address(&[common])?, "127.0.0.1:2", "ADDR alone");
    assert_eq!(address(&[ours, common])?, "127.0.0.1:1", "CHAT_ADDR comes first");
    Ok(())
}

#[test]
fn secure_cookies_is_yes_or_no_and_nothing_else() -> Result<(), String> {
    for (value, expected) in [("true", true), ("false", false)] {
        let config = read(&[("CHAT_SECURE_COOKIES", value)])?;
        assert_eq!(config.secure_cookies, expected, "CHAT_SECURE_COOKIES={value}");
    }
    Ok(())
}

#[test]
fn help_prints_every_variable_with_its_default() -> Result<(), String> {
    let help = help();
    let default = read(&[])?;

    for (name, _, field) in CASES {
        let value = field(&default);
        let shown =
            if value.is_empty() { name.into() } else { format!("{name}={value}") };
        let lines = help.lines().filter(|line| line.trim_start().starts_with(&shown));
        let texts: Vec<_> = lines.filter_map(|line| line.split_once("  ")).collect();
        assert!(!texts.is_empty(), "--help should have {shown}, and what it is:\n{help}");
    }
    Ok(())
}

#[test]
fn help_fits_on_a_screen() {
    let help = help();

    let longest = help.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?} columns are too wide:\n{help}");
    let lines = help.lines().count();
    assert!(lines <= 50, "{lines} lines are too many:\n{help}");
}

/// It has ten seconds. Some clients do not answer, the broker does not, and the disk is slow.
#[test]
fn with_the_defaults_the_program_has_ended_before_docker_kills_it() {
    let Config { shutdown_delay, shutdown_timeout, .. } = Config::default();

    let longest = shutdown_delay + shutdown_timeout + END_TIMEOUT + CLOSE_TIMEOUT;

    assert!(longest < Duration::from_secs(10), "it may take {longest:?}");
}

#[tokio::test]
async fn the_server_starts_with_the_largest_values_that_are_not_refused() {
    let large = ["18446744073709551615", "2305843009213693951", "4294967295", "5"];
    let roomy = [("CHAT_OUTBOX_SIZE", large[0]), ("CHAT_MAX_CONNECTION_AGE", large[2])];

    for (name, ..) in CASES.iter().filter(|case| case.1.parse::<u64>().is_ok()) {
        let others = roomy.into_iter().filter(|(other, _)| other != name);
        let with = |value| {
            let needed = needs(name).iter().copied();
            others.clone().chain(needed).chain([(*name, value)]).collect::<Vec<_>>()
        };
        let largest = large.into_iter().find_map(|value| read(&with(value)).ok());
        let config = largest.unwrap_or_else(|| panic!("{name} may have some value"));
        let state = AppState::new(&config, Shutdown::default());
        let state = state.unwrap_or_else(|sentence| panic!("{name}: {sentence}"));
        let allowed = state.rates.messages.check_connection(&username("ana"));
        assert_eq!(allowed, Ok(()), "Ana may connect whatever {name} is");
    }
}
