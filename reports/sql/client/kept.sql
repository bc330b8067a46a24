-- The state that one message left, when it is still what its topic is in: outlives the message itself.
SELECT topic_type AS topic, topic_id AS id, state_id AS state, message_time AS raised, received_time AS received
FROM current_states
WHERE client_id = {client:UUID} AND serial = {serial:UInt64}
LIMIT 1
