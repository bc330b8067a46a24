-- What each client of the scope said of each subject of asked_kinds, which the query says with their topic types, asked_types, in one class: a number of class_names. Needs stated before it.
    members AS
    (
        SELECT client_id
        FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM gone)
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
        -- if as_of:
          AND toUnixTimestamp64Micro(first_report_time) <= {moment_us:Int64}
        -- end:
    ),
    asked AS
    (
        SELECT kind, topic_id, topic_type, target, toUnixTimestamp64Micro(first_seen) AS seen
        FROM subjects
        WHERE kind IN (SELECT arrayJoin(asked_kinds))
        -- if as_of:
          AND toUnixTimestamp64Micro(first_seen) <= {moment_us:Int64}
        -- end:
    ),
    ['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown', 'other'] AS class_names,
    told AS
    (
        SELECT
            kind,
            topic_id,
            client_id,
            -- Each number is place, class and time, or serial, time and class: the least or greatest of numbers costs a
            -- quarter of argMin and argMax over them.
            minIf(lead, lead > 0) AS leads,
            maxIf(detail, lead = 0) AS details,
            maxIf(detail, lead = 0 AND code IN (3, 4, 5)) AS works,
            toUInt8(bitAnd(bitShiftRight(leads, 52), 15)) AS led,
            toUInt8(multiIf(leads = 0, details % 16, led = 2 AND works > 0, works % 16, led)) AS class,
            if(leads > 0, toInt64(bitAnd(leads, 4503599627370495)),
                toInt64(bitShiftRight(bitAnd(details, 18446744073709551615), 4))) - 4398046511104 AS since_ms,
            max(ms) AS newest_ms
        FROM
        (
            SELECT
                multiIf(topic_type IN (300, 301, 302), 'deployment',
                    topic_type = 501, 'scan',
                    topic_id IN (SELECT topic_id FROM asked WHERE kind = 'baseline'), 'baseline', 'update') AS kind,
                topic_id,
                client_id,
                toUInt64(multiIf(kind = 'update', indexOf([500, 400], topic_type), kind = 'baseline', topic_type = 401,
                    topic_type IN (300, 501))) AS place,
                toUnixTimestamp64Milli(message_time) AS ms,
                toUInt64(ms + 4398046511104) AS at, -- never below 0
                toUInt64(if(c.code > 0, c.code, 7)) AS code,
                if(place > 0, bitShiftLeft(place, 56) + bitShiftLeft(code, 52) + at, 0) AS lead,
                bitShiftLeft(toUInt128(serial), 64) + toUInt128(at * 16 + code) AS detail
            FROM
            (
                SELECT topic_type, topic_id, client_id, state_id, serial, message_time
                FROM stated
                WHERE topic_type IN (SELECT arrayJoin(asked_types))
                -- if subject_id:
                  AND topic_id = {subject_id:String}
                -- end:
                  AND client_id IN (SELECT client_id FROM members)
            ) AS s
            ANY LEFT JOIN (SELECT topic_type, state_id, indexOf(class_names, class) AS code FROM classes) AS c
                ON c.topic_type = s.topic_type AND c.state_id = s.state_id
            WHERE kind != 'update' OR topic_type != 401
        )
        GROUP BY kind, topic_id, client_id
    ),
