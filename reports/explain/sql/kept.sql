-- The topic whose state one message left, when that is still what the topic is in: outlives the message itself.
SELECT topic_type AS topic, topic_id AS id
FROM current_states
WHERE client_id = {client:UUID} AND serial = {serial:UInt64}
LIMIT 1
