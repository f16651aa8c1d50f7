//! Letters about what staff decided. They say what, why, and what can be done against it.

use chrono::{DateTime, Utc};

use super::{Language, Letter, Reader};
use crate::{
    moderation::{Action, Case, Decision},
    reports::{Reason, Target},
};

/// Longer excerpts are cut: a comment may have thousands of characters.
const EXCERPT: usize = 120;

/// Something of one's own was hidden or deleted, or one was locked out; none for what people do not hear of.
pub fn decision(reader: &Reader<'_>, decision: &Decision, url: &str) -> Option<Letter> {
    let language = reader.language;
    let what = thing(language, decision);
    let letter = match (decision.action, language) {
        (Action::Dismiss, _) => return None,
        (Action::Hide, Language::ZhTw) => reader.letter(format!("已隱藏{what}")).paragraph(
            format!("管理人員隱藏了您的{what}。除了您以外，沒有人看得到它。"),
        ),
        (Action::Hide, Language::En) => reader.letter(format!("Hidden: {what}")).paragraph(
            format!("Our staff hid your {what}. Nobody but you can see it."),
        ),
        (Action::Takedown, Language::ZhTw) => reader
            .letter(format!("已移除{what}"))
            .paragraph(format!("管理人員移除了您的{what}，無法復原。")),
        (Action::Takedown, Language::En) => reader.letter(format!("Removed: {what}")).paragraph(
            format!("Our staff removed your {what}. This cannot be undone."),
        ),
        (Action::Suspend, Language::ZhTw) => {
            reader
                .letter("您的帳號已被停權")
                .paragraph(match decision.until {
                    Some(until) => format!("管理人員已將您的帳號停權至 {}。", time(until)),
                    None => "管理人員已將您的帳號停權。".to_owned(),
                })
        }
        (Action::Suspend, Language::En) => {
            reader
                .letter("Your account is suspended")
                .paragraph(match decision.until {
                    Some(until) => {
                        format!("Our staff suspended your account until {}.", time(until))
                    }
                    None => "Our staff suspended your account.".to_owned(),
                })
        }
    };
    let letter = with_reason(letter, language, decision);
    Some(match (decision.action, language) {
        (Action::Takedown, Language::ZhTw) => letter.action("查看決定", url),
        (Action::Takedown, Language::En) => letter.action("Read the decision", url),
        (_, Language::ZhTw) => letter
            .action("查看決定或申訴", url)
            .note("每項決定可以申訴一次。"),
        (_, Language::En) => letter
            .action("Read it or appeal", url)
            .note("You can appeal once against each decision."),
    })
}

/// A decision does not stand any more; none for what people did not hear of.
pub fn lifted(reader: &Reader<'_>, decision: &Decision, url: &str) -> Option<Letter> {
    let language = reader.language;
    let what = thing(language, decision);
    let letter = match (decision.action, language) {
        (Action::Dismiss | Action::Takedown, _) => return None,
        (Action::Hide, Language::ZhTw) => reader
            .letter(format!("已恢復{what}"))
            .paragraph(format!("您的{what}已恢復，和之前一樣可以觀看。")),
        (Action::Hide, Language::En) => {
            reader
                .letter(format!("Restored: {what}"))
                .paragraph(format!(
                    "Your {what} is no longer hidden. It can be seen as before."
                ))
        }
        (Action::Suspend, Language::ZhTw) => reader
            .letter("您的帳號已恢復")
            .paragraph("停權已解除，您可以再次登入。"),
        (Action::Suspend, Language::En) => reader
            .letter("Your account is back")
            .paragraph("The suspension is over. You can log in again."),
    };
    let letter = with_answer(letter, language, decision);
    Some(letter.action(language.pick("查看決定", "Read the decision"), url))
}

/// One's appeal was not accepted; none if there is none.
pub fn rejected(reader: &Reader<'_>, decision: &Decision) -> Option<Letter> {
    decision.appeal.as_ref()?;
    let language = reader.language;
    let letter = match language {
        Language::ZhTw => reader
            .letter("您的申訴未被接受")
            .paragraph("管理人員重新看過後，維持原本的決定。"),
        Language::En => reader
            .letter("Your appeal was not accepted")
            .paragraph("Our staff looked again. The decision stands."),
    };
    let letter = letter.paragraph(match language {
        Language::ZhTw => format!("這項決定是關於：{}。", thing(language, decision)),
        Language::En => format!("It is about: {}.", thing(language, decision)),
    });
    Some(with_answer(letter, language, decision))
}

/// What one reported was decided on; none while it waits. It does not say what was done: that is between staff and whoever
/// was judged.
pub fn reported(reader: &Reader<'_>, case: &Case, url: &str) -> Option<Letter> {
    let language = reader.language;
    let upheld = case.action? != Action::Dismiss;
    let what = named(language, case.target, &case.excerpt);
    let letter = match language {
        Language::ZhTw => reader
            .letter("您的檢舉已有結果")
            .paragraph(format!("您檢舉了{what}。"))
            .paragraph(if upheld {
                "管理人員看過後，已經採取行動。謝謝您。"
            } else {
                "管理人員看過後，認為它沒有違反規範。"
            }),
        Language::En => reader
            .letter("What became of your report")
            .paragraph(format!("You reported this: {what}."))
            .paragraph(if upheld {
                "Our staff looked at it and took action. Thank you."
            } else {
                "Our staff looked at it and found that it does not break the rules."
            }),
    };
    Some(letter.action(language.pick("查看通知", "See your notifications"), url))
}

fn with_reason(letter: Letter, language: Language, decision: &Decision) -> Letter {
    let letter = match decision.reason {
        Some(why) => letter.paragraph(match language {
            Language::ZhTw => format!("原因：{}。", reason(language, why)),
            Language::En => format!("The reason: {}.", reason(language, why)),
        }),
        None => letter,
    };
    match decision.note.as_str() {
        "" => letter,
        note => letter.paragraph(note),
    }
}

fn with_answer(letter: Letter, language: Language, decision: &Decision) -> Letter {
    match decision
        .appeal
        .as_ref()
        .map(|appeal| appeal.answer.as_str())
    {
        None | Some("") => letter,
        Some(answer) => letter.paragraph(match language {
            Language::ZhTw => format!("回覆：{answer}"),
            Language::En => format!("Their answer: {answer}"),
        }),
    }
}

/// What it is about: the video “A mill”.
fn thing(language: Language, decision: &Decision) -> String {
    named(language, decision.target, &decision.excerpt)
}

fn named(language: Language, target: Target, text: &str) -> String {
    let mut excerpt: String = text.chars().take(EXCERPT).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    let excerpt = excerpt.replace(['\n', '\r'], " ");
    match (target, language) {
        (Target::Video, Language::ZhTw) => format!("影片「{excerpt}」"),
        (Target::Video, Language::En) => format!("video “{excerpt}”"),
        (Target::Comment, Language::ZhTw) => format!("留言「{excerpt}」"),
        (Target::Comment, Language::En) => format!("comment “{excerpt}”"),
        (Target::Channel, Language::ZhTw) => "帳號".to_owned(),
        (Target::Channel, Language::En) => "account".to_owned(),
    }
}

/// By the clock of nobody in particular: a mail does not know where it is read.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn reason(language: Language, why: Reason) -> &'static str {
    let (zh_tw, en) = match why {
        Reason::Spam => ("垃圾內容或廣告", "spam or advertising"),
        Reason::Harassment => ("騷擾或霸凌", "harassment or bullying"),
        Reason::Hate => ("仇恨言論", "hate speech"),
        Reason::Violence => ("暴力或危險行為", "violence or dangerous acts"),
        Reason::Sexual => ("色情內容", "sexual content"),
        Reason::Copyright => ("侵害著作權", "a breach of copyright"),
        Reason::Misleading => ("誤導或詐騙", "misleading or fraudulent content"),
        Reason::Other => ("違反社群規範", "a breach of the rules"),
    };
    language.pick(zh_tw, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{AppealId, CaseId, DecisionId},
        moderation::{Appeal, AppealState},
    };

    fn made(target: Target, action: Action) -> Decision {
        Decision {
            id: DecisionId::new(),
            target,
            target_id: uuid::Uuid::now_v7(),
            owner_id: None,
            owner: None,
            action,
            reason: Some(Reason::Copyright),
            note: "The music from 2:10 on.".to_owned(),
            excerpt: "溪邊的水車".to_owned(),
            until: DateTime::from_timestamp(1_900_000_000, 0),
            staff: None,
            created_at: DateTime::UNIX_EPOCH,
            lifted_at: None,
            lifted_for: None,
            appeal: None,
        }
    }

    fn settled(target: Target, action: Action) -> Case {
        Case {
            id: CaseId::new(),
            target,
            target_id: uuid::Uuid::now_v7(),
            owner_id: None,
            owner: None,
            excerpt: "溪邊的水車".to_owned(),
            reports: 2,
            reasons: Vec::new(),
            opened_at: DateTime::UNIX_EPOCH,
            last_reported_at: DateTime::UNIX_EPOCH,
            settled_at: Some(DateTime::UNIX_EPOCH),
            action: Some(action),
        }
    }

    fn appealed(target: Target, action: Action) -> Decision {
        Decision {
            appeal: Some(Appeal {
                id: AppealId::new(),
                state: AppealState::Open,
                body: "It is mine.".to_owned(),
                answer: "You showed that you wrote it.".to_owned(),
                created_at: DateTime::UNIX_EPOCH,
                decided_at: None,
            }),
            ..made(target, action)
        }
    }

    #[test]
    fn letters_of_decisions_look_as_they_did() {
        let url = "https://millrace.example/decisions";
        for language in Language::ALL {
            let reader = Reader {
                name: "Ann",
                language,
            };
            let letters = [
                (
                    "hidden",
                    decision(&reader, &made(Target::Video, Action::Hide), url),
                ),
                (
                    "removed",
                    decision(&reader, &made(Target::Comment, Action::Takedown), url),
                ),
                (
                    "suspended",
                    decision(&reader, &made(Target::Channel, Action::Suspend), url),
                ),
                (
                    "restored",
                    lifted(&reader, &appealed(Target::Video, Action::Hide), url),
                ),
                (
                    "reinstated",
                    lifted(&reader, &made(Target::Channel, Action::Suspend), url),
                ),
                (
                    "rejected",
                    rejected(&reader, &appealed(Target::Video, Action::Hide)),
                ),
                (
                    "report_upheld",
                    reported(&reader, &settled(Target::Video, Action::Takedown), url),
                ),
                (
                    "report_dismissed",
                    reported(&reader, &settled(Target::Channel, Action::Dismiss), url),
                ),
            ];
            for (name, letter) in letters {
                let letter = letter.unwrap();
                let preview = letter.preview();
                insta::assert_snapshot!(format!("{name}.{}", language.tag()), preview);
            }
        }
    }

    #[test]
    fn nobody_hears_of_what_was_dismissed_and_long_comments_are_cut() {
        let reader = Reader {
            name: "Ann",
            language: Language::En,
        };
        assert_eq!(
            decision(&reader, &made(Target::Video, Action::Dismiss), ""),
            None
        );
        let long = Decision {
            excerpt: "水\n".repeat(400),
            ..made(Target::Comment, Action::Hide)
        };
        let letter = decision(&reader, &long, "").unwrap();
        assert!(
            letter.subject.chars().count() < 150 && !letter.subject.contains('\n'),
            "{}",
            letter.subject
        );
    }
}
