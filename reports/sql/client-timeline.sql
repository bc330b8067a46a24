-- title: Timeline of one client
-- group: Clients
-- columns: at!, title!, before!, class!, state_name, message_time, serial, topic_type, topic_id, client_id
-- empty: nothing about this client changed within these days
-- description: Each change of where one machine stood on an update, a deployment, a baseline or a scan, the newest first, by
--   the time at which its word arrived at the site. What came in an older message than one that was there changed nothing.
--   As far as messages are kept.
-- param client String: Client id (with or without GUID:) or computer name
-- param days UInt16 = 90 in 1..400: How many days back
-- param subject String = '': Only this subject: title, topic id, or KIND/ID such as update/KB5043080
-- param as_of String = '': Only what had arrived by this moment: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: at DateTime64(6,'UTC') desc, subject String
-- note before: empty = it had said nothing of it
-- note class: restart, pending or failed say more exactly why it is not compliant
-- note state_name: what arrived then
-- link title: messages?client={client_id}&topic_id={topic_id}
-- link serial: /clients/{client_id}?serial={serial}
-- with: wanted, moves
WITH
    ['compliant', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown', 'other'] AS class_words,
    -- if as_of:
    {moment_us:Int64} AS until,
    -- else:
    toUnixTimestamp64Micro(now64(6)) AS until,
    -- end:
    -- A value is made once, however often it is read: the view is most of the work.
    (
        SELECT groupArray((kind, topic_id, title)) FROM subjects
        WHERE kind IN ('update', 'deployment', 'baseline', 'scan')
        -- if subject_id:
          AND kind = {subject_kind:String} AND topic_id = {subject_id:String}
        -- end:
          AND topic_id IN (SELECT topic_id FROM state_messages WHERE client_id IN (SELECT arrayJoin(wanted_ids)))
    ) AS told_of,
    about AS
    (
        SELECT one.1 AS kind, one.2 AS topic_id, one.3 AS title FROM (SELECT arrayJoin(told_of) AS one)
    ),
    heard AS
    (
        SELECT client_id, topic_type, topic_id, serial, payload_hash, any(state_id) AS state, any(message_us) AS us,
            min(toUnixTimestamp64Micro(received_time)) AS at
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(wanted_ids)) AND topic_type IN (300, 301, 302, 400, 401, 402, 500, 501)
        GROUP BY client_id, topic_type, topic_id, serial, payload_hash
        HAVING at <= until
    ),
    events AS
    (
        SELECT
            a.kind AS kind,
            h.topic_id AS topic_id,
            h.client_id AS client_id,
            h.at AS at,
            toUInt8(multiIf(
                kind = 'update', indexOf([500, 400, 402], h.topic_type),
                kind = 'deployment', indexOf([300, 0, 301, 302], h.topic_type),
                kind = 'baseline', indexOf([401, 0, 402, 500, 400], h.topic_type),
                h.topic_type = 501)) AS slot,
            (bitShiftLeft(toUInt256(h.serial), 128)
                + bitShiftLeft(toUInt256(toUInt64(if(h.serial = 0, h.at, h.us))), 64)
                + h.payload_hash) * 16 + if(c.code > 0, c.code, 7) AS value
        FROM heard AS h
        INNER JOIN about AS a ON a.topic_id = h.topic_id
        ANY LEFT JOIN
        (
            SELECT topic_type, state_id, indexOf(class_words, if(class = 'good', 'compliant', class)) AS code FROM classes
        ) AS c ON c.topic_type = h.topic_type AND c.state_id = h.state
        WHERE slot > 0
    )
SELECT
    fromUnixTimestamp64Micro(m.at, 'UTC') AS at,
    a.title AS title,
    if(m.before = 0, '', class_words[m.before]) AS before,
    class_words[m.class] AS class,
    if(n.state_name != '', n.state_name, concat('State ', toString(w.state))) AS state_name,
    fromUnixTimestamp64Milli(intDiv(w.us, 1000), 'UTC') AS message_time,
    w.serial AS serial,
    w.topic_type AS topic_type,
    m.topic_id AS topic_id,
    m.client_id AS client_id,
    concat(m.kind, '/', m.topic_id) AS subject
FROM moves AS m
INNER JOIN about AS a ON a.kind = m.kind AND a.topic_id = m.topic_id
LEFT JOIN
(
    -- Of what arrived together the greatest serial.
    SELECT e.kind AS kind, h.topic_id AS topic_id, h.client_id AS client_id, h.at AS at,
        argMax((h.topic_type, h.state, h.us, h.serial), (h.serial, h.us)) AS one, one.1 AS topic_type, one.2 AS state, one.3 AS us,
        one.4 AS serial
    FROM heard AS h
    INNER JOIN about AS e ON e.topic_id = h.topic_id
    GROUP BY kind, topic_id, client_id, at
) AS w ON w.kind = m.kind AND w.topic_id = m.topic_id AND w.client_id = m.client_id AND w.at = m.at
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n ON n.named_type = w.topic_type AND n.named = w.state
WHERE m.at > until - 86400000000 * toInt64({days:UInt16})
