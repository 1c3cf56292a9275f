//! What every chat of the course does, whatever its messages look like.
//!
//! A lesson describes its messages in a [`Chat`]; the rules are written once.

use std::{panic::Location, time::Duration};

use axum::Router;
use tokio::time::Instant;

use crate::{
    Check, Client, Expected, Hint, ONE_MINUTE, RawConnection, Server, client::Event,
    conformance::masked, serve,
};

/// A burst of messages that a person may well cause, by pasting a text line by line, say.
const BURST: usize = 200;

/// More messages than an outbox and the buffers of a connection can hold together.
const FLOOD: usize = 1_000;

/// How many members stall at once, as when a network fails. It is more than an outbox
/// holds, so that their departures do not fit into one, either, if they come one by one.
const CROWD: usize = 300;

/// Longer than the announcement of who joined may wait.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(100);

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

/// A chat, and what its messages look like.
pub struct Chat {
    pub app: fn() -> Router,
    /// What three people are called, in the order in which they come.
    pub names: [&'static str; 3],
    /// Where somebody connects.
    pub path: fn(name: &str) -> String,
    /// What a client sends to say something.
    pub says: fn(text: &str) -> String,
    /// What the others receive then.
    pub said: fn(name: &str, text: &str) -> Expected,
    /// What the others receive when somebody leaves.
    pub left: fn(name: &str) -> Expected,
    /// Whether a client receives what it has sent itself.
    pub hears_itself: bool,
    /// What the members of a crowd are called, one for each number.
    pub crowd: fn(usize) -> String,
}

impl Chat {
    /// Connects the three people. All greetings have been received when it returns.
    async fn connect(&self) -> Result<(Server, [Client; 3]), Hint> {
        let server = serve((self.app)());
        let mut clients = Vec::new();
        for name in self.names {
            clients.push(server.connect(name, &(self.path)(name)).await?);
        }
        for client in &mut clients {
            client.hears_out(ANNOUNCE_DELAY).await;
        }
        let clients =
            clients.try_into().map_err(|_| Hint::new("There should be three."))?;
        Ok((server, clients))
    }
}

/// However a connection ends, the others are notified, and they are notified once.
pub async fn every_disconnect_is_announced_once(chat: Chat) -> Check {
    for way in ["a Close", "a lost connection", "a protocol violation"] {
        let (_server, [mut ana, mut ben, cem]) = chat.connect().await?;
        let mut cem = Some(cem);

        match (way, cem.take()) {
            ("a Close", Some(cem)) => cem.leaves().await?,
            ("a lost connection", Some(cem)) => cem.vanishes().await,
            (_, Some(mut client)) => {
                client.writes_raw(&masked(0x83, b"")).await?;
                cem = Some(client); // The server closes. The client has not gone.
            }
            (_, None) => {}
        }

        let left = || (chat.left)(chat.names[2]);
        let after = |hint| Hint::new(format!("After {way}: {hint}"));
        let start = Instant::now();
        ana.hears(left()).await.map_err(after)?;
        ben.hears(left()).await.map_err(after)?;
        let waited = start.elapsed();
        if waited > ANNOUNCE_DELAY {
            return Err(Hint::new(format!(
                "After {way}: the others should receive at once that he left, but received it \
                 after {waited:?}. Is he still on the list during the closing handshake?"
            )));
        }
        ana.hears_nothing_for(ONE_MINUTE).await.map_err(after)?;
        drop(cem);
    }
    Ok(())
}

/// All clients receive the messages of several senders in one order.
pub async fn all_receive_the_same_order(chat: Chat) -> Check {
    let (server, [mut ana, mut ben, mut cem]) = chat.connect().await?;

    for i in 0..50 {
        ana.says((chat.says)(&format!("a{i}"))).await?;
        ben.says((chat.says)(&format!("b{i}"))).await?;
    }

    let heard = cem.hears_out(Duration::from_secs(1)).await;
    let count = heard.len();
    if count != 100 {
        return Err(server
            .hint(format!("Cem should receive 100 messages, but received {count}.")));
    }
    for listener in [&mut ana, &mut ben] {
        let theirs = listener.hears_out(Duration::from_secs(1)).await;
        let mut order = heard.iter();
        if !theirs.iter().all(|message| order.any(|other| other == message)) {
            return Err(
                server.hint("Two clients received the messages in different orders.")
            );
        }
    }
    Ok(())
}

/// A burst of messages reaches everybody whole, and disconnects nobody.
pub async fn a_burst_disconnects_nobody(chat: Chat) -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = chat.connect().await?;

    for i in 0..BURST {
        ana.says((chat.says)(&i.to_string())).await?;
    }

    for i in 0..BURST {
        let said = || (chat.said)(chat.names[0], &i.to_string());
        ben.hears(said()).await?;
        cem.hears(said()).await?;
        if chat.hears_itself {
            ana.hears(said()).await?;
        }
    }
    ben.hears_nothing_for(ONE_MINUTE).await
}

/// What is queued for a client is written in one go: a system call for each message would
/// cost most of the time that a chat server has.
pub async fn a_burst_takes_few_writes(chat: Chat) -> Check {
    let (server, [mut ana, mut ben, _cem]) = chat.connect().await?;
    let burst: Vec<u8> = (0..BURST)
        .flat_map(|i| masked(0x81, (chat.says)(&i.to_string()).as_bytes()))
        .collect();
    let before = server.writes();

    ana.writes_raw(&burst).await?;

    let heard = ben.hears_out(Duration::from_secs(1)).await.len();
    let writes = server.writes() - before;
    if heard == BURST && writes < BURST {
        return Ok(());
    }
    Err(Hint::new(format!(
        "A burst of {BURST} messages should reach Ben whole, and should take far fewer \
         writes than messages. He received {heard}, and the server wrote {writes} times."
    )))
}

/// A client that stops reading is closed with 4008. The others miss nothing, and are not
/// delayed.
pub async fn a_slow_client_harms_only_itself(chat: Chat) -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = chat.connect().await?;
    let left = (chat.left)(chat.names[2]);
    cem.stops_reading();

    let mut cem_left = false;
    for i in 0..FLOOD {
        ana.says((chat.says)(&message(i))).await?;
        let said = (chat.said)(chat.names[0], &message(i));
        let heard = ben.hears_any().await?;
        if !cem_left && left.matches(&heard) {
            cem_left = true;
            ben.hears(said).await?;
        } else if !said.matches(&heard) {
            return Err(Hint::new(format!(
                "Ben should receive {said}, but received {heard:?}: the slow client costs \
                 others their messages."
            )));
        }
    }

    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await?;
    cem.reads_again();
    cem.is_closed_in_the_end(4008, "too slow").await.map_err(|hint| {
        Hint::new(format!(
            "Cem read nothing while {FLOOD} messages came. If he receives all of them \
             afterwards, they were queued somewhere without a limit. {hint}"
        ))
    })?;
    if !cem_left {
        ben.hears(left).await?;
    }
    Ok(())
}

/// A slow client that never reads again does not keep its task for ever.
pub async fn a_client_that_never_reads_again_is_disconnected(chat: Chat) -> Check {
    let (_server, [mut ana, _ben, mut cem]) = chat.connect().await?;
    cem.stops_reading();

    for i in 0..FLOOD {
        ana.says((chat.says)(&message(i))).await?;
        ana.hears_out(MOMENT).await;
    }
    ana.hears_out(ONE_MINUTE).await;

    cem.reads_again();
    cem.finds_the_connection_lost().await
}

/// Whoever was closed for being too slow may come back under the same name at once, and the
/// end of the old connection does not remove the new one.
pub async fn an_old_connection_does_not_remove_the_new_one(chat: Chat) -> Check {
    let (server, [mut ana, _ben, mut cem]) = chat.connect().await?;
    let name = chat.names[2];
    cem.stops_reading();
    for i in 0..FLOOD {
        ana.says((chat.says)(&message(i))).await?;
        ana.hears_out(MOMENT).await;
    }
    cem.reads_again();
    cem.is_closed_in_the_end(4008, "too slow").await?;

    let mut again = server.connect(name, &(chat.path)(name)).await?;
    again.hears_out(Duration::from_secs(1)).await;
    cem.vanishes().await;
    ana.hears_out(Duration::from_secs(1)).await;

    ana.says((chat.says)("Welcome back!")).await?;
    again.hears((chat.said)(chat.names[0], "Welcome back!")).await
}

/// When a crowd stalls at once, each of its members is disconnected, and the others receive
/// each departure once. None of the others is disconnected.
pub async fn a_crowd_that_stalls_at_once_disconnects_nobody_else(chat: Chat) -> Check {
    let mut test = CrowdTest::of(chat).await?;

    for i in 0..FLOOD {
        let message = (test.chat.says)(&longest_message(i));
        test.readers[0].says(message).await?;
        test.reads_on(MOMENT).await?;
        if test.received[1].len() > i + 1 {
            break; // The first departure has come.
        }
    }

    test.reads_on(ONE_MINUTE).await?;
    test.each_departure_was_received_once("stopped reading")
}

/// When the connections of a crowd are lost at once, the others receive each departure
/// once, and none of them is disconnected.
pub async fn a_crowd_that_is_lost_at_once_disconnects_nobody_else(chat: Chat) -> Check {
    let mut test = CrowdTest::of(chat).await?;

    test.connections.clear();

    test.reads_on(ONE_MINUTE).await?;
    test.each_departure_was_received_once("lost their connections")
}

/// Three people who read, and a crowd that has stopped reading.
struct CrowdTest {
    chat: Chat,
    server: Server,
    readers: [Client; 3],
    /// What each reader has received since the crowd stopped reading.
    received: [Vec<String>; 3],
    /// What the members of the crowd are called.
    crowd: Vec<String>,
    connections: Vec<RawConnection>,
}

impl CrowdTest {
    async fn of(chat: Chat) -> Result<Self, Hint> {
        let (server, mut readers) = chat.connect().await?;
        let crowd: Vec<String> = (0..CROWD).map(chat.crowd).collect();
        let mut connections = Vec::new();
        for name in &crowd {
            connections.push(server.opens_a_websocket(&(chat.path)(name)).await?);
            if connections.len() % 50 == 0 {
                for reader in &mut readers {
                    reader.hears_out(MOMENT).await;
                }
            }
        }
        for (name, connection) in crowd.iter().zip(&mut connections) {
            let head = connection.hears_out(MOMENT).await; // The last that it reads.
            if !head.starts_with("HTTP/1.1 101 ") {
                let sentence =
                    format!("{name} should get a WebSocket, but got {head:?}.");
                return Err(server.hint(sentence));
            }
        }
        for reader in &mut readers {
            reader.hears_out(ANNOUNCE_DELAY).await;
        }
        let received = Default::default();
        Ok(Self { chat, server, readers, received, crowd, connections })
    }

    /// Keeps what comes for each reader until nothing has come for `pause`.
    async fn reads_on(&mut self, pause: Duration) -> Check {
        for (reader, received) in self.readers.iter_mut().zip(&mut self.received) {
            loop {
                match reader.next(pause).await {
                    None => break,
                    Some(Event::Text(text)) => received.push(text),
                    came => {
                        let goal = "stay connected, because it reads";
                        return Err(reader.instead(
                            goal,
                            came,
                            pause,
                            Location::caller(),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn each_departure_was_received_once(&self, what: &str) -> Check {
        let left = self.chat.left;
        for (reader, received) in self.chat.names.iter().zip(&self.received) {
            let short: Vec<_> = received
                .iter()
                .filter(|text| text.len() < longest_message(0).len())
                .collect();
            for name in &self.crowd {
                let is_departure =
                    |text: &&&String| text.contains(name) && left(name).matches(text);
                let times = short.iter().filter(is_departure).count();
                if times != 1 {
                    return Err(self.server.hint(format!(
                        "{CROWD} members {what} at once. {reader} should receive once that \
                         {name} left, but received it {times} times."
                    )));
                }
            }
        }
        Ok(())
    }
}

/// As long as a message may be, so that a few of them fill the buffers.
fn longest_message(i: usize) -> String {
    format!("{i} {}", "x".repeat(1_900))
}

/// A message that fills the buffers faster than a bare number would.
fn message(i: usize) -> String {
    format!("message {i}, and some more words to make it as long as people make them")
}

/// These rules as tests: those that are named after `=>`, or all but those of a crowd. The
/// chat may be any expression.
#[macro_export]
macro_rules! chat_conformance {
    ($chat:expr) => {
        $crate::chat_conformance! { $chat =>
            every_disconnect_is_announced_once,
            all_receive_the_same_order,
            a_burst_disconnects_nobody,
            a_burst_takes_few_writes,
            a_slow_client_harms_only_itself,
            a_client_that_never_reads_again_is_disconnected,
            an_old_connection_does_not_remove_the_new_one,
        }
    };
    ($chat:expr => $($rule:ident),* $(,)?) => {
        $crate::rules! { chat as chat_conformance, ($chat) => $($rule),* }
    };
}
