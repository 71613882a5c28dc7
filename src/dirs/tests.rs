use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn of(user: u32, root: Option<&str>, variables: &[(&str, &str)]) -> Result<Dirs, Error> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Dirs::of(user, &Given { root: root.map(PathBuf::from), runtime: None }, &|name| {
        variables.get(name).map(OsString::from)
    })
}

fn usual(user_file: &str) -> ConfigFiles {
    let home = Path::new(user_file).ancestors().nth(2).expect("a directory");
    ConfigFiles::Usual {
        podman: home.join("containers/containers.conf"),
        own: [PathBuf::from("/etc/rc/rc.toml"), PathBuf::from(user_file)],
    }
}

#[test]
fn xdg_variables_win_over_home_and_options_over_both() {
    let dirs = of(7, None, &[("HOME", "/h")]).unwrap();
    assert_eq!((dirs.root(), dirs.config()), (Path::new("/h/.local/share/rc"), &usual("/h/.config/rc/rc.toml")));
    let xdg = [("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c")];
    let dirs = of(7, None, &xdg).unwrap();
    assert_eq!((dirs.root(), dirs.config()), (Path::new("/d/rc"), &usual("/c/rc/rc.toml")));
    let dirs = of(7, None, &[("HOME", "/h"), ("RC_ROOT", "/r"), ("RC_CONFIG", "/f.toml")]).unwrap();
    assert_eq!((dirs.root(), dirs.config()), (Path::new("/r"), &ConfigFiles::Only(PathBuf::from("/f.toml"))));
    let dirs = of(7, Some("/o"), &[("HOME", "/h"), ("RC_ROOT", "/r")]).unwrap();
    assert_eq!(dirs.root(), Path::new("/o"));
    assert!(of(7, Some("here"), &[("HOME", "/h")]).unwrap().root().is_absolute());
}

#[test]
fn relative_and_empty_variables_say_nothing() {
    let dirs =
        of(7, None, &[("HOME", "/h"), ("XDG_DATA_HOME", "d"), ("XDG_CONFIG_HOME", ""), ("RC_ROOT", "")]).unwrap();
    assert_eq!((dirs.root(), dirs.config()), (Path::new("/h/.local/share/rc"), &usual("/h/.config/rc/rc.toml")));
}

#[test]
fn without_home_the_password_file_is_asked() {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:7:7::/srv/app:/bin/sh\nnone:x:8:8:::\n";
    assert_eq!(home_of(7, passwd), Some(PathBuf::from("/srv/app")));
    assert_eq!(home_of(8, passwd), None);
    assert_eq!(home_of(9, passwd), None);
}

#[test]
fn root_is_refused_in_the_home_of_another() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let owner = fs::metadata(path).unwrap().uid();
    // As root, this directory belongs to root; as another user, it is foreign to root.
    match of(0, None, &[("HOME", path)]) {
        Ok(_) => assert_eq!(owner, 0),
        Err(Error::Foreign { variable, owner: found, .. }) => {
            assert_eq!((variable, found, owner != 0), ("HOME", owner, true))
        }
        Err(error) => panic!("{error}"),
    }
    assert!(of(owner, None, &[("HOME", path)]).is_ok());
}

#[test]
fn the_runtime_directory_is_private_or_elsewhere() {
    let temp = tempfile::tempdir().unwrap();
    let user = fs::metadata(temp.path()).unwrap().uid();
    // No host has this user, so `/run/user/UID` never exists.
    let elsewhere = 4_000_000_000;
    let base = temp.path().join("base");
    fs::create_dir(&base).unwrap();
    let root = temp.path().join("root");
    let find = |base: &Path, user| {
        let root = root.to_str().unwrap();
        of(user, Some(root), &[("HOME", "/h"), ("XDG_RUNTIME_DIR", base.to_str().unwrap())]).unwrap()
    };
    assert_eq!(find(&base, user).runtime().unwrap(), base.join("rc"));
    assert_eq!(fs::metadata(base.join("rc")).unwrap().mode() & 0o777, 0o700);
    assert_eq!(find(&base, user).runtime().unwrap(), base.join("rc"), "it is found again");

    let link = temp.path().join("link");
    fs::symlink(&base, &link).unwrap();
    assert!(!find(&link, user).is_private(&link), "a symlink is passed over");
    assert!(!find(&base, elsewhere).is_private(&base), "so is a directory of another user");
    let open = std::fs::Permissions::from_mode(0o770);
    std::fs::set_permissions(&base, open).unwrap();
    assert!(!find(&base, user).is_private(&base), "and one that a group can write");

    // Root gets a data directory of its own if nothing else is usable, and that must be private as well.
    let fallback = find(&base, elsewhere).runtime();
    assert!(matches!(fallback, Err(Error::NotPrivate { path, .. }) if path == root.join("run")));
}
