//! What a server keeps in memory, and nobody sees on the wire.

use std::{panic, thread};

use allocation_counter::measure;
use tokio::runtime::Builder;

use crate::{Check, Hint, on_virtual_time};

/// How often something is done before anybody counts: collections get their size.
const WARM_UP: usize = 50;

/// How often it is done while all that is allocated and not given back is counted.
const ROUNDS: usize = 100;

/// Does `round` again and again, on a clock that is paused, and says how many bytes more are
/// in use after each round: zero, if a round leaves nothing behind.
///
/// It counts what one thread allocates, so server and clients have a thread to themselves.
/// The clients' notes count as well: a round ends with `Server::forgets_the_conversation`.
pub fn growth<S>(
    prepare: impl AsyncFnOnce() -> Result<S, Hint> + Send,
    round: impl AsyncFn(&mut S, usize) -> Check + Sync,
) -> Result<usize, Hint> {
    let count = || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .map_err(|error| Hint::new(format!("The runtime did not start: {error}.")))?;
        let mut state = runtime.block_on(async {
            let mut state = prepare().await?;
            for i in 0..WARM_UP {
                round(&mut state, i).await?;
            }
            Ok::<_, Hint>(state)
        })?;

        let mut done = Ok(());
        let grown = measure(|| {
            done = runtime.block_on(async {
                for i in WARM_UP..WARM_UP + ROUNDS {
                    round(&mut state, i).await?;
                }
                Ok(())
            });
        });
        done?;
        Ok(usize::try_from(grown.bytes_current).unwrap_or(0) / ROUNDS)
    };

    on_its_own_thread(count)
}

/// The most memory that a check holds at one time, in bytes: server, clients, their notes and
/// all. So measure twice, with the code in question and without it: the difference is what
/// the code holds.
pub fn peak_memory<F>(check: impl FnOnce() -> F + Send) -> Result<u64, Hint>
where
    F: Future<Output = Check>,
{
    let count = || {
        let mut outcome = Ok(());
        let held = measure(|| outcome = on_virtual_time(check())).bytes_max;
        outcome.map(|()| held)
    };

    on_its_own_thread(count)
}

/// Counts where nobody else allocates. A panic goes on in the thread that asks.
fn on_its_own_thread<T: Send>(
    count: impl FnOnce() -> Result<T, Hint> + Send,
) -> Result<T, Hint> {
    thread::scope(|scope| match scope.spawn(count).join() {
        Ok(counted) => counted,
        Err(panic) => panic::resume_unwind(panic),
    })
}
