-- What a part of the clients told of some subjects of one kind, as the part moves of reports reads it.
    events AS
    (
        SELECT
            {kind:String} AS kind,
            h.topic_id AS topic_id,
            h.client_id AS client_id,
            h.at AS at,
            toUInt8(indexOf({slots:Array(UInt32)}, h.topic_type)) AS slot,
            h.rank * 16 + if(c.code > 0, c.code, 7) AS value
        FROM
        (
            SELECT topic_type, toString(topic_id) AS topic_id, client_id, state_id, toInt64(bitNot(earliest)) AS at, place AS rank
            FROM topic_history
            WHERE topic_type IN ({types:Array(UInt32)}) AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT topic_type, topic_id, client_id, state_id, toUnixTimestamp64Micro(received_time) AS at,
                bitShiftLeft(toUInt256(toUInt64(at)), 64) + payload_hash AS rank
            FROM instant_states_data FINAL
            WHERE topic_type IN ({types:Array(UInt32)}) AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
        ) AS h
        ANY LEFT JOIN
        (
            SELECT topic_type, state_id,
                indexOf(['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown'], class) AS code
            FROM classes
        ) AS c ON c.topic_type = h.topic_type AND c.state_id = h.state_id
        WHERE h.client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({target:String} = '' OR h.client_id IN
              (SELECT client_id FROM collection_members WHERE name = {target:String}))
    ),
