//! The four states of the monitoring plugins' convention.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a check came out, from the best to the worst.
///
/// The order and the exit codes follow the monitoring plugins' guidelines
/// (<https://www.monitoring-plugins.org/doc/guidelines.html>); of several results, the worst counts, and critical is worse
/// than unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warning,
    /// Broken, or about to be.
    Critical,
    /// Could not be measured.
    Unknown,
}

impl Status {
    /// The exit code of a plugin with this result.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The worst of several; `Ok` of none.
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        let badness = |status: &Self| match status {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Critical => 3,
        };
        all.into_iter().max_by_key(badness).unwrap_or(Self::Ok)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Critical, Ok, Unknown, Warning};
    use super::*;

    #[test]
    fn the_worst_of_several_counts() {
        assert_eq!(Status::worst([]), Ok);
        assert_eq!(Status::worst([Ok, Warning, Ok]), Warning);
        assert_eq!(Status::worst([Warning, Unknown]), Unknown);
        assert_eq!(Status::worst([Critical, Unknown]), Critical);
    }
}
