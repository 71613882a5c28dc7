//! `--change`: instructions of a Dockerfile that change only the configuration.

use serde_json::json;

use super::Error;
use crate::types::{ImageSettings, Signal, json};

/// Applies one instruction: `CMD ["a", "b"]`, `CMD a b`, or `CMD=a`, which podman accepts too.
pub(super) fn apply(settings: &mut ImageSettings, instruction: &str) -> Result<(), Error> {
    let refused = |reason| Error::Change { instruction: instruction.to_owned(), reason };
    let text = instruction.trim();
    let split = text.find(|c: char| c.is_whitespace() || c == '=').ok_or_else(|| refused("must have a value"))?;
    let (word, value) = (text[..split].to_ascii_uppercase(), text[split + 1..].trim());
    if value.is_empty() && !matches!(word.as_str(), "CMD" | "ENTRYPOINT") {
        return Err(refused("must have a value"));
    }
    match word.as_str() {
        "CMD" => settings.cmd = command(value),
        "ENTRYPOINT" => settings.entrypoint = command(value),
        "ENV" => {
            for (name, value) in pairs(value).map_err(refused)? {
                let prefix = format!("{name}=");
                settings.env.retain(|line| !line.starts_with(&prefix));
                settings.env.push(prefix + &value);
            }
        }
        "EXPOSE" => {
            for port in value.split_whitespace() {
                let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                let is_port = number.split('-').all(|end| end.parse::<u16>().is_ok_and(|port| port > 0));
                if !is_port || !matches!(protocol, "tcp" | "udp" | "sctp") {
                    return Err(refused("must be a port, such as `80` or `53/udp`"));
                }
                settings.exposed_ports.insert(format!("{number}/{protocol}"), json!({}));
            }
        }
        "LABEL" => settings.labels.extend(pairs(value).map_err(refused)?),
        "USER" => value.clone_into(&mut settings.user),
        "VOLUME" => {
            for path in list(value).unwrap_or_else(|| value.split_whitespace().map(str::to_owned).collect()) {
                settings.volumes.insert(path, json!({}));
            }
        }
        "WORKDIR" => {
            settings.working_dir = if value.starts_with('/') {
                value.to_owned()
            } else {
                format!("{}/{value}", settings.working_dir.trim_end_matches('/'))
            };
        }
        "STOPSIGNAL" => {
            value.parse::<Signal>()?;
            value.clone_into(&mut settings.stop_signal);
        }
        _ => {
            return Err(refused(
                "only CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, \
             WORKDIR and STOPSIGNAL can be changed",
            ));
        }
    }
    Ok(())
}

fn list(value: &str) -> Option<Vec<String>> {
    json::from_str(value).ok()
}

/// A command: a JSON array as it is, anything else for the shell.
fn command(value: &str) -> Vec<String> {
    list(value).unwrap_or_else(|| match value {
        "" => Vec::new(),
        line => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()],
    })
}

/// `NAME=value NAME="two words"`, or the old `NAME the rest of the line`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (name, value) = text.split_once(char::is_whitespace).ok_or("must be NAME=value")?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    words(text)?
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err("must be NAME=value"),
        })
        .collect()
}

/// Words, split as by a shell: quotes and backslashes.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(instructions: &[&str]) -> Result<ImageSettings, String> {
        let mut settings = ImageSettings::default();
        for instruction in instructions {
            apply(&mut settings, instruction).map_err(|error| error.to_string())?;
        }
        Ok(settings)
    }

    #[test]
    fn instructions_change_the_configuration() {
        let settings = changed(&[
            r#"CMD ["sh", "-c", "x"]"#,
            "entrypoint /bin/a b",
            r#"ENV A=1 B="two words" C=a\ b"#,
            "ENV A=2",
            "ENV OLD way of it",
            "EXPOSE 80 53/udp",
            "LABEL a=b",
            "USER=33",
            r#"VOLUME ["/data"]"#,
            "WORKDIR /srv",
            "WORKDIR www",
            "STOPSIGNAL SIGINT",
        ])
        .expect("fine");
        assert_eq!(settings.cmd, ["sh", "-c", "x"]);
        assert_eq!(settings.entrypoint, ["/bin/sh", "-c", "/bin/a b"]);
        assert_eq!(settings.env, ["B=two words", "C=a b", "A=2", "OLD=way of it"]);
        assert_eq!(settings.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
        assert_eq!((settings.labels["a"].as_str(), settings.user.as_str()), ("b", "33"));
        assert!(settings.volumes.contains_key("/data"));
        assert_eq!((settings.working_dir.as_str(), settings.stop_signal.as_str()), ("/srv/www", "SIGINT"));
    }

    #[test]
    fn other_instructions_are_refused_by_name() {
        for bad in
            ["RUN x", "CMD", "ENV A", "EXPOSE x", "EXPOSE 0", "STOPSIGNAL SIGNONE", "ENV A=\"open", "LABEL =x", ""]
        {
            assert!(changed(&[bad]).is_err(), "{bad}");
        }
        assert_eq!(
            changed(&["RUN x"]).expect_err("refused"),
            "`--change` cannot take `RUN x`: only CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, \
             VOLUME, WORKDIR and STOPSIGNAL can be changed"
        );
    }
}
