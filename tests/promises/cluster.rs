//! Campuses on a Redis Cluster: each is a namespace, and lies as a whole in one slot on one node.

use harness::{
    authority::Authority,
    redis::Redis,
    relay::Relay,
    sockets::Port,
    vendors::{acknowledged, every_promise_held, vendors_with},
    waiting::until_true,
};
use sandbox::{Sandbox, SandboxOptions};

const NODES: usize = 3;
const SLOTS: usize = 16_384;
const CHANGES: usize = 300;

struct Cluster {
    nodes: Vec<Redis>,
    ports: Vec<Port>,
    scheme: &'static str,
}

impl Cluster {
    /// Every node has as many slots; it is whole once this returns.
    async fn start() -> Self {
        Self::start_with("redis", |port| vec!["--port".to_owned(), port.to_string()]).await
    }

    /// The same with TLS alone, among the nodes too.
    async fn start_secured(authority: &Authority) -> Self {
        Self::start_with("rediss", |port| {
            let cluster = ["--tls-cluster".to_owned(), "yes".to_owned()];
            [authority.redis_options(port, "yes"), cluster.to_vec()].concat()
        })
        .await
    }

    /// `listening`: the options of a server that speaks this scheme on a port.
    async fn start_with(scheme: &'static str, listening: impl Fn(u16) -> Vec<String>) -> Self {
        // The second half is for the nodes among themselves.
        let ports: Vec<Port> = (0..2 * NODES).map(|_| Port::hold()).collect();
        let numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        let (clients, buses) = numbers.split_at(NODES);
        let mut nodes = Vec::new();
        for (port, bus) in clients.iter().zip(buses) {
            let (listening, bus) = (listening(*port), bus.to_string());
            let listening: Vec<&str> = listening.iter().map(String::as_str).collect();
            let options = ["--cluster-enabled", "yes", "--bind", "127.0.0.1"];
            // Without it a node that is gone would stop every campus.
            let coverage = ["--cluster-require-full-coverage", "no"];
            let options = [
                options.as_slice(),
                &coverage,
                &listening,
                &["--cluster-port", &bus],
            ]
            .concat();
            nodes.push(Redis::start_with(&options).await);
        }
        for (place, node) in nodes.iter().enumerate() {
            let (first, last) = (place * SLOTS / NODES, (place + 1) * SLOTS / NODES - 1);
            node.command(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))
                .await;
            let (port, bus) = (clients[0], buses[0]);
            node.command(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}"))
                .await;
        }
        for node in &nodes {
            until_true("the cluster is whole", async || {
                let info = node.command("CLUSTER INFO").await;
                let info: String = redis::from_redis_value(info).unwrap();
                info.contains("cluster_state:ok") && info.contains(&format!("cluster_size:{NODES}"))
            })
            .await;
        }
        Self {
            nodes,
            ports,
            scheme,
        }
    }

    /// As `redis.url` names them.
    fn urls(&self) -> String {
        let ports = self.ports[..NODES].iter();
        let urls = ports.map(|port| format!("\"{}://{}\"", self.scheme, port.address()));
        format!("[{}]", urls.collect::<Vec<_>>().join(", "))
    }

    /// A campus whose slot is on this node.
    async fn campus_on(&self, node: usize) -> String {
        for number in 0.. {
            let campus = format!("campus-{number}");
            let slot = self.nodes[node]
                .command(&format!("CLUSTER KEYSLOT {{{campus}}}:x"))
                .await;
            let slot: usize = redis::from_redis_value(slot).unwrap();
            if slot * NODES / SLOTS == node {
                return campus;
            }
        }
        unreachable!("every node has slots");
    }

    /// Moves the campus' slot to another node, as `redis-cli --cluster reshard` does.
    async fn move_campus(&self, campus: &str, from: usize, to: usize) {
        let slot = self.nodes[from]
            .command(&format!("CLUSTER KEYSLOT {{{campus}}}:x"))
            .await;
        let slot: usize = redis::from_redis_value(slot).unwrap();
        let (source, target) = (self.id_of(from).await, self.id_of(to).await);
        self.nodes[to]
            .command(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"))
            .await;
        self.nodes[from]
            .command(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"))
            .await;
        loop {
            let keys = self.nodes[from]
                .command(&format!("CLUSTER GETKEYSINSLOT {slot} 10"))
                .await;
            let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
            if keys.is_empty() {
                break;
            }
            let (port, keys) = (self.ports[to].number(), keys.join(" "));
            self.nodes[from]
                .command(&format!("MIGRATE 127.0.0.1 {port} '' 0 30000 KEYS {keys}"))
                .await;
        }
        for node in [to, from] {
            self.nodes[node]
                .command(&format!("CLUSTER SETSLOT {slot} NODE {target}"))
                .await;
        }
    }

    async fn id_of(&self, node: usize) -> String {
        redis::from_redis_value(self.nodes[node].command("CLUSTER MYID").await).unwrap()
    }

    async fn keys_on(&self, node: usize) -> Vec<String> {
        redis::from_redis_value(self.nodes[node].command("KEYS *").await).unwrap()
    }
}

async fn campus(cluster: &Cluster, node: usize, changes: usize) -> (String, Sandbox, Relay) {
    let sandbox = vendors_with(SandboxOptions {
        changes,
        people: changes / 3,
        ..SandboxOptions::default()
    })
    .await;
    let name = cluster.campus_on(node).await;
    let relay = Relay::new(&sandbox, None)
        .set("namespace", &name)
        .set("redis.url", &cluster.urls());
    (name, sandbox, relay)
}

#[tokio::test]
async fn campuses_spread_over_a_clusters_nodes_and_each_is_whole_on_one() {
    let cluster = Cluster::start().await;
    let mut campuses = Vec::new();
    for node in 0..NODES {
        campuses.push(campus(&cluster, node, CHANGES).await);
    }
    let sync = ["sync", "--wait", "--json"];
    let synced = futures::future::join_all(campuses.iter().map(|(_, _, relay)| relay.json(&sync)));
    for (synced, (name, sandbox, relay)) in synced.await.iter().zip(&campuses) {
        assert_eq!(synced["acknowledged"], CHANGES, "{name}: {synced}");
        every_promise_held(&sandbox.report(), &[], &[]);
        let status = relay.json(&["status", "--json"]).await;
        assert_eq!(status["books"]["acknowledged"], CHANGES, "{status}");
    }
    for (node, (name, _, _)) in campuses.iter().enumerate() {
        let keys = cluster.keys_on(node).await;
        assert!(!keys.is_empty(), "{name} is on no node of its own");
        let own = format!("{{{name}}}:");
        let others: Vec<_> = keys.iter().filter(|key| !key.starts_with(&own)).collect();
        assert!(others.is_empty(), "on the node of {name}: {others:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_gone_for_a_while_stops_its_own_campus_only() {
    const MANY: usize = 3_000;
    let cluster = Cluster::start().await;
    let (_, here, relay) = campus(&cluster, 0, MANY).await;
    let (name, there, other) = campus(&cluster, 1, CHANGES).await;
    let _service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("some are done", async || here.report().acknowledged > 0).await;
    cluster.nodes[0].signal("STOP");
    let synced = other.json(&["sync", "--wait", "--json"]).await;
    assert_eq!(synced["acknowledged"], CHANGES, "{name}: {synced}");
    every_promise_held(&there.report(), &[], &[]);
    assert!(here.report().acknowledged < MANY);

    cluster.nodes[0].signal("CONT");
    let all = async || here.report().acknowledged == MANY;
    until_true("the rest is done", all).await;
    every_promise_held(&here.report(), &[], &[]);
}

#[tokio::test]
async fn a_slot_that_moves_there_and_back_under_load_loses_nothing_and_breaks_no_order() {
    const MANY: usize = 3_000;
    let cluster = Cluster::start().await;
    let (name, sandbox, relay) = campus(&cluster, 0, MANY).await;
    let roles = "producer,crm,salsa,acknowledger";
    let (one, other) = (relay.start(roles).await, relay.start(roles).await);
    for (after, from, to) in [(100, 0, 1), (1_000, 1, 0)] {
        acknowledged(&sandbox, after).await;
        assert!(
            sandbox.report().acknowledged < MANY,
            "nothing is left to do"
        );
        cluster.move_campus(&name, from, to).await;
    }
    acknowledged(&sandbox, MANY).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    one.stop().await;
    other.stop().await;
    let status = relay.status().await;
    let books = &status["books"];
    assert_eq!(books["acknowledged"], MANY, "{status}");
    assert_eq!(
        (&books["in_flight"], &books["dead"]),
        (&0.into(), &0.into())
    );
    for destination in ["crm", "salsa"] {
        let here = &status["destinations"][destination];
        assert_eq!(here["applied"], MANY, "{status}");
        assert_eq!(here["waiting"], 0, "{status}");
    }
}

#[tokio::test]
async fn a_cluster_with_tls_and_client_certificates_carries_a_campus() {
    let authority = Authority::establish();
    let cluster = Cluster::start_secured(&authority).await;
    // The first node that is asked is not the campus'.
    let (_, sandbox, relay) = campus(&cluster, 2, 30).await;
    let relay = [
        ("redis.ca_file", "ca.pem"),
        ("redis.cert_file", "client.pem"),
        ("redis.key_file", "client.key"),
    ]
    .into_iter()
    .fold(relay, |relay, (key, file)| {
        relay.set(key, &authority.named(file))
    });
    relay.run(&["check", "--connect"]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}
