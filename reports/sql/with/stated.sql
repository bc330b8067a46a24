-- What each client last said of each topic, and who is retired: now, or with as_of by then, when parameters and criticality are not kept. Conditions on topic_type, topic_id and client_id reach the tables that it is made of.
    gone AS
    (
        -- if as_of:
        SELECT client_id
        FROM client_retirements FINAL
        WHERE toUnixTimestamp64Micro(retired_time) <= {moment_us:Int64}
          AND (state IN ('retired', 'erasing') OR toUnixTimestamp64Micro(ended_time) > {moment_us:Int64})
        -- else:
        SELECT client_id FROM retired_clients
        -- end:
    ),
    stated AS
    (
        -- if as_of:
        -- The rank is that of current_states: messages without a serial lie below all others, by arrival.
        -- One number holds serial, time, hash and state: the greatest of numbers costs a quarter of argMax over them.
        SELECT topic_type, topic_id, client_id, max(h.said) AS latest,
            toUInt32(bitAnd(latest, 4294967295)) AS state_id,
            toUInt64(bitShiftRight(latest, 160)) AS serial,
            fromUnixTimestamp64Milli(intDiv(toInt64(bitAnd(bitShiftRight(latest, 96), 18446744073709551615)), 1000), 'UTC')
                AS message_time,
            fromUnixTimestamp64Micro(argMax(h.at, h.said), 'UTC') AS received_time,
            CAST([], 'Array(String)') AS params, toUInt32(0) AS criticality
        FROM
        (
            SELECT topic_type, topic_id, client_id, bitShiftLeft(place, 32) + state_id AS said,
                toInt64(bitNot(earliest)) AS at
            FROM topic_history
            WHERE earliest >= bitNot(toUInt64({moment_us:Int64}))
            -- if unnumbered:
            UNION ALL
            -- Messages without a serial: the last that had arrived.
            SELECT topic_type, topic_id, client_id,
                bitShiftLeft(toUInt256(toUInt64(argMax(message_us, (received_time, payload_hash)))), 96)
                    + argMax(state_id, (received_time, payload_hash)) AS said,
                toUnixTimestamp64Micro(max(received_time)) AS at
            FROM instant_states_data FINAL
            WHERE toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
            GROUP BY topic_type, topic_id, client_id
            -- end:
        ) AS h
        GROUP BY topic_type, topic_id, client_id
        -- else:
        SELECT topic_type, topic_id, client_id, state_id, serial, message_time, received_time, params, criticality
        FROM current_states
        -- end:
    ),
