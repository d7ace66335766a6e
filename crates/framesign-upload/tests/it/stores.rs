//! The stores that tests run over, and a look at what is visible in them.

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use framesign_upload::server::{Directory, Objects, RecordKind, RecordName, Store, UploadKey};
use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path as ObjectPath};
use tempfile::TempDir;

/// A piece of the object store in tests.
pub(crate) const PIECE: usize = 1000;

/// A store of either kind, and what it is made of.
pub(crate) enum Kept {
    Directory(TempDir),
    Objects(InMemory),
}

impl Kept {
    pub(crate) fn all() -> [Self; 2] {
        [Self::Directory(tempfile::tempdir().unwrap()), Self::Objects(InMemory::new())]
    }

    /// Opens it. A directory can be opened once at a time.
    pub(crate) fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Directory(folder) => Arc::new(Directory::open(folder.path()).unwrap()),
            Self::Objects(objects) => Arc::new(Self::objects(objects.clone())),
        }
    }

    fn objects(objects: InMemory) -> Objects {
        Objects::new(objects, "received").piece(PIECE).min_part(0)
    }

    /// The names of files that are visible.
    pub(crate) async fn files(&self) -> Vec<String> {
        let mut names = match self {
            Self::Directory(folder) => names(folder.path()),
            Self::Objects(objects) => {
                let paths = paths(objects, "received").await;
                paths.into_iter().filter(|path| !path.starts_with(".uploads/")).collect()
            }
        };
        names.retain(|name| name != ".uploads");
        names.sort();
        names
    }

    pub(crate) async fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Self::Directory(folder) => fs::read(folder.path().join(name)).unwrap(),
            Self::Objects(objects) => {
                let path = ObjectPath::from(format!("received/{name}"));
                objects.get(&path).await.unwrap().bytes().await.unwrap().to_vec()
            }
        }
    }

    /// What is kept beside the files: records and data.
    pub(crate) async fn rest(&self) -> Vec<String> {
        let folders = ["open", "data", "names", "tmp"];
        match self {
            Self::Directory(folder) => {
                let own = folder.path().join(".uploads");
                let of = |name: &&str| names(&own.join(name));
                folders.iter().flat_map(of).collect()
            }
            Self::Objects(objects) => {
                let paths = paths(objects, "received/.uploads").await;
                paths.into_iter().filter(|path| !path.starts_with("done/")).collect()
            }
        }
    }

    /// The multipart uploads of [`objects_fail`](super::failing::objects_fail) that have not ended.
    pub(crate) async fn multiparts(&self) -> Vec<String> {
        match self {
            Self::Directory(_) => Vec::new(),
            Self::Objects(objects) => paths(objects, "multiparts").await,
        }
    }
}

async fn paths(objects: &InMemory, prefix: &str) -> Vec<String> {
    let listed: Vec<_> = objects.list(Some(&prefix.into())).try_collect().await.unwrap();
    let path = |path: &ObjectPath| path.as_ref().split_at(prefix.len() + 1).1.to_owned();
    listed.iter().map(|object| path(&object.location)).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn directory_is_of_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Directory::open(folder.path()).unwrap();
    let error = Directory::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    Directory::open(folder.path()).unwrap();
}

#[tokio::test]
async fn record_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let own = folder.path().join(".uploads");
    fs::remove_dir(own.join("open")).unwrap();
    let digits = "0".repeat(32);
    let key = UploadKey::parse(&digits, &digits).unwrap();
    let record = RecordName { kind: RecordKind::Open, key };
    directory.replace(&record, b"record".to_vec(), None).await.unwrap_err();
    assert_eq!(names(&own.join("tmp")), [""; 0]);
}

/// However many there are, the names of some are held.
#[tokio::test]
async fn records_are_listed_some_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let done = folder.path().join(".uploads/done");
    let owner = "0".repeat(32);
    let names: HashSet<_> = (0..5000).map(|number| format!("{owner}.{number:032x}")).collect();
    for name in &names {
        fs::write(done.join(name), b"").unwrap();
    }
    let name = |key: &UploadKey| format!("{}.{}", key.owner(), key.id());
    let all: Vec<_> = directory.list(RecordKind::Done, None).try_collect().await.unwrap();
    assert_eq!(all.len(), names.len());
    assert_eq!(all.iter().map(name).collect::<HashSet<_>>(), names);

    let mut listed = directory.list(RecordKind::Done, None);
    listed.try_next().await.unwrap().unwrap();
    for name in &names {
        fs::remove_file(done.join(name)).unwrap();
    }
    let rest = listed.try_fold(0, async |number, _| Ok(number + 1)).await.unwrap();
    assert!(rest < 3000, "{rest} of them were held");
}

/// What stands beside the files is for the service alone, and makes nobody who reads it a signer.
#[cfg(unix)]
#[tokio::test]
async fn record_is_private_and_holds_no_secret_and_no_signature() {
    use std::os::unix::fs::PermissionsExt;

    use super::client::{ALICE, Call, Server, secret};

    let kept = Kept::Directory(tempfile::tempdir().unwrap());
    let Kept::Directory(folder) = &kept else { panic!() };
    let server = Server::of(&kept);
    let request = Call::create("f", b"content", false).signed(ALICE);
    let signature = request.headers()["dynata-signature"].to_str().unwrap().to_owned();
    server.send(request).await.expect(201);
    let own = folder.path().join(".uploads");
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o700);
    let [record] = &names(&own.join("open"))[..] else { panic!() };
    let record = fs::read_to_string(own.join("open").join(record)).unwrap();
    assert!(record.contains(ALICE), "{record}");
    for secret in [&signature, &secret(ALICE)] {
        assert!(!record.contains(secret.as_str()), "{record}");
    }
}
