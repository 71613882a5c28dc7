//! Entry point and command.

use super::{Error, ImageDefaults, Request};
use crate::types::{Invalid, json};

/// The argument vector, and how many of its words come from the entry point.
///
/// A requested entry point, even an empty one, overrides the image's command as well: that command was written as the
/// arguments of the image's own entry point. Source: docker and podman do the same.
pub(super) fn argv(request: &Request, image: &ImageDefaults) -> Result<(Vec<String>, usize), Error> {
    let (mut argv, image_command) = match &request.entrypoint {
        Some(text) => (entrypoint(text).map_err(Error::option("--entrypoint"))?, &[][..]),
        None => (image.entrypoint.clone(), &image.command[..]),
    };
    let entrypoint_len = argv.len();
    argv.extend_from_slice(if request.command.is_empty() { image_command } else { &request.command });
    match argv.first().map(String::as_str) {
        None if request.rootfs => Err(Error::NoCommandForDirectory),
        None => Err(Error::NoCommand { image: image.source.reference.clone() }),
        Some(_) => match argv.iter().find(|word| word.contains('\0')) {
            Some(word) => Err(Error::option("command")(Invalid::new("argument", word, "contains a NUL byte"))),
            None => Ok((argv, entrypoint_len)),
        },
    }
}

/// `--entrypoint`: a JSON array of strings, one program, or nothing.
fn entrypoint(text: &str) -> Result<Vec<String>, Invalid> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.trim_start().starts_with('[') {
        return json::from_str(text)
            .map_err(|error| Invalid::new("entry point", text, format!("not a JSON array of strings: {error}")));
    }
    Ok(vec![text.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entry_point_and_command_join_as_docker_has_it() {
        // image entry point, image command, --entrypoint, command → argv, words of the entry point
        for (image_entrypoint, image_command, asked, command, expected) in [
            ("", "sh", None, "", Some(("sh", 0))),
            ("", "sh", None, "ls -l", Some(("ls -l", 0))),
            ("/init", "sh -c", None, "", Some(("/init sh -c", 1))),
            ("/init -v", "sh", None, "ls", Some(("/init -v ls", 2))),
            ("/init", "sh", Some("/bin/echo"), "", Some(("/bin/echo", 1))),
            ("/init", "sh", Some("/bin/echo"), "a b", Some(("/bin/echo a b", 1))),
            ("/init", "sh", Some(r#"["/bin/sh","-c"]"#), "ls", Some(("/bin/sh -c ls", 2))),
            ("/init", "sh", Some(""), "ls", Some(("ls", 0))),
            ("/init", "sh", Some(""), "", None),
            ("", "", None, "", None),
        ] {
            let image = ImageDefaults { entrypoint: words(image_entrypoint), command: words(image_command), ..image() };
            let request =
                Request { entrypoint: asked.map(str::to_owned), command: words(command), ..Request::default() };
            let expected = expected.map(|(argv, len)| (words(argv), len));
            assert_eq!(argv(&request, &image).ok(), expected, "{image_entrypoint}|{image_command}|{asked:?}|{command}");
        }
    }

    #[test]
    fn an_empty_word_is_a_program_that_the_start_does_not_find() {
        let request = Request { command: vec![String::new()], ..Request::default() };
        assert_eq!(
            argv(&request, &ImageDefaults { entrypoint: Vec::new(), ..image() }).ok(),
            Some((vec![String::new()], 0))
        );
    }

    #[test]
    fn a_broken_array_is_refused_and_no_program_of_that_name() {
        let request = Request { entrypoint: Some(r#"["a""#.to_owned()), ..Request::default() };
        assert!(argv(&request, &image()).is_err());
    }
}
