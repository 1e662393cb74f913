//! `cargo xtask outside`: a program outside the workspace that depends on `lakebase` by path with one runtime, as a user's would.
//!
//! `tests/outside/` holds its source: `<runtime>.rs` becomes `src/main.rs`, other `.rs` files lie beside it as modules, and `Cargo.toml.in` becomes the
//! manifest with `@ROOT@` (the path of the repository) and `@RUNTIME@` (the feature) filled in. The program passes by exiting with 0.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::process::shown;
use crate::provision::{self, Tool};
use crate::system::{Doing, Failure, cargo, root, target_dir};

const RUNTIMES: &[&str] = &["tokio", "async-std", "smol"];

/// Builds and runs one program per runtime; ends with `outside: N passed, N failed`.
pub(crate) fn command() -> Outcome {
    let env = provision::provide(Tool::Postgres)?;
    let mut failed = 0;
    for runtime in RUNTIMES {
        let folder = target_dir().join("outside").join(runtime);
        let result = generate(&root(), runtime, &folder).and_then(|()| {
            let mut command = cargo();
            // `@ROOT@` may be `.`-relative for cargo only; the program itself runs in its own folder.
            command.current_dir(&folder).args(["run", "--quiet"]).envs(env.iter().cloned());
            shown(&mut command)
        });
        match result {
            Ok(()) => println!("ok     {runtime}"),
            Err(error) => {
                println!("FAILED {runtime}: {error}");
                failed += 1;
            }
        }
    }
    println!("outside: {} passed, {failed} failed", RUNTIMES.len() - failed);
    Ok(failed == 0)
}

/// Writes the package for `runtime` to `folder`, with the versions that the workspace's lock file names.
fn generate(root: &Path, runtime: &str, folder: &Path) -> Result<(), Failure> {
    let source = root.join("tests/outside");
    let target = folder.join("src");
    if target.exists() {
        fs::remove_dir_all(&target).doing(format!("empty {}", target.display()))?;
    }
    fs::create_dir_all(&target).doing(format!("create {}", target.display()))?;
    let main = format!("{runtime}.rs");
    let mut found = false;
    for entry in fs::read_dir(&source).doing(format!("list {}", source.display()))? {
        let entry = entry.doing(format!("list {}", source.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let other_main = RUNTIMES.iter().any(|other| name == format!("{other}.rs")) && name != main;
        if !name.ends_with(".rs") || other_main {
            continue;
        }
        found |= name == main;
        let name = if name == main { "main.rs".to_owned() } else { name };
        fs::copy(entry.path(), target.join(&name)).doing(format!("copy {name}"))?;
    }
    if !found {
        return Err(Failure::new(format!("tests/outside holds no {main}")));
    }
    let template = source.join("Cargo.toml.in");
    let manifest = fs::read_to_string(&template).doing(format!("read {}", template.display()))?;
    let root_path = root.display().to_string().replace('\\', "/");
    let mut manifest = manifest.replace("@ROOT@", &root_path).replace("@RUNTIME@", runtime);
    if !manifest.lines().any(|line| line.trim() == "[workspace]") {
        manifest.push_str("\n[workspace]\n");
    }
    fs::write(folder.join("Cargo.toml"), manifest).doing("write the manifest")?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).doing("copy Cargo.lock").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_gets_its_own_package() {
        let base = std::env::temp_dir().join(format!("xtask-outside-{}", std::process::id()));
        let source = base.join("tests/outside");
        fs::create_dir_all(&source).unwrap();
        fs::write(base.join("Cargo.lock"), "version = 4\n").unwrap();
        for name in ["tokio.rs", "smol.rs", "stub.rs"] {
            fs::write(source.join(name), format!("//! {name}\n")).unwrap();
        }
        fs::write(
            source.join("Cargo.toml.in"),
            "lakebase = { path = \"@ROOT@/crates/lakebase\", features = [\"@RUNTIME@\"] }\n",
        )
        .unwrap();

        let folder = base.join("target/smol");
        generate(&base, "smol", &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("src/main.rs")).unwrap(), "//! smol.rs\n");
        assert!(folder.join("src/stub.rs").exists() && !folder.join("src/tokio.rs").exists());
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("features = [\"smol\"]") && manifest.contains("/crates/lakebase\""),
            "{manifest}"
        );
        assert!(manifest.ends_with("[workspace]\n"), "{manifest}");

        let error =
            generate(&base, "async-std", &base.join("target/async-std")).unwrap_err().to_string();
        assert!(error.contains("no async-std.rs"), "{error}");
        fs::remove_dir_all(&base).unwrap();
    }
}
