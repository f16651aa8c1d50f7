//! What a person stores, and may store. Nothing is counted along the way: what is used is the sum of the videos'
//! files, what is reserved the sum of pending uploads, so nothing that ends either of them can forget to say so.

use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;

use crate::ids::UserId;

/// What a person stores, and may store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// Files of videos.
    pub used: u64,
    /// Declared sizes of uploads that are under way.
    pub reserved: u64,
    /// How much both may be together; null: as much as they like.
    #[schema(required)]
    pub quota: Option<u64>,
    /// How many videos there are.
    pub videos: u64,
    /// How many uploads are under way.
    pub uploads: u64,
}

impl Usage {
    /// That of `user`, whose quota is `default` unless their account says otherwise.
    ///
    /// # Errors
    /// Those of the statement, and that there is no such user.
    pub async fn of(
        db: impl PgExecutor<'_>,
        user: UserId,
        default: Option<u64>,
    ) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!(
            r#"select u.quota, v.files as "files!", v.bytes as "used!", p.files as "pending!", p.bytes as "reserved!"
                 from users u,
                      lateral (select count(*) as files, coalesce(sum(file_size), 0)::bigint as bytes
                                 from videos where user_id = u.id) v,
                      lateral (select count(*) as files, coalesce(sum(size), 0)::bigint as bytes
                                 from uploads where user_id = u.id and status = 'pending') p
                where u.id = $1"#,
            user.0,
        )
        .fetch_one(db)
        .await?;
        Ok(Self {
            used: row.used.unsigned_abs(),
            reserved: row.reserved.unsigned_abs(),
            quota: row.quota.map(i64::unsigned_abs).or(default),
            videos: row.files.unsigned_abs(),
            uploads: row.pending.unsigned_abs(),
        })
    }

    /// Whether a file of `size` bytes may be added.
    pub fn fits(&self, size: u64) -> bool {
        let after = self.used.saturating_add(self.reserved).saturating_add(size);
        self.quota.is_none_or(|quota| after <= quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_counts_and_the_last_byte_fits() {
        let usage = Usage {
            used: 60,
            reserved: 30,
            quota: Some(100),
            videos: 2,
            uploads: 1,
        };
        assert!(usage.fits(10) && !usage.fits(11) && !usage.fits(u64::MAX));
        let free = Usage {
            quota: None,
            ..usage
        };
        assert!(free.fits(u64::MAX));
        let nothing = Usage {
            quota: Some(0),
            ..usage
        };
        assert!(!nothing.fits(1));
    }
}
