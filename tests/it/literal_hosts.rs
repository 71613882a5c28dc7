//! Command lines of distrobox and toolbox, word by word: containers that are a part of the host.

use crate::literal_calls::Tools;

#[test]
fn distrobox_and_toolbox_word_by_word() {
    only!(Full);
    let tools = Tools::new();
    tools.ok("touch F && chmod 755 F");
    // What both have in common.
    let shared = "--privileged --security-opt label=disable --ipc host --network host --pid host --ulimit host \
                  --userns keep-id:size=65536 --user root:root --volume /dev:/dev:rslave";
    let distrobox = format!(
        "podman create --hostname H --name N {shared} --security-opt apparmor=unconfined --pids-limit=-1 \
         --label manager=distrobox --label distrobox.unshare_groups=0 --env SHELL=bash --env HOME=$HOME \
         --env container=podman --env TERMINFO_DIRS=A:B --env CONTAINER_ID=N --volume /tmp:/tmp:rslave \
         --volume $PWD/F:/usr/bin/entrypoint:ro --volume $HOME:$HOME:rslave --volume /:/run/host/:rslave \
         --volume /sys:/sys:rslave --volume /dev/pts --volume /dev/null:/dev/ptmx --volume /var/log/journal \
         --volume $XDG_RUNTIME_DIR:$XDG_RUNTIME_DIR:rslave --volume /etc/hosts:/etc/hosts:ro \
         --volume /etc/resolv.conf:/etc/resolv.conf:ro --volume /etc/hostname:/etc/hostname:ro --runtime=crun \
         --annotation run.oci.keep_original_groups=1 --volume /dev/null:/run/.distrobox.rootless:ro \
         --entrypoint /payload $IMG echo --verbose --name U --user 1001 --group 1001 --home H --init 0 --nvidia 0 \
         --pre-init-hooks '' --additional-packages '' -- ''"
    );
    tools.ok(&distrobox);
    assert_eq!(
        tools.ok("podman start -a N"),
        "--verbose --name U --user 1001 --group 1001 --home H --init 0 --nvidia 0 --pre-init-hooks  \
         --additional-packages  -- "
    );
    let toolbox = format!(
        "podman --log-level error create --cgroupns host --dns none --env TOOLBOX_PATH=F \
         --env XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR --hostname toolbx --label com.github.containers.toolbox=true \
         --mount type=devpts,destination=/dev/pts --name T --no-hosts {shared} --volume /:/run/host:rslave \
         --volume $DIR:$DIR --volume $HOME:$HOME:rslave --volume $PWD/F:/usr/bin/toolbox:ro \
         --volume $XDG_RUNTIME_DIR:$XDG_RUNTIME_DIR $IMG /payload echo --log-level debug init-container"
    );
    tools.ok(&toolbox);
    assert_eq!(tools.ok("podman --log-level error start -a T"), "--log-level debug init-container");
    let other = tools.run("podman create --runtime=kata $IMG /payload").exits(125).stderr();
    assert!(other.contains("`--runtime`") && other.contains("rc starts containers itself"), "{other}");
    tools.end();
}
