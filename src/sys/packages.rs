//! The command that installs a package, in the words of this host's distribution.

use std::path::Path;

use super::fs;

/// A package that rc may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    /// newuidmap and newgidmap.
    Uidmap,
    /// The user's bus.
    UserBus,
    /// fuse-overlayfs.
    FuseOverlayfs,
    /// slirp4netns.
    Slirp4netns,
    /// pasta.
    Passt,
    /// gpgv.
    Gpgv,
    /// gpg.
    Gpg,
    /// cpp.
    Cpp,
}

/// A family of distributions, by its package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Apk,
}

impl Package {
    /// What to do to get it: a command in backticks, or the name of the package if the host's package manager is
    /// unknown.
    pub(crate) fn install(self) -> String {
        // Source: os-release(5).
        let texts = ["/etc/os-release", "/usr/lib/os-release"].iter();
        let text = texts.filter_map(|path| fs::read_to_string(Path::new(path)).ok()).next().unwrap_or_default();
        self.command(Family::of(&text))
    }

    fn command(self, family: Option<Family>) -> String {
        let name = self.name(family.unwrap_or(Family::Apt));
        match family {
            Some(Family::Apt) => format!("`sudo apt install {name}`"),
            Some(Family::Dnf) => format!("`sudo dnf install {name}`"),
            Some(Family::Pacman) => format!("`sudo pacman -S {name}`"),
            Some(Family::Zypper) => format!("`sudo zypper install {name}`"),
            Some(Family::Apk) => format!("`sudo apk add {name}`"),
            None => format!("install the package `{name}` (its name in Debian)"),
        }
    }

    fn name(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::Uidmap, Family::Apt) => "uidmap",
            (Self::Uidmap, Family::Dnf) => "shadow-utils",
            (Self::Uidmap, Family::Pacman | Family::Zypper) => "shadow",
            (Self::Uidmap, Family::Apk) => "shadow-uidmap",
            (Self::UserBus, Family::Apt) => "dbus-user-session",
            (Self::UserBus, Family::Dnf) => "dbus-broker",
            (Self::UserBus, Family::Zypper) => "dbus-1",
            (Self::UserBus, Family::Pacman | Family::Apk) => "dbus",
            (Self::FuseOverlayfs, _) => "fuse-overlayfs",
            (Self::Slirp4netns, _) => "slirp4netns",
            (Self::Passt, _) => "passt",
            (Self::Gpgv, Family::Apt | Family::Apk) => "gpgv",
            (Self::Gpg, Family::Apt) => "gpg",
            (Self::Cpp, Family::Pacman | Family::Apk) => "gcc",
            (Self::Cpp, _) => "cpp",
            (Self::Gpgv | Self::Gpg, Family::Dnf) => "gnupg2",
            (Self::Gpg, Family::Apk) | (Self::Gpgv | Self::Gpg, Family::Pacman) => "gnupg",
            (Self::Gpgv | Self::Gpg, Family::Zypper) => "gpg2",
        }
    }
}

impl Family {
    /// The family of the host's distribution: its own, or the nearest that it is like.
    fn of(os_release: &str) -> Option<Self> {
        let value = |key: &str| {
            let value = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\'']))
        };
        let words = ["ID", "ID_LIKE"].into_iter().filter_map(value).flat_map(str::split_ascii_whitespace);
        words.into_iter().find_map(|word| match word {
            "debian" | "ubuntu" => Some(Self::Apt),
            "fedora" | "rhel" | "centos" => Some(Self::Dnf),
            "arch" => Some(Self::Pacman),
            "suse" | "opensuse" => Some(Self::Zypper),
            "alpine" => Some(Self::Apk),
            word if word.starts_with("opensuse-") => Some(Self::Zypper),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_distribution() {
        for (os_release, expected) in [
            ("ID=debian\n", "`sudo apt install uidmap`"),
            ("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "`sudo apt install uidmap`"),
            ("ID=fedora\n", "`sudo dnf install shadow-utils`"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "`sudo dnf install shadow-utils`"),
            ("ID=arch\n", "`sudo pacman -S shadow`"),
            ("ID=manjaro\nID_LIKE=arch\n", "`sudo pacman -S shadow`"),
            ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", "`sudo zypper install shadow`"),
            ("ID='sles'\nID_LIKE='suse'\n", "`sudo zypper install shadow`"),
            ("ID=alpine\n", "`sudo apk add shadow-uidmap`"),
            ("ID=nixos\n", "install the package `uidmap` (its name in Debian)"),
            ("VERSION_ID=debian\n", "install the package `uidmap` (its name in Debian)"),
            ("", "install the package `uidmap` (its name in Debian)"),
        ] {
            assert_eq!(Package::Uidmap.command(Family::of(os_release)), expected, "{os_release:?}");
        }
        assert_eq!(Package::UserBus.command(Some(Family::Pacman)), "`sudo pacman -S dbus`");
        assert_eq!(Package::Cpp.command(Some(Family::Apk)), "`sudo apk add gcc`");
        assert_eq!(Package::Passt.command(Some(Family::Dnf)), "`sudo dnf install passt`");
    }
}
