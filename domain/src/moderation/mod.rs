//! Moderation: cases that reports make, what staff decide, and what people say against it.

/// What people say against a decision.
mod appeal;
/// What was reported of one thing since staff last decided on it.
mod case;
/// What staff decided.
mod decision;
/// What a decision does to things and people.
mod effect;
/// What comments are refused or held for.
mod words;

pub use appeal::{Appeal, AppealState, AppealView, appeals, file_appeal};
pub use case::{Case, CaseFilter, Complaint, cases, complaints, settle};
pub use decision::{
    Action, Decision, LiftedFor, NewDecision, decision, decisions_of, decisions_on, insert, lift,
};
pub use effect::{
    hide_comment, hide_video, hold_comment, reinstate, remove_comment, show_comment, show_video,
    suspend,
};
pub use words::{
    LONGEST_WORD, MOST_WORDS, Word, WordList, WordMode, add_word, fold, remove_word, words,
};
