//! A share of a processor, as a small memory size gets it. Uses a cgroup, if this machine allows it.

use std::fs;
use std::path::{Path, PathBuf};

/// Lambda gives 1,769 MB one virtual processor, and less in proportion (AWS Lambda Developer Guide,
/// "Configure Lambda function memory").
const MEGABYTES_OF_ONE: f64 = 1769.0;
/// The period in which a share is measured out, in microseconds.
const PERIOD: u32 = 20_000;

/// The share that a memory size buys; at most one processor, which is all that a single thread can use.
pub fn of_memory(megabytes: u32) -> f64 {
    (f64::from(megabytes) / MEGABYTES_OF_ONE).min(1.0)
}

/// A cgroup in which processes have no more than a share.
pub struct Limited {
    folder: PathBuf,
}

impl Limited {
    /// Creates the group. Says why if that is not allowed.
    pub fn to(share: f64) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is at most 1")]
        let quota = (f64::from(PERIOD) * share) as u32;
        let name = format!("bench-{}", std::process::id());
        let version_1 = Path::new("/sys/fs/cgroup/cpu").join(&name);
        let version_2 = Path::new("/sys/fs/cgroup").join(&name);
        let attempt = || {
            if version_1.parent().is_some_and(|parent| parent.join("cpu.cfs_quota_us").exists()) {
                fs::create_dir(&version_1)?;
                let limited = Self { folder: version_1.clone() };
                fs::write(limited.folder.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                fs::write(limited.folder.join("cpu.cfs_quota_us"), quota.to_string())?;
                return Ok(limited);
            }
            fs::create_dir(&version_2)?;
            let limited = Self { folder: version_2.clone() };
            fs::write(limited.folder.join("cpu.max"), format!("{quota} {PERIOD}"))?;
            Ok(limited)
        };
        attempt().map_err(|error: std::io::Error| error.to_string())
    }

    /// Puts a process into it, with all its threads.
    pub fn take_in(&self, process: u32) -> Result<(), String> {
        fs::write(self.folder.join("cgroup.procs"), process.to_string()).map_err(|error| error.to_string())
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_memory_size_buys_its_part_of_one_processor_and_never_more() {
        assert!((super::of_memory(128) - 0.0724).abs() < 0.0001);
        assert!((super::of_memory(3008) - 1.0).abs() < f64::EPSILON);
    }
}
