-- Which titles some topic ids have, and when each was first given.
SELECT topic_id, topic_type, title, toUnixTimestamp64Micro(min(claimed_time))
FROM title_claims
WHERE (topic_id, topic_type) IN (SELECT topic_id, topic_type FROM format(JSONEachRow, 'topic_id String, topic_type UInt32', $1))
GROUP BY topic_id, topic_type, title
