//! What every log of chats promises, whatever it keeps them in.

use futures_util::future::BoxFuture;
use tokio::join;

/// A log of chats, in a test. It can be read, and written.
pub trait TestLog {
    /// Appends a chat, and returns before it is kept: that is what the receipt tells.
    fn append(&self, chat: Chat<'_>) -> impl Future<Output = Receipt>;

    /// Reads the chats of a room behind a number, the oldest first.
    fn read(&self, room: &str, after: i64) -> impl Future<Output = Page>;
}

#[derive(Clone, Copy)]
pub struct Chat<'a> {
    pub room: &'a str,
    pub from: &'a str,
    pub id: Option<&'a str>,
    pub content: &'a str,
}

/// Resolves with the number of the chat.
pub type Receipt = BoxFuture<'static, Result<i64, IdInUse>>;

/// The sender has used the id for another chat.
#[derive(Debug, PartialEq)]
pub struct IdInUse;

/// A part of a room's log.
pub struct Page {
    /// The numbers and the contents of chats.
    pub entries: Vec<(i64, String)>,
    /// Up to which number chats may be gone.
    pub deleted: i64,
    /// The last number that was given out.
    pub last: i64,
}

/// A chat in the room "rust".
fn chat<'a>(from: &'a str, id: Option<&'a str>, content: &'a str) -> Chat<'a> {
    Chat { room: "rust", from, id, content }
}

async fn append(log: &impl TestLog, chat: Chat<'_>) -> Result<i64, IdInUse> {
    log.append(chat).await.await
}

/// All that is kept of a room, page by page.
pub async fn contents(log: &impl TestLog, room: &str) -> Vec<(i64, String)> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = log.read(room, after).await;
        let Some(last) = page.entries.last() else { return all };
        after = last.0;
        all.extend(page.entries);
    }
}

pub async fn numbers_grow_and_pages_have_all_in_order(log: &impl TestLog) {
    let mut receipts = Vec::new();
    for i in 0..200 {
        receipts.push(log.append(chat("ana", None, &i.to_string())).await);
    }
    let mut numbers = Vec::new();
    for receipt in receipts {
        numbers.push(receipt.await.expect("it is new"));
    }

    assert!(numbers.is_sorted_by(|one, next| one < next), "as they were appended");
    let all = contents(log, "rust").await;
    let expected: Vec<_> =
        numbers.iter().zip(0..).map(|(&n, i)| (n, i.to_string())).collect();
    assert_eq!(all, expected, "each once");
    let page = log.read("rust", 0).await;
    assert!(page.entries.len() < 200, "a page can be sent in one go");
    assert_eq!(page.deleted, 0, "nothing was deleted");
    assert!(page.last >= numbers[199], "and that is the last");
}

pub async fn an_id_is_a_chat_of_its_sender(log: &impl TestLog) {
    let first = append(log, chat("ana", Some("1"), "hello")).await.expect("it is new");

    let again = append(log, chat("ana", Some("1"), "hello")).await;
    assert_eq!(again, Ok(first), "sent again, it is the same");
    let other = append(log, chat("ben", Some("1"), "hello")).await;
    assert!(other.is_ok_and(|number| number > first), "others may use the id");
    for different in [
        chat("ana", Some("1"), "good night"),
        Chat { room: "tea", ..chat("ana", Some("1"), "hello") },
    ] {
        let result = append(log, different).await;
        assert_eq!(result, Err(IdInUse), "it is for one chat");
    }
    assert!(contents(log, "tea").await.is_empty(), "and nothing was appended");
}

/// Its first chat is no longer kept, and so it cannot be compared.
pub async fn an_id_is_not_for_another_room_either_when_its_chat_is_gone(
    log: &impl TestLog,
) {
    let first = append(log, chat("ana", Some("1"), "hello")).await.expect("it is new");
    for i in 0..1_000 {
        append(log, chat("ana", None, &i.to_string())).await.expect("it is new");
    }

    let elsewhere = Chat { room: "tea", ..chat("ana", Some("1"), "hello") };
    assert_eq!(append(log, elsewhere).await, Err(IdInUse), "nobody has it");
    let again = append(log, chat("ana", Some("1"), "hello")).await;
    assert_eq!(again, Ok(first), "in its own room it is known");
}

pub async fn rooms_are_apart_and_keep_their_newest(log: &impl TestLog) {
    for i in 0..1_100 {
        append(log, chat("ana", None, &i.to_string())).await.expect("it is new");
        if i == 500 {
            let tea = Chat { room: "tea", ..chat("ana", None, "tea") };
            append(log, tea).await.expect("it is new");
        }
    }

    let all = contents(log, "rust").await;
    let kept: Vec<_> = (100..1_100).map(|i| i.to_string()).collect();
    assert!(all.iter().map(|(_, content)| content).eq(&kept), "the newest 1,000");
    let page = log.read("rust", i64::MAX).await;
    assert!(page.entries.is_empty(), "there is nothing behind the greatest number");
    assert_eq!(page.deleted, all[0].0 - 1, "all before the first is gone");
    assert_eq!(page.last, all[999].0, "the last is there");
    let page = log.read("tea", 0).await;
    assert_eq!((page.entries.len(), page.deleted), (1, 0), "the other room has its own");
    let page = log.read("empty", 0).await;
    assert_eq!((page.entries.len(), page.deleted), (0, 0), "and a new one has none");
}

/// While a page is read, the oldest chats of a busy room are deleted.
pub async fn a_page_has_no_hole_while_chats_are_deleted(log: &impl TestLog) {
    let write = async |from: i64, to: i64| {
        let mut receipts = Vec::new();
        for i in from..to {
            receipts.push(log.append(chat("ana", None, &i.to_string())).await);
        }
        for receipt in receipts {
            receipt.await.expect("it is new");
        }
    };
    write(0, 1_000).await;
    // The room is alone, so its numbers follow one another.
    let read = async |after| {
        let page = log.read("rust", after).await;
        let numbers: Vec<_> = page.entries.iter().map(|(number, _)| *number).collect();
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
        seen = last.0;
    }
    assert_eq!(seen, 2_200, "and page by page, all is there");
}

/// Tests that each log has to pass. `$make` is an async function that makes one, or says that this
/// is not possible, and returns `None`. `$clock` is for `tokio::test`, as in `(start_paused = true)`.
#[macro_export]
macro_rules! log_contract {
    ($module:ident, $make:ident, $clock:tt) => {
        $crate::log_contract! { @tests $module, $make, $clock =>
            numbers_grow_and_pages_have_all_in_order,
            an_id_is_a_chat_of_its_sender,
            an_id_is_not_for_another_room_either_when_its_chat_is_gone,
            rooms_are_apart_and_keep_their_newest,
            a_page_has_no_hole_while_chats_are_deleted
        }
    };
    (@tests $module:ident, $make:ident, $clock:tt => $($rule:ident),*) => {
        mod $module {
            $(
                #[tokio::test $clock]
                async fn $rule() {
                    let Some(log) = super::$make().await else { return };
                    $crate::log_contract::$rule(&log).await;
                }
            )*
        }
    };
}
