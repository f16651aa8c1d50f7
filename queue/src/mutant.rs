//! Mistakes that can be built into the engine on purpose, so that the fault harness proves that it would see them.
//!
//! Without the feature `mutants` each question below is answered `false` by the compiler, and nothing remains of it.
//! Mistakes in the SQL need no place here: the harness replaces functions of its database.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "mutants"),
    expect(unreachable_pub, reason = "public with the feature alone")
)]
pub enum Mutant {
    /// Renews whoever's lease: the token is not compared.
    RenewUnfenced,
    /// Renews nothing at all.
    NeverRenews,
    /// Renews nothing while it drains.
    DrainUnrenewed,
    /// Runs on when its lease has ended by its own clock, or is seen to be lost.
    NeverLetsGo,
    /// Forgets answers that the database did not take at the first try.
    AnswersDropped,
    /// Claims without locking what it has chosen.
    ClaimUnlocked,
    /// Looks for work only when it is notified.
    NeverPolls,
    /// Does not hear that a running job is to be cancelled.
    CancelIgnored,
    /// Charges the attempt of a job that a shutdown stopped.
    ReleaseCharged,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// All of them, with the names by which they are switched on.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::RenewUnfenced, "renew_unfenced"),
        (Self::NeverRenews, "never_renews"),
        (Self::DrainUnrenewed, "drain_unrenewed"),
        (Self::NeverLetsGo, "never_lets_go"),
        (Self::AnswersDropped, "answers_dropped"),
        (Self::ClaimUnlocked, "claim_unlocked"),
        (Self::NeverPolls, "never_polls"),
        (Self::CancelIgnored, "cancel_ignored"),
        (Self::ReleaseCharged, "release_charged"),
    ];
}

#[cfg(feature = "mutants")]
static ON: std::sync::OnceLock<Mutant> = std::sync::OnceLock::new();

/// Builds the mistake called `name` into every engine of this process. Returns whether there is such a mistake.
#[cfg(feature = "mutants")]
pub fn switch_on(name: &str) -> bool {
    let found = Mutant::ALL.into_iter().find(|(_, called)| *called == name);
    found.is_some_and(|(mutant, _)| ON.set(mutant).is_ok())
}

#[cfg(feature = "mutants")]
pub(crate) fn on(mutant: Mutant) -> bool {
    ON.get() == Some(&mutant)
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn on(_mutant: Mutant) -> bool {
    false
}

/// A statement, or what `mutant` makes of it by putting wrong parts in place of right ones. Only one mistake is on in a process, so one altered text is enough.
#[cfg(feature = "mutants")]
pub(crate) fn sql(mutant: Mutant, text: &'static str, wrong: &[(&str, &str)]) -> &'static str {
    static ALTERED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    if !on(mutant) {
        return text;
    }
    ALTERED.get_or_init(|| {
        wrong.iter().fold(text.to_owned(), |text, (part, wrong)| {
            assert!(
                text.contains(part),
                "the statement of {mutant:?} has changed"
            );
            text.replace(part, wrong)
        })
    })
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn sql(
    _mutant: Mutant,
    text: &'static str,
    _wrong: &[(&str, &str)],
) -> &'static str {
    text
}
