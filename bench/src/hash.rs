//! A password's hash in the bench itself: what the library can do on this machine.
//!
//! argon2 is fast only if the compiler vectorises it. With link-time optimisation, the optimisation level of the final
//! crate decides on that; `[profile.release.package]` sets it for the bench and for `create-user`.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rustix::time::{ClockId, clock_gettime};

use crate::statistics::{Summary, micros};

/// How many hashes are made.
const HASHES: usize = 15;

/// The processor time of a hash with the default costs, in microseconds: the median of some.
pub fn processor_time() -> Result<f64, String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default());
    let mut blocks = vec![Block::new(); Params::default().block_count()];
    let mut times = Vec::with_capacity(HASHES);
    for _ in 0..HASHES {
        let before = clock_gettime(ClockId::ThreadCPUTime);
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        argon2
            .hash_password_into_with_memory(b"correct horse battery", &[7; 16], &mut output, &mut blocks)
            .map_err(|error| format!("a password was not hashed: {error}"))?;
        // As the functions do, it wipes the memory.
        blocks.fill(Block::new());
        let after = clock_gettime(ClockId::ThreadCPUTime);
        let taken = std::time::Duration::try_from(after - before).map_err(|error| error.to_string())?;
        times.push(micros(taken));
    }
    Summary::of(times).map(|summary| summary.median).ok_or_else(|| "no hash was made".to_owned())
}
