//! How many passwords somebody may guess.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::protocol::Username;

/// Limits attempts to sign in, for an account, for an address, and for both together.
///
/// Why three? With a limit for accounts alone, whoever guesses at an account would lock
/// its owner out. One address uses up its own limit for the account long before it uses
/// up the account's. All clones share the same limits.
#[derive(Clone, Default)]
pub struct LoginLimits(Arc<Mutex<Buckets>>);

#[derive(Default)]
struct Buckets {
    /// A token bucket for each key, kept as the time at which it is full again (the
    /// algorithm GCRA). A bucket that is not in here is full.
    ///
    /// One address adds a few entries for each attempt that it still has, and an entry is
    /// removed when its bucket is full, within minutes. Many addresses together could still
    /// fill the memory: the capstone has a limit for that.
    full_at: HashMap<Key, Instant>,
    last_cleanup: Option<Instant>,
    /// From where each account was last signed in to. The limit of the account does not
    /// hold there, so that others cannot keep its owner out.
    trusted: HashMap<Username, IpAddr>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Both(Username, IpAddr),
    Address(IpAddr),
    Account(Username),
}

/// The buckets of an attempt: how many attempts each holds when it is full, and how long
/// it takes until one is added.
fn limits(username: &Username, address: IpAddr) -> [(Key, u32, Duration); 3] {
    [
        (Key::Both(username.clone(), address), 5, Duration::from_secs(10)),
        (Key::Address(address), 50, Duration::from_secs(3)), // A whole classroom, perhaps.
        (Key::Account(username.clone()), 20, Duration::from_secs(3)),
    ]
}

impl LoginLimits {
    /// Counts an attempt. The error is how long to wait for the next one.
    ///
    /// Why count it now, and not when the password was wrong? A thousand attempts that
    /// come at once would all be allowed before the first of them is checked.
    pub fn attempt(&self, username: &Username, address: IpAddr) -> Result<(), Duration> {
        let (now, address) = (Instant::now(), subnet(address));
        let limits = limits(username, address);
        let mut buckets = self.lock();
        buckets.clean_up(now);

        let is_trusted = buckets.trusted.get(username) == Some(&address);
        for (key, burst, each) in &limits {
            let full_at = *buckets.full_at.get(key).unwrap_or(&now);
            let latest = now + *each * *burst;
            let wait = (full_at + *each).saturating_duration_since(latest);
            let is_exempt = is_trusted && matches!(key, Key::Account(_));
            if !wait.is_zero() && !is_exempt {
                return Err(wait);
            }
        }
        for (key, _, each) in limits {
            let full_at = buckets.full_at.entry(key).or_insert(now);
            *full_at = now.max(*full_at) + each;
        }
        Ok(())
    }

    /// Takes an attempt back, because the password was right, and trusts the address.
    pub fn succeeded(&self, username: &Username, address: IpAddr) {
        let address = subnet(address);
        let mut buckets = self.lock();
        for (key, _, each) in limits(username, address) {
            buckets.full_at.entry(key).and_modify(|full_at| *full_at -= each);
        }
        buckets.trusted.insert(username.clone(), address);
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// Removes full buckets, at most once a second, because it looks at all of them.
    fn clean_up(&mut self, now: Instant) {
        if self.last_cleanup.is_none_or(|last| now - last >= Duration::from_secs(1)) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.last_cleanup = Some(now);
        }
    }
}

/// What counts as one address: a home or an office has many of IPv6, with one prefix.
fn subnet(address: IpAddr) -> IpAddr {
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
        (0..100).filter(|_| limits.attempt(&name(username), address).is_ok()).count()
    }

    fn sign_in(limits: &LoginLimits, username: &str, address: impl Into<IpAddr>) {
        let (username, address) = (name(username), address.into());
        limits.attempt(&username, address).expect("an attempt that is allowed");
        limits.succeeded(&username, address);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_may_guess_five_times_at_an_account_and_then_every_ten_seconds() {
        let limits = LoginLimits::default();

        assert_eq!(allowed(&limits, "ana", EVE), 5, "five typos are nothing");
        let refused = limits.attempt(&name("ana"), EVE.into());
        assert_eq!(refused, Err(Duration::from_secs(10)), "Eve is told how long to wait");
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
        sign_in(&limits, "ana", ANA);

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
            sign_in(&limits, "ana", ANA);
        }

        assert_eq!(allowed(&limits, "ana", ANA), 5, "she has all her guesses left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_password_does_not_forgive_the_wrong_ones_before_it() {
        let limits = LoginLimits::default();

        for _ in 0..3 {
            limits.attempt(&name("ana"), ANA.into()).expect("fewer than five guesses");
        }
        sign_in(&limits, "ana", ANA);

        assert_eq!(allowed(&limits, "ana", ANA), 2, "five less the three wrong ones");
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_one_prefix_share_their_limits() {
        let limits = LoginLimits::default();
        let laptop = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 5);
        let phone = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 6);

        sign_in(&limits, "ana", laptop);

        assert_eq!(allowed(&limits, "ana", phone), 5, "a right password cost nothing");
        assert_eq!(allowed(&limits, "ana", laptop), 0, "the phone has used them all up");
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

        assert_eq!(limits.lock().full_at.len(), 3, "only Ana's guesses are left");
    }

    #[test]
    fn one_prefix_of_ipv6_is_one_address() {
        let ip = |text: &str| subnet(text.parse().expect("an address"));

        assert_eq!(ip("2001:db8:1:2::5"), ip("2001:db8:1:2:ffff::1"), "one prefix");
        assert_ne!(ip("2001:db8:1:2::5"), ip("2001:db8:1:3::5"), "another prefix");
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"), "IPv4 inside of IPv6");
        assert_ne!(ip("10.0.0.1"), ip("10.0.0.2"), "each of IPv4 counts");
    }
}
