//! Takes what the console serves of Swagger UI out of the archive that `utoipa-swagger-ui-vendored` carries. Each
//! file stays compressed as it is there, in a gzip frame, which every browser takes.

use std::path::Path;
use std::{env, error::Error, fs};

use rawzip::{CompressionMethod, ZipArchive};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

/// The files, as they are called in the archive's one folder.
const COMPRESSED: [&str; 2] = ["dist/swagger-ui-bundle.js", "dist/swagger-ui.css"];
const STORED: &str = "NOTICE";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let archive = ZipArchive::from_slice(SWAGGER_UI_VENDORED)?;
    let mut missing = COMPRESSED.len() + 1;
    for entry in archive.entries() {
        let entry = entry?;
        let path = entry.file_path();
        let path = path.try_normalize()?;
        let Some((folder, name)) = path.as_ref().split_once('/') else { continue };
        let data = archive.get_entry(entry.wayfinder())?.data();
        let (file, content) = match entry.compression_method() {
            CompressionMethod::DEFLATE if COMPRESSED.contains(&name) => {
                let size = u32::try_from(entry.uncompressed_size_hint())?;
                (format!("{}.gz", name.trim_start_matches("dist/")), gzip(data, entry.crc32(), size))
            }
            CompressionMethod::STORE if name == STORED => (name.to_owned(), data.to_vec()),
            _ => continue,
        };
        fs::write(Path::new(&out).join(file), content)?;
        if let Some(version) = folder.strip_prefix("swagger-ui-") {
            println!("cargo::rustc-env=SWAGGER_UI_VERSION={version}");
        }
        missing -= 1;
    }
    if missing > 0 {
        return Err(format!("the archive of Swagger UI lacks {missing} of the files").into());
    }
    Ok(())
}

/// A member of a gzip file around deflated data (RFC 1952, section 2.3).
fn gzip(deflated: &[u8], crc32: u32, size: u32) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&header, deflated, &crc32.to_le_bytes(), &size.to_le_bytes()].concat()
}
