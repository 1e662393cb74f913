//! The resident set of a process, as Linux counts it (proc(5)).

use std::fs;

/// The memory of one process of this user.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    process: u32,
}

impl Resident {
    /// That of the process with this number.
    #[must_use]
    pub fn of(process: u32) -> Self {
        Self { process }
    }

    /// What it has now, in KiB.
    ///
    /// # Panics
    ///
    /// If the process is not there.
    #[must_use]
    pub fn now_kib(self) -> u64 {
        self.field("VmRSS:")
    }

    /// The most that it had since it began, or since [`forget_peak`](Self::forget_peak), in KiB.
    ///
    /// # Panics
    ///
    /// If the process is not there.
    #[must_use]
    pub fn peak_kib(self) -> u64 {
        self.field("VmHWM:")
    }

    /// Has the peak counted anew.
    ///
    /// # Panics
    ///
    /// If the process is not there, or not ours.
    pub fn forget_peak(self) {
        let path = format!("/proc/{}/clear_refs", self.process);
        fs::write(&path, "5").unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    fn field(self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process);
        let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        number.unwrap_or_else(|| panic!("{path} has no {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_and_given_back_is_a_peak() {
        let itself = Resident::of(std::process::id());
        itself.forget_peak();
        let before = itself.now_kib();
        // Touched, and large enough for a mapping of its own.
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        assert!(itself.peak_kib() >= before + 60 * 1024, "{before} {}", itself.peak_kib());
        itself.forget_peak();
        assert!(itself.peak_kib() < before + 60 * 1024);
    }
}
