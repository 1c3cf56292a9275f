//! The commands that the book shows, and what they print.
//!
//! Each file in `book/outputs` begins with lines for this test: the program that runs,
//! and what clients do meanwhile; `repeat`, if it takes a while until this is printed. Then
//! comes a command as the reader types it, and its output. In place of a program there may
//! be `example`: then the command runs an example, which needs no clients and ends by itself.
//! `RECORD=1 cargo test -p book` writes the outputs down anew.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use book::{ROOT, cargo, read};
use lesson_08_auth::{Auth, Username};
use probe::{Check, Hint};
use tokio::{net::TcpSocket, sync::Notify, time::sleep};
use tokio_tungstenite::{
    client_async,
    tungstenite::protocol::{CloseFrame, Message},
};

/// How long any answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a command is repeated until it prints what the book shows, where a file says
/// `repeat`. A server gives a stalled client ten seconds.
const REPEAT: Duration = Duration::from_secs(20);

/// With which programs sign here, so that clients have tokens without a password.
const SECRET: &str = "a secret for the tests, 32 bytes or more";

/// How long a busy phone takes for a message. So it reads at most a hundred a second, and a
/// flood is always faster, however busy this machine is.
const PHONE_PAUSE: Duration = Duration::from_millis(10);

/// How many bytes may be on their way to a phone.
const PHONE_BUFFER_SIZE: u32 = 16 * 1024;

/// Wakes the client that pauses, when another one has written enough.
static WRITTEN: Notify = Notify::const_new();

fn hint(sentence: String) -> impl Fn(std::io::Error) -> Hint {
    move |error| Hint::new(format!("{sentence}: {error}."))
}

/// A program of the course on a free port, until this is dropped.
struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: String,
    printed: String,
}

impl Program {
    fn start(name: &str) -> Result<Self, Hint> {
        let program = Path::new(env!("CARGO_BIN_EXE_book")).with_file_name(name);
        let mut child = Command::new(program)
            .env("ADDR", "127.0.0.1:0")
            .env("JWT_SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(hint(format!("{name} does not start")))?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut program =
            Self { child, lines, port: String::new(), printed: String::new() };
        while program.port.is_empty() {
            let line = program.line()?;
            let port = line.split("http://127.0.0.1:").nth(1).unwrap_or_default();
            program.port = port.chars().take_while(char::is_ascii_digit).collect();
        }
        program.line()?; // X-ray is on: this is a debug build, and listens on loopback.
        Ok(program)
    }

    /// Reads one more line of what it prints.
    fn line(&mut self) -> Result<String, Hint> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => {
                Err(Hint::new(format!("It prints nothing after {:?}.", self.printed)))
            }
            Ok(_) => {
                self.printed.push_str(&line);
                Ok(line)
            }
            Err(error) => Err(Hint::new(format!("Its output ends: {error}."))),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill(); // Or it has ended.
        let _ = self.child.wait();
    }
}

/// What curl prints for the few options that the book uses.
fn curl(command: &str, port: &str) -> Result<String, Hint> {
    let words = split(command);
    let mut headers = String::new();
    let (mut with_head, mut without_body) = (false, false);
    let (mut format, mut url) = ("", "");
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-si" => with_head = true,
            "-s" => {}
            "-m" => drop(rest.next()),
            "-o" => without_body = rest.next().is_some_and(|file| file == "/dev/null"),
            "-w" => format = rest.next().map_or("", String::as_str),
            "-H" => headers.push_str(&format!("{}\r\n", rest.next().map_or("", |h| h))),
            word => url = word,
        }
    }
    let path = url.strip_prefix("127.0.0.1:8000").unwrap_or_default();
    let failed = || hint(format!("No answer to {command}"));
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).map_err(failed())?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed())?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n{headers}\r\n")
        .map_err(failed())?;

    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !is_whole(&answer) && stream.read(&mut byte).map_err(failed())? == 1 {
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).replace("\r\n", "\n");
    let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    let head: Vec<&str> =
        head.lines().filter(|line| !line.starts_with("date:")).collect();

    let mut printed = String::new();
    if with_head {
        printed = format!("{}\n\n", head.join("\n"));
    }
    if !without_body {
        printed.push_str(body);
    }
    printed.push_str(&format.replace("%{http_code}", status).replace("\\n", "\n"));
    Ok(printed)
}

/// Whether an answer has its head, and the body that the head promises.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    answer.len() >= head.len() + 4 + length
}

/// The words of a command, as a shell sees them.
fn split(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.replace("\\\n", " ").chars() {
        match letter {
            '"' | '\'' if quote == Some(letter) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            ' ' if quote.is_none() => words.push(String::new()),
            letter => words.last_mut().expect("there is a first").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Connects, does what the words say, and keeps the connection if it is to stay.
async fn act(port: &str, words: &str) -> Result<Option<impl Sized + use<>>, Hint> {
    use futures_util::{SinkExt, StreamExt};

    let (path, act) = words.split_once(' ').unwrap_or((words, "stays"));
    let failed = |error: &dyn std::fmt::Display| Hint::new(format!("{words}: {error}."));
    let address = format!("127.0.0.1:{port}").parse().map_err(|e| failed(&e))?;
    let stream = TcpSocket::new_v4().map_err(|e| failed(&e))?;
    if act == "reads by phone" {
        stream.set_recv_buffer_size(PHONE_BUFFER_SIZE).map_err(|e| failed(&e))?;
    }
    let stream = stream.connect(address).await.map_err(|e| failed(&e))?;
    let url = format!("ws://127.0.0.1:{port}{path}");
    let (mut socket, _) = client_async(url, stream).await.map_err(|e| failed(&e))?;
    // The upgrade is answered before the server handles the socket. The pong comes later.
    socket.send(Message::Ping("".into())).await.map_err(|e| failed(&e))?;
    while !matches!(socket.next().await, Some(Ok(Message::Pong(_))) | None) {}
    if let Some(code) = act.strip_prefix("closes ") {
        let code: u16 = code.parse().map_err(|e| failed(&e))?;
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        socket.send(Message::Close(Some(frame))).await.map_err(|e| failed(&e))?;
        while let Some(Ok(_)) = socket.next().await {}
        return Ok(None);
    }
    if act == "reads by phone" {
        tokio::spawn(async move {
            while let Some(Ok(_)) = socket.next().await {
                sleep(PHONE_PAUSE).await;
            }
        });
        return Ok(None);
    }
    if act == "pauses" {
        tokio::spawn(async move {
            WRITTEN.notified().await;
            while let Some(Ok(_)) = socket.next().await {}
        });
        return Ok(None);
    }
    if act == "writes" {
        // As long as a content may be, so that it fills the buffers on the way.
        let content = "\u{1F422}".repeat(2_000);
        let message = format!(r#"{{"type":"chat","content":"{content}"}}"#);
        for _ in 0..2_000 {
            socket.send(Message::text(&message)).await.map_err(|e| failed(&e))?;
            socket.next().await; // Whoever writes like this has to read, too.
        }
        WRITTEN.notify_one();
        return Ok(Some(socket));
    }
    if act == "floods" {
        let (mut sink, mut stream) = socket.split();
        let reader =
            tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
        let message = Message::text(r#"{"type":"chat","content":"Buy figs!"}"#);
        let mut left = 10_000;
        while left > 0 && sink.send(message.clone()).await.is_ok() {
            left -= 1;
        }
        let _ = sink.close().await; // Or the server was faster.
        let _ = reader.await;
        return Ok(None);
    }
    if let Some(text) = act.strip_prefix("sends ") {
        socket.send(Message::text(text)).await.map_err(|e| failed(&e))?;
        if let Some(Ok(Message::Close(_))) = socket.next().await {
            // Reading on answers the Close. Without an answer the server would wait.
            while let Some(Ok(_)) = socket.next().await {}
        }
    }
    Ok((act != "vanishes").then_some(socket))
}

/// A path or a command, with a token of this program for `{ana.token}`.
fn with_token(path: &str, program: &str) -> Result<String, Hint> {
    let Some((before, after)) = path.split_once(".token}") else {
        return Ok(path.into());
    };
    let (before, name) = before.rsplit_once('{').unwrap_or(("", before));
    let username = Username::try_from(name.to_owned()).map_err(Hint::new)?;
    let auth = Auth::new(SECRET.as_bytes(), program.to_owned().leak());
    let token = auth.map_err(Hint::new)?.issue(username);
    Ok(format!("{before}{token}{after}"))
}

/// Does what a file tells, and gives the file as it should be.
async fn replay(text: &str) -> Result<String, Hint> {
    let (notes, shown): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("#! "));
    let mut notes = notes.iter().map(|line| line.trim_start_matches("#! "));
    let name = notes.next().unwrap_or_default();
    if name == "example" {
        return example(&shown);
    }
    let mut program = Program::start(name)?;
    let port = program.port.clone();
    let mut stay = Vec::new();
    let serves = shown.iter().any(|line| line.starts_with("$ cargo run"));
    let mut repeats = false;
    for words in notes {
        if words == "repeat" {
            repeats = true;
            continue;
        }
        stay.extend(act(&port, &with_token(words, name)?).await?);
        let goes_on = [" stays", " sends hello", " pauses"];
        if serves && !goes_on.iter().any(|act| words.ends_with(act)) {
            program.line()?;
        }
    }

    let mut fresh: String = text
        .lines()
        .filter(|line| line.starts_with("#! "))
        .map(|l| format!("{l}\n"))
        .collect();
    let mut lines = shown.iter().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut command = command.to_owned();
        while command.ends_with('\\') {
            command.push('\n');
            command.push_str(lines.next().map_or("", |line| line));
        }
        let printed = if command.starts_with("curl ") {
            let command = with_token(&command, name)?;
            let end = Instant::now() + REPEAT;
            loop {
                let printed = curl(&command, &port)?;
                if !repeats || text.contains(printed.trim()) || Instant::now() > end {
                    break printed;
                }
                sleep(Duration::from_millis(100)).await;
            }
        } else {
            with_one_time(&program.printed)
        };
        fresh.push_str(&format!("$ {command}\n{}", printed.replace(&port, "8000")));
        if !fresh.ends_with('\n') {
            fresh.push('\n');
        }
    }
    Ok(fresh)
}

/// Runs the commands of a file that are about an example, and gives the file as it should be.
///
/// Without the package, it is the example that `cargo test` has compiled. Alone, the package has
/// fewer features of the crates of others, and all of them would be compiled anew.
fn example(shown: &[&str]) -> Result<String, Hint> {
    let mut fresh = String::from("#! example\n");
    for command in shown.iter().filter_map(|line| line.strip_prefix("$ cargo run ")) {
        let words: Vec<&str> = command.split(' ').collect();
        let words = words
            .strip_prefix(&["-p"])
            .and_then(|words| words.get(1..))
            .unwrap_or(&words);
        let output = cargo().args(["run", "--quiet"]).args(words).output();
        let output = output.map_err(hint(format!("cargo run {command}")))?;
        if !output.status.success() {
            return Err(Hint::new(String::from_utf8_lossy(&output.stderr)));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        fresh.push_str(&format!("$ cargo run {command}\n{printed}"));
    }
    Ok(fresh)
}

/// When each line of a log was written, as far as the book is concerned.
const TIME: &str = "2026-11-21T09:30:00.125000Z";

/// What a program printed, with the same time on every line of its log. Otherwise no
/// two runs would print the same.
fn with_one_time(printed: &str) -> String {
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    printed
        .split_inclusive('\n')
        .map(|line| match line.split_at_checked(TIME.len()) {
            Some((time, rest)) if shape(time) == shape(TIME) => format!("{TIME}{rest}"),
            _ => line.to_owned(),
        })
        .collect()
}

#[test]
fn only_the_time_of_a_log_is_replaced() {
    let printed = "Open it.\n2027-01-02T03:04:05.678901Z  INFO lesson: client gone\n\
                   at 2027-01-02T03:04:05.678901Z\n";

    let expected = format!(
        "Open it.\n{TIME}  INFO lesson: client gone\nat 2027-01-02T03:04:05.678901Z\n"
    );
    assert_eq!(
        with_one_time(printed),
        expected,
        "a line of the log begins with its time"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_what_the_book_shows() -> Check {
    let folder = Path::new(ROOT).join("book/outputs");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .map_err(hint("book/outputs".into()))?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .map(|file| read(&format!("book/outputs/{file}")).map_err(Hint::new))
        .collect::<Result<_, _>>()?;

    // The tests of a lesson need no program of it, so it may not be there yet.
    let built = cargo().args(["build", "--quiet", "--bins"]).output();
    let built = built.map_err(hint("cargo build".into()))?;
    if !built.status.success() {
        return Err(Hint::new(String::from_utf8_lossy(&built.stderr)));
    }

    for (file, text) in files.iter().zip(&texts) {
        let fresh = replay(text).await?;
        if env::var_os("RECORD").is_some() {
            fs::write(folder.join(file), fresh).map_err(hint(file.clone()))?;
            continue;
        }
        let pairs = text.lines().zip(fresh.lines());
        if let Some((i, (shown, printed))) =
            pairs.enumerate().find(|(_, (shown, printed))| shown != printed)
        {
            return Err(Hint::new(format!(
                "book/outputs/{file}:{}: The book shows {shown:?}, but the command prints \
                 {printed:?}. RECORD=1 writes it anew.",
                i + 1
            )));
        }
        if text.lines().count() != fresh.lines().count() {
            return Err(Hint::new(format!(
                "book/outputs/{file}:{}: The book shows {} lines, the command prints {}.",
                text.lines().count(),
                text.lines().count(),
                fresh.lines().count()
            )));
        }
    }
    Ok(())
}
