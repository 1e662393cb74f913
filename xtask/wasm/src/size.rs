//! The size table, and the limit that it enforces.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Places, Result};

/// What a worker uploads for minting: module and glue, compressed.
const MINT_LIMIT: usize = 45 * 1024;
/// The same with the cache, so that growth is noticed.
const WHOLE_LIMIT: usize = 60 * 1024;

/// Prints the table; false if a limit is passed.
pub(crate) fn table(places: &Places) -> Result<bool> {
    println!("{:<24} {:>9} {:>9}", "module", "bytes", "gzip -9");
    let mint = part(places, "lakebase_mint", MINT_LIMIT)?;
    Ok(part(places, "lakebase_wasm", WHOLE_LIMIT)? && mint)
}

fn part(places: &Places, module: &str, limit: usize) -> Result<bool> {
    let (bytes, zipped) = print(&places.package(), module)?;
    let fits = zipped <= limit;
    let verdict = if fits { "within" } else { "ABOVE" };
    println!("{:<24} {bytes:>9} {zipped:>9}  {verdict} the limit of {limit}", "together");
    Ok(fits)
}

/// Prints a module and its glue, and gives both together.
pub(crate) fn print(folder: &Path, module: &str) -> Result<(usize, usize)> {
    let mut total = (0, 0);
    for name in [format!("{module}_bg.wasm"), format!("{module}.js")] {
        let path = folder.join(&name);
        let bytes = fs::read(&path)
            .map_err(|error| format!("could not read {}: {error}", path.display()))?;
        let zipped = gzip(&bytes)?;
        println!("{name:<24} {:>9} {zipped:>9}", bytes.len());
        total = (total.0 + bytes.len(), total.1 + zipped);
    }
    Ok(total)
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.map(|zipped| zipped.len()).map_err(|error| format!("could not compress: {error}"))
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
