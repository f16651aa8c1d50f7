-- What the sweep asks for of tables that it did not sweep yet.
create index refresh_tokens_rotated on refresh_tokens (rotated_at) where rotated_at is not null;
create index invites_expires on invites (expires_at);
create index uploads_ended on uploads (updated_at) where status in ('aborted', 'expired');
create index bulk_edits_created on bulk_edits (created_at);
