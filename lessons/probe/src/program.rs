//! A server as a process of its own, as somebody starts it: its log, its signals, its end.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use crate::HANDSHAKE;

/// Far longer than anything takes here.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A program that runs, and where it listens. It does not outlive this value.
pub struct Program {
    process: Child,
    pub address: String,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill(); // Or it has ended already.
        let _ = self.process.wait();
    }
}

impl Program {
    /// Starts the program on a free port, and waits until it prints its address.
    ///
    /// The port is chosen by the variable `ADDR`.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.env("ADDR", "127.0.0.1:0").stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            // To the end, even if nobody wants the lines: a full pipe would stop the program.
            let all = BufReader::new(stdout).lines().map_while(Result::ok);
            all.for_each(|line| drop(sender.send(line)));
        });

        let mut program =
            Self { process, address: String::new(), lines, log: Vec::new() };
        let line = program.logs("http://");
        let address = line.split("http://").nth(1).unwrap_or_default();
        program.address = address.split(['/', ' ']).next().unwrap_or_default().into();
        Ok(program)
    }

    /// The first line of its output that contains this. It may come a little later.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn logs(&mut self, what: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log.iter().find(|line| line.contains(what)) {
                return line.clone();
            }
            match self.lines.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => self.log.push(line),
                Err(_) => panic!("The log should have {what:?}, but has not."),
            }
        }
    }

    /// Where it listens, as in `127.0.0.1:8000`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A connection on which nothing has been sent.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(LIMIT))?;
        Ok(connection)
    }

    /// Sends a request, and returns the connection and the answer, or the beginning of one that
    /// does not say how long it is.
    pub fn request(&self, request: &str) -> io::Result<(TcpStream, String)> {
        let mut connection = self.connect()?;
        connection.write_all(request.as_bytes())?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
            match connection.read(&mut part)? {
                0 => break,
                count => answer.extend_from_slice(&part[..count]),
            }
        }
        Ok((connection, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// The answer to a GET.
    pub fn get(&self, path: &str) -> io::Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        Ok(self.request(&request)?.1)
    }

    /// Signs in, and returns the token.
    pub fn sign_in(&self, username: &str, password: &str) -> io::Result<String> {
        let body = format!(r#"{{"username":"{username}","password":"{password}"}}"#);
        let (_, answer) = self.request(&format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))?;
        let token =
            answer.split(r#""token":""#).nth(1).and_then(|rest| rest.split('"').next());
        token
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other(format!("no token: {answer}")))
    }

    /// A WebSocket that answers nothing, not even a Close.
    pub fn upgrade(&self, path: &str) -> io::Result<TcpStream> {
        let mut connection = self.connect()?;
        write!(
            connection,
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{HANDSHAKE}",
            self.address
        )?;
        let head = read_until(&mut connection, "\r\n\r\n")?;
        match head.starts_with("HTTP/1.1 101 ") {
            true => Ok(connection),
            false => {
                Err(io::Error::other(format!("{path} should be a WebSocket: {head}")))
            }
        }
    }

    /// Sends a signal, such as `-TERM`.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) -> io::Result<()> {
        self.signal_times(signal, 1)
    }

    /// Sends a signal so many times at once.
    #[cfg(unix)]
    pub fn signal_times(&self, signal: &str, times: usize) -> io::Result<()> {
        let ids = vec![self.process.id().to_string(); times];
        let sent = Command::new("kill").arg(signal).args(ids).status()?;
        let failed = || io::Error::other(format!("the signal could not be sent: {sent}"));
        sent.success().then_some(()).ok_or_else(failed)
    }

    /// How it has ended, or `None` while it runs.
    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Kills it, and returns all that it has written to its standard output.
    pub fn ends_at_once(mut self) -> io::Result<String> {
        self.process.kill()?;
        self.process.wait()?;
        let rest = self.lines.iter();
        Ok(self.log.iter().cloned().chain(rest).map(|line| line + "\n").collect())
    }

    /// Waits for its end.
    pub fn ends(mut self) -> io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = self.has_ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5)); // A process has no event to wait for.
        }
        Err(io::Error::other("the program does not end"))
    }
}

/// Whether the head of an answer is there, and its body, if the head says how long it is.
fn is_whole(answer: &[u8]) -> bool {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some((head, body)) = end.map(|end| answer.split_at(end + 4)) else {
        return false;
    };
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length
        .and_then(|length| length.parse().ok())
        .is_none_or(|length| body.len() >= length)
}

/// Reads until the text ends like this. Frames with short texts can be read as text.
pub fn read_until(connection: &mut TcpStream, end: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
