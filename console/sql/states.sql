-- The states of one topic type, for pick lists.
SELECT state_id, any(state_name) AS name
FROM state_names
WHERE topic_type = {topic_type:UInt32}
GROUP BY state_id
ORDER BY state_id
LIMIT 1000
