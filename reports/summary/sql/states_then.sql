-- What clients had said of some topics by the end of days, a part of them.
    states AS
    (
        -- One number holds serial, time, hash and state: the greatest of numbers costs a quarter of argMax over them.
        SELECT toUInt16(h.day) AS d, topic_type, topic_id, client_id, max(h.said) AS latest,
            toUInt32(bitAnd(latest, 4294967295)) AS state_id,
            toUInt64(bitShiftRight(latest, 160)) AS serial,
            fromUnixTimestamp64Milli(intDiv(toInt64(bitAnd(bitShiftRight(latest, 96), 18446744073709551615)), 1000), 'UTC')
                AS message_time
        FROM
        (
            SELECT topic_type, topic_id, client_id, bitShiftLeft(place, 32) + state_id AS said,
                arrayJoin(arrayFilter(i -> toInt64(bitNot(earliest)) <= {ends:Array(Int64)}[i],
                    arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM topic_history
            WHERE topic_type IN ({types:Array(UInt32)}) AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            -- Messages without a serial: the last that had arrived.
            SELECT topic_type, topic_id, client_id,
                bitShiftLeft(toUInt256(toUInt64(argMax(message_us, (received_time, payload_hash)))), 96)
                    + argMax(state_id, (received_time, payload_hash)) AS said,
                arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(received_time) <= {ends:Array(Int64)}[i],
                    arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM instant_states_data FINAL
            WHERE topic_type IN ({types:Array(UInt32)}) AND topic_id IN (SELECT unhex(arrayJoin({ids:Array(String)})))
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
            GROUP BY topic_type, topic_id, client_id, day
        ) AS h
        GROUP BY d, topic_type, topic_id, client_id
    )
