//! Command lines as tools type them, about pods: podman-compose and units of quadlet.

use crate::literal_calls::Tools;

#[test]
fn pods_of_compose_files_and_units() {
    require!(program "slirp4netns");
    let tools = Tools::new();
    drop(tools.run("podman pod exists pod_P").exits(1));
    tools.ok("podman network create P_default; podman pod create --name=pod_P --infra=false --share=");
    tools.ok("podman pod exists pod_P; podman create --name=P_x_1 --pod=pod_P --network=P_default $IMG /payload sleep");
    tools.ok("podman create --name=P_db_1 --pod=pod_P --requires=P_x_1 --label L=V -e A=b \
         --mount type=volume,source=P_data,destination=/d -v $DIR:/src:ro --network=P_default:alias=db \
         -p 127.0.0.1::80 --health-cmd '[\"/payload\", \"exit\", \"0\"]' --health-interval 5s $IMG /payload sleep");
    tools.ok("podman start P_db_1");
    assert_eq!(tools.ok("podman inspect -f '{{.State.Running}}' P_x_1 P_db_1"), "true\ntrue");
    let db = "podman inspect -f '{{range.NetworkSettings.Networks}}{{.IPAddress}}{{end}}' P_db_1";
    assert_eq!(tools.ok("podman exec P_x_1 /payload look-up udp a db"), tools.ok(db));
    tools.ok("podman stop -t 0 P_db_1 P_x_1; podman rm P_db_1 P_x_1; podman pod rm pod_P");
    let quadlet = "podman pod create --infra-conmon-pidfile=p.pid --replace --exit-policy stop --publish 127.0.0.1::80 \
                   --network P_default -v systemd-data:/d --infra-name p-infra --name p";
    tools.ok(&format!("{quadlet}; {quadlet}; podman pod start p"));
    assert!(tools.ok("cat p.pid").trim().parse::<u32>().is_ok());
    tools.ok("podman pod stop --ignore --time=10 p");
    tools.ok("podman pod rm --ignore --force p; podman pod stop --ignore p; podman pod rm --ignore --force p");
    tools.end();
    tools.ok("podman network rm P_default");
}
