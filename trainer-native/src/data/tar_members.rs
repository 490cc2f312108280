//! Tar files read without unpacking: where each member starts, and its bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// Length of a header and unit of everything else in a tar file.
const BLOCK: u64 = 512;

/// A file in a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path in the tar file.
    pub name: String,
    offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The members of a tar file.
#[derive(Debug)]
pub(super) struct TarMembers {
    path: PathBuf,
    /// In their order.
    pub members: Vec<Member>,
    by_name: HashMap<String, usize>,
    /// When the tar file was last changed.
    pub modified: Option<SystemTime>,
    /// Why it ends before it should, where it does; what comes before can be read.
    pub damage: Option<String>,
}

/// Tar files that were looked through, which is done once: datasets name their pictures by the
/// hundred thousand.
static KNOWN: RwLock<Option<HashMap<PathBuf, Arc<TarMembers>>>> = RwLock::new(None);

impl TarMembers {
    /// The members of a tar file, looked for when it is first asked for.
    ///
    /// # Errors
    /// When it cannot be opened. What is wrong inside is [`TarMembers::damage`].
    pub fn of(path: &Path) -> Result<Arc<Self>> {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.as_ref().and_then(|known| known.get(path)) {
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
        let mut found = Self {
            path: path.to_path_buf(),
            members: Vec::new(),
            by_name: HashMap::new(),
            modified: metadata.modified().ok(),
            damage: None,
        };
        // What is no tar file is quoted by its first bytes, whatever they are.
        let readable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        let words = |error: Error| error.to_string().chars().map(readable).collect();
        found.damage = found.scan(file, metadata.len()).err().map(words);
        Ok(found)
    }

    /// Notes every member; fails where the file is not as it should be.
    fn scan(&mut self, file: File, length: u64) -> Result<()> {
        let mut archive = tar::Archive::new(BufReader::with_capacity(BLOCK as usize, file));
        let mut end = 0;
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let (offset, bytes) = (entry.raw_file_position(), entry.size());
            end = (offset + bytes).next_multiple_of(BLOCK);
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|_| Error::other("the name of a member is not UTF-8"))?;
            if offset + bytes > length {
                return Err(Error::other(format!(
                    "the file is truncated: member {name:?} ends at byte {}, the file at {length}",
                    offset + bytes
                )));
            }
            self.by_name.insert(name.clone(), self.members.len());
            self.members.push(Member { name, offset, bytes });
        }
        // A file that was cut between two members would pass unnoticed.
        let mut file = archive.into_inner();
        let mut block = [1; BLOCK as usize];
        file.seek(SeekFrom::Start(end))?;
        match file.read_exact(&mut block) {
            Ok(()) if block.iter().all(|&byte| byte == 0) => Ok(()),
            _ => Err(Error::other("the file is truncated: it has no end mark")),
        }
    }

    /// The member of that name, the last where there are several.
    pub fn find(&self, name: &str) -> Result<&Member> {
        let found = self.by_name.get(name).and_then(|at| self.members.get(*at));
        found.ok_or_else(|| {
            let message = format!("no member {name:?} in {}", self.path.display());
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The bytes of a member.
    pub fn read(&self, member: &Member) -> Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(member.offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(member.bytes).unwrap_or(0));
        file.take(member.bytes).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == member.bytes {
            true => Ok(bytes),
            false => Err(Error::new(ErrorKind::UnexpectedEof, "the tar file became shorter")),
        }
    }
}
