SELECT toString((topic_type, hex(topic_id), client_id, payload_hash, toUnixTimestamp64Micro(received_time)))
FROM instant_states_data
WHERE received_time < {before:DateTime64(6, 'UTC')}
    AND (topic_type, topic_id, client_id, payload_hash) NOT IN
    (
        SELECT topic_type, topic_id, client_id, argMax(payload_hash, (received_time, message_us, payload_hash))
        FROM instant_states_data FINAL
        GROUP BY topic_type, topic_id, client_id
    )
LIMIT {limit:UInt32}
