//! The routes as labels of numbers.

/// The routes that are told apart; nothing that a client sends becomes a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Token,
    Sign,
    Verify,
    Keys,
    Files,
    Uploads,
    Health,
    Livez,
    Readyz,
    Metrics,
    Openapi,
    Upstream,
    Other,
}

impl Route {
    pub(crate) const ALL: [Self; 13] = [
        Self::Token,
        Self::Sign,
        Self::Verify,
        Self::Keys,
        Self::Files,
        Self::Uploads,
        Self::Health,
        Self::Livez,
        Self::Readyz,
        Self::Metrics,
        Self::Openapi,
        Self::Upstream,
        Self::Other,
    ];

    /// The route of a path as it stands in the router.
    pub(crate) fn of(path: &str) -> Self {
        let name = path.strip_prefix('/').unwrap_or_default();
        // The name is a parameter of the path, or its first segment.
        let name = name.split_once('/').map_or(name, |(first, _)| first);
        let name = name.strip_suffix(".json").unwrap_or(name);
        Self::ALL.into_iter().find(|route| route.as_str() == name).unwrap_or(Self::Other)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Keys => "keys",
            Self::Files => "files",
            Self::Uploads => "uploads",
            Self::Health => "health",
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Metrics => "metrics",
            Self::Openapi => "openapi",
            Self::Upstream => "upstream",
            Self::Other => "other",
        }
    }

    /// Returns whether the route is for operators.
    pub(crate) const fn is_of_operators(self) -> bool {
        matches!(self, Self::Health | Self::Livez | Self::Readyz | Self::Metrics | Self::Openapi)
    }
}
