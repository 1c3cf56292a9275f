//! What both logs promise, whatever they are kept in.

use std::sync::Arc;

use probe::{
    Check,
    conformance::masked,
    resuming::chat_with_id,
    several_nodes::{LEASE, LONG_LEASE, QUIET, TestBroker, TestNode, says, until},
};
use tokio::join;

use super::{NODES, people::username, roomy, settings, start_with};
use crate::{
    cluster::{Connection, Lease, NatsLog, RoomManager, Settings},
    database::Database,
    delivery::{AppendError, Draft, Log, MessageId, Seq, SqliteLog},
    names::RoomName,
    server::Shutdown,
    text::Content,
};

fn room(name: &str) -> RoomName {
    RoomName::try_from(name.to_owned()).expect("a good name")
}

fn draft(from: &str, id: Option<&str>, content: &str) -> Draft {
    Draft {
        room: room("rust"),
        from: username(from),
        id: id.map(|id| MessageId::try_from(id.to_owned()).expect("a good id")),
        content: Content::try_from(content.to_owned()).expect("good content"),
        timestamp: "2026-11-21T09:30:00.125Z".into(),
    }
}

async fn append(log: &impl Log, draft: Draft) -> Result<Seq, AppendError> {
    log.append(draft).await.await
}

/// All that is kept of a room, page by page.
async fn contents(log: &impl Log, name: &str) -> Vec<(Seq, String)> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = log.read(&room(name), after).await.expect("a log that can be read");
        let Some(last) = page.entries.last() else { return all };
        after = last.seq;
        all.extend(page.entries.into_iter().map(|e| (e.seq, e.content.as_str().into())));
    }
}

async fn numbers_grow_and_pages_have_all_in_order(log: &impl Log) {
    let mut receipts = Vec::new();
    for i in 0..200 {
        receipts.push(log.append(draft("ana", None, &i.to_string())).await);
    }
    let mut numbers = Vec::new();
    for receipt in receipts {
        numbers.push(receipt.await.expect("a log that can be written"));
    }

    assert!(numbers.is_sorted_by(|one, next| one < next), "as they were appended");
    let all = contents(log, "rust").await;
    let expected: Vec<_> =
        numbers.iter().zip(0..).map(|(&n, i)| (n, i.to_string())).collect();
    assert_eq!(all, expected, "each once");
    let page = log.read(&room("rust"), 0).await.expect("a log that can be read");
    assert!(page.entries.len() < 200, "a page can be sent in one go");
    assert_eq!(page.deleted, 0, "nothing was deleted");
    assert!(page.last >= numbers[199], "and that is the last");
}

async fn an_id_is_a_chat_of_its_sender(log: &impl Log) {
    let first = append(log, draft("ana", Some("1"), "hello")).await.expect("it is new");

    let again = append(log, draft("ana", Some("1"), "hello")).await;
    assert_eq!(again, Ok(first), "sent again, it is the same");
    let other = append(log, draft("ben", Some("1"), "hello")).await;
    assert!(other.is_ok_and(|number| number > first), "others may use the id");
    for different in [
        draft("ana", Some("1"), "good night"),
        Draft { room: room("tea"), ..draft("ana", Some("1"), "hello") },
    ] {
        let result = append(log, different).await;
        assert_eq!(result, Err(AppendError::IdInUse), "it is for one chat");
    }
    assert!(contents(log, "tea").await.is_empty(), "and nothing was appended");
}

async fn rooms_are_apart_and_keep_their_newest(log: &impl Log) {
    for i in 0..1_100 {
        append(log, draft("ana", None, &i.to_string())).await.expect("it is new");
        if i == 500 {
            let tea = Draft { room: room("tea"), ..draft("ana", None, "tea") };
            append(log, tea).await.expect("it is new");
        }
    }

    let all = contents(log, "rust").await;
    let kept: Vec<_> = (100..1_100).map(|i| i.to_string()).collect();
    assert!(all.iter().map(|(_, content)| content).eq(&kept), "the newest 1,000");
    let page = log.read(&room("rust"), Seq::MAX).await.expect("a log that can be read");
    assert!(page.entries.is_empty(), "there is nothing behind the greatest number");
    assert_eq!(page.deleted, all[0].0 - 1, "all before the first is gone");
    assert_eq!(page.last, all[999].0, "the last is there");
    let page = log.read(&room("tea"), 0).await.expect("a log that can be read");
    assert_eq!((page.entries.len(), page.deleted), (1, 0), "the other room has its own");
    let page = log.read(&room("empty"), 0).await.expect("a log that can be read");
    assert_eq!((page.entries.len(), page.deleted), (0, 0), "and a new one has none");
}

/// Its first chat is no longer kept, and so it cannot be compared.
async fn an_id_is_not_for_another_room_either_when_its_chat_is_gone(log: &impl Log) {
    let first = append(log, draft("ana", Some("1"), "hello")).await.expect("it is new");
    for i in 0..1_000 {
        append(log, draft("ana", None, &i.to_string())).await.expect("it is new");
    }

    let elsewhere = Draft { room: room("tea"), ..draft("ana", Some("1"), "hello") };
    assert_eq!(append(log, elsewhere).await, Err(AppendError::IdInUse), "nobody has it");
    let again = append(log, draft("ana", Some("1"), "hello")).await;
    assert_eq!(again, Ok(first), "in its own room it is known");
}

/// While a page is read, the oldest chats of a busy room are deleted.
async fn a_page_has_no_hole_while_chats_are_deleted(log: &impl Log) {
    let write = async |from: i64, to: i64| {
        let mut receipts = Vec::new();
        for i in from..to {
            receipts.push(log.append(draft("ana", None, &i.to_string())).await);
        }
        for receipt in receipts {
            receipt.await.expect("a log that can be written");
        }
    };
    write(0, 1_000).await;
    // The room is alone, so its numbers follow one another.
    let read = async |after| {
        let page = log.read(&room("rust"), after).await.expect("a log that can be read");
        let numbers: Vec<_> = page.entries.iter().map(|entry| entry.seq).collect();
        let first = page.deleted.max(after) + 1;
        let expected: Vec<_> = (first..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "from number {first} on, without a hole");
        page
    };

    let writer = async {
        for i in 0..60 {
            write(1_000 + i * 20, 1_020 + i * 20).await;
        }
    };
    let reader = async {
        for _ in 0..20 {
            let page = read(0).await; // Somebody who is far behind, and then at the oldest.
            read(page.deleted).await;
        }
    };
    join!(writer, reader);

    let mut seen = 0;
    loop {
        let page = read(seen).await;
        let Some(last) = page.entries.last() else { break };
        seen = last.seq;
    }
    assert_eq!(seen, 2_200, "and page by page, all is there");
}

async fn sqlite() -> impl Log {
    let database = Database::new(&roomy()).expect("memory is always there");
    SqliteLog::new(database, |_| ()).expect("a database")
}

async fn nats(broker: &TestBroker) -> NatsLog {
    let connection = Connection::start(settings(&broker.url(), LEASE)).await;
    let connection = connection.expect("good settings");
    let answers = || async { connection.is_connected() };
    until("The broker answers", answers).await.expect("a broker");
    let broker = connection.open().await.expect("it answers");
    let lease = Lease::acquire(&broker).await.expect("it answers");
    let lease = Arc::new(lease);
    let (keeper, kept) = (broker.clone(), lease.clone());
    tokio::spawn(async move { kept.keep(&keeper).await });
    NatsLog { broker, lease, rooms: RoomManager::new(&roomy(), Shutdown::default()) }
}

macro_rules! contract {
    ($($rule:ident),*) => {
        mod sqlite_log {
            $(#[tokio::test(start_paused = true)]
            async fn $rule() {
                super::$rule(&super::sqlite().await).await;
            })*
        }
        mod nats_log {
            $(#[tokio::test]
            async fn $rule() {
                let Some(broker) = super::TestBroker::start() else { return };
                super::$rule(&super::nats(&broker).await).await;
            })*
        }
    };
}

contract! {
    numbers_grow_and_pages_have_all_in_order,
    an_id_is_a_chat_of_its_sender,
    an_id_is_not_for_another_room_either_when_its_chat_is_gone,
    rooms_are_apart_and_keep_their_newest,
    a_page_has_no_hole_while_chats_are_deleted
}

/// A leader that is no longer one may not know the newest chats.
#[tokio::test]
async fn an_answer_that_is_older_than_what_was_delivered_is_none() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let log = nats(&broker).await;
    let rooms = log.rooms.clone();
    let number = append(&log, draft("ana", None, "hello")).await.expect("it is new");
    rooms.apply(|rooms| rooms.advance(number));
    assert!(log.read(&room("rust"), 0).await.is_ok(), "it has what was delivered");

    rooms.apply(|rooms| rooms.advance(number + 1));

    assert!(log.read(&room("rust"), 0).await.is_err(), "it should have one more");
    Ok(())
}

async fn is_full(node: &TestNode) -> bool {
    node.readiness().await.is_err_and(|sentence| sentence == "The log is full.")
}

/// Nobody can write there, nor join or leave.
#[tokio::test]
async fn a_node_is_not_ready_while_its_log_is_full() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let small = Settings { max_bytes: 64 * 1024, ..settings(&broker.url(), LONG_LEASE) };
    let one = start_with(roomy(), small);
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;

    let mut count = 0;
    while count < 100
        && says(&mut ana, &count.to_string(), &"x".repeat(1_000)).await.is_ok()
    {
        count += 1;
    }
    assert!(count > 20, "64 KiB have room for more than {count}");
    until("The node says that its log is full", || is_full(&one)).await?;

    let stream = nats(&broker).await.broker.stream;
    stream.purge().filter("room.*.chat").await.expect("it answers");
    one.is_ready().await
}

/// The stream has no space for the first of two chats, but for the second. They come at once.
#[tokio::test]
async fn what_follows_a_chat_that_was_refused_is_not_accepted() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let small = Settings { max_bytes: 4_000, ..settings(&broker.url(), LONG_LEASE) };
    let one = start_with(roomy(), small);
    until("The node follows a log that is full", || is_full(&one)).await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;
    let long = masked(0x81, chat_with_id("a-1", &"字".repeat(2_000)).as_bytes());
    let short = masked(0x81, chat_with_id("a-2", "hello").as_bytes());

    ana.writes_raw(&[long, short].concat()).await?;

    ana.is_closed(1013, "the log is not available").await?;
    let kept = contents(&nats(&broker).await, "rust").await;
    assert!(kept.is_empty(), "or the first would come behind it: {kept:?}");
    Ok(())
}
