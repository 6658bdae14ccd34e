//! Where is a stream cut into blocks? At places its own content decides, so that an insertion moves no later cut.

use rustic_cdc::{Rabin64, RollingHash64};
use rustic_core::repofile::{Chunker, ConfigFile};

use super::error::{VaultError, VaultErrorKind};

/// The rolling hash looks at this many bytes, as restic's does.
const WINDOW_BITS: u32 = 6;
const WINDOW: usize = 1 << WINDOW_BITS;
/// Limits for what a configuration may ask for; ours has 512 KiB, 1 MiB and 8 MiB.
const LARGEST: usize = 64 << 20;

/// How the streams of a vault are cut; from its configuration.
#[derive(Clone)]
pub(super) struct CutRule {
    /// `None` cuts at fixed distances.
    rabin: Option<Rabin64>,
    min: usize,
    max: usize,
    mask: u64,
}

impl CutRule {
    pub(super) fn from_config(config: &ConfigFile) -> Result<Self, VaultError> {
        let unknown = || {
            VaultError::new(
                VaultErrorKind::NewerFormat,
                "the vault's configuration asks for a way of cutting that is not known here",
            )
        };
        let average = config.chunk_size();
        match config.chunker() {
            Chunker::FixedSize => {
                if average == 0 || average > LARGEST {
                    return Err(unknown());
                }
                Ok(Self { rabin: None, min: average, max: average, mask: 0 })
            }
            Chunker::Rabin => {
                let polynomial = config.poly().map_err(|err| unknown().with_source(err.display_log()))?;
                let (min, max) = (config.chunk_min_size(), config.chunk_max_size());
                // The hash needs a polynomial of degree 8 or more; restic's have 53.
                let sound =
                    average.is_power_of_two() && WINDOW <= min && min <= average && average <= max && max <= LARGEST;
                if !sound || polynomial < (1 << 8) {
                    return Err(unknown());
                }
                let rabin = Some(Rabin64::new_with_polynom(WINDOW_BITS, &polynomial));
                Ok(Self { rabin, min, max, mask: average as u64 - 1 })
            }
        }
    }
}

/// Cuts one stream. Holds at most one block.
pub(super) struct Cutter {
    rule: CutRule,
    block: Vec<u8>,
}

impl Cutter {
    pub(super) fn new(rule: &CutRule) -> Self {
        Self { rule: rule.clone(), block: Vec::new() }
    }

    /// Takes bytes from the front of `data` up to the next cut. A block is returned when the cut is reached; otherwise
    /// `data` is empty afterwards.
    pub(super) fn take(&mut self, data: &mut &[u8]) -> Option<Vec<u8>> {
        let CutRule { rabin, min, max, mask } = &mut self.rule;
        if self.block.len() < *min {
            let (head, rest) = data.split_at(data.len().min(*min - self.block.len()));
            self.block.extend_from_slice(head);
            *data = rest;
            if self.block.len() < *min {
                return None;
            }
            match rabin {
                None => return Some(std::mem::take(&mut self.block)),
                Some(rabin) => {
                    let window = &self.block[self.block.len() - WINDOW..];
                    rabin.reset_and_prefill_window(&mut window.iter().copied());
                    if rabin.hash & *mask == 0 {
                        return Some(std::mem::take(&mut self.block));
                    }
                }
            }
        }
        let rabin = rabin.as_mut()?;
        let room = data.len().min(*max - self.block.len());
        let cut = data[..room].iter().position(|&byte| {
            rabin.slide(byte);
            rabin.hash & *mask == 0
        });
        let (head, rest) = data.split_at(cut.map_or(room, |at| at + 1));
        self.block.extend_from_slice(head);
        *data = rest;
        (cut.is_some() || self.block.len() == *max).then(|| std::mem::take(&mut self.block))
    }

    /// The last block, if any bytes are left.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.block.is_empty()).then_some(self.block)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule() -> CutRule {
        let mut config = ConfigFile { chunker_polynomial: "3da3358b4dc173".into(), ..ConfigFile::default() };
        config.chunk_size = Some(1 << 12);
        config.chunk_min_size = Some(1 << 11);
        config.chunk_max_size = Some(1 << 14);
        CutRule::from_config(&config).unwrap()
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 42_u64;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect()
    }

    fn cut(data: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(&rule());
        let mut blocks = Vec::new();
        for mut piece in data.chunks(step) {
            while !piece.is_empty() {
                blocks.extend(cutter.take(&mut piece));
            }
        }
        blocks.extend(cutter.finish());
        blocks
    }

    #[test]
    fn cuts_do_not_depend_on_how_the_bytes_arrive() {
        let data = noise(300_000);
        let blocks = cut(&data, data.len());
        assert_eq!(blocks.concat(), data);
        assert!(blocks.len() > 30);
        assert!(blocks.iter().all(|block| block.len() <= 1 << 14));
        for step in [1, 7, 2048, 4096, 100_000] {
            assert_eq!(cut(&data, step), blocks);
        }
    }

    #[test]
    fn an_insertion_changes_only_the_blocks_around_it() {
        let data = noise(300_000);
        let before = cut(&data, 1000);
        let after = cut(&[&data[..100_000], b"inserted", &data[100_000..]].concat(), 1000);
        let kept = after.iter().filter(|block| before.contains(block)).count();
        assert!(kept + 4 >= before.len(), "{kept} of {} blocks kept", before.len());
    }

    #[test]
    fn bytes_without_any_cut_are_cut_at_the_largest_size() {
        let blocks = cut(&vec![0; 100_000], 999);
        assert_eq!(blocks.concat().len(), 100_000);
        assert!(blocks.iter().all(|block| block.len() <= 1 << 14));
    }

    #[test]
    fn an_empty_stream_has_no_block() {
        assert!(cut(&[], 1).is_empty());
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused() {
        let config = ConfigFile { chunker_polynomial: "zz".into(), ..ConfigFile::default() };
        assert!(CutRule::from_config(&config).is_err());
        let config = ConfigFile { chunker_polynomial: "1".into(), ..ConfigFile::default() };
        assert!(CutRule::from_config(&config).is_err());
    }
}
