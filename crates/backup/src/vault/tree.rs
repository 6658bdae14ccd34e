//! How do the entries of a backup become directories? Trees, as stock restic reads them.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType, Tree};
use rustic_core::{DataId, Id, TreeId};

use super::error::{VaultError, VaultErrorKind};
use super::name::split_name;

/// Go's mark for a directory, which restic's `mode` has.
const GO_DIRECTORY: u32 = 1 << 31;

/// A directory that is being put together.
#[derive(Default)]
pub(super) struct Directory {
    children: BTreeMap<String, Child>,
}

enum Child {
    File { content: Vec<Id>, size: u64 },
    Directory(Directory),
}

impl Directory {
    /// Adds a file. Fails when the name is no name, or when something else has it already.
    pub(super) fn insert(&mut self, name: &str, content: Vec<Id>, size: u64) -> Result<(), VaultError> {
        let taken =
            || VaultError::new(VaultErrorKind::InvalidName, format!("the entry name {name:?} is taken already"));
        let mut parts = split_name(name)?;
        let Some(last) = parts.pop() else { return Err(taken()) };
        let mut directory = self;
        for part in parts {
            let child =
                directory.children.entry(part.to_owned()).or_insert_with(|| Child::Directory(Directory::default()));
            let Child::Directory(inner) = child else { return Err(taken()) };
            directory = inner;
        }
        if directory.children.contains_key(last) {
            return Err(taken());
        }
        directory.children.insert(last.to_owned(), Child::File { content, size });
        Ok(())
    }

    /// Stores the trees, the innermost first, and returns the id of the outermost.
    pub(super) fn store(
        self,
        time: Timestamp,
        put: &mut impl FnMut(Id, Vec<u8>) -> Result<(), VaultError>,
    ) -> Result<TreeId, VaultError> {
        let mut nodes = Vec::with_capacity(self.children.len());
        for (name, child) in self.children {
            let metadata = |mode, size| Metadata { mode: Some(mode), mtime: Some(time), size, ..Metadata::default() };
            nodes.push(match child {
                Child::File { content, size } => {
                    let mut node = Node::new_node(OsStr::new(&name), NodeType::File, metadata(0o600, size));
                    node.content = Some(content.into_iter().map(DataId::from).collect());
                    node
                }
                Child::Directory(inner) => {
                    let mut node = Node::new_node(OsStr::new(&name), NodeType::Dir, metadata(GO_DIRECTORY | 0o700, 0));
                    node.subtree = Some(inner.store(time, put)?);
                    node
                }
            });
        }
        let (json, id) = Tree { nodes }
            .serialize()
            .map_err(|err| VaultError::new(VaultErrorKind::Io, "a directory cannot be encoded").with_source(err))?;
        put(id.into_inner(), json)?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_and_directories_are_sorted_by_name_whatever_the_order_they_came_in() {
        let mut root = Directory::default();
        for name in ["schema/10.sql", "data/b", "manifest.json", "data/a"] {
            root.insert(name, Vec::new(), 0).unwrap();
        }
        let mut trees = Vec::new();
        root.store(Timestamp::UNIX_EPOCH, &mut |_, json| {
            let tree: Tree = serde_json::from_slice(&json).unwrap();
            trees.push(tree.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>().join(" "));
            Ok(())
        })
        .unwrap();
        assert_eq!(trees, ["a b", "10.sql", "data manifest.json schema"]);
    }

    #[test]
    fn a_name_is_given_once_and_a_file_is_no_directory() {
        let mut root = Directory::default();
        root.insert("data/a", Vec::new(), 0).unwrap();
        for name in ["data/a", "data", "data/a/b"] {
            assert_eq!(
                root.insert(name, Vec::new(), 0).unwrap_err().to_string(),
                format!("the entry name {name:?} is taken already")
            );
        }
    }
}
