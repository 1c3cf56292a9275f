//! What every chat of the course does, in whatever words.
//!
//! A lesson describes its words in a [`Chat`]; the rules are written once.

use std::time::Duration;

use axum::Router;

use crate::{Check, Client, Expected, Hint, ONE_MINUTE, Server, manners::masked, serve};

/// A burst that an honest person may cause, by pasting a text line by line, say.
const BURST: usize = 200;

/// More messages than an outbox and a line together can hold.
const FLOOD: usize = 1_000;

/// A chat, and the words it uses.
pub struct Chat {
    pub app: fn() -> Router,
    /// What three people are called, in the order in which they come.
    pub names: [&'static str; 3],
    /// Where somebody connects.
    pub path: fn(name: &str) -> String,
    /// What a client sends to say something.
    pub says: fn(text: &str) -> String,
    /// What the others hear then.
    pub said: fn(name: &str, text: &str) -> Expected,
    /// What the others hear when somebody leaves.
    pub left: fn(name: &str) -> Expected,
    /// Whether a client hears what it has said itself.
    pub hears_itself: bool,
}

impl Chat {
    /// Lets the three people in. All greetings have been heard when it returns.
    async fn opens(&self) -> Result<(Server, [Client; 3]), Hint> {
        let server = serve((self.app)());
        let mut clients = Vec::new();
        for name in self.names {
            clients.push(server.connect(name, &(self.path)(name)).await?);
        }
        for client in &mut clients {
            client.hears_out(Duration::from_millis(1)).await;
        }
        let clients =
            clients.try_into().map_err(|_| Hint::new("There should be three."))?;
        Ok((server, clients))
    }
}

/// However somebody leaves, the others hear of it, and hear of it once.
pub async fn every_way_to_leave_is_heard_once(chat: Chat) -> Check {
    for way in ["a Close", "a dropped line", "a fault"] {
        let (_server, [mut ana, mut ben, cem]) = chat.opens().await?;
        let mut cem = Some(cem);

        match (way, cem.take()) {
            ("a Close", Some(cem)) => cem.leaves().await?,
            ("a dropped line", Some(cem)) => cem.vanishes().await,
            (_, Some(mut client)) => {
                client.writes_raw(&masked(0x83, b"")).await?;
                cem = Some(client); // The server ends it, the line is still there.
            }
            (_, None) => {}
        }

        let left = || (chat.left)(chat.names[2]);
        let after = |hint| Hint::new(format!("After {way}: {hint}"));
        ana.hears(left()).await.map_err(after)?;
        ben.hears(left()).await.map_err(after)?;
        ana.hears_nothing_for(ONE_MINUTE).await.map_err(after)?;
        drop(cem);
    }
    Ok(())
}

/// All clients hear the messages of several speakers in one order.
pub async fn everybody_hears_the_same_order(chat: Chat) -> Check {
    let (server, [mut ana, mut ben, mut cem]) = chat.opens().await?;

    for i in 0..50 {
        ana.says((chat.says)(&format!("a{i}"))).await?;
        ben.says((chat.says)(&format!("b{i}"))).await?;
    }

    let heard = cem.hears_out(Duration::from_secs(1)).await;
    let count = heard.len();
    if count != 100 {
        return Err(
            server.hint(format!("Cem should hear 100 messages, but heard {count}."))
        );
    }
    for listener in [&mut ana, &mut ben] {
        let theirs = listener.hears_out(Duration::from_secs(1)).await;
        let mut order = heard.iter();
        if !theirs.iter().all(|message| order.any(|other| other == message)) {
            return Err(
                server.hint("Two clients heard the messages in different orders.")
            );
        }
    }
    Ok(())
}

/// A burst of messages reaches everybody whole, and throws nobody out.
pub async fn an_honest_burst_evicts_nobody(chat: Chat) -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = chat.opens().await?;

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

/// What waits for a client is written in one go: a system call for each message would
/// cost most of the time that a chat server has.
pub async fn a_burst_leaves_in_few_writes(chat: Chat) -> Check {
    let (server, [mut ana, mut ben, _cem]) = chat.opens().await?;
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
         writes than messages. He heard {heard}, and the server wrote {writes} times."
    )))
}

/// A client that stops reading is closed with 4008. The others miss nothing, and wait
/// for nobody.
pub async fn a_slow_client_harms_only_itself(chat: Chat) -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = chat.opens().await?;
    let left = (chat.left)(chat.names[2]);
    cem.stops_reading();

    let mut cem_left = false;
    for i in 0..FLOOD {
        ana.says((chat.says)(&wordy(i))).await?;
        let said = (chat.said)(chat.names[0], &wordy(i));
        let heard = ben.hears_any().await?;
        if !cem_left && left.matches(&heard) {
            cem_left = true;
            ben.hears(said).await?;
        } else if !said.matches(&heard) {
            return Err(Hint::new(format!(
                "Ben should hear {said}, but heard {heard:?}: the slow client costs others \
                 their messages."
            )));
        }
    }

    if !cem_left {
        return Err(Hint::new(format!(
            "Cem read nothing while {FLOOD} messages came, and still has a place. The \
             messages wait somewhere without a limit."
        )));
    }
    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await?;
    cem.reads_again();
    cem.is_closed_in_the_end(4008, "too slow").await
}

/// A slow client that never reads again does not keep its task for ever.
pub async fn a_client_that_never_reads_again_is_cut_off(chat: Chat) -> Check {
    let (_server, [mut ana, _ben, mut cem]) = chat.opens().await?;
    cem.stops_reading();

    for i in 0..FLOOD {
        ana.says((chat.says)(&wordy(i))).await?;
        ana.hears_out(Duration::from_millis(1)).await;
    }
    ana.hears_out(ONE_MINUTE).await;

    cem.reads_again();
    cem.finds_the_line_cut().await
}

/// Whoever loses a place by slowness may come back under the same name at once, and
/// the end of the old connection does not throw out the new one.
pub async fn an_old_connection_does_not_throw_out_the_new_one(chat: Chat) -> Check {
    let (server, [mut ana, _ben, mut cem]) = chat.opens().await?;
    let name = chat.names[2];
    cem.stops_reading();
    for i in 0..FLOOD {
        ana.says((chat.says)(&wordy(i))).await?;
        ana.hears_out(Duration::from_millis(1)).await;
    }

    let mut again = server.connect(name, &(chat.path)(name)).await?;
    again.hears_out(Duration::from_secs(1)).await;
    cem.reads_again();
    cem.is_closed_in_the_end(4008, "too slow").await?;
    cem.vanishes().await;
    ana.hears_out(Duration::from_secs(1)).await;

    ana.says((chat.says)("Welcome back!")).await?;
    again.hears((chat.said)(chat.names[0], "Welcome back!")).await
}

/// A message that fills the line faster than a bare number would.
fn wordy(i: usize) -> String {
    format!("message {i}, and some more words to make it as long as people make them")
}

/// All of these rules as tests. The chat may be any expression.
///
/// `names: chosen` adds the rule for chats in which clients choose their names.
#[macro_export]
macro_rules! chat_manners {
    ($chat:expr) => {
        mod chat_manners {
            use super::*;

            $crate::chat_manners! { @each $chat =>
                every_way_to_leave_is_heard_once,
                everybody_hears_the_same_order,
                an_honest_burst_evicts_nobody,
                a_burst_leaves_in_few_writes,
                a_slow_client_harms_only_itself,
                a_client_that_never_reads_again_is_cut_off,
            }
        }
    };
    ($chat:expr, names: chosen) => {
        $crate::chat_manners!($chat);

        mod name_manners {
            use super::*;

            $crate::chat_manners! { @each $chat =>
                an_old_connection_does_not_throw_out_the_new_one,
            }
        }
    };
    (@each $chat:expr => $($rule:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $rule() -> $crate::Check {
                $crate::chat::$rule($chat).await
            }
        )*
    };
}
