//! The files in `deploy/`: their form, what they promise, and that the command accepts what they say.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use crate::support::{Run, bare};

fn file(name: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)).unwrap()
}

/// The command must take these arguments: what it fails for is that nothing is configured.
#[track_caller]
fn accepted(arguments: &[&str]) {
    assert_eq!(arguments.first(), Some(&"proxy"));
    let run = Run::of(bare().env("HOME", "/nonexistent").args(arguments));
    assert_eq!(run.code, Some(1), "2 would be wrong usage: {run:?}");
}

#[test]
fn the_unit_is_one_that_systemd_accepts() {
    let unit = file("lakebase-proxy.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/lakebase");
    accepted(&words[1..]);
    for promise in ["Type=notify", "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict"]
    {
        assert!(unit.lines().any(|line| line == promise), "{promise}");
    }

    // It looks for the program, which is not installed here.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("lakebase-proxy.service");
    fs::write(&copy, unit.replace(words[0], env!("CARGO_BIN_EXE_lakebase"))).unwrap();
    let mut analyze = Command::new("systemd-analyze");
    match analyze.args(["verify", "--man=no"]).arg(&copy).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            assert!(!said.contains("lakebase-proxy.service"), "it complains: {said}");
        }
        Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: no systemd-analyze here to verify the unit with");
        }
        Err(error) => panic!("systemd-analyze: {error}"),
    }
}

#[test]
fn the_image_runs_as_nobody_and_holds_no_secret() {
    let text = file("Dockerfile");
    let instructions: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("an instruction has an argument"))
        .collect();
    for (name, argument) in &instructions {
        let known =
            ["FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
        assert!(known.contains(name), "{name}: no ADD, no ENV, no ARG");
        assert!(!argument.contains("SECRET") && !argument.contains("TOKEN"), "{argument}");
    }
    let stages = instructions.iter().filter(|(name, _)| *name == "FROM").count();
    assert_eq!(stages, 2, "what builds is not in what runs");
    let last = |wanted| instructions.iter().rev().find(|(name, _)| *name == wanted).unwrap().1;
    assert_eq!(last("FROM"), "scratch", "the static command needs nothing but certificates");
    assert_eq!(last("COPY"), "--from=build /image/ /");
    let build = last("RUN");
    for part in ["-unknown-linux-musl", "--profile dist --locked", "/dist/lakebase"] {
        assert!(build.contains(part), "{part}");
    }
    assert_eq!(last("USER"), "65532:65532");
    assert_eq!(last("ENTRYPOINT"), r#"["/usr/local/bin/lakebase"]"#, "no shell in between");
    let arguments: Vec<String> = serde_json::from_str(last("CMD")).unwrap();
    accepted(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_side_car_starts_first_and_drains_last() {
    let documents = YamlLoader::load_from_str(&file("kubernetes.yaml")).unwrap();
    let [deployment] = &documents[..] else { panic!("one document") };
    assert_eq!(deployment["kind"].as_str(), Some("Deployment"));
    let labels = &deployment["spec"]["selector"]["matchLabels"];
    assert_eq!(labels, &deployment["spec"]["template"]["metadata"]["labels"]);
    let pod = &deployment["spec"]["template"]["spec"];
    let proxy = &pod["initContainers"][0];
    assert_eq!(proxy["restartPolicy"].as_str(), Some("Always"), "that makes it a side-car");
    assert_eq!(proxy["securityContext"]["runAsNonRoot"].as_bool(), Some(true));

    let arguments: Vec<&str> =
        proxy["args"].as_vec().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    accepted(&arguments);
    let value = |flag| arguments[arguments.iter().position(|it| *it == flag).unwrap() + 1];
    let drain: i64 = value("--drain-timeout").parse().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() > drain);
    let port = &proxy["ports"][0];
    assert!(value("--admin").ends_with(&format!(":{}", port["containerPort"].as_i64().unwrap())));
    for (probe, path) in
        [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
    {
        let get = &proxy[probe]["httpGet"];
        assert_eq!((get["path"].as_str(), &get["port"]), (Some(path), &port["name"]), "{probe}");
    }
    for variable in proxy["env"].as_vec().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let is_path = name == "DATABRICKS_OIDC_TOKEN_FILEPATH";
        assert!(
            is_path || !name.contains("SECRET") && !name.contains("TOKEN"),
            "{name} belongs to a secret"
        );
    }
    let variable = |name: &str| {
        let mut all = proxy["env"].as_vec().unwrap().iter();
        let found = all.find(|variable| variable["name"].as_str() == Some(name));
        found.unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(variable("DATABRICKS_AUTH_TYPE"), "file-oidc");
    let (mount, volume) = (&proxy["volumeMounts"][0], &pod["volumes"][0]);
    assert_eq!(mount["name"], volume["name"]);
    let token = &volume["projected"]["sources"][0]["serviceAccountToken"];
    let (folder, file) = (mount["mountPath"].as_str().unwrap(), token["path"].as_str().unwrap());
    assert_eq!(variable("DATABRICKS_OIDC_TOKEN_FILEPATH"), format!("{folder}/{file}"));
    let application = &pod["containers"][0]["env"][0]["value"];
    assert!(application.as_str().unwrap().contains(value("--listen")), "it connects to the proxy");
    assert_ne!(proxy["image"], Yaml::BadValue);
}
