//! JSON of strangers, read with limits: how deep, how many values, how long a text.
//!
//! Goes in: the bytes of a message. Comes out: a [`Node`], whose texts point into those bytes where they can, or a
//! [`Refused`] that says what is wrong and where. Deliberately unknown here: what any field means.
//!
//! A field that is there twice is refused: who wrote it and who reads it might take different ones. A number is kept as
//! text, because an id may have been written without quotes; one with more digits than a JSON number keeps exactly is
//! rounded to fifteen, which gives back `0.3` for the `0.30000000000000004` of a script. A text that is too long is no
//! reason to refuse the rest: it stays as [`Node::TooLong`], and whoever wants it says that it was not read.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::{Limits, Refused, Why};

/// A value of a message.
#[derive(Clone, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    /// As text: `50.00` is `50`, `1.5e20` stays so.
    Number(String),
    Text(Cow<'a, str>),
    /// Longer than the limit.
    TooLong,
    List(Vec<Node<'a>>),
    /// A list of rows, where the reader asked for it.
    Rows(Rows<'a>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// A list whose items should be objects: their names are there once for all of them.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Rows<'a> {
    names: Vec<Cow<'a, str>>,
    /// The fields of all objects, one object after the other, by their names' places.
    fields: Vec<(usize, Node<'a>)>,
    /// Each item; an object with the places of its fields.
    items: Vec<Item<Range<usize>>>,
}

/// An item of a list.
#[derive(Clone, PartialEq)]
pub(super) enum Item<T> {
    Object(T),
    Nothing,
    Other,
}

/// Fields of an object.
pub(super) type Fields<'n, 'a> = Vec<(&'n str, &'n Node<'a>)>;

impl<'a> Rows<'a> {
    /// How many items.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Item by item; the fields of an object by their names' places.
    pub(super) fn each(&self) -> impl Iterator<Item = Item<&[(usize, Node<'a>)]>> {
        self.items.iter().map(|item| match item {
            Item::Object(fields) => Item::Object(&self.fields[fields.clone()]),
            Item::Nothing => Item::Nothing,
            Item::Other => Item::Other,
        })
    }

    /// Item by item; the fields of an object by their names.
    pub(super) fn items(&self) -> Vec<Item<Fields<'_, 'a>>> {
        let mut items = Vec::with_capacity(self.len());
        for item in self.each() {
            items.push(match item {
                Item::Object(fields) => {
                    Item::Object(fields.iter().map(|(name, node)| (self.names[*name].as_ref(), node)).collect())
                }
                Item::Nothing => Item::Nothing,
                Item::Other => Item::Other,
            });
        }
        items
    }
}

impl<'a> Node<'a> {
    /// The field of an object, unless it holds nothing.
    pub(super) fn get(&self, name: &str) -> Option<&Node<'a>> {
        let Node::Object(fields) = self else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, node)| node).filter(|node| !node.is_nothing())
    }

    /// The first of these fields that holds something.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<(&'static str, &Node<'a>)> {
        names.iter().find_map(|&name| Some((name, self.get(name)?)))
    }

    /// The text of a field; of a number or a flag too.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name)?.as_text()
    }

    /// A scalar as text, trimmed.
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Node::Text(text) => Some(Cow::Borrowed(text.trim())),
            Node::Number(text) => Some(Cow::Borrowed(text)),
            Node::Flag(flag) => Some(Cow::Borrowed(if *flag { "1" } else { "0" })),
            _ => None,
        }
    }

    /// What vendors write for nothing: `null`, `""`, `"-"`, an empty list or object.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Node::Null => true,
            Node::Text(text) => {
                // Most begin and end with something to see, and are longer than those.
                let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
                let seen = text.len() > 4 && plain(text.as_bytes().first()) && plain(text.as_bytes().last());
                !seen && matches!(text.trim(), "" | "-" | "null" | "NULL" | "\\N")
            }
            Node::List(list) => list.iter().all(Node::is_nothing),
            Node::Rows(rows) => rows.items.iter().all(|item| matches!(item, Item::Nothing)),
            Node::Object(fields) => fields.is_empty(),
            _ => false,
        }
    }

    /// A collection, whether it came as a list or as a single object; nothing is an empty one.
    pub(super) fn items(&self) -> &[Node<'a>] {
        match self {
            Node::List(list) => list,
            node if node.is_nothing() => &[],
            node => std::slice::from_ref(node),
        }
    }

    /// The object, also where it is the only one of a list.
    pub(super) fn object(&self) -> Option<&Node<'a>> {
        match self {
            Node::Object(_) => Some(self),
            Node::List(list) => match list.as_slice() {
                [only @ Node::Object(_)] => Some(only),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The kind alone: messages hold health data.
impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Node::Null => "Null",
            Node::Flag(_) => "Flag",
            Node::Number(_) => "Number",
            Node::Text(_) => "Text",
            Node::TooLong => "TooLong",
            Node::List(_) | Node::Rows(_) => "List",
            Node::Object(_) => "Object",
        })
    }
}

/// Reads a message.
pub(super) fn parse<'a>(body: &'a [u8], limits: &Limits) -> Result<Node<'a>, Refused> {
    parse_rows(body, limits, |_| false)
}

/// Reads a message in which the lists of these names are rows.
pub(super) fn parse_rows<'a>(body: &'a [u8], limits: &Limits, are_rows: fn(&str) -> bool) -> Result<Node<'a>, Refused> {
    if body.len() > limits.bytes {
        let said = format!("消息有 {} 字节，最多 {} 字节：少送几个就诊或处方，分几次送", body.len(), limits.bytes);
        return Err(Refused::new(Why::TooLarge, said));
    }
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let said = format!("第 {} 字节起不是 UTF-8：请以 UTF-8 编码发送，不要用 GBK", error.valid_up_to() + 1);
        Refused::new(Why::NotJson, said)
    })?;
    if text.trim().is_empty() {
        return Err(Refused::new(Why::NotJson, "消息是空的：应当是一个 JSON 对象"));
    }
    let reading = Reading { limits, are_rows, values: Cell::new(0), fields: Cell::new(0), stopped: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { reading: &reading, depth: 0, name: "", rows: None };
    let read = seed.deserialize(&mut reader).and_then(|node| reader.end().map(|()| node));
    read.map_err(|error| {
        if let Some(stopped) = reading.stopped.take() {
            return stopped.refused();
        }
        let what = match error.classify() {
            serde_json::error::Category::Eof => "没有写完",
            _ => "写错了",
        };
        // A message of one line needs no number of it.
        let line = if text.trim().contains('\n') { format!("第 {} 行", error.line()) } else { String::new() };
        let said = format!("不是 JSON：{line}第 {} 列{what}", error.column());
        Refused::new(Why::NotJson, said)
    })
}

/// What is counted while a message is read.
struct Reading<'l> {
    limits: &'l Limits,
    are_rows: fn(&str) -> bool,
    values: Cell<usize>,
    /// Fields of the object before: those of a list have about as many each.
    fields: Cell<usize>,
    stopped: RefCell<Option<Stopped>>,
}

/// Why reading stopped, where it was not the syntax.
struct Stopped {
    why: Why,
    /// What is wrong, after the place.
    what: String,
    /// Names of the fields that were open, the innermost first: gathered on the way out.
    path: Vec<String>,
}

impl Stopped {
    fn refused(self) -> Refused {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        let place = if path.is_empty() { "消息".to_owned() } else { format!("`{}`", path.join(".")) };
        Refused::new(self.why, format!("{place}{}", self.what))
    }
}

impl Reading<'_> {
    fn stop<E: serde::de::Error>(&self, why: Why, what: String) -> E {
        *self.stopped.borrow_mut() = Some(Stopped { why, what, path: Vec::new() });
        E::custom("stopped")
    }

    /// Reading stopped inside this field.
    fn inside(&self, name: &str) {
        if let Some(stopped) = self.stopped.borrow_mut().as_mut() {
            stopped.path.push(shown(name));
        }
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > self.limits.values {
            let most = self.limits.values;
            return Err(self.stop(Why::TooLarge, format!("：值多于 {most} 个，分几次送")));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'r, 'l, 'de> {
    reading: &'r Reading<'l>,
    depth: usize,
    /// Of the field whose value is read.
    name: &'r str,
    /// Where the fields of an object go that is a row.
    rows: Option<&'r RefCell<Rows<'de>>>,
}

impl<'de> Seed<'_, '_, 'de> {
    /// For what is inside a list or an object.
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let most = self.reading.limits.depth;
        if self.depth >= most {
            return Err(self.reading.stop(Why::TooLarge, format!("：嵌套超过 {most} 层")));
        }
        Ok(Seed { depth: self.depth + 1, name: "", rows: None, ..self })
    }

    /// The value of a field of an object that has so many before it.
    fn value<A: MapAccess<'de>>(
        &self,
        map: &mut A,
        name: &str,
        before: usize,
        twice: bool,
    ) -> Result<Node<'de>, A::Error> {
        if before >= FIELDS {
            return Err(self.reading.stop(Why::TooLarge, format!("：字段多于 {FIELDS} 个")));
        }
        let node = if twice {
            Err(self.reading.stop(Why::NotJson, " 写了两次：只写一次".to_owned()))
        } else {
            map.next_value_seed(Seed { name, ..*self })
        };
        node.inspect_err(|_| self.reading.inside(name))
    }

    /// Reads an object as one more row.
    fn row<A: MapAccess<'de>>(&self, mut map: A, rows: &mut Rows<'de>) -> Result<(), A::Error> {
        let begin = rows.fields.len();
        // Most rows have the fields of the row before in the same order.
        let mut next = 0;
        let mut marks = [0_u64; FIELDS.div_ceil(64)];
        while let Some(name) = map.next_key_seed(Name)? {
            let at = match rows.names.get(next) {
                Some(known) if *known == name => next,
                _ => rows.names.iter().position(|known| *known == name).unwrap_or(rows.names.len()),
            };
            let twice = marks.get(at / 64).is_some_and(|marks| marks >> (at % 64) & 1 == 1);
            let node = self.value(&mut map, &name, at, twice)?;
            if at == rows.names.len() {
                rows.names.push(name);
            }
            marks[at / 64] |= 1 << (at % 64);
            rows.fields.push((at, node));
            next = at + 1;
        }
        rows.items.push(Item::Object(begin..rows.fields.len()));
        Ok(())
    }

    fn long(self, text: &str) -> bool {
        text.len() > self.reading.limits.text
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_, 'de> {
    type Value = Node<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Node<'de>, D::Error> {
        self.reading.count()?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_, 'de> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node<'de>, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(digits_of(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(if self.long(text) { Node::TooLong } else { Node::Text(Cow::Borrowed(text)) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(if self.long(text) { Node::TooLong } else { Node::Text(Cow::Owned(text.to_owned())) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let inside = self.inside()?;
        if (self.reading.are_rows)(self.name) {
            let rows = RefCell::new(Rows::default());
            while let Some(item) = items.next_element_seed(Seed { rows: Some(&rows), ..inside })? {
                // An object has put itself there.
                if !matches!(item, Node::Object(_)) {
                    let item = if item.is_nothing() { Item::Nothing } else { Item::Other };
                    rows.borrow_mut().items.push(item);
                }
            }
            return Ok(Node::Rows(rows.into_inner()));
        }
        let mut list = Vec::new();
        while let Some(node) = items.next_element_seed(inside)? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let inside = self.inside()?;
        if let Some(rows) = self.rows {
            inside.row(map, &mut rows.borrow_mut())?;
            return Ok(Node::Object(Vec::new()));
        }
        let mut fields: Vec<(Cow<'de, str>, Node<'de>)> = Vec::with_capacity(self.reading.fields.get());
        let mut marks = 0_u64;
        while let Some(name) = map.next_key_seed(Name)? {
            // A name whose mark is new is new; the few others are looked for.
            let mark = 1 << mark_of(&name);
            let twice = marks & mark != 0 && fields.iter().any(|(known, _)| *known == name);
            marks |= mark;
            let node = inside.value(&mut map, &name, fields.len(), twice)?;
            fields.push((name, node));
        }
        self.reading.fields.set(fields.len());
        Ok(Node::Object(fields))
    }
}

/// A number below 64, other for most other names.
fn mark_of(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let at = |place: usize| bytes.get(place).copied().map_or(0, u32::from);
    let mixed = at(0) * 7 + at(bytes.len() / 2) * 31 + at(bytes.len().saturating_sub(2)) * 5;
    (mixed + u32::try_from(bytes.len()).unwrap_or(0) * 13) % 64
}

/// Fields of one object, or of all rows of a list.
const FIELDS: usize = 300;

/// The name of a field, borrowed where the message spells it plainly.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A name as it may stand in a message to people: short, one line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A JSON number as text, with the fifteen digits that it keeps exactly. A long one keeps the sign of its exponent, so that
/// an id written without quotes is seen to be lost.
fn digits_of(number: f64) -> String {
    let shortest = number.to_string();
    let digits = shortest.bytes().filter(u8::is_ascii_digit).count();
    if digits <= 15 {
        return shortest;
    }
    let long = format!("{number:.14e}");
    match long.split_once('e') {
        Some((mantissa, exponent)) if exponent.starts_with('-') => format!("{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}E+{exponent}"),
        None => long,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_s_sum_is_read_as_it_was_meant() {
        assert_eq!(digits_of(0.1 + 0.2), "3.00000000000000E-1");
        assert_eq!(digits_of(50.25), "50.25");
        assert_eq!(digits_of(1.5e20), "1.50000000000000E+20");
        assert_eq!(digits_of(1.0), "1");
    }
}
