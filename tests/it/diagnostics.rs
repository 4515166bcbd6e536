//! Rule files with mistakes: every one is named in one go, with file, line, caret and what to try; and a rule that reaches for
//! a file, a table or a function with an effect is refused by name.

use fundaudit::engine::Compiler;
use fundaudit::rules::{Files, load};

/// The built-in library with one rule file put in its place.
fn with_rule(path: &str, text: &str) -> Files {
    let mut files = Files::built_in();
    files.texts.insert(path.to_owned(), text.to_owned());
    files
}

/// A sound rule; `find` replaces its `[find]` part.
fn rule(find: &str) -> String {
    format!(
        r#"code     = "BIL199"
name     = "a-rule"
title    = "试"
title_en = "A try"
status   = "draft"
result   = "可疑"
severity = "low"
stages   = ["后"]
why      = "为了试。"
basis    = [{{ law = "医疗保障基金使用监督管理条例", article = "第三十八条第七项" }}]
may_be_right_when = ["试"]
blind_spots       = ["试"]

[find]
{find}

[says]
finding = "{{hilist_code}}"
"#
    )
}

fn mistakes(find: &str) -> String {
    let files = with_rule("billing/a-rule.toml", &rule(find));
    let mistakes = match load(&files) {
        Err(mistakes) => mistakes,
        Ok(set) => {
            let rules: Vec<_> = set.rules.iter().filter(|r| r.code == "BIL199").collect();
            match Compiler::new(&set).compile(&rules) {
                Err(mistakes) => mistakes,
                Ok(_) => return "no mistake".to_owned(),
            }
        }
    };
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_sound_rule_has_none() {
    assert_eq!(mistakes("in = \"paid_line\"\nwhere = \"cnt > 3\"\namount = \"inscp_amt\""), "no mistake");
}

#[test]
fn five_mistakes_are_five_diagnostics() {
    let text = mistakes(
        "in = \"paid_line\"\nwith = { cap = \"dayly_cap\" }\nper = [\"psn_no\", \"dya\"]\nmeasure = { used = \"sum(cntt)\" }\nwhere = \"used > $bed_days_tolerence\"\namount = \"inscp_amt *\"",
    );
    assert_eq!(text.matches("error: ").count(), 5, "{text}");
    assert!(text.matches("^\n").count() >= 5, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_condition_that_is_none_and_an_amount_that_is_no_number() {
    insta::assert_snapshot!(mistakes("in = \"paid_line\"\nwhere = \"cnt + 1\"\namount = \"hilist_code\""));
}

#[test]
fn what_has_an_effect_is_refused_by_name() {
    for (expression, named) in [
        ("read_csv('/etc/passwd') is not null", "`read_csv`"),
        ("pg_read_file('/etc/passwd') = ''", "`pg_read_file`"),
        ("version() = ''", "`version`"),
        ("now() > null", "`now`"),
        ("random() > 0.5", "`random`"),
        ("repeat('x', 1000000000) = ''", "`repeat`"),
        ("exists (select 1 from fee_detail)", "subquery"),
        ("cnt > (select max(cnt) from fee_detail)", "subquery"),
        ("cnt in (select cnt from t)", "subquery"),
        ("sum(cnt) over (partition by psn_no) > 1", "`over`"),
        ("x'00' = 'a'", "not allowed"),
        ("psn_no ~ 'a'", "operator"),
        ("array[1] is null", "not allowed"),
        ("cnt > 1; drop table t", "after the expression"),
        ("cnt > :x", ""),
        ("interval '1 day' is null", "not allowed"),
        ("arrow_cast(cnt, 'Utf8') = ''", "`arrow_cast`"),
        ("query('select 1') = ''", "`query`"),
    ] {
        let text = mistakes(&format!("in = \"paid_line\"\nwhere = \"{expression}\"\namount = \"inscp_amt\""));
        assert!(text.contains("error: ") && text.contains(named), "{expression}: {text}");
    }
    let text = mistakes("in = \"read_parquet('/tmp/x')\"\nwhere = \"true\"\namount = \"0\"");
    assert!(text.contains("unknown view"), "{text}");
    let text = mistakes("in = \"paid_line\"\nwith = { x = \"/etc/passwd\" }\nwhere = \"true\"\namount = \"0\"");
    assert!(text.contains("unknown knowledge table `/etc/passwd`"), "{text}");
}

#[test]
fn deep_and_long_expressions_are_refused_and_do_not_overflow() {
    let deep = format!("{}1{} = 1", "(".repeat(500), ")".repeat(500));
    assert!(mistakes(&format!("in = \"line\"\nwhere = \"{deep}\"\namount = \"0\"")).contains("error: "));
    let long = vec!["cnt"; 3_000].join(" + ");
    assert!(mistakes(&format!("in = \"line\"\nwhere = \"{long} > 0\"\namount = \"0\"")).contains("4,000 bytes"));
}

#[test]
fn a_value_that_cannot_be_computed_leaves_its_row_unanswered() {
    // Division by zero on one row must neither hit, nor be clean, nor stop the others.
    let files = with_rule(
        "billing/a-rule.toml",
        &rule("in = \"paid_line\"\nwhere = \"inscp_amt / (cnt - 1) > 5\"\namount = \"inscp_amt\""),
    );
    let set = load(&files).unwrap_or_else(|m| panic!("{}", m[0]));
    let rules: Vec<_> = set.rules.iter().filter(|r| r.code == "BIL199").collect();
    let plans = Compiler::new(&set).compile(&rules).unwrap_or_else(|m| panic!("{}", m[0]));
    let book = fundaudit::rules::book::Book::read(
        "a-rule.md",
        "# BIL199\n\n## 三行\n\n**fee_detail**\n\n| feedetl_sn | hilist_code | fee_ocur_time | cnt | inscp_amt |\n|---|---|---|---|---|\n\
         | 1 | 00 | 2026-03-11 | 1 | 10 |\n| 2 | 00 | 2026-03-12 | 2 | 10 |\n| 3 | 00 | 2026-03-13 | 3 | 10 |\n\n\
         **expect**\n\n| rule | key | amount |\n|---|---|---|\n| BIL199 | mdtrt_id=M1 feedetl_sn=2 | 10.00 |\n\n\
         **not evaluated**\n\n| rule | units |\n|---|---|\n| BIL199 | 1 |\n",
    )
    .unwrap_or_else(|m| panic!("{}", m[0]));
    let failures = fundaudit::operations::cases::test(&book, &set, &plans);
    assert!(failures.is_empty(), "{}", failures[0]);
}
