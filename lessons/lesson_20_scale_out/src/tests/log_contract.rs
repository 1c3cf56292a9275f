//! What both logs promise, whatever they are kept in: the trait of lesson 18.

use std::sync::Arc;

use futures_util::FutureExt;
use lesson_18_delivery::{
    self as delivery, AppendError, Draft, Log, MessageId, SqliteLog,
};
use probe::{
    Check,
    log_contract::{Chat, IdInUse, Page, Receipt, TestLog},
    several_nodes::TestBroker,
};

use super::{broker::Kept, people::username};
use crate::{lease::Lease, nats_log::NatsLog, rooms::RoomManager};

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
        let entries = page.entries.into_iter().map(|e| (e.seq, e.content.into()));
        Page { entries: entries.collect(), deleted: page.deleted, last: page.last }
    }
}

async fn in_sqlite() -> Option<impl TestLog> {
    let log = SqliteLog::open(":memory:", delivery::RoomManager::default());
    Some(Tested { log: log.expect("a database"), _broker: None })
}

async fn in_nats() -> Option<Tested<NatsLog>> {
    let broker = TestBroker::start()?;
    let connection = broker.connection().await.expect("a broker");
    let stream = connection.open().await.expect("it answers");
    let lease = Arc::new(Lease::acquire(&stream).await.expect("it answers"));
    let (keeper, kept) = (stream.clone(), lease.clone());
    tokio::spawn(async move { kept.keep(&keeper).await });
    let log = NatsLog { broker: stream, lease, rooms: RoomManager::default() };
    Some(Tested { log, _broker: Some(broker) })
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
