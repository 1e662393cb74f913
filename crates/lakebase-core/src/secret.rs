//! The type of tokens, passwords and client secrets.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret string. It is wiped on drop and never printed.
///
/// It has no `Display`, `Serialize`, `PartialEq` and `Deref`. Only [`Secret::expose`] returns the text, so a search finds
/// every use. Clones share one allocation. Wiping is best effort, because drivers and HTTP clients copy the text into
/// buffers of their own.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps `text` without a copy.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text. Do not store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both are the same text. The time does not depend on where they differ.
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
