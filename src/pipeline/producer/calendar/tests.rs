use jiff::{
    SignedDuration,
    civil::{DateTime, Time},
};
use proptest::prelude::*;

use super::*;

/// Clocks that change at 02:00, at midnight, by half an hour, by two hours and in winter; zones that are half an hour
/// off; one that is a day ahead, and one that once left a day out.
const ZONES: [&str; 14] = [
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
];

const CIVIL: [&str; 6] = [
    "2023-12-31T23:59:59.999",
    "2024-01-01T00:00",
    "2024-02-28T23:59:59.999",
    "2024-02-29T00:00",
    "2024-02-29T23:59:59.999",
    "2024-03-01T00:00",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn millis(instant: Timestamp) -> u64 {
    instant.as_millisecond().try_into().unwrap()
}

/// `2024-02-29T23:59` on the campus's clocks, or an instant with `Z`.
fn at(text: &str, timezone: &TimeZone) -> u64 {
    millis(text.parse::<Timestamp>().unwrap_or_else(|_| {
        let civil: DateTime = text.parse().unwrap();
        civil
            .to_zoned_datetime(timezone.clone())
            .unwrap()
            .timestamp()
    }))
}

/// What the fleet remembers of a good fetch at `last`.
fn fetched(last: u64) -> ProducerRecord {
    ProducerRecord {
        last_started: Some(last),
        ..ProducerRecord::default()
    }
}

/// A zone, and an instant near a change of its clocks, around a midnight of note, or at any time.
fn moment() -> impl Strategy<Value = (TimeZone, u64)> {
    let near = -4 * 3_600_000..4 * 3_600_000_i64;
    let ever = 946_684_800_000..2_208_988_800_000_u64;
    (
        prop::sample::select(&ZONES[..]),
        ever,
        near,
        prop::option::of(prop::sample::select(&CIVIL[..])),
        any::<bool>(),
    )
        .prop_map(|(name, ever, near, civil, at_a_change)| {
            let timezone = zone(name);
            let instant = match civil {
                Some(civil) => at(civil, &timezone),
                None => ever,
            };
            let change = timezone.following(instant_of(instant)).next();
            let instant = match change.filter(|_| at_a_change) {
                Some(change) => millis(change.timestamp() + SignedDuration::from_millis(near)),
                None => instant,
            };
            (timezone, instant)
        })
}

fn instant_of(ms: u64) -> Timestamp {
    instant(ms).unwrap()
}

#[test]
fn a_fetch_is_due_at_first_after_a_failure_on_schedule_and_when_the_clock_was_set_back() {
    let campus = zone("America/New_York");
    let schedule = Schedule::Every(Duration::from_secs(900));
    let due =
        |record: &ProducerRecord, now| due_in(&schedule, &campus, record, now).as_millis() as u64;
    let now = at("2026-03-08T12:00", &campus);
    assert_eq!(due(&ProducerRecord::default(), now), 0);
    assert_eq!(due(&fetched(now), now), 900_000);
    assert_eq!(due(&fetched(now - 900_001), now), 0);
    assert_eq!(due(&fetched(now + 3_600_000), now), 0);
    let failed = ProducerRecord {
        error: Some("HTTP 500".to_owned()),
        ..fetched(now - 10_000)
    };
    assert_eq!(due(&failed, now), 20_000);
    // `Retry-After` prolongs that and never shortens it.
    for (asked, expected) in [(0, 20_000), (3_600_000, 3_590_000)] {
        let asked = ProducerRecord {
            not_before: Some(now - 10_000 + asked),
            ..failed.clone()
        };
        assert_eq!(due(&asked, now), expected);
    }
    // Redis went back in time: everything is read again at once, and after a failure as ever.
    for (noticed, expected) in [(now - 5_000, 0), (now - 10_000, 20_000)] {
        let rolled_back = ProducerRecord {
            rolled_back: Some(noticed),
            ..failed.clone()
        };
        assert_eq!(due(&rolled_back, now), expected);
    }
}

#[test]
fn a_walk_asks_for_the_days_of_the_campus() {
    for (name, now, days_asked) in [
        // Leap day, its end and the day after; the end of a year.
        (
            "America/New_York",
            "2024-02-29T00:00",
            ["2024-02-27", "2024-02-28", "2024-02-29"],
        ),
        (
            "America/New_York",
            "2024-02-29T23:59:59.999",
            ["2024-02-27", "2024-02-28", "2024-02-29"],
        ),
        (
            "America/New_York",
            "2024-03-01T00:00",
            ["2024-02-28", "2024-02-29", "2024-03-01"],
        ),
        (
            "America/New_York",
            "2025-03-01T00:00",
            ["2025-02-27", "2025-02-28", "2025-03-01"],
        ),
        (
            "America/New_York",
            "2027-01-01T00:00",
            ["2026-12-30", "2026-12-31", "2027-01-01"],
        ),
        // 23 and 25 hours long.
        (
            "America/New_York",
            "2026-03-08T23:59",
            ["2026-03-06", "2026-03-07", "2026-03-08"],
        ),
        (
            "America/New_York",
            "2026-03-09T00:00",
            ["2026-03-07", "2026-03-08", "2026-03-09"],
        ),
        (
            "America/New_York",
            "2026-11-02T04:59Z",
            ["2026-10-30", "2026-10-31", "2026-11-01"],
        ),
        (
            "America/New_York",
            "2026-11-02T05:00Z",
            ["2026-10-31", "2026-11-01", "2026-11-02"],
        ),
        // These days begin at 01:00, a moment after 23:59:59.999.
        (
            "Africa/Cairo",
            "2026-04-23T21:59:59.999Z",
            ["2026-04-21", "2026-04-22", "2026-04-23"],
        ),
        (
            "Africa/Cairo",
            "2026-04-23T22:00Z",
            ["2026-04-22", "2026-04-23", "2026-04-24"],
        ),
        (
            "America/Santiago",
            "2026-09-06T04:00Z",
            ["2026-09-04", "2026-09-05", "2026-09-06"],
        ),
        // A day ahead of New York, and half an hour off.
        (
            "Pacific/Kiritimati",
            "2026-11-01T10:00Z",
            ["2026-10-31", "2026-11-01", "2026-11-02"],
        ),
        (
            "Asia/Kolkata",
            "2026-11-01T18:29:59Z",
            ["2026-10-30", "2026-10-31", "2026-11-01"],
        ),
        (
            "Asia/Kolkata",
            "2026-11-01T18:30Z",
            ["2026-10-31", "2026-11-01", "2026-11-02"],
        ),
    ] {
        let timezone = zone(name);
        let today = day(at(now, &timezone), &timezone).unwrap();
        let first = first_day(today, 2, None, &timezone).unwrap();
        let asked: Vec<Date> = days(first, today).collect();
        assert_eq!(asked, days_asked.map(date), "{name} {now}");
    }
}

#[test]
fn after_days_of_failures_a_sweep_reaches_back_to_the_day_before_the_last_good_one() {
    let campus = zone("America/New_York");
    let today = date("2024-03-12");
    for (last_sweep, first) in [
        ("2024-03-11T23:00", "2024-03-05"), // within what is configured
        ("2024-03-06T12:00", "2024-03-05"),
        ("2024-03-05T00:00", "2024-03-04"),
        ("2024-03-01T12:00", "2024-02-29"),
        ("2023-03-01T00:00", "2023-02-28"),
    ] {
        let last_sweep = Some(at(last_sweep, &campus));
        let found = first_day(today, 7, last_sweep, &campus).unwrap();
        assert_eq!(found, date(first));
    }
}

proptest! {
    /// Whatever changes between two sweeps changes on a day that the second asks for.
    #[test]
    fn no_day_falls_out_between_two_sweeps(
        (timezone, last) in moment(),
        between in 0..20 * 86_400_000_u64,
        lookback in 1..40_u32,
        share in 0.0..=1.0_f64,
    ) {
        let now = last + between;
        let today = day(now, &timezone).unwrap();
        let first = first_day(today, lookback, Some(last), &timezone).unwrap();
        let asked: Vec<Date> = days(first, today).collect();
        prop_assert_eq!(asked.last(), Some(&today));
        prop_assert!(asked.contains(&today.yesterday().unwrap()));
        prop_assert!(asked.windows(2).all(|two| two[0].tomorrow().unwrap() == two[1]));
        let changed = last + (between as f64 * share) as u64;
        prop_assert!(asked.contains(&day(changed, &timezone).unwrap()));
        prop_assert!(asked.contains(&day(last, &timezone).unwrap().yesterday().unwrap()));
    }

    /// As the producer does it: it starts a little late, remembers when, and asks again.
    #[test]
    fn a_daily_fetch_happens_once_on_each_day_that_there_is(
        (timezone, start) in moment(),
        hour in 0..24_i8,
        minute in 0..60_i8,
        late in prop_oneof![Just(0), 0..5_000_u64],
    ) {
        let time = Time::constant(hour, minute, 0, 0);
        let schedule = Schedule::Daily(time);
        let mut now = start;
        let mut fetches = Vec::new();
        for _ in 0..10 {
            let wait = due_in(&schedule, &timezone, &fetched(now), now);
            prop_assert!(!wait.is_zero(), "{} again at once", schedule);
            now += wait.as_millis() as u64;
            let local = instant(now).unwrap().to_zoned_datetime(timezone.clone()).datetime();
            // In Nuuk the clocks go forward over midnight: what is skipped then comes on the next day.
            let of_the_day_before = local.time() < time;
            let date = local.date();
            fetches.push(if of_the_day_before { date.yesterday().unwrap() } else { date });
            now += late;
        }
        let exists = |day: &Date| day.to_zoned_datetime(timezone.clone()).unwrap().date() == *day;
        let expected: Vec<Date> = days(fetches[0], fetches[9]).filter(exists).collect();
        prop_assert_eq!(fetches, expected, "{} in {:?}", schedule, timezone.iana_name());
    }
}
