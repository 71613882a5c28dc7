//! `kill -9` of the processes of networks with names, at any moment: the others go on, and nothing is left.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::processes::{children, kill, processes};
use crate::support::{Chance, Lab, Running, chance, port, wait};

/// The networks of the storm.
const NETWORKS: [&str; 3] = ["one", "two", "six"];

/// How long it lasts, unless `RC_TEST_KILLS` says how many kills it has.
const LASTS: Duration = Duration::from_secs(12);

/// The containers, by their numbers: the networks of each.
const MEMBERS: [&[&str]; 10] = [
    &["one"],
    &["two"],
    &["six"],
    &["one", "two"],
    &["two", "six"],
    &["one", "two", "six"],
    &["six", "one"],
    &["one"],
    &["two"],
    &["six"],
];

/// Of these the ports are published.
const PUBLISHED: [usize; 3] = [1, 3, 5];

struct Storm {
    lab: Lab,
    chance: Chance,
    /// The first of the published ports.
    port: u16,
}

impl Storm {
    fn start(&self, number: usize) {
        let name = format!("m{number}");
        self.lab.rc(["rm", "-f", "-i", &name]).run().exits(0).stdout();
        let networks = MEMBERS[number].iter().flat_map(|network| ["--network", network]);
        let run = self.lab.rc(["run", "-d", "--name", &name]).args(networks);
        let run = match self.published(number) {
            Some(port) => run.args(["-p", &format!("{port}:7")]),
            None => run,
        };
        run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    }

    /// The port of the host that leads to a container.
    fn published(&self, number: usize) -> Option<u16> {
        let at = PUBLISHED.iter().position(|published| *published == number)?;
        Some(self.port + u16::try_from(at).expect("a few"))
    }

    fn below(&mut self, end: usize) -> usize {
        let number = self.chance.below(u64::try_from(end).expect("a short list"));
        usize::try_from(number).expect("a short list")
    }

    /// One of the processes with these names, or of their children.
    fn pick(&mut self, names: &[String], child: Option<&str>) -> Option<i32> {
        let found: Vec<i32> = names.iter().flat_map(|name| processes(&self.lab, name)).collect();
        let found: Vec<i32> = match child {
            Some(child) => found.into_iter().flat_map(|pid| children(pid, child)).collect(),
            None => found,
        };
        if found.is_empty() { None } else { Some(found[self.below(found.len())]) }
    }

    /// Kills one process: a keeper, a way out, a name server, a relay or a monitor, whose container is started again.
    fn kill(&mut self) {
        let keepers = NETWORKS.map(|network| format!("rc: net {network}"));
        let picked = match self.below(6) {
            0 | 1 => self.pick(&keepers, None),
            2 => self.pick(&keepers, Some("slirp4netns")),
            3 => self.pick(&NETWORKS.map(|network| format!("rc: dns {network}")), None),
            4 => self.pick(&PUBLISHED.map(|number| format!("rc: ports m{number}")), None),
            _ => {
                let number = self.below(MEMBERS.len());
                processes(&self.lab, &format!("rc: m{number}")).into_iter().for_each(kill);
                return self.start(number);
            }
        };
        picked.into_iter().for_each(kill);
    }

    /// What a client of a published port gets back.
    fn by_port(port: u16, text: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(text.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Everything is in order again without anybody's help.
    fn is_calm(&self) {
        let lab = &self.lab;
        for network in NETWORKS {
            let keeper = || processes(lab, &format!("rc: net {network}")).first().copied();
            wait::until("there is a way out", || children(keeper()?, "slirp4netns").first().copied());
        }
        let running = lab.rc(["ps", "--format", "{{.Names}}"]).run().text();
        assert_eq!(running.lines().filter(|name| name.starts_with('m')).count(), MEMBERS.len(), "{running}");
        for network in NETWORKS {
            let template = "{{range .Containers}}{{.Name}} {{end}}";
            let text = lab.rc(["network", "inspect", "-f", template, network]).run().text();
            let mut shown: Vec<&str> = text.split_whitespace().filter(|name| name.starts_with('m')).collect();
            shown.sort_unstable();
            let numbers = (0..MEMBERS.len()).filter(|number| MEMBERS[*number].contains(&network));
            assert_eq!(shown, numbers.map(|number| format!("m{number}")).collect::<Vec<_>>(), "{network}");
        }
        for (from, to, network) in [("m0", "m3", "one"), ("m5", "m1", "two"), ("m4", "m2", "six"), ("m9", "m6", "six")]
        {
            lab.ready(to);
            let address = wait::until("it has a name", || {
                let name = format!("{to}.{network}");
                let found = lab.rc(["exec", from, "/payload", "look-up", "udp", "a", &name]).run();
                Some(found.stdout().trim().to_owned()).filter(|text| text.parse::<Ipv4Addr>().is_ok())
            });
            let ask = lab.rc(["exec", from, "/payload", "ask", "tcp", &format!("{address}:7"), network]);
            assert_eq!(ask.run().text(), network);
        }
        for number in PUBLISHED {
            let port = self.published(number).expect("it has a port");
            wait::until("the port answers", || Self::by_port(port, "by port").ok().filter(|text| text == "by port"));
        }
    }
}

/// Two connections that outlive every kill of what they do not need: between two containers of the network `two`, and
/// from the host to a published port of one of them.
struct Talk {
    inside: Running,
    outside: BufReader<TcpStream>,
}

impl Talk {
    fn begin(lab: &Lab, port: u16) -> Self {
        let run = |name: &str| lab.rc(["run", "-d", "--network", "two", "--name", name]);
        run("talker").args(["payload", "/payload", "sleep"]).run().succeeds();
        run("listener").args(["-p", &format!("{port}:7"), "payload", "/payload", "greet", "7"]).run().succeeds();
        lab.ready("listener");
        let template = "{{.NetworkSettings.Networks.two.IPAddress}}:7";
        let address = lab.rc(["inspect", "--format", template, "listener"]).run().text();
        let exec = lab.rc(["exec", "-i", "talker", "/payload", "converse", &address]);
        let inside = exec.open_input().deadline(Duration::from_secs(600)).start();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open");
        stream.set_read_timeout(Some(wait::PATIENCE)).expect("a timeout can be set");
        let mut outside = BufReader::new(stream);
        outside.read_line(&mut String::new()).expect("a greeting");
        Self { inside, outside }
    }

    /// What is said comes back.
    fn goes_on(&mut self, number: u32) {
        let word = format!("<{number}>\n");
        self.inside.send(&word);
        self.inside.line(&word);
        self.outside.get_mut().write_all(word.as_bytes()).expect("the connection lives");
        let mut back = String::new();
        self.outside.read_line(&mut back).expect("the connection lives");
        assert_eq!(back, word);
    }

    fn end(mut self) {
        self.inside.send_end();
        drop(self.inside.wait().exits(0));
    }
}

#[test]
fn kills_of_keepers_helpers_relays_and_monitors_leave_the_truth_and_then_nothing() {
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    for network in NETWORKS {
        lab.rc(["network", "create", network]).run().prints(format!("{network}\n"));
    }
    let ports = u16::try_from(PUBLISHED.len()).expect("a few");
    let mut talk = Talk::begin(&lab, port::take(1));
    let mut storm = Storm { lab, chance: Chance::new(), port: port::take(ports) };
    (0..MEMBERS.len()).for_each(|number| storm.start(number));
    let (most, until) = match chance::count("RC_TEST_KILLS", 0) {
        0 => (100, Some(Instant::now() + LASTS)),
        kills => (kills, None),
    };
    let mut kills = 0;
    while kills < most && until.is_none_or(|until| Instant::now() < until) {
        storm.kill();
        kills += 1;
        talk.goes_on(kills);
        if kills % 20 == 0 {
            storm.lab.rc(["ps", "-a"]).run().exits(0).stdout();
        }
    }
    eprintln!("{kills} kills");
    storm.is_calm();
    talk.end();
    let Storm { lab, .. } = storm;
    lab.remove_containers();
    lab.settle();
    for network in NETWORKS {
        let directory = lab.store().join("networks").join(network);
        assert_eq!(fs::read_dir(directory.join("leases")).expect("leases").count(), 0, "{network}");
        assert!(!directory.join("ctl").exists(), "{network}");
        lab.rc(["network", "rm", network]).run().prints(format!("{network}\n"));
    }
}
