// Exercise 10: a slow client.

use std::time::Duration;

use exercises::slow_client::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::Instant;

probe::steps! {
    step_1_everybody_receives_what_is_published,
    step_2_nothing_is_lost_while_a_client_sends,
    step_3_a_slow_client_receives_the_newest,
    step_4_it_is_told_how_many_it_has_missed,
    step_5_it_is_told_where_they_are_missing,
    step_6_at_most_64_messages_wait,
    step_7_the_count_begins_again,
    step_8_nobody_else_is_held_up,
}

const PATH: &str = "/ws/slow_client";

/// How many messages may wait for one client.
const OUTBOX_SIZE: usize = 64;

/// Far more than an outbox and the buffers of a connection hold together.
const FLOOD: usize = 500;

/// How many Ana publishes at once. Who reads is not too slow for that.
const BURST: usize = 20;

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

const ONE_SECOND: Duration = Duration::from_secs(1);

fn price(number: usize) -> Value {
    json!({ "type": "price", "number": number })
}

/// The same, with blanks behind it, which fill a connection.
fn long_price(number: usize) -> String {
    format!("{}{}", price(number), " ".repeat(500))
}

/// What Ben received: prices, each by its number, and how many were missed in between.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Price(usize),
    Missed(usize),
}

/// Ana publishes, Ben is slow.
struct Market {
    server: Server,
    ana: Client,
    ben: Client,
    published: usize,
}

impl Market {
    async fn opens() -> Result<Self, Hint> {
        let server = serve(router());
        let ana = server.connect("Ana", PATH).await?;
        let ben = server.connect("Ben", PATH).await?;
        Ok(Self { server, ana, ben, published: 0 })
    }

    /// Ben reads nothing, while Ana publishes `count` prices. Then he reads again.
    async fn ben_is_slow(&mut self, count: usize) -> Result<Vec<Heard>, Hint> {
        self.ben.stops_reading();
        self.publishes(count).await?;
        self.ben.reads_again();
        let texts = self.ben.hears_out(ONE_SECOND).await;
        texts.iter().map(|text| self.read(text)).collect()
    }

    async fn publishes(&mut self, count: usize) -> Check {
        for _ in 0..count {
            self.published += 1;
            self.ana.says(long_price(self.published)).await?;
            if self.published.is_multiple_of(BURST) {
                self.ana.hears_out(MOMENT).await; // Ana reads all the time.
            }
        }
        self.ana.hears_out(MOMENT).await;
        Ok(())
    }

    fn read(&self, text: &str) -> Result<Heard, Hint> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let number = |field: &str| value[field].as_u64().map(|number| number as usize);
        match (value["type"].as_str(), number("number"), number("count")) {
            (Some("price"), Some(number), None) => Ok(Heard::Price(number)),
            (Some("missed"), None, Some(count)) => Ok(Heard::Missed(count)),
            _ => Err(self.hint(&format!(
                "should hear prices and {{\"type\":\"missed\",\"count\":…}}, but heard {text}"
            ))),
        }
    }

    /// Ben should have heard the last price, and none twice or in another order.
    fn expects_the_newest(&self, heard: &[Heard]) -> Check {
        let prices: Vec<_> = prices(heard).collect();
        if let Some(pair) = prices.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(self.hint(&format!(
                "should hear them in their order, but heard {} and then {}",
                pair[0], pair[1]
            )));
        }
        match prices.last() {
            Some(last) if *last == self.published => Ok(()),
            Some(last) => Err(self.hint(&format!(
                "should hear the newest, {}, but the last one that he heard is {last}",
                self.published
            ))),
            None => Err(self.hint("should hear the newest, but heard no price")),
        }
    }

    /// What Ben heard, and what he was told that he has missed, should be all of it.
    fn expects_the_right_count(&self, heard: &[Heard]) -> Check {
        let (came, missed) = (prices(heard).count(), missed(heard));
        if came + missed == self.published {
            return Ok(());
        }
        Err(self.hint(&format!(
            "heard {came} of them, so he has missed {}, but he was told of {missed}",
            self.published.saturating_sub(came)
        )))
    }

    fn hint(&self, what: &str) -> Hint {
        self.server.hint(format!(
            "Ana publishes {} prices with the numbers 1 to {}. Meanwhile Ben read nothing for \
             a while. He {what}.",
            self.published, self.published
        ))
    }
}

fn prices(heard: &[Heard]) -> impl Iterator<Item = usize> {
    heard.iter().filter_map(|heard| match heard {
        Heard::Price(number) => Some(*number),
        Heard::Missed(_) => None,
    })
}

fn missed(heard: &[Heard]) -> usize {
    let counts = heard.iter().map(|heard| match heard {
        Heard::Missed(count) => *count,
        Heard::Price(_) => 0,
    });
    counts.sum()
}

/// The beginning: what Ana sends, the others receive, and in this order.
async fn step_1_everybody_receives_what_is_published() -> Check {
    let Market { mut ana, mut ben, server, .. } = Market::opens().await?;
    let mut cem = server.connect("Cem", PATH).await?;

    for number in 1..=3 {
        ana.says(price(number).to_string()).await?;
    }

    for client in [&mut ben, &mut cem] {
        for number in 1..=3 {
            client
                .hears(price(number))
                .await
                .because("Ana publishes three prices, one after another.")?;
        }
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ana published three prices, and all have received them.")?;
    }
    ana.says(price(4).to_string()).await?;
    ben.hears(price(4))
        .await
        .because("Nothing happens for a minute, and then Ana publishes one more.")
}

/// Who publishes receives it as well. And each message of a client makes `select!` drop the
/// future that waits for its outbox.
async fn step_2_nothing_is_lost_while_a_client_sends() -> Check {
    let Market { mut ana, mut ben, .. } = Market::opens().await?;

    for number in (1..40).step_by(2) {
        ana.says(price(number).to_string()).await?;
        ben.says(price(number + 1).to_string()).await?;
        let both = "Ana and Ben both publish something, at the same time.";
        for client in [&mut ana, &mut ben] {
            let mut came = client.hears_any().await.because(both)?;
            came.push_str(&client.hears_any().await.because(both)?);
            for number in [number, number + 1] {
                if !came.contains(&price(number).to_string()) {
                    return client.hears(price(number)).await.because(both);
                }
            }
        }
    }
    Ok(())
}

/// Who comes back wants to know the price of now.
async fn step_3_a_slow_client_receives_the_newest() -> Check {
    let mut market = Market::opens().await?;

    let heard = market.ben_is_slow(FLOOD).await?;

    market.expects_the_newest(&heard)?;
    market.publishes(1).await?;
    market.ben.hears(price(market.published)).await.because(
        "Ben was slow, and has read everything. He is still there, and Ana goes on.",
    )
}

/// Or he would take a chart with a gap for a whole one. This holds for one price as well.
async fn step_4_it_is_told_how_many_it_has_missed() -> Check {
    let mut market = Market::opens().await?;

    let heard = market.ben_is_slow(FLOOD).await?;

    market.expects_the_newest(&heard)?;
    market.expects_the_right_count(&heard)?;

    // So many fit into the connection and the outbox. Of one more, one is dropped.
    let fit = prices(&heard).count();
    for count in fit..=fit + 2 {
        let mut market = Market::opens().await?;
        let heard = market.ben_is_slow(count).await?;
        market.expects_the_right_count(&heard)?;
    }
    Ok(())
}

/// His page draws the gap between two prices. So `missed` comes after all that is older than
/// the gap, and before all that is newer.
async fn step_5_it_is_told_where_they_are_missing() -> Check {
    let mut market = Market::opens().await?;

    let heard = market.ben_is_slow(FLOOD).await?;

    market.expects_the_newest(&heard)?;
    let mut next = 1;
    for came in heard {
        match came {
            Heard::Price(number) if number == next => next += 1,
            Heard::Price(number) => {
                return Err(market.hint(&format!(
                    "should hear of the gap before he hears {number}, but {next} was the \
                     next one"
                )));
            }
            Heard::Missed(count) => next += count,
        }
    }
    Ok(())
}

/// A thousand slow clients must not fill the memory of the server. And whatever waits longer
/// is out of date when it comes.
async fn step_6_at_most_64_messages_wait() -> Check {
    let mut market = Market::opens().await?;

    let heard = market.ben_is_slow(FLOOD).await?;

    market.expects_the_newest(&heard)?;
    let gaps = heard.iter().filter(|heard| matches!(heard, Heard::Missed(_))).count();
    if gaps != 1 {
        return Err(market.hint(&format!(
            "should be told once that he has missed some, but was told {gaps} times"
        )));
    }
    let waited =
        heard.iter().rev().take_while(|heard| matches!(heard, Heard::Price(_))).count();
    if waited != OUTBOX_SIZE {
        return Err(market.hint(&format!(
            "should hear the newest {OUTBOX_SIZE} after the gap, because so many may wait, \
             but heard {waited}"
        )));
    }
    Ok(())
}

/// Ben is slow twice. What he was told the first time, he knows.
async fn step_7_the_count_begins_again() -> Check {
    let mut market = Market::opens().await?;

    for time in ["first", "second"] {
        let before = market.published;
        let heard = market.ben_is_slow(FLOOD).await?;

        market.expects_the_newest(&heard)?;
        let (came, missed) = (prices(&heard).count(), missed(&heard));
        if came + missed != FLOOD {
            return Err(market.hint(&format!(
                "is slow for the {time} time. Since number {before} he has heard {came} and \
                 missed {}, but he was told of {missed}",
                FLOOD - came
            )));
        }
    }
    Ok(())
}

/// Cem reads as fast as Ana publishes. That Ben does not, is no concern of his.
async fn step_8_nobody_else_is_held_up() -> Check {
    let mut market = Market::opens().await?;
    let mut cem = market.server.connect("Cem", PATH).await?;
    let what = "Ben reads nothing. Ana publishes, and Cem reads all the time.";

    market.ben.stops_reading();
    let start = Instant::now();
    for first in (1..=FLOOD).step_by(BURST) {
        let burst = first..first + BURST;
        for number in burst.clone() {
            market.ana.says(long_price(number)).await?;
        }
        for client in [&mut cem, &mut market.ana] {
            for number in burst.clone() {
                client.hears(price(number)).await.because(what)?;
            }
        }
    }

    let took = start.elapsed();
    if took > ONE_SECOND {
        let sentence = format!("{what} That took {:.1} s.", took.as_secs_f64());
        return Err(market.server.hint(sentence));
    }
    Ok(())
}
