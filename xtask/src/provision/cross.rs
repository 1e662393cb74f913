//! What compiles for other platforms, and what runs the result here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Package, Variables, act, target, tools, venv};
use crate::process::captured;
use crate::system::{Doing, Failure, root};

const MINGW: Package =
    Package { program: "x86_64-w64-mingw32-gcc", apt: "gcc-mingw-w64-x86-64", brew: "mingw-w64" };
const WINE: Package = Package { program: "wine64", apt: "wine64", brew: "wine-stable" };
const MUSL: Package =
    Package { program: "musl-gcc", apt: "musl-tools", brew: "filosottile/musl-cross/musl-cross" };
/// A C compiler that brings the headers of every platform, pinned.
const ZIG: &[&str] = &["ziglang==0.15.2"];
/// Rust's names and zig's.
const ZIG_TARGETS: &[(&str, &str)] = &[
    ("aarch64-apple-darwin", "aarch64-macos"),
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu"),
    ("i686-unknown-linux-gnu", "x86-linux-gnu"),
];

/// Wine with a Windows of its own, in which programs of cargo run.
pub(super) fn windows() -> Result<Variables, Failure> {
    target("x86_64-pc-windows-gnu")?;
    let (gcc, wine) = (MINGW.provide()?, WINE.provide()?);
    let prefix = tools().join("wine");
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    let status = prefix.join("status.exe");
    let sources = root().join("xtask/cross");
    let set = |command: &mut Command| {
        // No graphics, no sound, no browser: nobody is asked to install them.
        command.env("WINEPREFIX", &prefix).env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        act(command.env("WINEDEBUG", "-all"))
    };
    if !library.is_file() || !status.is_file() {
        let _ = fs::remove_dir_all(&prefix);
        fs::create_dir_all(&prefix).doing(format!("create {}", prefix.display()))?;
        set(Command::new(&wine).args(["wineboot", "--init"]))?;
        act(Command::new(&gcc)
            .args(["-shared", "-O2", "-o"])
            .args([&library, &sources.join("process_prng.c")])
            .arg("-ladvapi32"))?;
        act(Command::new(gcc).args(["-O2", "-o"]).args([&status, &sources.join("status.c")]))?;
    }
    let runner = sources.join("wine.sh");
    Ok(variables([
        ("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", runner.as_path()),
        ("LAKEBASE_WINE", &runner),
        ("WINE", &wine),
        ("WINEPREFIX", &prefix),
        ("WINEDEBUG", Path::new("-all")),
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

/// For each of [`ZIG_TARGETS`] Rust's library, and a script that is called like clang and calls zig.
pub(super) fn zig() -> Result<Variables, Failure> {
    let python = venv("zig", ZIG)?;
    let print = "import ziglang, os; print(os.path.dirname(ziglang.__file__))";
    let folder = PathBuf::from(captured(Command::new(python).args(["-c", print]))?.trim());
    let zig = folder.join("zig");
    let mut all = variables([
        ("ZIG_GLOBAL_CACHE_DIR", tools().join("zig-cache").as_path()),
        // There is no SDK of Apple's, and what is not linked needs none; without this, `xcrun` would be asked.
        ("SDKROOT", Path::new("/")),
    ]);
    for (rust, name) in ZIG_TARGETS {
        target(rust)?;
        let script = tools().join(format!("zig-{rust}"));
        let text = wrapper(&zig, name);
        if fs::read_to_string(&script).unwrap_or_default() != text {
            fs::write(&script, text).doing(format!("write {}", script.display()))?;
            act(Command::new("chmod").arg("+x").arg(&script))?;
        }
        all.push((format!("CC_{}", rust.replace('-', "_")), script.display().to_string()));
    }
    Ok(all)
}

/// Drops the arguments that name the target in clang's words, which zig does not know, and names it in zig's.
fn wrapper(zig: &Path, name: &str) -> String {
    let theirs = "--target=*|-m32|-mmacosx-version-min=*|-arch|arm64|-isysroot|/";
    format!(
        "#!/bin/sh\nfor arg do\n  shift\n  case $arg in {theirs}) ;; *) set -- \"$@\" \"$arg\" ;; esac\n\
         done\nexec '{}' cc -target {name} \"$@\"\n",
        zig.display()
    )
}

fn variables<const N: usize>(pairs: [(&str, &Path); N]) -> Variables {
    pairs.map(|(name, value)| (name.to_owned(), value.display().to_string())).to_vec()
}
