//! What both logs promise, whatever they are kept in.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{Context, stream};
use futures_util::FutureExt;
use probe::{
    Check,
    conformance::masked,
    log_contract::{Chat, IdInUse, Page, Receipt, TestLog, contents},
    resuming::chat_with_id,
    several_nodes::{LEASE, LONG_LEASE, QUIET, TestBroker, TestNode, says, until},
};
use tokio::time::sleep;

use super::{NODES, people::username, roomy, settings, start_with};
use crate::{
    cluster::{Connection, Lease, NO_LEASE, NatsLog, RoomManager, Settings},
    database::Database,
    delivery::{AppendError, Draft, Log, MessageId, SqliteLog},
    server::Shutdown,
};

/// A log, and the broker that it is in, if it is in one.
struct Tested<L> {
    log: L,
    _broker: Option<TestBroker>,
}

/// What a test has written is good.
fn good<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).ok().expect("a good name, id or content")
}

impl<L: Log> TestLog for Tested<L> {
    async fn append(&self, chat: Chat<'_>) -> Receipt {
        let draft = Draft {
            room: good(chat.room),
            from: username(chat.from),
            id: chat.id.map(good::<MessageId>),
            content: good(chat.content),
            timestamp: "2026-11-21T09:30:00.125Z".into(),
        };
        let receipt = self.log.append(draft).await;
        let result = receipt.map(|result| match result {
            Err(AppendError::IdInUse) => Err(IdInUse),
            other => Ok(other.expect("a log that can be written")),
        });
        result.boxed()
    }

    async fn read(&self, room: &str, after: i64) -> Page {
        let page =
            self.log.read(&good(room), after).await.expect("a log that can be read");
        let entries = page.entries.iter().map(|e| (e.seq, e.content.as_str().into()));
        Page { entries: entries.collect(), deleted: page.deleted, last: page.last }
    }
}

async fn in_sqlite() -> Option<impl TestLog> {
    let database = Database::new(&roomy()).expect("memory is always there");
    let log = SqliteLog::new(database, |_| ()).expect("a database");
    Some(Tested { log, _broker: None })
}

async fn in_nats() -> Option<Tested<NatsLog>> {
    let broker = TestBroker::start()?;
    Some(Tested { log: log_in(&broker).await, _broker: Some(broker) })
}

async fn log_in(broker: &TestBroker) -> NatsLog {
    let connection = Connection::start(settings(&broker.url(), LEASE)).await;
    let connection = connection.expect("good settings");
    let answers = || async { connection.is_connected() };
    until("The broker answers", answers).await.expect("a broker");
    let broker = connection.open().await.expect("it answers");
    let lease = Arc::new(Lease::acquire(&broker).await.expect("it answers"));
    let (keeper, kept) = (broker.clone(), lease.clone());
    tokio::spawn(async move { kept.keep(&keeper).await });
    NatsLog { broker, lease, rooms: RoomManager::new(&roomy(), Shutdown::default()) }
}

probe::log_contract! { sqlite_log, in_sqlite, (start_paused = true) }
probe::log_contract! { nats_log, in_nats, () }

/// A leader that is no longer one may not know the newest chats.
#[tokio::test]
async fn an_answer_that_is_older_than_what_was_delivered_is_none() -> Check {
    let Some(tested) = in_nats().await else { return Ok(()) };
    let rooms = tested.log.rooms.clone();
    let hello = Chat { room: "rust", from: "ana", id: None, content: "hello" };
    let number = tested.append(hello).await.await.expect("it is new");
    rooms.apply(|rooms| rooms.advance(number));
    assert!(tested.log.read(&good("rust"), 0).await.is_ok(), "it has what was delivered");

    rooms.apply(|rooms| rooms.advance(number + 1));

    assert!(tested.log.read(&good("rust"), 0).await.is_err(), "it should have one more");
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

    let stream = log_in(&broker).await.broker.stream;
    stream.purge().filter("room.*.chat").await.expect("it answers");
    one.is_ready().await
}

async fn takes_no_messages(node: &TestNode) -> bool {
    let said = node.readiness().await;
    said.is_err_and(|sentence| sentence == "The log takes no messages.")
}

/// Changes how a stream is configured. Returns what it was before.
async fn reconfigure(
    context: &Context,
    name: &str,
    change: impl FnOnce(&mut stream::Config),
) -> stream::Config {
    let stream = context.get_stream(name).await.expect("it is there");
    let before = stream.cached_info().config.clone();
    let mut after = before.clone();
    change(&mut after);
    context.update_stream(after).await.expect("it answers");
    before
}

/// As after a full disk: the broker answers questions and renews leases, but stores nothing in
/// the stream.
#[tokio::test]
async fn a_node_is_not_ready_while_its_log_takes_no_messages() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start_with(roomy(), settings(&broker.url(), LONG_LEASE));
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    says(&mut ana, "1", "hello").await?;
    let operator = log_in(&broker).await.broker.connection.context;
    let usual = reconfigure(&operator, "CHAT", |log| log.max_message_size = 1).await;

    assert!(says(&mut ana, "2", "still here?").await.is_err(), "nothing can be stored");

    until("The node says it", || takes_no_messages(&one)).await?;
    sleep(Duration::from_secs(3)).await;
    assert!(takes_no_messages(&one).await, "nobody writes, and it is as before");
    operator.update_stream(usual).await.expect("it answers");
    one.is_ready().await
}

/// The leases are in another stream.
#[tokio::test]
async fn a_node_that_begins_anew_knows_that_its_log_takes_no_messages() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start_with(roomy(), settings(&broker.url(), LEASE));
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    let operator = log_in(&broker).await.broker.connection.context;
    reconfigure(&operator, "CHAT", |log| log.max_message_size = 1).await;
    let nowhere = |leases: &mut stream::Config| leases.subjects = vec!["nowhere".into()];
    let leases = reconfigure(&operator, "KV_nodes", nowhere).await;
    assert!(says(&mut ana, "1", "still here?").await.is_err(), "nothing can be stored");
    until("The node has lost its lease", || async {
        one.readiness().await.is_err_and(|sentence| sentence == NO_LEASE)
    })
    .await?;

    operator.update_stream(leases).await.expect("it answers");

    until("It has another one", || async {
        one.readiness().await.is_ok() || takes_no_messages(&one).await
    })
    .await?;
    assert!(takes_no_messages(&one).await, "it is as before");
    Ok(())
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
    let log = Tested { log: log_in(&broker).await, _broker: None };
    let kept = contents(&log, "rust").await;
    assert!(kept.is_empty(), "or the first would come behind it: {kept:?}");
    Ok(())
}
