//! The program as one of several nodes: what it says, and how it ends.

#![cfg(unix)]

mod common;

use std::{
    collections::BTreeMap,
    env,
    io::{self, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::program;
use probe::{
    conformance::masked,
    program::{Program, read_until},
    several_nodes::{LIMIT, TestBroker, free_port},
};

const SECRET: (&str, &str) =
    ("CHAT_JWT_SECRET", "a secret for the tests, 32 bytes or more");

/// The program as a node on the broker at this URL. Its clients have one second to leave.
fn node(url: &str) -> Command {
    let mut program = program();
    program.envs([SECRET, ("CHAT_NATS_URL", url), ("CHAT_SHUTDOWN_TIMEOUT", "1")]);
    program.env("CHAT_MESSAGES_PER_SECOND", "1000");
    program
}

/// A node that has a lease.
fn start(broker: &TestBroker) -> io::Result<Program> {
    let mut node = Program::start(node(&broker.url()))?;
    node.logs("this node follows the log");
    Ok(node)
}

/// A WebSocket of somebody who has seen nothing yet. It answers nothing, not even a Close.
fn connect(node: &Program, name: &str, password: &str) -> io::Result<TcpStream> {
    let token = node.sign_in(name, password)?;
    node.upgrade(&format!("/ws/chat/rust?resume=0&token={token}"))
}

fn ana(node: &Program) -> io::Result<TcpStream> {
    connect(node, "ana", "ana-likes-tea")
}

fn ben(node: &Program) -> io::Result<TcpStream> {
    connect(node, "ben", "ben-likes-jam")
}

#[test]
fn it_says_whether_it_is_alone() -> io::Result<()> {
    let mut alone = Program::start(program())?;
    alone.logs("this is the only node: CHAT_NATS_URL is not set");
    assert!(alone.get("/ready")?.starts_with("HTTP/1.1 200 "), "it needs nobody");

    let mut node = Program::start(node("127.0.0.1:1"))?;
    node.logs("this is one of several nodes");
    Ok(())
}

#[test]
fn a_broker_that_is_not_there_yet_is_waited_for_and_its_password_is_not_told()
-> io::Result<()> {
    let mut running = Program::start(node("nats://chat:a-password@127.0.0.1:1"))?;

    let answer = running.get("/ready")?;
    let rooms = running.get("/rooms")?;

    assert!(answer.starts_with("HTTP/1.1 503 "), "it serves, and is not ready: {answer}");
    assert!(answer.ends_with("The broker cannot be reached."), "it says why: {answer}");
    assert!(rooms.starts_with("HTTP/1.1 503 "), "nobody knows who is there: {rooms}");
    let said = running.logs("127.0.0.1:1 cannot be reached");
    assert!(!said.contains("a-password"), "and the log has no password: {said}");
    Ok(())
}

#[test]
fn what_cannot_work_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let url = ("CHAT_NATS_URL", "127.0.0.1:4222");
    let cases: [(&[_], _); 3] = [
        (&[url], "With CHAT_NATS_URL, set CHAT_JWT_SECRET, the same on all nodes.\n"),
        (
            &[("CHAT_NATS_URL", "http://chat:a-password@127.0.0.1"), SECRET],
            "CHAT_NATS_URL cannot be used: invalid scheme for NATS server URL: http.\n",
        ),
        (
            &[("CHAT_NATS_URL", "tls://127.0.0.1"), SECRET],
            "For a CHAT_NATS_URL with tls://, build with --features tls.\n",
        ),
    ];
    for (variables, sentence) in cases {
        let mut program = program();
        let output = program
            .envs(variables.iter().copied())
            .env("ADDR", "127.0.0.1:0")
            .output()?;

        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, sentence, "it says what to change");
        assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    }
    Ok(())
}

/// A lease has fifteen seconds. Nobody waits for its end.
#[test]
fn after_sigterm_the_others_learn_at_once_who_has_left() -> io::Result<()> {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (start(&broker)?, start(&broker)?);
    let mut ben = ben(&two)?;
    read_until(&mut ben, r#""seq":0}"#)?; // The welcome.
    let _never_answers_the_close = ana(&one)?;
    read_until(&mut ben, r#"{"type":"user_joined","username":"ana"}"#)?;

    let start = Instant::now();
    one.signal("-TERM")?;
    read_until(&mut ben, r#"{"type":"user_left","username":"ana"}"#)?;
    let status = one.ends()?;

    let took = start.elapsed();
    assert!(took < Duration::from_secs(8), "that took {took:?}");
    assert_eq!(status.code(), Some(3), "Ana did not answer the Close: {status}");
    let mut again = ana(&two)?;
    read_until(&mut ben, r#"{"type":"user_joined","username":"ana"}"#)?;
    read_until(&mut again, r#""type":"welcome""#).map(drop)
}

/// The broker has lost what came last. Whoever runs the program should read why it ends here.
#[test]
fn it_says_why_it_does_not_follow() -> io::Result<()> {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let mut one = start(&broker)?;
    broker.dies();
    broker.copies_its_data();
    broker.starts();
    let start = Instant::now();
    let _ana = loop {
        let mut ana = ana(&one)?;
        if read_until(&mut ana, r#""type":"welcome""#).is_ok() {
            break ana;
        }
        assert!(start.elapsed() < LIMIT, "the broker is back");
        thread::sleep(Duration::from_millis(50)); // There is no event to wait for.
    };
    while !one.get("/rooms")?.contains(r#""members":1"#) {
        assert!(start.elapsed() < LIMIT, "what the log says of Ana is applied");
        thread::sleep(Duration::from_millis(50));
    }

    broker.dies();
    broker.loses_what_came_later();
    broker.starts();

    one.logs("this is another log");
    Ok(())
}

/// The ids and the numbers of what has this type.
fn numbers(text: &str, kind: &str) -> BTreeMap<i64, String> {
    let field = |message: &str, name: &str| {
        let rest = message.split(&format!(r#""{name}":"#)).nth(1)?;
        let end = rest.find([',', '}'])?;
        Some(rest[..end].trim_matches('"').to_owned())
    };
    let messages = text.split(r#"{"type":""#).filter(|message| message.starts_with(kind));
    let pairs = messages.filter_map(|message| {
        Some((field(message, "seq")?.parse().ok()?, field(message, "id")?))
    });
    pairs.collect()
}

/// Ana sends one chat after the other, and her node is stopped. What was acknowledged is there
/// for her on the other one, once, and in her order.
#[test]
fn a_flood_that_is_stopped_goes_on_with_the_next_node_and_loses_nothing() -> io::Result<()>
{
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (start(&broker)?, start(&broker)?);
    let chat = |id: usize| {
        let chat = format!(r#"{{"type":"chat","id":"{id}","content":"hello"}}"#);
        masked(0x81, chat.as_bytes())
    };
    let mut first = ana(&one)?;
    let flood: Vec<u8> = (0..200).flat_map(chat).collect();
    first.write_all(&flood)?;
    let mut received = read_until(&mut first, r#"{"type":"ack","id":"3","seq":"#)?;

    one.signal("-TERM")?;
    let mut rest = Vec::new();
    first.read_to_end(&mut rest)?;
    one.ends()?;
    received += &String::from_utf8_lossy(&rest);

    let acknowledged = numbers(&received, "ack");
    assert!(acknowledged.len() >= 3, "some were acknowledged: {acknowledged:?}");
    let mut again = ana(&two)?;
    again.write_all(&flood)?;
    let mut kept = String::new();
    for last in [r#"{"type":"ack","id":"199","seq":"#, r#""id":"199","content""#] {
        if !kept.contains(last) {
            kept += &read_until(&mut again, last)?; // Whichever comes first.
        }
    }
    let chats = numbers(&kept, "chat");
    let ids: Vec<_> = chats.values().cloned().collect();
    let expected: Vec<_> = (0..200).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected, "each is there once, and in her order");
    for (seq, id) in &acknowledged {
        assert_eq!(chats.get(seq), Some(id), "number {seq} was acknowledged");
    }
    Ok(())
}

/// HAProxy with the configuration in `deploy`. It is killed with the value.
struct Balancer {
    process: Child,
    address: String,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill(); // Or it has ended already.
        let _ = self.process.wait();
    }
}

impl Balancer {
    /// `None` if there is no HAProxy, on the path or in `HAPROXY`. This says so.
    fn start(nodes: [&Program; 2]) -> io::Result<Option<Self>> {
        let found = env::var("HAPROXY")
            .into_iter()
            .chain(["haproxy", "/usr/sbin/haproxy"].map(String::from));
        let works = |path: &String| {
            let version = Command::new(path).arg("-v").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let Some(path) = found.into_iter().find(works) else {
            // Not `eprintln!`: the test runner would keep it to itself.
            writeln!(io::stderr(), "SKIPPED: the balancer needs HAProxy, or HAPROXY.")?;
            return Ok(None);
        };
        let address = format!("127.0.0.1:{}", free_port());
        let folder = env!("CARGO_MANIFEST_DIR");
        let process = Command::new(path)
            .args(["-db", "-f", &format!("{folder}/deploy/haproxy.cfg")])
            .env("BALANCER", &address)
            .env("NODE_1", nodes[0].address())
            .env("NODE_2", nodes[1].address())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Some(Self { process, address }))
    }

    /// The answer to a request, with this head and this body. It closes the connection.
    fn asks(&self, line: &str, token: &str, body: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(LIMIT))?;
        write!(
            connection,
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits until it has found the nodes.
    fn is_ready(&self) -> io::Result<()> {
        let start = Instant::now();
        while !self.asks("GET /ready", "", "").is_ok_and(|it| it.contains(" 200 ")) {
            if start.elapsed() > LIMIT {
                return Err(io::Error::other("the balancer should find a node"));
            }
            thread::sleep(Duration::from_millis(50)); // It has no event to wait for.
        }
        Ok(())
    }
}

/// Each node has its own database. Behind the balancer there is one all the same.
#[test]
fn behind_the_balancer_all_see_the_live_data_of_one_node() -> io::Result<()> {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (start(&broker)?, start(&broker)?);
    let Some(balancer) = Balancer::start([&one, &two])? else { return Ok(()) };
    balancer.is_ready()?;
    let token = two.sign_in("ana", "ana-likes-tea")?; // It is valid on all nodes.

    let user = r#"{"name":"Dana","email":"dana@example.com"}"#;
    let created = balancer.asks("POST /api/v1/users", &token, user)?;

    assert!(created.starts_with("HTTP/1.1 201 "), "Dana is a row now: {created}");
    for _ in 0..6 {
        let list = balancer.asks("GET /api/v1/users", &token, "")?;
        assert!(list.contains("Dana"), "whoever asks, and however often: {list}");
    }
    let direct = |node: &Program| {
        let head = format!("Host: it\r\nAuthorization: Bearer {token}\r\n\r\n");
        node.request(&format!("GET /api/v1/users HTTP/1.1\r\n{head}")).map(|it| it.1)
    };
    assert!(direct(&one)?.contains("Dana"), "it is the first one that has her");
    assert!(!direct(&two)?.contains("Dana"), "and not the other");

    one.signal("-KILL")?;
    one.ends()?;
    let start = Instant::now();
    loop {
        let list = balancer.asks("GET /api/v1/users", &token, "")?;
        if list.starts_with("HTTP/1.1 503 ") {
            break;
        }
        assert!(start.elapsed() < LIMIT, "nobody gets other data in its place: {list}");
        thread::sleep(Duration::from_millis(50)); // The balancer has no event to wait for.
    }
    let rooms = balancer.asks("GET /rooms", &token, "")?;
    assert!(rooms.starts_with("HTTP/1.1 200 "), "the chat goes on: {rooms}");
    Ok(())
}

/// The chat needs the broker. The rest has all that it needs on its node.
#[test]
fn behind_the_balancer_live_data_and_the_sign_in_go_on_without_the_broker()
-> io::Result<()> {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (start(&broker)?, start(&broker)?);
    let Some(balancer) = Balancer::start([&one, &two])? else { return Ok(()) };
    balancer.is_ready()?;
    let token = two.sign_in("ana", "ana-likes-tea")?;

    broker.dies();
    let start = Instant::now();
    while !balancer.asks("GET /rooms", &token, "")?.starts_with("HTTP/1.1 503 ") {
        assert!(start.elapsed() < LIMIT, "no node is ready for the chat");
        thread::sleep(Duration::from_millis(50)); // The balancer has no event to wait for.
    }
    thread::sleep(Duration::from_secs(2)); // It asks a node twice a second.

    let list = balancer.asks("GET /api/v1/users", &token, "")?;
    assert!(list.starts_with("HTTP/1.1 200 "), "the rows are where they were: {list}");
    let ben = r#"{"username":"ben","password":"ben-likes-jam"}"#;
    let signed_in = balancer.asks("POST /login", "", ben)?;
    assert!(signed_in.starts_with("HTTP/1.1 200 "), "Ben is himself: {signed_in}");
    Ok(())
}
