//! Texts as numbers: equal texts get equal numbers, so that what compares, groups or looks up texts does it on integers.
//!
//! Goes in: text columns. Comes out: a number a row, 0 where the text is null; and back. Cost: one hash a row, none where a
//! row repeats the one before it (rows of one person, encounter or facility are neighbours).

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::compute::take;
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashTable};

/// The texts of a column, as they are or as codes.
#[derive(Clone, Copy)]
pub(super) enum Texts<'a> {
    Plain(&'a StringArray),
    /// A place in the dictionary a row, and the dictionary.
    Coded(&'a Int32Array, &'a StringArray),
}

impl<'a> Texts<'a> {
    /// The texts of an array; nothing where it has none.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Texts<'a>> {
        if let Some(plain) = array.as_string_opt() {
            return Some(Texts::Plain(plain));
        }
        let coded = array.as_dictionary_opt::<Int32Type>()?;
        Some(Texts::Coded(coded.keys(), coded.values().as_string_opt()?))
    }

    /// `Some(text)` of a row, unless null.
    pub(super) fn at(self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Texts::Coded(places, texts) => {
                let place = places.is_valid(row).then(|| places.value(row))?;
                let place = usize::try_from(place).ok()?;
                texts.is_valid(place).then(|| texts.value(place))
            }
        }
    }

    /// Whether two rows surely have the same text: they are one entry of the dictionary.
    pub(super) fn same(self, row: usize, other: usize) -> bool {
        match self {
            Texts::Plain(_) => false,
            Texts::Coded(places, _) => {
                places.is_valid(row) && places.is_valid(other) && places.value(row) == places.value(other)
            }
        }
    }

    /// Whether no row is null.
    pub(super) fn all_known(self) -> bool {
        match self {
            Texts::Plain(texts) => texts.null_count() == 0,
            Texts::Coded(places, texts) => places.null_count() == 0 && texts.null_count() == 0,
        }
    }

    /// Something for each row, given a way from a text to it that is asked once where a row repeats the one before it, and
    /// once a text of the dictionary.
    pub(super) fn each<T: Copy>(self, mut of: impl FnMut(Option<&'a str>) -> T) -> Vec<T> {
        match self {
            Texts::Plain(texts) => {
                let mut last: Option<(Option<&str>, T)> = None;
                let mut one = |word: Option<&'a str>| match last {
                    Some((known, made)) if known == word => made,
                    _ => {
                        let made = of(word);
                        last = Some((word, made));
                        made
                    }
                };
                texts.iter().map(&mut one).collect()
            }
            Texts::Coded(places, texts) => {
                let nothing = of(None);
                let made: Vec<T> = texts.iter().map(&mut of).collect();
                let at = |place: i32| usize::try_from(place).ok().and_then(|place| made.get(place)).copied();
                places.iter().map(|place| place.and_then(at).unwrap_or(nothing)).collect()
            }
        }
    }

    /// The texts that rows have: each entry of the dictionary once, or each run of equal rows.
    pub(super) fn distinct(self) -> Vec<&'a str> {
        match self {
            Texts::Plain(texts) => {
                let mut found: Vec<&str> = texts.iter().flatten().collect();
                found.dedup();
                found
            }
            Texts::Coded(places, texts) => {
                let mut used = vec![false; texts.len()];
                places.iter().flatten().filter_map(|p| usize::try_from(p).ok()).for_each(|place| used[place] = true);
                used.iter().zip(texts).filter_map(|(used, word)| word.filter(|_| *used)).collect()
            }
        }
    }

    /// A number for each row, given one for each text that the rows may have; 0 for null.
    pub(super) fn numbers(self, mut number: impl FnMut(&'a StringArray) -> Vec<u32>) -> Vec<u32> {
        match self {
            Texts::Plain(texts) => number(texts),
            Texts::Coded(places, texts) => {
                let numbers = number(texts);
                let of = |place: i32| usize::try_from(place).ok().and_then(|at| numbers.get(at)).copied();
                places.iter().map(|place| place.and_then(of).unwrap_or(0)).collect()
            }
        }
    }
}

/// A column of texts as an array of texts, whatever way it was read.
pub(super) fn spelled_out(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match Texts::of(column) {
        Some(Texts::Coded(places, texts)) => take(texts, places, None),
        _ => Ok(Arc::clone(column)),
    }
}

/// The same column; of the texts that there are, only those that its rows have.
pub(super) fn with_its_own_texts(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let Some(Texts::Coded(places, texts)) = Texts::of(column) else { return Ok(Arc::clone(column)) };
    let mut kept: Vec<&str> = Vec::new();
    let mut place_of: Vec<Option<i32>> = vec![None; texts.len()];
    let places: Int32Array = places
        .iter()
        .map(|place| {
            let place = usize::try_from(place?).ok().filter(|place| texts.is_valid(*place))?;
            if place_of[place].is_none() {
                place_of[place] = i32::try_from(kept.len()).ok();
                kept.push(texts.value(place));
            }
            place_of[place]
        })
        .collect();
    let texts: ArrayRef = Arc::new(StringArray::from(kept));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(places, texts)?))
}

/// Distinct texts, numbered from 1 in the order in which they were first met.
#[derive(Debug, Default)]
pub struct Words {
    hasher: DefaultHashBuilder,
    /// Hash and number: a table that grows does not read the texts again.
    index: HashTable<(u64, u32)>,
    /// All texts, end to end.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Words {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The text of a number; empty for 0.
    #[must_use]
    pub fn text(&self, number: u32) -> &str {
        let Some(at) = (number as usize).checked_sub(1) else { return "" };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }

    /// The number of a text, if it was met.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<u32> {
        self.hashed(self.hasher.hash_one(word), word)
    }

    fn hashed(&self, hash: u64, word: &str) -> Option<u32> {
        let known = self.index.find(hash, |(other, number)| *other == hash && self.text(*number) == word);
        known.map(|(_, number)| *number)
    }

    /// The number of a text, a new one if it was never met.
    pub fn number(&mut self, word: &str) -> u32 {
        let hash = self.hasher.hash_one(word);
        if let Some(known) = self.hashed(hash, word) {
            return known;
        }
        self.text.push_str(word);
        self.ends.push(self.text.len());
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.index.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        number
    }

    /// The number of each row of a column; 0 for null.
    pub fn numbers(&mut self, column: &StringArray) -> Vec<u32> {
        let mut last: (Option<&str>, u32) = (None, 0);
        column
            .iter()
            .map(|word| {
                if word != last.0 {
                    last = (word, word.map_or(0, |word| self.number(word)));
                }
                last.1
            })
            .collect()
    }
}

/// Rows by a number that they share.
#[derive(Debug, Default)]
pub struct ByNumber {
    /// Where the rows of each number begin; one more entry than numbers.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl ByNumber {
    /// Rows by their numbers, in order; those of 0 are in none.
    #[must_use]
    pub fn new(numbers: &[u32]) -> ByNumber {
        let highest = numbers.iter().copied().max().unwrap_or(0) as usize;
        let mut starts = vec![0_u32; highest + 2];
        for &number in numbers {
            starts[number as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut free = starts.clone();
        let mut rows = vec![0_u32; numbers.len()];
        for (row, &number) in (0u32..).zip(numbers) {
            let place = &mut free[number as usize];
            rows[*place as usize] = row;
            *place += 1;
        }
        ByNumber { starts, rows }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each number that has rows, with them.
    pub fn each(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let runs = (0u32..).zip(self.starts.windows(2)).skip(1);
        runs.filter(|(_, run)| run[0] < run[1])
            .map(|(number, run)| (number, &self.rows[run[0] as usize..run[1] as usize]))
    }

    /// Rows with this number.
    #[must_use]
    pub fn of(&self, number: u32) -> &[u32] {
        let at = number as usize;
        match (number, self.starts.get(at), self.starts.get(at + 1)) {
            (1.., Some(&first), Some(&end)) => &self.rows[first as usize..end as usize],
            _ => &[],
        }
    }
}

/// Rows by a text that they share.
#[derive(Debug, Default)]
pub struct RowsBy {
    words: Words,
    rows: ByNumber,
}

impl RowsBy {
    /// Rows of a column by its texts, in order; null is in none.
    #[must_use]
    pub(super) fn new(column: Texts<'_>) -> RowsBy {
        let mut words = Words::default();
        let rows = ByNumber::new(&column.numbers(|texts| words.numbers(texts)));
        RowsBy { words, rows }
    }

    /// Rows with this text.
    #[must_use]
    pub fn get(&self, word: &str) -> &[u32] {
        self.words.find(word).map(|number| self.rows.of(number)).unwrap_or_default()
    }

    /// The last row with this text.
    #[must_use]
    pub fn last(&self, word: &str) -> Option<u32> {
        self.get(word).last().copied()
    }

    /// For each row of another column the last row here with its text.
    #[must_use]
    pub(super) fn last_of_each(&self, column: Texts<'_>) -> Vec<Option<u32>> {
        column.each(|word| word.and_then(|word| self.last(word)))
    }
}
