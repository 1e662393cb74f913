//! `cargo xtask outside`: programs outside the workspace that depend on `lakebase` by path with one runtime, as a user's would; and one that starts
//! the command's proxy. All face a workspace and a Postgres of their own.
//!
//! `tests/outside/` holds their source, `<program>.rs` and its modules, and `Cargo.toml.in`. This becomes the manifest of a package in the target
//! folder, with `@ROOT@` (the path of the repository), `@PROGRAM@` and `@RUNTIME@` (the feature) filled in. A program passes by exiting with 0.

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
                command.arg("--").arg(provision::python()?);
                command.arg(root().join("xtask/clients/proxy.py"));
                command.arg(clients::built_command()?).arg(provision::node()?);
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
    fs::create_dir_all(folder).doing(format!("create {}", folder.display()))?;
    let template = root.join("tests/outside/Cargo.toml.in");
    let manifest = fs::read_to_string(&template).doing(format!("read {}", template.display()))?;
    let root_path = root.display().to_string().replace('\\', "/");
    let manifest = manifest
        .replace("@ROOT@", &root_path)
        .replace("@PROGRAM@", program)
        .replace("@RUNTIME@", runtime);
    fs::write(folder.join("Cargo.toml"), manifest).doing("write the manifest")?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).doing("copy Cargo.lock").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_gets_its_own_package() {
        let folder = std::env::temp_dir().join(format!("xtask-outside-{}", std::process::id()));
        generate(&root(), "proxy", "tokio", &folder).unwrap();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(folder.join("Cargo.lock").exists());
        fs::remove_dir_all(&folder).unwrap();
        for part in ["/tests/outside/proxy.rs\"", "features = [\"tokio\"]", "/crates/lakebase\""] {
            assert!(manifest.contains(part), "{part} in {manifest}");
        }
        assert!(!manifest.contains('@'), "{manifest}");
        for (program, _) in PROGRAMS {
            let source = root().join(format!("tests/outside/{program}.rs"));
            assert!(source.is_file(), "{}", source.display());
        }
    }
}
