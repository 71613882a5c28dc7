//! `--mount type=TYPE,KEY=VALUE,…`: docker's and podman's grammar, in terms of `--volume` and `--tmpfs`.
//!
//! The fields are those of a line of CSV, so a value with a comma is written `"source=/a,b"`. Sources: podman-run(1)
//! and docker's reference, `--mount`.

use std::path::Path;

use super::mounts::Sources;
use super::request::MountRequestKind;
use super::{Error, ImageSource, MountRequest};
use crate::types::Invalid;

impl MountRequest {
    /// Reads `--mount`. Every key is refused by name that rc cannot follow.
    pub(crate) fn from_mount(text: &str) -> Result<Self, Error> {
        let refused = |reason: String| Error::option("--mount")(Invalid::new("mount", text, reason));
        let fields = fields(text).map_err(|reason| refused(reason.to_owned()))?;
        let mut typed = Typed::default();
        for field in &fields {
            let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
            typed.set(key, value).map_err(&refused)?;
        }
        let request = typed.request().map_err(&refused)?;
        // What its parts mean is checked here as well, so that an error names this option.
        match request.checked() {
            Err(Error::Option { source, .. }) => Err(refused(source.reason)),
            other => other.map(|()| request),
        }
    }
}

/// The types that a key belongs to; empty: all.
type Types = &'static [MountRequestKind];

const FILES: Types = &[MountRequestKind::Bind, MountRequestKind::Glob];
const VOLUME: Types = &[MountRequestKind::Volume];
const MEMORY: Types = &[MountRequestKind::Tmpfs, MountRequestKind::Ramfs];
const TERMINALS: Types = &[MountRequestKind::Devpts];
const IMAGE: Types = &[MountRequestKind::Image];

/// What was typed.
#[derive(Debug, Default)]
struct Typed {
    kind: Option<MountRequestKind>,
    source: Option<String>,
    destination: Option<String>,
    /// In the words of `--volume` and `--tmpfs`, each with the types that it belongs to.
    options: Vec<(Types, String)>,
}

impl Typed {
    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        let text = || value.filter(|value| !value.is_empty()).ok_or_else(|| format!("`{key}` needs a value"));
        let mut option = |kinds: Types, word: String| self.options.push((kinds, word));
        match key {
            "type" => self.kind = Some(kind(text()?)?),
            "source" | "src" => self.source = Some(text()?.to_owned()),
            "destination" | "dst" | "target" => self.destination = Some(text()?.to_owned()),
            "ro" | "readonly" => option(&[], if truth(key, value)? { "ro" } else { "rw" }.to_owned()),
            "rw" | "readwrite" => option(&[], if truth(key, value)? { "rw" } else { "ro" }.to_owned()),
            "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid" if value.is_none() => option(&[], key.to_owned()),
            "bind-propagation" => option(FILES, propagation(text()?)?.to_owned()),
            "bind-nonrecursive" => {
                if truth(key, value)? {
                    option(FILES, "bind".to_owned());
                }
            }
            "bind-recursive" => match text()? {
                // A read-only mount always includes the mounts below it.
                "enabled" | "readonly" => {}
                "disabled" => option(FILES, "bind".to_owned()),
                "writable" => return Err("rc makes the mounts below a read-only mount read-only, too".to_owned()),
                other => return Err(format!("`bind-recursive` cannot be `{}`", other.escape_debug())),
            },
            "no-dereference" => {
                if truth(key, value)? {
                    option(FILES, key.to_owned());
                }
            }
            // They have no effect, as with `--volume`.
            "relabel" => match text()? {
                "shared" => option(FILES, "z".to_owned()),
                "private" => option(FILES, "Z".to_owned()),
                other => return Err(format!("`relabel` cannot be `{}`", other.escape_debug())),
            },
            "consistency" => match text()? {
                "cached" | "delegated" | "consistent" | "default" => {}
                other => return Err(format!("`consistency` cannot be `{}`", other.escape_debug())),
            },
            "volume-nocopy" | "nocopy" => {
                if truth(key, value)? {
                    option(VOLUME, "nocopy".to_owned());
                }
            }
            "volume-driver" if matches!(value, Some("local")) => {}
            "tmpfs-size" => option(MEMORY, format!("size={}", text()?)),
            "tmpfs-mode" => option(MEMORY, format!("mode={}", text()?)),
            "tmpcopyup" | "notmpcopyup" if value.is_none() => option(MEMORY, key.to_owned()),
            "uid" | "gid" | "mode" | "max" => option(TERMINALS, format!("{key}={}", text()?)),
            "U" | "chown" => {
                if truth(key, value)? {
                    option(&[], "U".to_owned());
                }
            }
            "idmap" => return Err("a mount cannot have an ID map of its own: only root may make one".to_owned()),
            "volume-driver" => return Err("volumes have no drivers but `local`".to_owned()),
            "volume-opt" | "volume-label" => option(VOLUME, format!("{key}={}", text()?)),
            "subpath" | "bind-subpath" => option(&[], format!("subpath={}", text()?)),
            "volume-subpath" => option(VOLUME, format!("subpath={}", text()?)),
            "image-subpath" => option(IMAGE, format!("subpath={}", text()?)),
            _ => return Err(format!("unknown key `{}`", key.escape_debug())),
        }
        Ok(())
    }

    /// The mount in the other grammar. Without a type it is a volume, as in docker.
    fn request(self) -> Result<MountRequest, String> {
        let kind = self.kind.unwrap_or(MountRequestKind::Volume);
        // Files that match a pattern are where the host has them.
        let implied = (kind == MountRequestKind::Glob).then(String::new);
        let destination = self.destination.or(implied).ok_or("it needs a destination (`dst=DIR`)")?;
        match (kind, &self.source) {
            (MountRequestKind::Bind, None) => return Err("a bind mount needs a source (`src=PATH`)".to_owned()),
            (MountRequestKind::Glob, None) => return Err("a glob mount needs a pattern (`src=PATTERN`)".to_owned()),
            (MountRequestKind::Volume, Some(source)) if source.contains('/') => {
                return Err("a volume's name is no path: a path is mounted with `type=bind`".to_owned());
            }
            _ => {}
        }
        if let Some((_, word)) = self.options.iter().find(|(of, _)| !of.is_empty() && !of.contains(&kind)) {
            return Err(format!("`{word}` does not belong to this type of mount"));
        }
        let options = self.options.into_iter().map(|(_, word)| word).collect();
        Ok(MountRequest { kind, source: self.source, destination, options })
    }
}

fn kind(text: &str) -> Result<MountRequestKind, String> {
    match text {
        "bind" => Ok(MountRequestKind::Bind),
        "volume" => Ok(MountRequestKind::Volume),
        "tmpfs" => Ok(MountRequestKind::Tmpfs),
        "ramfs" => Ok(MountRequestKind::Ramfs),
        "devpts" => Ok(MountRequestKind::Devpts),
        "image" => Ok(MountRequestKind::Image),
        "glob" => Ok(MountRequestKind::Glob),
        "artifact" | "npipe" | "cluster" => Err(format!("mounts of the type `{text}` are not supported")),
        _ => Err(format!(
            "the type must be bind, volume, tmpfs, ramfs, devpts, image or glob, not `{}`",
            text.escape_debug()
        )),
    }
}

fn propagation(text: &str) -> Result<&str, String> {
    match text {
        "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" | "unbindable" | "runbindable" => Ok(text),
        _ => Err(format!("`bind-propagation` cannot be `{}`", text.escape_debug())),
    }
}

/// A switch, alone or with a value. Source: Go's `strconv.ParseBool`.
fn truth(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some(_) => Err(format!("`{key}` must be true or false")),
    }
}

/// The fields of a line of CSV: separated by commas, quoted as a whole, with `""` for a quote. Source: RFC 4180, and
/// Go's `encoding/csv`.
fn fields(text: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        let mut field = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next() {
                    Some('"') if letters.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(letter) => field.push(letter),
                    None => return Err("a quote is not closed"),
                }
            }
            if letters.peek().is_some_and(|next| *next != ',') {
                return Err("a quote must enclose all of a field: `\"source=/a,b\"`");
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                if letter == '"' {
                    return Err("a quote must enclose all of a field: `\"source=/a,b\"`");
                }
                field.push(letter);
            }
        }
        if field.is_empty() {
            return Err("a field is empty");
        }
        fields.push(field);
        if letters.next().is_none() {
            return Ok(fields);
        }
    }
}

impl MountRequest {
    /// Fails as the mount of this request would.
    fn checked(&self) -> Result<(), Error> {
        let names = ["0".repeat(64).parse().map_err(Error::option("--mount"))?];
        let images = self.image_name().map(|name| (name.to_owned(), ImageSource::default())).into_iter().collect();
        let mut sources = Sources { working_dir: Path::new("/"), names: names.iter(), images: &images };
        match self.pattern() {
            Some(_) => self.of_match("/file").resolve(&mut sources).map(drop),
            None => self.resolve(&mut sources).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MountRequest, String> {
        MountRequest::from_mount(text).map_err(|error| error.to_string())
    }

    fn mount(kind: MountRequestKind, source: Option<&str>, destination: &str, options: &[&str]) -> MountRequest {
        MountRequest {
            kind,
            source: source.map(str::to_owned),
            destination: destination.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        }
    }

    #[test]
    fn the_keys_of_docker_and_podman() {
        let (bind, volume, tmpfs) = (MountRequestKind::Bind, MountRequestKind::Volume, MountRequestKind::Tmpfs);
        for (text, expected) in [
            ("type=bind,source=/a,target=/b", mount(bind, Some("/a"), "/b", &[])),
            ("type=bind,src=a,dst=/b,ro", mount(bind, Some("a"), "/b", &["ro"])),
            ("type=bind,src=/a,destination=/b,readonly=true", mount(bind, Some("/a"), "/b", &["ro"])),
            ("type=bind,src=/a,dst=/b,readonly=false", mount(bind, Some("/a"), "/b", &["rw"])),
            (
                "type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-nonrecursive,consistency=cached",
                mount(bind, Some("/a"), "/b", &["rslave", "bind"]),
            ),
            ("type=bind,src=/a,dst=/b,bind-recursive=disabled", mount(bind, Some("/a"), "/b", &["bind"])),
            ("type=bind,src=/a,dst=/b,relabel=shared,U=false", mount(bind, Some("/a"), "/b", &["z"])),
            ("type=bind,src=/a:b,dst=/c", mount(bind, Some("/a:b"), "/c", &[])),
            (r#"type=bind,"src=/a,b",dst=/c"#, mount(bind, Some("/a,b"), "/c", &[])),
            (r#""type=bind","src=/a""b",dst=/c"#, mount(bind, Some("/a\"b"), "/c", &[])),
            ("type=volume,src=db,dst=/b,volume-nocopy=true", mount(volume, Some("db"), "/b", &["nocopy"])),
            ("src=db,dst=/b", mount(volume, Some("db"), "/b", &[])),
            ("type=volume,dst=/b,volume-driver=local", mount(volume, None, "/b", &[])),
            ("src=db,dst=/b,volume-subpath=x/y,U", mount(volume, Some("db"), "/b", &["subpath=x/y", "U"])),
            ("dst=/b,ro", mount(volume, None, "/b", &["ro"])),
            (
                "type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=1777,tmpcopyup",
                mount(tmpfs, None, "/b", &["size=1m", "mode=1777", "tmpcopyup"]),
            ),
            ("type=tmpfs,dst=/b,noexec", mount(tmpfs, None, "/b", &["noexec"])),
            ("type=ramfs,dst=/b,tmpfs-mode=700,U", mount(MountRequestKind::Ramfs, None, "/b", &["mode=700", "U"])),
            (
                "type=devpts,dst=/b,uid=1,gid=2,mode=600,max=9",
                mount(MountRequestKind::Devpts, None, "/b", &["uid=1", "gid=2", "mode=600", "max=9"]),
            ),
            ("type=image,src=a/b:c,dst=/b,rw=true", mount(MountRequestKind::Image, Some("a/b:c"), "/b", &["rw"])),
            (
                "type=image,src=a,dst=/b,image-subpath=/c",
                mount(MountRequestKind::Image, Some("a"), "/b", &["subpath=/c"]),
            ),
            ("type=glob,src=/a/*,ro", mount(MountRequestKind::Glob, Some("/a/*"), "", &["ro"])),
            ("type=glob,src=/a/*,dst=/b", mount(MountRequestKind::Glob, Some("/a/*"), "/b", &[])),
            ("type=bind,src=/a,dst=/b,no-dereference", mount(bind, Some("/a"), "/b", &["no-dereference"])),
            (
                "src=a,dst=/b,volume-label=x=y,volume-opt=type=tmpfs,\"volume-opt=o=size=1m,mode=700\"",
                mount(
                    volume,
                    Some("a"),
                    "/b",
                    &["volume-label=x=y", "volume-opt=type=tmpfs", "volume-opt=o=size=1m,mode=700"],
                ),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_rc_cannot_do_is_refused_by_name() {
        for (text, reason) in [
            ("", "a field is empty"),
            ("type=bind,,dst=/b", "a field is empty"),
            ("type=bind,src=/a", "needs a destination"),
            ("type=bind,dst=/b", "needs a source"),
            ("type=tmpfs,src=/a,dst=/b", "cannot have a source"),
            ("type=tmpfs,dst=/b,tmpfs-size=x", "the unit must be one of b, k, m, g, t, p"),
            ("type=tmpfs,dst=/b,tmpfs-mode=9", "unknown option `mode=9`"),
            ("type=tmpfs,dst=/b,volume-nocopy", "`nocopy` does not belong to this type"),
            ("type=bind,src=/a,dst=/b,tmpfs-size=1m", "`size=1m` does not belong to this type"),
            ("type=bind,src=/a,dst=b", "the destination must be an absolute path"),
            ("type=bind,src=/a,dst=/proc/x", "nothing can be mounted over /proc"),
            ("type=bind,src=/a,dst=/b,ro,rw", "`ro` and `rw` contradict each other"),
            ("type=volume,src=/a,dst=/b", "`type=bind`"),
            ("type=volume,src=a b,dst=/b", "not a volume name"),
            ("type=volume,src=a,dst=/b,volume-driver=nfs", "no drivers but `local`"),
            ("type=volume,src=a,dst=/b,volume-subpath=../x", "must be a path below the source"),
            ("type=bind,src=/a,dst=/b,volume-subpath=x", "does not belong to this type"),
            ("type=image,dst=/b", "needs one (`src=IMAGE`)"),
            ("type=image,src=a,dst=/b,U", "unknown option `U`"),
            ("type=ramfs,dst=/b,tmpfs-size=1m", "use `type=tmpfs`"),
            ("type=ramfs,src=a,dst=/b", "a ramfs cannot have a source"),
            ("type=devpts,dst=/b,max=x", "unknown option `max=x`"),
            ("type=devpts,src=a,dst=/b", "a devpts cannot have a source"),
            ("type=glob,dst=/b", "needs a pattern"),
            ("type=glob,src=/a/*,volume-nocopy", "does not belong to this type"),
            ("type=artifact,src=a,dst=/b", "`artifact` are not supported"),
            ("src=a,dst=/b,volume-opt=o=uid=5", "rc volume create"),
            ("src=a,dst=/b,volume-opt=type=nfs", "only root can mount it"),
            ("type=npipe,src=a,dst=/b", "`npipe` are not supported"),
            ("type=bind,src=/a,dst=/b,idmap", "an ID map of its own"),
            ("type=bind,src=/a,dst=/b,bind-propagation=x", "`bind-propagation` cannot be `x`"),
            ("type=bind,src=/a,dst=/b,readonly=maybe", "`readonly` must be true or false"),
            ("type=bind,src=/a,dst=/b,color=red", "unknown key `color`"),
            ("type=bind,src=,dst=/b", "`src` needs a value"),
            (r#"type=bind,"src=/a,dst=/b"#, "a quote is not closed"),
            (r#"type=bind,src="/a,b",dst=/c"#, "must enclose all of a field"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with("`--mount`: ") && error.contains(reason), "{text}: {error}");
        }
    }
}
