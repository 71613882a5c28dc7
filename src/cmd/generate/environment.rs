/// The variables that `asked` names, as `NAME=VALUE`: as with `run`, `NAME` and `NAME*` are looked up in `known`.
pub(super) fn named(asked: &[String], known: &[(String, String)]) -> Vec<String> {
    asked.iter().flat_map(|text| variables(text, known.iter().cloned())).collect()
}

/// The variables that `text` names: itself if it has a value, otherwise those of `known` with this name or prefix.
pub(super) fn variables(text: &str, known: impl Iterator<Item = (String, String)>) -> Vec<String> {
    if text.contains('=') {
        return vec![text.to_owned()];
    }
    let prefix = text.strip_suffix('*');
    known
        .filter(|(name, _)| prefix.map_or(name == text, |prefix| name.starts_with(prefix)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}
