//! Limits: requests a minute of an integration, and the shield that makes failing requests cheap.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::refusal::Reason;
use super::snapshot::Integration;

/// The rate limits of all integrations. Only known integrations have one, so strangers cannot fill the memory.
#[derive(Default)]
pub struct Limits {
    by_integration: RwLock<HashMap<Arc<str>, Arc<Bucket>>>,
    clock: DefaultClock,
}

struct Bucket {
    per_minute: u32,
    limiter: DefaultDirectRateLimiter,
}

impl Limits {
    /// Counts one request of `integration`.
    ///
    /// # Errors
    /// [`Reason::Limited`] when it is over its limit.
    pub fn check(&self, integration: &Integration) -> Result<(), Reason> {
        let Some(per_minute) = NonZeroU32::new(integration.rate_limit_per_minute) else { return Ok(()) };
        let bucket = self.bucket(&integration.id, per_minute);
        bucket
            .limiter
            .check()
            .map_err(|until| Reason::Limited { per_minute: per_minute.get(), wait: until.wait_time_from(self.clock.now()) })
    }

    fn bucket(&self, id: &Arc<str>, per_minute: NonZeroU32) -> Arc<Bucket> {
        let known = self.by_integration.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(bucket) = known.filter(|bucket| bucket.per_minute == per_minute.get()) {
            return bucket;
        }
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(per_minute), self.clock.clone());
        let bucket = Arc::new(Bucket { per_minute: per_minute.get(), limiter });
        let mut all = self.by_integration.write().unwrap_or_else(PoisonError::into_inner);
        // Two requests may have come here for the same change of the limit: the first one's bucket stays.
        match all.get(id).filter(|bucket| bucket.per_minute == per_minute.get()) {
            Some(bucket) => Arc::clone(bucket),
            None => {
                all.insert(Arc::clone(id), Arc::clone(&bucket));
                bucket
            }
        }
    }
}

/// Failures a minute after which an address is refused without work.
pub const FAILURES_PER_MINUTE: u32 = 60;
/// Addresses remembered at once.
const ADDRESSES_MAX: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(60);

/// Counts the failures of each source address: IPv4 by address, IPv6 by /64. Requests with a valid credential never come here.
#[derive(Default)]
pub struct Shield {
    failures: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Shield {
    /// Whether `peer` has failed too often in this minute.
    pub fn is_up(&self, peer: IpAddr) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&prefix(peer)).is_some_and(|(since, count)| since.elapsed() < WINDOW && *count >= FAILURES_PER_MINUTE)
    }

    /// Counts a failure.
    pub fn failed(&self, peer: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES_MAX {
            make_room(&mut failures);
        }
        let (since, count) = failures.entry(prefix(peer)).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() >= WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
    }
}

/// Drops what is over, or, where nothing is, the oldest tenth: the cost of a sort is shared by a thousand newcomers.
fn make_room(failures: &mut HashMap<IpAddr, (Instant, u32)>) {
    failures.retain(|_, (since, _)| since.elapsed() < WINDOW);
    if failures.len() < ADDRESSES_MAX {
        return;
    }
    let mut since: Vec<Instant> = failures.values().map(|(since, _)| *since).collect();
    since.sort_unstable();
    if let Some(cut) = since.get(ADDRESSES_MAX / 10).copied() {
        failures.retain(|_, (since, _)| *since > cut);
    }
}

fn prefix(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shielded_after_sixty_failures_and_others_are_not() {
        let shield = Shield::default();
        let bad: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..59 {
            shield.failed(bad);
        }
        assert!(!shield.is_up(bad));
        shield.failed("2001:db8::ffff".parse().unwrap());
        assert!(shield.is_up(bad), "one /64 is one sender");
        assert!(!shield.is_up("2001:db8:0:1::1".parse().unwrap()));
        assert!(!shield.is_up("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let shield = Shield::default();
        for n in 0..25_000_u32 {
            shield.failed(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)));
        }
        assert!(shield.failures.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
