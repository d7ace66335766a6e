//! The bucket, as an observer sees it.

use std::{collections::BTreeSet, time::Duration};

use futures_util::TryStreamExt;
use http::Method;
use object_store::{
    ObjectStore, ObjectStoreExt,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
    signer::Signer,
};
use sha2::{Digest, Sha256};

use super::ceph::{Ceph, USER};
use crate::Result;

const NAME: &str = "bucket";

/// What files begin with in the bucket.
pub(crate) const PREFIX: &str = "received";

/// The bucket of an S3 server.
pub(crate) struct Bucket {
    store: AmazonS3,
    endpoint: String,
}

impl Bucket {
    /// Makes it.
    pub(crate) async fn create(ceph: &Ceph) -> Result<Self> {
        // Fails if the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = format!("http://{}", ceph.address);
        let store = AmazonS3Builder::new()
            .with_endpoint(&endpoint)
            .with_allow_http(true)
            .with_bucket_name(NAME)
            .with_region(REGION)
            .with_access_key_id(USER.0)
            .with_secret_access_key(USER.1)
            .build()?;
        let url =
            store.signed_url(Method::PUT, &Path::default(), Duration::from_secs(5 * 60)).await?;
        ceph.put(url.as_str())?;
        Ok(Self { store, endpoint })
    }

    /// The URL of the store, for `--uploads`.
    pub(crate) fn url() -> String {
        format!("s3://{NAME}/{PREFIX}")
    }

    /// What a replica finds the bucket by.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ENDPOINT", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", USER.0),
            ("AWS_SECRET_ACCESS_KEY", USER.1),
        ]
    }

    /// The names of the files that are visible.
    pub(crate) async fn files(&self) -> Result<BTreeSet<String>> {
        let listed = self.store.list_with_delimiter(Some(&Path::from(PREFIX))).await?;
        let names = listed.objects.iter().filter_map(|object| object.location.filename());
        Ok(names.map(str::to_owned).collect())
    }

    /// The number of records of a kind: `open`, `done` or `names`.
    pub(crate) async fn records(&self, kind: &str) -> Result<usize> {
        let folder = Path::from(PREFIX).join(".uploads").join(kind);
        let listed: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        Ok(listed.len())
    }

    /// The SHA-256 of a file.
    pub(crate) async fn hash(&self, name: &str) -> Result<[u8; 32]> {
        let file = self.store.get(&Path::from(PREFIX).join(name)).await?;
        Ok(Sha256::digest(&file.bytes().await?).into())
    }
}

const REGION: &str = "us-east-1";
