//! Peak memory of a process beyond what it held before: what Linux counts, nothing elsewhere.

use std::fs;

/// A point in time from which memory is counted.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    resident: Option<u64>,
}

impl Baseline {
    /// From here on.
    pub fn now() -> Self {
        // "5" sets the peak back to what is resident (proc(5)). Without the permission the peak may be one of before.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self {
            resident: status("VmRSS:"),
        }
    }

    /// The largest number of bytes that were resident since, less those that were at the start.
    pub fn peak_beyond(&self) -> Option<u64> {
        Some(status("VmHWM:")?.saturating_sub(self.resident?))
    }
}

/// A size in bytes from `/proc/self/status`, which counts in units of 1024.
fn status(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.split_whitespace().next()?;
    Some(1024 * number.parse::<u64>().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_and_freed_stays_in_the_peak() {
        let baseline = Baseline::now();
        let size = 64 << 20;
        drop(std::hint::black_box(vec![1_u8; size]));
        let peak = baseline.peak_beyond().unwrap();
        // Counted in pages; other tests of this process may free at the same time.
        assert!(peak > size as u64 / 2, "{peak} bytes");
    }
}
