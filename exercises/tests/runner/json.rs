//! What programs read: an event on each line, as Rust's own test runner has them.

use std::time::Duration;

use serde_json::{Value, json};

use super::run::Event;

pub fn suite_started(count: usize) -> String {
    line(&json!({ "type": "suite", "event": "started", "test_count": count }))
}

pub fn suite_ended(
    passed: usize,
    failed: usize,
    filtered_out: usize,
    time: Duration,
) -> String {
    line(&json!({
        "type": "suite",
        "event": outcome(failed == 0),
        "passed": passed,
        "failed": failed,
        "ignored": 0,
        "measured": 0,
        "filtered_out": filtered_out,
        "exec_time": time.as_secs_f64(),
    }))
}

/// A failure has the whole message as its `stdout`, and the file to `open`.
pub fn test(event: &Event) -> String {
    let mut fields = match event {
        Event::Started { path } => json!({ "event": "started", "name": path }),
        Event::Passed { path, time } => {
            json!({ "event": outcome(true), "name": path, "exec_time": time.as_secs_f64() })
        }
        Event::Failed { path, time, fault } => json!({
            "event": outcome(false),
            "name": path,
            "exec_time": time.as_secs_f64(),
            "stdout": fault.remark,
            "open": fault.open,
        }),
    };
    fields["type"] = "test".into();
    line(&fields)
}

fn outcome(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "failed" }
}

fn line(event: &Value) -> String {
    format!("{event}\n")
}
