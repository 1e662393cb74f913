//! What is made from the description of the command line: completions and manual pages.

use std::path::PathBuf;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::support::{Run, bare};

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = Run::of(bare().arg("--help")).success();
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// The script, and a file that holds it and is gone when dropped.
fn completions(shell: &str) -> (String, NamedTempFile) {
    let script = Run::of(bare().args(["completions", shell])).success();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, &script).unwrap();
    (script, file)
}

/// Where `program` is, if it is installed.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[test]
fn every_shell_knows_every_command_and_accepts_the_script() {
    let commands = commands();
    assert!(commands.len() >= 9, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, file) = completions(shell);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
        if ["powershell", "elvish"].contains(&shell) {
            continue;
        }
        match found(shell) {
            Some(program) => {
                let run = Run::of(Command::new(program).arg("-n").arg(file.path()));
                assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
            }
            None => {
                eprintln!("{shell} is not installed: it was not asked about its script's syntax")
            }
        }
    }
    assert_eq!(Run::of(bare().args(["completions", "tcsh"])).code, Some(2));
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let (_, file) = completions("bash");
    let bash = found("bash").expect("bash is on every machine that runs these tests");
    for (words, expected) in [
        ("que", &["query"][..]),
        ("query --pro", &["--profile", "--project"]),
        ("completions z", &["zsh"]),
    ] {
        let program = format!(
            "source '{}'; COMP_WORDS=(lakebase {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _lakebase lakebase \"${{COMP_WORDS[COMP_CWORD]}}\" lakebase; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.path().display()
        );
        let run = Run::of(Command::new(&bash).args(["--norc", "-c", &program]));
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{words}: {run:?}");
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let page = Run::of(bare().arg("man")).success();
    assert!(page.contains(".TH lakebase 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = Run::of(bare().args(["man", "--directory", folder.to_str().unwrap()]));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    for command in commands() {
        let name = format!("lakebase\\-{command}");
        assert!(page.contains(&name), "the main page does not name {command}");
        if command == "help" {
            continue;
        }
        let path = folder.join(format!("lakebase-{command}.1"));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains("Examples:"), "{command}: {page}");
        match found("groff") {
            Some(groff) => {
                let run = Run::of(
                    Command::new(groff).args(["-Kutf8", "-man", "-Tutf8", "-ww", "-z"]).arg(&path),
                );
                assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command}");
            }
            None => {
                eprintln!("groff is not installed: it was not asked about lakebase-{command}.1")
            }
        }
    }
    let run = Run::of(bare().args(["man", "--directory", "/nonexistent"]));
    assert!(run.failure().contains("/nonexistent"));
}
