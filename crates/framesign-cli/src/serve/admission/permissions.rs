//! What a caller may do.

use std::collections::HashSet;

use framesign::Head;

use crate::serve::admission::path_prefix::PathPrefix;

/// A right of a caller: the routes that it may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// `POST /token`.
    Token,
    /// `POST /sign`.
    Sign,
    /// `POST /verify`.
    Verify,
    /// `GET /keys/…`: the keys that sign and verify frames of the day. Only who has it by name has it.
    Keys,
    /// Uploads that are signed with an access key of the caller.
    Upload,
}

impl Right {
    pub(crate) const ALL: [Self; 5] =
        [Self::Token, Self::Sign, Self::Verify, Self::Keys, Self::Upload];

    /// The rights of a caller who is given none by name.
    const UNLESS_NAMED: [Self; 4] = [Self::Token, Self::Sign, Self::Verify, Self::Upload];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Keys => "keys",
            Self::Upload => "upload",
        }
    }
}

/// What a caller is denied. The caller is not told which; the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Right,
    AccessKey,
    Method,
    Host,
    Path,
    /// The answer would go over the network in clear.
    Clear,
}

impl Denied {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::AccessKey => "access-key",
            Self::Method => "method",
            Self::Host => "host",
            Self::Path => "path",
            Self::Clear => "clear",
        }
    }
}

/// What a caller may do. A list that is `None` allows everything.
#[derive(Debug)]
pub(crate) struct Permissions {
    pub(crate) rights: Vec<Right>,
    pub(crate) access_keys: Option<HashSet<Box<str>>>,
    pub(crate) methods: Option<HashSet<Box<str>>>,
    /// As the field Host has them, with the port where it has one.
    pub(crate) hosts: Option<Vec<Box<str>>>,
    pub(crate) path_prefixes: Option<Vec<PathPrefix>>,
}

impl Permissions {
    /// Allows whoever has the right.
    pub(crate) fn check_right(&self, right: Right) -> Result<(), Denied> {
        if self.rights.contains(&right) { Ok(()) } else { Err(Denied::Right) }
    }

    /// Allows the use of an access key.
    pub(crate) fn check_access_key(&self, access_key: &str) -> Result<(), Denied> {
        match &self.access_keys {
            Some(access_keys) if !access_keys.contains(access_key) => Err(Denied::AccessKey),
            _ => Ok(()),
        }
    }

    /// The access key, where there is exactly one that may be used.
    pub(crate) fn only_access_key(&self) -> Option<&str> {
        let mut access_keys = self.access_keys.as_ref()?.iter();
        let (access_key, None) = (access_keys.next()?, access_keys.next()) else { return None };
        Some(access_key)
    }

    /// Returns whether `other` allows the same frames to be signed.
    pub(crate) fn has_same_frames(&self, other: &Self) -> bool {
        self.methods == other.methods
            && self.hosts == other.hosts
            && self.path_prefixes == other.path_prefixes
    }

    /// Allows the frame of `head` to be signed.
    pub(crate) fn check_frame(&self, head: &Head<'_>) -> Result<(), Denied> {
        self.check_method(head)?;
        self.check_host(head)?;
        self.check_path(head)
    }

    fn check_method(&self, head: &Head<'_>) -> Result<(), Denied> {
        match &self.methods {
            Some(methods) if !methods.contains(head.method()) => Err(Denied::Method),
            _ => Ok(()),
        }
    }

    /// An authority of the target is the same as Host (protocol rule 7.9), and is not signed.
    fn check_host(&self, head: &Head<'_>) -> Result<(), Denied> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let host = head.values("host").next().ok_or(Denied::Host)?;
        let is_named = hosts.iter().any(|name| host.eq_ignore_ascii_case(name.as_bytes()));
        if is_named { Ok(()) } else { Err(Denied::Host) }
    }

    fn check_path(&self, head: &Head<'_>) -> Result<(), Denied> {
        let Some(prefixes) = &self.path_prefixes else { return Ok(()) };
        let path = head.path().ok_or(Denied::Path)?;
        if PathPrefix::any_covers(prefixes, path) { Ok(()) } else { Err(Denied::Path) }
    }
}

impl Default for Permissions {
    /// Everything that a caller may do who is given no rights by name.
    fn default() -> Self {
        Self {
            rights: Right::UNLESS_NAMED.to_vec(),
            access_keys: None,
            methods: None,
            hosts: None,
            path_prefixes: None,
        }
    }
}
