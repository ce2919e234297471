use proptest::{prelude::*, sample::select};

use super::*;

const SECRET: &str = "hunter2";

/// Addresses with a password in them, right and wrong in the ways in which people write them.
fn address() -> impl Strategy<Value = String> {
    let form = select(vec![
        "redis://user:P@host:6379/0",
        "redis://:P@host",
        "rediss://P@host",
        "redis://u:P@host:99999",
        "redis://u:P@ho st",
        "redis:/u:P@host",
        "redis//u:P@host",
        "u:P@host:6379",
        "redis://u:P@",
        "redis+unix://u:P@/run/x.sock",
        "redis+unix:///run/x.sock?user=u&pass=P",
        "redis://host:6379/?password=P",
        "redis://host/0?auth=P",
        "https://u:P@host/x",
        "https://host/x?apikey=P",
        "https://host/x?k=P",
        "http://u:P@ho st",
        "redis://u:P@host/zero",
        "redis+sentinel://u:P@h",
    ]);
    (form, "[@:/?# %'\\\\,=é&]{0,2}", "[@:/?# %'\\\\,=é&]{0,2}")
        .prop_map(|(form, before, after)| form.replace('P', &format!("{before}{SECRET}{after}")))
}

/// All that people may see of what came of it.
fn all_shown(result: Result<Loaded, ConfigErrors>) -> String {
    match result {
        Ok(loaded) => {
            let warnings: String = loaded
                .warnings
                .iter()
                .map(|warning| rendered(warning))
                .collect();
            format!("{loaded:?} {} {warnings}", loaded.print())
        }
        Err(errors) => format!("{} {errors} {errors:?}", rendered(&errors)),
    }
}

#[test]
fn a_password_that_would_pass_for_the_host_is_refused_unseen() {
    for address in [
        "redis://u:@P#@host:1",
        "rediss://P?@host",
        "redis://P/@host",
    ] {
        let address = address.replace('P', SECRET);
        let result = with(LEAST, &[("ALUMNIQ_RELAY__REDIS__URL", &address)]);
        assert!(result.is_err(), "{address}");
        assert!(!all_shown(result).contains(SECRET), "{address}");
    }
}

proptest! {
    #[test]
    fn a_password_in_an_address_is_never_shown_however_the_address_is_written(
        address in address(),
        key in select(vec!["redis.url", "alumniq.url", "crm.url", "salsa.url"]),
        line_breaks: bool,
        beside: bool,
    ) {
        let (section, name) = key.split_once('.').unwrap();
        let value = toml::Value::from(address.as_str()).to_string();
        let value = match line_breaks {
            true => format!("[\n  {value},\n  \"redis://other\",\n]"),
            false => value,
        };
        let header = format!("[{section}]\n");
        let beside = if beside { "wrong = 3\n" } else { "" };
        let (before, after) = LEAST.split_once(&header).unwrap_or((LEAST, ""));
        let after = match after.split_once('\n') {
            Some((line, rest)) if line.starts_with(name) => rest,
            _ => after,
        };
        let text = format!("{before}{header}{beside}{name} = {value}\n{after}");
        let variable = format!("ALUMNIQ_RELAY__{}", key.to_uppercase().replace('.', "__"));
        for result in [with(&text, &[]), with(LEAST, &[(&variable, &address)])] {
            let shown = all_shown(result);
            prop_assert!(!shown.contains(SECRET), "{}\n{}", text, shown);
        }
    }

    #[test]
    fn a_damaged_file_is_told_with_its_places_and_without_its_secrets(
        at in any::<prop::sample::Index>(), cut in 0..20_usize, junk in "[\\[\\]{}\"'=#.,\\n\\\\a-z0-9é\u{0}]{0,6}",
    ) {
        let secrets = format!("\napi_key = \"{SECRET}\"\n");
        let (before, after) = LEAST.split_once("[crm]").unwrap();
        let whole = [before, "[crm]\npassword = \"", SECRET, "\"\n", after, "[redis]\nurl = \"redis://u:", SECRET, "@h\"\n"].concat();
        let damage = |text: &str| {
            let boundary = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let start = boundary(at.index(text.len() + 1));
            let end = boundary((start + cut).min(text.len()));
            format!("{}{junk}{}", &text[..start], &text[end..])
        };
        // The part without secrets is damaged: a secret that has lost its name looks like any other text.
        let text = damage(before) + &secrets + &whole[before.len()..];
        let result = parse("relay.toml", &text, Vec::new());
        if let Err(errors) = &result {
            prop_assert!(!errors.findings().is_empty());
        }
        let shown = all_shown(result);
        prop_assert!(!shown.contains(SECRET), "{}\n{}", text, shown);
    }

    #[test]
    fn any_variable_is_read_or_refused(name in "[A-Z_é.]{0,20}", value in ".{0,40}") {
        let variable = format!("ALUMNIQ_RELAY__{name}");
        let _ = with(LEAST, &[(&variable, &value)]);
        for key in ["ALUMNIQ__POLL", "ALUMNIQ__FIELDS__CITY", "CRM__MAP__PHONEWORK", "REDIS__URL", "CONSOLE__LISTEN", "NAMESPACE"] {
            let _ = with(LEAST, &[(&format!("ALUMNIQ_RELAY__{key}"), &value)]);
        }
    }
}
