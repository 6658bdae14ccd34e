//! How is a stored entry read back? Block by block, each checked against its name.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use rustic_core::repofile::{BlobType, FileType, Node, NodeType, Tree};
use rustic_core::{Id, TreeId};

use super::error::{VaultError, VaultErrorKind};
use super::index::Index;
use super::name::split_name;
use super::seal::{Sealer, content_id};
use super::store::Store;

/// Directories nested deeper than this were not made by a sane program.
const DEEPEST: usize = 64;

/// An entry of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, such as `data/users.tsv`.
    pub name: String,
    /// The length of its content in bytes.
    pub size: u64,
}

/// Reads blobs and trees at one moment of the vault.
#[derive(Clone)]
pub(super) struct Blobs {
    pub(super) store: Arc<dyn Store>,
    pub(super) sealer: Sealer,
    pub(super) index: Arc<Index>,
}

impl Blobs {
    /// Reads a blob and checks that it is what its name says.
    pub(super) fn read(&self, blob_type: BlobType, id: &Id) -> Result<Bytes, VaultError> {
        let name = id.to_hex();
        let Some(location) = self.index.get(blob_type, id) else {
            return Err(VaultError::damaged(format!("the block {} is in no index file", name.as_str()))
                .with_hint("if its pack is still there, `restic rebuild-index` (or `repair index`) finds it again"));
        };
        let pack = self.index.pack(location).id;
        let in_pack = |err: VaultError| match err.kind() {
            VaultErrorKind::NotFound => {
                VaultError::damaged(format!("the pack {} is missing", pack.to_hex().as_str())).with_source(err)
            }
            VaultErrorKind::Damaged => VaultError::damaged(format!(
                "the block {} in the pack {} is damaged",
                name.as_str(),
                pack.to_hex().as_str()
            ))
            .with_source(err),
            _ => err,
        };
        let sealed = self.store.read_part(FileType::Pack, &pack, location.offset, location.length).map_err(in_pack)?;
        let plain = self.sealer.open_blob(&sealed, location.uncompressed_length).map_err(in_pack)?;
        if content_id(&plain) != *id {
            return Err(in_pack(VaultError::damaged("its content is not what its name says")));
        }
        Ok(plain)
    }

    pub(super) fn tree(&self, id: &TreeId) -> Result<Tree, VaultError> {
        let json = self.read(BlobType::Tree, id)?;
        serde_json::from_slice(&json).map_err(|err| {
            VaultError::damaged(format!("the directory {} cannot be understood", id.to_hex().as_str())).with_source(err)
        })
    }

    /// The file called `name`, or `None`.
    pub(super) fn find(&self, root: &TreeId, name: &str) -> Result<Option<Node>, VaultError> {
        let mut tree = self.tree(root)?;
        let mut parts = split_name(name)?.into_iter().peekable();
        while let Some(part) = parts.next() {
            let Some(node) = tree.nodes.into_iter().find(|node| *node.name() == *part) else { return Ok(None) };
            match (&node.node_type, parts.peek(), &node.subtree) {
                (NodeType::File, None, _) => return Ok(Some(node)),
                (NodeType::Dir, Some(_), Some(subtree)) => tree = self.tree(subtree)?,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Calls `visit` with the name and the node of every file below `root`, in the order of their names. A directory
    /// that cannot be read is given to `broken`; what it returns ends the walk or lets it go on elsewhere.
    pub(super) fn walk(
        &self,
        root: &TreeId,
        visit: &mut impl FnMut(&str, &Node) -> Result<(), VaultError>,
        broken: &mut impl FnMut(&str, &TreeId, VaultError) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        self.walk_below("", root, DEEPEST, visit, broken)
    }

    fn walk_below(
        &self,
        prefix: &str,
        id: &TreeId,
        depth: usize,
        visit: &mut impl FnMut(&str, &Node) -> Result<(), VaultError>,
        broken: &mut impl FnMut(&str, &TreeId, VaultError) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let tree = match self.tree(id) {
            Ok(_) if depth == 0 => return broken(prefix, id, VaultError::damaged("directories are nested too deep")),
            Ok(tree) => tree,
            Err(err) => return broken(prefix, id, err),
        };
        for node in &tree.nodes {
            let name = format!("{prefix}{}", node.name().to_string_lossy());
            match (&node.node_type, &node.subtree) {
                (NodeType::File, _) => visit(&name, node)?,
                (NodeType::Dir, Some(subtree)) => {
                    self.walk_below(&format!("{name}/"), subtree, depth - 1, visit, broken)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn open(&self, name: &str, node: &Node) -> EntryReader {
        EntryReader {
            blobs: self.clone(),
            name: name.to_owned(),
            size: node.meta.size,
            read: 0,
            rest: node.content.iter().flatten().map(|id| id.into_inner()).collect(),
            block: Bytes::new(),
        }
    }
}

/// Reads one entry of a backup, from its beginning to its end. Holds one block, of at most some MiB.
///
/// Every block is checked before any of it is handed out: what is read is what was written, or an error. A reader that
/// has failed fails again.
pub struct EntryReader {
    blobs: Blobs,
    name: String,
    size: u64,
    read: u64,
    rest: VecDeque<Id>,
    block: Bytes,
}

impl EntryReader {
    /// The length of the whole entry in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next block, or `None` at the end. Blocks, up to some MiB each.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::Damaged`], naming what, when the stored bytes are missing or are not what was written.
    pub fn next_block(&mut self) -> Result<Option<Bytes>, VaultError> {
        if !self.block.is_empty() {
            return Ok(Some(std::mem::take(&mut self.block)));
        }
        let Some(id) = self.rest.front() else {
            return if self.read == self.size { Ok(None) } else { Err(self.wrong_length()) };
        };
        let block = self.blobs.read(BlobType::Data, id).map_err(|err| match err.kind() {
            VaultErrorKind::Damaged => {
                VaultError::damaged(format!("`{}` cannot be read back", self.name)).with_source(err)
            }
            _ => err,
        })?;
        self.read += block.len() as u64;
        if self.read > self.size {
            return Err(self.wrong_length());
        }
        self.rest.pop_front();
        Ok(Some(block))
    }

    fn wrong_length(&self) -> VaultError {
        VaultError::damaged(format!("the blocks of `{}` have not the {} bytes they should have", self.name, self.size))
    }
}

impl Read for EntryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.block.is_empty() {
            match self.next_block()? {
                None => return Ok(0),
                Some(block) => self.block = block,
            }
        }
        let length = buffer.len().min(self.block.len());
        self.block.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl std::fmt::Debug for EntryReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryReader").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}
