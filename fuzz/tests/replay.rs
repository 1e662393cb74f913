//! Replays every seed, whole, cut short, and with single bytes changed, on any toolchain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lakebase_fuzz::TARGETS;

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()
    };
    entries.map(name).collect()
}

#[test]
fn every_target_has_a_binary_and_seeds() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("seeds"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

#[test]
fn seeds_and_their_neighbours_keep_the_promises() {
    for (name, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        let mut replayed = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let seed = fs::read(&path).unwrap();
            println!("{}", path.display());
            run(&seed);
            for end in 0..seed.len() {
                run(&seed[..end]);
                let mut changed = seed.clone();
                for byte in [b'\n', b'"', b'=', b'{', 0, 0xff, changed[end] ^ 1] {
                    changed[end] = byte;
                    run(&changed);
                }
            }
            replayed += 1;
        }
        assert!(replayed >= 5, "{name} has {replayed} seeds");
    }
}
