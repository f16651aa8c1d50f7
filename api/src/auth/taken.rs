//! Names and addresses that somebody else has.

use millrace_domain::accounts::UserError;

use crate::problem::Problem;

/// 409: another account has the address.
pub(crate) fn email_taken() -> Problem {
    Problem::conflict("email_taken", "the email address is taken").at("email", "is taken")
}

/// Why somebody cannot be called so.
pub(super) fn taken(error: UserError) -> Problem {
    match error {
        UserError::UsernameTaken => {
            Problem::conflict("username_taken", "the user name is taken").at("username", "is taken")
        }
        UserError::EmailTaken => email_taken(),
        UserError::Database(error) => error.into(),
    }
}
