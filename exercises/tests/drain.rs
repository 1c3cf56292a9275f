// Exercise 11: a stop that drains.

use std::time::Duration;

use exercises::drain::{Stop, server};
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

probe::steps! {
    step_1_the_connected_are_closed_with_1001,
    step_2_after_the_stop_new_connections_get_503,
    step_3_it_ends_at_once_when_nobody_is_there,
    step_4_what_is_queued_comes_first,
    step_5_it_waits_for_those_who_are_connected,
    step_6_it_waits_no_longer_than_the_deadline,
    step_7_a_second_stop_waits_as_well,
}

const PATH: &str = "/ws/drain";

/// How long the stop waits for those who are connected.
const DEADLINE: Duration = Duration::from_secs(5);

/// What a clock may be wrong by.
const A_LITTLE: Duration = Duration::from_millis(100);

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

/// How many messages wait for Ben: more than the buffers of a connection hold, and less than
/// an outbox takes.
const QUEUED: usize = 60;

/// Ana and Ben, and what stops the server.
async fn two_people() -> Result<(Server, Stop, [Client; 2]), Hint> {
    let (router, stop) = server();
    let server = serve(router);
    let ana = server.connect("Ana", PATH).await?;
    let ben = server.connect("Ben", PATH).await?;
    Ok((server, stop, [ana, ben]))
}

/// The same, but Ben reads nothing while Ana talks, so that messages wait for him.
async fn ben_is_slow() -> Result<(Server, Stop, [Client; 2]), Hint> {
    let (server, stop, [mut ana, mut ben]) = two_people().await?;
    ben.stops_reading();
    for number in 1..=QUEUED {
        ana.says(message(number)).await?;
    }
    ana.hears_out(MOMENT).await;
    Ok((server, stop, [ana, ben]))
}

/// A message with many letters behind it, to fill the connection.
fn message(number: usize) -> String {
    format!("message {number} {}", "z".repeat(1_000))
}

/// A stop that runs while the test goes on: how many it left, and how long it took.
struct Stopping(JoinHandle<(usize, Duration)>);

impl Stopping {
    async fn begins(stop: &Stop) -> Self {
        let (stop, start) = (stop.clone(), Instant::now());
        let task = tokio::spawn(async move { (stop.stop().await, start.elapsed()) });
        sleep(MOMENT).await;
        Self(task)
    }

    /// Expects that the stop ends after `time`, and that so many are left.
    async fn ends(
        self,
        server: &Server,
        what: &str,
        time: Duration,
        left: usize,
    ) -> Check {
        let limit = timeout(ONE_MINUTE, self.0);
        let (came, took) = match limit.await {
            Ok(Ok(came)) => came,
            Ok(Err(_)) => return Err(server.hint(format!("{what} The stop panicked."))),
            Err(_) => {
                return Err(server.hint(format!(
                    "{what} The stop should end after {} s, but after a minute it still \
                     waits.",
                    time.as_secs()
                )));
            }
        };
        if took + A_LITTLE < time || took > time + A_LITTLE {
            return Err(server.hint(format!(
                "{what} The stop should end after {} s, but it ended after {:.1} s.",
                time.as_secs(),
                took.as_secs_f64()
            )));
        }
        if came != left {
            return Err(server.hint(format!(
                "{what} The stop should return how many connections are left, which is \
                 {left}, but it returns {came}."
            )));
        }
        Ok(())
    }
}

/// The beginning: everybody is told, with a code that says that it is not their fault.
async fn step_1_the_connected_are_closed_with_1001() -> Check {
    let (_server, stop, [mut ana, mut ben]) = two_people().await?;
    ana.says("Hello!").await?;
    for client in [&mut ana, &mut ben] {
        client.hears("Hello!").await?;
    }

    let _stopping = Stopping::begins(&stop).await;

    for client in [&mut ana, &mut ben] {
        client
            .is_closed(1001, "the server is stopping")
            .await
            .because("Ana and Ben are connected, and the server stops.")?;
    }
    Ok(())
}

/// A load balancer that gets 503 sends the client to another server.
async fn step_2_after_the_stop_new_connections_get_503() -> Check {
    let (server, stop, [_ana, mut ben]) = ben_is_slow().await?;

    let _stopping = Stopping::begins(&stop).await;

    let rejected = server.rejects("Cem", PATH, 503).await;
    rejected
        .because("The stop has begun, and waits for Ben, who is slow. Cem connects.")?;
    ben.reads_again();
    ben.hears_out(MOMENT).await;
    sleep(2 * DEADLINE).await;
    let rejected = server.rejects("Dan", PATH, 503).await;
    rejected.because("The stop is over. Dan connects.")?;
    Ok(())
}

/// Whoever starts a new version waits for the end of the old one. And the server is stopping,
/// whether somebody was there to be told or not.
async fn step_3_it_ends_at_once_when_nobody_is_there() -> Check {
    let (busy, stop, [ana, ben]) = two_people().await?;
    ana.leaves().await?;
    ben.vanishes().await;

    let stopping = Stopping::begins(&stop).await;

    let gone = "Ana closed, and Ben lost the connection. Nobody is there any more.";
    stopping.ends(&busy, gone, Duration::ZERO, 0).await?;
    let rejected = busy.rejects("Cem", PATH, 503).await;
    rejected
        .because("Ana and Ben left before the server was stopped. Then Cem connects.")?;

    let (router, stop) = server();
    let idle = serve(router);

    let stopping = Stopping::begins(&stop).await;

    stopping.ends(&idle, "Nobody has ever connected.", Duration::ZERO, 0).await?;
    let rejected = idle.rejects("Cem", PATH, 503).await;
    rejected
        .because("The server was stopped before anybody connected. Then Cem connects.")?;
    Ok(())
}

/// What the server has accepted, it sends. Ben would not know that anything is missing.
async fn step_4_what_is_queued_comes_first() -> Check {
    let (_server, stop, [_ana, mut ben]) = ben_is_slow().await?;

    let _stopping = Stopping::begins(&stop).await;
    ben.reads_again();

    let queued = "Ana has said 60 things, and Ben has read none of them, when the server \
                  stops. Then he reads again.";
    for number in 1..=QUEUED {
        ben.hears(message(number)).await.because(queued)?;
    }
    ben.is_closed(1001, "the server is stopping").await.because(queued)
}

/// When the program ends, all that is not sent is lost.
async fn step_5_it_waits_for_those_who_are_connected() -> Check {
    let (server, stop, [mut ana, mut ben]) = ben_is_slow().await?;
    let pause = Duration::from_secs(2);

    let stopping = Stopping::begins(&stop).await;
    ana.is_closed(1001, "the server is stopping").await?;
    sleep(pause).await;
    ben.reads_again();
    ben.hears_out(MOMENT).await;

    let slow = "Ben reads nothing while the server stops. After 2 s he reads again, and is \
                closed.";
    stopping.ends(&server, slow, pause, 0).await
}

/// Ben does not read at all. Whoever stops the server ends it by force at some point, and
/// then nobody knows whether somebody was left behind.
async fn step_6_it_waits_no_longer_than_the_deadline() -> Check {
    let (server, stop, [_ana, _ben]) = ben_is_slow().await?;

    let stopping = Stopping::begins(&stop).await;

    let never = "Ben reads nothing any more, and the server stops. Ana reads.";
    stopping.ends(&server, never, DEADLINE, 1).await
}

/// Somebody presses Ctrl-C, and a moment later once more.
async fn step_7_a_second_stop_waits_as_well() -> Check {
    let (server, stop, [_ana, mut ben]) = ben_is_slow().await?;
    let second = Duration::from_secs(1);

    let one = Stopping::begins(&stop).await;
    sleep(second).await;
    let two = Stopping::begins(&stop).await;
    sleep(second).await;
    ben.reads_again();
    ben.hears_out(MOMENT).await;

    let both = "Ben reads nothing for 2 s while the server stops. After 1 s it is told to \
                stop once more.";
    one.ends(&server, &format!("{both} This is the first stop."), 2 * second, 0).await?;
    two.ends(&server, &format!("{both} This is the second stop."), second, 0).await?;
    let three = Stopping::begins(&stop).await;
    three
        .ends(&server, "Everybody has left, and it is stopped again.", Duration::ZERO, 0)
        .await
}
