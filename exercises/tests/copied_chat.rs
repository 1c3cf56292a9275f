// Exercise 5: repair the copied chat.

use std::time::Duration;

use exercises::copied_chat::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use tokio::time::{Instant, timeout};

probe::steps! {
    step_1_a_close_is_answered,
    step_2_a_ping_ends_nothing,
    step_3_whoever_falls_behind_is_told_and_stays,
    step_4_nobody_hears_of_a_visitor_without_a_name,
    step_5_a_name_belongs_to_one_at_a_time,
    step_6_a_client_that_does_not_read_keeps_nobody_out,
}

const PATH: &str = "/ws/copied_chat";

const ONE_SECOND: Duration = Duration::from_secs(1);

/// Connects under a name. All that was to be heard of it has been heard.
async fn join(server: &Server, person: &str, name: &str) -> Result<Client, Hint> {
    let mut client = server.connect(person, PATH).await?;
    client.says(name).await?;
    let joined = format!("{name} joined.");
    client.hears(joined).await.because(&format!(
        "{person} gives the name {name}, and receives all that happens from then on, also \
         of their own doing."
    ))?;
    Ok(client)
}

/// A browser calls it `wasClean`. If nobody answers its Close, it reports 1006, as if the
/// connection had been lost.
async fn step_1_a_close_is_answered() -> Check {
    let server = serve(router());
    let mut ana = join(&server, "Ana", "ana").await?;
    let mut ben = join(&server, "Ben", "ben").await?;
    ana.hears("ben joined.").await?;
    ana.says("hello").await?;
    ben.hears("ana: hello").await?;
    ana.hears("ana: hello")
        .await
        .because("Ana said hello. She hears it, as everybody does.")?;

    ben.leaves().await.because("Ben closes with code 1000.")?;
    ana.hears("ben left.").await.because("Ben closed with code 1000.")?;
    ana.hears_nothing_for(ONE_MINUTE).await.because("Ben left, and Ana was told so.")?;

    let ben = join(&server, "Ben", "ben")
        .await
        .because("Ben closed with code 1000. Now he is back, and wants his name.")?;
    ana.hears("ben joined.").await?;
    ben.leaves_with(4000, "later")
        .await
        .because("Ben closes with code 4000, not 1000.")?;
    ana.hears("ben left.").await.because("Ben closed with code 4000.")?;

    let ben = join(&server, "Ben", "ben").await?;
    ana.hears("ben joined.").await?;
    ben.vanishes().await;
    ana.hears("ben left.").await.because(
        "Ben's connection is lost, without a Close. He has left, the same as with one.",
    )?;
    let back = "Ben's connection was lost. Now he is back, and wants his name.";
    join(&server, "Ben", "ben").await.because(back)?;
    Ok(())
}

/// Browsers do not send pings, but phones and proxies do; and a client may send bytes that
/// we have no use for. Neither is a Close.
async fn step_2_a_ping_ends_nothing() -> Check {
    let server = serve(router());
    let mut ana = join(&server, "Ana", "ana").await?;
    let mut ben = join(&server, "Ben", "ben").await?;
    ana.hears("ben joined.").await?;

    ben.pings(b"still there?").await?;
    ben.hears_pong(b"still there?").await.because("Ben sends a ping.")?;
    ana.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben sent a ping. It is for the server, and nobody is told of it.")?;
    ben.says("still here").await?;
    ana.hears("ben: still here")
        .await
        .because("Ben sent a ping, and then a message. A ping is no Close.")?;

    ben.sends_binary(b"\x00\x01").await?;
    ana.hears_nothing_for(ONE_SECOND).await.because(
        "Ben sent two bytes. They are no Close and no text, and nobody is told of them.",
    )?;
    ben.says("and now?").await?;
    ana.hears("ben: and now?")
        .await
        .because("Ben sent two bytes, and then a message. Bytes are no Close.")?;

    let mut cem = server.connect("Cem", PATH).await?;
    cem.pings(b"hello?").await?;
    cem.hears_pong(b"hello?")
        .await
        .because("Cem sends a ping before he gives a name.")?;
    cem.says("cem").await?;
    cem.hears("cem joined.").await.because(
        "Cem sent a ping, and then his name. A ping is no Close, and no name.",
    )?;
    let mut dan = server.connect("Dan", PATH).await?;
    dan.sends_binary(b"\x00\x01").await?;
    dan.says("dan").await?;
    dan.hears("dan joined.").await.because(
        "Dan sent two bytes, and then his name. Bytes are no Close, and no name.",
    )
}

/// A broadcast channel keeps the last messages, and no more. Whoever is further behind
/// hears of it as an error; this one can be survived. A longer backlog only puts it off.
async fn step_3_whoever_falls_behind_is_told_and_stays() -> Check {
    const FLOOD: usize = 3_000;
    let server = serve(router());
    let mut ana = join(&server, "Ana", "ana").await?;
    let mut ben = join(&server, "Ben", "ben").await?;

    ben.stops_reading();
    for i in 1..=FLOOD {
        let said = timeout(ONE_SECOND, ana.says(format!("{i:.<60}"))).await;
        said.unwrap_or_else(|_| {
            Err(server.hint(
                "Ben reads nothing, and now the server does not read what Ana says. Whoever \
                 reads slowly should miss messages, and not hold up anybody else.",
            ))
        })?;
        ana.hears_out(Duration::ZERO).await;
    }
    ben.reads_again();
    ana.hears_out(ONE_SECOND).await;
    ana.says("Good morning!").await?;
    let heard = ben.hears_out(ONE_SECOND).await;

    let what =
        format!("Ben reads nothing while Ana says {FLOOD} things, and then reads again.");
    if heard.last().is_none_or(|last| last != "ana: Good morning!") {
        return Err(server.hint(format!(
            "{what} The last thing to hear should be \"Good morning!\", but he heard {} \
             messages and not that one. Is he still connected?",
            heard.len()
        )));
    }
    let missed: usize = heard
        .iter()
        .filter_map(|text| text.strip_prefix("You missed ")?.split(' ').next())
        .filter_map(|number| number.parse::<usize>().ok())
        .sum();
    if missed == 0 {
        return Err(server.hint(format!(
            "{what} He should hear \"You missed … messages.\", but heard {} messages and \
             nothing of the kind.",
            heard.len()
        )));
    }
    let came = heard.iter().filter(|text| text.starts_with("ana: ")).count();
    if came + missed != FLOOD + 1 {
        return Err(server.hint(format!(
            "{what} Of {} messages he heard {came}, and was told that he missed {missed}. \
             That does not add up.",
            FLOOD + 1
        )));
    }
    Ok(())
}

/// People open a page and close it again. Programs that look for open ports do it all day.
async fn step_4_nobody_hears_of_a_visitor_without_a_name() -> Check {
    let server = serve(router());
    let mut ana = join(&server, "Ana", "ana").await?;

    let visitor = server.connect("A visitor", PATH).await?;
    visitor.vanishes().await;
    ana.hears_nothing_for(ONE_MINUTE).await.because(
        "A visitor came, and left without giving a name. Who should hear of that?",
    )?;

    let mut visitor = server.connect("A visitor", PATH).await?;
    visitor.says("").await?;
    visitor.vanishes().await;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("A visitor came, pressed Enter, and left. Nothing is not a name.")?;

    let visitor = server.connect("A visitor", PATH).await?;
    visitor
        .leaves_with(4000, "wrong chat")
        .await
        .because("A visitor closes with code 4000 before giving a name.")?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("A visitor closed without having given a name.")?;

    let mut dan = server.connect("Dan", PATH).await?;
    dan.says("  ").await?;
    ana.hears_nothing_for(ONE_MINUTE).await.because(
        "Dan sent two blanks. The first message that is not blank is his name.",
    )?;
    ana.says("who is there?").await?;
    ana.hears("ana: who is there?").await?;
    dan.says("dan").await?;
    dan.hears("dan joined.").await.because(
        "Dan sent two blanks, Ana said something, and then Dan gave his name. He receives \
         what happens from then on.",
    )
}

/// Eve finds a name taken. That is no reason to send her away; and that she asked for it does
/// not make it hers.
async fn step_5_a_name_belongs_to_one_at_a_time() -> Check {
    const TAKEN: &str = "This name is taken.";
    let server = serve(router());
    let mut ana = join(&server, "Ana", "ana").await?;

    let mut eve = server.connect("Eve", PATH).await?;
    for _ in 0..2 {
        let tries_again = "Eve was told that her name is taken. She may try another.";
        eve.says("ana").await.because(tries_again)?;
        eve.hears(TAKEN).await.because("Eve asks for the name of Ana, who is there.")?;
    }
    eve.says("eve").await?;
    eve.hears("eve joined.")
        .await
        .because("Eve was told that one name is taken, and tries another.")?;
    ana.hears("eve joined.").await?;

    let mut dan = server.connect("Dan", PATH).await?;
    dan.says("ana").await?;
    dan.hears(TAKEN).await.because("Dan asks for the name of Ana, who is there.")?;
    dan.leaves().await?;
    ana.hears_nothing_for(ONE_MINUTE).await.because(
        "Dan was told that the name ana is taken, and left. He never had a name.",
    )?;
    let mut cem = server.connect("Cem", PATH).await?;
    cem.says("ana").await?;
    cem.hears(TAKEN).await.because(
        "Dan was told that the name ana is taken, and left. It is still Ana's, who is \
         there. Now Cem asks for it.",
    )
}

/// Eve tries one taken name after the other, and reads no answer. At some point no more
/// answers fit into her connection, and the server waits for her. What does it hold meanwhile?
async fn step_6_a_client_that_does_not_read_keeps_nobody_out() -> Check {
    let server = serve(router());
    let _ana = join(&server, "Ana", "ana").await?;
    let mut eve = server.connect("Eve", PATH).await?;
    eve.says("ana").await?;
    eve.hears("This name is taken.")
        .await
        .because("Eve asks for the name of Ana, who is there.")?;

    eve.stops_reading();
    for _ in 0..2_000 {
        if timeout(ONE_SECOND, eve.says("ana")).await.is_err() {
            break; // The server does not read a client that does not read, either.
        }
    }

    let held_up =
        "Eve keeps asking for a taken name, and reads no answer. Ben wants to come in.";
    let start = Instant::now();
    join(&server, "Ben", "ben").await.because(held_up)?;
    let waited = start.elapsed();
    if waited > ONE_SECOND {
        let seconds = waited.as_secs();
        return Err(server.hint(format!("{held_up} He had to wait for {seconds} s.")));
    }
    Ok(())
}
