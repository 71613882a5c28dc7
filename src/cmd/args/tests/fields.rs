use super::run;
use crate::plan::{
    DescriptorRequest, HealthRequest, LimitRequest, LogRequest, MountRequest, PortRequest, PullPolicy, RegistryRequest,
    Request, ServiceRequest,
};
use crate::types::Network;

#[test]
fn every_option_reaches_its_field() {
    let line = "--add-host a:1.1.1.1 --cap-add x --cap-drop y --cidfile c --cpus 1 -c 2 --cpu-quota -1 \
        --cpu-period 3 --cpuset-cpus 0-1 --cpuset-mems 0 --blkio-weight 10 --blkio-weight-device /dev/a:1 \
        --device-read-bps /dev/b:1 --device-write-bps /dev/c:1 --device-read-iops /dev/d:1 \
        --device-write-iops /dev/e:1 --memory-swap -1 --memory-reservation 1m -d --detach-keys a \
        --dns 1.1.1.1 --dns-option o --dns-search s --entrypoint e -e A=1 --group-add g -h host -i -t --init \
        -l l=1 -m 1g --name n --network none --pids-limit -1 -p 80 --platform linux/arm64 --read-only \
        --read-only-tmpfs=false --replace --rm --security-opt s --shm-size 1m --stop-signal TERM \
        --stop-timeout 3 --tmpfs /t --ulimit nofile=1 -u u -v /v -w /w --sig-proxy=false --preserve-fd 7,4 \
        --cgroup-conf f=1 --cgroup-parent p --cgroupns private --cgroups enabled --restart always \
        --conmon-pidfile m --pidfile i --sdnotify ignore --log-driver none --log-opt q=1 --pull never \
        --http-proxy=false --tls-verify=false --authfile af --cert-dir cd --creds me:secret --retry 1 \
        --retry-delay 2s box";
    let request = run(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    let words = |word: &str| vec![word.to_owned()];
    let expected = Request {
        image: "box".into(),
        entrypoint: Some("e".into()),
        name: Some("n".into()),
        replace: true,
        detach: true,
        interactive: true,
        tty: true,
        auto_remove: true,
        init: Some(true),
        detach_keys: Some("a".into()),
        cidfile: Some("c".into()),
        env: words("A=1"),
        user: Some("u".into()),
        groups: words("g"),
        working_dir: Some("/w".into()),
        labels: words("l=1"),
        hostname: Some("host".into()),
        add_hosts: words("a:1.1.1.1"),
        dns: words("1.1.1.1"),
        dns_search: words("s"),
        dns_options: words("o"),
        network: Some(Network::None),
        publish: vec![PortRequest::from_publish("80").unwrap()],
        mounts: vec![MountRequest::from_volume("/v").unwrap(), MountRequest::from_tmpfs("/t")],
        sig_proxy: Some(false),
        descriptors: [4, 7].map(|number| DescriptorRequest { number, from: None }).into(),
        read_only: true,
        read_only_tmpfs: Some(false),
        shm_size: Some("1m".into()),
        cap_add: words("x"),
        cap_drop: words("y"),
        security_opts: words("s"),
        limits: LimitRequest {
            memory: Some("1g".into()),
            memory_swap: Some("-1".into()),
            memory_reservation: Some("1m".into()),
            cpus: Some("1".into()),
            cpu_shares: Some(2),
            cpu_quota: Some(-1),
            cpu_period: Some(3),
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            blkio_weight: Some(10),
            blkio_weight_devices: words("/dev/a:1"),
            device_read_bps: words("/dev/b:1"),
            device_write_bps: words("/dev/c:1"),
            device_read_iops: words("/dev/d:1"),
            device_write_iops: words("/dev/e:1"),
            pids_limit: Some(-1),
        },
        ulimits: words("nofile=1"),
        stop_signal: Some("TERM".into()),
        stop_timeout: Some(3),
        platform: Some("linux/arm64".into()),
        cgroup_conf: words("f=1"),
        cgroup_parent: Some("p".into()),
        cgroupns: Some("private".into()),
        cgroups: Some("enabled".into()),
        restart: Some("always".into()),
        service: ServiceRequest {
            sdnotify: Some("ignore".into()),
            pidfile: Some("i".into()),
            conmon_pidfile: Some("m".into()),
        },
        registry: RegistryRequest {
            authfile: Some("af".into()),
            cert_dir: Some("cd".into()),
            credentials: Some("me:secret".into()),
            retries: Some(1),
            retry_delay_ms: Some(2000),
        },
        log: LogRequest { driver: Some("none".into()), options: words("q=1") },
        pull: Some(PullPolicy::Never),
        http_proxy: Some(false),
        tls_verify: Some(false),
        create_command: request.create_command.clone(),
        ..Request::default()
    };
    assert_eq!(request, expected);
}

#[test]
fn every_option_of_the_health_check_reaches_its_field() {
    let line = "--health-cmd c --health-interval 1s --health-log-destination local --health-max-log-count 1 \
        --health-max-log-size 2 --health-on-failure kill --health-retries 3 --health-start-interval 4s \
        --health-start-period 5s --health-startup-cmd d --health-startup-interval 6s --health-startup-retries 7 \
        --health-startup-success 8 --health-startup-timeout 9s --health-timeout 10s --no-healthcheck --secret s box";
    let request = run(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(request.secrets, ["s"]);
    let text = |text: &str| Some(text.to_owned());
    let expected = HealthRequest {
        disabled: true,
        cmd: text("c"),
        interval: text("1s"),
        timeout: text("10s"),
        retries: Some(3),
        start_period: text("5s"),
        start_interval: text("4s"),
        on_failure: text("kill"),
        startup_cmd: text("d"),
        startup_interval: text("6s"),
        startup_timeout: text("9s"),
        startup_retries: Some(7),
        startup_success: Some(8),
        log_destination: text("local"),
        max_log_count: Some(1),
        max_log_size: Some(2),
    };
    assert_eq!(request.health, expected);
}

#[test]
fn every_option_about_variables_streams_and_the_kernel_reaches_its_field() {
    let line = "-a stdout --annotation a=b --device /dev/x --env-host --env-merge A=$A --expose 7 --link l \
        --mount type=tmpfs,dst=/m --oom-score-adj -5 --privileged -P --sysctl s=1 --umask 077 --unsetenv X \
        --unsetenv-all --ipc none --uts host --pid host --requires r --pod p \
        --timeout 9 --tz local --runtime crun --device-cgroup-rule a --volumes-from v --image-volume tmpfs \
        --gpus all box";
    let request = run(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    let words = |word: &str| vec![word.to_owned()];
    let expected = Request {
        image: "box".into(),
        attach: words("stdout"),
        annotations: words("a=b"),
        devices: words("/dev/x"),
        env_host: true,
        env_merge: words("A=$A"),
        expose: words("7"),
        links: words("l"),
        mounts: vec![MountRequest::from_tmpfs("/m")],
        oom_score_adj: Some(-5),
        privileged: true,
        publish_all: true,
        sysctls: words("s=1"),
        ipc: Some("none".into()),
        pid: Some("host".into()),
        requires: words("r"),
        pod: Some("p".into()),
        timeout: Some(9),
        gpus: Some("all".into()),
        tz: Some("local".into()),
        device_cgroup_rules: words("a"),
        runtime: Some("crun".into()),
        volumes_from: words("v"),
        image_volume: Some("tmpfs".into()),
        umask: Some("077".into()),
        uts: Some("host".into()),
        unset_env: words("X"),
        unset_env_all: true,
        create_command: request.create_command.clone(),
        ..Request::default()
    };
    assert_eq!(request, expected);
}

#[test]
fn every_option_about_users_reaches_its_field() {
    let line = "--userns keep-id --uidmap 0:1:2 --gidmap 0:3:4 --subuidname a --subgidname b --passwd=false \
        --passwd-entry p --group-entry q --hostuser r box";
    let request = run(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    let expected = Request {
        image: "box".into(),
        userns: Some("keep-id".into()),
        uidmap: vec!["0:1:2".into()],
        gidmap: vec!["0:3:4".into()],
        subuidname: Some("a".into()),
        subgidname: Some("b".into()),
        passwd: Some(false),
        passwd_entry: Some("p".into()),
        group_entry: Some("q".into()),
        host_users: vec!["r".into()],
        create_command: request.create_command.clone(),
        ..Request::default()
    };
    assert_eq!(request, expected);
}
