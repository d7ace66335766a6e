//! The repairs, one file a family. Each tries its candidates one after another and keeps none.

pub(super) mod fields;
pub(super) mod given;
pub(super) mod path;
pub(super) mod payload;
pub(super) mod query;
pub(super) mod rewritten;
pub(super) mod text;
