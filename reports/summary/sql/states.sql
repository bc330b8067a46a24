-- What clients say of some topics, a part of them.
    states AS
    (
        SELECT toUInt16(1) AS d, topic_type, topic_id, client_id, state_id, serial, message_time
        FROM current_states
        WHERE topic_type IN ({types:Array(UInt32)}) AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
          AND client_id BETWEEN {first:UUID} AND {last:UUID}
    )
