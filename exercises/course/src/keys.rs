//! Keys as they are pressed, without Enter, and a terminal that is always given back.

use std::{
    io::{self, IsTerminal},
    panic, thread,
};

use crossterm::{
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    terminal::{disable_raw_mode, enable_raw_mode},
};

use crate::screen::is_dumb;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key {
    Hint,
    List,
    Next,
    Quit,
    Other,
    /// No key: the window has another size now.
    Resized,
}

/// While this lives, the terminal reports keys, and echoes nothing.
pub struct Keys;

impl Keys {
    /// `None` without a terminal on both sides, or with one that has no screen.
    pub fn listen(
        pressed: impl Fn(Key) -> bool + Send + 'static,
    ) -> io::Result<Option<Self>> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if !is_terminal || is_dumb() {
            return Ok(None);
        }
        // The words of a panic must not be the last thing that a terminal shows.
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        enable_raw_mode()?;
        let keys = Self;
        thread::Builder::new().name("keys".into()).spawn(move || {
            loop {
                // An error means that the terminal is gone.
                let key = event::read().map_or(Some(Key::Quit), |event| key(&event));
                if key.is_some_and(|key| !pressed(key)) {
                    break; // Nobody listens any more.
                }
            }
        })?;
        Ok(Some(keys))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // If it cannot be given back, there is nobody whom we could tell.
    disable_raw_mode().ok();
}

fn key(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => key,
        Event::Resize(..) => return Some(Key::Resized),
        _ => return None,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c' | 'd') if control => Key::Quit,
        KeyCode::Char('h') => Key::Hint,
        KeyCode::Char('l') => Key::List,
        KeyCode::Char('n') => Key::Next,
        KeyCode::Char('q') => Key::Quit,
        _ => Key::Other,
    })
}
