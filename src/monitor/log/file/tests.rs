use super::*;

fn entries(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("log");
    text.lines().map(|line| line.split_once(' ').expect("time").1.to_owned()).collect()
}

#[test]
fn parts_of_lines_are_marked_and_nothing_can_be_forged() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let mut log = LogFile::open(&path, Bounds { size: 0, files: 1 }).expect("log");
    log.append(Stream::Stdout, b"one\ntw");
    log.append(Stream::Stderr, b"\n");
    log.append(Stream::Stdout, b"o\n2026-01-01T00:00:00Z stderr F forged\r\n");
    assert_eq!(
        entries(&path),
        ["stdout F one", "stdout P tw", "stderr F ", "stdout F o", "stdout F 2026-01-01T00:00:00Z stderr F forged\r"]
            .map(|line| line.trim_end_matches('\r'))
    );
}

#[test]
fn rotation_keeps_whole_lines_and_at_most_the_bound() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let mut log = LogFile::open(&path, Bounds { size: 200, files: 3 }).expect("log");
    for n in 0..40 {
        log.append(Stream::Stdout, format!("line {n}\n").as_bytes());
    }
    let mut all = Vec::new();
    for name in ["log.2", "log.1", "log"] {
        let file = directory.path().join(name);
        assert!(fs::metadata(&file).expect("file").len() <= 300);
        all.extend(entries(&file));
    }
    assert!(!directory.path().join("log.3").exists());
    let numbers: Vec<u32> = all.iter().map(|e| e.rsplit(' ').next().expect("n").parse().expect("n")).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&39));
}

#[test]
fn what_cannot_be_rotated_stays_bounded_and_reports_what_is_lost() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let mut log = LogFile::open(&path, Bounds { size: 1000, files: 3 }).expect("log");
    let mut number = 0;
    let mut lines = |log: &mut LogFile, count: u32| {
        for _ in 0..count {
            log.append(Stream::Stdout, format!("line {number:03}\n").as_bytes());
            number += 1;
        }
    };
    // No new file can be created.
    std::os::unix::fs::symlink("/nowhere", directory.path().join("log.new")).expect("a link is no obstacle");
    lines(&mut log, 30);
    assert!(directory.path().join("log.1").exists());
    fs::create_dir_all(directory.path().join("log.new/full")).expect("an obstacle");
    lines(&mut log, 300);
    let before = entries(&path);
    let rotated = entries(&directory.path().join("log.1"));
    assert_eq!(rotated.first().map(String::as_str), Some("stdout F line 000"), "the old file stands");
    assert!(before.len() < 50 && fs::metadata(&path).expect("log").len() <= 2000, "{before:?}");
    // As soon as there is room again it is rotated, and says what was lost.
    fs::remove_dir_all(directory.path().join("log.new")).expect("removed");
    // It is not tried for each line.
    let mut tried_after = 0;
    while entries(&directory.path().join("log.1")) == rotated {
        lines(&mut log, 1);
        tried_after += 1;
    }
    assert!((2..=25).contains(&tried_after), "{tried_after}");
    assert_eq!(entries(&directory.path().join("log.1")), before);
    assert_eq!(entries(&directory.path().join("log.2")), rotated);
    lines(&mut log, 2);
    let after = entries(&path);
    assert!(after.len() == 3 && after[0].ends_with(" bytes of output were lost here"), "{after:?}");
    assert_eq!(after.last(), Some(&format!("stdout F line {}", 30 + 300 + tried_after + 1)));
    assert!(!directory.path().join("log.new").exists());
}

#[test]
fn a_log_that_was_removed_or_shortened_is_there_again_with_the_next_rotation() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    for files in [1, 2, 3] {
        let mut log = LogFile::open(&path, Bounds { size: 200, files }).expect("log");
        let mut lines = |numbers: std::ops::Range<u32>| {
            for n in numbers {
                log.append(Stream::Stdout, format!("line {n}\n").as_bytes());
            }
        };
        lines(0..22);
        fs::remove_file(&path).expect("removed");
        lines(22..43);
        assert_eq!(entries(&path).last().map(String::as_str), Some("stdout F line 42"), "{files}");
        assert_eq!(directory.path().join("log.1").exists(), files > 1);
        fs::write(&path, "").expect("shortened");
        lines(43..64);
        assert_eq!(entries(&path).last().map(String::as_str), Some("stdout F line 63"), "{files}");
        assert!(!directory.path().join(format!("log.{files}")).exists());
    }
}

#[test]
fn a_log_of_one_file_begins_again_even_without_room_for_another() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let mut log = LogFile::open(&path, Bounds { size: 200, files: 1 }).expect("log");
    for obstacle in [false, true] {
        if obstacle {
            fs::create_dir_all(directory.path().join("log.new/full")).expect("an obstacle");
        }
        for n in 0..42 {
            log.append(Stream::Stdout, format!("line {n}\n").as_bytes());
            assert!(fs::metadata(&path).expect("log").len() <= 300);
        }
        assert_eq!(entries(&path).last().map(String::as_str), Some("stdout F line 41"));
        assert!(!directory.path().join("log.1").exists());
    }
}

#[test]
fn a_line_without_end_is_bounded_too_and_its_bytes_are_kept_in_order() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let mut log = LogFile::open(&path, Bounds { size: 200, files: 3 }).expect("log");
    for n in 0..40 {
        log.append(Stream::Stdout, format!("{n:02}").as_bytes());
    }
    let mut all = String::new();
    for name in ["log.2", "log.1", "log"] {
        let file = directory.path().join(name);
        assert!(fs::metadata(&file).expect("file").len() <= 500);
        all.extend(entries(&file).iter().map(|entry| entry.strip_prefix("stdout P ").expect("a part")));
    }
    let expected: String = (0..40).map(|n| format!("{n:02}")).collect();
    assert!(expected.ends_with(&all) && all.len() > 20, "{all}");
}
