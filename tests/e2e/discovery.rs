//! Finding videos among many: no question reads a large table whole, and no page loses or repeats a video.

use anyhow::{Context as _, Result};
use millrace_tests::{
    Stack,
    discovery::{self, SHAPES, World},
};

/// Videos: enough for indexes to matter, few enough for a test.
const VIDEOS: u32 = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_question_reads_a_large_table_whole() -> Result<()> {
    let stack = Stack::start().await?;
    discovery::fill(&stack.db, VIDEOS).await?;
    let world = World::look(&stack.db).await?;
    let mut whole = Vec::new();
    for shape in SHAPES {
        for n in 0..10 {
            let mut tx = stack.db.begin().await?;
            // Of so few videos PostgreSQL rightly reads some whole; where there is another way, it goes that way now.
            sqlx::query("set local enable_seqscan = off").execute(&mut *tx).await?;
            (shape.run)(&mut tx, &world, n).await.with_context(|| shape.name)?;
            for (table, rows) in discovery::read_whole(&mut tx).await? {
                whole.push(format!("{} {n}: {rows} rows of {table}", shape.name));
            }
            tx.rollback().await?;
        }
    }
    anyhow::ensure!(whole.is_empty(), "{whole:#?}");
    stack.end().await
}
