//! What is known of a vendor's limits, and the newest calls to it.

use jiff::tz::TimeZone;
use jobs::destination::Vendor;
use maud::{Markup, html};
use queue::recent::RecentCall;

use super::text::{count, foreign, moment};
use crate::operations::overview::VendorTraffic;

/// How many calls are shown at once; the rest on request.
const SHOWN: usize = 8;

/// How near its limit a vendor is, where there is something to say; `what`: in words.
pub fn places(vendor: Vendor, traffic: &VendorTraffic, what: &str) -> Markup {
    let used = traffic.limits.places_used;
    html! {
        @if let Some(most) = traffic.most() {
            li data-limit=(vendor) { span { (what) } span { (count(used)) " of " (count(most)) } }
            li.meter { meter min="0" max=(most.max(1)) low=(most * 4 / 5) high=(most) optimum="0" value=(used.min(most.into())) aria-label=(what) {} }
        } @else if used > 0 {
            li data-limit=(vendor) { span { (what) } span { (count(used)) } }
        }
    }
}

/// Limits and calls.
pub fn show(vendor: Vendor, traffic: &VendorTraffic, zone: &TimeZone) -> Markup {
    let VendorTraffic {
        allowed,
        limits,
        calls,
    } = traffic;
    let (shown, rest) = calls.split_at(calls.len().min(SHOWN));
    html! {
        div.traffic {
            section aria-label={ "Limits of " (vendor.subject()) } {
                h3 { "Limits" }
                ul.rows {
                    (places(vendor, traffic, "Calls this minute"))
                    li { span { "Calls a minute" } span { @match traffic.most() { Some(most) => { "at most " (count(most)) } None => "no limit" } } }
                    li { span { "Calls at once" } span { @match allowed.concurrency { Some(most) => { "at most " (count(most)) } None => "one a process" } } }
                    @if let Some(batch) = limits.told_batch.or(allowed.batch) { li { span { "Changes a call" } span { @if batch > 1 { "at most " } (count(batch)) } } }
                    @if let Some(at) = &limits.told_at { li { span { (vendor.subject()) " told its limits" } (moment(at, zone)) } }
                }
            }
            section.calls aria-label={ "Calls to " (vendor.subject()) } {
                h3 { "Recent calls" }
                @if shown.is_empty() {
                    p.empty { "None yet. Processes tell of theirs every few seconds." }
                } @else {
                    (table(shown, zone))
                    @if !rest.is_empty() {
                        details { summary { (count(rest.len() as u64)) " more" } (table(rest, zone)) }
                    }
                }
            }
        }
    }
}

fn table(calls: &[RecentCall], zone: &TimeZone) -> Markup {
    html! {
        table.tight {
            thead { tr {
                th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Answer" }
                th.number scope="col" { "Took" } th.number scope="col" { "Changes" }
            } }
            tbody {
                @for call in calls {
                    tr data-call=(call.request_id) {
                        td { (moment(&call.at, zone)) }
                        td data-name="What" { (foreign(&call.operation)) }
                        td data-name="Answer" { span class=(tone(&call.status)) { (foreign(&call.status)) } }
                        td.number data-name="Took" { (count(call.ms)) " ms" }
                        td.number data-name="Changes" { (count(call.changes)) span.unit { @if call.changes == 1 { " change" } @else { " changes" } } }
                    }
                }
            }
        }
    }
}

/// An answer's mark: throttled and overloaded is not our fault.
fn tone(status: &str) -> &'static str {
    match status.as_bytes() {
        [b'2' | b'3', ..] => "tag ok",
        b"404" => "tag",
        b"429" => "tag wait",
        _ => "tag bad",
    }
}

#[cfg(test)]
mod tests {
    use queue::recent::VendorLimits;

    use super::*;
    use crate::operations::allowed::ConfiguredLimits;

    fn traffic(configured: Option<u32>, told_rate: Option<u32>, places_used: u64) -> VendorTraffic {
        VendorTraffic {
            allowed: ConfiguredLimits {
                concurrency: Some(32),
                rate_per_minute: configured,
                batch: Some(1),
            },
            limits: VendorLimits {
                told_rate,
                told_batch: None,
                told_at: None,
                places_used,
            },
            calls: Vec::new(),
        }
    }

    #[test]
    fn a_vendor_with_a_limit_has_a_meter_and_one_without_has_none() {
        for (configured, told, used, says) in [
            (None, Some(300), 297, "297 of 300"),
            (Some(60), None, 7, "7 of 60"),
            (Some(60), Some(300), 7, "7 of 60"),
        ] {
            let shown = places(Vendor::Salsa, &traffic(configured, told, used), "Calls");
            let shown = shown.into_string();
            assert!(shown.contains(says) && shown.contains("<meter"), "{shown}");
        }
        let counted = places(Vendor::Crm, &traffic(None, None, 12), "Calls").into_string();
        assert!(
            counted.contains(">12<") && !counted.contains("<meter"),
            "{counted}"
        );
        let unused = places(Vendor::Crm, &traffic(None, None, 0), "Calls").into_string();
        assert_eq!(unused, "");
    }

    #[test]
    fn the_limits_are_told_whether_the_vendor_or_the_configuration_sets_them() {
        for (vendor, traffic, says) in [
            (
                Vendor::Crm,
                traffic(None, None, 0),
                ["no limit", "at most 32", "Changes a call</span><span>1<"],
            ),
            (
                Vendor::Salsa,
                traffic(None, Some(300), 0),
                ["at most 300", "at most 32", "Changes a call"],
            ),
        ] {
            let shown = show(vendor, &traffic, &TimeZone::UTC).into_string();
            for words in says {
                assert!(shown.contains(words), "{words}: {shown}");
            }
        }
    }

    #[test]
    fn calls_beyond_the_newest_are_folded_away() {
        let call = |number: usize| RecentCall {
            vendor: Vendor::Crm,
            operation: "update".to_owned(),
            status: "503".to_owned(),
            ms: 1200,
            changes: 1,
            at: "2026-11-22T08:00:00.000Z".to_owned(),
            request_id: number.to_string(),
            worker: "relay-0".to_owned(),
        };
        let traffic = VendorTraffic {
            calls: (0..SHOWN + 3).map(call).collect(),
            ..traffic(None, None, 0)
        };
        let html = show(Vendor::Crm, &traffic, &TimeZone::UTC).into_string();
        assert_eq!(html.matches("data-call").count(), SHOWN + 3);
        assert!(html.contains("<summary>3 more</summary>"), "{html}");
        assert!(
            html.contains("tag bad") && html.contains("1\u{202f}200 ms"),
            "{html}"
        );
    }
}
