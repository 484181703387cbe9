//! Takes what the console serves of Swagger UI out of the archive that `utoipa-swagger-ui-vendored` carries. Each
//! file stays compressed as it is there, in a gzip frame, which every browser takes. Writes `openapi.yaml` as JSON, and
//! the list of endpoints.

use std::path::Path;
use std::{env, error::Error, fs, io};

use rawzip::{CompressionMethod, ZipArchive};
use serde_json::Value;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use yaml_rust2::{Yaml, YamlLoader};

const OPENAPI: &str = "../openapi.yaml";
/// Each function has a folder here. Those of endpoints have a constant `ENDPOINT`.
const FUNCTIONS: &str = "../functions";

/// The files, as they are called in the archive's one folder.
const COMPRESSED: [&str; 2] = ["dist/swagger-ui-bundle.js", "dist/swagger-ui.css"];
const STORED: &str = "NOTICE";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={OPENAPI}");
    let out = env::var("OUT_DIR")?;
    let openapi = YamlLoader::load_from_str(&fs::read_to_string(OPENAPI)?)?;
    let openapi = openapi.first().and_then(to_json).ok_or("openapi.yaml holds what JSON cannot")?;
    fs::write(Path::new(&out).join("openapi.json"), format!("{openapi:#}\n"))?;
    println!("cargo::rerun-if-changed={FUNCTIONS}");
    fs::write(Path::new(&out).join("endpoints.rs"), endpoints()?)?;
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

/// The list of endpoints, as code. It does not compile until `Cargo.toml` names each function's package.
fn endpoints() -> io::Result<String> {
    let mut endpoints = Vec::new();
    for folder in fs::read_dir(FUNCTIONS)? {
        let folder = folder?;
        if fs::read_to_string(folder.path().join("src/lib.rs"))?.contains("pub const ENDPOINT: ") {
            endpoints.push(format!("{}::ENDPOINT", folder.file_name().to_string_lossy().replace('-', "_")));
        }
    }
    endpoints.sort();
    Ok(format!(
        "/// Every endpoint of the API, by the names of the functions.\npub const ENDPOINTS: [Endpoint; {}] = [{}];\n",
        endpoints.len(),
        endpoints.join(", ")
    ))
}

/// A member of a gzip file around deflated data (RFC 1952, section 2.3).
fn gzip(deflated: &[u8], crc32: u32, size: u32) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&header, deflated, &crc32.to_le_bytes(), &size.to_le_bytes()].concat()
}

/// The same in JSON; `None` if a part has no like there.
fn to_json(yaml: &Yaml) -> Option<Value> {
    Some(match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Real(_) => yaml.as_f64()?.into(),
        Yaml::Boolean(boolean) => (*boolean).into(),
        Yaml::Null => Value::Null,
        Yaml::Array(values) => values.iter().map(to_json).collect::<Option<_>>()?,
        Yaml::Hash(members) => {
            // A status is a number in YAML and a name in JSON.
            let name = |key: &Yaml| {
                key.as_str().map(str::to_owned).or_else(|| key.as_i64().map(|key| key.to_string()))
            };
            let members = members.iter().map(|(key, value)| Some((name(key)?, to_json(value)?)));
            Value::Object(members.collect::<Option<_>>()?)
        }
        Yaml::Alias(_) | Yaml::BadValue => return None,
    })
}
