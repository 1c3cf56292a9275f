//! How many passwords somebody may guess.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::protocol::Username;

/// How often we remove the guesses that are forgiven.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// Limits wrong passwords for an account, for an address, and for both together.
///
/// Why three? A limit for accounts alone would be a weapon: whoever guesses at an account
/// would lock its owner out. One address uses up its own limit for the account long
/// before it uses up the account's. All clones share the same guesses.
#[derive(Clone, Default)]
pub struct LoginLimits {
    guesses: Arc<Mutex<Guesses>>,
}

#[derive(Default)]
struct Guesses {
    /// When all wrong guesses will be forgiven. A key that is not in it has none. (This is a
    /// token bucket, kept as the time at which it is full again: the algorithm GCRA.)
    ///
    /// It cannot grow without end: one address adds a few entries for each guess that it
    /// still has, and a minute or two later they are removed.
    forgiven: HashMap<Key, Instant>,
    last_cleanup: Option<Instant>,
    /// From where each account was last signed in to. That address is trusted: guesses
    /// from other addresses cannot keep it out.
    trusted: HashMap<Username, IpAddr>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(Username),
    Address(IpAddr),
    Both(Username, IpAddr),
}

impl Key {
    /// How many wrong guesses are free, and how long it takes until one is forgiven.
    fn quota(&self) -> (u32, Duration) {
        match self {
            Self::Both(..) => (5, Duration::from_secs(10)),
            Self::Account(_) => (20, Duration::from_secs(3)),
            Self::Address(_) => (50, Duration::from_secs(3)), // A whole classroom, perhaps.
        }
    }
}

/// Why a guess is not allowed now.
#[derive(Debug)]
pub struct TooManyGuesses {
    pub wait: Duration,
}

/// A guess that is allowed. It counts as wrong, unless it turns out to be right.
pub struct Guess {
    limits: LoginLimits,
    keys: Vec<Key>,
    username: Username,
    address: IpAddr,
}

impl LoginLimits {
    /// Counts a guess, or says how long to wait for the next one.
    ///
    /// Why count it now, and not when the password was wrong? A thousand guesses that
    /// come at once would all be allowed before the first of them is checked.
    pub fn guess(
        &self,
        username: &Username,
        address: IpAddr,
    ) -> Result<Guess, TooManyGuesses> {
        let (now, address) = (Instant::now(), network(address));
        let mut guesses = self.lock();
        let keys = guesses.keys(username, address);
        for key in &keys {
            let (free, each) = key.quota();
            let forgiven = guesses.forgiven.get(key).map_or(now, |at| now.max(*at));
            let wait = (forgiven + each).saturating_duration_since(now + each * free);
            if !wait.is_zero() {
                return Err(TooManyGuesses { wait });
            }
        }
        guesses.clean_up(now);
        for key in &keys {
            let (_, each) = key.quota();
            let forgiven = guesses.forgiven.entry(key.clone()).or_insert(now);
            *forgiven = now.max(*forgiven) + each;
        }
        Ok(Guess { limits: self.clone(), keys, username: username.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guesses {
    /// Removes what is forgiven. Not for each guess: it looks at all entries.
    fn clean_up(&mut self, now: Instant) {
        if self.last_cleanup.is_none_or(|last| now - last >= CLEANUP_INTERVAL) {
            self.forgiven.retain(|_, forgiven| *forgiven > now);
            self.last_cleanup = Some(now);
        }
    }

    /// Which limits hold for this guess.
    fn keys(&self, username: &Username, address: IpAddr) -> Vec<Key> {
        let mut keys = vec![Key::Both(username.clone(), address), Key::Address(address)];
        if self.trusted.get(username) != Some(&address) {
            keys.push(Key::Account(username.clone()));
        }
        keys
    }
}

impl Guess {
    /// Takes the guess back: the password was right.
    pub fn was_right(self) {
        let mut guesses = self.limits.lock();
        for key in &self.keys {
            let (_, each) = key.quota();
            if let Some(forgiven) = guesses.forgiven.get_mut(key) {
                *forgiven -= each;
            }
        }
        guesses.trusted.insert(self.username, self.address);
    }
}

/// What counts as one address. A home or an office has many of IPv6, with one prefix.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const ANA: [u8; 4] = [10, 0, 0, 1];
    const EVE: [u8; 4] = [10, 0, 0, 2];

    fn name(name: &str) -> Username {
        Username::try_from(name.to_owned()).expect("a good name")
    }

    /// How many wrong guesses are allowed in a row, of a hundred.
    fn allowed(
        limits: &LoginLimits,
        username: &str,
        address: impl Into<IpAddr>,
    ) -> usize {
        let address = address.into();
        (0..100).filter(|_| limits.guess(&name(username), address).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_may_guess_five_times_at_an_account_and_then_every_ten_seconds() {
        let limits = LoginLimits::default();

        assert_eq!(allowed(&limits, "ana", EVE), 5, "five typos are nothing");
        let refused = limits.guess(&name("ana"), EVE.into()).err().expect("too many");
        assert_eq!(refused.wait, Duration::from_secs(10), "Eve is told how long to wait");
        advance(Duration::from_secs(10)).await;
        assert_eq!(allowed(&limits, "ana", EVE), 1, "one more after ten seconds");
        advance(Duration::from_secs(3600)).await;
        assert_eq!(allowed(&limits, "ana", EVE), 5, "after an hour all is forgiven");
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_cannot_lock_somebody_else_out() {
        let limits = LoginLimits::default();

        for _ in 0..100 {
            allowed(&limits, "ana", EVE);
            advance(Duration::from_secs(1)).await;
        }

        assert_eq!(allowed(&limits, "ana", ANA), 5, "Ana does not notice Eve");
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_share_the_limit_of_an_account_but_a_trusted_one_does_not() {
        let limits = LoginLimits::default();
        limits.guess(&name("ana"), ANA.into()).expect("the first guess").was_right();

        let all: usize = (1..=100).map(|n| allowed(&limits, "ana", [10, 9, 9, n])).sum();

        assert_eq!(all, 20, "a hundred addresses guess 20 times together");
        assert_eq!(allowed(&limits, "ana", ANA), 5, "Ana signed in from here before");
        assert_eq!(allowed(&limits, "ana", EVE), 0, "Eve has not");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_a_limit_over_all_accounts() {
        let limits = LoginLimits::default();

        let all: usize =
            (0..100).map(|n| allowed(&limits, &format!("user{n}"), EVE)).sum();

        assert_eq!(all, 50, "Eve tries many names with the most common passwords");
        assert_eq!(allowed(&limits, "user1", ANA), 5, "others are not affected");
    }

    #[tokio::test(start_paused = true)]
    async fn right_passwords_cost_nothing() {
        let limits = LoginLimits::default();

        for _ in 0..1_000 {
            limits.guess(&name("ana"), ANA.into()).expect("no limit").was_right();
        }

        assert_eq!(allowed(&limits, "ana", ANA), 5, "she has all her guesses left");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgiven_takes_no_memory() {
        let limits = LoginLimits::default();
        for n in 0..1_000 {
            allowed(
                &limits,
                &format!("user{n}"),
                [10, 0, (n / 250) as u8, (n % 250) as u8],
            );
        }

        advance(Duration::from_secs(600)).await;
        allowed(&limits, "ana", ANA);

        assert_eq!(limits.lock().forgiven.len(), 3, "only Ana's guesses are left");
    }

    #[test]
    fn one_prefix_of_ipv6_is_one_address() {
        let ip = |text: &str| network(text.parse().expect("an address"));

        assert_eq!(ip("2001:db8:1:2::5"), ip("2001:db8:1:2:ffff::1"), "one prefix");
        assert_ne!(ip("2001:db8:1:2::5"), ip("2001:db8:1:3::5"), "another prefix");
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"), "IPv4 inside of IPv6");
        assert_ne!(ip("10.0.0.1"), ip("10.0.0.2"), "each of IPv4 counts");
    }
}
