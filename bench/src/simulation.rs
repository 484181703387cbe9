//! Simulates Lambda's concurrency with measured times: how often a request meets a cold start at an arrival rate, the
//! resulting percentiles, and the cost of a million requests.
//!
//! Requests come at random (Poisson) and are never queued: one that finds no idle instance starts a new one. The idle
//! instance used last is used first. Lambda's own work before it starts the process, such as fetching the code, is not
//! included.

use std::time::Duration;

use crate::figures::Figures;
use crate::statistics::{percentile, sorted};

/// An instance without a request for this long is assumed to be gone. Lambda promises nothing; people observe 5 to 15
/// minutes.
const IDLE_LIFE: Duration = Duration::from_mins(5);
/// How many requests are simulated at each rate.
const REQUESTS: usize = 50_000;
/// Lambda on arm64 in us-east-1 (AWS Lambda Pricing): a million requests, and a GB for a second.
const PER_MILLION_REQUESTS: f64 = 0.20;
const PER_GB_SECOND: f64 = 0.000_013_333_4;

/// Arrival rates, in requests per second.
pub const RATES: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 10.0, 100.0, 1000.0];

/// How long a function's requests take on the processor share of a memory size, in milliseconds.
#[derive(Clone, Copy)]
pub struct Times {
    /// The start of an instance, which has a whole processor.
    pub start: f64,
    /// An instance's first request.
    pub first: f64,
    /// Every other one.
    pub warm: f64,
}

/// The results for one arrival rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    /// The fraction of the requests that met a cold start.
    pub cold: f64,
    /// The median, in milliseconds.
    pub p50: f64,
    /// The 99th percentile, in milliseconds.
    pub p99: f64,
    /// What a million requests cost, in dollars.
    pub cost: f64,
}

impl Times {
    /// Computed from measurements at full speed: processor time grows by the share, waiting does not.
    pub fn on_share(figures: &Figures, share: f64) -> Option<Self> {
        let warm = figures.warm?;
        let stretched = |total: f64, processor: f64| (total + processor * (1.0 / share - 1.0)) / 1e3;
        Some(Self {
            start: figures.start.median / 1e3,
            first: stretched(figures.first.median, figures.first_processor.median),
            warm: stretched(warm.p50.median, warm.processor.median),
        })
    }

    /// Requests at a rate, to instances of so many megabytes.
    pub fn at_rate(self, rate: f64, megabytes: u32) -> Outcome {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let idle_life = IDLE_LIFE.as_secs_f64() * 1e3;
        // When each instance is free again; the one used last is the last.
        let mut instances: Vec<f64> = Vec::new();
        let mut latencies = Vec::with_capacity(REQUESTS);
        let (mut now, mut cold, mut billed) = (0.0, 0_u32, 0.0);
        for _ in 0..REQUESTS {
            now += random.exponential() * 1e3 / rate;
            instances.retain(|&free| now - free < idle_life);
            let latency = if let Some(idle) = instances.iter().rposition(|&free| free <= now) {
                instances.remove(idle);
                self.warm
            } else {
                cold += 1;
                self.start + self.first
            };
            instances.push(now + latency);
            latencies.push(latency);
            billed += latency.ceil();
        }
        let sorted = sorted(latencies);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let requests = REQUESTS as f64;
        let gigabyte_seconds = billed / 1e3 * f64::from(megabytes) / 1024.0;
        Outcome {
            cold: f64::from(cold) / requests,
            p50: percentile(&sorted, 0.5).unwrap_or_default(),
            p99: percentile(&sorted, 0.99).unwrap_or_default(),
            cost: PER_MILLION_REQUESTS + gigabyte_seconds * PER_GB_SECOND / requests * 1e6,
        }
    }
}

/// `SplitMix64`: the same numbers in every run.
struct Random(u64);

impl Random {
    /// Of mean 1.
    fn exponential(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        -uniform.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { start: 100.0, first: 50.0, warm: 10.0 };

    #[test]
    fn one_request_an_hour_is_cold_and_one_a_second_rarely() {
        assert!(TIMES.at_rate(1.0 / 3600.0, 128).cold > 0.9);
        let busy = TIMES.at_rate(1.0, 128);
        assert!(busy.cold < 0.001, "{busy:?}");
        assert!((busy.p99 - 10.0).abs() < f64::EPSILON);
    }

    #[test]
    fn as_many_instances_are_started_as_requests_overlap() {
        // Little's law: 1,000 a second of 10 ms each keep 10 instances busy.
        let cold = TIMES.at_rate(1000.0, 128).cold * 50_000.0;
        assert!((10.0..300.0).contains(&cold), "{cold}");
    }

    #[test]
    fn a_million_warm_requests_cost_their_time_and_their_number() {
        // 10 ms × 128 MB × 1,000,000 = 1,250 GB s.
        let cost = TIMES.at_rate(1.0, 128).cost;
        assert!((cost - (0.20 + 1250.0 * 0.000_013_333_4)).abs() < 0.001, "{cost}");
    }
}
