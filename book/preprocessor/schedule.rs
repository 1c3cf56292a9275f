//! Minutes, which are said once: under "At a glance" of each chapter.

use std::fmt::Write;

use crate::read;

/// How long a page takes: to read, and to do.
pub fn minutes(page: &str) -> Result<(u32, u32), String> {
    said_minutes(&read(&format!("book/src/{page}"))?).ok_or_else(|| {
        format!(
            "book/src/{page} does not say how many “minutes to read” and “minutes to do”."
        )
    })
}

/// What a page says about that: `8 minutes to read, 12 minutes to do`.
pub fn said_minutes(text: &str) -> Option<(u32, u32)> {
    let said = |what: &str| {
        let before = text.split_once(what)?.0;
        before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    said(" minutes to read").zip(said(" minutes to do"))
}

/// All minutes of some pages.
pub fn sum(pages: &str) -> Result<u32, String> {
    pages.split_whitespace().map(|page| minutes(page).map(|(read, act)| read + act)).sum()
}

/// A timetable, such as `9:00 13:00`. Its lines are pages, or `15 Break`. Whoever makes
/// a chapter longer hears of it here: there is a time at which people go home.
pub fn schedule(times: &str, lines: &[&str]) -> Result<String, String> {
    let (begin, latest) = times
        .split_once(' ')
        .and_then(|(begin, latest)| Some((clock(begin)?, clock(latest)?)))
        .ok_or_else(|| format!("“{times}” should be two times, such as 9:00 13:00."))?;
    let (mut now, mut pause) = (begin, 0);
    let mut table = String::from("| from | to | what | minutes |\n|---|---|---|---|\n");
    for line in lines {
        let (first, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let (what, length) = if let Ok(length) = first.parse::<u32>() {
            pause += length;
            (rest.to_owned(), length)
        } else {
            let (read, act) = minutes(first)?;
            (format!("[{}](../{first})", title(first)?), read + act)
        };
        let end = now + length;
        let _ = writeln!(table, "| {} | {} | {what} | {length} |", show(now), show(end));
        now = end;
    }
    if now > latest {
        let (now, latest) = (show(now), show(latest));
        return Err(format!(
            "This timetable ends at {now}, but people leave at {latest}."
        ));
    }
    let all = now - begin;
    let _ = writeln!(
        table,
        "\nThat is {all} minutes: {} for chapters, {pause} for all else.",
        all - pause
    );
    Ok(table)
}

fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    Some(hours.parse::<u32>().ok()? * 60 + minutes.parse::<u32>().ok()?)
}

fn show(time: u32) -> String {
    format!("{}:{:02}", time / 60, time % 60)
}

fn title(page: &str) -> Result<String, String> {
    let text = read(&format!("book/src/{page}"))?;
    let title = text.lines().find_map(|line| line.strip_prefix("# "));
    Ok(title.unwrap_or(page).to_owned())
}
