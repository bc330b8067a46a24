-- title: Gap checks
-- group: Completeness
-- columns: time!, kind!, clients, messages, issued, held, ranges, conflicts, differing, took_ms, text
-- empty: no gap check has run yet
-- description: The gap checks that ran, the latest first: of how many clients messages were missing after each, how
--   many, and how many resyncs it issued or held back.
-- param days UInt32 = 30 in 1..400: Only checks of so many days
-- order: time DateTime64(6,'UTC') desc, kind String
-- note kind: full = all clients; incremental = those that changed since the check before
-- note clients: with an open range after the check
-- note held: resyncs that were due and wait: for unread files, or for a place
SELECT time, toString(kind) AS kind, clients, ranges, messages, conflicts, differing, issued, held, took_ms, text
FROM resync_checks
WHERE time >= now64(6, 'UTC') - toIntervalDay({days:UInt32})
