//! A learner's connection: `hello`, and then a state whenever it has changed.

use std::time::Duration;

use axum::{
    extract::{State, WebSocketUpgrade, ws::close_code},
    response::Response,
};
use tokio::{select, time::timeout};

use crate::{
    class::{Class, JoinError, Member},
    connection::Connection,
    protocol::{LearnerMessage, Name, SessionId, ToLearner, encode},
    socket::Disconnect,
    upgrade::{Limits, NoOrigin},
};

/// How long a connection may stay that has not said hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

const NO_HELLO: Disconnect = Disconnect::ByUs(close_code::POLICY, "hello comes first");
const FULL: Disconnect = Disconnect::ByUs(close_code::AGAIN, "the class is full");
const REPLACED: Disconnect = Disconnect::ByUs(4014, "replaced by a newer connection");

pub async fn ws_handler(
    _: NoOrigin,
    upgrade: WebSocketUpgrade,
    State(class): State<Class>,
    State(limits): State<Limits>,
) -> Response {
    limits.learners.on_upgrade(upgrade, |connection| handle_socket(connection, class))
}

/// Handles one learner, from the moment they connect to the moment they are gone.
async fn handle_socket(mut connection: Connection, class: Class) {
    let disconnect = match join(&mut connection, &class).await {
        Ok(mut member) => {
            let disconnect = run(&mut connection, &mut member).await;
            // Now, not later: the closing handshake can take a while.
            match disconnect {
                Disconnect::ByClient(Some(close_code::NORMAL)) => member.leave(),
                _ => drop(member),
            }
            disconnect
        }
        Err(disconnect) => disconnect,
    };
    connection.close(&disconnect).await;
}

/// Waits for the hello, and welcomes the learner or says why not.
async fn join(connection: &mut Connection, class: &Class) -> Result<Member, Disconnect> {
    let hello = timeout(HELLO_TIMEOUT, connection.recv()).await;
    let text = hello.unwrap_or(Err(NO_HELLO))?.ok_or(NO_HELLO)?;
    let (name, session) = match LearnerMessage::parse(&text) {
        Ok(LearnerMessage::Hello { name, session }) => (name, session),
        Ok(LearnerMessage::Progress(_)) => return Err(NO_HELLO),
        Err(message) => {
            send(connection, &ToLearner::Error { message }).await?;
            return Err(NO_HELLO);
        }
    };

    let member = admit(class, &name, session);
    match member {
        Ok(member) => {
            send(connection, &ToLearner::Welcome).await?;
            Ok(member)
        }
        Err((message, disconnect)) => {
            send(connection, &ToLearner::Error { message }).await?;
            Err(disconnect)
        }
    }
}

/// Adds the learner to the class. The error has a sentence for the learner, and the Close.
fn admit(
    class: &Class,
    name: &Name,
    session: SessionId,
) -> Result<Member, (String, Disconnect)> {
    class.join(name, session).map_err(|error| match error {
        JoinError::NameTaken { free } => {
            let (name, free) = (name.as_str(), free.as_str());
            let sentence = format!(
                "Somebody else in the class is called {name}. Choose another name: {free} is \
                 free."
            );
            (sentence, Disconnect::NAME_TAKEN)
        }
        JoinError::Full => ("The class is full.".into(), FULL),
    })
}

/// Shows what the learner reports, until one of the two ends the connection.
async fn run(connection: &mut Connection, member: &mut Member) -> Disconnect {
    loop {
        let text = select! {
            received = connection.recv() => match received {
                Ok(Some(text)) => text,
                Ok(None) => match connection.ping().await {
                    Ok(()) => continue,
                    Err(disconnect) => return disconnect,
                },
                Err(disconnect) => return disconnect,
            },
            () = member.replaced() => {
                let message = "You have joined the class a second time under this name. This \
                               is the older connection, and it ends.";
                let message = ToLearner::Error { message: message.into() };
                return send(connection, &message).await.err().unwrap_or(REPLACED);
            }
        };
        let message = match LearnerMessage::parse(&text) {
            Ok(LearnerMessage::Progress(progress)) => {
                member.report(progress);
                continue;
            }
            Ok(LearnerMessage::Hello { .. }) => "you have said hello already".into(),
            Err(message) => message,
        };
        if let Err(disconnect) = send(connection, &ToLearner::Error { message }).await {
            return disconnect;
        }
    }
}

async fn send(
    connection: &mut Connection,
    message: &ToLearner,
) -> Result<(), Disconnect> {
    connection.send(encode(message)).await
}
