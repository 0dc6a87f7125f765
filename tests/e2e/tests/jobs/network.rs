//! The exchange over TCP between network namespaces: two hosts on one machine.

use rustix::process::geteuid;
use serde_json::json;
use std::process::Command;
use tfcoord_testkit::tools::skip;
use tfcoord_testkit::{Lab, idx, job};

// A pair of namespaces with a wire between them; removed when dropped.
struct Hosts(String);

impl Hosts {
    fn new() -> Option<Self> {
        let here = std::process::id();
        let hosts = Self(format!("tfc{here}"));
        let [a, b] = hosts.names();
        let wire = [format!("va{here}"), format!("vb{here}")];
        let commands = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("link add {} netns {a} type veth peer name {} netns {b}", wire[0], wire[1]),
            format!("-n {a} addr add 10.77.0.1/24 dev {}", wire[0]),
            format!("-n {b} addr add 10.77.0.2/24 dev {}", wire[1]),
            format!("-n {a} link set {} up", wire[0]),
            format!("-n {b} link set {} up", wire[1]),
        ];
        commands.iter().all(|command| ip(command)).then_some(hosts)
    }

    fn names(&self) -> [String; 2] {
        [format!("{}a", self.0), format!("{}b", self.0)]
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.names().iter().for_each(|name| {
            ip(&format!("netns del {name}"));
        });
    }
}

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

#[test]
fn two_hosts_give_the_same_bits() {
    let hosts = geteuid().is_root().then(Hosts::new).flatten();
    let Some(hosts) = hosts else { return skip("network namespaces need root and iproute2") };
    let [a, b] = hosts.names();
    let run = |name: &str, apart: bool| {
        let lab = Lab::new();
        idx::write_pictures(lab.path(), 1003, 12, 4, 1);
        if apart {
            let server = format!("exec ip netns exec {a} env TFCOORD_HOST=a TFCOORD_LISTEN=10.77.0.1:0 $REAL \"$@\"");
            let worker =
                format!("case \"$1\" in run) exec ip netns exec {b} env TFCOORD_HOST=b $REAL \"$@\";; *) exec $REAL \"$@\";; esac");
            lab.replace_program("tfcoord-ps", &server);
            lab.replace_program("tfcoord-worker", &worker);
        }
        let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
        job["worker"]["count"] = json!(2);
        job["parameter_server"]["count"] = json!(2);
        lab.submit(&job);
        // Each of two workers with each of two servers.
        let logs = lab.logs();
        let way = if apart { "at 10.77.0.1:" } else { "at unix:" };
        let connected: Vec<&str> = logs.lines().filter(|line| line.contains("connected to ps-")).collect();
        assert!(connected.len() >= 4 && connected.iter().all(|line| line.contains(way)), "{way} {connected:#?}");
        lab.bits(name)
    };
    assert!(run("together", false) == run("apart", true), "the bits differ");
}
