//! Command lines as tools type them, about networks and ports: kind, minikube, editors, runners, compose and ansible.

use serde_json::Value;

use crate::literal_calls::Tools;

#[test]
fn networks_of_clusters_editors_and_runners() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    tools.ok("docker network create -d=bridge -o com.docker.network.bridge.enable_ip_masquerade=true \
         -o com.docker.network.driver.mtu=1500 --ipv6 --subnet fc00:f853:ccd:e793::/64 kind");
    assert!(
        tools.run("docker network inspect bridge -f '{{ index .Options \"com.docker.network.driver.mtu\" }}'").exit
            == crate::support::Exit::Code(0)
    );
    let subnets = "docker network inspect -f \
                   '{{range (index (index . \"IPAM\") \"Config\")}}{{index . \"Subnet\"}} {{end}}' kind";
    assert!(tools.ok(subnets).contains("fc00:f853:ccd:e793::/64"));
    tools.ok(
        "docker network create --driver=bridge --subnet=192.168.49.0/24 --gateway=192.168.49.1 -o --ip-masq -o --icc \
         -o com.docker.network.driver.mtu=1500 --label=created_by.minikube.sigs.k8s.io=true minikube",
    );
    // What minikube reads of its network.
    let mtu = "docker network inspect minikube --format '{{if (index .Options \"com.docker.network.driver.mtu\")}}\
               {{(index .Options \"com.docker.network.driver.mtu\")}}{{else}}0{{end}} {{.Labels}} {{.Internal}}'";
    assert_eq!(tools.ok(mtu), "1500 map[created_by.minikube.sigs.k8s.io:true] false");
    for text in tools.ok("docker network ls --no-trunc --format '{{json .}}'").lines() {
        let network: Value = serde_json::from_str(text).expect("an object a line");
        let keys = ["ID", "Name", "Driver", "Labels", "Scope", "IPv6", "Internal", "CreatedAt"];
        assert!(keys.iter().all(|key| network[key].is_string()), "{network}");
    }
    tools.ok("docker network create --label abc123 github_network_X");
    tools.ok("podman network create --ignore --internal --ipv6 --subnet 10.211.0.0/24 --gateway 10.211.0.1 \
         --label x=y systemd-back; podman network create --ignore systemd-back");
    tools
        .ok("podman network inspect minikube; podman network create N --subnet 10.212.0.0/24; podman network exists N");
    let listed = "podman network ls --noheading --filter label=x=y --format '{{.Name}}'";
    assert_eq!(tools.ok(listed), "systemd-back");
    tools.ok("docker network prune -f");
    assert_eq!(tools.run("podman network exists N").exit, crate::support::Exit::Code(1));
    tools.end();
}

#[test]
fn published_ports_and_members() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    tools.ok("docker network create n; printf 'FROM_FILE=1\\n' >env");
    tools.ok(
        "docker container run --detach --tty --name web --publish 127.0.0.1::80 --label a=b --env A=B --env-file env \
         --mount type=bind,source=$DIR,destination=/D,readonly --add-host h:10.0.0.1 --network n --network-alias a \
         --entrypoint /payload $IMG sleep",
    );
    let port = tools.ok("docker port web");
    assert!(port.starts_with("80/tcp -> 127.0.0.1:"), "{port}");
    let nested = "docker inspect --format '{{ with (index (index .NetworkSettings.Ports \"80/tcp\") 0) }}\
                  {{ printf \"%s\\t%s\" .HostIp .HostPort }}{{ end }}' web";
    assert_eq!(Some(tools.ok(nested).replace('\t', ":").as_str()), port.strip_prefix("80/tcp -> "));
    let address = tools.ok("docker inspect -f '{{range.NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web");
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{address}");
    let members =
        "docker network inspect n --format '{{range $k,$v := .Containers }}{{$v.Name}} {{$v.IPv4Address}}{{end}}'";
    assert_eq!(tools.ok(members), format!("web {address}/24"));
    assert_eq!(tools.ok("docker network inspect -f {{.ID}} n"), tools.ok("docker network inspect -f {{.Id}} n"));
    assert!(tools.json("podman inspect --format '{{ json .NetworkSettings.Ports }}' web")["80/tcp"].is_array());
    tools.ok("podman create --name=P_db_1 --requires=web --label L=V -e A=b --network=n:alias=db -v $DIR:/src:ro \
         --mount type=volume,source=P_data,destination=/d -p 127.0.0.1::80 \
         --health-cmd '[\"/payload\", \"exit\", \"0\"]' --health-interval 5s $IMG /payload sleep");
    tools.ok("podman container start P_db_1");
    assert_eq!(tools.ok("docker inspect -f '{{.State.Running}}' web P_db_1"), "true\ntrue");
    tools.ok("podman container stop P_db_1 --time 1; podman container rm web --force --volumes --depend");
    assert_eq!(tools.ok("docker ps -aq --filter name=P_db_1"), "");
    tools.end();
    tools.ok("docker network rm n");
}

#[test]
fn nodes_of_clusters() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    tools.ok("docker network create --subnet 10.213.0.0/24 kind");
    tools.ok("docker run --name K --hostname K --label a=b --privileged --security-opt seccomp=unconfined \
         --security-opt apparmor=unconfined --tmpfs /tmp --tmpfs /run --volume /var --volume $DIR:/lib/modules:ro \
         -e K=V --detach --tty --net kind --restart=on-failure:1 --init=false --cgroupns=private --userns=host \
         --device /dev/fuse --publish=127.0.0.1:0:6443/TCP $IMG /payload sleep");
    let nested = "docker inspect --format '{{ with (index (index .NetworkSettings.Ports \"6443/tcp\") 0) }}\
                  {{ printf \"%s\\t%s\" .HostIp .HostPort }}{{ end }}' K";
    let shown = tools.ok(nested);
    let (address, port) = shown.split_once('\t').expect("two words");
    assert!(address == "127.0.0.1" && port.parse::<u16>().is_ok_and(|port| port > 0), "{shown}");
    tools.ok("docker rm -f -v K");
    // A start needs the controllers of the limits.
    let digest = tools.ok("docker image inspect -f '{{.Digest}}' $IMG");
    tools.ok(&format!(
        "docker create -t --privileged --security-opt seccomp=unconfined --tmpfs /tmp --tmpfs /run \
         -v $DIR:/lib/modules:ro --hostname H --name M --label a=b --network kind --ip 10.213.0.9 --volume M:/var \
         --security-opt apparmor=unconfined --memory=3072mb --memory-swap=3072mb --cpus=2 -e container=docker \
         --expose 8443 --publish=127.0.0.1::22 $IMG@{digest} /payload sleep"
    ));
    assert_eq!(
        tools.ok("docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' M"),
        "3221225472 2000000000"
    );
    tools.end();
    tools.ok("docker network rm kind");
}
