//! What compiles for other platforms, and what runs the result here.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Package, Variables, act, target, tools};
use crate::system::{Doing, Failure, root};

const MINGW: Package =
    Package { program: "x86_64-w64-mingw32-gcc", apt: "gcc-mingw-w64-x86-64", brew: "mingw-w64" };
const WINE: Package = Package { program: "wine64", apt: "wine64", brew: "wine-stable" };
const MUSL: Package =
    Package { program: "musl-gcc", apt: "musl-tools", brew: "filosottile/musl-cross/musl-cross" };

/// Wine with a Windows of its own, in which programs of cargo run.
pub(super) fn windows() -> Result<Variables, Failure> {
    target("x86_64-pc-windows-gnu")?;
    let (gcc, wine) = (MINGW.provide()?, WINE.provide()?);
    let prefix = tools().join("wine");
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    let set = |command: &mut Command| {
        // No graphics, no sound, no browser: nobody is asked to install them.
        command.env("WINEPREFIX", &prefix).env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        act(command.env("WINEDEBUG", "-all"))
    };
    if !library.is_file() {
        let _ = fs::remove_dir_all(&prefix);
        fs::create_dir_all(&prefix).doing(format!("create {}", prefix.display()))?;
        set(Command::new(&wine).args(["wineboot", "--init"]))?;
        let source = root().join("xtask/cross/process_prng.c");
        act(Command::new(gcc)
            .args(["-shared", "-O2", "-o"])
            .args([&library, &source])
            .arg("-ladvapi32"))?;
    }
    Ok(variables([
        ("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", wine.as_path()),
        ("WINEPREFIX", &prefix),
        ("WINEDEBUG", Path::new("-all")),
        ("LAKEBASE_WINE", &wine),
    ]))
}

/// Compilers for both platforms whose programs are packed.
pub(super) fn compilers() -> Result<Variables, Failure> {
    target("x86_64-pc-windows-gnu")?;
    MINGW.provide()?;
    musl()
}

pub(super) fn musl() -> Result<Variables, Failure> {
    target("x86_64-unknown-linux-musl")?;
    Ok(variables([("CC_x86_64_unknown_linux_musl", MUSL.provide()?.as_path())]))
}

fn variables<const N: usize>(pairs: [(&str, &Path); N]) -> Variables {
    pairs.map(|(name, value)| (name.to_owned(), value.display().to_string())).to_vec()
}
