//! Modules made of Rust programs that use `lakebase-wasm` as a library. None of them ships.

use std::path::PathBuf;
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;
use xtask::process::shown;
use xtask::system::{Failure, cargo, target_dir};

use crate::package::TARGET;
use crate::{crate_dir, emptied, size};

/// Compiles an example of the crate as what ships is compiled, and gives the folder of `NAME.js` and `NAME_bg.wasm`.
pub(crate) fn example(name: &str) -> Result<PathBuf, Failure> {
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--profile", "edge", "--target", TARGET]);
    cargo.args(["--package", "lakebase-wasm", "--no-default-features", "--example", name]);
    generate(&mut cargo, &format!("edge/examples/{name}.wasm"), name)
}

/// The same for the example worker, a workspace of its own; prints its size.
pub(crate) fn worker() -> Result<PathBuf, Failure> {
    let manifest = crate_dir().join("examples/worker-rust/Cargo.toml");
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--release", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(manifest);
    let folder = generate(&mut cargo, "release/lakebase_worker_rust.wasm", "worker")?;
    size::print(&folder, "worker")?;
    Ok(folder)
}

/// Runs `cargo`, then turns the module that it built into a folder that engines can load.
fn generate(cargo: &mut Command, module: &str, name: &str) -> Result<PathBuf, Failure> {
    shown(cargo)?;
    let folder = emptied(&format!("rust/{name}"))?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(target_dir().join(TARGET).join(module));
    bindgen.out_name(name).typescript(false);
    let generated = bindgen.web(true).and_then(|bindgen| bindgen.generate(&folder));
    generated
        .map_err(|error| Failure::new(format!("could not generate glue for {name}: {error:#}")))?;
    Ok(folder)
}
