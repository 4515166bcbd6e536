//! The national messages 3101, 3102 and 3103: from the envelope to rows.
//!
//! Goes in: the bytes and [`Codes`] (its usual doses). Comes out: [`Asked`]. Deliberately unknown here: names of columns
//! (`fields`), rules.
//!
//! What is read how:
//! - the encounter that `curr_mdtrt_id` names is pending, others are context; without it, all are pending;
//! - an order with `curr_drord_flag` 0 is context;
//! - the fund's part of an order is `sumamt − ownpay_amt − selfpay_amt`; without one of the three it is unknown;
//! - an inpatient's `dscg_date` counts only when it can be a discharge: not in the scenes of the ward (3, 4, 5), and not
//!   where it equals `adm_date` to the second, which is what systems send that must send something;
//! - a message has no settlement, unless its encounter says a `setl_id`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::fields::{Notes, Row, Tables};
use super::json::{self, Node};
use super::{Asked, Codes, Done, Feedback, Form, Infno, Limits, Refused, ReviewAsked, Stage, Warning, Why};
use crate::model::{Table, codes::level};

const PATIENTS: [&str; 3] = ["patient_dtos", "patient_dto", "patientDtos"];
const ENCOUNTERS: [&str; 4] = ["fsi_encounter_dtos", "fsi_encounter_dto", "encounter_dtos", "encounters"];
const DIAGNOSES: [&str; 4] = ["fsi_diagnose_dtos", "fsi_diagnose_dto", "diagnose_dtos", "diseinfo"];
const ORDERS: [&str; 4] = ["fsi_order_dtos", "fsi_order_dto", "order_dtos", "feedetail"];
const OPERATIONS: [&str; 4] = ["fsi_operation_dtos", "fsi_operation_dto", "operation_dtos", "oprninfo"];
const WARNINGS: [&str; 2] = ["warns", "warn"];

/// The lists of a national message by their best names, and whose rows they are; the first is the patients'.
pub const LISTS: [(&str, Table); 5] = [
    (PATIENTS[0], Table::Person),
    (ENCOUNTERS[0], Table::Encounter),
    (DIAGNOSES[0], Table::Diagnosis),
    (ORDERS[0], Table::FeeDetail),
    (OPERATIONS[0], Table::Operation),
];

/// The longest reason that 3103 has room for.
pub const REASON: usize = 500;

/// Reads a national message.
///
/// # Errors
/// [`Refused`] says what its sender should write instead.
pub fn request(body: &[u8], limits: &Limits, codes: &Codes) -> Result<Asked, Refused> {
    request_to(None, body, limits, codes)
}

/// Reads a national message that came to an address for one kind of message: one that does not say what it is, is that.
///
/// # Errors
/// As [`request`]; and it says that it is another.
pub fn request_to(address: Option<Infno>, body: &[u8], limits: &Limits, codes: &Codes) -> Result<Asked, Refused> {
    let parsed = json::parse(body, limits)?;
    let Some(root) = parsed.object() else {
        return Err(Refused::new(
            Why::NotJson,
            "消息应当是一个 JSON 对象：{\"infno\":\"3101\",\"input\":{\"data\":{…}}}",
        ));
    };
    let msgid = owned(root, "msgid");
    let inside = |node: &Node<'_>| Envelope::of(node, address).and_then(|envelope| envelope.asked(limits, codes));
    inside(root).map_err(|refused| Refused { msgid, ..refused })
}

fn owned(node: &Node<'_>, name: &str) -> Option<String> {
    node.text(name).map(Cow::into_owned).filter(|text| text.len() <= 200)
}

/// The message around the data.
struct Envelope<'n, 'a> {
    root: &'n Node<'a>,
    data: &'n Node<'a>,
    infno: Option<Infno>,
}

impl<'n, 'a> Envelope<'n, 'a> {
    fn of(root: &'n Node<'a>, address: Option<Infno>) -> Result<Envelope<'n, 'a>, Refused> {
        let infno = match root.text("infno").as_deref() {
            None => address,
            Some("3101") => Some(Infno::Before),
            Some("3102") => Some(Infno::During),
            Some("3103") => Some(Infno::Feedback),
            Some(_) => return Err(Refused::new(Why::NotOurs, "`infno` 不是这里的交易：这里答 3101、3102、3103")),
        };
        if let (Some(infno), Some(address)) = (infno, address)
            && infno != address
        {
            let said = format!("`infno` 是 {}，却送到了 {} 的地址", infno.number(), address.number());
            return Err(Refused::new(Why::NotOurs, said));
        }
        let input = root.get("input").unwrap_or(root);
        let Some(input) = input.object() else {
            return Err(Refused::new(Why::Unreadable, "`input` 应当是一个对象：\"input\":{\"data\":{…}}"));
        };
        let data = input.get("data").unwrap_or(input);
        let Some(data) = data.object() else {
            return Err(Refused::new(Why::Unreadable, "`input.data` 应当是一个对象，里面有 `patient_dtos` 或 `warns`"));
        };
        Ok(Envelope { root, data, infno })
    }

    fn asked(&self, limits: &Limits, codes: &Codes) -> Result<Asked, Refused> {
        let warnings = self.data.first(&WARNINGS);
        let patients = self.data.first(&PATIENTS);
        match (self.infno, warnings, patients) {
            (Some(Infno::Feedback), ..) | (None, Some(_), None) => self.feedback(limits).map(Asked::Feedback),
            _ => self.review(limits, codes).map(|asked| Asked::Review(Box::new(asked))),
        }
    }

    fn review(&self, limits: &Limits, codes: &Codes) -> Result<ReviewAsked, Refused> {
        let Some((name, patients)) = self.data.first(&PATIENTS) else {
            return Err(Refused::new(Why::Unreadable, "`input.data.patient_dtos` 没有内容：至少要有一个参保人"));
        };
        let patients = patients.items();
        within(patients.len(), limits.patients, name, "参保人")?;
        let trig_scen = owned(self.data, "trig_scen");
        let mut reading = Reading {
            limits,
            codes,
            scene: trig_scen.clone().unwrap_or_default(),
            // What the envelope says of where somebody is insured is said of one person.
            insured: owned(self.root, "insuplc_admdvs").filter(|_| patients.len() == 1),
            counts: Counts::default(),
            pending: Tables::default(),
            context: Tables::default(),
            notes: Notes::default(),
            asked: ReviewAsked {
                form: Form::National,
                stage: if self.infno == Some(Infno::During) { Stage::During } else { Stage::Before },
                msgid: owned(self.root, "msgid"),
                task_id: owned(self.data, "task_id"),
                syscode: owned(self.data, "syscode"),
                trig_scen,
                rule_ids: self.rule_ids(),
                fixmedins_code: owned(self.root, "fixmedins_code"),
                facilities: BTreeSet::new(),
                region: None,
                tables: BTreeMap::new(),
                context: BTreeMap::new(),
                visits: BTreeMap::new(),
                unread: Vec::new(),
            },
        };
        if self.infno.is_none() {
            reading.notes.add(|| "没有 `infno`：按 3101（事前）读".to_owned());
        }
        for (number, patient) in patients.iter().enumerate() {
            reading.patient(patient, &format!("{name}[{number}]"))?;
        }
        reading.finish()
    }

    fn rule_ids(&self) -> Vec<String> {
        let Some(ids) = self.data.get("rule_ids") else { return Vec::new() };
        let texts = ids.items().iter().filter_map(Node::as_text);
        texts
            .flat_map(|t| t.split([',', '|', '，']).map(|w| w.trim().to_owned()).collect::<Vec<_>>())
            .filter(|word| !word.is_empty())
            .take(200)
            .collect()
    }

    fn feedback(&self, limits: &Limits) -> Result<Feedback, Refused> {
        let Some((name, warnings)) = self.data.first(&WARNINGS) else {
            return Err(Refused::new(Why::Unreadable, "`input.data.warns` 没有内容：至少要有一条处理结果"));
        };
        let warnings = warnings.items();
        within(warnings.len(), limits.warnings, name, "处理结果")?;
        let stage = match self.data.text("warn_type").as_deref() {
            None => None,
            Some("1") => Some(Stage::Before),
            Some("2") => Some(Stage::During),
            Some(_) => return Err(Refused::new(Why::Unreadable, "`warn_type` 应当是 1（事前）或 2（事中）")),
        };
        let warnings = warnings.iter().enumerate().map(|(at, warning)| read_warning(warning, &format!("{name}[{at}]")));
        Ok(Feedback {
            msgid: owned(self.root, "msgid"),
            task_id: owned(self.data, "task_id"),
            stage,
            fixmedins_code: owned(self.root, "fixmedins_code"),
            opter: owned(self.root, "opter"),
            warnings: warnings.collect::<Result<_, _>>()?,
        })
    }
}

fn read_warning(warning: &Node<'_>, place: &str) -> Result<Warning, Refused> {
    let wrong = |said: String| Refused::new(Why::Unreadable, said);
    let id = owned(warning, "warn_rslt_id").or_else(|| owned(warning, "jr_id"));
    let warn_rslt_id = id.ok_or_else(|| wrong(format!("`{place}.warn_rslt_id` 没有写：填审核结果里的 `jr_id`")))?;
    let done = match warning.text("dspo_way").as_deref() {
        Some("1") => Done::Kept,
        Some("2") => Done::Changed,
        _ => return Err(wrong(format!("`{place}.dspo_way` 应当是 1（继续执行医嘱）或 2（返回修改医嘱）"))),
    };
    let reason = warning.text("dspo_way_rea").map(Cow::into_owned);
    let long = reason.as_ref().is_some_and(|text| text.chars().count() > REASON);
    if long || matches!(warning.get("dspo_way_rea"), Some(Node::TooLong)) {
        return Err(wrong(format!("`{place}.dspo_way_rea` 超过 {REASON} 字")));
    }
    if done == Done::Kept && reason.is_none() {
        return Err(wrong(format!("`{place}.dspo_way_rea` 没有写：继续执行医嘱（`dspo_way` 1）要写理由")));
    }
    Ok(Warning { warn_rslt_id, done, reason })
}

/// Refuses what is more than the limit.
fn within(found: usize, most: usize, name: &str, what: &str) -> Result<(), Refused> {
    if found <= most {
        return Ok(());
    }
    Err(Refused::new(Why::TooLarge, format!("`{name}`：{what}有 {found} 个，最多 {most} 个，分几次送")))
}

#[derive(Default)]
struct Counts {
    encounters: usize,
    diagnoses: usize,
    operations: usize,
    orders: usize,
}

/// What has been read so far.
struct Reading<'l> {
    limits: &'l Limits,
    codes: &'l Codes,
    scene: String,
    insured: Option<String>,
    counts: Counts,
    pending: Tables,
    context: Tables,
    notes: Notes,
    asked: ReviewAsked,
}

/// What encounters take from their patient.
struct Patient<'p, 'a> {
    node: &'p Node<'a>,
    /// The encounter that is pending; none: all.
    current: Option<String>,
    birth: Option<String>,
}

/// What the rows of an encounter take from it.
struct Whose<'e> {
    mdtrt_id: &'e str,
    psn_no: Option<&'e str>,
    fixmedins_code: Option<&'e str>,
    med_type: Option<&'e str>,
    setl_id: Option<&'e str>,
    level: Option<i64>,
    pending: bool,
}

impl Reading<'_> {
    fn patient(&mut self, patient: &Node<'_>, place: &str) -> Result<(), Refused> {
        let Node::Object(_) = patient else {
            self.notes.add(|| format!("{place} 没有读入：应当是一个对象"));
            return Ok(());
        };
        if patient.get("patn_id").is_none() && patient.get("psn_no").is_some() {
            self.asked.form = Form::NationalNewer;
        }
        let Some((name, encounters)) = patient.first(&ENCOUNTERS) else {
            self.notes.add(|| format!("{place}：没有 `fsi_encounter_dtos`，这个参保人没有可审的就诊"));
            return Ok(());
        };
        let encounters = encounters.items();
        self.counts.encounters += encounters.len();
        within(self.counts.encounters, self.limits.encounters, name, "就诊")?;
        let mut current = owned(patient, "curr_mdtrt_id");
        let named = |id: &str| encounters.iter().any(|e| e.text("mdtrt_id").as_deref() == Some(id));
        if current.as_deref().is_some_and(|id| !named(id)) {
            // With one encounter that lacks its id, the patient's names it.
            if !matches!(encounters, [only] if only.get("mdtrt_id").is_none()) {
                self.notes
                    .add(|| format!("{place}.curr_mdtrt_id：不是任何一个就诊的 `mdtrt_id`，全部就诊都按当前的审"));
                current = None;
            }
        }
        // Read as a row's cell, so that a day in any form is understood and a bad one is noted at its place.
        let only_birth = Node::Object(patient.get("brdy").map(|b| ("brdy".into(), b.clone())).into_iter().collect());
        let birth = Row::read(Table::Person, &only_birth, place.to_owned(), &mut self.notes);
        let patient = Patient { node: patient, current, birth: birth.get("brdy").map(str::to_owned) };
        for (number, encounter) in encounters.iter().enumerate() {
            self.encounter(&patient, encounter, format!("{place}.{name}[{number}]"))?;
        }
        Ok(())
    }

    fn encounter(&mut self, patient: &Patient<'_, '_>, encounter: &Node<'_>, place: String) -> Result<(), Refused> {
        let Node::Object(_) = encounter else {
            self.notes.add(|| format!("{place} 没有读入：应当是一个对象"));
            return Ok(());
        };
        let mut row = Row::read(Table::Encounter, encounter, place, &mut self.notes);
        let current = patient.current.as_deref();
        row.inherit("mdtrt_id", current);
        let own = |name: &str| patient.node.text(name);
        row.inherit("psn_no", own("patn_id").or_else(|| own("psn_no")));
        row.inherit("gend", own("gend"));
        row.inherit("brdy", patient.birth.as_deref());
        row.inherit("fixmedins_code", self.asked.fixmedins_code.clone());
        row.inherit("insu_admdvs", self.region_of(patient.node));
        if row.get("insu_admdvs").is_some_and(nowhere) {
            row.clear("insu_admdvs");
        }
        self.mend_discharge(&mut row, encounter);
        let Some(mdtrt_id) = row.get("mdtrt_id").map(str::to_owned) else {
            let place = row.place();
            self.notes.add(|| format!("{place} 没有读入：没有 `mdtrt_id`"));
            return Ok(());
        };
        let (psn_no, facility) = (row.get("psn_no").map(str::to_owned), row.get("fixmedins_code").map(str::to_owned));
        let (med_type, at) = (row.get("med_type").map(str::to_owned), row.place().to_string());
        if self.asked.visits.contains_key(&mdtrt_id) {
            self.notes.add(|| format!("{at} 没有读入：`mdtrt_id` 与前面的就诊相同"));
            return Ok(());
        }
        if psn_no.is_none() {
            self.notes.add(|| format!("{at} 没有读入：没有 `patn_id` 或 `psn_no`"));
            return Ok(());
        }
        let setl_id = owned(encounter, "setl_id");
        let whose = Whose {
            mdtrt_id: &mdtrt_id,
            psn_no: psn_no.as_deref(),
            fixmedins_code: facility.as_deref(),
            med_type: med_type.as_deref(),
            setl_id: setl_id.as_deref(),
            level: row.get("hosp_lv").and_then(level),
            pending: current.is_none_or(|current| current == mdtrt_id),
        };
        if whose.pending {
            self.asked.facilities.extend(facility.clone());
        }
        self.asked.visits.entry(mdtrt_id.clone()).or_default().psn_no.push_str(psn_no.as_deref().unwrap_or_default());
        self.push(row, whose.pending);
        self.facility(encounter, &whose, &at);
        self.settlement(encounter, &whose, &at);
        self.diagnoses(encounter, &whose, &at)?;
        self.operations(encounter, &whose, &at)?;
        self.orders(encounter, &whose, &at)
    }

    /// Where the person is insured: what the patient says, what the envelope says of the only one, the pooling area.
    fn region_of(&self, patient: &Node<'_>) -> Option<String> {
        let of_patient = ["insu_admdvs", "insuplc_admdvs"].into_iter().filter_map(|name| owned(patient, name));
        of_patient.chain(self.insured.clone()).chain(owned(patient, "poolarea")).find(|region| !nowhere(region))
    }

    /// An inpatient who has not left has no end: systems must send one, and send the day of admission or of today.
    fn mend_discharge(&self, row: &mut Row<'_>, encounter: &Node<'_>) {
        let ward = matches!(self.scene.as_str(), "3" | "4" | "5");
        let leaving = matches!(self.scene.as_str(), "8" | "9");
        let med_type = row.get("med_type").unwrap_or_default();
        let inpatient = encounter.text("med_mdtrt_type").as_deref() == Some("2")
            || ward
            || leaving
            || med_type.starts_with('2')
            || med_type == "52";
        let twice = row.get("endtime").is_some() && row.get("endtime") == row.get("begntime");
        if inpatient && (ward || twice) {
            row.clear("endtime");
            row.inherit("inhosp_stas", Some("1"));
        }
    }

    fn push(&mut self, mut row: Row<'_>, pending: bool) -> bool {
        let into = if pending { &mut self.pending } else { &mut self.context };
        row.push(into, &mut self.notes)
    }

    /// The institution as the encounter tells of it; without a name it is not told.
    fn facility(&mut self, encounter: &Node<'_>, whose: &Whose<'_>, at: &str) {
        let mut row = Row::read(Table::Facility, encounter, at.to_owned(), &mut Notes::default());
        row.inherit("fixmedins_code", whose.fixmedins_code);
        if whose.pending && row.get("fixmedins_name").is_some() && row.get("fixmedins_code").is_some() {
            // One row an institution: the first.
            if self.pending.rows(Table::Facility) == 0 {
                row.push(&mut self.pending, &mut self.notes);
            }
        }
    }

    fn settlement(&mut self, encounter: &Node<'_>, whose: &Whose<'_>, at: &str) {
        if whose.setl_id.is_none() {
            return;
        }
        let mut row = Row::read(Table::Settlement, encounter, at.to_owned(), &mut self.notes);
        row.inherit("psn_no", whose.psn_no);
        row.inherit("fixmedins_code", whose.fixmedins_code);
        self.push(row, whose.pending);
    }

    fn diagnoses(&mut self, encounter: &Node<'_>, whose: &Whose<'_>, at: &str) -> Result<(), Refused> {
        let Some((name, list)) = encounter.first(&DIAGNOSES) else { return Ok(()) };
        let list = list.items();
        self.counts.diagnoses += list.len();
        within(self.counts.diagnoses, self.limits.diagnoses, name, "诊断")?;
        self.children(Table::Diagnosis, name, list, whose, at);
        Ok(())
    }

    fn operations(&mut self, encounter: &Node<'_>, whose: &Whose<'_>, at: &str) -> Result<(), Refused> {
        let Some((name, list)) = encounter.first(&OPERATIONS) else { return Ok(()) };
        let list = list.items();
        self.counts.operations += list.len();
        within(self.counts.operations, self.limits.diagnoses, name, "手术")?;
        self.children(Table::Operation, name, list, whose, at);
        Ok(())
    }

    fn children(&mut self, table: Table, name: &str, list: &[Node<'_>], whose: &Whose<'_>, at: &str) {
        for (number, item) in list.iter().enumerate() {
            if item.is_nothing() {
                continue;
            }
            let mut row = Row::read(table, item, format!("{at}.{name}[{number}]"), &mut self.notes);
            row.set("mdtrt_id", whose.mdtrt_id);
            self.push(row, whose.pending);
        }
    }

    fn orders(&mut self, encounter: &Node<'_>, whose: &Whose<'_>, at: &str) -> Result<(), Refused> {
        let Some((name, list)) = encounter.first(&ORDERS) else { return Ok(()) };
        let list = list.items();
        self.counts.orders += list.len();
        within(self.counts.orders, self.limits.orders, name, "处方（医嘱）")?;
        for (number, order) in list.iter().enumerate() {
            if !order.is_nothing() {
                self.order(order, whose, format!("{at}.{name}[{number}]"));
            }
        }
        Ok(())
    }

    fn order(&mut self, order: &Node<'_>, whose: &Whose<'_>, place: String) {
        if order.get("rx_id").is_none() && order.get("feedetl_sn").is_some() {
            self.asked.form = Form::NationalNewer;
        }
        let mut row = Row::read(Table::FeeDetail, order, place, &mut self.notes);
        row.set("mdtrt_id", whose.mdtrt_id.to_owned());
        for (column, value) in [
            ("psn_no", whose.psn_no),
            ("fixmedins_code", whose.fixmedins_code),
            ("med_type", whose.med_type),
            ("setl_id", whose.setl_id),
        ] {
            row.inherit(column, value);
        }
        self.fund_part(&mut row);
        if row.get("pric_uplmt_amt").is_none()
            && let Some(ceiling) = ceiling(order, whose.level)
        {
            row.set("pric_uplmt_amt", ceiling);
        }
        self.codes.fill_dose(&mut row);
        let Some(sn) = row.get("feedetl_sn").map(str::to_owned) else {
            let place = row.place();
            self.notes.add(|| format!("{place} 没有读入：没有 `rx_id` 或 `feedetl_sn`"));
            return;
        };
        let lines = &mut self.asked.visits.entry(whose.mdtrt_id.to_owned()).or_default().lines;
        if lines.contains(&sn) {
            let place = row.place();
            self.notes.add(|| format!("{place} 没有读入：`rx_id` 与同一就诊前面的处方相同，每行要有自己的"));
            return;
        }
        let history = order.text("curr_drord_flag").as_deref() == Some("0");
        if self.push(row, whose.pending && !history) {
            self.asked.visits.entry(whose.mdtrt_id.to_owned()).or_default().lines.insert(sn);
        }
    }

    /// The fund's part of an order: what is left of its sum after both parts of the patient.
    fn fund_part(&mut self, row: &mut Row<'_>) {
        if row.get("inscp_amt").is_some() {
            return;
        }
        let (Some(sum), Some(own), Some(shared)) =
            (row.yuan("det_item_fee_sumamt"), row.yuan("fulamt_ownpay_amt"), row.yuan("preselfpay_amt"))
        else {
            return;
        };
        let over = row.yuan("overlmt_selfpay").unwrap_or_default();
        let left = sum - own - shared - over;
        if (left < Decimal::ZERO && sum >= Decimal::ZERO) || (left > Decimal::ZERO && sum <= Decimal::ZERO) {
            let place = row.place();
            self.notes.add(|| format!("{place}：自费加自付大于总费用，基金部分不明，有关规则不评"));
            return;
        }
        row.set("inscp_amt", left.to_string());
    }

    fn finish(mut self) -> Result<ReviewAsked, Refused> {
        let nothing = self.pending.rows(Table::Encounter) + self.pending.rows(Table::FeeDetail) == 0;
        self.asked.unread = self.notes.finish();
        if nothing {
            let why: Vec<&str> = self.asked.unread.iter().take(3).map(String::as_str).collect();
            let why = if why.is_empty() { "没有就诊，也没有处方".to_owned() } else { why.join("；") };
            return Err(Refused::new(Why::Unreadable, format!("没有可审的内容：{why}")));
        }
        if self.asked.fixmedins_code.is_none() && self.asked.facilities.len() == 1 {
            self.asked.fixmedins_code = self.asked.facilities.first().cloned();
        }
        self.asked.tables = self.pending.finish();
        self.asked.context = self.context.finish();
        Ok(self.asked)
    }
}

/// The ceiling that the order states for the level of the hospital.
fn ceiling(order: &Node<'_>, level: Option<i64>) -> Option<String> {
    let name = match level? {
        1 => "lv1_hosp_item_pric",
        2 => "lv2_hosp_item_pric",
        3 => "lv3_hosp_item_pric",
        _ => return None,
    };
    // Zero is written for none.
    owned(order, name).filter(|text| text.bytes().any(|b| (b'1'..=b'9').contains(&b)))
}

/// `000000`: a place-holder.
fn nowhere(region: &str) -> bool {
    region.bytes().all(|b| b == b'0')
}
