//! `cargo xtask outside`: programs outside the workspace that depend on `lakebase` by path with one runtime, as a user's would; and one that starts
//! the command's proxy. All face a workspace and a Postgres of their own.
//!
//! `tests/outside/` holds their source: `<program>.rs` becomes `src/main.rs`, other `.rs` files lie beside it as modules, and `Cargo.toml.in` becomes the
//! manifest with `@ROOT@` (the path of the repository) and `@RUNTIME@` (the feature) filled in. A program passes by exiting with 0.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::clients;
use crate::process::shown;
use crate::provision::{self, Tool};
use crate::system::{Doing, Failure, cargo, root, target_dir};

/// Each program and the runtime that it has.
const PROGRAMS: &[(&str, &str)] =
    &[("tokio", "tokio"), ("async-std", "async-std"), ("smol", "smol"), ("proxy", "tokio")];

/// Builds and runs each program; ends with `outside: N passed, N failed`.
pub(crate) fn command() -> Outcome {
    let env = provision::provide(Tool::Postgres)?;
    let mut failed = 0;
    for (program, runtime) in PROGRAMS {
        let folder = target_dir().join("outside").join(program);
        let result = generate(&root(), program, runtime, &folder).and_then(|()| {
            let mut command = cargo();
            // `@ROOT@` may be `.`-relative for cargo only; the program itself runs in its own folder.
            command.current_dir(&folder).args(["run", "--quiet"]).envs(env.iter().cloned());
            if *program == "proxy" {
                clients::build_command()?;
                command.arg("--").arg(provision::python()?);
                command.arg(root().join("xtask/clients/proxy.py"));
                command.arg(clients::built_command()).arg(provision::node()?);
            }
            shown(&mut command)
        });
        match result {
            Ok(()) => println!("ok     {program}"),
            Err(error) => {
                println!("FAILED {program}: {error}");
                failed += 1;
            }
        }
    }
    println!("outside: {} passed, {failed} failed", PROGRAMS.len() - failed);
    Ok(failed == 0)
}

/// Writes the package for `program` to `folder`, with the versions that the workspace's lock file names.
fn generate(root: &Path, program: &str, runtime: &str, folder: &Path) -> Result<(), Failure> {
    let source = root.join("tests/outside");
    let target = folder.join("src");
    if target.exists() {
        fs::remove_dir_all(&target).doing(format!("empty {}", target.display()))?;
    }
    fs::create_dir_all(&target).doing(format!("create {}", target.display()))?;
    let main = format!("{program}.rs");
    let mut found = false;
    for entry in fs::read_dir(&source).doing(format!("list {}", source.display()))? {
        let entry = entry.doing(format!("list {}", source.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let other_main =
            PROGRAMS.iter().any(|(other, _)| name == format!("{other}.rs")) && name != main;
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
        generate(&base, "smol", "smol", &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("src/main.rs")).unwrap(), "//! smol.rs\n");
        assert!(folder.join("src/stub.rs").exists() && !folder.join("src/tokio.rs").exists());
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("features = [\"smol\"]") && manifest.contains("/crates/lakebase\""),
            "{manifest}"
        );
        assert!(manifest.ends_with("[workspace]\n"), "{manifest}");

        let error = generate(&base, "async-std", "async-std", &base.join("target/async-std"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no async-std.rs"), "{error}");
        fs::remove_dir_all(&base).unwrap();
    }
}
