//! The one type for tokens, passwords and client secrets.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret string: wiped on drop, never printed, never compared with `==`.
///
/// There is deliberately no `Display`, `Serialize`, `PartialEq` or `Deref`. The only way to the text is
/// [`Secret::expose`], so every use is one search away. Clones share one allocation. Wiping is best
/// effort (drivers and HTTP clients copy the text into their own buffers); not printing it is the promise.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps `text`, taking over its allocation.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// Borrows the secret text. Keep the borrow short and do not store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both hold the same text, in time that does not depend on where they differ.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y)) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_every_character() {
        assert_eq!(format!("{:?}", Secret::new("dapi-0123456789")), "Secret(..)");
    }

    #[test]
    fn comparison_sees_length_and_content() {
        assert!(Secret::new("abc").same_as(&Secret::new("abc")));
        assert!(!Secret::new("abc").same_as(&Secret::new("abd")));
        assert!(!Secret::new("abc").same_as(&Secret::new("abcd")));
    }
}
