# Functions for the scripts in this directory: packages, devices, users, running as another user. Sourced by bash.
# shellcheck shell=bash

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

# install_packages NAME…: installs missing packages; without root it names them and continues.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  if [ "${#missing[@]}" = 0 ]; then
    note "all packages are installed: $*"
  elif ! is_root; then
    note "missing packages, which only root can install: apt-get install ${missing[*]}"
    note "continuing without them"
  else
    note "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local options=(-qq -y -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root)
    # If one of the host's package sources does not answer, the install below tells whether it matters.
    apt-get "${options[@]}" update >/dev/null 2>&1 || note "apt-get update did not reach every source"
    if ! apt-get "${options[@]}" install --no-install-recommends "${missing[@]}" >/dev/null; then
      for name in "${missing[@]}"; do
        apt-get "${options[@]}" install --no-install-recommends "$name" >/dev/null || note "cannot install $name"
      done
    fi
  fi
}

# open_devices: lets every user open the two devices that networks and fuse-overlayfs need, as udev does in Debian.
open_devices() {
  is_root || return 0
  local path numbers
  for path in /dev/net/tun:10:200 /dev/fuse:10:229; do
    IFS=: read -r path numbers <<<"$path"
    if [ ! -e "$path" ]; then
      mkdir -p "${path%/*}"
      mknod -m 0666 "$path" c "${numbers%:*}" "${numbers#*:}" 2>/dev/null || { note "cannot create $path"; continue; }
      note "created $path"
    elif [ "$(stat -c %a "$path")" != 666 ]; then
      chmod 0666 "$path" && note "opened $path to all users"
    fi
  done
}

# make_user NAME ranges|none: creates the user if it does not exist, with or without subordinate IDs.
make_user() {
  local name=$1 ranges=$2
  if ! id "$name" >/dev/null 2>&1; then
    if [ "$ranges" = none ]; then
      useradd --create-home --shell /bin/bash -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$name"
    else
      useradd --create-home --shell /bin/bash "$name"
    fi
    note "created the user $name"
  fi
  if [ "$ranges" != none ] && ! grep -q "^$name:" /etc/subuid 2>/dev/null; then
    touch /etc/subuid /etc/subgid
    local start
    start=$(awk -F: 'BEGIN { top = 100000 } $2 + $3 > top { top = $2 + $3 } END { print top }' /etc/subuid /etc/subgid)
    usermod --add-subuids "$start-$((start + 65535))" --add-subgids "$start-$((start + 65535))" "$name"
    note "gave $name the subordinate IDs from $start"
  elif [ "$ranges" = none ]; then
    sed -i "/^$name:/d" /etc/subuid /etc/subgid
  fi
}

# as_user NAME PROGRAM…: runs the program as that user, with the user's home and nothing else in its environment.
as_user() {
  local name=$1 home
  shift
  if [ "$name" = "$(id -un)" ]; then
    env -i HOME="$HOME" USER="$name" LOGNAME="$name" \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
    return
  fi
  home=$(getent passwd "$name" | cut -d: -f6)
  setpriv --reuid="$name" --regid="$name" --init-groups -- env -i HOME="$home" USER="$name" LOGNAME="$name" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}

# need_cargo: finds the toolchain, even if it is only where rustup installs it, and checks that it is new enough.
need_cargo() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  command -v cargo >/dev/null || die "cargo not found: install Rust $wanted or later (https://rustup.rs)"
  found=$(cargo --version | cut -d' ' -f2)
  printf '%s\n' "$wanted" "$found" | sort -VC || die "Rust $found is too old: rc needs $wanted (https://rustup.rs)"
}

# busybox_tree DIR: creates a root filesystem with the host's static busybox and a link for each of its commands.
busybox_tree() {
  local root=$1 busybox name
  busybox=$(command -v busybox) || return 1
  mkdir -p "$root"/{bin,dev,etc,proc,root,run,sys,tmp,var,www}
  chmod 1777 "$root/tmp"
  install -m 755 "$busybox" "$root/bin/busybox"
  "$busybox" --list | while read -r name; do
    [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}

# fill_lab DIR: builds what the tests need and copies it to DIR, where every user can read it (unlike the clone,
# perhaps): bin/ with rc, it, unit and payload, and the source.
fill_lab() {
  local lab=$1 built output
  chmod 755 "$lab"
  mkdir -p "$lab/bin" "$lab/source"
  cargo test --no-run 2>&1 | tee "$lab/built"
  # built_as TARGET: the file that cargo built for the target.
  built_as() { sed -n "s|^ *Executable .*$1 (\(.*\))\$|\1|p" "$lab/built"; }
  output=$(built_as tests/it/main.rs)
  cp "$output" "$lab/bin/it"
  output=${output%/deps/*}
  cp "$(built_as src/lib.rs)" "$lab/bin/unit"
  cp "$output/rc" "$lab/bin/rc"
  cp "$output/examples/payload" "$lab/bin/payload"
  git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null |
    tar -C "$lab/source" --no-same-owner -xf -
  chmod -R a+rX "$lab"
}
