-- The cache, made ready for use: unlogged, and with leases for computations.
--
-- Unlogged: everything in it can be computed again, and it is written far more often than anything that must survive. A
-- crash of the database empties it. Standbys do not have it: whoever reads from one computes, or asks the primary.
alter table cache_data set unlogged;

alter table cache_data
    -- Null: nobody has computed it yet, or somebody is about to.
    alter column value drop not null,
    -- Who computes it now, and until when that is believed. A row and not an advisory lock: that would hold a connection
    -- for as long as a computation takes, and a hundred callers would hold a hundred.
    add column lease_by    uuid,
    add column lease_until timestamptz;

-- Touched by every renewal, read by nobody.
drop trigger cache_data_updated on cache_data;
