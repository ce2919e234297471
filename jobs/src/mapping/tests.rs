use hostile::{fit, text};
use proptest::prelude::*;

use super::*;

fn change(fields: &[(&str, &str)]) -> Change {
    Change {
        change_id: "1".to_owned(),
        xid: None,
        order: String::new(),
        fields: fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        unmapped: Vec::new(),
    }
}

fn compile(source: &str) -> Result<Template, TemplateError> {
    Template::compile("Field", source, &FieldNames::default())
}

fn render(source: &str, fields: &[(&str, &str)]) -> Result<Option<String>, RuleViolation> {
    compile(source).unwrap().render(&change(fields))
}

#[test]
fn a_template_renders_the_rows_fields() {
    let row = [
        ("employer", "Smith & <Sons>"),
        ("country", "us"),
        ("phone", "+1 555-0100"),
    ];
    for (source, text) in [
        ("{{ employer }}", "Smith & <Sons>"),
        ("  {{ employer }}\n", "Smith & <Sons>"),
        ("at {{ employer | upper }}", "at SMITH & <SONS>"),
        ("{{ country | country('alpha3') }}", "USA"),
        (
            "{{ country | country('name') }}",
            "United States of America",
        ),
        ("{{ phone | digits }}", "15550100"),
        ("{{ jobTitle | default('none given') }}", "none given"),
        (
            "{% if jobTitle %}{{ jobTitle }}{% else %}no title{% endif %}",
            "no title",
        ),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% set who = employer %}{{ who }}", "Smith & <Sons>"),
        ("{{ employer | replace('&', 'and') }}", "Smith and <Sons>"),
        (
            "{{ [employer, country] | join(', ') }}",
            "Smith & <Sons>, us",
        ),
        ("{{ country | join('-') }}", "u-s"),
        ("{{ employer[:5] }}", "Smith"),
        ("{{ (phone | digits)[-4:] }}", "0100"),
    ] {
        assert_eq!(render(source, &row), Ok(Some(text.to_owned())), "{source}");
    }
}

#[test]
fn a_field_that_the_row_lacks_renders_blank() {
    for source in [
        "{{ employer }}",
        " {{ employer }}\n{{ city }} ",
        "{{ employer | upper | trim }}",
        "{{ country | country('alpha2') }}",
        "{{ phone | digits }}",
        "",
    ] {
        assert_eq!(render(source, &[]), Ok(None), "{source}");
    }
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_right_one() {
    for (source, near) in [
        ("{{ employr }}", "employer"),
        ("{{ job_title }}", "jobTitle"),
        ("{{ CITY }}", "city"),
        ("{% if phnoe %}x{% endif %}", "phone"),
        ("{{ postlCode[:5] }}", "postalCode"),
    ] {
        let error = compile(source).unwrap_err();
        assert_eq!(error.target, "Field");
        assert!(
            error.advice.starts_with(&format!("did you mean `{near}`?")),
            "{error}"
        );
    }
    assert!(
        compile("{{ zzzzzzzz }}")
            .unwrap_err()
            .advice
            .starts_with("use one of: changeId, xid")
    );
}

#[test]
fn what_no_row_could_make_work_is_refused_at_once() {
    for source in [
        "{{ employer",
        "{{ employer | uper }}",
        "{% if not employer %}{{ city | nosuch }}{% endif %}",
        "{% if employer is nosuch %}{% endif %}",
        "{{ nosuch() }}",
        "{{ debug() }}",
        "{{ country | country('alpha9') }}",
        "{{ country | country }}",
        "{% include 'x' %}",
        "{% for i in range(100000) %}{% endfor %}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ 'a' * 10 ** 6 }}",
        "{{ employer | indent(10 ** 18) }}",
        "{{ '%999999999999s' | format(employer) }}",
        "{{ employer | batch(10 ** 12, 'x') }}",
        "{{ employer | slice(10 ** 12) }}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ j }}{% endfor %}{% endfor %}",
    ] {
        assert!(compile(source).is_err(), "{source}");
    }
}

#[test]
fn a_problem_names_the_field_and_the_rule_and_never_the_value() {
    let problem = render(
        "{{ country | country('alpha2') }}",
        &[("country", "Atlantis")],
    )
    .unwrap_err();
    assert_eq!(
        problem.to_string(),
        "Field is no country that ISO 3166 knows by code or English name"
    );
    let problem = render("{{ city | int }}", &[("city", "Atlantis")]).unwrap_err();
    assert!(!problem.to_string().contains("Atlantis"), "{problem}");
}

#[test]
fn a_panic_of_the_template_engine_is_this_rows_problem() {
    let mut template = compile("{{ city | trim }}").unwrap();
    template
        .environment
        .add_filter("trim", |_: String| -> String { panic!("a bug") });
    let problem = template.render(&change(&[("city", "x")])).unwrap_err();
    assert_eq!(problem.rule, "makes the template engine fail");
}

#[test]
fn output_is_bounded() {
    let long = "x".repeat(MAX_OUTPUT / 2 + 1);
    let problem = render("{{ city }}{{ city }}", &[("city", &long)]).unwrap_err();
    assert_eq!(problem.rule, "renders to more than 65536 bytes");
}

#[test]
fn a_field_is_seen_wherever_it_stands() {
    for source in [
        "{{ city }}",
        "{{ -city }}",
        "{{ not city }}",
        "{{ 'x' ~ city }}",
        "{{ 'x' == city }}",
        "{{ 'x' in city }}",
        "{{ 'x' if city else 'y' }}",
        "{{ city if 1 else 2 }}",
        "{{ 1 if 0 else city }}",
        "{{ 'x' | default(city) }}",
        "{{ city | upper }}",
        "{{ city is defined }}",
        "{{ 1 is eq(city) }}",
        "{{ city.x }}",
        "{{ city['x'] }}",
        "{{ 'x'[city] }}",
        "{{ city[1:] }}",
        "{{ 'x'[city:] }}",
        "{{ 'x'[:city] }}",
        "{{ 'x'[::city] }}",
        "{{ range(city) }}",
        "{{ dict(a=city) }}",
        "{{ [city] }}",
        "{{ (1, city) }}",
        "{{ {'a': city} }}",
        "{{ {city: 1} }}",
        "{{ city < 1 < 2 }}",
        "{{ 1 < city < 3 }}",
        "{% for a in city %}{% endfor %}",
        "{% for a in [] if city %}{% endfor %}",
        "{% for a in [] %}{{ city }}{% else %}{% endfor %}",
        "{% for a in [] %}{% else %}{{ city }}{% endfor %}",
        "{% if 0 %}{% elif city %}{% endif %}",
        "{% if 0 %}{% else %}{{ city }}{% endif %}",
        "{% set a = city %}",
        "{% set a %}{{ city }}{% endset %}",
        "{% with a = city %}{% endwith %}",
        "{% with a = 1 %}{{ city }}{% endwith %}",
        "{% filter upper %}{{ city }}{% endfilter %}",
        "{% do city %}",
    ] {
        if let Ok(template) = compile(source) {
            assert_eq!(template.fields, ["city"], "{source}");
        }
    }
}

#[test]
fn a_template_without_fields_is_a_constant() {
    assert_eq!(
        compile(" {{ 'Alumni' }} ").unwrap().constant(),
        Some("Alumni")
    );
    assert_eq!(compile("").unwrap().constant(), Some(""));
    assert_eq!(compile("{{ xid }}").unwrap().constant(), None);
    assert_eq!(render("Alumni", &[]), Ok(Some("Alumni".to_owned())));
}

#[test]
fn map_values_are_read_from_plain_json_and_toml_shapes() {
    let values: BTreeMap<String, MapValue> = serde_json::from_str(
        r#"{"a":"{{ x }}","b":false,"c":3,"d":[{"Tag":"t","Nested":[{"x":1}]}]}"#,
    )
    .unwrap();
    assert_eq!(values["a"], MapValue::Template("{{ x }}".to_owned()));
    assert_eq!(values["b"], MapValue::Bool(false));
    assert_eq!(values["c"], MapValue::Integer(3));
    assert!(matches!(&values["d"], MapValue::List(items) if items.len() == 1));
}

#[test]
fn a_filter_cannot_make_a_flood_of_a_long_row() {
    let long = "x".repeat(MAX_OUTPUT);
    for source in [
        "{{ city | replace('x', city) | length }}",
        "{{ city | replace('', city) | length }}",
        "{{ city | list | join(city) | length }}",
    ] {
        let problem = render(source, &[("city", &long)]).unwrap_err();
        assert_eq!(
            problem.rule, "grows to more than 65536 bytes on the way",
            "{source}"
        );
    }
}

/// Templates of pieces that fit together, or nearly.
fn any_template() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{ city }}",
        "{{ city | upper }}",
        "{{ city[1:9] }}",
        "{{ city[::-1] }}",
        "{{ city | int + 1 }}",
        "{{ city ~ phone }}",
        "{{ city * 3 }}",
        "{{ (city | length) ** 9 }}",
        "{{ city | country('name') }}",
        "{{ city | list | sort | unique | join(phone) }}",
        "{{ city | split('a') | first }}",
        "{{ city | float / 0 }}",
        "{{ city | round(99) }}",
        "{{ 10 // (city | length) }}",
        "{{ city.x.y }}",
        "{{ city is number }}",
        "{% for c in city %}{{ c }}",
        "{% for i in range(city | int) %}{{ loop.index }}",
        "{% endfor %}",
        "{% for c in [city] recursive %}{{ loop([c]) }}",
        "{% if city > 5 %}",
        "{% else %}",
        "{% endif %}",
        "{% set a = city ~ city %}{{ a }}",
        "{% with a = city %}",
        "{% endwith %}",
        "{% filter upper %}",
        "{% endfilter %}",
        "{# #}",
        "{% raw %}",
        "{{",
        "}}",
        "{%",
        "\u{0}",
        "\n",
        "x",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_template_over_any_row_renders_within_its_bounds_or_says_why_not(source in any_template(), city in text(), phone in text()) {
        match compile(&source) {
            Err(error) => prop_assert!(!error.cause.is_empty() && !error.advice.is_empty()),
            Ok(template) => match template.render(&change(&[("city", &city), ("phone", &phone)])) {
                Ok(Some(text)) => prop_assert!(!text.trim().is_empty() && text.len() <= MAX_OUTPUT),
                Ok(None) => {}
                Err(problem) => fit(&problem.to_string()),
            },
        }
    }

    #[test]
    fn compiling_any_text_never_panics(source in ".{0,40}") {
        let _ = compile(&source);
    }

    #[test]
    fn rendering_any_row_never_panics_and_never_renders_blanks(value in ".{0,60}") {
        for source in ["{{ city }}", "{{ city | country('name') }}", "{{ city | digits | trim }}", "{{ city | int }}", "{{ city[1:3] | upper }}"] {
            if let Ok(Some(text)) = render(source, &[("city", &value)]) {
                prop_assert!(!text.trim().is_empty());
            }
        }
    }
}
