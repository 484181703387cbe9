//! Which local system a command is about.

use super::{Failure, Output};
use crate::local::running::{self, RunningSystem};

/// The running system with this port, or the one that started last.
pub(super) fn find(port: Option<u16>, output: Output) -> Result<RunningSystem, Failure> {
    let systems = running::all()
        .map_err(|error| Failure::refused(format!("cannot tell which local systems run: {error}")))?;
    if systems.is_empty() {
        let start = port.map(|port| format!(" --port {port}")).unwrap_or_default();
        return Err(Failure::refused(format!(
            "no local system is running: start one with `users serve{start}`"
        )));
    }
    let addresses = systems.iter().map(|system| system.api.as_str()).collect::<Vec<_>>().join(", ");
    let count = systems.len();
    let mut found = systems.into_iter().filter(|system| port.is_none_or(|port| port == system.port));
    let Some(system) = found.next() else {
        let port = port.unwrap_or_default();
        return Err(Failure::refused(format!(
            "no local system has port {port}, but {addresses}: start one with `users serve --port {port}`"
        )));
    };
    if port.is_none() && count > 1 {
        output.warn(&format!(
            "{count} local systems are running ({addresses}); this is for {}, which started last: --port chooses",
            system.api
        ));
    }
    Ok(system)
}
