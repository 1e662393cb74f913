//! `cargo xtask dist`: archives of the command for the platforms that link here, and what package managers read about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use xtask::process::captured;
use xtask::provision::{Tool, Variables, provide};
use xtask::system::{root, target_dir};

use crate::archive::{self, File, Files};
use crate::build::{self, LINUX, Target, WINDOWS};
use crate::packages;

const SHELLS: [(&str, &str); 5] = [
    ("bash", "lakebase.bash"),
    ("zsh", "_lakebase"),
    ("fish", "lakebase.fish"),
    ("powershell", "_lakebase.ps1"),
    ("elvish", "lakebase.elv"),
];
/// Files of the command's crate; the licences are links to those of the root.
const TEXTS: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to make.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    dev: bool,
    twice: bool,
    windows: bool,
    /// Files in `templates`, and what they are about.
    templates: Vec<(&'static str, &'static Target)>,
    url: Option<String>,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(args: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut linux = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--dev" => options.dev = true,
                "--twice" => options.twice = true,
                "--url" => {
                    let url = args.next().context("--url takes the folder of downloads")?;
                    ensure!(url.starts_with("https://"), "--url takes an address with https://");
                    options.url = Some(url.trim_end_matches('/').to_owned());
                }
                "linux" => linux = true,
                "windows" => options.windows = true,
                "homebrew" => options.templates.push(("lakebase.rb", &LINUX)),
                "scoop" => options.templates.push(("lakebase.json", &WINDOWS)),
                other => bail!("dist does not know `{other}`"),
            }
        }
        let filled = !options.templates.is_empty();
        ensure!(
            options.url.is_some() || !filled,
            "homebrew and scoop need --url: no address is known"
        );
        ensure!(options.url.is_none() || filled, "--url is for homebrew and scoop");
        let unnamed = !linux && !options.windows && !filled;
        options.windows |= unnamed || options.templates.iter().any(|(_, about)| **about == WINDOWS);
        Ok(options)
    }
}

/// Makes everything; with `--twice`, says how often the bytes were the same.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let compilers = provide(Tool::Compilers)?;
    let time = time()?;
    let profile = if options.dev { "dev" } else { "dist" };
    let output = target_dir().join("archives");
    let first = archives(&compilers, options, profile, &target_dir(), time)?;
    if options.twice {
        let again = archives(&compilers, options, profile, &output.join("again"), time)?;
        return Ok(compared(&first, &again));
    }
    fs::create_dir_all(&output)?;
    let mut sums = String::new();
    for (name, bytes) in &first {
        sums.push_str(&format!("{}  {name}\n", archive::sha256(bytes)));
        write(&output, name, bytes)?;
    }
    write(&output, "SHA256SUMS", sums.as_bytes())?;
    for (template, about) in &options.templates {
        let text = fs::read_to_string(root().join("xtask/publish/templates").join(template))?;
        let (name, url) = (archive_of(about), options.url.as_deref().unwrap_or_default());
        let sum = archive::sha256(first.get(&name).context("the archive was not made")?);
        let facts = facts(about, url, &sum)?;
        write(&output, template, filled(&text, &facts)?.as_bytes())?;
    }
    Ok(true)
}

/// Builds in `folder` and packs; the archives by their names.
fn archives(
    compilers: &Variables,
    options: &Options,
    profile: &str,
    folder: &Path,
    time: u64,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let program = |target| build::program(compilers, target, profile, folder);
    let linux = program(&LINUX)?;
    let texts = texts(&build::path(&LINUX, profile, folder))?;
    let mut made = BTreeMap::new();
    made.insert(archive_of(&LINUX), archive::tar_gz(&contents(&LINUX, &texts, linux), time)?);
    if options.windows {
        let contents = contents(&WINDOWS, &texts, program(&WINDOWS)?);
        made.insert(archive_of(&WINDOWS), archive::zip(&contents)?);
    }
    Ok(made)
}

/// The folder in an archive, and the start of its name.
fn folder_of(target: &Target) -> String {
    format!("lakebase-{VERSION}-{}", target.triple)
}

fn archive_of(target: &Target) -> String {
    format!("{}{}", folder_of(target), if *target == WINDOWS { ".zip" } else { ".tar.gz" })
}

/// All files of an archive.
fn contents(target: &Target, texts: &Files, program: Vec<u8>) -> Files {
    let folder = folder_of(target);
    let mut files: Files =
        texts.iter().map(|(path, file)| (format!("{folder}/{path}"), file.clone())).collect();
    files.insert(format!("{folder}/{}", target.program), File { bytes: program, runs: true });
    files
}

/// What every archive holds beside the program; the command itself writes completions and manual pages.
fn texts(command: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut add = |path: String, bytes| files.insert(path, File { bytes, runs: false });
    for name in TEXTS {
        let path = root().join("crates/lakebase-cli").join(name);
        add(name.to_owned(), fs::read(&path).with_context(|| format!("no {}", path.display()))?);
    }
    for (shell, name) in SHELLS {
        let script = captured(Command::new(command).args(["completions", shell]))?;
        add(format!("completions/{name}"), script.into_bytes());
    }
    let pages = target_dir().join("archives/man");
    let _ = fs::remove_dir_all(&pages);
    fs::create_dir_all(&pages)?;
    captured(Command::new(command).args(["man", "--directory"]).arg(&pages))?;
    for entry in fs::read_dir(&pages)? {
        let path = entry?.path();
        let name = path.file_name().context("a page has a name")?.to_string_lossy().into_owned();
        add(format!("man/{name}"), fs::read(&path)?);
    }
    Ok(files)
}

/// The time of all files, in seconds since 1970: `SOURCE_DATE_EPOCH`, else that of the commit.
fn time() -> Result<u64> {
    if let Some(time) = std::env::var_os("SOURCE_DATE_EPOCH") {
        return time.to_string_lossy().parse().context("SOURCE_DATE_EPOCH is not a number");
    }
    let mut git = Command::new("git");
    let time = captured(git.args(["log", "-1", "--format=%ct"]).current_dir(root()))
        .context("without git, set SOURCE_DATE_EPOCH")?;
    time.trim().parse().context("git names no time")
}

/// Prints which archives are the same both times.
fn compared(first: &BTreeMap<String, Vec<u8>>, again: &BTreeMap<String, Vec<u8>>) -> bool {
    let same = |name: &String| first.get(name) == again.get(name);
    for (name, bytes) in first {
        let verdict = if same(name) { "the same twice" } else { "DIFFERS" };
        println!("{}  {name}: {} bytes, {verdict}", archive::sha256(bytes), bytes.len());
    }
    let passed = first.keys().filter(|name| same(name)).count();
    println!("dist: {passed} passed, {} failed", first.len() - passed);
    passed == first.len()
}

/// What stands for the names in a template.
fn facts(about: &Target, url: &str, sum: &str) -> Result<Vec<(&'static str, String)>> {
    let packages = packages()?;
    let package = packages.iter().find(|package| package["name"] == "lakebase-cli");
    let package = package.context("there is no lakebase-cli")?;
    let text = |key: &str| package[key].as_str().map(str::to_owned).context("a key is missing");
    Ok(vec![
        ("version", VERSION.to_owned()),
        ("description", text("description")?),
        ("homepage", text("documentation")?),
        ("url", url.to_owned()),
        ("archive", archive_of(about)),
        ("folder", folder_of(about)),
        ("sha256", sum.to_owned()),
    ])
}

/// The template with each `{{name}}` replaced.
fn filled(template: &str, facts: &[(&str, String)]) -> Result<String> {
    let fill = |text: String, (name, value): &(&str, String)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    };
    let text = facts.iter().fold(template.to_owned(), fill);
    ensure!(!text.contains("{{"), "a template names what is not known: {text}");
    Ok(text)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path: PathBuf = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn package_managers_need_an_address() {
        let parse = |args: &[&str]| Options::parse(args).map_err(|error| error.to_string());
        assert!(parse(&["homebrew"]).unwrap_err().contains("need --url"));
        assert!(parse(&["--url"]).unwrap_err().contains("takes the folder"));
        assert!(parse(&["scoop", "--url", "http://host/a"]).unwrap_err().contains("https://"));
        assert!(parse(&["--url", "https://host/a"]).unwrap_err().contains("is for"));
        assert!(parse(&["macos"]).unwrap_err().contains("`macos`"));
        let options = parse(&["scoop", "--url", "https://host/a/"]).unwrap();
        assert_eq!((options.url.as_deref(), options.windows), (Some("https://host/a"), true));
    }

    #[test]
    fn both_platforms_are_made_unless_one_is_named() {
        let windows = |args: &[&str]| Options::parse(args).unwrap().windows;
        assert!(windows(&[]) && windows(&["--twice"]) && windows(&["linux", "windows"]));
        assert!(!windows(&["--dev", "--twice", "linux"]));
        assert!(!windows(&["homebrew", "--url", "https://host"]));
    }

    #[test]
    fn binstall_looks_for_the_archives_that_are_made() {
        let packages = packages().unwrap();
        let package = packages.iter().find(|package| package["name"] == "lakebase-cli").unwrap();
        let metadata = &package["metadata"]["binstall"];
        for target in [&LINUX, &WINDOWS] {
            let own = &metadata["overrides"][target.triple];
            let of = |key: &str| {
                let value = own[key].as_str().or(metadata[key].as_str()).unwrap();
                let value = value.replace("{ version }", VERSION);
                value
                    .replace("{ target }", target.triple)
                    .replace("{ bin }{ binary-ext }", target.program)
            };
            let url = format!("{{ repo }}/releases/download/v{VERSION}/{}", archive_of(target));
            assert_eq!(of("pkg-url"), url);
            assert_eq!(of("bin-dir"), format!("{}/{}", folder_of(target), target.program));
            assert_eq!(of("pkg-fmt") == "zip", *target == WINDOWS);
        }
    }

    #[test]
    fn differences_are_counted() {
        let of = |bytes: &[u8]| BTreeMap::from([("a".to_owned(), bytes.to_vec())]);
        assert!(compared(&of(b"1"), &of(b"1")));
        assert!(!compared(&of(b"1"), &of(b"2")));
        assert!(!compared(&of(b"1"), &BTreeMap::new()));
    }

    #[test]
    fn templates_are_filled_whole() {
        for (name, about) in [("lakebase.rb", &LINUX), ("lakebase.json", &WINDOWS)] {
            let path = root().join("xtask/publish/templates").join(name);
            let template = fs::read_to_string(path).unwrap();
            let facts = facts(about, "https://host/folder", "0123").unwrap();
            let text = filled(&template, &facts).unwrap();
            let url = format!("\"https://host/folder/{}\"", archive_of(about));
            assert!(text.contains(&url) && text.contains("\"0123\""), "{text}");
            if name.ends_with(".json") {
                let manifest: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(manifest["version"], VERSION);
                assert_eq!(manifest["architecture"]["64bit"]["extract_dir"], folder_of(about));
            }
        }
        assert!(filled("{{name}}", &[]).is_err());
    }

    #[test]
    fn the_program_lies_beside_its_texts() {
        let texts = Files::from([("man/a.1".to_owned(), File { bytes: vec![], runs: false })]);
        let files = contents(&WINDOWS, &texts, b"MZ".to_vec());
        let folder = format!("lakebase-{VERSION}-x86_64-pc-windows-gnu");
        let paths: Vec<_> = files.keys().cloned().collect();
        assert_eq!(paths, [format!("{folder}/lakebase.exe"), format!("{folder}/man/a.1")]);
        assert!(files[&paths[0]].runs);
    }
}
