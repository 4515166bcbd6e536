//! Dictionaries that the national messages need and that are not public: `audit_rules/messages.toml`.
//!
//! Goes in: the file's text and the rule set, whose words it uses. Comes out: [`Codes`], or every mistake at once: which
//! code a finding's seriousness and kind have, which rules a scene (`trig_scen`) asks for, how many milligrams of a drug a
//! day usually takes where a message says no dose. Deliberately unknown here: messages, findings beyond their words.
//!
//! Lists are read from the top; the first entry that fits wins. To add a dictionary: a field of [`Written`], its check in
//! [`Codes::read`], its section in `audit_rules/README.md`.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::fields::Row;
use super::{Infno, ReviewAsked};
use crate::findings::Finding;
use crate::model::supply::Dosage;
use crate::rules::{Files, Rule, RuleSet, Status};
use crate::span::{Diagnostic, nearest};

/// The dictionaries of a bureau.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    written: Written,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    answer: Style,
    sev_deg: Vec<SevDeg>,
    vola_bhvr_type: Vec<Behaviour>,
    trig_scen: Vec<Scene>,
    usual_dose: Vec<UsualDose>,
}

/// How answers are written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Style {
    /// `infcode` as `"text"` ("0") or `"number"` (0).
    infcode: As,
    /// `vola_amt` as `"number"` (50.0) or `"text"` ("50.00").
    amounts: Option<As>,
    /// What `is_feedback` of a result is; absent: results have no such field.
    is_feedback: Option<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    #[default]
    Text,
    Number,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SevDeg {
    result: Option<Spanned<String>>,
    severity: Option<Spanned<String>>,
    code: Spanned<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Behaviour {
    rules: Option<Vec<Spanned<String>>>,
    code: Spanned<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    code: Spanned<String>,
    name: String,
    /// Codes, families or names; absent: every rule of the stage.
    rules: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualDose {
    /// Prefix of `hilist_code`.
    code: Spanned<String>,
    #[expect(dead_code, reason = "for who reads the file")]
    name: String,
    /// `20mg`, `1片`.
    a_day: Spanned<String>,
    source: Spanned<String>,
}

/// Rules that a request chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Codes; none: every rule of the stage.
    pub rules: Option<BTreeSet<String>>,
    /// What was asked for and is not known.
    pub notes: Vec<String>,
}

/// The file's name below the root of a rule library.
const FILE: &str = "messages.toml";

impl Codes {
    /// Path of the file below the root of a rule library.
    pub const FILE: &'static str = FILE;

    /// The dictionaries of the built-in library.
    ///
    /// # Errors
    /// Every mistake of the file.
    pub fn built_in(set: &RuleSet) -> Result<Codes, Vec<Diagnostic>> {
        let files = Files::built_in();
        let text = files.texts.get(FILE).map(String::as_str).unwrap_or_default();
        Codes::read(&files.called(FILE), text, set)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Every mistake of it; of its form, the first.
    pub fn read(file: &str, text: &str, set: &RuleSet) -> Result<Codes, Vec<Diagnostic>> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let place = error.span().unwrap_or(0..0);
            let help = "audit_rules/README.md says what the file holds, under 医院信息系统的消息";
            vec![Diagnostic::at(file, text, place, error.message()).help(help)]
        })?;
        let mut check = Check { file, text, set, mistakes: Vec::new() };
        check.all(&written);
        if check.mistakes.is_empty() { Ok(Codes { written }) } else { Err(check.mistakes) }
    }

    /// The rules that a message asks for: those of its scene, else those that it names, else all of its stage.
    #[must_use]
    pub fn chosen(&self, asked: &ReviewAsked, set: &RuleSet) -> Chosen {
        let mut notes = Vec::new();
        if let Some(scene) = &asked.trig_scen {
            match self.written.trig_scen.iter().find(|s| s.code.get_ref() == scene) {
                Some(Scene { rules: Some(words), .. }) => {
                    let words = words.iter().map(Spanned::get_ref);
                    return Chosen { rules: Some(words.flat_map(|w| called(set, w)).collect()), notes };
                }
                Some(_) => return Chosen { rules: None, notes },
                None => notes.push("`trig_scen` 不在触发场景的字典里，没有按场景挑规则".to_owned()),
            }
        }
        let (mut rules, mut unknown) = (BTreeSet::new(), 0);
        for word in &asked.rule_ids {
            let found: Vec<String> = called(set, word).collect();
            unknown += usize::from(found.is_empty());
            rules.extend(found);
        }
        if unknown > 0 {
            notes.push(format!("`rule_ids` 有 {unknown} 个不是这里的规则"));
        }
        Chosen { rules: (!rules.is_empty()).then_some(rules), notes }
    }

    /// The name of a scene.
    #[must_use]
    pub fn scene(&self, code: &str) -> Option<&str> {
        self.written.trig_scen.iter().find(|s| s.code.get_ref() == code).map(|s| s.name.as_str())
    }

    /// The code of a finding's seriousness.
    pub(super) fn sev_deg(&self, finding: &Finding) -> &str {
        let fits = |wanted: &Option<Spanned<String>>, found: &str| wanted.as_ref().is_none_or(|w| w.get_ref() == found);
        let entries = self.written.sev_deg.iter();
        let mut fitting = entries.filter(|e| fits(&e.result, &finding.result) && fits(&e.severity, &finding.severity));
        fitting.next().map_or("", |e| e.code.get_ref())
    }

    /// The code of what kind of conduct a finding speaks of.
    pub(super) fn vola_bhvr_type(&self, finding: &Finding) -> &str {
        let family = finding.rule_code.get(..3).unwrap_or(&finding.rule_code);
        let is = |word: &str| {
            word.eq_ignore_ascii_case(&finding.rule_code)
                || word.eq_ignore_ascii_case(family)
                || word == finding.rule_name
        };
        let fits = |e: &&Behaviour| e.rules.as_ref().is_none_or(|words| words.iter().any(|w| is(w.get_ref())));
        self.written.vola_bhvr_type.iter().find(fits).map_or("", |e| e.code.get_ref())
    }

    pub(super) fn infcode_is_number(&self) -> bool {
        self.written.answer.infcode == As::Number
    }

    pub(super) fn amounts_are_texts(&self) -> bool {
        self.written.answer.amounts == Some(As::Text)
    }

    pub(super) fn is_feedback(&self) -> Option<u8> {
        self.written.answer.is_feedback
    }

    /// Gives a line that says neither days nor dose nor frequency the usual dose of its drug: from pack and quantity the
    /// days then follow, as an estimate (they are not what the doctor wrote).
    pub(super) fn fill_dose(&self, row: &mut Row<'_>) {
        if self.written.usual_dose.is_empty()
            || ["prd_days", "sin_dos_dscr", "used_frqu_dscr"].iter().any(|column| row.get(column).is_some())
        {
            return;
        }
        let Some(code) = row.get("hilist_code") else { return };
        let fitting = self.written.usual_dose.iter().filter(|dose| code.starts_with(dose.code.get_ref().as_str()));
        let Some(dose) = fitting.max_by_key(|dose| dose.code.get_ref().len()) else { return };
        let a_day = dose.a_day.get_ref().clone();
        row.set("sin_dos_dscr", a_day);
        row.set("used_frqu_dscr", "qd");
    }
}

/// Codes of the rules that a word names: a code, a family, a name.
fn called<'s>(set: &'s RuleSet, word: &'s str) -> impl Iterator<Item = String> + 's {
    set.rules.iter().filter(move |rule| is_called(rule, word)).map(|rule| rule.code.clone())
}

fn is_called(rule: &Rule, word: &str) -> bool {
    let named = rule.code.eq_ignore_ascii_case(word) || rule.family().eq_ignore_ascii_case(word) || rule.name == word;
    named && rule.status != Status::Retired
}

/// Whether days can follow from this dose for some pack.
fn is_dose(a_day: &str) -> bool {
    const PACKS: [&str; 12] =
        ["1mg×1片", "1ml×1支", "1iu×1支", "1片", "1粒", "1丸", "1袋", "1支", "1枚", "1贴", "1揿", "1喷"];
    PACKS.iter().any(|pack| Dosage::read("盒", pack, a_day, "qd").is_some())
}

/// What is wrong with a file whose form is right.
struct Check<'f> {
    file: &'f str,
    text: &'f str,
    set: &'f RuleSet,
    mistakes: Vec<Diagnostic>,
}

impl Check<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, message: String, help: &str) {
        self.mistakes.push(Diagnostic::at(self.file, self.text, at.span(), message).help(help));
    }

    fn all(&mut self, written: &Written) {
        for entry in &written.sev_deg {
            self.code(&entry.code);
            self.one_of(entry.result.as_ref(), &["明确违规", "可疑"], "result");
            self.one_of(entry.severity.as_ref(), &["high", "medium", "low"], "severity");
        }
        for entry in &written.vola_bhvr_type {
            self.code(&entry.code);
            self.rules(entry.rules.as_deref());
        }
        let mut scenes = BTreeSet::new();
        for scene in &written.trig_scen {
            self.code(&scene.code);
            self.rules(scene.rules.as_deref());
            if !scenes.insert(scene.code.get_ref()) {
                self.wrong(&scene.code, format!("the scene `{}` is there twice", scene.code.get_ref()), "keep one");
            }
        }
        for dose in &written.usual_dose {
            if dose.code.get_ref().len() < 5 {
                let help = "a dose belongs to a drug: write the ten characters of its generic, XC08CAA252";
                self.wrong(&dose.code, format!("`{}` is too short a code", dose.code.get_ref()), help);
            }
            if !is_dose(dose.a_day.get_ref()) {
                let help = "wanted an amount and its unit: 20mg, 0.5g, 1片";
                self.wrong(&dose.a_day, format!("`{}` is no dose", dose.a_day.get_ref()), help);
            }
            if dose.source.get_ref().trim().is_empty() {
                self.wrong(&dose.source, "no `source`".to_owned(), "who says so: a document, or `经办默认`");
            }
        }
        for (name, caught, count) in [
            (
                "sev_deg",
                written.sev_deg.last().is_some_and(|e| e.result.is_none() && e.severity.is_none()),
                written.sev_deg.len(),
            ),
            (
                "vola_bhvr_type",
                written.vola_bhvr_type.last().is_some_and(|e| e.rules.is_none()),
                written.vola_bhvr_type.len(),
            ),
        ] {
            if !caught {
                let message = if count == 0 {
                    format!("no `[[{name}]]`: every finding needs its code")
                } else {
                    format!("the last `[[{name}]]` does not fit every finding")
                };
                let help =
                    format!("end the list with an entry that has only `code`: {} must send it", Infno::Before.number());
                self.mistakes.push(Diagnostic::whole(self.file, message).help(help));
            }
        }
    }

    /// Codes of the messages have three characters of room.
    fn code(&mut self, code: &Spanned<String>) {
        let length = code.get_ref().chars().count();
        if !(1..=3).contains(&length) {
            let message = format!("the code `{}` has {length} characters", code.get_ref());
            self.wrong(code, message, "the field has room for one to three");
        }
    }

    fn one_of(&mut self, word: Option<&Spanned<String>>, known: &[&str], name: &str) {
        if let Some(word) = word
            && !known.contains(&word.get_ref().as_str())
        {
            let message = format!("no {name} is called `{}`", word.get_ref());
            self.wrong(word, message, &format!("wanted {}", known.join(", ")));
        }
    }

    fn rules(&mut self, words: Option<&[Spanned<String>]>) {
        for word in words.unwrap_or_default() {
            let written = word.get_ref();
            if self.set.rules.iter().any(|rule| is_called(rule, written)) {
                continue;
            }
            let known = self.set.rules.iter().flat_map(|r| [r.code.as_str(), r.name.as_str(), r.family()]);
            let help = nearest(written, known)
                .map_or_else(|| "`fundaudit rules list` shows them all".to_owned(), |n| format!("did you mean `{n}`?"));
            self.wrong(word, format!("no rule is called `{written}`"), &help);
        }
    }
}
