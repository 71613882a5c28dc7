//! A host and another machine, which are network namespaces of the test.

use std::path::Path;

use super::Lab;
use super::command::Command;

/// A bash script on a host with the addresses 192.0.2.1 and 2001:db8::1 and a default route, as root of a user
/// namespace, where rc has one ID. `rc` is rc, `$PAYLOAD` the payload program, `machine` runs a program on the other
/// machine, which has the addresses 192.0.2.7 and 2001:db8::7, `serve` starts a part of the payload there, and `ready
/// NAME` waits until a container is.
pub(crate) fn on_two_machines<'lab>(lab: &'lab Lab, script: &str) -> Command<'lab> {
    let text = format!(
        "set -e\n\
         ip link set lo up\n\
         exec 9< <(exec unshare --net sh -c 'echo $$; exec sleep 1000')\n\
         read -r machine <&9\n\
         server=\n\
         trap 'kill $machine $server' EXIT\n\
         machine() {{ nsenter --net --target $machine \"$@\"; }}\n\
         ip link add here type veth peer name there netns $machine\n\
         ip addr add 192.0.2.1/24 dev here\n\
         ip addr add 2001:db8::1/64 dev here nodad\n\
         ip link set here up\n\
         ip route add default via 192.0.2.7\n\
         machine ip addr add 192.0.2.7/24 dev there\n\
         machine ip addr add 2001:db8::7/64 dev there nodad\n\
         machine ip link set there up\n\
         rc() {{ $WRAPPER \"$RC\" \"$@\"; }}\n\
         ready() {{ until rc logs \"$1\" | grep -q ready; do :; done; }}\n\
         serve() {{\n\
             : >served\n\
             nsenter --net --target $machine \"$PAYLOAD\" \"$@\" >served 2>&1 & server=$!\n\
             until grep -q ready served; do :; done\n\
         }}\n\
         {script}\n"
    );
    let script = lab.script("script", &text);
    let run = lab.program("unshare", ["--user", "--map-root-user", "--net", "--mount", "bash"]).arg(script);
    let run = run.env("RC_SINGLE_ID", "1").env("RC", Lab::rc_path()).env("PAYLOAD", Lab::payload_path());
    run.env("WRAPPER", Path::new(""))
}
