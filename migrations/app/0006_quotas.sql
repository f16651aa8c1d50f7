-- Quotas, and uploads that are found again.

-- Bytes that this person may store; null: what `uploads.quota` says; 0: nothing.
-- There is no counter of what is used: it is summed, under a lock on this row where it decides (a counter drifts with
-- every path that forgets it, and every path that ends an upload or a video would have to know of it). Measured on two
-- busy cores: 10,000 videos of one person among 108,000 sum in 6 to 9 ms over videos_user_status; a covering index is
-- not chosen, and would cost every insert.
alter table users add column quota bigint check (quota >= 0);

alter table uploads
    -- What the client knows the file by (for an import, a hash of its content), so that the same file that is begun
    -- twice is one upload. At most one pending upload of a person has it, because inserts hold the lock above.
    add column fingerprint text check (length(fingerprint) between 1 and 300),
    -- Why it was aborted, if not by its owner: upload_size_mismatch.
    add column error_code text;
create index uploads_fingerprint on uploads (user_id, fingerprint) where fingerprint is not null;
create index uploads_reserved on uploads (user_id) include (size) where status = 'pending';
