//! Tar files read without unpacking: where each member starts, and its bytes.

mod ahead;
mod header;
mod links;
mod name;
mod scan;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// A file in a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path in the tar file: relative, without `.` and `..`.
    pub name: String,
    /// Whether bytes of the name are no UTF-8, and stand there as `\xe9`.
    spelt_out: bool,
    bytes: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bytes {
    At {
        offset: u64,
        bytes: u64,
    },
    /// Why there are none.
    Unreadable(String),
}

impl Member {
    /// Where its bytes are, and how many.
    ///
    /// # Errors
    /// Why it cannot be read, a link that leads nowhere for example.
    pub fn place(&self) -> Result<(u64, u64)> {
        match &self.bytes {
            Bytes::At { offset, bytes } => Ok((*offset, *bytes)),
            Bytes::Unreadable(reason) => Err(Error::other(reason.clone())),
        }
    }
}

/// The members of a tar file.
#[derive(Debug)]
pub(super) struct TarMembers {
    path: PathBuf,
    /// In their order; links are files, too, folders are not.
    pub members: Vec<Member>,
    by_name: HashMap<String, usize>,
    /// Its length.
    bytes: u64,
    /// When the tar file was last changed.
    pub modified: Option<SystemTime>,
    /// Why it ends before it should, where it does; what comes before can be read.
    pub damage: Option<String>,
    /// Members that are left out because of their names.
    pub refused: Vec<String>,
}

/// Tar files that were looked through, which is done once: datasets name their pictures by the
/// hundred thousand.
static KNOWN: RwLock<Option<HashMap<PathBuf, Arc<TarMembers>>>> = RwLock::new(None);

impl TarMembers {
    /// The members of a tar file, looked for when it is first asked for, and again when it has changed.
    ///
    /// # Errors
    /// When it cannot be opened. What is wrong inside is [`TarMembers::damage`].
    pub fn of(path: &Path) -> Result<Arc<Self>> {
        let metadata = path.metadata()?;
        let (bytes, modified) = (metadata.len(), metadata.modified().ok());
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.as_ref().and_then(|known| known.get(path))
            && (found.bytes, found.modified) == (bytes, modified)
        {
            return Ok(found.clone());
        }
        drop(known);
        let found = Arc::new(Self::look(path)?);
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_default().insert(path.to_path_buf(), found.clone());
        Ok(found)
    }

    fn look(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut entries = Vec::new();
        let damage = scan::scan(file, metadata.len(), &mut entries).err();
        let (members, mut refused) = links::members(&entries);
        let mut by_name: HashMap<String, usize> = HashMap::with_capacity(members.len());
        for (at, member) in members.iter().enumerate() {
            // Of members of one name the last is the one that is there after unpacking.
            let before = by_name.insert(member.name.clone(), at);
            if before.is_some_and(|before| members[before].spelt_out != member.spelt_out) {
                refused.push(format!("two members are called {:?}", member.name));
            }
        }
        let (path, modified) = (path.to_path_buf(), metadata.modified().ok());
        let bytes = metadata.len();
        Ok(Self { path, members, by_name, bytes, modified, damage, refused })
    }

    /// The member of that name, the last where there are several.
    pub fn find(&self, name: &str) -> Result<&Member> {
        let found = name::normalised(name).ok().and_then(|name| self.by_name.get(&name));
        found.and_then(|at| self.members.get(*at)).ok_or_else(|| {
            let message = format!("no member {name:?} in {}", self.path.display());
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The bytes of a member.
    pub fn read(&self, member: &Member) -> Result<Vec<u8>> {
        let (offset, length) = member.place()?;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(length).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(Error::new(ErrorKind::UnexpectedEof, "the tar file became shorter")),
        }
    }
}
