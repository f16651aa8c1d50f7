-- Money. Amounts are integers in the minor unit of their currency (ISO 4217); nothing here is a float.
--
-- Four kinds of rows, in the order in which they come to be:
--   payments         an order: what somebody wants to buy, and what became of it
--   payment_events   what a provider told us, as it told it, once
--   ledger_*         what moved, as double-entry postings that nobody can change
--   entitlements     what somebody may watch because of it
-- What the provider says of an order now decides its status; events are only a reason to ask.

-- What an item costs. A price belongs to the item, never to a request.
create table prices (
    item_type  text not null check (item_type in ('video', 'live', 'channel')),
    -- Of a channel: the creator.
    item_id    uuid not null,
    seller_id  uuid not null references users on delete cascade,
    amount     bigint not null check (amount between 1 and 99999999),
    currency   char(3) not null check (currency ~ '^[A-Z]{3}$'),
    -- Of a channel, which is paid again and again; of other items null.
    period     text check (period in ('month', 'year')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (item_type, item_id),
    check ((item_type = 'channel') = (period is not null))
);
create index prices_seller on prices (seller_id);
create trigger prices_updated before update on prices for each row execute function touch_updated_at();

-- A channel that somebody pays for again and again.
create table subscriptions (
    id                    uuid primary key,
    -- Kept without the person when the account is deleted: it is bookkeeping.
    user_id               uuid references users on delete set null,
    -- No foreign key, for the same reason.
    channel_id            uuid not null,
    provider              text not null,
    provider_subscription text not null,
    amount                bigint not null check (amount > 0),
    currency              char(3) not null,
    period                text not null check (period in ('month', 'year')),
    -- active; past_due: a renewal was not paid and is tried again; ended.
    status                text not null check (status in ('active', 'past_due', 'ended')),
    -- Until when it was paid for.
    paid_until            timestamptz not null,
    -- The payer wants no renewal.
    ends_at_period_end    boolean not null default false,
    ended_at              timestamptz,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now(),
    constraint subscriptions_provider unique (provider, provider_subscription)
);
create index subscriptions_user on subscriptions (user_id, id desc);
create index subscriptions_channel on subscriptions (channel_id) where status <> 'ended';
create index subscriptions_due on subscriptions (paid_until) where status <> 'ended';
create trigger subscriptions_updated before update on subscriptions for each row execute function touch_updated_at();

-- Orders. The table is that of 0003, and nobody has written to it yet.
alter table payments drop constraint payments_user_id_fkey;
alter table payments alter column user_id drop not null;
alter table payments add constraint payments_user_id_fkey foreign key (user_id) references users on delete set null;
alter table payments drop constraint payments_amount_check;
alter table payments
    add constraint payments_item_type check (item_type in ('video', 'live', 'channel', 'tip')),
    alter column item_id set not null,
    add constraint payments_amount check (amount between 1 and 99999999),
    add constraint payments_currency check (currency ~ '^[A-Z]{3}$'),
    add constraint payments_status check (status in ('created', 'pending', 'paid', 'partially_refunded', 'refunded',
        'canceled', 'expired', 'failed', 'disputed')),
    -- Who earns by it, and what it was called then. No foreign key: it is bookkeeping and outlives the account.
    add column seller_id        uuid not null,
    add column title            text not null check (length(title) between 1 and 200),
    add column message          text not null default '' check (length(message) <= 300),
    -- Of a channel: how often it is paid.
    add column period           text check (period in ('month', 'year')),
    -- What of each 10,000 stays with the house, as it was agreed when the order was made.
    add column share_bps        integer not null check (share_bps between 0 and 10000),
    -- Chosen by the client: said twice, it is one order. Renewals are made by nobody and have 'renewal:{invoice}'.
    add column idempotency_key  text not null check (length(idempotency_key) between 1 and 200),
    add column provider         text not null check (length(provider) between 1 and 30),
    add column checkout_url     text,
    add column provider_session text,
    add column provider_intent  text,
    add column provider_invoice text,
    add column subscription_id  uuid references subscriptions,
    -- The locale of who pays, for the provider's page.
    add column language         text not null default 'zh-TW' check (language in ('zh-TW', 'en')),
    add column expires_at       timestamptz not null,
    add column paid_at          timestamptz,
    -- What the provider says was taken, given back by refunds that succeeded, and is held back by disputes.
    add column captured         bigint not null default 0 check (captured >= 0),
    add column refunded         bigint not null default 0 check (refunded >= 0),
    add column disputed         bigint not null default 0 check (disputed >= 0),
    add constraint payments_refunded check (refunded <= captured),
    -- The provider's word for why it was declined, such as card_declined.
    add column decline_code     text,
    -- Set when the provider says another amount, currency or order than ours. Nothing is granted or posted until staff
    -- looked at it.
    add column quarantined_for  text,
    -- The payer gave up, or time did: the provider has to close its page before the order ends.
    add column closing          text check (closing in ('canceled', 'expired')),
    -- When the provider was last asked.
    add column checked_at       timestamptz,
    add constraint payments_once unique (user_id, idempotency_key),
    add constraint payments_session unique (provider, provider_session),
    add constraint payments_intent unique (provider, provider_intent),
    add constraint payments_invoice unique (provider, provider_invoice);
create index payments_user on payments (user_id, id desc);
create index payments_seller on payments (seller_id, id desc);
create index payments_status on payments (status, id desc);
create index payments_item on payments (user_id, item_type, item_id);
create index payments_open on payments (expires_at) where status in ('created', 'pending');
create index payments_quarantined on payments (id desc) where quarantined_for is not null;

-- The inbox.
create table payment_events (
    id          uuid primary key,
    provider    text not null,
    event_id    text not null check (length(event_id) between 1 and 255),
    kind        text not null check (length(kind) <= 100),
    -- The provider's object that it is about, such as cs_1 or sub_1.
    object_id   text,
    -- Known once it was applied.
    payment_id  uuid references payments,
    -- The bytes that were signed.
    body        bytea not null,
    -- delivered: they called us. fetched: we read it in their list, since the call had been lost.
    source      text not null default 'delivered' check (source in ('delivered', 'fetched')),
    received_at timestamptz not null default now(),
    applied_at  timestamptz,
    -- applied: it changed the order. unchanged: what it says was known. ignored: it is about nothing of ours.
    -- quarantined: what the provider says does not fit the order.
    outcome     text check (outcome in ('applied', 'unchanged', 'ignored', 'quarantined')),
    check ((applied_at is null) = (outcome is null)),
    constraint payment_events_once unique (provider, event_id)
);
create index payment_events_payment on payment_events (payment_id, id) where payment_id is not null;
create index payment_events_open on payment_events (received_at) where applied_at is null;

-- Money on its way back. The row comes first, the call after it.
create table refunds (
    id              uuid primary key,
    payment_id      uuid not null references payments,
    amount          bigint not null check (amount > 0),
    currency        char(3) not null,
    -- requested: the payer asks for it, and nobody has decided. declined: decided against.
    -- pending: it was decided and counts against what was captured. succeeded, failed: the provider's last word.
    status          text not null check (status in ('requested', 'declined', 'pending', 'succeeded', 'failed')),
    reason          text not null default '' check (length(reason) <= 500),
    -- What staff or creator answered.
    answer          text not null default '' check (length(answer) <= 500),
    -- Who asked and who decided; null: the provider's own dashboard, or an account that is gone.
    requested_by    uuid references users on delete set null,
    decided_by      uuid references users on delete set null,
    idempotency_key text,
    provider_refund text,
    failure_code    text,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint refunds_provider unique (payment_id, provider_refund),
    constraint refunds_once unique (payment_id, idempotency_key)
);
create index refunds_payment on refunds (payment_id, id);
create index refunds_open on refunds (status, id) where status in ('requested', 'pending');
-- A payer asks once at a time.
create unique index refunds_one_request on refunds (payment_id) where status = 'requested';
create trigger refunds_updated before update on refunds for each row execute function touch_updated_at();

-- What somebody may watch. One row an order; a subscription's is extended by its renewals.
create table entitlements (
    id              uuid primary key,
    user_id         uuid not null references users on delete cascade,
    item_type       text not null check (item_type in ('video', 'live', 'channel')),
    item_id         uuid not null,
    payment_id      uuid references payments,
    subscription_id uuid references subscriptions,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    created_at      timestamptz not null default now(),
    check ((payment_id is null) <> (subscription_id is null)),
    constraint entitlements_payment unique (payment_id),
    constraint entitlements_subscription unique (subscription_id)
);
create index entitlements_item on entitlements (user_id, item_type, item_id) where revoked_at is null;

-- The ledger. A posting says why, its lines what moved where. Debits are positive, credits negative, and the lines of a
-- posting add up to nothing. Both tables take inserts only, and the lines of a posting come in its own transaction.
create table ledger_postings (
    id          uuid primary key,
    -- provider:object:kind, such as stripe:ch_1:capture. What makes it once.
    key         text not null constraint ledger_postings_once unique check (length(key) <= 400),
    kind        text not null check (kind in ('capture', 'refund', 'refund_failed', 'dispute', 'dispute_won')),
    payment_id  uuid not null references payments,
    currency    char(3) not null,
    -- When it happened at the provider.
    occurred_at timestamptz not null,
    created_at  timestamptz not null default now(),
    xact        xid8 not null default pg_current_xact_id()
);
create index ledger_postings_payment on ledger_postings (payment_id, id);
create index ledger_postings_occurred on ledger_postings (occurred_at, id);
create table ledger_lines (
    posting_id uuid not null references ledger_postings,
    n          smallint not null,
    -- clearing: what lies with the provider. creator: what is owed to a creator. house: what is ours.
    account    text not null check (account in ('clearing', 'creator', 'house')),
    -- Of creator: whose. No foreign key: it outlives the account.
    owner_id   uuid,
    amount     bigint not null check (amount <> 0),
    primary key (posting_id, n),
    check ((account = 'creator') = (owner_id is not null))
);
create index ledger_lines_owner on ledger_lines (owner_id, posting_id) where owner_id is not null;

create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only' using errcode = 'restrict_violation', table = tg_table_name;
end $$;
create trigger ledger_postings_stay before update or delete on ledger_postings
    for each row execute function ledger_is_append_only();
create trigger ledger_lines_stay before update or delete on ledger_lines
    for each row execute function ledger_is_append_only();
create trigger ledger_postings_whole before truncate on ledger_postings
    for each statement execute function ledger_is_append_only();
create trigger ledger_lines_whole before truncate on ledger_lines
    for each statement execute function ledger_is_append_only();

create function ledger_line_comes_with_its_posting() returns trigger language plpgsql as $$
begin
    if not exists (select from ledger_postings p where p.id = new.posting_id and p.xact = pg_current_xact_id()) then
        raise exception 'lines come in the transaction of their posting' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger ledger_lines_in_time before insert on ledger_lines
    for each row execute function ledger_line_comes_with_its_posting();

-- At commit, when all lines are there.
create function ledger_posting_is_balanced() returns trigger language plpgsql as $$
declare
    lines integer;
    total numeric;
begin
    select count(*), coalesce(sum(amount), 0) into lines, total from ledger_lines where posting_id = new.id;
    if lines < 2 or total <> 0 then
        raise exception 'posting % does not balance: % lines, %', new.key, lines, total using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger ledger_postings_balance after insert on ledger_postings
    deferrable initially deferred for each row execute function ledger_posting_is_balanced();

-- What people read of an order: a line each time something happened to it.
create table payment_moments (
    payment_id uuid not null references payments,
    n          integer not null,
    -- created, opened, declined, paid, canceled, expired, failed, refund_requested, refund_declined, refund_pending,
    -- refunded, refund_failed, disputed, dispute_won, dispute_lost, quarantined, released, renewed
    kind       text not null check (length(kind) <= 30),
    -- Of refunds and disputes.
    amount     bigint,
    -- A code, never a text for people.
    code       text,
    actor_id   uuid,
    at         timestamptz not null default now(),
    primary key (payment_id, n)
);

-- The nightly comparison of the ledger with what the provider says that it moved.
create table ledger_checks (
    id          uuid primary key,
    provider    text not null,
    -- What happened from (with) to (without).
    from_at     timestamptz not null,
    to_at       timestamptz not null,
    -- Movements that were compared.
    compared    bigint not null default 0,
    differences integer not null default 0,
    started_by  uuid,
    finished_at timestamptz,
    created_at  timestamptz not null default now()
);
create index ledger_checks_newest on ledger_checks (created_at desc);
create table ledger_differences (
    check_id   uuid not null references ledger_checks on delete cascade,
    -- As of ledger_postings.
    key        text not null,
    -- missing_here: the provider moved it and we did not post it. missing_there. amount.
    kind       text not null check (kind in ('missing_here', 'missing_there', 'amount')),
    payment_id uuid,
    ours       bigint,
    theirs     bigint,
    currency   char(3) not null,
    primary key (check_id, key)
);

-- How far the provider's list of events was read, so that a lost call is found. One row a provider.
create table payment_cursors (
    provider   text primary key,
    read_until timestamptz not null,
    updated_at timestamptz not null default now()
);

alter table notifications add column payment_id uuid;
