use std::fmt;
use std::str::FromStr;

use crate::types::Invalid;

/// The platform that an image must be for, in Go's names: `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Platform {
    /// `linux`.
    pub(crate) os: String,
    /// `amd64`, `arm64`, …
    pub(crate) architecture: String,
    /// `v7`, …; `None` accepts what any CPU of the architecture can run.
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// This host.
    pub(crate) fn host() -> Self {
        let (architecture, variant) = canonical(std::env::consts::ARCH, None);
        Self { os: "linux".to_owned(), architecture, variant }
    }

    /// The platform with these parts; a part that is `None` is the host's. Accepts other common names of architectures.
    pub(crate) fn of(os: Option<&str>, architecture: Option<&str>, variant: Option<&str>) -> Self {
        let host = Self::host();
        let os = os.map_or(host.os, str::to_ascii_lowercase);
        let (architecture, variant) = match (architecture, variant) {
            (None, None) => (host.architecture, host.variant),
            (architecture, variant) => canonical(architecture.unwrap_or(&host.architecture), variant),
        };
        Self { os, architecture, variant }
    }

    /// The rank of an index entry among the suitable ones, 0 for the best; `None` if it is not suitable. A CPU runs
    /// images for its own variant, then for lower ones, then for none in particular. Source: image-spec image-index.md
    /// "Platform Variants", containers/image `WantedPlatforms`.
    pub(crate) fn rank(&self, os: &str, architecture: &str, variant: Option<&str>) -> Option<u32> {
        let (architecture, variant) = canonical(architecture, variant);
        if os != self.os || architecture != self.architecture {
            return None;
        }
        let number = |variant: &Option<String>| variant.as_deref()?.strip_prefix('v')?.parse::<u32>().ok();
        match (&self.variant, &variant) {
            (wanted, found) if wanted == found => Some(0),
            // Any CPU runs the first variant; it may not run higher ones.
            (None, Some(found)) => (architecture != "arm" && found == "v1").then_some(1),
            (Some(_), None) => Some(u32::MAX),
            (wanted, found) => match (number(wanted), number(found)) {
                (Some(wanted), Some(found)) if found < wanted => Some(wanted - found),
                _ => None,
            },
        }
    }
}

/// Go's name for an architecture, and the variant that the name implies.
fn canonical(architecture: &str, variant: Option<&str>) -> (String, Option<String>) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_ascii_lowercase);
    let (name, implied) = match architecture.as_str() {
        "x86_64" | "x86-64" => ("amd64", None),
        "i386" | "i486" | "i586" | "i686" | "x86" => ("386", None),
        "aarch64" | "arm64" => ("arm64", Some("v8")),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        "arm" => ("arm", Some("v7")),
        "powerpc64le" => ("ppc64le", None),
        other => (other, None),
    };
    (name.to_owned(), variant.or(implied.map(str::to_owned)))
}

impl FromStr for Platform {
    type Err = Invalid;

    /// `OS/ARCH[/VARIANT]`, or only `ARCH` as in docker.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.split('/').collect();
        let fine =
            |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !parts.iter().all(fine) {
            return Err(Invalid::new("platform", text, "its parts must consist of letters, digits, `_`, `-` and `.`"));
        }
        match parts[..] {
            ["linux" | "windows"] => Ok(Self::of(Some(parts[0]), None, None)),
            [architecture] => Ok(Self::of(None, Some(architecture), None)),
            [os, architecture] => Ok(Self::of(Some(os), Some(architecture), None)),
            [os, architecture, variant] => Ok(Self::of(Some(os), Some(architecture), Some(variant))),
            _ => Err(Invalid::new("platform", text, "must be OS/ARCH[/VARIANT]")),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_runs_its_own_variant_then_lower_ones_then_any() {
        for (wanted, found, rank) in [
            ("linux/amd64", ("linux", "amd64", None), Some(0)),
            ("linux/x86_64", ("linux", "amd64", None), Some(0)),
            ("amd64", ("linux", "amd64", Some("v1")), Some(1)),
            ("linux/amd64", ("linux", "amd64", Some("v3")), None),
            ("linux/amd64/v3", ("linux", "amd64", Some("v2")), Some(1)),
            ("linux/amd64", ("windows", "amd64", None), None),
            ("linux/arm64", ("linux", "arm64", Some("v8")), Some(0)),
            ("linux/arm64/v8", ("linux", "arm64", None), Some(0)),
            ("linux/arm", ("linux", "arm", Some("v7")), Some(0)),
            ("linux/arm/v7", ("linux", "arm", Some("v6")), Some(1)),
            ("linux/arm/v6", ("linux", "arm", Some("v7")), None),
            ("linux/arm/v6", ("linux", "arm", Some("v5")), Some(1)),
        ] {
            let (os, architecture, variant) = found;
            let platform = wanted.parse::<Platform>();
            assert_eq!(platform.map(|p| p.rank(os, architecture, variant)), Ok(rank), "{wanted} {found:?}");
        }
    }

    #[test]
    fn platforms_parse_as_docker_has_them() {
        for (typed, whole) in [
            ("linux/amd64", "linux/amd64"),
            ("arm64", "linux/arm64/v8"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("Linux/AMD64", "linux/amd64"),
        ] {
            assert_eq!(typed.parse::<Platform>().map(|p| p.to_string()), Ok(whole.to_owned()), "{typed}");
        }
        for bad in ["", "/", "linux/", "a/b/c/d", "linux/amd 64", "linux/\n"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad:?}");
        }
    }
}
