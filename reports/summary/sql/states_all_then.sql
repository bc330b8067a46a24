-- What clients had said of all that is counted by machine, by the end of days, a part of them.
    states AS
    (
        SELECT toUInt16(h.day) AS d, topic_type, topic_id, client_id, argMax(h.state_id, h.rank) AS state_id,
            toUInt64(bitShiftRight(max(h.rank), 128)) AS serial,
            fromUnixTimestamp64Milli(intDiv(argMax(h.us, h.rank), 1000), 'UTC') AS message_time
        FROM
        (
            SELECT topic_type, topic_id, client_id, state_id, rank, us,
                arrayJoin(arrayFilter(i -> at <= {ends:Array(Int64)}[i], arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM
            (
                SELECT topic_type, topic_id, client_id, state_id, toInt64(bitNot(earliest)) AS at,
                    place AS rank,
                    toInt64(bitAnd(bitShiftRight(place, 64), 18446744073709551615)) AS us
                FROM topic_history
                WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500)
                  AND client_id > {after:UUID} AND client_id <= {upto:UUID}
                UNION ALL
                SELECT topic_type, topic_id, client_id, state_id, toUnixTimestamp64Micro(received_time) AS at,
                    bitShiftLeft(toUInt256(toUInt64(at)), 64) + payload_hash AS rank, message_us AS us
                FROM instant_states_data FINAL
                WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500)
                  AND client_id > {after:UUID} AND client_id <= {upto:UUID}
            )
        ) AS h
        GROUP BY d, topic_type, topic_id, client_id
    )
