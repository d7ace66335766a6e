//! Core dumps, which would hold every secret.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const NONE: Rlimit = Rlimit { current: Some(0), maximum: Some(0) };

/// Has the system write no core dump of this process from now on.
///
/// Under Linux the process becomes not dumpable too (`PR_SET_DUMPABLE(2const)`): a limit of 0 holds
/// for files alone, and not for a program that collects core dumps (`core(5)`). Then other processes
/// of the same user can neither read its memory nor trace it, unless they have `CAP_SYS_PTRACE`.
///
/// # Errors
///
/// If the system refuses, as a filter of system calls may.
pub(crate) fn turn_off() -> io::Result<()> {
    // Both are tried: one can be forbidden without the other.
    let is_not_dumpable = not_dumpable();
    // A filter may forbid to set any limit, and a supervisor have set this one.
    if getrlimit(Resource::Core) != NONE {
        setrlimit(Resource::Core, NONE)?;
    }
    is_not_dumpable
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> io::Result<()> {
    Ok(())
}
