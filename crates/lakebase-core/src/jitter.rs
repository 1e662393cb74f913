//! Random numbers for pauses, so that the instances of a fleet do not act at the same time.

use std::hash::{BuildHasher, RandomState};

/// A small random generator (SplitMix64) for pauses; never for secrets.
///
/// Source of the algorithm: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator with a random seed.
    #[must_use]
    pub fn new() -> Self {
        Self(RandomState::new().hash_one("jitter"))
    }

    /// A generator that gives the same numbers for the same `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, all equally likely.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number from 0 up to and without 1.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits lose none")]
        let bits = (self.number() >> 11) as f64;
        bits / (1u64 << 53) as f64
    }

    /// The next number from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: u32) -> u32 {
        let choices = u64::from(most) + 1;
        // The bias of the remainder is below one in four billion.
        u32::try_from(self.number() % choices).unwrap_or(most)
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_algorithm() {
        let mut jitter = Jitter::seeded(1_234_567);
        let numbers = [jitter.number(), jitter.number(), jitter.number()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn fractions_and_ranges_are_covered_evenly() {
        let mut jitter = Jitter::seeded(7);
        let mut seen = [0u32; 10];
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let fraction = jitter.fraction();
            assert!((0.0..1.0).contains(&fraction));
            sum += fraction;
            seen[jitter.up_to(9) as usize] += 1;
        }
        assert!((4_800.0..5_200.0).contains(&sum), "{sum}");
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
        assert_eq!(Jitter::seeded(3).up_to(0), 0);
    }

    #[test]
    fn generators_differ() {
        assert_ne!(Jitter::new().number(), Jitter::new().number());
    }
}
