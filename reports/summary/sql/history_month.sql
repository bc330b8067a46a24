-- The messages of a month, as topic_history_feed has them.
INSERT INTO topic_history (topic_type, topic_id, client_id, place, state_id, received_time, earliest)
SELECT topic_type, topic_id, client_id, 
    bitOr(bitOr(bitShiftLeft(toUInt256(serial), 128), bitShiftLeft(toUInt256(toUInt64(message_us)), 64)),
        toUInt256(payload_hash)),
    state_id, received_time, bitNot(toUInt64(toUnixTimestamp64Micro(received_time)))
FROM state_messages
WHERE serial > 0 AND toYYYYMM(received_time) = {month:UInt64}
