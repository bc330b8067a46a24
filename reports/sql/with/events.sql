-- What the clients of the scope told of the subject, or of all subjects of asked_kinds, as moves reads it. Needs told before it, and asked_kinds with asked_types; with a subject, that is what they are.
    events AS
    (
        SELECT
            multiIf(h.topic_type IN (300, 301, 302), 'deployment',
                h.topic_type = 501, 'scan',
                h.topic_type NOT IN (400, 401, 402, 500), 'other',
                h.topic_id IN (SELECT topic_id FROM asked WHERE kind = 'baseline'), 'baseline', 'update') AS kind,
            h.topic_id AS topic_id,
            h.client_id AS client_id,
            h.at AS at,
            toUInt8(multiIf(
                kind = 'update', indexOf([500, 400, 402], h.topic_type),
                kind = 'deployment', indexOf([300, 0, 301, 302], h.topic_type),
                kind = 'baseline', indexOf([401, 0, 402, 500, 400], h.topic_type),
                1)) AS slot,
            h.rank * 16 + if(c.code > 0, c.code, if(kind = 'other', 8, 7)) AS value
        FROM
        (
            SELECT topic_type, topic_id, client_id, state_id, toInt64(bitNot(earliest)) AS at,
                place AS rank
            FROM topic_history
            WHERE topic_type IN (SELECT arrayJoin(asked_types))
            -- if subject_id:
              AND topic_id = {subject_id:String}
            -- end:
              AND client_id IN (SELECT client_id FROM members)
            -- if as_of:
              AND earliest >= bitNot(toUInt64({moment_us:Int64}))
            -- end:
            UNION ALL
            SELECT topic_type, topic_id, client_id, state_id, toUnixTimestamp64Micro(received_time) AS at,
                bitShiftLeft(toUInt256(toUInt64(toUnixTimestamp64Micro(received_time))), 64) + payload_hash AS rank
            FROM instant_states_data FINAL
            WHERE topic_type IN (SELECT arrayJoin(asked_types))
            -- if subject_id:
              AND topic_id = {subject_id:String}
            -- end:
              AND client_id IN (SELECT client_id FROM members)
            -- if as_of:
              AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
            -- end:
        ) AS h
        ANY LEFT JOIN (SELECT topic_type, state_id, indexOf(class_names, class) AS code FROM classes) AS c
            ON c.topic_type = h.topic_type AND c.state_id = h.state_id
        WHERE slot > 0
    ),
