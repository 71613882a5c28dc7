//! Command lines as tools type them, about networks and ports: kind, editors, runners, compose and ansible.

use crate::literal_calls::Tools;

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
