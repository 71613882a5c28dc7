//! Command lines as tools type them, word by word: dev containers, editors, distrobox, toolbox, kind, minikube, runners
//! of GitHub and GitLab, cross, ansible and others. Each is accepted and acts.
//!
//! A line is run by a shell that finds rc as `docker` and `podman`. `$IMG` is an image whose program is the payload.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::output::Output;
use crate::support::{Exit, Lab};

/// The label by which the CLI of dev containers finds its containers.
pub(crate) const LOCAL: &str = concat!("devcontainer.local_", "fol", "der");

/// A directory with rc under both names, and a lab with an image and a running container `up`.
pub(crate) struct Tools {
    pub(crate) lab: Lab,
}

impl Tools {
    /// A lab with an image and the container `up`, which runs.
    pub(crate) fn new() -> Self {
        let lab = Lab::new();
        std::fs::create_dir(lab.work("bin")).expect("a directory can be made");
        for name in ["docker", "docker-buildx", "podman"] {
            symlink(Lab::rc_path(), lab.work("bin").join(name)).expect("a link can be made");
        }
        std::fs::create_dir(lab.work("DIR")).expect("a directory can be made");
        lab.payload();
        let tools = Self { lab };
        tools.ok("docker run -d --name up --network none -l app=1 $IMG /payload sleep");
        tools
    }

    /// Runs a line.
    pub(crate) fn run(&self, line: &str) -> Output {
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.lab.work("bin").display());
        let shell = self.lab.program("/bin/sh", ["-e", "-c", line]);
        shell
            .env("PATH", path)
            .env("IMG", "payload")
            .env("PAYLOAD", Lab::payload_path())
            .env("LOCAL", LOCAL)
            .env("DIR", self.lab.work("DIR"))
            .run()
    }

    /// What a line prints that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.exit == Exit::Code(0), "{output}");
        output.stdout().trim_end_matches('\n').to_owned()
    }

    /// One JSON value.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let text = self.ok(line);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    /// Removes what is left.
    pub(crate) fn end(&self) {
        self.ok("docker rm -fv $(docker ps -aq) && docker volume prune -af");
    }
}

#[test]
fn dev_containers() {
    let tools = Tools::new();
    let origin = "--filter label=$LOCAL=$DIR \
                   --filter label=devcontainer.config_file=$DIR/.devcontainer/devcontainer.json";
    assert_eq!(tools.ok(&format!("docker ps -q -a {origin}")), "");
    let service = "--filter label=com.docker.compose.project=P --filter label=com.docker.compose.service=S";
    assert_eq!(tools.ok(&format!("docker ps -q -a {service}")), "");
    assert!(tools.ok("docker buildx version").contains(" v"));
    tools.ok("docker run --sig-proxy=false -a STDOUT -a STDERR --network none \
         --mount type=bind,source=$DIR,target=/workspaces/x --mount source=vol,target=/dv,type=volume \
         -l $LOCAL=$DIR -l devcontainer.config_file=$DIR/.devcontainer/devcontainer.json -e CE=1 \
         --cap-add=SYS_PTRACE --init --entrypoint /payload -l 'devcontainer.metadata=[{\"a\":\"b\"}]' $IMG \
         echo 'Container started'");
    let id = tools.ok(&format!("docker ps -q -a {origin}"));
    assert_eq!(id.len(), 12);
    let shown = tools.json(&format!("docker inspect --type container {id}"));
    let mounts = shown[0]["Mounts"].as_array().expect("mounts");
    assert!(mounts.iter().any(|mount| mount["Type"] == "bind" && mount["Destination"] == "/workspaces/x"), "{shown}");
    assert!(mounts.iter().any(|mount| mount["Type"] == "volume" && mount["Name"] == "vol"), "{shown}");
    assert_eq!(shown[0]["Config"]["Labels"]["devcontainer.metadata"], "[{\"a\":\"b\"}]");
    tools.ok("docker exec -i -u root -e VSCODE_REMOTE_CONTAINERS_SESSION=UUID up /payload exit 0");
    let lines = "docker exec -i -u root -e HOME=/root -e \"A=multi\nline\" -w / up /payload report";
    assert!(tools.ok(lines).contains("multi\\nline"));
    tools.ok("docker rm -f up");
    assert_eq!(tools.ok("docker -v").split(' ').next(), Some("Docker"));
    tools.end();
}

#[test]
fn container_tools_of_editors() {
    let tools = Tools::new();
    assert_eq!(tools.json("docker info --format '{{json .}}'")["OSType"], "linux");
    let version = tools.json("docker version --format '{{json .}}'");
    assert!(version["Client"]["APIVersion"].is_string() && version["Server"]["APIVersion"].is_string(), "{version}");
    assert!(tools.json("podman container ls --all --no-trunc --format json").is_array());
    let image = tools.json("docker image ls --all --no-trunc --format '{{json .}}'");
    assert!(["Repository", "Tag", "ID", "CreatedAt", "Size"].iter().all(|key| image[key].is_string()), "{image}");
    tools.ok("docker container run --detach --tty --name N --network none --label a=b --env A=B \
         --mount type=bind,source=$DIR,destination=/D,readonly --add-host h:10.0.0.1 --entrypoint /payload $IMG sleep");
    for line in
        ["docker container inspect --format '{{json .}}' N up", "docker image inspect --format '{{json .}}' $IMG"]
    {
        for text in tools.ok(line).lines() {
            let object: Value = serde_json::from_str(text).expect("an object a line");
            assert!(object.is_object(), "{line}: {text}");
        }
    }
    tools.ok("docker volume create v1");
    assert_eq!(tools.json("docker volume inspect --format '{{json .}}' v1")["Name"], "v1");
    tools.ok("docker container exec --interactive N /payload exit 0");
    tools.ok("docker container stop --time 1 N; docker container restart --time 1 N; docker container rm --force N; \
         docker container prune --force");
    let filters = "--filter ancestor=$IMG --filter volume=V --filter network=N --filter status=running";
    assert_eq!(tools.ok(&format!("docker container ls {filters} --no-trunc --format '{{{{json .}}}}'")), "");
    tools.end();
}

#[test]
fn distrobox_and_toolbox() {
    let tools = Tools::new();
    assert!(tools.json("podman inspect --type image $IMG").is_array());
    assert!(!tools.ok("podman info").contains("runc"));
    tools.ok("podman create --hostname H --name D --privileged --security-opt label=disable \
         --security-opt apparmor=unconfined --pids-limit=-1 --user root:root --ipc host --network host \
         --label manager=distrobox --label distrobox.unshare_groups=0 --env SHELL=bash --env HOME=/h \
         --env container=podman $IMG /payload sleep");
    tools.ok("podman cp D:/payload F");
    let label = "podman inspect --type container --format '{{ index .Config.Labels \"distrobox.unshare_groups\" }}' D";
    assert_eq!(tools.ok(label), "0");
    let whole = "podman inspect --type container --format 'container_status={{.State.Status}};\
                 {{range .Config.Env}}{{if and (ge (len .) 5) (eq (slice . 0 5) \"HOME=\")}}container_home=\
                 {{slice . 5 | printf \"%q\"}}{{end}}{{end}}' D";
    assert_eq!(tools.ok(whole), "container_status=created;container_home=\"/h\"");
    tools.ok("podman start D");
    tools.ok("podman container commit D name:2026-11-28");
    tools.ok("podman stop -t 0 D; podman rm --force --volumes D");
    assert!(tools.json("podman inspect --type image --format json $IMG").is_array());
    let listed = tools.json("podman ps -a --no-trunc --format json");
    assert!(listed[0]["Names"].is_array() && listed[0]["Labels"].is_object(), "{listed}");
    assert!(tools.json("podman --log-level error ps --all --format json --sort names").is_array());
    let images = tools.json("podman --log-level error images --format json");
    assert!(images[0]["Names"].is_array() && images[0]["Id"].is_string(), "{images}");
    tools.ok(
        "podman --log-level error create --cgroupns host --dns none --env TOOLBOX_PATH=F --hostname toolbx --ipc host \
         --label com.github.containers.toolbox=true --name T --network host --no-hosts --privileged \
         --security-opt label=disable --ulimit host --user root:root --volume /:/run/host:rslave \
         --volume /dev:/dev:rslave $IMG /payload sleep",
    );
    tools.ok("podman --log-level error exec --detach-keys '' --env=A=B --interactive --preserve-fds 0 --user root \
         --workdir / up /payload exit 0");
    for (line, code) in [
        ("podman --log-level error rm ghost", 1),
        ("podman --log-level error rm up", 2),
        ("podman rmi ghost", 1),
        ("podman rmi $IMG", 2),
    ] {
        drop(tools.run(line).exits(code));
    }
    tools.ok("podman --log-level error rm --force T; podman --log-level error start up; podman system migrate");
    tools.ok("podman system migrate --new-runtime crun");
    tools.end();
}

#[test]
fn clusters_in_containers() {
    let tools = Tools::new();
    let info = tools.json("docker info --format '{{json .}}'");
    assert!(info["CgroupVersion"].is_string() && info["SecurityOptions"].to_string().contains("rootless"), "{info}");
    assert_eq!(tools.ok("docker info -f '{{json .DriverStatus }}'").get(..24), Some("[[\"Backing Filesystem\",\""));
    assert_eq!(tools.ok("docker ps -a --filter label=io.x-k8s.kind.cluster=kind --format '{{.Names}}'"), "");
    let podman = tools.json("podman info --format json");
    assert_eq!(podman["host"]["security"]["rootless"], true);
    assert!(
        podman["store"]["graphDriverName"].is_string() && podman["host"]["cgroupControllers"].is_array(),
        "{podman}"
    );
    tools.ok("docker run --name K --hostname N --label a=b --privileged --security-opt seccomp=unconfined \
         --security-opt apparmor=unconfined --tmpfs /tmp --tmpfs /run --volume /var --volume $DIR:/lib/modules:ro \
         -e K=V --detach --tty --net none --restart=on-failure:1 --init=false --cgroupns=private $IMG /payload sleep");
    tools.ok("docker commit --change 'ENTRYPOINT [ \"/usr/local/bin/entrypoint\", \"/sbin/init\" ]' K image");
    assert_eq!(tools.ok("podman inspect --format '{{ json .NetworkSettings.Ports }}' K"), "{}");
    tools.ok("docker rm -f -v K");
    let volume = tools.ok("podman volume create --label K=true");
    assert_eq!(tools.ok("podman volume ls --filter label=K --quiet"), volume);
    tools.ok(&format!("podman volume rm --force {volume}"));
    assert!(tools.json("docker system info --format '{{json .}}'").is_object());
    assert!(tools.json("podman system info --format json").is_object());
    tools.ok("docker volume prune -f --filter label=K=V; docker volume rm --force V");
    tools.ok("docker run -d -t --privileged --security-opt seccomp=unconfined --tmpfs /tmp --tmpfs /run \
         -v $DIR:/lib/modules:ro --hostname H --name M --label a=b --network none --volume N:/var \
         --security-opt apparmor=unconfined -e container=docker $IMG /payload sleep");
    tools.end();
}

#[test]
fn runners_and_builders() {
    let tools = Tools::new();
    for side in ["Server", "Client"] {
        let version = tools.ok(&format!("docker version --format '{{{{.{side}.APIVersion}}}}'"));
        assert!(version.starts_with("1."), "{version}");
    }
    assert_eq!(tools.ok("docker ps --all --quiet --no-trunc --filter \"label=abc123\""), "");
    let id = tools.ok("docker start up >/dev/null; docker ps -q");
    let line = format!(
        "docker ps --all --filter id={id} --filter status=running --no-trunc --format \"{{{{.ID}}}} {{{{.Status}}}}\""
    );
    assert!(tools.ok(&line).contains(" Up "));
    let health = "docker inspect --format=\"{{if .Config.Healthcheck}}{{print .State.Health.Status}}{{end}}\" up";
    assert_eq!(tools.ok(health), "");
    assert_eq!(tools.ok("docker port up"), "");
    tools.ok("mkdir docker; docker --config docker images -q");
    tools.ok("docker run --name R --label L --workdir / --rm --network none -e K -v A:/B $IMG /payload exit 0");
    let platform = tools.ok("docker image inspect $IMG --format {{.Os}}/{{.Architecture}}");
    tools.ok(&format!(
        "docker create --env=CIBUILDWHEEL --env=SOURCE_DATE_EPOCH --name=cibw --interactive --volume=/:/host \
         --platform={platform} --pull=never --network none $IMG /payload sleep"
    ));
    tools.ok("docker start cibw; docker cp cibw:/payload $DIR; docker rm --force -v cibw; podman info --debug");
    let security = tools.ok("docker info -f '{{.SecurityOptions}}'");
    assert!(security.starts_with("[name=seccomp,profile=default name=rootless"), "{security}");
    tools.ok("echo '{\"defaultAction\":\"SCMP_ACT_ALLOW\"}' >F.json; \
         docker run -e K=V -e K --name X --rm --user 0:0 -v A:/xargo:z -v V:/cargo:z -v /cargo/bin -v $DIR:/project:z \
         -w /project --network none --security-opt seccomp=F.json -i $IMG /payload exit 0");
    tools.ok(
        "docker volume create N; docker volume inspect N; docker volume ls --format {{.Name}} --filter name=^cross-",
    );
    tools.ok("docker create --name C -v N:/dst $IMG /payload; docker cp -a $DIR C:/dst");
    tools
        .ok("docker run --rm --tty -u 0:0 -v $DIR:/src:rw,Z --workdir /src --network none --entrypoint /payload $IMG \
         exit 0");
    tools.ok("docker run -t -d -u 0:0 --name J -w $DIR -v $DIR:$DIR:rw,z -v A:/tmp:rw,z -e K=V --network none $IMG \
         /payload cat");
    tools.ok("docker exec --workdir / --env K=V J /payload exit 0; docker stop --time=1 J; docker rm -f --volumes J");
    assert_eq!(tools.ok("docker inspect -f '{{.Config.Hostname}}' up"), id);
    assert!(tools.ok("docker inspect -f '{{json .Created}}' up").starts_with("\"20"));
    assert_eq!(tools.ok("docker inspect -f '{{range.Mounts}}{{.Destination}}\n{{end}}' C"), "/dst");
    let filters = "--filter=status=exited --filter=status=dead --filter=label=com.gitlab.gitlab-runner.type=cache";
    assert_eq!(tools.ok(&format!("docker ps -a -q {filters}")), "");
    tools.ok("docker system prune -af --volumes --filter until=24h");
    tools.ok("docker run -i --network none -v $DIR:$DIR -w \"$DIR\" --entrypoint /payload --name nxf --rm $IMG exit 0");
    // A limit can be asked for everywhere, and a start needs the controller for it.
    tools.ok("docker create -i --cpu-shares 2048 --memory 4096m -e \"NXF_TASK_WORKDIR\" -v $DIR:$DIR -w \"$DIR\" \
         --entrypoint /bin/bash --name nxf-ID --network none $IMG -c \"...\"; docker stop nxf-ID; docker rm nxf-ID");
    tools.end();
}

#[test]
fn units_playbooks_and_compose() {
    let tools = Tools::new();
    assert_eq!(tools.ok("podman rm -v -f -i web"), "");
    tools.ok("podman volume create --ignore --label x=y data; podman volume create --ignore --label x=y data");
    tools.ok("podman volume inspect data; podman volume create V; podman volume rm -f V");
    tools.ok("podman image prune -f; podman system prune --external");
    let version = tools.ok("podman --version ''");
    assert_eq!(version.split(' ').count(), 3, "{version}");
    drop(tools.run("podman container inspect ghost").exits(125));
    assert!(tools.json("podman container inspect up").is_array() && tools.json("podman image inspect $IMG").is_array());
    tools.ok("podman container start up; podman container stop up --time 1");
    tools.ok("podman create --name web --network none $IMG /payload sleep; podman container start web");
    assert!(tools.json("podman ps --format json").is_array());
    let line = "podman generate systemd web --format json --restart-policy always --stop-timeout=10 --new --name";
    let units = tools.json(line);
    let unit = units["container-web"].as_str().expect("a unit by its name");
    assert!(unit.contains("Restart=always") && unit.contains("[Install]"), "{unit}");
    assert_eq!(tools.ok("podman pull $IMG --policy missing").len(), 64);
    assert!(tools.json("docker version --format '{{ json . }}'")["Server"].is_object());
    assert_eq!(tools.ok("docker inspect --format {{.Config.User}} web"), "");
    tools.ok("docker cp web:/payload $DIR");
    assert_eq!(tools.ok("docker inspect '--format={{ json . }}' web web").lines().count(), 2);
    let id = tools.ok("podman inspect -t image -f {{.Id}} $IMG");
    assert_eq!(tools.ok("podman pull --policy missing $IMG"), id.trim_start_matches("sha256:"));
    assert_eq!(tools.ok("podman volume ls --noheading --filter label=x=y --format '{{.Name}}'"), "data");
    tools.end();
}

#[test]
fn scripts() {
    let tools = Tools::new();
    assert!(tools.ok("docker info --format={{.DockerRootDir}}").starts_with('/'));
    let line = "docker ps --format '{{.ID}},{{.Names}},{{.Status}},{{.Image}},{{.CreatedAt}}'";
    assert_eq!(tools.ok(line).split(',').nth(1), Some("up"));
    let usage = tools.json("docker system df -v '--format={{json  .}}'");
    assert!(usage["Images"].is_array() && usage["Volumes"].is_array() && usage["BuildCache"].is_array(), "{usage}");
    assert_eq!(usage["Containers"][0]["Names"], "up");
    assert_eq!(tools.ok("podman info --format={{.Host.Security.Rootless}}"), "true");
    assert_eq!(tools.ok("podman info --format={{.Host.RemoteSocket.Exists}}"), "false");
    assert!(tools.json("podman version --format=json").is_object());
    tools.ok("docker save $IMG -o saved.tar; podman pull docker-archive:saved.tar");
    let networks = "docker inspect -f '{{range.NetworkSettings.Networks}}{{.IPAddress}}{{end}}' up";
    assert_eq!(tools.ok(networks), "");
    assert_eq!(tools.ok("docker inspect -f '{{.NetworkSettings.IPAddress}}' up"), "");
    for line in ["docker ps -aqf name=ghost", "docker images -f dangling=true -q", "docker images -q ghost:tag"] {
        assert_eq!(tools.ok(line), "", "{line}");
    }
    assert_eq!(tools.ok("echo line | docker exec -i up /payload cat"), "line");
    let table = tools.ok("docker ps --format 'table {{.Names}}\\t{{.Status}}\\t{{.Ports}}'");
    assert!(table.starts_with("NAMES") && table.contains("STATUS") && table.contains("PORTS"), "{table}");
    assert_eq!(tools.ok("docker images --format '{{.Repository}}:{{.Tag}}'"), "payload:latest");
    tools.ok("docker save $IMG | gzip >F; docker load <F; docker export up | docker import - new");
    tools.ok("docker export up | tar -t >/dev/null; docker export up | docker import -");
    tools.ok("docker rm -f $(docker ps -aq); docker rmi $(docker images -f dangling=true -q)");
    assert_eq!(tools.ok("docker images -f dangling=true -q; docker ps -aq"), "");
}

#[test]
fn builds() {
    let tools = Tools::new();
    tools.ok("mkdir ctx other; echo x >ctx/f; echo y >other/y; printf 'FROM payload AS base\\nARG A\\nARG _X\\n\
         LABEL a=$A\\nFROM base AS stage\\nCOPY f /f\\nRUN --mount=type=bind,from=name,target=/n \
         [\"/payload\", \"exit\", \"0\"]\\n' >F; printf 'FROM payload\\nCOPY f /f\\n' >ctx/Dockerfile");
    let label = |name: &str| tools.ok(&format!("docker image inspect {name} --format '{{{{.Config.Labels.a}}}}'"));
    // Dev containers. What cannot be used as a cache does not fail the build.
    let cache = "--cache-from localhost:1/cache";
    tools.ok(&format!(
        "sed /RUN/d F >G; docker build -f G -t tag --target stage {cache} --build-arg A=b --build-arg _X=y ctx"
    ));
    assert_eq!(label("tag"), "b");
    tools.ok(&format!(
        "docker buildx build --load --build-arg BUILDKIT_INLINE_CACHE=1 -f F -t tag --target stage {cache} \
         --build-arg A=c --build-context name=other ctx"
    ));
    assert_eq!(label("tag"), "c");
    let platform = tools.ok("docker image inspect $IMG --format {{.Os}}/{{.Architecture}}");
    tools.ok(&format!(
        "printf 'FROM scratch\\nCOPY f /f\\n' >S; docker buildx build -f S --platform {platform} --output type=docker \
         --cache-to type=local,dest=C --no-cache --pull -t tag ctx; test -f C/index.json"
    ));
    // Runners, cross, ansible, goreleaser.
    tools.ok("docker build -t t1 -f \"ctx/Dockerfile\" \"ctx\"; docker run --name N --label L --workdir / --rm -e K \
         -v A:/B --network none t1 /payload exit 0; docker rm --force N");
    tools.ok("docker buildx build --progress plain --label K=V --tag t2 --build-arg A=b --file ctx/Dockerfile \
         --output type=docker ctx");
    let said = tools.ok("podman build -t n --force-rm --format docker --no-cache --label containerfile.hash=H \
         --file F --target base ctx");
    assert_eq!(said.lines().last().map(str::len), Some(64), "{said}");
    let help = tools.ok("docker build --help");
    assert!(help.contains("--provenance") && help.contains("--sbom"), "{help}");
    tools.ok("cd ctx; docker buildx build . --load -t t3 --provenance=false --sbom=false; docker manifest create m t3");
    // As a plugin of docker's.
    let metadata = tools.json("docker-buildx docker-cli-plugin-metadata");
    assert_eq!((&metadata["SchemaVersion"], &metadata["Vendor"]), (&"0.1.0".into(), &"rc".into()));
    let built = tools.ok("BUILDX_BUILDER=default docker-buildx buildx build -t t4 --build-arg X=y ctx 2>/dev/null");
    assert!(built.starts_with("sha256:"), "{built}");
    tools.ok("docker-buildx buildx prune -f; docker-buildx buildx version; docker-buildx buildx du");
    // Scripts.
    tools.ok(
        "printf 'FROM payload\\nLABEL x=y\\n' | docker build -t t5 -; docker build -t t6 -f - ctx <ctx/Dockerfile; \
         tar -C ctx -c . | docker build -q -",
    );
    tools.end();
}
