//! Puts the npm package together: the module, its generated glue, and the files of `crates/lakebase-wasm/npm`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasm_bindgen_cli_support::Bindgen;
use xtask::process::{captured, shown};
use xtask::system::{Doing, Failure, cargo, root, target_dir};

use crate::{crate_dir, emptied};

/// Where no operating system is.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The whole package, and the part that only mints.
const MODULES: [(&str, &str); 2] = [("lakebase_wasm", "mint,cache"), ("lakebase_mint", "mint")];

/// The package's folder.
pub(crate) fn folder() -> PathBuf {
    target_dir().join("wasm/package")
}

/// Compiles, generates and copies; the folder is made anew.
pub(crate) fn build() -> Result<(), Failure> {
    let folder = emptied("package")?;
    for (name, features) in MODULES {
        module(&folder, name, features)?;
    }
    let npm = crate_dir().join("npm");
    let list = || format!("list {}", npm.display());
    for entry in fs::read_dir(&npm).doing(list())? {
        copy(&entry.doing(list())?.path(), &folder)?;
    }
    for platform in ["node", "workerd", "deno", "browser"] {
        entry_of_mint(&folder, platform)?;
    }
    copy(&crate_dir().join("README.md"), &folder)?;
    copy(&root().join("LICENSE-APACHE"), &folder)?;
    copy(&root().join("LICENSE-MIT"), &folder)
}

/// Compiles with `features` and writes `NAME.js`, `NAME_bg.wasm` and the latter as text, `NAME_base64.js`.
fn module(folder: &Path, name: &str, features: &str) -> Result<(), Failure> {
    let mut cargo = cargo();
    cargo.args(["rustc", "--quiet", "--profile", "edge", "--target", TARGET]);
    cargo.args(["--package", "lakebase-wasm", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["--no-default-features", "--features", features]);
    shown(&mut cargo)?;
    let input = target_dir().join(TARGET).join("edge/lakebase_wasm.wasm");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&input).out_name(name).typescript(false);
    bindgen.remove_name_section(true).remove_producers_section(true);
    let output = bindgen.web(true).and_then(|bindgen| bindgen.generate_output());
    let mut output = output
        .map_err(|error| Failure::new(format!("could not generate glue for {name}: {error:#}")))?;
    let mut glue = output.js().to_owned();
    let modules: BTreeMap<_, _> = output.local_modules().clone().into_iter().collect();
    for (index, (path, text)) in modules.into_iter().enumerate() {
        let (path, short) = (format!("./snippets/{path}"), format!("$m{index}"));
        glue = inlined(&glue, &path, &text).replace(&path, &short);
        let imports = output.wasm_mut().imports.iter_mut();
        imports
            .filter(|import| import.module == path)
            .for_each(|import| import.module.clone_from(&short));
    }
    let mut glue = stripped(&glue);
    // Imports are named by hashes, which do not compress; the longest first, should one contain another.
    let imports = output.wasm_mut().imports.iter_mut();
    let mut imports: Vec<_> = imports.filter(|import| import.name.starts_with("__wb")).collect();
    imports.sort_by_key(|import| std::cmp::Reverse(import.name.len()));
    for (index, import) in imports.into_iter().enumerate() {
        let short = format!("$i{index}");
        glue = glue.replace(&import.name, &short);
        import.name = short;
    }
    let wasm = output.wasm_mut().emit_wasm();
    let text = format!("export default \"{}\";\n", STANDARD.encode(&wasm));
    write(&folder.join(format!("{name}_bg.wasm")), &wasm)?;
    write(&folder.join(format!("{name}_base64.js")), text.as_bytes())?;
    write(&folder.join(format!("{name}.js")), glue.as_bytes())
}

/// The glue with the module `path`, whose text is `text`, inside, so that the package stays one module with one piece of glue.
fn inlined(glue: &str, path: &str, text: &str) -> String {
    let declared = |line: &str| {
        let line = line.strip_prefix("export ")?;
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("function ")?;
        Some(name.split('(').next()?.to_owned())
    };
    let exports: Vec<String> = text.lines().filter_map(declared).collect();
    let mut lines = String::new();
    for line in glue.lines() {
        match line.strip_prefix("import ").filter(|_| line.contains(path)) {
            None => lines.push_str(line),
            // The names are those of the functions, which are here now.
            Some(names) => {
                if let Some((name, _)) =
                    names.strip_prefix("* as ").and_then(|rest| rest.split_once(' '))
                {
                    lines.push_str(&format!("const {name} = {{ {} }};", exports.join(", ")));
                }
            }
        }
        lines.push('\n');
    }
    lines.push_str(&text.replace("export ", ""));
    lines
}

/// The glue without comments, indentation and empty lines.
fn stripped(glue: &str) -> String {
    let mut lines = String::new();
    let mut comment = false;
    for line in glue.lines().map(str::trim) {
        comment |= line.starts_with("/*");
        if !comment && !line.is_empty() && !line.starts_with("//") {
            lines.push_str(line);
            lines.push('\n');
        }
        comment &= !line.contains("*/");
    }
    lines
}

/// The entry of the small module: that of the whole one, without the class.
fn entry_of_mint(folder: &Path, platform: &str) -> Result<(), Failure> {
    let path = folder.join(format!("{platform}.js"));
    let text = fs::read_to_string(&path).doing(format!("read {}", path.display()))?;
    let text = text.replace("lakebase_wasm", "lakebase_mint").replace("LakebaseCredentials, ", "");
    write(&folder.join(format!("mint.{platform}.js")), text.as_bytes())
}

/// What `npm publish` would upload, as a file.
pub(crate) fn pack() -> Result<PathBuf, Failure> {
    let folder = target_dir().join("wasm");
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    let name = captured(npm.current_dir(&folder).args(["pack", "--silent", "./package"]))?;
    let name = name.trim();
    if name.is_empty() {
        return Err(Failure::new("`npm pack` names no file"));
    }
    Ok(folder.join(name))
}

fn copy(file: &Path, folder: &Path) -> Result<(), Failure> {
    let name = file.file_name().unwrap_or(file.as_os_str());
    fs::copy(file, folder.join(name)).doing(format!("copy {}", file.display())).map(drop)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).doing(format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_are_stripped() {
        let glue = "/* tslint */\n// one\nfunction f() {\n    /**\n     * two\n     */\n\n    return 1;\n}\n";
        assert_eq!(stripped(glue), "function f() {\nreturn 1;\n}\n");
    }

    #[test]
    fn modules_take_the_place_of_their_imports() {
        let glue = "import { f } from './snippets/x/m.js';\nimport * as import1 from \"./snippets/x/m.js\"\nimport { y } from './snippets/y.js';\nf(import1);\n";
        let text = "const ONE = 1;\nexport async function f() {}\nexport function g(a) {}\n";
        let expected = "\nconst import1 = { f, g };\nimport { y } from './snippets/y.js';\nf(import1);\nconst ONE = 1;\nasync function f() {}\nfunction g(a) {}\n";
        assert_eq!(inlined(glue, "./snippets/x/m.js", text), expected);
    }
}
