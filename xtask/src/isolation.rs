//! `cargo xtask isolation`: architecture invariants, checked on the resolved dependency graph and on public signatures.
//!
//! The invariants are data in `xtask/isolation.toml`; [`graph`] asks cargo. Public signatures are those that the cell `api` records.

mod baseline;
mod graph;
mod rules;

use std::fs;

pub use self::baseline::sqlx_alone;
pub use self::graph::Graph;
use self::graph::resolve;
use self::rules::{AbsentRule, AtMostRule, OverSqlxRule, Rules};
use crate::Outcome;
use crate::system::{Doing, Failure, cargo, root};
use crate::tidy::source_files;

/// What broke a rule, and a measurement worth recording.
type Verdict = (Vec<String>, Option<String>);

/// Prints every rule with its verdict and ends with `isolation: N passed, N failed`.
pub(crate) fn command() -> Outcome {
    let rules = Rules::read()?;
    let (mut passed, mut failed) = (0, 0);
    let mut check = |rule: String, result: Result<Verdict, Failure>| {
        // A rule that could not be checked is broken.
        let (broken, figure) = result.unwrap_or_else(|error| (vec![error.to_string()], None));
        let mark = if broken.is_empty() { "ok    " } else { "BROKEN" };
        let figure = figure.map(|figure| format!(": {figure}")).unwrap_or_default();
        println!("{mark} {rule}{figure}");
        broken.iter().for_each(|line| println!("       {line}"));
        passed += usize::from(broken.is_empty());
        failed += usize::from(!broken.is_empty());
    };
    for rule in &rules.absent {
        let name = format!("{} knows no {}", rule.of, rule.what);
        check(name, resolve(&rule.of).map(|graph| (absent(rule, &graph), None)));
    }
    for rule in &rules.at_most {
        let name = format!("{} has at most {} dependencies", rule.of, rule.limit);
        check(name, resolve(&rule.of).map(|graph| at_most(rule, &graph)));
    }
    let rule = &rules.over_sqlx;
    let name = format!("{} adds at most {} to what sqlx brings", rule.of, rule.extra);
    check(name, over_sqlx(rule));
    for package in &rules.public.crates {
        let name = format!("public signatures of {package} name no HTTP or TLS library");
        check(name, public(package, &rules.public.private).map(|broken| (broken, None)));
    }
    for package in &rules.portable.crates {
        let name = format!("{package} is the same on every platform");
        check(name, portable(package, &rules.portable.asks).map(|broken| (broken, None)));
    }
    println!("isolation: {passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn absent(rule: &AbsentRule, graph: &Graph) -> Vec<String> {
    let forbidden = rule.names.iter().filter(|name| graph.has(name));
    let missing = rule.present.iter().filter(|name| !graph.has(name));
    forbidden
        .map(|name| format!("{} must not depend on {name}", rule.of))
        .chain(missing.map(|name| {
            format!("{} should depend on {name}, or this rule proves nothing", rule.of)
        }))
        .collect()
}

fn at_most(rule: &AtMostRule, graph: &Graph) -> Verdict {
    let count = graph.count();
    let broken = (count > rule.limit).then(|| format!("{count} are too many: {}", graph.names()));
    (broken.into_iter().collect(), Some(count.to_string()))
}

fn over_sqlx(rule: &OverSqlxRule) -> Result<Verdict, Failure> {
    let ours = resolve(&rule.of)?;
    let sqlx = Graph::ask(cargo().args(["tree", "--quiet"]).current_dir(sqlx_alone("tokio")?))?;
    Ok(over(&ours, &sqlx, rule.extra, rule.goal))
}

fn over(ours: &Graph, base: &Graph, extra: usize, goal: usize) -> Verdict {
    let (count, allowed) = (ours.count(), base.count() + extra);
    let added = ours.minus(base);
    let figure = format!(
        "{count} = {} + {} (goal + {goal}): {added}",
        base.count(),
        count.saturating_sub(base.count())
    );
    let broken =
        (count > allowed).then(|| format!("{count} are more than {} + {extra}", base.count()));
    (broken.into_iter().collect(), Some(figure))
}

fn public(package: &str, private: &[String]) -> Result<Vec<String>, Failure> {
    let path = format!("xtask/publish/api/{package}.txt");
    let text = fs::read_to_string(root().join(&path)).doing(format!("read {path}"))?;
    Ok(leaks(&path, &text, private))
}

/// The recorded items that name a type of a private library; all paths are whole there.
fn leaks(path: &str, text: &str, private: &[String]) -> Vec<String> {
    let of_private = |word: &str| {
        let mut names = private.iter();
        names.any(|name| word.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':')))
    };
    let names = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').any(of_private)
    };
    let lines = text.lines().enumerate().filter(|(_, line)| names(line));
    lines.map(|(index, line)| format!("{path}:{}: `{line}`", index + 1)).collect()
}

/// The sources of a package with their paths.
fn sources(package: &str) -> Result<Vec<(String, String)>, Failure> {
    let (root, folder) = (root(), format!("crates/{package}/src"));
    let files = source_files(&root, &folder)?;
    if files.is_empty() {
        return Err(Failure::new(format!("{folder} holds no source")));
    }
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path)).doing(format!("read {path}"))?;
        Ok((path, text))
    };
    files.into_iter().map(read).collect()
}

fn portable(package: &str, asks: &[String]) -> Result<Vec<String>, Failure> {
    let manifest = format!("crates/{package}/Cargo.toml");
    let text = fs::read_to_string(root().join(&manifest)).doing(format!("read {manifest}"))?;
    let mut all = sources(package)?;
    all.push((manifest, text));
    Ok(all.iter().flat_map(|(path, text)| platforms(path, text, asks)).collect())
}

/// The lines that ask which platform it is.
fn platforms(path: &str, text: &str, asks: &[String]) -> Vec<String> {
    let asks = |line: &str| asks.iter().any(|word| line.contains(word));
    let lines = text.lines().enumerate().filter(|(_, line)| asks(line));
    lines.map(|(index, line)| format!("{path}:{}: `{}`", index + 1, line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::graph::Selection;

    fn core() -> Selection {
        Selection { package: "lakebase-core".to_owned(), ..Selection::default() }
    }

    fn rules() -> Rules {
        Rules::read().unwrap()
    }

    fn graph(text: &str) -> Graph {
        Graph::parse(text)
    }

    #[test]
    fn a_forbidden_package_breaks_the_rule() {
        let Rules { groups, .. } = rules();
        let names = [&groups["runtimes"][..], &groups["http-and-tls"]].concat();
        let present = vec!["bytes".to_owned()];
        let rule = AbsentRule { of: core(), what: "runtime".to_owned(), names, present };
        assert!(
            absent(&rule, &graph("lakebase-core v0.1.0 (/x)|\nbytes v1.0.0|default\n")).is_empty()
        );
        let broken = absent(
            &rule,
            &graph(
                "lakebase-core v0.1.0 (/x)|\nbytes v1.0.0|\nsmol v2.0.0|\nrustls v0.23.0|ring\n",
            ),
        );
        assert_eq!(
            broken,
            ["lakebase-core must not depend on smol", "lakebase-core must not depend on rustls"]
        );
    }

    #[test]
    fn every_rule_of_the_table_is_broken_by_each_name_it_forbids() {
        for rule in &rules().absent {
            assert!(!rule.names.is_empty(), "{}", rule.of);
            for name in &rule.names {
                let line = match name.split_once('/') {
                    Some((package, feature)) => {
                        format!("root v0.1.0|\n{package} v1.0.0|default,{feature}\n")
                    }
                    None => format!("root v0.1.0|\n{name} v1.0.0|\n"),
                };
                let broken = absent(rule, &graph(&line));
                assert!(
                    broken.contains(&format!("{} must not depend on {name}", rule.of)),
                    "{name}: {broken:?}"
                );
            }
        }
    }

    #[test]
    fn questions_about_the_platform_are_found_and_wasm_is_none() {
        let text =
            "#[cfg(not(all(target_family = \"wasm\", target_os = \"unknown\")))]\nfn a() {}\n";
        let asks = rules().portable.asks;
        assert!(platforms("a.rs", text, &asks).is_empty());
        for line in [
            "#[cfg(unix)]",
            "if cfg!(windows) {",
            "#[cfg(any(test, unix))]",
            "#[cfg(not(windows))]",
            "use std::os::unix::fs::PermissionsExt;",
            "[target.'cfg(target_os = \"linux\")'.dependencies]",
        ] {
            assert_eq!(
                platforms("a.rs", &format!("\n{line}"), &asks),
                [format!("a.rs:2: `{line}`")]
            );
        }
    }

    #[test]
    fn types_of_private_libraries_are_found_wherever_they_are_public() {
        let private = rules().public.private;
        for line in [
            "pub fn a::client() -> reqwest::async_impl::client::Client",
            "pub fn a::client(&hyper::Uri)",
            "pub a::A::inner: alloc::sync::Arc<rustls::client::Config>",
            "pub use a::<<surf::Client>>",
            "impl core::convert::From<reqwest::error::Error> for a::Error",
        ] {
            assert_eq!(
                leaks("a.txt", &format!("pub mod a\n{line}\n"), &private),
                [format!("a.txt:2: `{line}`")]
            );
        }
        let text = "pub fn a::hyper(my_hyper::Uri) -> a::rustls::B\npub mod a::surf\n";
        assert_eq!(leaks("a.txt", text, &private), [""; 0]);
    }

    #[test]
    fn limits_are_inclusive() {
        let rule = AtMostRule { of: core(), limit: 2 };
        assert!(at_most(&rule, &graph("root v0|\na v1|\nb v1|\n")).0.is_empty());
        let (broken, figure) = at_most(&rule, &graph("root v0|\na v1|\nb v1|\nb v2|\n"));
        assert_eq!(broken, ["3 are too many: a, b, b"]);
        assert_eq!(figure.as_deref(), Some("3"));
    }

    #[test]
    fn what_is_added_to_sqlx_is_counted_and_named() {
        let base = graph("root v0|\nsqlx v0.9|\n");
        let ours = graph("lakebase v0|\nsqlx v0.9|\narc-swap v1|\nfastrand v2|\n");
        let (broken, figure) = over(&ours, &base, 2, 1);
        assert!(broken.is_empty());
        assert_eq!(figure.as_deref(), Some("3 = 1 + 2 (goal + 1): arc-swap, fastrand"));
        assert_eq!(over(&ours, &base, 1, 1).0, ["3 are more than 1 + 1"]);
    }
}
