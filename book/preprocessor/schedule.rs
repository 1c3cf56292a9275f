//! Minutes, which are said once: under "At a glance" of each chapter.

use std::fmt::Write;

use serde_json::Value;

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

/// What a line of a timetable is.
struct Entry {
    what: String,
    minutes: u32,
    /// How many of these belong to a chapter.
    of_chapter: u32,
    /// In how many of these people write code.
    of_code: u32,
}

/// A timetable, such as `9:00 13:00`. Whoever makes a chapter longer hears of it here:
/// there is a time at which people go home.
///
/// Its lines are pages, with their own minutes (`lessons/01-echo.md`) or with those of a
/// class that reads a part of it (`20 lessons/01-echo.md`); warm-ups (`warm_up_01`); and
/// other things, such as `15 Break`. In one that begins with “Write”, people write code.
pub fn schedule(times: &str, lines: &[&str]) -> Result<String, String> {
    let (begin, latest) = times
        .split_once(' ')
        .and_then(|(begin, latest)| Some((clock(begin)?, clock(latest)?)))
        .ok_or_else(|| format!("“{times}” should be two times, such as 9:00 13:00."))?;
    let (mut now, mut chapters, mut code) = (begin, 0, 0);
    let mut table = String::from("| from | to | what | minutes |\n|---|---|---|---|\n");
    for line in lines {
        let Entry { what, minutes, of_chapter, of_code } = entry(line.trim())?;
        let end = now + minutes;
        let _ = writeln!(table, "| {} | {} | {what} | {minutes} |", show(now), show(end));
        now = end;
        chapters += of_chapter;
        code += of_code;
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
        "\nThat is {all} minutes: {chapters} for chapters, {} for all else. In {code} of them \
         people write code of their own.",
        all - chapters
    );
    Ok(table)
}

fn entry(line: &str) -> Result<Entry, String> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let said = first.parse::<u32>().ok();
    let what = if said.is_some() { rest } else { line };

    if what.starts_with("warm_up_") {
        let (what, minutes) = warm_up(what)?;
        return Ok(Entry { what, minutes, of_chapter: minutes, of_code: minutes });
    }
    if what.ends_with(".md") {
        let (read, act) = minutes(what)?;
        let minutes = said.unwrap_or(read + act);
        let of_code = if what.starts_with("exercises/") { act.min(minutes) } else { 0 };
        let what = format!("[{}](../{what})", title(what)?);
        return Ok(Entry { what, minutes, of_chapter: minutes, of_code });
    }
    let minutes =
        said.ok_or_else(|| format!("“{line}” should begin with its minutes."))?;
    let of_code = if what.starts_with("Write") { minutes } else { 0 };
    Ok(Entry { what: what.into(), minutes, of_chapter: 0, of_code })
}

/// A warm-up, with a link to the chapter that opens it, and its minutes.
fn warm_up(name: &str) -> Result<(String, u32), String> {
    let syllabus = read("exercises/syllabus.json")?;
    let syllabus: Vec<Value> =
        serde_json::from_str(&syllabus).map_err(|error| error.to_string())?;
    let entry = syllabus.iter().find(|entry| entry["name"] == name);
    let entry = entry.ok_or_else(|| format!("The syllabus has no {name}."))?;
    let minutes = entry["minutes"].as_u64().and_then(|minutes| minutes.try_into().ok());
    let [title, chapter] = ["title", "chapter"].map(|key| entry[key].as_str());
    let (title, chapter, minutes) = title
        .zip(chapter)
        .zip(minutes)
        .map(|((title, chapter), minutes)| (title, chapter, minutes))
        .ok_or_else(|| format!("{name} lacks its title, its chapter or its minutes."))?;
    Ok((format!("[Warm-up: {title}](../{chapter})"), minutes))
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
