//! Writes a crate root that has the modules of `shared` and every function as private modules.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("..");
    let (shared, functions) = (root.join("shared/src"), root.join("functions"));
    println!("cargo::rerun-if-changed={}", shared.join("lib.rs").display());
    println!("cargo::rerun-if-changed={}", functions.display());

    let mut code = Vec::new();
    for line in fs::read_to_string(shared.join("lib.rs"))?.lines().filter(|line| !line.starts_with("//!")) {
        let name =
            line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        if let Some(name) = name {
            let files = [shared.join(format!("{name}.rs")), shared.join(name).join("mod.rs")];
            code.extend(files.iter().find(|file| file.exists()).map(|file| path_attribute(file)));
        }
        code.push(line.replace("pub mod", "mod").replace("pub use", "use"));
    }
    let mut calls = Vec::new();
    for function in fs::read_dir(&functions)? {
        let folder = function?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        let main = fs::read_to_string(folder.join("src/main.rs"))?.replace("fn main()", "pub fn main()");
        let main: Vec<_> = main.lines().filter(|line| !line.starts_with("//!")).collect();
        code.push(path_attribute(&folder.join("src/lib.rs")));
        code.push(format!("mod {name};"));
        code.push(format!("mod {name}_main {{ use crate::{name};\n{}\n}}", main.join("\n")));
        calls.push(format!("{name}_main::main();"));
    }
    code.push(format!("/// Calls every function.\npub fn functions() {{\n{}\n}}", calls.join("\n")));
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("one_crate.rs"), code.join("\n"))
}

fn path_attribute(file: &Path) -> String {
    format!("#[path = \"{}\"]", file.display())
}
