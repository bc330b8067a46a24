-- How one client stands on each of its subjects that say good or bad, by the rule of docs/compliance.md: the leading type
-- decides, and what is bad is said more exactly by the latest detail that says so. Now where moment_us is 0, else by what had
-- arrived by then.
WITH
    stated AS
    (
        SELECT topic_type, topic_id, state_id, serial, message_time
        FROM current_states
        WHERE {moment_us:Int64} = 0 AND client_id = {client:UUID} AND topic_type IN (SELECT topic_type FROM classes)
        UNION ALL
        -- The rank is that of current_states: messages without a serial lie below all others, by arrival.
        SELECT topic_type, topic_id, argMax(h.state_id, h.rank) AS state_id,
            toUInt64(bitShiftRight(max(h.rank), 128)) AS serial,
            fromUnixTimestamp64Milli(intDiv(argMax(h.us, h.rank), 1000), 'UTC') AS message_time
        FROM
        (
            SELECT topic_type, topic_id, state_id, place AS rank,
                toInt64(bitAnd(bitShiftRight(place, 64), 18446744073709551615)) AS us
            FROM topic_history
            WHERE {moment_us:Int64} != 0 AND client_id = {client:UUID} AND topic_type IN (SELECT topic_type FROM classes)
              AND topic_id IN (SELECT topic_id FROM current_states WHERE client_id = {client:UUID})
              AND earliest >= bitNot(toUInt64({moment_us:Int64}))
            UNION ALL
            SELECT topic_type, topic_id, state_id,
                bitShiftLeft(toUInt256(toUInt64(toUnixTimestamp64Micro(received_time))), 64) + payload_hash AS rank,
                message_us AS us
            FROM instant_states_data FINAL
            WHERE {moment_us:Int64} != 0 AND client_id = {client:UUID} AND topic_type IN (SELECT topic_type FROM classes)
              AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        ) AS h
        GROUP BY topic_type, topic_id
    ),
    told AS
    (
        SELECT s.topic_type AS topic_type, s.topic_id AS topic_id, s.message_time AS message_time, c.class AS class,
            bitShiftLeft(toUInt128(s.serial), 64) + toUInt128(toUnixTimestamp64Milli(s.message_time)) AS place
        FROM stated AS s
        INNER JOIN classes AS c ON c.topic_type = s.topic_type AND c.state_id = s.state_id
    ),
    called AS
    (
        SELECT kind, topic_id, topic_type, title
        FROM subjects
        WHERE topic_id IN (SELECT topic_id FROM told)
    ),
    one AS
    (
        SELECT t.kind AS kind, told.topic_id AS topic_id, if(t.kind = 'other', told.topic_type, 0) AS other_type,
            multiIf(t.kind = 'update', transform(told.topic_type, [500, 400], [2, 1], 0),
                    t.kind = 'deployment', told.topic_type = 300,
                    t.kind = 'baseline', told.topic_type = 401,
                    1) AS role,
            told.class AS class, told.place AS place, told.message_time AS message_time
        FROM told
        INNER JOIN (SELECT kind, topic_id, topic_type FROM subject_types WHERE topic_id IN (SELECT topic_id FROM told)) AS t
            ON t.topic_id = told.topic_id AND t.topic_type = told.topic_type
    )
SELECT s.kind AS kind, s.topic_id AS topic_id, s.other_type AS topic_type, c.title AS title, s.class AS class, s.since AS since
FROM
(
    SELECT kind, topic_id, other_type,
        multiIf(leads = '', details, leads = 'bad' AND works != '', works, leads) AS decides,
        if(decides = 'good', 'compliant', decides) AS class,
        multiIf(leads = '', details_time, leads = 'bad' AND works != '', works_time, leads_time) AS since
    FROM
    (
        SELECT kind, topic_id, other_type,
            argMaxIf(one.class, role, role > 0) AS leads,
            argMaxIf(one.message_time, role, role > 0) AS leads_time,
            argMaxIf(one.class, place, role = 0) AS details,
            argMaxIf(one.message_time, place, role = 0) AS details_time,
            argMaxIf(one.class, place, role = 0 AND one.class IN ('pending', 'restart', 'failed')) AS works,
            argMaxIf(one.message_time, place, role = 0 AND one.class IN ('pending', 'restart', 'failed')) AS works_time
        FROM one
        GROUP BY kind, topic_id, other_type
    )
) AS s
LEFT JOIN called AS c ON c.kind = s.kind AND c.topic_id = s.topic_id AND (s.kind != 'other' OR c.topic_type = s.other_type)
ORDER BY indexOf(['update', 'deployment', 'baseline', 'scan', 'other'], kind),
    indexOf(['failed', 'restart', 'pending', 'bad', 'said_unknown', 'compliant', 'not_applicable'], class), title, topic_id
LIMIT 2000
