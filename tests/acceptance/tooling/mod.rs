//! The command `users`, the local system, the functions' binaries, and what is written about them.

mod audit;
pub mod binaries;
pub mod command_line;
mod console;
mod dependencies;
pub mod doctor;
mod fuzzing;
mod glossary;
pub mod local_system;
mod personal_data;
mod pseudo_terminal;
mod smoke_stack;
mod template_settings;
mod terminal;
pub mod transfer;
mod transfer_files;
