//! What the person at the terminal sees and types. In a pipe: lines in, and lines out.

use std::io::{self, IsTerminal, Write};

use rustyline_async::{Readline, ReadlineError, ReadlineEvent, SharedWriter};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Split, stdin},
    select,
    signal::ctrl_c,
    task::JoinHandle,
};

pub enum Screen {
    Terminal { readline: Readline, writer: SharedWriter, prompt: String },
    Pipe { input: Split<BufReader<Input>>, output: Box<dyn Write + Send>, ctrl_c: CtrlC },
}

type Input = Box<dyn AsyncRead + Send + Unpin>;

/// A task, so that no signal is lost while nobody waits for it.
type CtrlC = JoinHandle<io::Result<()>>;

impl Screen {
    pub fn new() -> Result<Self, ReadlineError> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let (readline, writer) = Readline::new(String::new())?;
            return Ok(Self::Terminal { readline, writer, prompt: String::new() });
        }
        Ok(Self::pipe(Box::new(stdin()), io::stdout()))
    }

    pub fn pipe(input: Input, output: impl Write + Send + 'static) -> Self {
        let input = BufReader::new(input).split(b'\n');
        Self::Pipe { input, output: Box::new(output), ctrl_c: tokio::spawn(ctrl_c()) }
    }

    /// The next line, or the wish to leave. It is cancel safe.
    ///
    /// A pipe is read only if we want lines. A terminal always is: Ctrl-C is a key of it.
    pub async fn read(&mut self, wants_lines: bool) -> ReadlineEvent {
        use ReadlineEvent::{Eof, Interrupted, Line};
        match self {
            Self::Terminal { readline, .. } => {
                readline.readline().await.unwrap_or(Interrupted)
            }
            Self::Pipe { input, ctrl_c, .. } => select! {
                line = input.next_segment(), if wants_lines => match line {
                    Ok(Some(line)) => Line(String::from_utf8_lossy(&line).into()),
                    Ok(None) | Err(_) => Eof,
                },
                _ = ctrl_c => Interrupted,
            },
        }
    }

    /// Shows a line. In a terminal it waits for the next `read`, which draws it above the input.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let text = printable(text);
        match self {
            Self::Terminal { writer, .. } => writeln!(writer, "{text}"),
            Self::Pipe { output, .. } => {
                writeln!(output, "{text}").and_then(|()| output.flush())
            }
        }
    }

    pub fn set_prompt(&mut self, new: String) {
        if let Self::Terminal { readline, prompt, .. } = self
            && *prompt != new
        {
            let _ = readline.update_prompt(&new); // If that fails, `read` says so.
            *prompt = new;
        }
    }

    /// Shows what has not been drawn, and takes the prompt away.
    pub fn finish(&mut self) {
        if let Self::Terminal { readline, .. } = self {
            let _ = readline.flush(); // The program ends anyway.
        }
    }
}

/// Strangers wrote this text. A control character could move the cursor, clear the screen, or
/// begin a line that seems to be of somebody else. Some others reverse what follows.
pub fn printable(text: &str) -> String {
    let reverses = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(|c: char| c.is_control() || reverses(c), " ")
}
