//! Acceptance tests: the public surface, over HTTP, against the whole local system on free ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    missing_docs,
    reason = "a test that meets the unexpected fails"
)]

mod engine;
mod harness;
mod key_pairs;

mod address_changes;
mod attacks;
mod authorization;
mod binaries;
mod browser;
mod calls;
mod check_user_exists;
mod command_line;
mod console;
mod contract;
mod create_user;
mod creation_race;
mod dependencies;
mod differences;
mod doctor;
mod document;
mod door;
mod endpoints;
mod events;
mod faults;
mod freeze;
mod fuzzing;
mod get_customer_association;
mod get_profile;
mod glossary;
mod http_client;
mod identity_providers;
mod list_customer_associations;
mod list_organizations;
mod local_system;
mod log;
mod model;
mod personal_data;
mod policies;
mod property;
mod pseudo_terminal;
mod rate_limit;
mod refresh_signing_keys;
mod requests;
mod scale;
mod secrets;
mod security;
mod template_settings;
mod tenants;
mod terminal;
mod transfer;
mod transfer_files;
mod vectors;
