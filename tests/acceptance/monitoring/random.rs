//! Random numbers that are the same in every run.

/// `SplitMix64`.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform, above 0 and at most 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        uniform
    }

    /// How many events come in a time in which `mean` are to be expected.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 100.0 {
            // Then it is as good as normal.
            let normal: f64 = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is some thousand"
            )]
            return (mean + mean.sqrt() * normal).round() as u32;
        }
        let (mut events, mut time) = (0, -self.uniform().ln());
        while time < mean {
            events += 1;
            time -= self.uniform().ln();
        }
        events
    }
}
