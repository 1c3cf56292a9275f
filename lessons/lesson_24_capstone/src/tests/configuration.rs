//! What the configuration promises.

use std::ffi::OsString;

use clap::{CommandFactory, ValueEnum};

use super::people::username;
use crate::{
    app::AppState,
    config::{Config, help},
    server::Shutdown,
};

/// What the program reads with these arguments and in this environment.
fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, String> {
    let arguments = ["chat"].iter().chain(arguments).map(OsString::from);
    let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
    Config::read(arguments, &variables.collect())
}

fn problem(variables: &[(&str, &str)]) -> String {
    read(&[], variables).err().unwrap_or_else(|| "no problem".into())
}

/// A variable, a value that is not its default, and where the value should arrive.
type Case = (&'static str, &'static str, fn(&Config) -> String);

const CASES: [Case; 24] = [
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
    ("CHAT_MAX_CONNECTIONS", "1", |config| config.max_connections.to_string()),
    ("CHAT_MAX_CONNECTIONS_PER_USER", "2", |config| {
        config.max_connections_per_user.to_string()
    }),
    ("CHAT_MAX_HTTP_CONNECTIONS", "3", |config| config.max_http_connections.to_string()),
    ("CHAT_MAX_MEMBERS_PER_ROOM", "4", |config| config.max_members_per_room.to_string()),
    ("CHAT_MAX_ROOMS", "5", |config| config.max_rooms.to_string()),
    ("CHAT_OUTBOX_SIZE", "2000", |config| config.outbox_size.to_string()),
    ("CHAT_SLOW_CLIENT", "tell", |config| {
        let value = config.slow_client.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }),
    ("CHAT_MESSAGES_PER_SECOND", "6", |config| config.messages_per_second.to_string()),
    ("CHAT_MESSAGE_BURST", "7", |config| config.message_burst.to_string()),
    ("CHAT_CHANGES_PER_SECOND", "8", |config| config.changes_per_second.to_string()),
    ("CHAT_CHANGE_BURST", "9", |config| config.change_burst.to_string()),
    ("CHAT_READS_PER_SECOND", "10", |config| config.reads_per_second.to_string()),
    ("CHAT_READ_BURST", "11", |config| config.read_burst.to_string()),
    ("CHAT_HEADER_TIMEOUT", "12", |config| config.header_timeout.as_secs().to_string()),
    ("CHAT_BODY_TIMEOUT", "13", |config| config.body_timeout.as_secs().to_string()),
    ("CHAT_KEEP_ALIVE", "14", |config| config.keep_alive.as_secs().to_string()),
    ("CHAT_SHUTDOWN_DELAY", "15", |config| config.shutdown_delay.as_secs().to_string()),
    ("CHAT_SHUTDOWN_TIMEOUT", "16", |config| {
        config.shutdown_timeout.as_secs().to_string()
    }),
    ("CHAT_JWT_SECRET", "long enough, or not", |config| {
        String::from_utf8(config.jwt_secret.clone().unwrap_or_default())
            .unwrap_or_default()
    }),
];

/// The option of a variable. The secret has none.
fn option(name: &str) -> Option<String> {
    let name = name.strip_prefix("CHAT_").filter(|&name| name != "JWT_SECRET")?;
    Some(format!("--{}", name.to_lowercase().replace('_', "-")))
}

#[test]
fn each_variable_sets_its_field_and_no_other() -> Result<(), String> {
    let default = read(&[], &[])?;

    for (name, value, field) in CASES {
        assert_ne!(field(&default), value, "another value than the default of {name}");
        let config = read(&[], &[(name, value)])?;
        assert_eq!(field(&config), value, "{name} is read");
        for (other, _, field) in CASES.iter().filter(|(other, ..)| *other != name) {
            assert_eq!(
                field(&config),
                field(&default),
                "{name} has nothing to do with {other}"
            );
        }
    }
    assert_eq!(
        Config::command().get_arguments().count() + 1,
        CASES.len(),
        "these are all"
    );
    Ok(())
}

#[test]
fn each_variable_but_the_secret_is_an_option_which_comes_first() -> Result<(), String> {
    let default = read(&[], &[])?;

    for (name, value, field) in CASES {
        let Some(option) = option(name) else { continue };
        let config = read(&[&option, value], &[])?;
        assert_eq!(field(&config), value, "{option} is read");
        let default = field(&default);
        // The default of some is none, and that is no value of a variable.
        let variables = if default.is_empty() { vec![] } else { vec![(name, &*default)] };
        let config = read(&[&option, value], &variables)?;
        assert_eq!(field(&config), value, "{option} comes before {name}");
    }
    let secret = read(&["--jwt-secret", "x"], &[]).err();
    assert!(secret.is_some(), "all users of a machine see the arguments");
    Ok(())
}

#[test]
fn values_that_contradict_each_other_get_a_sentence() {
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
        (
            "CHAT_HEADER_TIMEOUT",
            "31",
            "CHAT_KEEP_ALIVE is 30, but a request may take 31 seconds: CHAT_HEADER_TIMEOUT \
             or CHAT_BODY_TIMEOUT.",
        ),
        (
            "CHAT_BODY_TIMEOUT",
            "31",
            "CHAT_KEEP_ALIVE is 30, but a request may take 31 seconds: CHAT_HEADER_TIMEOUT \
             or CHAT_BODY_TIMEOUT.",
        ),
        (
            "CHAT_KEEP_ALIVE",
            "4",
            "CHAT_KEEP_ALIVE is 4, but a request may take 5 seconds: CHAT_HEADER_TIMEOUT \
             or CHAT_BODY_TIMEOUT.",
        ),
    ];

    for (name, value, sentence) in cases {
        assert_eq!(problem(&[(name, value)]), sentence, "{name}={value}");
    }
}

#[test]
fn a_value_that_we_cannot_read_gets_a_sentence_that_names_the_variable() {
    let zero = "a limit of 0 would keep everybody out";
    let digit = "invalid digit found in string";
    let empty = "cannot parse integer from empty string";
    let size = "number too large to fit in target type";
    let permits = "no machine has room for so many";
    let address = "it should be an IP address and a port, as in 127.0.0.1:18000";
    let cases = [
        ("CHAT_MAX_ROOMS", "0", zero),
        ("CHAT_MESSAGE_BURST", "0", zero),
        ("CHAT_MAX_CONNECTIONS", "0", zero),
        ("CHAT_HEADER_TIMEOUT", "0", zero),
        ("CHAT_BODY_TIMEOUT", "0", zero),
        ("CHAT_KEEP_ALIVE", "0", zero),
        ("CHAT_MAX_ROOMS", "many", digit),
        ("CHAT_MAX_ROOMS", "", empty),
        ("CHAT_MAX_CONNECTIONS", "-1", digit),
        ("CHAT_MAX_CONNECTIONS", "18446744073709551615", permits),
        ("CHAT_MAX_HTTP_CONNECTIONS", "18446744073709551615", permits),
        ("CHAT_MESSAGES_PER_SECOND", "4294967296", size),
        ("CHAT_SHUTDOWN_TIMEOUT", "18446744073709551615", size),
        ("CHAT_SHUTDOWN_DELAY", "1.5", digit),
        ("CHAT_SLOW_CLIENT", "wait", "it may be one of close, drop, tell"),
        ("CHAT_SLOW_CLIENT", "", "it may be one of close, drop, tell"),
        ("CHAT_SECURE_COOKIES", "maybe", "value was not a boolean"),
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
fn an_option_that_we_cannot_read_gets_a_sentence() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["--max-rooms", "0"],
            r#"CHAT_MAX_ROOMS is "0": a limit of 0 would keep everybody out."#,
        ),
        (
            &["--slow-client", "wait"],
            r#"CHAT_SLOW_CLIENT is "wait": it may be one of close, drop, tell."#,
        ),
        (&["--max-roms", "7"], "unexpected argument '--max-roms' found."),
        (&["7"], "unexpected argument '7' found."),
        (
            &["--max-rooms"],
            "a value is required for '--max-rooms <MAX_ROOMS>' but none was \
             supplied.",
        ),
    ];

    for (arguments, sentence) in cases {
        let problem = read(arguments, &[("CHAT_MAX_ROOMS", "9")]).err();
        assert_eq!(problem.as_deref(), Some(sentence), "{arguments:?}");
    }
}

#[test]
fn an_empty_path_gets_a_sentence() {
    let sentence =
        "a value is required for '--database <DATABASE>' but none was supplied.";
    assert_eq!(problem(&[("CHAT_DATABASE", "")]), sentence, "no file has no name");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_gets_a_sentence() {
    use std::os::unix::ffi::OsStringExt;

    let value = OsString::from_vec(vec![0xFF]);
    let variables = [("CHAT_MAX_ROOMS".into(), value.clone())].into();
    let problem = Config::read([], &variables).err().unwrap_or_default();
    assert!(problem.starts_with("invalid UTF-8"), "{problem}");

    let variables = [("CHAT_DATABASE".into(), value.clone())].into();
    let database = Config::read([], &variables).ok().and_then(|config| config.database);
    assert_eq!(database, Some(value.into()), "but a path need not be text");
}

#[test]
fn a_mistyped_variable_is_refused() {
    for name in ["CHAT_MAX_ROMS", "CHAT_", "CHAT_max_rooms", "CHAT_JWT_SECRETS"] {
        let sentence = format!("There is no variable {name}: --help lists them all.");
        assert_eq!(problem(&[(name, "7")]), sentence, "it would not limit anything");
    }
    assert!(
        read(&[], &[("MAX_ROOMS", "7"), ("CHATTY", "1")]).is_ok(),
        "of other programs"
    );
}

#[test]
fn the_address_may_come_from_addr_as_in_all_lessons() -> Result<(), String> {
    let address =
        |variables: &[_]| Ok::<_, String>(read(&[], variables)?.addr.to_string());
    let (ours, common) = (("CHAT_ADDR", "127.0.0.1:1"), ("ADDR", "127.0.0.1:2"));

    assert_eq!(address(&[])?, "127.0.0.1:8000", "the default");
    assert_eq!(address(&[common])?, "127.0.0.1:2", "ADDR alone");
    assert_eq!(address(&[ours, common])?, "127.0.0.1:1", "CHAT_ADDR comes first");
    let config = read(&["--addr", "127.0.0.1:3"], &[ours, common])?;
    assert_eq!(config.addr.to_string(), "127.0.0.1:3", "and the option before both");
    Ok(())
}

#[test]
fn secure_cookies_is_yes_or_no_and_nothing_else() -> Result<(), String> {
    for (value, expected) in [("true", true), ("1", true), ("false", false), ("0", false)]
    {
        let config = read(&[], &[("CHAT_SECURE_COOKIES", value)])?;
        assert_eq!(config.secure_cookies, expected, "CHAT_SECURE_COOKIES={value}");
    }
    Ok(())
}

#[test]
fn help_prints_every_variable_with_its_default() -> Result<(), String> {
    let help = help();
    let default = read(&[], &[])?;

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

#[tokio::test]
async fn the_server_starts_with_the_largest_values_that_are_not_refused() {
    let large = ["18446744073709551615", "2305843009213693951", "4294967295"];
    let roomy = [("CHAT_OUTBOX_SIZE", large[0]), ("CHAT_KEEP_ALIVE", large[2])];

    for (name, ..) in CASES.iter().filter(|case| case.1.parse::<u64>().is_ok()) {
        let others = roomy.into_iter().filter(|(other, _)| other != name);
        let with = |value| others.clone().chain([(*name, value)]).collect::<Vec<_>>();
        let largest = large.into_iter().find_map(|value| read(&[], &with(value)).ok());
        let config = largest.unwrap_or_else(|| panic!("{name} may have some value"));
        let state = AppState::new(&config, Shutdown::default());
        let state = state.unwrap_or_else(|sentence| panic!("{name}: {sentence}"));
        let allowed = state.rates.messages.check_connection(&username("ana"));
        assert_eq!(allowed, Ok(()), "Ana may connect whatever {name} is");
    }
}
