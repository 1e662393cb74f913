//! Modules made of Rust programs that use `lakebase-wasm` as a library. None of them ships.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::package::{TARGET, failed, succeed};
use crate::{Places, Result, size};

/// Compiles an example of the crate as what ships is compiled, and gives the folder of `NAME.js` and `NAME_bg.wasm`.
pub(crate) fn example(places: &Places, name: &str) -> Result<PathBuf> {
    let mut cargo = places.cargo();
    cargo.args(["build", "--quiet", "--profile", "edge", "--target", TARGET]);
    cargo.args(["--package", "lakebase-wasm", "--no-default-features", "--example", name]);
    generate(places, &mut cargo, &format!("edge/examples/{name}.wasm"), name)
}

/// The same for the example worker, a workspace of its own; prints its size.
pub(crate) fn worker(places: &Places) -> Result<PathBuf> {
    let manifest = places.crate_dir().join("examples/worker-rust/Cargo.toml");
    let mut cargo = places.cargo();
    cargo.args(["build", "--quiet", "--release", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(manifest);
    let folder = generate(places, &mut cargo, "release/lakebase_worker_rust.wasm", "worker")?;
    size::print(&folder, "worker")?;
    Ok(folder)
}

/// Runs `cargo`, then turns the module that it built into a folder that engines can load.
fn generate(places: &Places, cargo: &mut Command, module: &str, name: &str) -> Result<PathBuf> {
    succeed(cargo)?;
    let folder = places.target.join("wasm/rust").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| failed("empty", &folder, error))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(places.target.join(TARGET).join(module));
    bindgen.out_name(name).typescript(false);
    let generated = bindgen.web(true).and_then(|bindgen| bindgen.generate(&folder));
    generated.map_err(|error| format!("could not generate glue for {name}: {error:#}"))?;
    Ok(folder)
}
