//! clorinde by its recipe, over the code that it generates of `queries`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use drivers::{Driver, Failure, ask_each, play, print_cost, with_lakebase};
use generator::config::Config;
use lakebase::{Lakebase, RecyclingOptions, deadpool_postgres::Pool};

/// In the play each checkout asks whether its session still stands; with the defaults it does not.
struct Clorinde<const ASKS: bool>(Pool);

impl<const ASKS: bool> Driver for Clorinde<ASKS> {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let mut options = RecyclingOptions::new();
        if ASKS {
            options = options.ping_after_idle(Duration::ZERO);
        }
        Ok(Self(lakebase.deadpool_with(options, |builder| builder.max_size(5))?))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(recipe::client(&self.0).await?);
        ask_each(count, open, async |client| Ok(recipe::session(client).await?)).await
    }
}

#[test]
fn clorinde() {
    play::<Clorinde<true>>();
    print_cost::<Clorinde<false>>();
}

/// What each file of a folder says.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
        }
    }
    found
}

#[test]
fn generated_is_what_clorinde_makes_of_the_queries() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("generated");
    let config = Config::builder().queries(here.join("queries")).destination(&made).build();
    with_lakebase(async |lakebase| {
        let pool = lakebase.deadpool_with(RecyclingOptions::new(), |builder| builder).unwrap();
        let client = pool.get().await.unwrap();
        // It waits for the server as a blocking program does.
        tokio::task::block_in_place(|| generator::gen_live(&client, config)).unwrap();
    });
    // As `cargo fmt` formats what is committed.
    let mut format = Command::new("rustfmt");
    format.args(["--edition", "2021", "--config-path"]).arg(here.join("../../../.rustfmt.toml"));
    assert!(format.arg(made.join("src/lib.rs")).status().unwrap().success());
    assert_eq!(files(&made), files(&here.join("generated")));
}
