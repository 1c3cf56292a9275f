// All checks of the exercises. The program that runs them is in the folder `runner`.
//
//   cargo test -p exercises                             all of them
//   cargo test -p exercises -- typing_indicator         those of one exercise, or -- 2
//   cargo test -p exercises -- typing_indicator::step_3 one alone
//   cargo test -p exercises -- --help                   what else it can do
//
// The checks themselves are in the other files of this folder, an `async fn` each.

mod copied_chat;
mod drain;
mod idle_session;
mod message_history;
mod online_users;
mod private_messaging;
mod private_room;
mod rate_limit;
mod resume;
mod runner;
mod slow_client;
mod typing_indicator;
mod warm_ups;

use std::process::ExitCode;

use runner::Step;

/// The checks of each exercise. What else there is to know of one is in the syllabus.
const CHECKS: [(&str, &[Step]); 19] = [
    ("warm_up_01", warm_ups::warm_up_01::STEPS),
    ("warm_up_02", warm_ups::warm_up_02::STEPS),
    ("warm_up_03", warm_ups::warm_up_03::STEPS),
    ("warm_up_04", warm_ups::warm_up_04::STEPS),
    ("warm_up_05", warm_ups::warm_up_05::STEPS),
    ("warm_up_06", warm_ups::warm_up_06::STEPS),
    ("warm_up_07", warm_ups::warm_up_07::STEPS),
    ("warm_up_08", warm_ups::warm_up_08::STEPS),
    ("private_messaging", private_messaging::STEPS),
    ("typing_indicator", typing_indicator::STEPS),
    ("online_users", online_users::STEPS),
    ("message_history", message_history::STEPS),
    ("copied_chat", copied_chat::STEPS),
    ("rate_limit", rate_limit::STEPS),
    ("resume", resume::STEPS),
    ("private_room", private_room::STEPS),
    ("idle_session", idle_session::STEPS),
    ("slow_client", slow_client::STEPS),
    ("drain", drain::STEPS),
];

fn main() -> ExitCode {
    runner::main(&CHECKS)
}
