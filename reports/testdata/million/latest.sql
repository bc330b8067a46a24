-- A minute's news: one client in a thousand has just scanned.
INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id, topic_id_type, state_id,
    params, source_file, payload_hash)
SELECT reinterpret(sipHash128(number * 1000 + {n:UInt64}), 'UUID'), 101, now64(6, 'UTC'),
    toUnixTimestamp64Micro(now64(6, 'UTC')), 501, '{SOURCE-1}', 3, 3, [], 'latest.SMX', number
FROM numbers(intDiv({clients:UInt64}, 1000))
