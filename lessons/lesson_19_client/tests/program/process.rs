//! The program in a pipe, as a script starts it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// Far longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(30);

/// A client that runs. It does not outlive this value.
pub struct Client {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    printed: Vec<String>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill(); // Or it has ended already.
        let _ = self.process.wait();
    }
}

impl Client {
    /// Starts the client of Ana, in this room.
    pub fn start(url: &str, room: &str, password: Option<&str>) -> io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lesson_19_client"));
        command.args(["ana", room, "--url", url]).env_remove("CHAT_PASSWORD");
        command.envs(password.map(|password| ("CHAT_PASSWORD", password)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Ok(Self { process, stdin, lines, printed: Vec::new() })
    }

    pub fn types(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?, "{line}")
    }

    /// Waits for a line that contains this.
    pub fn prints(&mut self, what: &str) -> io::Result<String> {
        let start = Instant::now();
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) if line.contains(what) => {
                    self.printed.push(line.clone());
                    return Ok(line);
                }
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other(format!(
                        "The client should print {what:?}, but printed {:#?}.",
                        self.printed
                    )));
                }
            }
        }
    }

    #[cfg(unix)]
    pub fn interrupt(&self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.process.id().to_string()]).status()?;
        Ok(())
    }

    /// Closes the pipe, and waits for the end: the exit code, what came on standard error,
    /// and all lines.
    pub fn ends(mut self) -> io::Result<(Option<i32>, String, Vec<String>)> {
        drop(self.stdin.take());
        self.has_ended()
    }

    /// The same for a client that ends by itself.
    pub fn has_ended(mut self) -> io::Result<(Option<i32>, String, Vec<String>)> {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            if start.elapsed() > LIMIT {
                let printed = &self.printed;
                return Err(io::Error::other(format!(
                    "It does not end. It printed {printed:#?}."
                )));
            }
            thread::sleep(Duration::from_millis(5)); // A process has no event to wait for.
        };
        let mut errors = String::new();
        self.process
            .stderr
            .take()
            .ok_or(io::ErrorKind::BrokenPipe)?
            .read_to_string(&mut errors)?;
        let mut printed = std::mem::take(&mut self.printed);
        printed.extend(self.lines.iter());
        Ok((status.code(), errors, printed))
    }
}
