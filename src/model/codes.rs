//! Codes and what they mean: hospital levels, generic drugs, regions.
//!
//! Goes in: a code as the platform writes it. Comes out: what the rules ask of it. Tables that an operator keeps (care
//! settings, identity groups) are not here but in `audit_rules/knowledge`.

/// Level of a facility, 0 to 3, from `hosp_lv`; `None` for a code that is not in the dictionary.
///
/// 01–04 and 12 are level 3, 05–07 and 13 level 2, 08–10 and 14 level 1, 11 has no level (0). A one-digit value has lost
/// its leading zero.
#[must_use]
pub fn level(hosp_lv: &str) -> Option<i64> {
    match hosp_lv.trim().trim_start_matches('0') {
        "1" | "2" | "3" | "4" | "12" => Some(3),
        "5" | "6" | "7" | "13" => Some(2),
        "8" | "9" | "10" | "14" => Some(1),
        "11" => Some(0),
        _ => None,
    }
}

/// The generic drug of an item code: ten characters of a western code, eleven of a Chinese patent one, else the whole.
#[must_use]
pub fn generic(hilist_code: &str) -> &str {
    let length = match hilist_code.as_bytes().first() {
        Some(b'X') => 10,
        Some(b'Z') => 11,
        _ => return hilist_code,
    };
    hilist_code.get(..length).unwrap_or(hilist_code)
}

/// The ATC-4 class of a western drug code with its leading `X`: six characters; `None` for other codes.
#[must_use]
pub fn atc4(hilist_code: &str) -> Option<&str> {
    if hilist_code.starts_with('X') { hilist_code.get(..6) } else { None }
}

/// The trace codes that a line lists, joined by `|`.
pub fn trace_codes(list: &str) -> impl Iterator<Item = &str> {
    list.split('|').map(str::trim).filter(|code| !code.is_empty())
}

/// How closely a region (`admdvs`, six digits) on a parameter fits a row's: county 3, city 2, province 1, nation 0;
/// `None` when it speaks of another place.
#[must_use]
pub fn region_fit(spoken_of: Option<&str>, row: Option<&str>) -> Option<u8> {
    let Some(spoken_of) = spoken_of.filter(|r| !r.is_empty()) else { return Some(0) };
    let row = row?;
    if spoken_of.ends_with("0000") {
        (row.get(..2) == spoken_of.get(..2)).then_some(1)
    } else if spoken_of.ends_with("00") {
        (row.get(..4) == spoken_of.get(..4)).then_some(2)
    } else {
        (row == spoken_of).then_some(3)
    }
}
