//! How long to leave a server alone after it could not be reached.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// The same while callers ask for a connection.
pub(crate) const LONGEST_AWAITED: Duration = Duration::from_millis(200);

/// A refused password does not become right by asking often, and accounts are locked for less.
const FIRST_PERMANENT: Duration = Duration::from_millis(500);
const LONGEST_PERMANENT: Duration = Duration::from_secs(5);

/// The pause after the `failures`-th failure running (the first is 1), doubling each time.
///
/// `chance` from 0 to 1 spreads it over 75 to 125 %, so that many programs do not come back in step.
pub(crate) fn pause(failures: u32, permanent: bool, awaited: bool, chance: f64) -> Duration {
    let (first, longest) = match (permanent, awaited) {
        (true, _) => (FIRST_PERMANENT, LONGEST_PERMANENT),
        (false, true) => (FIRST, LONGEST_AWAITED),
        (false, false) => (FIRST, LONGEST),
    };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(longest).mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second() {
        let pauses: Vec<u128> = (1..=7).map(|n| pause(n, false, false, 0.5).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn what_cannot_pass_is_asked_less_often() {
        let pauses: Vec<u128> = (1..=5).map(|n| pause(n, true, false, 0.5).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 5000]);
    }

    #[test]
    fn chance_spreads_a_quarter_each_way() {
        assert_eq!(pause(u32::MAX, false, false, 0.0).as_millis(), 750);
        assert_eq!(pause(u32::MAX, false, false, 1.0).as_millis(), 1250);
        assert_eq!(pause(u32::MAX, false, true, 1.0).as_millis(), 250, "while somebody asks");
    }
}
