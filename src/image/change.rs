//! `--change`: instructions of a Dockerfile that change only the configuration. Their grammar is that of `build`.

use super::Error;
use crate::build::dockerfile::evaluate;
use crate::build::dockerfile::instruction::NAMES;
use crate::types::ImageSettings;

/// Applies one instruction: `CMD ["a", "b"]`, `CMD a b`, or `CMD=a`, which podman accepts too.
pub(super) fn apply(settings: &mut ImageSettings, instruction: &str) -> Result<(), Error> {
    let text = instruction.trim();
    let with_blank =
        text.split_once('=').filter(|(name, _)| NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)));
    let text = with_blank.map_or_else(|| text.to_owned(), |(name, value)| format!("{name} {value}"));
    let refused = |reason| Error::Change { instruction: instruction.to_owned(), reason };
    *settings = evaluate::apply(&text, settings).map_err(|problem| refused(problem.message))?;
    Ok(())
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
            "ENV A=2 D=$B",
            "ENV OLD way of it",
            "EXPOSE 80 53/udp",
            "LABEL a=b",
            "USER=33",
            r#"VOLUME ["/data"]"#,
            "WORKDIR /srv",
            "WORKDIR www",
            "STOPSIGNAL SIGINT",
            "ONBUILD RUN x",
            "HEALTHCHECK --retries=2 CMD x",
        ])
        .expect("fine");
        // In a Dockerfile an ENTRYPOINT drops the CMD of the base; a change does not, as in podman.
        assert_eq!(settings.cmd, ["sh", "-c", "x"]);
        assert_eq!(settings.entrypoint, ["/bin/sh", "-c", "/bin/a b"]);
        assert_eq!(settings.env, ["A=2", "B=two words", "C=a b", "D=two words", "OLD=way of it"]);
        assert_eq!(settings.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
        assert_eq!((settings.labels["a"].as_str(), settings.user.as_str()), ("b", "33"));
        assert!(settings.volumes.contains_key("/data"));
        assert_eq!((settings.working_dir.as_str(), settings.stop_signal.as_str()), ("/srv/www", "SIGINT"));
        assert_eq!(
            (settings.on_build, settings.healthcheck.map(|check| check.retries)),
            (vec!["RUN x".to_owned()], Some(2))
        );
    }

    #[test]
    fn other_instructions_are_refused_by_name() {
        for bad in [
            "RUN x",
            "CMD",
            "ENV A",
            "EXPOSE x",
            "EXPOSE 0",
            "STOPSIGNAL SIGNONE",
            "ENV A=\"open",
            "LABEL =x",
            "",
            "FROM a",
        ] {
            assert!(changed(&[bad]).is_err(), "{bad}");
        }
        assert_eq!(
            changed(&["RUN x"]).expect_err("refused"),
            "`--change` cannot take `RUN x`: RUN does not change the configuration"
        );
    }
}
