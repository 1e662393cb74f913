//! Numbers that others cannot guess.

use std::hash::{BuildHasher as _, RandomState};

/// A number that cannot be guessed from earlier ones: SipHash under a key that the operating system chose.
pub(crate) fn unpredictable() -> u64 {
    RandomState::new().hash_one("lakebase")
}

#[cfg(test)]
mod tests {
    use super::unpredictable;

    #[test]
    fn numbers_differ() {
        let numbers: std::collections::HashSet<u64> = (0..100).map(|_| unpredictable()).collect();
        assert_eq!(numbers.len(), 100);
    }
}
