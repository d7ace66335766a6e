//! The access that others than its owner have to a file of secrets.

use std::{fmt, fs::Metadata};

/// Permissions of a file of secrets that are too open: others than its owner get at it.
///
/// The owner alone should (mode 0400 or 0600). The group of a file that root owns may read it, too
/// (0440 or 0640): so a file is given to a service that is not to change it.
///
/// Its message says who can do what, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOpen {
    mode: u32,
    is_of_root: bool,
}

/// The bits to read and to write of a class, its three bits being the last ones.
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

impl TooOpen {
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        let (mode, is_of_root) = permissions(metadata);
        Self::of_mode(mode, is_of_root)
    }

    fn of_mode(mode: u32, is_of_root: bool) -> Option<Self> {
        let found = Self { mode, is_of_root };
        (found.of_group() | found.of_others() != 0).then_some(found)
    }

    /// The permissions as `chmod` takes them, such as 0o644.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// The access that the group has and should not have.
    fn of_group(self) -> u32 {
        let allowed = if self.is_of_root { READ } else { 0 };
        self.mode >> 3 & (READ | WRITE) & !allowed
    }

    fn of_others(self) -> u32 {
        self.mode & (READ | WRITE)
    }
}

/// The mode, and whether root owns the file.
#[cfg(unix)]
fn permissions(metadata: &Metadata) -> (u32, bool) {
    use std::os::unix::fs::MetadataExt;
    (metadata.mode() & 0o777, metadata.uid() == 0)
}

/// There are no modes, so nothing is open.
#[cfg(not(unix))]
fn permissions(_: &Metadata) -> (u32, bool) {
    (0, false)
}

impl fmt::Display for TooOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, others) = (self.of_group(), self.of_others());
        let who = match (group, others) {
            (0, _) => "others",
            (_, 0) => "its group",
            _ => "its group and others",
        };
        let can = match group | others {
            READ => "read",
            WRITE => "change",
            _ => "read and change",
        };
        let mode = self.mode;
        write!(f, "{who} can {can} it (mode {mode:04o}): set its mode to 0400")?;
        f.write_str(", or to 0440 with root as its owner")
    }
}

#[cfg(test)]
mod tests {
    use super::TooOpen;

    fn shown(mode: u32, is_of_root: bool) -> Option<String> {
        let too_open = TooOpen::of_mode(mode, is_of_root)?;
        assert_eq!(too_open.mode(), mode);
        Some(too_open.to_string())
    }

    #[test]
    fn file_is_its_owners_alone() {
        for mode in [0o000, 0o400, 0o600, 0o700, 0o711] {
            assert_eq!((shown(mode, false), shown(mode, true)), (None, None), "{mode:o}");
        }
    }

    #[test]
    fn group_may_read_what_root_owns() {
        for mode in [0o440, 0o640, 0o750] {
            assert_eq!(shown(mode, true), None, "{mode:o}");
            assert!(shown(mode, false).unwrap().starts_with("its group can read it"), "{mode:o}");
        }
    }

    #[test]
    fn message_says_who_can_do_what() {
        for (mode, is_of_root, expected) in [
            (0o644, false, "its group and others can read it (mode 0644): "),
            (0o444, true, "others can read it (mode 0444): "),
            (0o666, true, "its group and others can read and change it (mode 0666): "),
            (0o602, false, "others can change it (mode 0602): "),
            (0o460, true, "its group can change it (mode 0460): "),
            (0o460, false, "its group can read and change it (mode 0460): "),
            (0o464, true, "its group and others can read and change it (mode 0464): "),
        ] {
            let shown = shown(mode, is_of_root).unwrap();
            assert!(shown.starts_with(expected), "{shown}");
            assert!(shown.contains("0400") && shown.contains("0440"), "{shown}");
        }
    }
}
