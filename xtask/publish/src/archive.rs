//! Archives whose bytes depend on nothing but their contents and one time.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

/// A file to pack.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a program.
    pub(crate) runs: bool,
}

impl File {
    fn mode(&self) -> u32 {
        if self.runs { 0o755 } else { 0o644 }
    }
}

/// Files by their path in the archive, which is also their order.
pub(crate) type Files = BTreeMap<String, File>;

/// A compressed tar archive; `time` is in seconds since 1970.
pub(crate) fn tar_gz(files: &Files, time: u64) -> Result<Vec<u8>> {
    // The header of gzip names no file, no time and no system.
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut tar = tar::Builder::new(gzip.write(Vec::new(), Compression::best()));
    for (path, file) in files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode());
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, path, file.bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// A zip archive. Its format has no time zone and starts in 1980, so its files are of that year.
pub(crate) fn zip(files: &Files) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, file) in files {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(file.mode());
        zip.start_file(path.as_str(), options)?;
        zip.write_all(&file.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// As `sha256sum` prints it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn files() -> Files {
        let file = |bytes: &[u8], runs| File { bytes: bytes.to_vec(), runs };
        let long = format!("folder/{}", "n".repeat(90));
        [
            ("folder/z".to_owned(), file(b"last", false)),
            (long, file(b"", false)),
            ("folder/a".to_owned(), file(b"first", true)),
        ]
        .into()
    }

    #[test]
    fn tar_has_sorted_entries_of_one_time_and_of_nobody() {
        let bytes = tar_gz(&files(), 1_234_567_890).unwrap();
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255], "no name and no time");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mtime().unwrap(), 1_234_567_890);
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let path = entry.path().unwrap().display().to_string();
            seen.push((path.len(), header.mode().unwrap(), text));
        }
        let expected = [(8, 0o755, "first"), (97, 0o644, ""), (8, 0o644, "last")];
        assert_eq!(seen, expected.map(|(path, mode, text)| (path, mode, text.to_owned())));
    }

    #[test]
    fn zip_has_sorted_entries_of_one_time() {
        let bytes = zip(&files()).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut seen = Vec::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let time = file.last_modified().unwrap();
            assert_eq!((time.year(), time.month(), time.second()), (1980, 1, 0));
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            seen.push((file.name().unwrap().len(), file.unix_mode().unwrap() & 0o777, text));
        }
        let expected = [(8, 0o755, "first"), (97, 0o644, ""), (8, 0o644, "last")];
        assert_eq!(seen, expected.map(|(path, mode, text)| (path, mode, text.to_owned())));
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
    }
}
