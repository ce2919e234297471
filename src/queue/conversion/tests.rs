//! With a made-up layout: its timelines had another name, and were in capitals.

use std::time::Duration;

use jobs::destination::Destination;
use redis::AsyncTypedCommands;

use super::*;
use crate::{
    NO_TLS, QueueSettings,
    admission::{AdmissionError, Mismatch},
    durability::DurabilityExceptions,
    embedded::EmbeddedRedis,
    seal::Seals,
};

const STEP: &str = "-- @include walk
local function transition()
  local function look(id, text)
    redis.call('HSET', key('made_up_after'), id, text:lower())
    redis.call('HDEL', key('made_up_before'), id)
  end
  return walk.step(ARGV[1], ARGV[2], { { 'made_up_before', look } })
end
";

const MADE_UP: &[Conversion] = &[
    Conversion {
        from: "made-up-1",
        to: "made-up-2",
        step: STEP,
    },
    Conversion {
        from: "made-up-2",
        to: "2",
        step: "local function transition() return '0' end\n",
    },
];

const MANY: usize = 2_000;

struct Campus {
    _folder: tempfile::TempDir,
    redis: EmbeddedRedis,
    queue: Queue,
    connection: redis::aio::MultiplexedConnection,
}

impl Campus {
    async fn in_layout(schema: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = EmbeddedRedis::start(&folder.path().join("redis"), "redis-server")
            .await
            .unwrap();
        let day = Duration::from_secs(86_400);
        let queue = Queue::connect(QueueSettings {
            urls: vec![redis.url()],
            tls: NO_TLS,
            namespace: "campus".to_owned(),
            response_timeout: day,
            keep: day,
            keep_payload: Duration::ZERO,
            keep_audit: day,
            destinations: Destination::ALL.to_vec(),
            patience: day,
            seals: Seals::default(),
        })
        .await
        .unwrap();
        let client = redis::Client::open(redis.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        connection
            .hset("{campus}:namespace", "schema", schema)
            .await
            .unwrap();
        let fields: Vec<(String, String)> = (0..MANY)
            .map(|n| (n.to_string(), format!("EVENT {n}")))
            .collect();
        connection
            .hset_multiple("{campus}:made_up_before", &fields)
            .await
            .unwrap();
        Self {
            _folder: folder,
            redis,
            queue,
            connection,
        }
    }

    async fn schema(&mut self) -> String {
        let schema = self.connection.hget("{campus}:namespace", "schema").await;
        schema.unwrap().unwrap()
    }

    async fn before(&mut self) -> usize {
        self.connection
            .hlen("{campus}:made_up_before")
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn an_older_layout_is_converted_in_steps_and_goes_on_where_it_was_broken_off() {
    let mut campus = Campus::in_layout("made-up-1").await;
    let queue = campus.queue.clone();
    // Broken off after its first step.
    assert_eq!(
        queue.mark_conversion("begin", &MADE_UP[0]).await.unwrap(),
        None
    );
    let text = assemble(ScriptPurpose::CarriesOn, STEP);
    let script = QueueScript::new(ScriptPurpose::CarriesOn, Script::new(&text));
    let mut call = script.prepare_invoke();
    call.arg("0").arg(A_STEP);
    let next: String = queue.run_unadmitted(&mut call).await.unwrap();
    assert_ne!(next, "0", "it takes several steps");
    assert!((1..MANY).contains(&campus.before().await));
    let broken_off = campus.schema().await;
    let refused = queue.clone().admit(DurabilityExceptions::default()).await;
    let Err(AdmissionError::Mismatch(Mismatch::Schema(found))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, broken_off);

    assert_eq!(queue.convert(found, MADE_UP).await.unwrap(), None);
    assert_eq!(
        (campus.before().await, campus.schema().await),
        (0, "2".to_owned())
    );
    let after = campus
        .connection
        .hgetall("{campus}:made_up_after")
        .await
        .unwrap();
    assert_eq!((after.len(), after["7"].as_str()), (MANY, "event 7"));
    assert!(queue.admit(DurabilityExceptions::default()).await.is_ok());
    campus.redis.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_converted_while_a_process_works_or_from_a_version_that_no_conversion_knows() {
    let mut campus = Campus::in_layout("made-up-1").await;
    let queue = campus.queue.clone();
    let now = queue.now().await.unwrap();
    let beat = format!("{now} {{}}");
    campus
        .connection
        .hset("{campus}:workers", "vm-7", beat)
        .await
        .unwrap();
    let stands = queue
        .convert("made-up-1".to_owned(), MADE_UP)
        .await
        .unwrap();
    assert_eq!(stands, Some("vm-7".to_owned()));
    assert_eq!(
        queue
            .convert("made-up-0".to_owned(), MADE_UP)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        (campus.before().await, campus.schema().await),
        (MANY, "made-up-1".to_owned())
    );
    let refused = queue.admit(DurabilityExceptions::default()).await;
    assert!(matches!(
        refused,
        Err(AdmissionError::Mismatch(Mismatch::Schema(_)))
    ));
    campus.redis.stop().await.unwrap();
}
