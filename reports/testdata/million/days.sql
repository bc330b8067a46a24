-- The ends of the last ninety days as the site stands today: what a day costs to read does not depend on its numbers.
INSERT INTO subject_days (kind, day, topic_id, topic_type, counted, good, bad, pending, restart, failed, na_said, na_implied,
    said_unknown, not_known, other, outside, outside_spoke, stale, scope_clients, first_seen, newest, oldest_bad, deleted, version)
SELECT kind, today() - n, topic_id, topic_type, counted, good, bad, pending, restart, failed, na_said, na_implied,
    said_unknown, not_known, other, outside, outside_spoke, stale, scope_clients, first_seen, newest, oldest_bad, 0, 1000
FROM subject_counts FINAL CROSS JOIN (SELECT number + 1 AS n FROM numbers(90)) AS days
WHERE deleted = 0
