//! Profiles of callgrind: instructions, and allocations apart from them.
//!
//! What the C library's allocator does for one and the same allocation depends on what lies around it on the heap, and that on so much as the length of
//! a path. So the instructions below its functions are left out, and the calls of them are counted.

use std::collections::HashMap;

/// Functions that allocate.
const ALLOCATE: &[&str] = &["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];
const FREE: &str = "free";

/// What one run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// Outside the allocator.
    pub(super) instructions: u64,
    pub(super) allocations: u64,
}

impl Profile {
    /// Reads callgrind's output file.
    ///
    /// Functions are `fn=(3) name` where they come first and `fn=(3)` from then on. A call is `cfn=(4) name`, `calls=12 …`, and a line whose last number is what
    /// the callee took, with all that it called.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut profile = Self::default();
        let mut total = None;
        let mut names = HashMap::new();
        let (mut caller, mut callee) = ("", "");
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("fn=") {
                caller = named(&mut names, rest)?;
            } else if let Some(rest) = line.strip_prefix("cfn=") {
                callee = named(&mut names, rest)?;
            } else if let Some(rest) = line.strip_prefix("calls=") {
                let calls: u64 = rest.split(' ').next()?.parse().ok()?;
                let inside: u64 = lines.next()?.rsplit(' ').next()?.parse().ok()?;
                if is_allocator(callee) && !is_allocator(caller) {
                    profile.instructions += inside;
                    profile.allocations += if callee == FREE { 0 } else { calls };
                }
            } else if let Some(rest) = line.strip_prefix("totals: ") {
                total = rest.parse::<u64>().ok();
            }
        }
        profile.instructions = total?.checked_sub(profile.instructions)?;
        Some(profile)
    }
}

fn is_allocator(function: &str) -> bool {
    function == FREE || ALLOCATE.contains(&function)
}

/// The name that `(3) name` gives or `(3)` stands for, without a version of the symbol and a level of recursion.
fn named<'a>(names: &mut HashMap<&'a str, &'a str>, reference: &'a str) -> Option<&'a str> {
    let (number, name) = reference.split_once(')')?;
    if !name.is_empty() {
        names.insert(number, name.trim().split(['@', '\'']).next()?);
    }
    names.get(number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_left_out_and_its_calls_are_counted() {
        let text = "\
events: Ir
fn=(1) main
16 400
cfn=(2) malloc
calls=3 0
16 90
cfn=(3) free
calls=2 0
+1 60
cfn=(4) work
calls=1 0
16 500

fn=(2)
0 70
cfn=(5) _int_malloc
calls=1 0
0 20

fn=(6) realloc@@GLIBC_2.2.5
0 5
cfn=(2)
calls=1 0
0 30

fn=(4)
7 100
cfn=(6)
calls=1 0
7 35

totals: 1000
";
        let expected = Profile { instructions: 1000 - 90 - 60 - 35, allocations: 3 + 1 };
        assert_eq!(Profile::parse(text), Some(expected));
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        for text in ["", "fn=(1) main\n16 400\n", "fn=(1)\ntotals: 1\n", "totals: many\n"] {
            assert_eq!(Profile::parse(text), None, "{text}");
        }
    }
}
