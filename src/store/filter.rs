//! Which findings: a [`Filter`] becomes a condition over the table `finding`, called `f`, and its values.
//!
//! Goes in: a filter, an order. Comes out: SQL that both databases understand. Every value is passed beside the text, never in
//! it. Deliberately unknown here: what is done with the findings.

use super::database::Arg;
use super::{Assigned, Filter, Order, What};

/// A condition with its values, which are numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Where<'a> {
    conditions: Vec<String>,
    pub(super) args: Vec<Arg<'a>>,
}

impl<'a> Where<'a> {
    pub(super) fn of(filter: &'a Filter) -> Where<'a> {
        let mut wanted = Where::default();
        wanted.one_of("f.finding_id", filter.findings.iter().map(String::as_str));
        wanted.rules(&filter.rules);
        wanted.one_of("f.fixmedins_code", filter.facilities.iter().map(String::as_str));
        wanted.regions(&filter.regions);
        if let Some(list) = wanted.list(filter.persons.iter().map(String::as_str)) {
            wanted
                .conditions
                .push(format!("f.finding_id in (select p.finding_id from finding_person p where p.psn_no in {list})"));
        }
        wanted.one_of("f.mdtrt_id", filter.encounters.iter().map(String::as_str));
        wanted.one_of("f.result", filter.results.iter().map(String::as_str));
        wanted.one_of("f.severity", filter.severities.iter().map(String::as_str));
        wanted.one_of("f.status", filter.statuses.iter().map(|status| status.name()));
        wanted.one_of("f.outcome", filter.outcomes.iter().map(|outcome| outcome.name()));
        match &filter.assignee {
            Assigned::Whoever => {}
            Assigned::Nobody => wanted.conditions.push("f.assignee is null".to_owned()),
            Assigned::To(name) => wanted.with("f.assignee = ", Arg::from(name)),
        }
        if let Some(from) = filter.from {
            wanted.with("f.until_day >= ", Arg::from(from));
        }
        if let Some(until) = filter.until {
            wanted.with("f.from_day <= ", Arg::from(until));
        }
        if let Some(day) = filter.due_by {
            wanted.with("f.deadline <= ", Arg::from(day));
        }
        if let Some(present) = filter.present {
            wanted.with("f.present = ", Arg::from(present));
        }
        if let Some(again) = filter.seen_again {
            wanted.with("f.seen_again = ", Arg::from(again));
        }
        match filter.exempted {
            Some(true) => wanted.conditions.push("f.exempted_by is not null".to_owned()),
            Some(false) => wanted.conditions.push("f.exempted_by is null".to_owned()),
            None => {}
        }
        if let Some(of_fund) = filter.fund_money {
            wanted.with("f.fund_money = ", Arg::from(of_fund));
        }
        if let Some(least) = filter.at_least {
            wanted.with("f.amount >= ", Arg::cents(least));
        }
        if let Some((scan, What::New)) = &filter.sighted {
            // Every fact is new once, and says in which scan.
            wanted.with("f.first_scan = ", Arg::from(scan));
        } else if let Some((scan, what)) = &filter.sighted {
            let scan = wanted.mark(Arg::from(scan));
            let what = wanted.mark(Arg::from(what.name()));
            wanted.conditions.push(format!(
                "f.finding_id in (select s.finding_id from sighting s where s.scan_id = {scan} and s.what = {what})"
            ));
        }
        wanted
    }

    /// One condition more.
    pub(super) fn with(&mut self, condition: &str, arg: Arg<'a>) {
        let mark = self.mark(arg);
        self.conditions.push(format!("{condition}{mark}"));
    }

    /// `where …` with a further condition.
    pub(super) fn and(&self, condition: &str) -> String {
        let mut conditions = self.conditions.clone();
        conditions.push(condition.to_owned());
        format!("where {}", conditions.join(" and "))
    }

    /// `where …`, or nothing.
    pub(super) fn text(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!("where {}", self.conditions.join(" and ")) }
    }

    /// A further value, as it is written.
    pub(super) fn mark(&mut self, arg: Arg<'a>) -> String {
        self.args.push(arg);
        format!("${}", self.args.len())
    }

    fn list(&mut self, values: impl Iterator<Item = &'a str>) -> Option<String> {
        let marks: Vec<String> = values.map(|value| self.mark(Arg::from(value))).collect();
        (!marks.is_empty()).then(|| format!("({})", marks.join(",")))
    }

    fn one_of(&mut self, column: &str, values: impl Iterator<Item = &'a str>) {
        if let Some(list) = self.list(values) {
            self.conditions.push(format!("{column} in {list}"));
        }
    }

    /// Codes such as `BIL103`, families such as `BIL`, names such as `daily-cap-exceeded`.
    fn rules(&mut self, rules: &'a [String]) {
        let is_name = |rule: &&str| rule.contains(|c: char| c.is_ascii_lowercase());
        let (names, rest): (Vec<&str>, Vec<&str>) = rules.iter().map(String::as_str).partition(is_name);
        let (families, codes): (Vec<&str>, Vec<&str>) = rest.into_iter().partition(|rule| rule.len() == 3);
        let mut either = Vec::new();
        for (list, condition) in [
            (codes, "f.rule_code in LIST"),
            (families, "substr(f.rule_code, 1, 3) in LIST"),
            (names, "f.rule_code in (select r.rule_code from rule r where r.rule_name in LIST)"),
        ] {
            if let Some(list) = self.list(list.into_iter()) {
                either.push(condition.replace("LIST", &list));
            }
        }
        self.either(&either);
    }

    /// A region with all that lie in it: `370000` a province, `370300` a city, `370323` a county.
    fn regions(&mut self, regions: &'a [String]) {
        let mut either = Vec::new();
        for region in regions {
            let part = region.strip_suffix("0000").or_else(|| region.strip_suffix("00")).unwrap_or(region);
            let mark = self.mark(Arg::from(part));
            either.push(format!("substr(f.region, 1, {}) = {mark}", part.chars().count()));
        }
        self.either(&either);
    }

    fn either(&mut self, either: &[String]) {
        if !either.is_empty() {
            self.conditions.push(format!("({})", either.join(" or ")));
        }
    }
}

/// `order by …`.
pub(super) fn ordered(order: Order) -> &'static str {
    match order {
        Order::Money => "order by f.allocated desc, f.finding_id",
        Order::Day => "order by coalesce(f.from_day, -1000000) desc, f.finding_id",
        Order::Rule => "order by f.rule_code, f.allocated desc, f.finding_id",
        Order::Facility => "order by f.fixmedins_code nulls first, f.allocated desc, f.finding_id",
        Order::Due => "order by coalesce(f.deadline, 10000000), f.finding_id",
        Order::Newest => "order by coalesce(f.first_seen_at, '') desc, f.finding_id",
    }
}
