//! Roles and what each includes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person may do beyond their own things. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses the platform.
    User,
    /// Reads the admin screens.
    Auditor,
    /// Acts on jobs and queues.
    Operator,
    /// Acts on people and settings.
    Admin,
}

impl Role {
    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the database's name. A role that this version does not know grants nothing.
    pub(crate) fn from_column(name: &str) -> Self {
        match name {
            "auditor" => Self::Auditor,
            "operator" => Self::Operator,
            "admin" => Self::Admin,
            _ => Self::User,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_those_before_it() {
        assert!(
            Role::Admin > Role::Operator
                && Role::Operator > Role::Auditor
                && Role::Auditor > Role::User
        );
    }

    #[test]
    fn an_unknown_role_grants_nothing() {
        assert_eq!(Role::from_column("owner"), Role::User);
        for role in [Role::User, Role::Auditor, Role::Operator, Role::Admin] {
            assert_eq!(Role::from_column(role.as_str()), role);
        }
    }
}
