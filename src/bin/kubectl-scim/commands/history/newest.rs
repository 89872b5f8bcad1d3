//! The newest lines of a stream that grows: only what was written since is read again.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Done, Line};

/// What was read of a file so far.
#[derive(Default)]
pub struct Newest {
    /// Which file it was: a stream that is rotated begins anew.
    of: Option<(u64, u64)>,
    /// How far it was read.
    offset: u64,
    /// The newest last.
    pub lines: VecDeque<Done>,
    /// How many lines of the stream can't be read.
    pub broken: u64,
}

impl Newest {
    /// Reads what has come since. Of the lines that fit, the newest are kept.
    pub fn read(&mut self, file: &Path, most: usize, fits: impl Fn(&Done) -> bool) -> Result<()> {
        let cant = || format!("{} can't be read", file.display());
        let mut opened = File::open(file).with_context(cant)?;
        let metadata = opened.metadata().with_context(cant)?;
        let of = Some(identity(&metadata));
        if self.of != of || metadata.len() < self.offset {
            *self = Self { of, ..Self::default() };
        }
        opened.seek(SeekFrom::Start(self.offset)).with_context(cant)?;
        let mut reader = BufReader::new(opened);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).with_context(cant)?;
            // What has no end yet is still being written.
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            self.offset += read as u64;
            self.take(&String::from_utf8_lossy(&line), most, &fits);
        }
    }

    fn take(&mut self, line: &str, most: usize, fits: &impl Fn(&Done) -> bool) {
        match Line::read(line) {
            Some(Ok(line)) => self.lines.extend(Some(Done::from(line)).filter(|done| fits(done))),
            Some(Err(_)) => self.broken += 1,
            None => {}
        }
        if self.lines.len() > most {
            self.lines.pop_front();
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn line(name: &str) -> String {
        format!(
            "{{\"time\":\"2026-11-28T11:00:00Z\",\"connection\":\"identity/datadog\",\"operation\":\"Update\",\"outcome\":\"Done\",\
             \"object\":{{\"kind\":\"ScimUser\",\"namespace\":\"identity\",\"name\":\"{name}\",\"uid\":\"u\",\"generation\":1}}}}\n"
        )
    }

    #[test]
    fn only_what_was_written_since_is_read_and_a_rotated_stream_begins_anew() {
        let file = std::env::temp_dir().join(format!("scim-newest-{}", std::process::id()));
        std::fs::write(&file, line("ada") + &line("grace")).unwrap();
        let mut newest = Newest::default();
        let mut read = |most| {
            newest.read(&file, most, |_| true).unwrap();
            (newest.lines.iter().map(|done| done.object.clone()).collect::<Vec<_>>(), newest.offset)
        };
        assert_eq!(read(9).0, ["identity/ada", "identity/grace"]);
        let append = |text: &str| {
            std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(text.as_bytes()).unwrap();
        };
        let (next, half) = (line("alan"), line("kim"));
        append(&(next + &half[..20]));
        assert_eq!(read(2).0, ["identity/grace", "identity/alan"], "half a line is none yet");
        append(&half[20..]);
        let (lines, offset) = read(2);
        assert_eq!(lines, ["identity/alan", "identity/kim"]);
        assert_eq!(offset, std::fs::metadata(&file).unwrap().len());
        std::fs::write(&file, line("eve")).unwrap();
        assert_eq!(read(2).0, ["identity/eve"], "what was there before is elsewhere now");
        std::fs::remove_file(&file).unwrap();
    }
}
