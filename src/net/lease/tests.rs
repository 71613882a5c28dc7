use super::*;
use crate::types::{ContainerId, LeaseRange, NetworkRecord, Subnet};

/// A store with the network `app`: 10.89.0.0/29 and fd00::/64.
fn network(home: &Path) -> Networks {
    let networks = Networks::of(home);
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let subnet = |text: &str, gateway: &str| {
        let whole = Subnet::whole(text.parse().expect("a subnet"));
        Subnet { gateway: Some(address(gateway)), ..whole }
    };
    let mut v6 = subnet("fd00::/64", "fd00::1");
    v6.lease_range = Some(LeaseRange { start_ip: Some(address("fd00::100")), end_ip: None });
    let subnets = vec![subnet("10.89.0.0/29", "10.89.0.1"), v6];
    networks.create(&NetworkRecord { name: app(), subnets, ..NetworkRecord::default_network() }).expect("created");
    networks
}

fn app() -> Name {
    "app".parse().expect("a name")
}

fn owner(number: u8) -> Owner {
    Owner::container(&ContainerId::from_bytes([number; 32]))
}

fn new(number: u8, wanted: &[&str]) -> NewLease {
    NewLease {
        owner: owner(number),
        name: format!("c{number}").parse().expect("a name"),
        names: vec![format!("c{number}")],
        wanted: wanted.iter().map(|text| text.parse().expect("an address")).collect(),
        mac: None,
        interface: "eth0".to_owned(),
        networks: vec![app()],
        dns: Vec::new(),
        has_helper: false,
        links: Vec::new(),
        descriptor: Some(7),
        init: None,
    }
}

fn allocate(networks: &Networks, new: NewLease) -> Result<Lease, String> {
    let locked = networks.lock(&app()).expect("locked").expect("there");
    locked.allocate(new).map_err(|error| error.to_string())
}

fn addresses(lease: &Lease) -> Vec<String> {
    lease.addresses.iter().map(NetworkAddress::to_string).collect()
}

fn files(networks: &Networks) -> Vec<String> {
    let paths = fs::paths_in(networks.leases_directory(&app())).expect("lists");
    let mut names: Vec<String> =
        paths.iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Gives an address to an owner whose program lives.
fn live(networks: &Networks, new: NewLease) -> Lease {
    let locked = networks.lock(&app()).expect("locked").expect("there");
    let lease = locked.allocate(new).expect("an address");
    let me = i32::try_from(std::process::id()).expect("a PID");
    let lease = Lease { init: Some(ProcessId::of(me).expect("alive")), ..lease };
    locked.update(&lease).expect("written");
    lease
}

#[test]
fn a_lease_is_one_file_with_a_name_for_each_address() {
    use std::os::unix::fs::MetadataExt as _;
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    let lease = allocate(&networks, new(1, &[])).expect("an address");
    assert_eq!(addresses(&lease), ["10.89.0.2/29", "fd00::100/64"]);
    assert_eq!(lease.mac.to_string(), "02:42:0a:59:00:02");
    assert_eq!(files(&networks), ["10.89.0.2", "fd00::100"]);
    assert_eq!(networks.leases(&app()).expect("read"), std::slice::from_ref(&lease));
    let inode = |name: &str| fs::metadata(networks.leases_directory(&app()).join(name)).expect("there").ino();
    assert_eq!(inode("10.89.0.2"), inode("fd00::100"));
    let with_alias = Lease { names: vec!["c1".to_owned(), "db".to_owned()], ..lease };
    networks.lock(&app()).expect("locked").expect("there").update(&with_alias).expect("written");
    assert_eq!(networks.leases(&app()).expect("read"), std::slice::from_ref(&with_alias));
    assert_eq!((files(&networks).len(), inode("10.89.0.2")), (2, inode("fd00::100")));
    // One of a writer that was killed after the first address has both again.
    fs::remove_file(networks.leases_directory(&app()).join("fd00::100")).expect("removed");
    networks.lock(&app()).expect("locked").expect("there").update(&with_alias).expect("written");
    assert_eq!((files(&networks).len(), inode("10.89.0.2")), (2, inode("fd00::100")));
    networks.release(&app(), &with_alias).expect("removed");
    assert_eq!(files(&networks), [""; 0]);
}

#[test]
fn an_address_is_given_again_as_late_as_possible() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    for expected in ["10.89.0.2/29", "10.89.0.3/29", "10.89.0.4/29", "10.89.0.5/29", "10.89.0.6/29", "10.89.0.2/29"] {
        let lease = allocate(&networks, new(1, &[])).expect("an address");
        assert_eq!(addresses(&lease)[0], expected);
        networks.release(&app(), &lease).expect("removed");
    }
    fs::write(networks.directory(&app()).join("last"), "x\n\u{0}").expect("written");
    assert_eq!(addresses(&allocate(&networks, new(1, &[])).expect("an address"))[0], "10.89.0.2/29");
}

#[test]
fn a_thousand_starts_on_a_small_network_share_no_address() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    // Three of five run all the time, one of which is an orphan: only its program lives.
    let held: Vec<String> = (1..=3).flat_map(|number| addresses(&live(&networks, new(number, &[])))).collect();
    let mut last = Vec::new();
    for number in 0..1000 {
        let own = u8::try_from(number % 50).expect("a few") + 100;
        let lease = allocate(&networks, new(own, &[])).expect("an address");
        let given = addresses(&lease);
        assert!(given.iter().all(|address| !held.contains(address) && !last.contains(address)), "{given:?}");
        last = given;
        match number % 3 {
            // It ends as it should; it is killed; its next start removes what is left.
            0 => networks.release(&app(), &lease).expect("removed"),
            1 => {}
            _ => {
                let locked = networks.lock(&app()).expect("locked").expect("there");
                locked.remove_leases_of(&owner(own)).expect("removed");
            }
        }
    }
    assert!(files(&networks).len() <= 10, "two addresses for each of five: {:?}", files(&networks));
}

#[test]
fn of_two_that_want_an_address_one_gets_it_until_it_ends() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    let wanted = &["10.89.0.5", "fd00::5"];
    let first = live(&networks, new(1, wanted));
    assert_eq!(addresses(&first), ["10.89.0.5/29", "fd00::5/64"]);
    let taken = "the address `10.89.0.5` of the network `app` is in use by `c1`";
    assert_eq!(allocate(&networks, new(2, wanted)), Err(taken.to_owned()));
    let taken = "the address `fd00::5` of the network `app` is in use by `c1`";
    assert_eq!(allocate(&networks, new(2, &["fd00::5"])), Err(taken.to_owned()));
    assert_eq!(files(&networks), ["10.89.0.5", "fd00::5"]);
    networks.release(&app(), &first).expect("removed");
    assert_eq!(addresses(&allocate(&networks, new(2, wanted)).expect("free")), ["10.89.0.5/29", "fd00::5/64"]);
    // Its owner is dead, as nobody holds its lock.
    assert_eq!(addresses(&allocate(&networks, new(3, wanted)).expect("free")), ["10.89.0.5/29", "fd00::5/64"]);
}

#[test]
fn a_full_range_is_an_error_that_counts_and_dead_leases_are_no_obstacle() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    allocate(&networks, new(9, &[])).expect("an address");
    let leases: Vec<Lease> = (1..=5).map(|number| live(&networks, new(number, &[]))).collect();
    assert_eq!(addresses(&leases[4])[0], "10.89.0.2/29");
    let full = "the network `app` has no free address: 10 leases have all from 10.89.0.0 to 10.89.0.7";
    assert_eq!(allocate(&networks, new(6, &[])), Err(full.to_owned()));
    assert_eq!(networks.live_leases(&app()).expect("read").len(), 5);
    networks.lock(&app()).expect("locked").expect("there").remove_leases_of(&owner(3)).expect("removed");
    assert_eq!(addresses(&allocate(&networks, new(6, &[])).expect("one"))[0], addresses(&leases[2])[0]);
}

#[test]
fn a_sweep_removes_dead_and_damaged_leases() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    let lease = live(&networks, new(1, &[]));
    allocate(&networks, new(2, &[])).expect("an address");
    let directory = networks.leases_directory(&app());
    for name in ["10.89.0.6", "new", "new-10.89.0.2", "other"] {
        fs::write(directory.join(name), "{").expect("written");
    }
    let locked = networks.lock(&app()).expect("locked").expect("there");
    assert_eq!(locked.sweep().expect("swept"), [lease]);
    assert_eq!(files(&networks), ["10.89.0.2", "fd00::100"]);
    drop(locked);
    // The own lease counts, although nobody else holds the lock.
    let own = Networks::of_owner(home.path(), owner(3));
    let lease = allocate(&own, new(3, &[])).expect("an address");
    let locked = own.lock(&app()).expect("locked").expect("there");
    assert!(locked.sweep().expect("swept").contains(&lease));
}

#[test]
fn what_is_no_address_of_the_network_is_refused() {
    let home = tempfile::tempdir().expect("directory");
    let networks = network(home.path());
    for (wanted, expected) in [
        (&["10.89.0.1"][..], "address `10.89.0.1` cannot be a container's: it is the gateway of the network `app`"),
        (&["10.90.0.1"], "address `10.90.0.1` must be in a subnet of the network `app`: 10.89.0.0/29, fd00::/64"),
        (
            &["10.89.0.2", "10.89.0.3"],
            "address `10.89.0.3` cannot be given together with `10.89.0.2`: both are in 10.89.0.0/29",
        ),
    ] {
        assert_eq!(allocate(&networks, new(1, wanted)), Err(expected.to_owned()));
    }
    assert_eq!(files(&networks), [""; 0]);
}

#[test]
fn an_owner_is_a_directory_of_the_store() {
    assert!(owner(7).to_string().parse::<Owner>().is_ok_and(|read| read == owner(7)));
    let step = "tmp/scratch-1/run-22-1".parse::<Owner>().expect("an owner");
    assert_eq!(Owner::at(Path::new("/store"), Path::new("/store/tmp/scratch-1/run-22-1")), Some(step));
    assert_eq!(Owner::at(Path::new("/store"), Path::new("/other/tmp/scratch-1/run-22-1")), None);
    assert_ne!(owner(7).number(), owner(8).number());
    for text in ["tmp/a", "tmp/../b", "tmp/a/.b", "tmp/a/b/c", "tmp//b"] {
        assert!(text.parse::<Owner>().is_err(), "{text}");
    }
    for text in ["", "containers", "containers/x", "../../etc", &format!("volumes/{}", owner(1).id())] {
        assert!(text.parse::<Owner>().is_err(), "{text}");
    }
}
