//! Access keys and their live secrets.

use std::collections::HashMap;

use super::Secret;
use crate::error::ApiMisuse;

/// The live secrets of access keys, the newest first. A revoked access key has none.
#[derive(Default)]
pub(super) struct Table(HashMap<Box<str>, Vec<Secret>>);

impl Table {
    /// The live secrets of an access key; none if it is unknown or revoked.
    pub(super) fn live(&self, access_key: &[u8]) -> Vec<Secret> {
        let access_key = str::from_utf8(access_key).ok();
        access_key.and_then(|access_key| self.0.get(access_key)).cloned().unwrap_or_default()
    }

    /// The live secrets of an access key, to be changed.
    pub(super) fn entry(&mut self, access_key: &str) -> Result<&mut Vec<Secret>, ApiMisuse> {
        match access_key {
            "" => Err(ApiMisuse::EmptyAccessKey),
            _ if access_key.contains('\0') => Err(ApiMisuse::NulInAccessKey),
            _ => Ok(self.0.entry(access_key.into()).or_default()),
        }
    }

    pub(super) fn get_mut(&mut self, access_key: &str) -> Option<&mut Vec<Secret>> {
        self.0.get_mut(access_key)
    }

    pub(super) fn remove(&mut self, access_key: &str) {
        self.0.remove(access_key);
    }

    /// The number of access keys, revoked ones counted.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
