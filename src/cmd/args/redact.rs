use super::Secret;

/// The command line without the values of environment variables, which may be secrets: `-e NAME=value` becomes `-e
/// NAME`. Nor has it the credentials of a registry: `--creds USER:PASSWORD` becomes `--creds USER`.
///
/// `env` are the variables as parsed. The last `command_len` words are the container's command, and stay. However a
/// variable was written (`-e A=1`, `-eA=1`, `-ite A=1`, `--env=A=1`), its word ends with it.
pub(crate) fn redact(typed: &[String], env: &[String], creds: Option<&Secret>, command_len: usize) -> Vec<String> {
    let options = typed.len().saturating_sub(command_len);
    let without_value = |word: &String| {
        let value = |variable: &String| match variable.split_once('=') {
            Some((_, value)) if !value.is_empty() && word.ends_with(variable.as_str()) => Some(value.len() + 1),
            _ => None,
        };
        // If several variables end the word (`A=B=1` and `B=1`), the longest value is the right one.
        let cut = env.iter().filter_map(value).max().unwrap_or(0);
        let secret = creds.and_then(|Secret(creds)| word.ends_with(creds.as_str()).then(|| creds.split_once(':'))?);
        let cut = secret.map_or(0, |(_, password)| password.len() + 1).max(cut);
        word[..word.len() - cut].to_owned()
    };
    let (options, command) = typed.split_at(options);
    options.iter().map(without_value).chain(command.iter().cloned()).collect()
}
