use clap::Parser as _;

use super::*;
use crate::monitor::Status;
use crate::view::sample;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    ps: Args,
}

fn names(line: &str) -> Result<String, String> {
    let args = Line::try_parse_from(format!("ps {line}").split_whitespace()).map_err(|e| e.to_string())?.ps;
    let (config, state) = sample();
    let made = |name: &str, minute: u32, status| {
        let mut config = config.clone();
        config.name = name.parse().map_err(|_| "a name")?;
        config.id = format!("{minute:02x}").repeat(32).parse().map_err(|_| "an id")?;
        config.created = format!("2026-01-01T10:{minute:02}:00Z");
        Ok::<_, &str>((config, status))
    };
    let all = [
        made("web", 2, Status::Running)?,
        made("db", 1, Status::Exited)?,
        made("lost", 4, Status::Orphaned)?,
        made("new", 3, Status::Created)?,
    ];
    let facts: Vec<_> = all.iter().map(|(config, status)| Facts { config, state: &state, status: *status }).collect();
    let rows = rows(&args, args.filter.clone(), &facts, Clock::at("2026-01-01T12:00:00Z"))
        .map_err(|error| error.to_string())?;
    Ok(rows.iter().map(|row| row.config.name.as_str()).collect::<Vec<_>>().join(" "))
}

#[test]
fn which_containers_are_listed_and_in_which_order() {
    for (line, expected) in [
        ("", "web lost"),
        ("-a", "db web new lost"),
        ("-a --sort names", "db lost new web"),
        ("-a --sort runningfor", "lost new web db"),
        ("-n 2", "new lost"),
        ("--last 3 --sort status", "new lost web"),
        ("-l", "lost"),
        ("-n -1", "web lost"),
        ("-f status=exited", "db"),
        ("--filter status=exited --filter status=created", "db new"),
        ("-a -f name=^/web$", "web"),
        ("-a -f since=web", "new lost"),
        ("-a -f before=0303", "db web"),
    ] {
        assert_eq!(names(line).as_deref(), Ok(expected), "{line}");
    }
    for refused in ["--sort pid", "-f since=nobody", "-f before=0"] {
        assert!(names(refused).is_err(), "{refused}");
    }
}
