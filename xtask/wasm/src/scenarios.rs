//! The module that plays the refresh scenarios; it never ships.

use std::fs;
use std::path::PathBuf;

use wasm_bindgen_cli_support::Bindgen;

use crate::package::{TARGET, failed, succeed};
use crate::{Places, Result};

/// Compiles it as what ships is compiled, and gives the folder of `scenarios.js` and `scenarios_bg.wasm`.
pub(crate) fn build(places: &Places) -> Result<PathBuf> {
    let mut cargo = places.cargo();
    cargo.args(["build", "--quiet", "--profile", "edge", "--target", TARGET]);
    cargo.args(["--package", "lakebase-wasm", "--no-default-features", "--example", "scenarios"]);
    succeed(&mut cargo)?;
    let folder = places.target.join("wasm/scenarios");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| failed("empty", &folder, error))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(places.target.join(TARGET).join("edge/examples/scenarios.wasm"));
    bindgen.out_name("scenarios").typescript(false);
    let generated = bindgen.web(true).and_then(|bindgen| bindgen.generate(&folder));
    generated.map_err(|error| format!("could not generate glue for the scenarios: {error:#}"))?;
    Ok(folder)
}
