//! Numbers of this process, from the kernel.

use std::fs;

/// The memory in use, in bytes; `None` where the kernel does not say so in /proc.
pub(crate) fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The number of open file descriptors; `None` as above.
pub(crate) fn open_fds() -> Option<u64> {
    // One of them is that of the folder itself.
    let descriptors = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(descriptors.saturating_sub(1))
}
