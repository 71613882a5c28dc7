//! The commands of a course on docker, in its order: what a beginner types, and what the page shows.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::literal_calls::Tools;
use crate::support::{Exit, Set, port};

#[test]
fn images_are_listed_explained_moved_and_removed() {
    let tools = Tools::new();
    assert!(tools.ok("docker version").contains("Server"));
    assert!(tools.ok("docker info").contains("Storage Driver"));
    let history = tools.ok("docker history $IMG");
    assert!(history.starts_with("IMAGE") && history.contains("CREATED BY") && history.contains("SIZE"), "{history}");
    let images = tools.ok("docker images");
    assert!(images.starts_with("REPOSITORY") && images.contains("payload"), "{images}");
    tools.ok("docker tag $IMG other:1; docker tag $IMG third:2");
    // Several images in one archive, through a pipe, and what `load` says.
    tools.ok("docker save $IMG other:1 third:2 -o stack.tar; docker save $IMG | gzip >one.tar.gz");
    tools.ok("docker rm -f up; docker rmi other:1 third:2");
    let removed = tools.ok("docker rmi $IMG");
    assert!(removed.starts_with("Untagged: ") && removed.contains("\nDeleted: "), "{removed}");
    assert_eq!(tools.ok("gunzip -c one.tar.gz | docker load"), "Loaded image: docker.io/library/payload:latest");
    assert_eq!(tools.ok("docker load -i stack.tar").lines().count(), 3);
    tools
        .ok("docker create --name web $IMG /payload sleep; docker export web -o fs.tar; tar -tf fs.tar | grep payload");
    tools.ok("docker image prune -f; docker image prune -a -f");
    tools.end();
}

#[test]
fn containers_live_and_are_looked_at() {
    let tools = Tools::new();
    assert_eq!(tools.ok("docker run --rm --network none $IMG /payload echo hello"), "hello");
    drop(tools.run("docker run --rm --network none $IMG /payload exit 3").exits(3));
    assert_eq!(
        tools.ok("docker run -d --name my-web --network none -e NODE_ENV=production $IMG /payload sleep").len(),
        64
    );
    assert!(tools.ok("docker ps").contains("my-web") && tools.ok("docker ps").contains("Up "));
    assert_eq!(tools.ok("docker ps -q").lines().count(), 2);
    assert_eq!(tools.ok("docker ps -a --filter name=my-w --format '{{.Names}}'"), "my-web");
    assert!(tools.ok("docker top my-web").contains("/payload sleep"));
    assert!(tools.ok("docker stats --no-stream my-web").contains("my-web"));
    assert_eq!(tools.json("docker exec my-web /payload report")["env"]["NODE_ENV"], "production");
    let inspect = |field: &str| tools.ok(&format!("docker inspect --format '{{{{{field}}}}}' my-web"));
    assert_eq!(inspect(".State.Status"), "running");
    assert_eq!(inspect(".NetworkSettings.IPAddress"), "");
    assert!(inspect(".State.Pid").parse::<u32>().is_ok_and(|pid| pid > 1));
    assert_eq!(inspect("json .Mounts"), "[]");
    assert_eq!(inspect("json .NetworkSettings.Ports"), "{}");
    assert_eq!(inspect(".HostConfig.NanoCpus"), "0");
    assert_eq!(inspect(".HostConfig.Memory"), "0");
    assert!(inspect(".GraphDriver.Name").contains("overlay"));
    assert!(inspect("json .Config.Env").contains("NODE_ENV=production"));
    assert_eq!(inspect("json .Config.Cmd"), "[\"/payload\",\"sleep\"]");
    assert_eq!(inspect(".HostConfig.RestartPolicy.Name"), "no");
    tools.ok(
        "docker cp my-web:/payload copied; cmp copied \"$(command -v docker)\" || true; docker cp copied my-web:/back",
    );
    assert!(tools.ok("docker diff my-web").contains("A /back"));
    tools.ok("docker stop -t 1 my-web");
    assert_eq!(inspect(".State.Status"), "exited");
    assert!(tools.ok("docker ps -a").contains("Exited ("));
    tools.ok("docker start my-web; docker restart -t 1 my-web; docker kill my-web");
    tools.ok("docker create --name late --restart=unless-stopped --network none $IMG /payload echo said");
    assert!(tools.ok("docker ps -a --filter name=late").contains("Created"));
    tools.ok("docker update --restart=no late; docker start -a late");
    assert_eq!(tools.ok("docker logs --tail 100 late"), "said");
    drop(tools.run("docker rm up").exits(2));
    tools.ok("docker rm -f my-web up late");
    assert_eq!(tools.ok("docker ps -aq"), "");
    tools.ok("docker volume prune -af");
}

#[test]
fn volumes_keep_what_a_container_loses() {
    let tools = Tools::new();
    tools.ok("docker volume create data; docker run --rm --network none -v data:/d $IMG /payload write /d/kept text");
    assert_eq!(tools.ok("docker run --rm --network none -v data:/d $IMG /payload read /d/kept"), "text");
    drop(tools.run("docker run --rm --network none $IMG /payload read /d/kept").exits(99));
    assert!(tools.ok("docker volume ls").contains("data"));
    assert!(tools.ok("docker volume inspect data").contains("Mountpoint"));
    assert!(tools.ok("docker system df").contains("Local Volumes"));
    tools.ok("docker volume rm data");
    tools.end();
}

/// The namespaces of a process of the host, or of this one.
fn namespaces(process: &str) -> Vec<(&'static str, String)> {
    let link = |kind| fs::read_link(format!("/proc/{process}/ns/{kind}")).expect("a namespace");
    let kinds = ["pid", "net", "ipc", "mnt", "uts", "user", "cgroup"];
    kinds.map(|kind| (kind, link(kind).display().to_string())).to_vec()
}

#[test]
fn a_container_is_a_process_of_the_host_in_namespaces_of_its_own() {
    let tools = Tools::new();
    tools.ok("docker run -d --name c --hostname inside -v $DIR:/data --network none $IMG /payload sleep");
    let report = tools.json("docker exec c /payload report");
    for (kind, of_host) in namespaces("self") {
        assert_ne!(report["namespaces"][kind], of_host.as_str(), "{kind}");
    }
    assert_eq!(report["hostname"], "inside");
    // The kernel is the host's, and so is the process, under another number.
    let of_host = fs::read_to_string("/proc/version").expect("a version");
    assert_eq!(tools.ok("docker exec c /payload read /proc/version"), of_host.trim_end());
    let pid = tools.ok("docker inspect --format '{{.State.Pid}}' c");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of the host");
    let numbers = status.lines().find(|line| line.starts_with("NSpid:")).expect("its numbers");
    assert!(numbers.contains(&format!("\t{pid}\t")) && numbers.ends_with("\t1"), "{numbers}");
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("its words"), "/payload\0sleep\0");
    let processes = tools.ok("docker exec c /payload processes");
    assert_eq!(processes.lines().count(), 2, "process 1 and the one that lists them: {processes}");
    assert!(processes.starts_with("1 payload "), "{processes}");
    let mounts = report["mounts"].as_array().expect("mounts");
    let kind = |path: &str| {
        let mount = mounts.iter().find(|mount| mount["path"] == path).unwrap_or_else(|| panic!("{path}: {mounts:?}"));
        mount["type"].as_str().expect("a type").to_owned()
    };
    assert!(kind("/").contains("overlay"));
    let usual = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"].map(kind);
    assert_eq!(usual, ["proc", "tmpfs", "devpts", "tmpfs", "mqueue", "sysfs"]);
    kind("/data");
    // An image that is nothing but a program.
    tools.ok(
        "cp \"$PAYLOAD\" hello; tar -c hello | docker import -c 'CMD [\"/hello\", \"echo\", \"Hello!\"]' - hello-world",
    );
    assert_eq!(tools.ok("docker run --rm --network none hello-world"), "Hello!");
    tools.end();
}

#[test]
fn what_is_written_is_above_the_image_and_vanishes_with_the_container() {
    let tools = Tools::new();
    tools.ok("docker run -d --name c --network none $IMG /payload sleep");
    let data = tools.json("docker inspect --format '{{json .GraphDriver.Data}}' c");
    let path = |key: &str, name: &str| PathBuf::from(data[key].as_str().expect("a directory")).join(name);
    let original = fs::read_to_string(path("LowerDir", "etc/passwd")).expect("the image's file");
    assert!(!path("UpperDir", "etc/passwd").exists() && path("WorkDir", "").is_dir());
    assert_eq!(tools.ok("docker exec c /payload read /etc/passwd"), original.trim_end());
    tools.ok("docker exec c /payload write /etc/passwd copied; docker exec c /payload deep /work 1");
    assert_eq!(tools.ok("docker exec c /payload read /etc/passwd"), "copied");
    assert_eq!(fs::read_to_string(path("UpperDir", "etc/passwd")).expect("the copy"), "copied\n");
    assert_eq!(fs::read_to_string(path("LowerDir", "etc/passwd")).expect("the image's file"), original);
    assert_eq!(fs::read_dir(path("UpperDir", "work")).expect("a copy").count(), 1, "a new directory is there at once");
    tools.ok("docker exec c /payload remove /etc/group");
    let whiteout = fs::symlink_metadata(path("UpperDir", "etc/group")).expect("it hides the image's file");
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0, "{whiteout:?}");
    assert!(tools.ok("docker diff c").contains("D /etc/group"));
    // Another container has the same files of the image, and none of these.
    let other = tools.json("docker inspect --format '{{json .GraphDriver.Data}}' up");
    assert_eq!(other["LowerDir"], data["LowerDir"]);
    assert_ne!(other["UpperDir"], data["UpperDir"]);
    assert_eq!(tools.ok("docker exec up /payload read /etc/passwd"), original.trim_end());
    // An image of it hides the file by a name, as OCI has it.
    tools.ok(
        "docker commit c made; docker save --format oci-archive made -o made.tar; mkdir made; tar -C made -xf made.tar",
    );
    let listed = tools.ok("for blob in made/blobs/sha256/*; do tar -tf $blob 2>/dev/null || true; done");
    assert!(listed.lines().any(|line| line.trim_start_matches("./") == "etc/.wh.group"), "{listed}");
    tools.ok("docker rm -f c");
    assert!(!path("UpperDir", "").exists());
    tools.end();
}

#[test]
fn limits_are_shown_as_docker_has_them_and_in_the_spec() {
    let tools = Tools::new();
    let shown = |options: &str| {
        tools.ok(&format!("docker create --name l --network none {options} $IMG /payload sleep"));
        let keys = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} \
                    {{.HostConfig.MemoryReservation}} {{.HostConfig.CpuShares}}";
        let shown = tools.ok(&format!("docker inspect --format '{keys}' l"));
        tools.ok("docker rm l");
        shown
    };
    assert_eq!(shown("--cpus=\"0.5\" --memory=\"256m\""), "500000000 268435456 536870912 0 0");
    let all = "--cpus=\"1.5\" --memory=\"512m\" --memory-swap=\"1g\" --memory-reservation=\"256m\" --cpu-shares=2048";
    assert_eq!(shown(all), "1500000000 536870912 1073741824 268435456 2048");
    // What another runtime would be given.
    let spec = tools.json(&format!(
        "docker run --explain=spec --network none {all} --read-only --hostname h -u 0:0 -e A=b -w /tmp -t \
         --ulimit nofile=1024:1024 $IMG /payload echo x"
    ));
    assert!(spec["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{}", spec["ociVersion"]);
    assert_eq!((&spec["root"]["readonly"], &spec["hostname"]), (&true.into(), &"h".into()));
    let process = &spec["process"];
    assert_eq!(process["args"], json!(["/payload", "echo", "x"]));
    assert_eq!((&process["cwd"], &process["terminal"]), (&"/tmp".into(), &true.into()));
    assert_eq!((&process["user"]["uid"], &process["user"]["gid"]), (&0.into(), &0.into()));
    assert!(process["env"].as_array().is_some_and(|env| env.contains(&"A=b".into())), "{process}");
    assert_eq!(process["rlimits"], json!([{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }]));
    let linux = &spec["linux"];
    assert_eq!(linux["resources"]["cpu"], json!({ "shares": 2048, "quota": 150_000, "period": 100_000 }));
    let memory = json!({ "limit": 536_870_912, "reservation": 268_435_456, "swap": 1_073_741_824 });
    assert_eq!(linux["resources"]["memory"], memory);
    let types = linux["namespaces"].as_array().expect("namespaces").iter().map(|one| &one["type"]);
    let mut types: Vec<&str> = types.filter_map(Value::as_str).collect();
    types.sort_unstable();
    assert_eq!(types, ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]);
    let places = spec["mounts"].as_array().expect("mounts").iter().map(|mount| &mount["destination"]);
    let places: Vec<&str> = places.filter_map(Value::as_str).collect();
    for place in ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    tools.end();
}

#[test]
fn containers_of_a_network_have_addresses_routes_and_names() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    crate::build::base(&tools.lab);
    tools.ok("docker network create --driver bridge --subnet 10.214.0.0/16 --gateway 10.214.0.1 mynetwork");
    let run = "docker run -d -v \"$PAYLOAD\":/payload:ro --network mynetwork";
    tools.ok(&format!("{run} --name web --ip 10.214.0.10 --cap-add NET_ADMIN localhost/base /payload sleep"));
    tools.ok(&format!("{run} --name db localhost/base /payload sleep"));
    let address = |name: &str| {
        tools.ok(&format!(
            "docker inspect -f '{{{{range.NetworkSettings.Networks}}}}{{{{.IPAddress}}}}{{{{end}}}}' {name}"
        ))
    };
    assert_eq!(address("web"), "10.214.0.10");
    let db = address("db");
    for name in ["db", "db.mynetwork"] {
        assert_eq!(tools.ok(&format!("docker exec web /payload look-up udp a {name}")), db, "{name}");
    }
    // With one ID, no group may ping.
    if Set::current() != Set::One {
        tools.ok(&format!("docker exec web /payload ping {db}; docker exec db /payload ping 10.214.0.10"));
    }
    assert!(tools.ok("docker exec web /payload read /etc/resolv.conf").starts_with("nameserver 10.214.0.1\n"));
    let addresses = tools.ok("docker exec web busybox ip addr");
    assert!(addresses.contains("lo: ") && addresses.contains("inet 10.214.0.10/16 ") && addresses.contains("eth0"));
    assert!(tools.ok("docker exec web busybox ip route").contains("default via 10.214.0.1 dev eth0"));
    // Its network is for the one to change who was given the capability.
    tools.ok("docker exec web busybox ip link set lo down");
    let refused = tools.run("docker exec db busybox ip link set lo down").exits(2);
    assert!(refused.stderr().contains("not permitted"), "{refused}");
    tools.end();
    tools.ok("docker network rm mynetwork");
}

#[test]
fn ports_are_published_or_the_reason_is_said() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    let port = port::take(2);
    let ports = [port, port + 1];
    // One image, several containers, each with a port of the host.
    for (name, port) in [("one", ports[0]), ("two", ports[1])] {
        tools.ok(&format!("docker run -d --name {name} -p {port}:80 $IMG /payload tcp 80"));
        tools.lab.ready(name);
        tools.ok(&format!("docker exec {name} /payload ask tcp 127.0.0.1:80 {name}"));
        assert_eq!(tools.ok(&format!("\"$PAYLOAD\" ask tcp 127.0.0.1:{port} {name}")), name);
        let expected = format!("0.0.0.0:{port}->80/tcp");
        assert!(tools.ok(&format!("docker ps --filter name={name} --format '{{{{.Ports}}}}'")).contains(&expected));
        let shown = tools.json(&format!("docker inspect --format '{{{{json .NetworkSettings.Ports}}}}' {name}"));
        assert_eq!(shown["80/tcp"][0]["HostPort"], port.to_string());
    }
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").expect("a number");
    if Set::current() != Set::Root && first.trim() != "0" {
        let refused = tools.run("docker run --rm -p 1:80 $IMG /payload exit 0").exits(125).stderr();
        assert!(refused.contains("`sudo sysctl net.ipv4.ip_unprivileged_port_start="), "{refused}");
    }
    tools.end();
}

#[test]
fn the_dockerfiles_of_the_course_are_built() {
    let tools = Tools::new();
    crate::build::base(&tools.lab);
    let (user, _) = crate::build::other_user();
    let group = if user == "web" { "web:web" } else { "root:root" };
    fs::create_dir(tools.lab.work("app")).expect("a context");
    let write = |name: &str, text: &str| fs::write(tools.lab.work("app").join(name), text).expect("written");
    write("package.json", "{}");
    write("server.js", "one");
    let dockerfile = format!(
        "FROM localhost/base AS builder\nLABEL org.opencontainers.image.authors=\"someone@example.org\"\n\
         WORKDIR /app\nCOPY package*.json ./\n\
         RUN mkdir -p /root/.local/bin $HOME/.cache && \\\n    # a comment within\n\
         \x20   echo tool >/root/.local/bin/tool\nCOPY . .\nRUN rm -r $HOME/.cache\nCMD cat /app/server.js\n\
         FROM localhost/base\nWORKDIR /app\nCOPY --from=builder /root/.local /root/.local\n\
         ENV PATH=/root/.local/bin:$PATH\nCOPY --chown={group} server.js .\nUSER {user}\nCMD [\"cat\",\"server.js\"]\n"
    );
    write("Dockerfile", &dockerfile);
    let build = |options: &str| {
        let output = tools.run(&format!("docker build --progress plain -t app {options} app"));
        assert!(output.exit == Exit::Code(0), "{output}");
        output.stderr()
    };
    build("");
    assert_eq!(tools.ok("docker run --rm --network none app"), "one");
    assert_eq!(tools.ok("docker run --rm --network none app stat -c %U:%G /app/server.js"), group);
    assert_eq!(tools.ok("docker image inspect -f '{{index .Config.Env 0}}' app"), "PATH=/root/.local/bin:/bin");
    build("--target builder");
    assert_eq!(tools.ok("docker run --rm --network none app"), "one");
    assert_eq!(
        tools.ok("docker image inspect -f '{{index .Config.Labels \"org.opencontainers.image.authors\"}}' app"),
        "someone@example.org"
    );
    // Files that change often come last, so that what is installed before them stays.
    write("server.js", "two");
    let again = build("--target builder");
    assert_eq!(again.matches(" CACHED\n").count(), 3, "WORKDIR, COPY package.json, RUN: {again}");
    assert_eq!(tools.ok("docker run --rm --network none app"), "two");
    // A comment behind an instruction is a part of it.
    write("Dockerfile", "FROM localhost/base\nCOPY . .   # all of it\n");
    let refused = tools.run("docker build app").exits(125).stderr();
    assert!(
        refused.starts_with("Dockerfile:2:") && refused.contains("\n   2 | >>> COPY . .   # all of it\n"),
        "{refused}"
    );
    assert!(refused.contains("\nhint: `#` begins a comment only at the beginning of a line"), "{refused}");
    tools.end();
}

#[test]
fn an_archive_is_not_written_to_a_terminal() {
    let tools = Tools::new();
    let docker = tools.lab.work("bin").join("docker");
    for words in [&["save", "payload"][..], &["export", "up"], &["cp", "up:/payload", "-"]] {
        let refused = tools.lab.program(&docker, words).start_on_terminal(24, 80).wait();
        assert!(refused.exit != Exit::Code(0) && refused.stdout.len() < 1000, "{words:?}");
        assert!(refused.stdout().contains("terminal"), "{refused}");
    }
    tools.end();
}
