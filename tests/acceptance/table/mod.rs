//! The table under faults, races, size and other engines.

mod address_changes;
mod calls;
mod creation_race;
mod differences;
pub mod faults;
mod freeze;
pub mod http_client;
mod model;
mod operator_calls;
mod regions;
mod scale;
mod stored_forms;
