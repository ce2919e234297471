//! An outage pauses a destination and costs no change an attempt; poison pays for itself and pauses nobody.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    redis::Redis,
    relay::{Relay, text},
    vendors::{acknowledged, down, every_promise_held, vendors},
    waiting::until_true,
};
use jobs::destination::Destination;
use sandbox::{Fault, Faults, Instead, NewChanges, SANDBOX_PASSWORD, Vendor, VendorFaults};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger";

/// Both destinations are down in one way and then in another, each time until they have been probed in vain;
/// then they are up. The first attempt is the last: whatever consumed it would be a dead letter.
async fn outlives(outages: [(Fault, Fault); 2]) {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.max_attempts", "1")
        .set("salsa.max_attempts", "1");
    for (crm, salsa) in outages {
        sandbox.set_faults(Faults {
            crm: down(crm),
            salsa: down(salsa),
            ..Faults::default()
        });
        let service = relay.start(EVERYTHING).await;
        let met = |vendor: Vendor| {
            let faults = sandbox.report().faults;
            faults
                .get(&vendor)
                .map_or(0, |faults| faults.values().sum::<u64>())
        };
        until_true("both destinations are paused", async || {
            let pauses = &relay.status().await["pauses"];
            !pauses["crm"].is_null() && !pauses["salsa"].is_null()
        })
        .await;
        let before = [met(Vendor::Crm), met(Vendor::Salsa)];
        until_true("both are probed again and again", async || {
            met(Vendor::Crm) >= before[0] + 2 && met(Vendor::Salsa) >= before[1] + 2
        })
        .await;
        service.stop().await;
        let status = relay.status().await;
        assert_eq!(status["books"]["dead"], 0, "{status}");
        for destination in ["crm", "salsa"] {
            assert_eq!(
                status["destinations"][destination]["paused"], true,
                "{status}"
            );
            relay.run(&["resume", destination]).await.expect(0);
        }
    }
    sandbox.set_faults(Faults::default());
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn vendors_that_are_down_or_throttle_for_long_cost_no_change_an_attempt() {
    let unavailable = (Fault::Unavailable, Fault::HtmlPage);
    outlives([unavailable, (Fault::Throttle, Fault::Throttle)]).await;
}

#[tokio::test]
async fn vendors_whose_every_answer_could_be_the_changes_fault_leave_no_dead_letter() {
    let failing = (Fault::HtmlInOk, Fault::ServerError);
    outlives([failing, (Fault::ServerError, Fault::Close)]).await;
}

#[tokio::test]
async fn what_a_gateway_firewall_or_proxy_answers_in_a_destinations_stead_kills_no_change() {
    const CHANGES: usize = 60;
    let sandbox = vendors(CHANGES, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.max_attempts", "1")
        .set("salsa.max_attempts", "1");
    let routing = "{\"Message\":\"No HTTP resource was found that matches the request URI \
                   'https://crm.school.example/crm/api/processes/updatecontact'.\"}";
    for (status, content_type, body) in [
        (404, "application/json", routing),
        (
            404,
            "application/json",
            r#"{"statusCode":404,"message":"Resource not found"}"#,
        ),
        (404, "text/plain", "404 page not found"),
        (
            400,
            "text/html",
            "<html><body><h2>Bad Request - Invalid Hostname</h2></body></html>",
        ),
        (400, "text/plain", ""),
        (
            407,
            "text/html",
            "<html>Proxy Authentication Required</html>",
        ),
        (418, "text/plain", "blocked"),
        (421, "", ""),
    ] {
        let instead = || VendorFaults {
            instead: Instead {
                status,
                content_type: content_type.to_owned(),
                body: body.to_owned(),
                ..Instead::default()
            },
            rates: BTreeMap::from([(Fault::Instead, 1.0)]),
            ..VendorFaults::default()
        };
        sandbox.set_faults(Faults {
            crm: VendorFaults {
                // The token is there: it is the update that something else answers.
                operations: vec!["update".to_owned()],
                ..instead()
            },
            salsa: instead(),
            ..Faults::default()
        });
        let service = relay.start(EVERYTHING).await;
        until_true("both destinations are paused", async || {
            let pauses = &relay.status().await["pauses"];
            !pauses["crm"].is_null() && !pauses["salsa"].is_null()
        })
        .await;
        service.stop().await;
        let status = relay.status().await;
        assert_eq!(status["books"]["dead"], 0, "{body}: {status}");
        for destination in ["crm", "salsa"] {
            relay.run(&["resume", destination]).await.expect(0);
        }
    }
    sandbox.set_faults(Faults::default());
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn a_change_that_alone_keeps_failing_is_exhausted_and_pauses_nobody() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("salsa.max_attempts", "2");
    let newest = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    let poisoned = sandbox.change(&newest[0]).unwrap().xid.unwrap();
    sandbox.set_faults(Faults {
        salsa: VendorFaults {
            system_error_xids: vec![poisoned.clone()],
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let ended = relay.run(&["sync", "--wait", "--json"]).await.expect(3);
    let letters = relay.dead().await;
    assert!(!letters.is_empty());
    for letter in &letters {
        assert_eq!(letter["class"], "exhausted", "{letter}");
        assert_eq!(letter["xid"], poisoned.as_str(), "{letter}");
        assert_eq!(letter["attempts"], 2, "{letter}");
    }
    assert!(!ended.stderr.contains("paused"), "{}", ended.stderr);
    let dead = relay.dead_ids().await;
    let report = sandbox.report();
    assert_eq!(report.acknowledged, CHANGES + 1 - dead.len());
    every_promise_held(&report, &[], &dead);
}

#[tokio::test]
async fn many_people_on_whom_the_crm_fails_do_not_pass_for_an_outage() {
    const CHANGES: usize = 400;
    let sandbox = vendors(CHANGES, 100).await;
    let redis = Redis::start().await;
    // Some may fail last of all, when nothing is left that could prove that the CRM works.
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.max_attempts", "2")
        .set("worker.patience", "0s");
    let changes = sandbox.report().unacknowledged.into_iter();
    let people: BTreeSet<String> = changes.filter_map(|id| sandbox.change(&id)?.xid).collect();
    let poisoned: BTreeSet<String> = people.into_iter().take(30).collect();
    let faults = VendorFaults {
        server_error_xids: poisoned.iter().cloned().collect(),
        ..VendorFaults::default()
    };
    sandbox.set_faults(Faults {
        crm: faults,
        ..Faults::default()
    });
    relay.run(&["sync", "--wait", "--json"]).await.expect(3);
    for letter in relay.dead().await {
        assert_eq!(letter["class"], "exhausted", "{letter}");
        assert!(poisoned.contains(&text(&letter["xid"])), "{letter}");
    }
    let dead = relay.dead_ids().await;
    let report = sandbox.report();
    assert_eq!(report.acknowledged, CHANGES - dead.len());
    every_promise_held(&report, &[], &dead);
}

#[tokio::test]
async fn retry_after_holds_every_process_back_until_then_or_until_an_operator_resumes() {
    const CHANGES: usize = 60;
    let sandbox = vendors(CHANGES, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("crm.concurrency", "1");
    let faults = VendorFaults {
        operations: vec!["update".to_owned()],
        next: vec![Fault::Throttle],
        retry_after: Some(3_600),
        ..VendorFaults::default()
    };
    sandbox.set_faults(Faults {
        crm: faults,
        ..Faults::default()
    });
    let fleet = [relay.start(EVERYTHING).await, relay.start(EVERYTHING).await];
    until_true("Salsa has everything", async || {
        sandbox.report().applied[&Destination::Salsa] == CHANGES
    })
    .await;
    let traffic = sandbox.report().traffic;
    assert_eq!(traffic.calls_of(Vendor::Crm, "update"), 1);
    let pause = &relay.status().await["pauses"]["crm"];
    assert_eq!(pause["reason"], "throttled", "{pause}");
    assert!(pause["seconds_left"].as_f64() > Some(3_000.0), "{pause}");
    assert!(pause["since"].is_string(), "{pause}");

    // AlumnIQ's gate is an operator's too: it holds back what AlumnIQ is told.
    relay.run(&["pause", "alumniq"]).await.expect(0);
    relay.run(&["resume", "crm"]).await.expect(0);
    until_true("every change waits for its acknowledgement", async || {
        relay.status().await["to_acknowledge"] == CHANGES
    })
    .await;
    assert_eq!(sandbox.report().acknowledged, 0, "AlumnIQ is paused");
    relay.run(&["resume", "alumniq"]).await.expect(0);
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    for service in fleet {
        service.stop().await;
    }
}

#[tokio::test]
async fn retry_after_zero_removes_no_backoff_at_any_vendor() {
    let sandbox = vendors(60, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    // The CRM's update and Salsa; the CRM's token and what AlumnIQ is told.
    for (operation, vendors) in [
        ("update", ["crm", "salsa"]),
        ("token", ["crm", "salsa"]),
        ("acknowledge", ["alumniq", "alumniq"]),
    ] {
        for fault in [Fault::Unavailable, Fault::Throttle] {
            let only = |operations: &[&str]| VendorFaults {
                rates: [(fault, 1.0)].into(),
                operations: operations.iter().map(|&name| name.to_owned()).collect(),
                retry_after: Some(0),
                ..VendorFaults::default()
            };
            sandbox.set_faults(match operation {
                "acknowledge" => Faults {
                    alumniq: only(&[operation]),
                    ..Faults::default()
                },
                _ => Faults {
                    crm: only(&[operation]),
                    salsa: only(&["search", "put"]),
                    ..Faults::default()
                },
            });
            let service = relay.start(EVERYTHING).await;
            for vendor in vendors {
                // Where every call asks for none, only backoff makes a pause of more than two seconds.
                let what = format!("{vendor} is left alone after {fault:?} at {operation}");
                until_true(&what, async || {
                    let pause = &relay.status().await["pauses"][vendor];
                    pause["seconds_left"].as_f64() > Some(2.0)
                })
                .await;
            }
            service.stop().await;
            for vendor in vendors {
                relay.run(&["resume", vendor]).await.expect(0);
            }
        }
    }
    sandbox.set_faults(Faults::default());
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, 60).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}

#[tokio::test]
async fn refused_credentials_pause_a_destination_for_the_fleet_and_kill_no_change() {
    const CHANGES: usize = 60;
    let sandbox = vendors(CHANGES, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("crm.max_attempts", "1");
    let relay = relay.with_variable("CRM_PASSWORD", "not-the-password");
    let fleet = [relay.start(EVERYTHING).await, relay.start(EVERYTHING).await];
    until_true("Salsa has everything", async || {
        sandbox.report().applied[&Destination::Salsa] == CHANGES
    })
    .await;
    let asked = async || sandbox.report().traffic.calls_of(Vendor::Crm, "token");
    let before = asked().await;
    until_true("the credentials are tried again", async || {
        asked().await >= before + 2
    })
    .await;
    let status = relay.status().await;
    let pause = &status["pauses"]["crm"];
    assert_eq!(pause["reason"], "credentials", "{pause}");
    assert_eq!(status["books"]["dead"], 0, "{status}");
    assert_eq!(status["destinations"]["crm"]["retry"], 0, "{status}");
    for service in fleet {
        service.stop().await;
    }

    let relay = relay.with_variable("CRM_PASSWORD", SANDBOX_PASSWORD);
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}

#[tokio::test]
async fn an_operators_pause_holds_one_destination_back_for_every_process() {
    const CHANGES: usize = 100;
    let sandbox = vendors(CHANGES, 40).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["pause", "crm"]).await.expect(0);
    let fleet = [relay.start(EVERYTHING).await, relay.start(EVERYTHING).await];
    until_true("Salsa has everything", async || {
        sandbox.report().applied[&Destination::Salsa] == CHANGES
    })
    .await;
    let report = sandbox.report();
    assert_eq!(report.traffic.calls_of(Vendor::Crm, "update"), 0);
    assert_eq!(report.acknowledged, 0, "the CRM has not accepted them");
    let pause = &relay.status().await["pauses"]["crm"];
    assert_eq!(pause["reason"], "operator", "{pause}");

    relay.run(&["resume", "crm"]).await.expect(0);
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    for service in fleet {
        service.stop().await;
    }
}

#[tokio::test]
async fn sparse_failures_pause_nobody_and_cost_no_attempt() {
    const CHANGES: usize = 400;
    let sandbox = vendors(CHANGES, 130).await;
    let redis = Redis::start().await;
    // The first attempt is the last: whatever consumed it would be a dead letter.
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.max_attempts", "1")
        .set("salsa.max_attempts", "1");
    let sparse = |operations: &[&str]| VendorFaults {
        rates: [
            (Fault::Unavailable, 0.04),
            (Fault::HtmlPage, 0.03),
            (Fault::Reset, 0.03),
        ]
        .into(),
        operations: operations.iter().map(|&name| name.to_owned()).collect(),
        ..VendorFaults::default()
    };
    sandbox.set_faults(Faults {
        crm: sparse(&["update"]),
        salsa: sparse(&["search", "put"]),
        ..Faults::default()
    });
    let ended = relay.run(&["sync", "--wait", "--json"]).await.expect(0);
    assert!(!ended.stderr.contains("paused"), "{}", ended.stderr);
    let met: u64 = sandbox.report().faults[&Vendor::Crm].values().sum();
    assert!(met > 10, "{met} of {CHANGES} calls failed");
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn one_hanging_call_delays_no_other_change_not_even_after_a_pause() {
    const CHANGES: usize = 120;
    let sandbox = vendors(CHANGES, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.timeout", "10m")
        .set("worker.drain", "1s");
    // Without a pause; and with one, at whose end the probe must not wait for the call that hangs.
    let rounds = [
        vec![Fault::Hang],
        vec![Fault::Hang, Fault::None, Fault::Throttle],
    ];
    for (round, next) in (1..).zip(rounds) {
        sandbox.set_faults(Faults {
            crm: VendorFaults {
                operations: vec!["update".to_owned()],
                next,
                hang_seconds: 3_600.0,
                retry_after: Some(1),
                ..VendorFaults::default()
            },
            ..Faults::default()
        });
        let service = relay.start(EVERYTHING).await;
        until_true(
            "all but the person of the hanging call are through",
            async || {
                let status = relay.status().await;
                let crm = &status["destinations"]["crm"];
                let [ready, running, retry] = ["ready", "running", "retry"].map(|key| &crm[key]);
                status["books"]["fetched"] == round * CHANGES
                    && *running == 1
                    && *ready == 0
                    && *retry == 0
            },
        )
        .await;
        service.stop().await;
        sandbox.add_changes(&NewChanges {
            count: CHANGES,
            ..NewChanges::default()
        });
        relay.run(&["sync"]).await.expect(0);
    }
    sandbox.set_faults(Faults::default());
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, 3 * CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}
