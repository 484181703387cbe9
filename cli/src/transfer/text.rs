//! The text of a file as UTF-8 with Unix line ends, whatever encoding, line ends or compression it has.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::MultiGzDecoder;

use crate::files;

/// How much of a file is read to recognise its line ends.
const HEAD_BYTES: u64 = 64 * 1024;
/// The first bytes of formats that are not text, and what to do with such a file.
const NOT_TEXT: [(&[u8], &str); 3] = [
    (
        b"PK\x03\x04",
        "it is a ZIP archive, such as a spreadsheet (.xlsx, .ods): save the sheet as CSV, or unpack it",
    ),
    (b"\xD0\xCF\x11\xE0", "it is an old Excel workbook: save the sheet as CSV"),
    (b"%PDF", "it is a PDF file: export the users as CSV or JSON"),
];

/// A text file.
pub(super) struct TextFile {
    path: PathBuf,
    is_gzip: bool,
    encoding: &'static Encoding,
    /// Whether lines end with a carriage return alone, as on old Macs.
    ends_with_cr: bool,
}

impl TextFile {
    /// Reads a file once to find out how its text is encoded.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        files::open_input(path)?.take(4).read_to_end(&mut head)?;
        if let Some((_, advice)) = NOT_TEXT.iter().find(|(start, _)| head.starts_with(start)) {
            return Err(io::Error::other(*advice));
        }
        let mut file = Self {
            path: path.to_owned(),
            is_gzip: head.starts_with(&[0x1F, 0x8B]),
            encoding: UTF_8,
            ends_with_cr: false,
        };
        file.encoding = encoding_of(file.bytes()?)?;
        let mut head = Vec::new();
        file.decoded()?.take(HEAD_BYTES).read_to_end(&mut head)?;
        file.ends_with_cr = head.contains(&b'\r') && !head.contains(&b'\n');
        Ok(file)
    }

    /// What the operator should know about the encoding.
    pub(super) fn remark(&self) -> Option<&'static str> {
        (self.encoding == WINDOWS_1252).then_some(
            "The file is not UTF-8. It is read as Windows-1252 (Latin-1): check the names with accents in a dry run.",
        )
    }

    /// Whether U+FFFD stands for what cannot be read.
    pub(super) fn has_replacements(&self) -> bool {
        self.encoding != UTF_8
    }

    /// The text from the start: no byte order mark, each line with a `\n` at its end.
    pub(super) fn read(&self) -> io::Result<BufReader<LineEnds>> {
        Ok(BufReader::new(LineEnds {
            inner: self.decoded()?,
            ends_with_cr: self.ends_with_cr,
            has_held_cr: false,
            last: None,
            ready: Cursor::default(),
            is_done: false,
        }))
    }

    fn bytes(&self) -> io::Result<Box<dyn Read>> {
        let file = files::open_input(&self.path)?;
        Ok(if self.is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
    }

    fn decoded(&self) -> io::Result<BufReader<Box<dyn Read>>> {
        let mut decoder = DecodeReaderBytesBuilder::new();
        // UTF-8 is passed through as it is, so that a row that is not UTF-8 can be refused.
        decoder.utf8_passthru(true).strip_bom(true);
        decoder.encoding((self.encoding != UTF_8).then_some(self.encoding));
        Ok(BufReader::new(Box::new(decoder.build(self.bytes()?))))
    }
}

/// Tells the encoding of a text.
///
/// Text that is not UTF-8 is read as Windows-1252. But if some of it has UTF-8 characters, only single lines are
/// broken, and it is read as UTF-8.
fn encoding_of(bytes: impl Read) -> io::Result<&'static Encoding> {
    let mut bytes = BufReader::new(bytes);
    match *bytes.fill_buf()? {
        [0xFF, 0xFE, ..] => return Ok(UTF_16LE),
        [0xFE, 0xFF, ..] => return Ok(UTF_16BE),
        // Without a byte order mark: two ASCII characters.
        [a, 0, b, 0, ..] if a > 0 && b > 0 => return Ok(UTF_16LE),
        [0, a, 0, b, ..] if a > 0 && b > 0 => return Ok(UTF_16BE),
        _ => {}
    }
    let (mut has_utf8, mut has_other) = (false, false);
    let mut rest = Vec::new();
    loop {
        let chunk = bytes.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        if chunk.contains(&0) {
            return Err(io::Error::other("it is not text"));
        }
        let length = chunk.len();
        rest.extend_from_slice(chunk);
        bytes.consume(length);
        let chunk = std::mem::take(&mut rest);
        let mut text = chunk.as_slice();
        while let Err(error) = std::str::from_utf8(text) {
            let (valid, invalid) = text.split_at(error.valid_up_to());
            has_utf8 |= !valid.is_ascii();
            let Some(length) = error.error_len() else {
                // The start of a character whose other bytes are in the next chunk.
                rest = invalid.to_vec();
                text = &[];
                break;
            };
            has_other = true;
            text = invalid.split_at(length).1;
        }
        has_utf8 |= !text.is_ascii();
    }
    has_other |= !rest.is_empty();
    Ok(if has_other && !has_utf8 { WINDOWS_1252 } else { UTF_8 })
}

/// Converts line ends to `\n`, and ends the last line.
pub(super) struct LineEnds {
    inner: BufReader<Box<dyn Read>>,
    ends_with_cr: bool,
    /// Whether the last byte was a `\r` whose `\n` may follow.
    has_held_cr: bool,
    last: Option<u8>,
    ready: Cursor<Vec<u8>>,
    is_done: bool,
}

impl LineEnds {
    fn refill(&mut self) -> io::Result<()> {
        let chunk = self.inner.fill_buf()?;
        let mut ready = Vec::with_capacity(chunk.len() + 2);
        for &byte in chunk {
            if std::mem::take(&mut self.has_held_cr) && byte != b'\n' {
                ready.push(b'\r');
            }
            match byte {
                b'\r' if self.ends_with_cr => ready.push(b'\n'),
                b'\r' => self.has_held_cr = true,
                _ => ready.push(byte),
            }
        }
        let length = chunk.len();
        self.inner.consume(length);
        self.last = ready.last().copied().or(self.last);
        if length == 0 {
            self.is_done = true;
            let has_line_end = self.last.is_none_or(|last| last == b'\n');
            if std::mem::take(&mut self.has_held_cr) || !has_line_end {
                ready.push(b'\n');
            }
        }
        self.ready = Cursor::new(ready);
        Ok(())
    }
}

impl Read for LineEnds {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.ready.read(buffer)?;
            if read > 0 || self.is_done || buffer.is_empty() {
                return Ok(read);
            }
            self.refill()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<(String, &'static str)> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), bytes)?;
        let text = TextFile::open(file.path())?;
        let mut read = String::new();
        text.read()?.read_to_string(&mut read)?;
        Ok((read, text.encoding.name()))
    }

    #[test]
    fn line_ends_become_line_feeds_and_the_last_line_is_ended() {
        for (bytes, expected) in [
            (&b"a\r\nb\r\n"[..], "a\nb\n"),
            (b"a\nb", "a\nb\n"),
            (b"a\rb\r", "a\nb\n"),
            (b"a\r\n\"b\rc\"\r\n", "a\n\"b\rc\"\n"),
            (b"a\nb\r", "a\nb\n"),
            (b"", ""),
        ] {
            assert_eq!(read(bytes).unwrap(), (expected.to_owned(), "UTF-8"), "{bytes:?}");
        }
    }

    #[test]
    fn encodings_are_told_apart() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        for (bytes, encoding) in [
            ("\u{feff}Zoë\n".as_bytes().to_vec(), "UTF-8"),
            ("Zoë\n".as_bytes().to_vec(), "UTF-8"),
            (b"Zo\xEB\n".to_vec(), "windows-1252"),
            (utf16("\u{feff}Zoë\n", u16::to_le_bytes), "UTF-16LE"),
            (utf16("\u{feff}Zoë\n", u16::to_be_bytes), "UTF-16BE"),
            (utf16("Zoë\n", u16::to_le_bytes), "UTF-16LE"),
            (utf16("Zoë\n", u16::to_be_bytes), "UTF-16BE"),
        ] {
            assert_eq!(read(&bytes).unwrap(), ("Zoë\n".to_owned(), encoding), "{bytes:?}");
        }
        // A character that spans two reads stays whole.
        let long = format!("{}é", "a".repeat(8191));
        assert_eq!(read(long.as_bytes()).unwrap(), (format!("{long}\n"), "UTF-8"));
        assert!(read(b"a\0b").is_err());
    }
}
