//! Medians, percentiles and their spread.

use std::time::Duration;

/// The median of some measurements, and their spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The first quartile.
    pub low: f64,
    /// The third quartile.
    pub high: f64,
}

impl Summary {
    /// Of measurements in any order; `None` if there are none.
    pub fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(measurements);
        Some(Self {
            median: percentile(&sorted, 0.5)?,
            low: percentile(&sorted, 0.25)?,
            high: percentile(&sorted, 0.75)?,
        })
    }
}

/// Measurements in their order.
pub fn sorted(measurements: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<_> = measurements.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The measurement below which this fraction of all lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index is small and not negative"
)]
pub fn percentile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

/// In microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_quartiles_do_not_mind_the_order() {
        let summary = Summary::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!(summary, Summary { median: 3.0, low: 2.0, high: 4.0 });
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn a_percentile_is_a_measurement() {
        let sorted = sorted((1..=100).map(f64::from));
        assert_eq!(percentile(&sorted, 0.99), Some(99.0));
        assert_eq!(percentile(&sorted, 1.0), Some(100.0));
    }
}
