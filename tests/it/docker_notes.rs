//! The commands of a course on docker, in its order: what a beginner types, and what the page shows.

use crate::literal_calls::Tools;

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
    assert!(inspect("json .GraphDriver.Data").contains("UpperDir"));
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
