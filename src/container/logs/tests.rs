use std::convert::Infallible;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use super::*;

/// What the program wrote, and how often the reader waited.
#[derive(Default)]
struct Collected {
    out: Vec<u8>,
    err: Vec<u8>,
    caught_up: usize,
}

impl Sink for Collected {
    type Error = Infallible;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Infallible> {
        let stream = if entry.stream == LogStream::Stdout { &mut self.out } else { &mut self.err };
        stream.extend_from_slice(entry.text);
        stream.extend(if entry.is_partial { None } else { Some(b'\n') });
        Ok(())
    }

    fn caught_up(&mut self) -> Result<(), Infallible> {
        self.caught_up += 1;
        Ok(())
    }
}

fn line(second: u32, rest: &str) -> String {
    format!("2026-01-01T00:00:{second:02}.000000001Z {rest}\n")
}

fn directory(files: &[(&str, String)]) -> anyhow::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    for (name, content) in files {
        fs::write(directory.path().join(name), content)?;
    }
    Ok(directory)
}

fn output(directory: &Path, select: Select) -> anyhow::Result<String> {
    let mut sink = Collected::default();
    read(&directory.join("log"), &select, &mut sink)?;
    Ok(String::from_utf8(sink.out)?)
}

#[test]
fn a_line_is_an_entry_or_damaged() {
    let entry = Entry::parse(b"2026-01-01T00:00:00.5+01:00 stderr P a b ").expect("an entry");
    assert_eq!((entry.stream, entry.is_partial, entry.text), (LogStream::Stderr, true, &b"a b "[..]));
    assert_eq!(entry.timestamp().map(|time| time.to_string()), Some("2025-12-31T23:00:00.5Z".to_owned()));
    assert_eq!(Entry::parse(b"t stdout F ").map(|entry| entry.text), Some(&b""[..]));
    for damaged in ["", "t", "t stdout", "t stdout F", "t stdout X a", "t stdin F a", "t stdout FF a", " stdoutF a"] {
        assert_eq!(Entry::parse(damaged.as_bytes()), None, "{damaged}");
    }
}

#[test]
fn bytes_come_out_as_they_went_in() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut log = Vec::new();
    log.extend_from_slice(b"t stdout F nul \0 cr \r esc \x1b \xff\xfe\n");
    log.extend_from_slice(b"t stderr F 2026-01-01T00:00:00Z stdout F forged\n");
    log.extend_from_slice(b"t stdout F \n");
    log.extend_from_slice(b"damaged\n");
    log.extend_from_slice(b"t stdout P begin \n");
    log.extend_from_slice(b"t stdout P no newline at the end\n");
    fs::write(directory.path().join("log"), &log)?;
    let mut sink = Collected::default();
    read(&directory.path().join("log"), &Select::default(), &mut sink)?;
    assert_eq!(sink.out, b"nul \0 cr \r esc \x1b \xff\xfe\n\nbegin no newline at the end");
    assert_eq!(sink.err, b"2026-01-01T00:00:00Z stdout F forged\n");
    Ok(())
}

#[test]
fn lines_longer_than_a_block_and_half_lines_are_read() -> anyhow::Result<()> {
    let long = "x".repeat(BLOCK * 3 + 7);
    let directory = directory(&[("log", format!("t stdout F {long}\nt stdout F b\nt stdout F cut o"))])?;
    assert_eq!(output(directory.path(), Select::default())?, format!("{long}\nb\ncut o"));
    assert_eq!(output(directory.path(), Select { tail: Some(1), ..Select::default() })?, "b\ncut o");
    Ok(())
}

#[test]
fn rotated_files_are_one_log_and_a_missing_one_is_empty() -> anyhow::Result<()> {
    let directory = directory(&[
        ("log.2", line(1, "stdout F a")),
        ("log.1", line(2, "stdout P b")),
        ("log", line(3, "stdout F c")),
    ])?;
    assert_eq!(output(directory.path(), Select::default())?, "a\nbc\n");
    fs::remove_file(directory.path().join("log"))?;
    assert_eq!(output(directory.path(), Select::default())?, "a\nb");
    let empty = tempfile::tempdir()?;
    assert_eq!(output(empty.path(), Select::default())?, "");
    Ok(())
}

#[test]
fn tail_counts_lines_from_the_end() -> anyhow::Result<()> {
    let newest =
        [line(4, "stdout F d"), line(5, "stdout P e1 "), line(6, "stdout F e2"), line(7, "stdout F f")].concat();
    let older = [line(1, "stdout F a"), line(2, "stdout F b"), line(3, "stdout F c")].concat();
    let directory = directory(&[("log.1", older), ("log", newest.clone())])?;
    for (tail, expected) in [
        (0, ""),
        (1, "f\n"),
        (2, "e1 e2\nf\n"),
        (3, "d\ne1 e2\nf\n"),
        (4, "c\nd\ne1 e2\nf\n"),
        (6, "a\nb\nc\nd\ne1 e2\nf\n"),
        (99, "a\nb\nc\nd\ne1 e2\nf\n"),
    ] {
        assert_eq!(output(directory.path(), Select { tail: Some(tail), ..Select::default() })?, expected, "{tail}");
    }
    fs::write(directory.path().join("log"), newest + &line(8, "stdout P open"))?;
    for (tail, expected) in [(1, "open"), (2, "f\nopen")] {
        assert_eq!(output(directory.path(), Select { tail: Some(tail), ..Select::default() })?, expected, "{tail}");
    }
    Ok(())
}

#[test]
fn since_and_until_select_by_time_and_tail_counts_what_they_leave() -> anyhow::Result<()> {
    let all = (1..=5).map(|second| line(second, &format!("stdout F {second}"))).collect::<String>();
    let directory = directory(&[("log", all)])?;
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let (two, four) = (at("2026-01-01T00:00:02.000000001Z"), at("2026-01-01T00:00:04.5Z"));
    for (select, expected) in [
        (Select { since: two, ..Select::default() }, "2\n3\n4\n5\n"),
        (Select { until: four, ..Select::default() }, "1\n2\n3\n4\n"),
        (Select { since: two, until: four, tail: None }, "2\n3\n4\n"),
        (Select { since: two, until: four, tail: Some(2) }, "3\n4\n"),
    ] {
        assert_eq!(output(directory.path(), select)?, expected, "{select:?}");
    }
    Ok(())
}

/// A sink that plays the monitor: each time the reader has caught up, it does the next thing that a monitor does.
struct Monitor {
    directory: PathBuf,
    steps: Vec<Step>,
    writer: Option<io::PipeWriter>,
    seen: Vec<u8>,
}

enum Step {
    Write(&'static str),
    Rotate,
    /// The disk was full in the middle of a line: the monitor removes the part that was written.
    Cut(u64),
    End,
}

impl Monitor {
    fn act(&mut self, step: &Step) -> anyhow::Result<()> {
        let log = self.directory.join("log");
        match step {
            Step::Write(text) => {
                let options = &mut std::fs::OpenOptions::new();
                fs::open_with(&log, options.append(true).create(true))?.write_all(text.as_bytes())?;
            }
            Step::Rotate => fs::rename(&log, self.directory.join("log.1"))?,
            Step::Cut(length) => {
                fs::open_with(&log, std::fs::OpenOptions::new().write(true))?.set_len(*length)?;
            }
            Step::End => self.writer = None,
        }
        Ok(())
    }
}

impl Sink for Monitor {
    type Error = anyhow::Error;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), anyhow::Error> {
        self.seen.extend_from_slice(entry.text);
        self.seen.extend(if entry.is_partial { None } else { Some(b'\n') });
        Ok(())
    }

    fn caught_up(&mut self) -> Result<(), anyhow::Error> {
        // An empty list: the last wait saw the end.
        while !self.steps.is_empty() {
            let step = self.steps.remove(0);
            self.act(&step)?;
            if !matches!(step, Step::Rotate) {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn following_crosses_rotations_and_ends_with_the_writer() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (end, writer) = io::pipe()?;
    let steps = vec![
        Step::Write("t stdout F a\n"),
        Step::Write("t stdout F b\nt stdout F half"),
        Step::Write(" a line\n"),
        Step::Rotate,
        Step::Write("t stdout F c\n"),
        Step::Write("t stdout P d\n"),
        Step::Rotate,
        Step::Write("t stdout F e\n"),
        Step::End,
    ];
    let mut sink = Monitor { directory: directory.path().to_owned(), steps, writer: Some(writer), seen: Vec::new() };
    follow(&directory.path().join("log"), &Select::default(), Some(end.as_fd()), &mut sink)
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    assert_eq!(String::from_utf8(sink.seen)?, "a\nb\nhalf a line\nc\nde\n");
    Ok(())
}

#[test]
fn a_line_that_its_writer_takes_back_is_not_mixed_with_the_next() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (end, writer) = io::pipe()?;
    let steps = vec![
        Step::Write("t stdout F a\nt stdout F hal"),
        Step::Cut(13),
        Step::Write("t stdout F b, which is longer than what was cut\n"),
        Step::End,
    ];
    let mut sink = Monitor { directory: directory.path().to_owned(), steps, writer: Some(writer), seen: Vec::new() };
    follow(&directory.path().join("log"), &Select::default(), Some(end.as_fd()), &mut sink)
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    assert_eq!(String::from_utf8(sink.seen)?, "a\nb, which is longer than what was cut\n");
    Ok(())
}

#[test]
fn following_ends_when_until_has_passed_or_the_writer_has_ended() -> anyhow::Result<()> {
    let directory = directory(&[("log", line(1, "stdout F a"))])?;
    let (end, _writer) = io::pipe()?;
    let select = Select { until: "2026-01-01T00:00:05Z".parse().ok(), ..Select::default() };
    let mut sink = Collected::default();
    follow(&directory.path().join("log"), &select, Some(end.as_fd()), &mut sink)?;
    assert_eq!(sink.out, b"a\n");
    let mut sink = Collected::default();
    follow(&directory.path().join("log"), &Select::default(), None, &mut sink)?;
    assert_eq!((sink.out.as_slice(), sink.caught_up), (&b"a\n"[..], 1));
    Ok(())
}
