-- Words that comments are refused or held for. They are matched in the application, which folds case and width as Unicode
-- says and knows where words end; the list is small, and each process remembers it for some seconds.
create table comment_words (
    id         uuid primary key,
    -- As it was typed.
    text       text not null check (length(text) between 1 and 100),
    -- As it is compared: NFKC, case folded, without invisible characters.
    folded     text not null constraint comment_words_folded unique check (length(folded) between 1 and 400),
    -- refuse: the comment is not taken.  hold: only its author sees it until staff have read it.
    mode       text not null check (mode in ('refuse', 'hold')),
    created_by uuid references users on delete set null,
    created_at timestamptz not null default now()
);
create index comment_words_created_by on comment_words (created_by) where created_by is not null;
