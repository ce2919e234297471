//! The steps of a case, drawn at random. Steps name what they act on by an index into what is there.

use harness::{namespace::LONG, rows};
use jiff::Timestamp;
use jobs::{
    destination::{Destination, Vendor},
    order::order_key,
    outcome::{Blame, DeadClass},
};
use proptest::{prelude::*, sample::Index};
use queue::{
    Record,
    intake::{Listed, NewChange},
    lease::ClaimRequest,
};

use serde_json::json;

#[derive(Debug, Clone)]
pub struct Row {
    pub id: String,
    pub xid: Option<String>,
    pub changed_on: i64,
    pub undecodable: bool,
    /// AlumnIQ gave it an id (where it is undecodable; all others have one).
    pub has_id: bool,
    pub replaces: Option<String>,
    /// Which of its contents AlumnIQ lists; `None`: it is held against nothing.
    pub content: Option<u8>,
}

impl Row {
    pub fn lane(&self) -> String {
        match &self.xid {
            Some(xid) => format!("x:{xid}"),
            None => format!("a:{}", self.id),
        }
    }

    pub fn member(&self) -> String {
        let changed_on = Timestamp::from_millisecond(self.changed_on).ok();
        format!("{} {}", order_key(changed_on, &self.id), self.id)
    }

    /// As it lies in Redis.
    pub fn record(&self) -> String {
        let NewChange { xid, row, .. } = self.change(0);
        stored(&Record { xid, row })
    }

    /// `place`: in the answer.
    pub fn change(&self, place: u64) -> NewChange {
        let mut change = match self.undecodable {
            true => rows::undecodable(&self.id),
            false => rows::change(&self.id, self.xid.as_deref(), self.changed_on),
        };
        if let Some(letter) = &mut change.letter {
            letter.has_id = self.has_id;
        }
        NewChange {
            replaces: self.replaces.clone(),
            listed: self.content.map(|content| Listed {
                content: [content; 32],
                row: place,
            }),
            ..change
        }
    }
}

/// A record as it lies in Redis where there is no key.
pub fn stored(record: &Record) -> String {
    let row = record.row.get();
    match &record.xid {
        Some(xid) => format!("{{\"xid\":{},\"row\":{row}}}", json!(xid)),
        None => format!("{{\"row\":{row}}}"),
    }
}

#[derive(Debug, Clone)]
pub struct Claim {
    pub destination: Destination,
    pub worker: u8,
    pub most: usize,
    pub held: usize,
    pub fleet_limit: usize,
    pub full_batch: usize,
    pub linger_over: bool,
}

impl Claim {
    pub fn worker_name(&self) -> String {
        format!("worker-{}", self.worker)
    }

    pub fn request(&self) -> ClaimRequest {
        ClaimRequest {
            most: self.most,
            held: self.held,
            lease: LONG,
            fleet_limit: self.fleet_limit,
            full_batch: self.full_batch,
            linger_over: self.linger_over,
        }
    }

    /// Takes everything there is.
    pub fn all(destination: Destination) -> Self {
        Self {
            destination,
            worker: 0,
            most: 1000,
            held: 0,
            fleet_limit: 1000,
            full_batch: 1,
            linger_over: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Done,
    Retry,
    /// The last of the attempts failed.
    Exhausted(Blame),
    /// The call found the destination down; `lost`: it may have taken the change all the same.
    Defer {
        lost: bool,
    },
    Pause,
    Dead(DeadClass),
    Release,
    Abandon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckKind {
    Accepted,
    Rejected,
}

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct End {
    pub pick: Index,
    pub kind: Kind,
    /// Any lease ever given, not only one that is held.
    pub perhaps_lost: bool,
    /// Somebody else's token.
    pub foreign: bool,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// Takes or keeps the lead.
    Lead {
        who: u8,
    },
    LeadEnds,
    /// `late`: fetched after all that was closed before. `lead`: under any lead ever given; else by hand.
    Enqueue {
        late: bool,
        lead: Option<Index>,
        rows: Vec<Row>,
    },
    Claim(Claim),
    Renew {
        destination: Destination,
        pick: Index,
        perhaps_lost: bool,
    },
    Settle {
        destination: Destination,
        ends: Vec<End>,
        /// To the vendor all were one call.
        one_call: bool,
        /// Claimed in the same step.
        then: Option<Claim>,
    },
    LeasesEnd {
        destination: Destination,
        picks: Vec<Index>,
    },
    RetriesAreDue {
        destination: Destination,
        picks: Vec<Index>,
    },
    GatesTimeHasCome(Vendor),
    /// Everything is claimed and no worker comes back, so many times.
    Crash {
        destination: Destination,
        times: u32,
    },
    /// Everything is claimed, and everything fails.
    Storm {
        destination: Destination,
        kind: Kind,
        one_call: bool,
    },
    /// One change meets a destination that is down, again and again, while the others get through.
    Unlucky {
        destination: Destination,
        pick: Index,
        times: usize,
    },
    Replay {
        picks: Vec<Index>,
        forced: bool,
    },
    /// An operator changes the row of a letter; `late`: as he read it before somebody else did.
    Edit {
        pick: Index,
        late: bool,
    },
    /// A row that could not be decoded is read again, and gets another name if it had none.
    Reread {
        pick: Index,
        undecodable: bool,
        id: Option<String>,
    },
    Discard {
        picks: Vec<Index>,
        tell: bool,
    },
    /// A person's data goes.
    Erase {
        xid: String,
        tell: bool,
        /// It breaks off after the changes: others may arrive before its end.
        breaks_off: bool,
    },
    AckClaim {
        most: usize,
        patient: bool,
        eager: bool,
    },
    AckSettle {
        batch: Index,
        /// How many of those that are left, from the first.
        many: usize,
        /// A refused one is passed over.
        refused: bool,
        kind: AckKind,
    },
    AckReturn {
        batch: Index,
        pause: bool,
    },
    AckRenew {
        batch: Index,
    },
    AckLeaseEnds,
    OperatorPauses(Vendor),
    OperatorResumes(Vendor),
    /// The machine's gate, outside a settle.
    Shut(Vendor),
}

/// A case: which destinations are enabled, and what happens.
pub fn case() -> impl Strategy<Value = (Vec<Destination>, Vec<Step>)> {
    let destinations = prop_oneof![
        6 => Just(Destination::ALL.to_vec()),
        1 => Just(vec![Destination::Crm]),
        1 => Just(vec![Destination::Salsa]),
    ];
    (destinations, prop::collection::vec(step(), 1..=180))
}

fn step() -> impl Strategy<Value = Step> {
    let d = || prop::sample::select(&Destination::ALL[..]);
    let vendor = || prop::sample::select(&Vendor::ALL[..]);
    let picks = |most: usize| prop::collection::vec(any::<Index>(), 1..=most);
    prop_oneof![
        4 => (0..3_u8).prop_map(|who| Step::Lead { who }),
        2 => Just(Step::LeadEnds),
        14 => (
            prop::bool::weighted(0.3),
            prop::option::weighted(0.4, any::<Index>()),
            prop::collection::vec(row(), 1..12),
        )
            .prop_map(|(late, lead, rows)| Step::Enqueue { late, lead, rows }),
        22 => claim().prop_map(Step::Claim),
        4 => (d(), any::<Index>(), prop::bool::weighted(0.5)).prop_map(
            |(destination, pick, perhaps_lost)| Step::Renew { destination, pick, perhaps_lost }),
        26 => (claim(), prop::collection::vec(end(), 1..5), any::<bool>(), any::<bool>()).prop_map(
            |(claim, ends, one_call, then)| Step::Settle {
                destination: claim.destination,
                ends,
                one_call,
                then: then.then_some(claim),
            }),
        4 => (d(), picks(3)).prop_map(|(destination, picks)| Step::LeasesEnd { destination, picks }),
        5 => (d(), picks(3)).prop_map(|(destination, picks)| Step::RetriesAreDue { destination, picks }),
        5 => vendor().prop_map(Step::GatesTimeHasCome),
        1 => (d(), 1..=5_u32).prop_map(|(destination, times)| Step::Crash { destination, times }),
        2 => (d(), prop::sample::select(vec![Kind::Retry, Kind::Defer { lost: false }]), any::<bool>())
            .prop_map(|(destination, kind, one_call)| Step::Storm { destination, kind, one_call }),
        1 => (d(), any::<Index>(), 1..14_usize)
            .prop_map(|(destination, pick, times)| Step::Unlucky { destination, pick, times }),
        5 => (picks(3), any::<bool>()).prop_map(|(picks, forced)| Step::Replay { picks, forced }),
        3 => (any::<Index>(), prop::bool::weighted(0.2))
            .prop_map(|(pick, late)| Step::Edit { pick, late }),
        2 => (any::<Index>(), any::<bool>(), prop::option::of(id()))
            .prop_map(|(pick, undecodable, id)| Step::Reread { pick, undecodable, id }),
        3 => (picks(2), any::<bool>()).prop_map(|(picks, tell)| Step::Discard { picks, tell }),
        2 => (person(), any::<bool>(), any::<bool>())
            .prop_map(|(xid, tell, breaks_off)| Step::Erase { xid, tell, breaks_off }),
        7 => (1..8_usize, any::<bool>(), any::<bool>())
            .prop_map(|(most, patient, eager)| Step::AckClaim { most, patient, eager }),
        7 => (any::<Index>(), 1..6_usize, prop::bool::weighted(0.2), ack_kind()).prop_map(
            |(batch, many, refused, kind)| Step::AckSettle { batch, many, refused, kind }),
        2 => (any::<Index>(), any::<bool>())
            .prop_map(|(batch, pause)| Step::AckReturn { batch, pause }),
        1 => any::<Index>().prop_map(|batch| Step::AckRenew { batch }),
        2 => Just(Step::AckLeaseEnds),
        1 => vendor().prop_map(Step::OperatorPauses),
        3 => vendor().prop_map(Step::OperatorResumes),
        1 => vendor().prop_map(Step::Shut),
    ]
}

/// Few ids, so that the same ones come again; most are numbers.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (1..70_u32).prop_map(|n| n.to_string()),
        1 => (1..9_u32).prop_map(|n| format!("id-{n}")),
    ]
}

/// Few people, so that each has several changes.
fn person() -> impl Strategy<Value = String> {
    (1..6_u32).prop_map(|n| format!("person {n}"))
}

fn row() -> impl Strategy<Value = Row> {
    let xid = prop_oneof![
        7 => person().prop_map(Some),
        1 => Just(None),
    ];
    (
        id(),
        xid,
        0..5_i64,
        prop::bool::weighted(0.05),
        any::<bool>(),
        prop::option::weighted(0.7, prop_oneof![3 => Just(0_u8), 1 => Just(1_u8)]),
    )
        .prop_map(|(id, xid, changed_on, undecodable, has_id, content)| {
            let xid = xid.filter(|_| !undecodable);
            Row {
                id,
                xid,
                changed_on,
                undecodable,
                has_id: has_id || !undecodable,
                replaces: None,
                content,
            }
        })
}

fn claim() -> impl Strategy<Value = Claim> {
    (
        prop::sample::select(&Destination::ALL[..]),
        0..3_u8,
        1..6_usize,
        prop_oneof![1 => Just(0_usize), 1 => 0..5_usize],
        1..9_usize,
        prop_oneof![3 => Just(1_usize), 1 => 2..5_usize],
        any::<bool>(),
    )
        .prop_map(
            |(destination, worker, most, held, fleet_limit, full_batch, linger_over)| Claim {
                destination,
                worker,
                most,
                held,
                fleet_limit,
                full_batch,
                linger_over,
            },
        )
}

fn end() -> impl Strategy<Value = End> {
    let class = prop::sample::select(vec![
        DeadClass::Mapping,
        DeadClass::Validation,
        DeadClass::Unmatched,
        DeadClass::Rejected,
    ]);
    let kind = prop_oneof![
        10 => Just(Kind::Done),
        4 => Just(Kind::Retry),
        2 => prop::sample::select(vec![Blame::Change, Blame::Unknown]).prop_map(Kind::Exhausted),
        3 => any::<bool>().prop_map(|lost| Kind::Defer { lost }),
        1 => Just(Kind::Pause),
        3 => class.prop_map(Kind::Dead),
        1 => Just(Kind::Release),
        1 => Just(Kind::Abandon),
    ];
    (
        any::<Index>(),
        kind,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.03),
    )
        .prop_map(|(pick, kind, perhaps_lost, foreign)| End {
            pick,
            kind,
            perhaps_lost,
            foreign,
        })
}

fn ack_kind() -> impl Strategy<Value = AckKind> {
    prop_oneof![
        6 => Just(AckKind::Accepted),
        1 => Just(AckKind::Rejected),
    ]
}
