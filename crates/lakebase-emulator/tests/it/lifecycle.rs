//! Nothing is left behind, however an emulator ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lakebase_emulator::Emulator;
use serde_json::Value;

/// The program with an emulator in it; the description it printed.
fn spawn() -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lakebase-emulator"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let description = serde_json::from_str(&line).unwrap();
    (child, description)
}

fn folder(description: &Value) -> PathBuf {
    Path::new(description["ca_cert"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn postgres_pid(folder: &Path) -> String {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

fn is_running(pid: &str) -> bool {
    let probe = Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status();
    probe.unwrap().success()
}

#[test]
fn the_line_has_exactly_the_documented_keys() {
    let (mut child, description) = spawn();
    let mut keys: Vec<&str> = description.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = "branch ca_cert client_id client_secret data_api database dns endpoint host identities \
                      password password_user pg_host pg_port project provisioned_host provisioned_instance \
                      read_only_endpoint token user";
    keys.sort_unstable();
    assert_eq!(keys.join(" "), documented);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "ends when standard input does");
    assert!(!folder(&description).exists());
}

#[test]
fn a_killed_owner_leaves_neither_process_nor_folder() {
    let (mut child, description) = spawn();
    let folder = folder(&description);
    let pid = postgres_pid(&folder);
    assert!(is_running(&pid));
    // `Child::kill` sends SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    // The supervisor inherited standard error, so its end is the supervisor's.
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(!is_running(&pid));
    assert!(!folder.exists());
}

#[test]
fn dropping_stops_everything_and_several_live_side_by_side() {
    let one = Emulator::builder().start().unwrap();
    let two = Emulator::builder().start().unwrap();
    let paths = [&one, &two].map(|emulator| {
        let folder = Path::new(&emulator.description().ca_cert).parent().unwrap().to_owned();
        let pid = postgres_pid(&folder);
        (folder, pid)
    });
    assert_ne!(one.description().pg_port, two.description().pg_port);
    assert_ne!(one.description().client_secret, two.description().client_secret);
    drop(one);
    assert!(!paths[0].0.exists() && !is_running(&paths[0].1));
    assert!(paths[1].0.exists() && is_running(&paths[1].1));
    drop(two);
    assert!(!paths[1].0.exists() && !is_running(&paths[1].1));
}

#[test]
fn a_postgres_that_cannot_be_had_is_explained() {
    let none = Emulator::builder().postgres_bin("/nowhere").start().unwrap_err().to_string();
    assert!(none.contains("/nowhere") && none.contains("initdb"), "{none}");
    let folder = std::env::temp_dir().join(format!("lakebase-it-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    for program in ["postgres", "initdb"] {
        std::fs::write(folder.join(program), "not a program").unwrap();
    }
    let broken = Emulator::builder().postgres_bin(&folder).start().unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(broken.to_string().contains("made no cluster; initdb's last words:"), "{broken}");
}
