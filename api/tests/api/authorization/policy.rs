//! The policy: who gets through to which operation, as `policy.txt` says it.

use std::{collections::BTreeMap, fmt};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    /// Somebody whose things are asked for.
    Owner,
    /// Somebody with as many rights and none of those things.
    Other,
    Auditor,
    Operator,
    Admin,
    /// An admin who owns the things, and whose account is switched off.
    Deactivated,
    /// An admin who owns the things, and whose token's time is over.
    Expired,
}

impl Caller {
    /// In the order of the columns.
    pub(super) const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::Owner,
        Self::Other,
        Self::Auditor,
        Self::Operator,
        Self::Admin,
        Self::Deactivated,
        Self::Expired,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Owner => "owner",
            Self::Other => "other",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
        }
    }
}

/// What an answer is to authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// Anything else than a refusal: also 409, 422, and 503 where the store would be asked.
    Through,
    /// 401, 403 or 404.
    Refused(u16),
}

impl Cell {
    pub(super) fn of(status: u16) -> Self {
        match status {
            401 | 403 | 404 => Self::Refused(status),
            _ => Self::Through,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Through => f.pad("ok"),
            Self::Refused(status) => f.pad(&status.to_string()),
        }
    }
}

/// A row of the policy.
#[derive(Debug)]
pub(super) struct Row {
    pub operation: String,
    /// What of the world the path names; `-`: nothing.
    pub thing: String,
    /// Values of the path that the thing does not know.
    pub given: BTreeMap<String, String>,
    /// The query string: names, and what of the thing they are.
    pub asked: BTreeMap<String, String>,
    pub cells: [Cell; 8],
}

/// The rows of the policy.
pub(super) fn rows() -> Vec<Row> {
    let mut lines = include_str!("policy.txt")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter(|line| !line.trim().is_empty());
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let names = Caller::ALL.map(Caller::name);
    assert_eq!(head, [&["operation", "thing"][..], &names].concat());
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words.len(), 10, "a row has ten words: {line}");
    let (asked, given): (Vec<_>, Vec<_>) = words[1]
        .split(',')
        .skip(1)
        .map(|pair| pair.split_once('=').unwrap())
        .partition(|(name, _)| name.starts_with('?'));
    let own =
        |(name, value): (&str, &str)| (name.trim_start_matches('?').to_owned(), value.to_owned());
    let cells = std::array::from_fn(|n| match words[n + 2] {
        "ok" => Cell::Through,
        "401" | "403" | "404" => Cell::Refused(words[n + 2].parse().unwrap()),
        other => panic!("{other} is no cell: {line}"),
    });
    Row {
        operation: words[0].to_owned(),
        thing: words[1].split(',').next().unwrap().to_owned(),
        given: given.into_iter().map(own).collect(),
        asked: asked.into_iter().map(own).collect(),
        cells,
    }
}
