-- What the site holds of each topic of each client, numbered states only, in the
-- order of the fleet's store file. rank holds the payload hash in bits 64 to 127.
SELECT
    lower(toString(s.client_id)) AS client,
    s.topic_type,
    s.topic_id,
    s.state_id,
    s.params,
    s.message_time,
    s.serial,
    toUInt64(bitAnd(bitShiftRight(s.rank, 64), toUInt256(18446744073709551615))) AS hash,
    toUInt8((s.client_id, s.topic_type, s.topic_id) IN (SELECT client_id, topic_type, topic_id FROM unconfirmed_states)) AS unconfirmed
FROM current_states_data AS s FINAL
WHERE s.topic_type != 700 AND ({client:String} = '' OR s.client_id = toUUIDOrZero({client:String}))
ORDER BY client, s.topic_type, s.topic_id
