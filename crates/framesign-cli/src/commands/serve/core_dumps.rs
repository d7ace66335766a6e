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
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    // A filter may forbid to set any limit, and a supervisor have set this one.
    if getrlimit(Resource::Core) != NONE {
        setrlimit(Resource::Core, NONE)?;
    }
    Ok(())
}
