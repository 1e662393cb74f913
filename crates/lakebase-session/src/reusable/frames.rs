//! Where messages begin and end in a stream that only passes by.

use std::ops::ControlFlow;

/// The longest message that PostgreSQL sends or takes.
const MAX_LENGTH: usize = 0x4000_0000;
/// The longest body that is put together out of parts.
const MAX_KEPT: usize = 64 * 1024;

/// How far into a message a stream is. Looks at types and lengths, and copies nothing unless a body that is asked for
/// comes in parts.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 5],
    /// How much of the header has come.
    have: usize,
    /// How much of the body is to come.
    left: usize,
    /// The part of a body that is asked for.
    kept: Vec<u8>,
}

/// A message whose length is impossible: from here on the start of messages is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Impossible;

impl Frames {
    /// Whether the next byte begins a message.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0
    }

    /// Goes on by `bytes`. `begins` gets the type of each message before its first byte counts as passed, and may stop there;
    /// `ends` is called for each message whose last byte has come, with its body if `keeps` asks for that type's. Tells how many
    /// bytes passed.
    pub(super) fn pass(
        &mut self,
        bytes: &[u8],
        mut begins: impl FnMut(u8) -> ControlFlow<()>,
        keeps: impl Fn(u8) -> bool,
        mut ends: impl FnMut(u8, &[u8]),
    ) -> Result<usize, Impossible> {
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            if self.have < self.header.len() {
                if self.have == 0 && begins(first).is_break() {
                    return Ok(at);
                }
                let rest = &bytes[at..];
                let now = rest.len().min(self.header.len() - self.have);
                self.header[self.have..self.have + now].copy_from_slice(&rest[..now]);
                self.have += now;
                at += now;
                if self.have < self.header.len() {
                    break;
                }
                self.left = self.body_length()?;
            }
            let kind = self.header[0];
            let now = (bytes.len() - at).min(self.left);
            let part = &bytes[at..at + now];
            at += now;
            self.left -= now;
            if self.left > 0 {
                if keeps(kind) && self.kept.len() + part.len() <= MAX_KEPT {
                    self.kept.extend_from_slice(part);
                }
                break;
            }
            self.have = 0;
            if !keeps(kind) {
                ends(kind, &[]);
            } else if self.kept.is_empty() {
                ends(kind, part);
            } else {
                self.kept.extend_from_slice(part);
                ends(kind, &self.kept);
                self.kept.clear();
            }
        }
        Ok(at)
    }

    fn body_length(&self) -> Result<usize, Impossible> {
        let [_, length @ ..] = self.header;
        match usize::try_from(u32::from_be_bytes(length)) {
            Ok(length @ 4..=MAX_LENGTH) => Ok(length - 4),
            _ => Err(Impossible),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(chunks: &mut dyn Iterator<Item = &[u8]>) -> (Vec<(u8, Vec<u8>)>, Frames) {
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        for chunk in chunks {
            let go_on = |_| ControlFlow::Continue(());
            let passed = frames.pass(
                chunk,
                go_on,
                |kind| kind == b'S',
                |kind, body| all.push((kind, body.to_vec())),
            );
            assert_eq!(passed, Ok(chunk.len()));
        }
        (all, frames)
    }

    #[test]
    fn messages_are_told_apart_however_they_are_cut() {
        let stream = b"D\0\0\0\x09hello1\0\0\0\x04S\0\0\0\x08a\0b\0Z\0\0\0\x05I";
        let expected = [(b'D', vec![]), (b'1', vec![]), (b'S', b"a\0b\0".to_vec()), (b'Z', vec![])];
        for size in 1..=stream.len() {
            let (all, frames) = seen(&mut stream.chunks(size));
            assert_eq!(all, expected, "chunks of {size}");
            assert!(frames.is_between());
        }
        for end in 1..10 {
            let (_, frames) = seen(&mut stream[..end].chunks(100));
            assert!(!frames.is_between(), "{end}");
        }
    }

    #[test]
    fn a_client_that_stops_at_a_message_passes_none_of_it() {
        let stream = b"Q\0\0\0\x05\0X\0\0\0\x04more";
        for cut in 1..stream.len() {
            let mut frames = Frames::default();
            let stop = |kind| match kind {
                b'X' => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            let mut passed = 0;
            for part in [&stream[..cut], &stream[cut..]] {
                let now = frames.pass(part, stop, |_| false, |_, _| {}).unwrap();
                passed += now;
                if now < part.len() {
                    break;
                }
            }
            assert_eq!(passed, 6, "cut at {cut}");
            assert!(frames.is_between());
        }
    }

    #[test]
    fn impossible_lengths_are_noticed() {
        for length in [0_u32, 3, 0x4000_0001, u32::MAX] {
            let message = [&b"D"[..], &length.to_be_bytes()].concat();
            let go_on = |_| ControlFlow::Continue(());
            let passed = Frames::default().pass(&message, go_on, |_| false, |_, _| {});
            assert_eq!(passed, Err(Impossible));
        }
    }
}
