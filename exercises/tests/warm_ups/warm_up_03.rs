// Warm-up for lesson 03: a greeting with a number.

use std::time::Duration;

use exercises::warm_ups::warm_up_03::router;
use probe::{Because, Check, Client, ONE_MINUTE, serve};

probe::steps! {
    step_1_a_newcomer_is_greeted,
    step_2_a_newcomer_does_not_hear_of_itself,
    step_3_the_others_hear_who_joined,
    step_4_who_has_left_is_not_counted,
    step_5_who_reads_nothing_holds_up_nobody,
}

const PATH: &str = "/warm_up_03/ws";

/// How many clients join while some read nothing. That is more than the buffers of a connection
/// and an outbox hold together.
const JOINS: usize = 1_200;

/// The number includes the newcomer, so it is never 0.
async fn step_1_a_newcomer_is_greeted() -> Check {
    let server = serve(router());

    let mut ana = server.connect("Ana", PATH).await?;
    ana.hears("You are client 1. Connected: 1.")
        .await
        .because("Ana connects. She is there herself, so one client is connected.")?;

    let mut ben = server.connect("Ben", PATH).await?;
    ben.hears("You are client 2. Connected: 2.")
        .await
        .because("Ana is connected, and Ben connects. The greeting comes first.")
}

/// This is what `exclude` is for: the newcomer knows that it has joined.
async fn step_2_a_newcomer_does_not_hear_of_itself() -> Check {
    let server = serve(router());
    let _ana = server.connect("Ana", PATH).await?;
    let mut ben = server.connect("Ben", PATH).await?;
    ben.hears_any()
        .await
        .because("Ana is connected, and Ben connects. He is greeted.")?;

    ben.hears_nothing_for(ONE_MINUTE).await.because(
        "Ben has connected, and has been greeted. That he joined is no news to him.",
    )
}

/// Each of the others, and not only some of them. A `HashMap` has no order, so with two clients
/// a mistake can stay hidden. With ten it hardly can.
async fn step_3_the_others_hear_who_joined() -> Check {
    let server = serve(router());
    let mut ana = server.connect("Ana", PATH).await?;
    let mut ben = server.connect("Ben", PATH).await?;
    ana.hears_out(Duration::ZERO).await;
    ben.hears_out(Duration::ZERO).await;

    let _cem = server.connect("Cem", PATH).await?;

    for client in [&mut ana, &mut ben] {
        let why = "Cem connects. `broadcast` should reach Ana and Ben, who are there already. \
                   The greeting is for Cem alone.";
        client.hears("Client 3 joined.").await.because(why)?;
        client.hears_nothing_for(ONE_MINUTE).await.because(why)?;
    }

    let server = serve(router());
    let mut clients = Vec::new();
    for id in 1..=10 {
        let mut newcomer = server.connect(&format!("Client {id}"), PATH).await?;
        let why = format!(
            "Ten clients connect, one after another. Client {id} connects. `broadcast` should \
             reach all the others, who are there already."
        );
        newcomer.hears_any().await.because(&why)?;
        for client in &mut clients {
            hears_of(client, id).await.because(&why)?;
        }
        clients.push(newcomer);
    }
    Ok(())
}

async fn hears_of(client: &mut Client, id: usize) -> Check {
    client.hears(format!("Client {id} joined.")).await
}

/// With a page that reconnects, ids grow for ever. The number of clients does not.
async fn step_4_who_has_left_is_not_counted() -> Check {
    let server = serve(router());
    let _ana = server.connect("Ana", PATH).await?;
    let ben = server.connect("Ben", PATH).await?;
    let cem = server.connect("Cem", PATH).await?;

    ben.leaves().await?;
    let mut dan = server.connect("Dan", PATH).await?;
    dan.hears("You are client 4. Connected: 3.")
        .await
        .because("Ana, Ben and Cem connected, and Ben left. Then Dan connects.")?;

    cem.vanishes().await;
    let mut eve = server.connect("Eve", PATH).await?;
    eve.hears("You are client 5. Connected: 3.").await.because(
        "Then Cem's connection was lost, and Eve connects. Ana and Dan are there.",
    )
}

/// Their outboxes are full, so they miss what comes. All others should not notice.
async fn step_5_who_reads_nothing_holds_up_nobody() -> Check {
    let server = serve(router());
    let mut slow = Vec::new();
    for name in ["Ana", "Ben", "Cem"] {
        let mut client = server.connect(name, PATH).await?;
        client.stops_reading();
        slow.push(client);
    }
    for _ in 0..JOINS {
        server.connect("Dan", PATH).await?.vanishes().await;
    }
    server.forgets_the_conversation();

    let mut clients = Vec::new();
    let first = slow.len() + JOINS + 1;
    for id in first..first + 20 {
        let mut newcomer = server.connect(&format!("Client {id}"), PATH).await?;
        let why = format!(
            "Ana, Ben and Cem read nothing any more, and their outboxes are full. They miss \
             what comes, and all others hear it. Client {id} connects."
        );
        let count = slow.len() + clients.len() + 1;
        newcomer
            .hears(format!("You are client {id}. Connected: {count}."))
            .await
            .because(&why)?;
        for client in &mut clients {
            hears_of(client, id).await.because(&why)?;
        }
        clients.push(newcomer);
    }
    Ok(())
}
