# Functions for the scenes. A scene runs as root in the guest, and prints a line `ok` or `not ok` per fact. Sourced by
# bash.
# shellcheck shell=bash
set -uo pipefail
scene=$(basename "$0")
failures=0

# check FACT PROGRAM…: a fact, which is true if the program succeeds.
check() {
  local fact=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok $scene: $fact"
  else
    echo "not ok $scene: $fact"
    printf '   | %s\n' "$*" "${said//$'\n'/$'\n   | '}"
    failures=$((failures + 1))
  fi
}

# prints TEXT PROGRAM…: whether the program succeeds and prints exactly that, on both its streams together.
prints() {
  local wanted=$1 said
  shift
  said=$("$@" 2>&1) || { echo "code $?: $said" && return 1; }
  [ "$said" = "$wanted" ] || { echo "expected: $wanted" && echo "instead: $said" && return 1; }
}

# refused PATTERN PROGRAM…: whether the program exits with 125 and prints a line that matches.
refused() {
  local pattern=$1 said code=0
  shift
  said=$("$@" 2>&1) || code=$?
  if [ "$code" != 125 ] || ! grep -q "$pattern" <<<"$said"; then echo "code $code: $said" && return 1; fi
}

# alice COMMAND: runs a shell command in a login session of alice.
alice() { as-alice --login "$*"; }

# doctor_says CHECK STATUS PATTERN: whether `rc doctor` prints that status for that check, and a text that matches.
doctor_says() {
  local check=$1 status=$2 pattern=$3 said
  said=$(alice 'rc doctor' | sed -n "/^$check  *$status /,/^[^ ]/p" | sed '2,${/^[^ ]/d}')
  grep -q -- "$pattern" <<<"$said" || { echo "of $check: ${said:-not $status}" && return 1; }
}

# has_gone PID…: waits until the processes have exited.
has_gone() {
  local pid
  for pid in "$@"; do timeout 60 tail --pid="$pid" -f /dev/null || { echo "$pid is still there" && return 1; }; done
}

# monitor NAME: the process ID of a container's monitor.
monitor() { pgrep -u alice -f "^rc: $1\$"; }

# busybox_image: imports an image of the guest's busybox for alice. $waiting runs a container of it that only waits.
busybox_image() {
  alice 'mkdir -p tree/bin tree/etc && cp /bin/busybox tree/bin/ && ln -sf busybox tree/bin/sh &&
    printf "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n" >tree/etc/passwd &&
    tar -C tree -cf tree.tar . && rc import -q tree.tar busybox >/dev/null'
}
waiting='busybox /bin/busybox tail -f /dev/null'

# store_is_empty: whether nothing of any container is left in alice's store.
store_is_empty() {
  local left
  left=$(cd /home/alice/.local/share/rc && find containers names tmp trash -mindepth 1 2>/dev/null)
  [ -z "$left" ] || { echo "left: $left" && return 1; }
}

# runs: whether a container runs.
run='rc run --rm --network none busybox /bin/busybox echo works'
runs() { prints works alice "$run"; }
# Tests that must pass on any host: a few of each kind.
smoke=(lifecycle::{a_created_container_can_be_removed_unstarted,exec_runs_beside_the_program_with_its_own_exit_code}
  lifecycle::{logs_keep_streams_apart_and_follow_to_the_end,output_and_exit_code_are_the_program_s_own,wait_prints_exit_codes}
  lifecycle::{a_terminal_is_raw_while_the_program_runs_and_restored_after_it,a_refused_run_is_125_and_leaves_nothing}
  lifecycle::create_start_stop_and_remove_are_steps
  run_options::mounts::a_directory_of_the_host_is_bound_and_read_only_when_asked
  run_options::mounts::a_read_only_root_keeps_its_scratch_directories
  run_options::mounts::a_named_volume_outlives_its_container_and_an_anonymous_one_does_not
  run_options::mounts::a_new_volume_is_filled_with_the_image_s_files
  run_options::network::a_published_port_is_answered_from_inside
  run_options::program::a_user_is_a_name_or_exactly_that_number)

# life FACT VARIABLE…: whether the smoke tests pass as alice, with these variables.
life() {
  local fact=$1
  shift
  check "$fact" as-alice env -C /test/source RC_TEST_RC=/test/bin/rc RC_TEST_PAYLOAD=/test/bin/payload RC_TEST_STRICT=0 "$@" \
    /test/bin/it --exact --test-threads 4 "${smoke[@]}"
}
