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
        SELECT topic_type, topic_id, client_id, argMax(h.state_id, h.rank) AS state_id,
            toUInt64(bitShiftRight(max(h.rank), 128)) AS serial,
            fromUnixTimestamp64Milli(intDiv(argMax(h.us, h.rank), 1000), 'UTC') AS message_time,
            fromUnixTimestamp64Micro(argMax(h.at, h.rank), 'UTC') AS received_time, CAST([], 'Array(String)') AS params,
            toUInt32(0) AS criticality
        FROM
        (
            SELECT topic_type, topic_id, client_id, state_id,
                place AS rank,
                toInt64(bitAnd(bitShiftRight(place, 64), 18446744073709551615)) AS us,
                toInt64(bitNot(earliest)) AS at
            FROM topic_history
            WHERE earliest >= bitNot(toUInt64({moment_us:Int64}))
            UNION ALL
            SELECT topic_type, topic_id, client_id, state_id,
                bitShiftLeft(toUInt256(toUInt64(toUnixTimestamp64Micro(received_time))), 64) + payload_hash AS rank,
                message_us AS us, toUnixTimestamp64Micro(received_time) AS at
            FROM instant_states_data FINAL
            WHERE toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        ) AS h
        GROUP BY topic_type, topic_id, client_id
        -- else:
        SELECT topic_type, topic_id, client_id, state_id, serial, message_time, received_time, params, criticality
        FROM current_states
        -- end:
    ),
