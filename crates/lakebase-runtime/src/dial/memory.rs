//! The memory of a dialer: answers of the resolver, and successes and failures of addresses. No I/O; time is an argument.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lakebase_core::Jitter;

/// For how long an answer of the system's resolver is used again.
const KEEP: Duration = Duration::from_secs(60);
/// For how long an address that failed is tried last.
const AVOID: Duration = Duration::from_secs(60);
/// How many hosts and how many addresses are remembered.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<String, (Duration, Vec<IpAddr>)>,
    addresses: HashMap<SocketAddr, Last>,
}

/// How the last attempt at an address went, and when.
#[derive(Clone, Copy, Debug)]
enum Last {
    Answered(Duration),
    Failed(Duration),
}

impl Memory {
    /// Where the resolver said that `host` is, if it did so lately.
    pub(super) fn answer(&self, host: &str, now: Duration) -> Option<Vec<IpAddr>> {
        let (at, addresses) = self.answers.get(host)?;
        (now.saturating_sub(*at) < KEEP).then(|| addresses.clone())
    }

    pub(super) fn learn(&mut self, host: &str, addresses: &[IpAddr], now: Duration) {
        if self.answers.len() >= MOST {
            self.answers.retain(|_, (at, _)| now.saturating_sub(*at) < KEEP);
        }
        if self.answers.len() < MOST || self.answers.contains_key(host) {
            self.answers.insert(host.to_owned(), (now, addresses.to_vec()));
        }
    }

    /// Has the resolver asked again: no address of `host` answered.
    pub(super) fn forget(&mut self, host: &str) {
        self.answers.remove(host);
    }

    pub(super) fn answered(&mut self, address: SocketAddr, now: Duration) {
        self.note(address, Last::Answered(now), now);
    }

    pub(super) fn failed(&mut self, address: SocketAddr, now: Duration) {
        self.note(address, Last::Failed(now), now);
    }

    fn note(&mut self, address: SocketAddr, last: Last, now: Duration) {
        if self.addresses.len() >= MOST {
            self.addresses.retain(|_, last| match last {
                Last::Answered(at) | Last::Failed(at) => now.saturating_sub(*at) < AVOID,
            });
        }
        if self.addresses.len() < MOST || self.addresses.contains_key(&address) {
            self.addresses.insert(address, last);
        }
    }

    /// The order in which to try `addresses`: families in turns, the one that answered last first, those that failed
    /// lately last. With `jitter`, at random apart from these.
    pub(super) fn order(
        &self,
        now: Duration,
        addresses: &[SocketAddr],
        jitter: Option<Jitter>,
    ) -> Vec<SocketAddr> {
        let (mut given, balance) = (addresses.to_vec(), jitter.is_some());
        if let Some(mut jitter) = jitter {
            given.sort_by_cached_key(|_| jitter.number());
        }
        let mut order = in_turns(&given);
        order.sort_by_key(|address| match self.addresses.get(address) {
            Some(Last::Answered(at)) if !balance => (0, Reverse(*at)),
            Some(Last::Failed(at)) if now.saturating_sub(*at) < AVOID => {
                (2, Reverse(Duration::ZERO))
            }
            _ => (1, Reverse(Duration::ZERO)),
        });
        order
    }
}

/// Addresses of both families in turns, beginning with that of the first (RFC 8305, section 4).
fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (same, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(same.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 5432)
    }

    const NOW: Duration = Duration::from_secs(1_000);

    #[test]
    fn families_take_turns() {
        let given = ["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"].map(at);
        let order = Memory::default().order(NOW, &given, None);
        assert_eq!(order, ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"].map(at));
        assert!(Memory::default().order(NOW, &[], None).is_empty());
    }

    #[test]
    fn who_answered_last_comes_first_and_who_failed_comes_last_for_a_minute() {
        let given = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(at);
        let mut memory = Memory::default();
        memory.failed(given[0], NOW);
        memory.answered(given[2], NOW);
        memory.answered(given[3], NOW + Duration::from_secs(1));
        let order =
            |after: u64, jitter| memory.order(NOW + Duration::from_secs(after), &given, jitter);
        assert_eq!(order(9, None), ["10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"].map(at));
        assert_eq!(order(61, None), ["10.0.0.4", "10.0.0.3", "10.0.0.1", "10.0.0.2"].map(at));
        let firsts: std::collections::HashSet<_> =
            (0..64).map(|_| order(9, Some(Jitter::new()))[0]).collect();
        assert_eq!(firsts.len(), 3, "balanced over all that did not fail: {firsts:?}");
        assert!((0..64).all(|_| order(9, Some(Jitter::new()))[3] == given[0]));
    }

    #[test]
    fn answers_are_kept_for_a_minute_and_memory_is_bounded() {
        let mut memory = Memory::default();
        let one = [at("10.0.0.1").ip()];
        memory.learn("h", &one, NOW);
        assert_eq!(memory.answer("h", NOW + Duration::from_secs(59)).unwrap(), one);
        assert!(memory.answer("h", NOW + KEEP).is_none());
        memory.forget("h");
        assert!(memory.answer("h", NOW).is_none());
        for number in 0..1_000_u32 {
            memory.learn(&number.to_string(), &one, NOW);
            memory.failed(SocketAddr::new(IpAddr::V4(number.into()), 1), NOW);
        }
        assert_eq!((memory.answers.len(), memory.addresses.len()), (MOST, MOST));
        memory.learn("h", &one, NOW + KEEP);
        assert_eq!(memory.answers.len(), 1);
    }
}
