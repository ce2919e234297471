use proptest::prelude::*;

use super::*;

const PLACE: &str = "{campus}:change:41";
const ROW: &str = r#"{"employer":"Käse & Söhne"}"#;

fn key(seed: u8) -> [u8; KEY_BYTES] {
    [seed; KEY_BYTES]
}

fn seals(current: u8, old: &[u8]) -> Seals {
    let old: Vec<_> = old.iter().map(|seed| key(*seed)).collect();
    Seals::new(Some(&key(current)), &old)
}

#[test]
fn a_key_names_itself_without_telling_anything_of_it() {
    let seals = seals(7, &[8]);
    assert_eq!(seals.current().unwrap().as_str(), "8263b094");
    assert_eq!(
        format!("{seals:?}"),
        "Seals { current: Some(8263b094), known: {77b41f5b, 8263b094} }"
    );
}

#[test]
fn what_an_earlier_version_sealed_is_opened() {
    let golden = "sealed:8263b094:AAECAwQFBgcICQoLDA0ODxAREhMUFRYX0zXO6IpwNNxAtaN9xKlsCCyzGDE0pPTHm3PSo+cWOM9cK6X6LfYo9P1Ml/W9";
    assert_eq!(seals(7, &[]).open(PLACE, golden).unwrap(), ROW);
}

#[test]
fn nothing_of_the_plain_text_is_in_the_sealed_one_and_none_is_like_another() {
    let seals = seals(7, &[]);
    let (one, other) = (seals.seal(PLACE, ROW), seals.seal(PLACE, ROW));
    assert_ne!(one, other);
    assert!(!one.contains("Käse") && !one.contains("employer"));
    assert_eq!(key_id(&one), Some("8263b094"));
}

#[test]
fn without_a_key_payloads_are_written_as_they_are_and_old_ones_still_opened() {
    let sealed = seals(7, &[]).seal(PLACE, ROW);
    let opener = Seals::new(None, &[key(7)]);
    assert_eq!(opener.seal(PLACE, ROW), ROW);
    assert_eq!(opener.open(PLACE, &sealed).unwrap(), ROW);
    assert!(opener.is_current(ROW) && !opener.is_current(&sealed));
}

#[test]
fn a_payload_from_before_the_key_is_opened_and_told_apart() {
    let seals = seals(7, &[]);
    assert_eq!(seals.open(PLACE, ROW).unwrap(), ROW);
    assert!(!seals.is_current(ROW));
    assert!(seals.is_current(&seals.seal(PLACE, ROW)));
}

#[test]
fn an_old_key_opens_and_a_missing_one_is_named() {
    let sealed = seals(7, &[]).seal(PLACE, ROW);
    assert_eq!(seals(8, &[9, 7]).open(PLACE, &sealed).unwrap(), ROW);
    assert!(!seals(8, &[9, 7]).is_current(&sealed));
    for stranger in [seals(8, &[9]), Seals::default()] {
        assert_eq!(
            stranger.open(PLACE, &sealed),
            Err(SealError::NoKey("8263b094".to_owned()))
        );
    }
}

#[test]
fn what_stands_in_a_keys_place_is_never_quoted() {
    for text in [
        "sealed:",
        "sealed:Käse & Söhne:",
        "sealed:secret00",
        "sealed:secret00:AAAA",
    ] {
        let error = seals(7, &[]).open(PLACE, text).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!error.to_string().contains("Käse"), "{error}");
        assert_eq!(key_id(text), Some(""));
    }
}

#[test]
fn a_payload_opens_in_its_own_place_only() {
    let seals = seals(7, &[]);
    let sealed = seals.seal(PLACE, ROW);
    for place in [
        "{campus}:change:42",
        "{campus}:sent:crm:41",
        "{other}:change:41",
        "",
    ] {
        assert_eq!(
            seals.open(place, &sealed),
            Err(SealError::Broken),
            "{place}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_is_opened_again(place in ".*", plain in any::<String>()) {
        prop_assume!(!plain.starts_with(MARK));
        let sealed = seals(7, &[8]).seal(&place, &plain);
        prop_assert_eq!(seals(9, &[7]).open(&place, &sealed).unwrap(), plain);
    }

    #[test]
    fn a_byte_that_differs_anywhere_is_noticed(at in any::<prop::sample::Index>(), by in 1u8..128) {
        let sealed = seals(7, &[]).seal(PLACE, ROW);
        let mut bytes = sealed.clone().into_bytes();
        let at = MARK.len() + at.index(bytes.len() - MARK.len());
        bytes[at] ^= by;
        if let Ok(altered) = String::from_utf8(bytes) {
            prop_assert!(seals(7, &[]).open(PLACE, &altered).is_err());
        }
    }

    #[test]
    fn what_is_cut_off_or_made_up_is_noticed(length in 0usize..60, noise in "[A-Za-z0-9+/:]*") {
        let sealed = seals(7, &[]).seal(PLACE, ROW);
        let cut = &sealed[..MARK.len() + length];
        prop_assert!(seals(7, &[]).open(PLACE, cut).is_err());
        for made_up in [format!("{MARK}{noise}"), format!("{MARK}8263b094:{noise}")] {
            prop_assert!(seals(7, &[]).open(PLACE, &made_up).is_err());
        }
    }

    #[test]
    fn the_wrong_key_under_the_right_name_opens_nothing(other in 0u8..255) {
        prop_assume!(other != 7);
        let sealed = seals(7, &[]).seal(PLACE, ROW);
        let forged = sealed.replacen("8263b094", seals(other, &[]).current().unwrap().as_str(), 1);
        prop_assert_eq!(seals(other, &[]).open(PLACE, &forged), Err(SealError::Broken));
    }
}
