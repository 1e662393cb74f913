//! The size table, and the limit that it enforces.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use xtask::Outcome;
use xtask::system::{Doing, Failure};

use crate::package;

/// What a worker uploads for minting: module and glue, compressed.
const MINT_LIMIT: usize = 45 * 1024;
/// The same with the cache, so that growth is noticed.
const WHOLE_LIMIT: usize = 60 * 1024;

/// Prints the table; false if a limit is passed.
pub(crate) fn table() -> Outcome {
    println!("{:<24} {:>9} {:>9}", "module", "bytes", "gzip -9");
    let mint = part("lakebase_mint", MINT_LIMIT)?;
    Ok(part("lakebase_wasm", WHOLE_LIMIT)? && mint)
}

fn part(module: &str, limit: usize) -> Outcome {
    let (bytes, zipped) = print(&package::folder(), module)?;
    let fits = zipped <= limit;
    let verdict = if fits { "within" } else { "ABOVE" };
    println!("{:<24} {bytes:>9} {zipped:>9}  {verdict} the limit of {limit}", "together");
    Ok(fits)
}

/// Prints a module and its glue, and gives both together.
pub(crate) fn print(folder: &Path, module: &str) -> Result<(usize, usize), Failure> {
    let mut total = (0, 0);
    for name in [format!("{module}_bg.wasm"), format!("{module}.js")] {
        let path = folder.join(&name);
        let bytes = fs::read(&path).doing(format!("read {}", path.display()))?;
        let zipped = gzip(&bytes)?;
        println!("{name:<24} {:>9} {zipped:>9}", bytes.len());
        total = (total.0 + bytes.len(), total.1 + zipped);
    }
    Ok(total)
}

fn gzip(bytes: &[u8]) -> Result<usize, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.map(|zipped| zipped.len()).doing("compress")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_compresses_and_noise_does_not() {
        assert!(gzip(&[7; 10_000]).unwrap() < 100);
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(10_000)
        .collect();
        assert!(gzip(&noise).unwrap() > 9_000);
    }
}
