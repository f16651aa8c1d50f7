//! Where a hub stands, compared with where its topic stands in the database.

use millrace_bus::Head;

/// What came of the position check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Same,
    Behind,
    Other,
}

/// Compares a hub's head with the database's, which may have been read before the hub went on.
pub(super) fn position(here: Head, there: Head) -> Position {
    if here.epoch != there.epoch && here != Head::NONE {
        Position::Other
    } else if there.seq > here.seq {
        Position::Behind
    } else {
        // Less than here: the head was read before we went on.
        Position::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_apart() {
        let head = |epoch, seq| Head { epoch, seq };
        assert_eq!(position(head(1, 5), head(1, 5)), Position::Same);
        assert_eq!(position(head(1, 5), head(1, 7)), Position::Behind);
        assert_eq!(position(head(1, 5), head(1, 4)), Position::Same);
        assert_eq!(position(head(1, 5), head(2, 5)), Position::Other);
        assert_eq!(position(Head::NONE, head(9, 1)), Position::Behind);
        assert_eq!(position(Head::NONE, Head::NONE), Position::Same);
    }
}
