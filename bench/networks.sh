# Rows of bench/run about networks with names: crowd flow outage. Sourced by bash.
# shellcheck shell=bash

# address_in PROGRAM NETWORK NAME: its IPv4 address there.
address_in() { as "$1" inspect --format "{{.NetworkSettings.Networks.$2.IPAddress}}" "$3" 2>/dev/null; }
# member PROGRAM NETWORK NAME OPTIONS… -- WORDS…: a container that runs for long.
member() {
  local options=()
  for word in "${@:4}"; do [ "$word" != -- ] || break; options+=("$word"); done
  as "$1" run -d --name "$3" --network "$2" "${options[@]}" busybox "${@:$((5 + ${#options[@]}))}" >/dev/null 2>&1
}
nothing_left() {
  as rc rm -f -a >/dev/null 2>&1 || true
  [ "$podman" = 0 ] || as podman rm -f -a -t 0 >/dev/null 2>&1 || true
}
# most A B…: the greatest number; `-` is none. scaled A B: A times B. median A B…: the middle one.
most() { printf '%s\n' "$@" | awk '$1 != "-" && (!n++ || $1 + 0 > top + 0) { top = $1 } END { print n ? top : "-" }'; }
scaled() { if [ "$2" = - ]; then echo -; else awk -v a="$1" -v b="$2" 'BEGIN { print a * b }'; fi; }
median() { printf '%s\n' "$@" | sort -n | awk '{ all[NR] = $1 } END { print NR ? all[int((NR + 1) / 2)] : "-" }'; }

# plug_alone NETWORK: how long the child works that connects a container, of so many starts the median, in ms. Strace
# stops it at five system calls alone, for some 50 us in all; the pause before the first is strace's.
plug_alone() (
  is_root && command -v strace >/dev/null || { echo - && return; }
  ahead >&2
  rm -rf "$work/plugs"
  install -d -o "$user" "$work/plugs"
  for number in $(seq "$runs"); do
    env -i -C "$work" HOME="$work" USER="$user" LOGNAME="$user" XDG_RUNTIME_DIR="$work/run" XDG_DATA_HOME="$work/data" \
      XDG_CONFIG_HOME="$work/config" PATH="$work/bin:/usr/bin:/usr/sbin:/bin" strace -u "$user" -ff -qq -ttt --seccomp-bpf \
      -e trace=prctl,setns,exit_group -e signal=none -o "$work/plugs/$number" \
      rc run --rm --network "$1" busybox true >/dev/null 2>>"$work/error" || true
  done
  median $(grep -l '"rc: plug"' "$work"/plugs/* | xargs -r awk '/CLONE_NEWUSER/ { start = $1 } /exit_group/ { print ($1 - start) * 1000 }')
)

if chosen crowd; then
  programs=(rc)
  [ "$podman" = 0 ] || programs+=(podman)
  # As many members of podman's would take a minute.
  declare -A members=([rc]=50 [podman]=50)
  [ "$runs" -gt 8 ] || members[podman]=10
  declare -A took=([podman]=-)
  for program in "${programs[@]}"; do
    as "$program" network create crowd >/dev/null 2>&1 || true
    as "$program" network create next >/dev/null 2>&1 || true
    # Their monitors and the keeper take part in what is measured.
    (ahead >&2 && for number in $(seq "${members[$program]}"); do member "$program" crowd "c$number" -- sleep 1000 || true; done)
    (ahead >&2 && member "$program" next target -- sleep 1000) || true
    as "$program" network connect crowd target >/dev/null 2>&1 || true
    took[$program]=$(turns "$program" network disconnect -f crowd target -- "$program" network connect crowd target | awk '$2 != "-" { $2 /= 1000 } { print $2 }')
  done
  line "network connect to one of 50 members" ms 8 "${took[rc]}" "${took[podman]}"
  line "a container's plug alone, in a network of 50" ms 1.5 "$(plug_alone crowd)" -
  # A second network costs the plug, and the lease, its two files and the keeper's answer besides.
  read -r one two <<<"$(turns rc run --rm --network next busybox true -- rc run --rm --network next --network crowd busybox true)"
  [ "$one" = - ] || one=$(awk -v a="$one" -v b="$two" 'BEGIN { print (b - a) / 1000 }')
  line "a second network, of 50 members, more than one" ms - "$one" -
  nothing_left
fi
if chosen flow; then
  time=2000 rounds=3
  [ "$runs" -gt 8 ] || { time=1000 && rounds=2; }
  # flow PROGRAM…: what a client gets, in Mbit/s, and its longest pause in ms.
  flow() { as timeout $((time / 1000 + 25)) "$@" 2>/dev/null || echo - -; }
  rate() { flow "$@" | cut -d' ' -f1; }
  as payload source 28124 >/dev/null 2>&1 &
  source=$!
  as payload drain 28125 >/dev/null 2>&1 &
  drain=$!
  sleep 0.3
  declare -A ip=([podman]=-) rates=()
  for program in rc podman; do
    [ "$program" = rc ] || [ "$podman" = 1 ] || continue
    as "$program" network create speed >/dev/null 2>&1 || true
    member "$program" speed server -- /payload source 7 || continue
    member "$program" speed client -- sleep 1000 || continue
    ip[$program]=$(address_in "$program" speed server)
  done
  # In turns, so that whatever else the machine does slows all.
  for _ in $(seq "$rounds"); do
    rates[host]=$(most "${rates[host]:--}" "$(rate payload flow in 127.0.0.1:28124 "$time")")
    for program in rc podman; do
      [ -z "${ip[$program]%-}" ] || rates[$program]=$(most "${rates[$program]:--}" "$(rate "$program" exec client /payload flow in "${ip[$program]}:7" "$time")")
    done
  done
  line "container to container (0.6 x loopback)" Mb/s "$(most "$(scaled 0.6 "${rates[host]}")" "${rates[podman]:--}")" "${rates[rc]:--}" "${rates[podman]:--}" higher
  nothing_left
  own=$(ip -4 route get 203.0.113.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  if [ -n "$own" ]; then
    # The way out, to a server on the host, with the usual mtu and others; podman's is its default network's.
    sizes=(1500 9000 16000 20000 65520)
    for mtu in "${sizes[@]}"; do
      as rc network create --opt "mtu=$mtu" "mtu$mtu" >/dev/null 2>&1 || true
      member rc "mtu$mtu" "m$mtu" -- sleep 1000
    done
    as rc network create usual >/dev/null 2>&1 || true
    member rc usual musual -- sleep 1000
    [ "$podman" = 0 ] || member podman slirp4netns musual -- sleep 1000 || true
    declare -A out=()
    for _ in $(seq "$rounds"); do
      for way in in:28124 out:28125; do
        for mtu in "${sizes[@]}" usual; do
          out[$way$mtu]=$(most "${out[$way$mtu]:--}" "$(rate rc exec "m$mtu" /payload flow "${way%:*}" "$own:${way#*:}" "$time")")
        done
        [ "$podman" = 0 ] || out[podman$way]=$(most "${out[podman$way]:--}" "$(rate podman exec musual /payload flow "${way%:*}" "$own:${way#*:}" "$time")")
      done
    done
    for way in in:28124 out:28125; do
      top=-
      for mtu in "${sizes[@]}"; do top=$(most "$top" "${out[$way$mtu]}"); done
      line "way out, ${way%:*} (3 x mtu 1500)" Mb/s "$(scaled 3 "${out[${way}1500]}")" "${out[${way}usual]}" "${out[podman$way]:--}" higher
      line "  - of the best mtu's" x 0.7 "$(ratio "$top" "${out[${way}usual]}" 2)" - higher
      long=10000
      [ "$runs" -gt 8 ] || long=3000
      line "  - the longest pause in $((long / 1000)) s" ms 300 "$(flow rc exec musual /payload flow "${way%:*}" "$own:${way#*:}" "$long" | cut -d' ' -f2)" -
    done
  fi
  kill "$source" "$drain" 2>/dev/null || true
  pkill -u "$user" -f '^payload (source|drain) 2812[45]$' || true
  nothing_left
fi
if chosen outage; then
  # The longest time without an answer when the keeper is killed, of five kills the median.
  as rc network create kept >/dev/null 2>&1 || true
  (ahead >&2 && member rc kept web -- sleep 1000 && member rc kept asker -- sleep 1000) || true
  own=$(ip -4 route get 203.0.113.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  as payload greet-udp 28126 >/dev/null 2>&1 &
  # outage KIND TARGET: in ms.
  outage() {
    local gaps=()
    for _ in 1 2 3 4 5; do
      as rc exec asker /payload gap "$1" "$2" 1500 >"$work/gap" 2>/dev/null &
      sleep 0.5
      kill -KILL "$(pgrep -x -u "$user" 'rc: net kept')" 2>/dev/null || true
      wait $!
      gaps+=("$(awk '{ print $1 / 10 }' "$work/gap")")
    done
    median "${gaps[@]}"
  }
  line "keeper killed: names are back after" ms 50 "$(outage name web)" -
  [ -z "$own" ] || line "  - and the way out" ms 50 "$(outage udp "$own:28126")" -
  pkill -u "$user" -f '^payload greet-udp 28126$' || true
  nothing_left
fi
