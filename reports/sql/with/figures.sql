-- How each client of asked_machines stands over asked_subjects, by its asked_states, all of which the query itself says: the rule of docs/compliance.md, counted by client.
    asked AS
    (
        SELECT number, topic_id,
            -- The state of the greatest role leads; those of role 0 are details.
            arrayJoin(multiIf(kind = 'update', [(500, 2), (400, 1), (402, 0)],
                              kind = 'deployment', [(300, 1), (301, 0), (302, 0)],
                              kind = 'baseline', [(401, 1), (402, 0), (500, 0), (400, 0)],
                              [(501, 1)])) AS type,
            toUInt32(type.1) AS topic_type,
            toUInt8(type.2) AS role
        FROM asked_subjects
    ),
    aimed AS
    (
        SELECT name, client_id
        FROM collection_members
        WHERE name IN (SELECT target FROM asked_subjects WHERE target != '')
          AND client_id IN (SELECT client_id FROM asked_machines)
    ),
    -- What each machine said of each subject, in one number: its time in seconds and, in the last four bits, the class: 1 good,
    -- 2 bad, 3 pending, 4 restart, 5 failed, 6 not applicable, 7 that it does not know. Texts took six times the memory.
    said AS
    (
        SELECT client_id, number,
            argMaxIf(what, role, role > 0) AS leads,
            argMaxIf(what, place, role = 0 AND what % 16 IN (3, 4, 5)) AS works,
            argMaxIf(what, place, role = 0) AS details,
            multiIf(max(role) = 0, details, leads % 16 = 2 AND works > 0, works, leads) AS decides
        FROM
        (
            SELECT st.client_id AS client_id, asked.number AS number, asked.role AS role,
                toUInt64(greatest(1, least(4294967295, intDiv(toUnixTimestamp64Milli(st.message_time), 1000)))) * 16
                    + transform(k.class, ['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable'],
                        [1, 2, 3, 4, 5, 6], 7) AS what,
                -- Serial, then message time; the topic type only makes it one order.
                bitOr(bitShiftLeft(toUInt128(st.serial), 64), toUInt128(
                    (toUnixTimestamp64Milli(st.message_time) + 4398046511104) * 512 + st.topic_type)) AS place
            FROM asked_states AS st
            INNER JOIN asked ON asked.topic_type = st.topic_type AND asked.topic_id = st.topic_id
            LEFT JOIN classes AS k ON k.topic_type = st.topic_type AND k.state_id = st.state_id
        )
        GROUP BY client_id, number
    ),
    told AS
    (
        SELECT client_id,
            countIf(kind != 'scan' AND class IN (2, 3, 4, 5)) AS required,
            countIf(kind != 'scan' AND class = 3) AS pending,
            countIf(class = 5) AS failed,
            countIf(kind != 'scan' AND class = 4) AS restart,
            countIf(class = 7) AS said_unknown,
            countIf(kind != 'scan' AND class = 1) AS good,
            countIf(kind != 'scan') AS subjects,
            countIf(kind != 'scan' AND target != '') AS aims,
            groupArrayIf(first_seen, kind = 'update' AND target = '') AS updates,
            minIf(since, kind != 'scan' AND class IN (2, 3, 4, 5)) AS oldest_required,
            minIf(since, kind != 'scan' AND class = 4) AS restart_since,
            arraySlice(arraySort(groupArrayIf(topic_id, kind != 'scan' AND class = 4)), 1, 20) AS restart_for,
            arraySlice(arraySort(groupArrayIf(topic_id, class = 5)), 1, 20) AS failed_for
        FROM
        (
            SELECT said.client_id AS client_id, s.kind AS kind, s.topic_id AS topic_id, s.target AS target,
                s.first_seen AS first_seen, said.decides % 16 AS class,
                toDateTime(toUInt32(intDiv(said.decides, 16)), 'UTC') AS since
            FROM said
            INNER JOIN asked_subjects AS s ON s.number = said.number
        ) AS one
        WHERE target = '' OR (target, client_id) IN (SELECT name, client_id FROM aimed)
        GROUP BY client_id
    ),
    owed AS
    (
        SELECT client_id, sum(subjects) AS aims
        FROM aimed
        INNER JOIN
        (
            SELECT target, count() AS subjects FROM asked_subjects WHERE kind != 'scan' AND target != '' GROUP BY target
        ) AS t ON t.target = aimed.name
        GROUP BY client_id
    ),
    -- Updates without a target in the order in which they were first seen: a scan looked at those up to its time.
    looked AS
    (
        SELECT toUInt8(1) AS one, first_seen, max(place) AS seen
        FROM
        (
            SELECT first_seen, row_number() OVER (ORDER BY first_seen) AS place
            FROM asked_subjects
            WHERE kind = 'update' AND target = ''
        )
        GROUP BY first_seen
    ),
    (SELECT (countIf(kind = 'update' AND target = ''), countIf(kind = 'scan') > 0) FROM asked_subjects) AS all_updates,
    figures AS
    (
        SELECT
            m.client_id AS client_id,
            toUInt32(told.required) AS required,
            toUInt32(told.pending) AS pending,
            toUInt32(told.failed) AS failed,
            toUInt32(told.restart) AS restart,
            toUInt32(told.said_unknown) AS said_unknown,
            if(m.scanned, all_updates.1 - if(m.gap, 0, looked.seen)
                - arrayCount(f -> m.gap OR f > m.last_scan, told.updates), 0) AS unseen,
            toUInt32(told.said_unknown + owed.aims - told.aims + unseen) AS not_known,
            toUInt32(told.good) AS good,
            toUInt32(told.subjects + owed.aims - told.aims
                + if(m.scanned, all_updates.1 - length(told.updates) + all_updates.2, 0)) AS subjects,
            nullIf(told.oldest_required, toDateTime(0, 'UTC')) AS oldest_required,
            nullIf(told.restart_since, toDateTime(0, 'UTC')) AS restart_since,
            told.restart_for AS restart_for,
            told.failed_for AS failed_for,
            nullIf(toDateTime(toUInt32(greatest(0, least(4294967295,
                intDiv(toUnixTimestamp64Micro(m.last_scan), 1000000)))), 'UTC'),
                toDateTime(0, 'UTC')) AS last_scan
        FROM
        (
            SELECT a.client_id AS client_id, toUInt8(1) AS one, scans.scanned AS scanned,
                toDateTime64(scans.last_scan, 6, 'UTC') AS last_scan,
                a.client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap
            FROM asked_machines AS a
            LEFT JOIN
            (
                SELECT client_id, toUInt8(1) AS scanned, max(client_scans.last_scan) AS last_scan
                FROM client_scans WHERE client_id IN (SELECT client_id FROM asked_machines) GROUP BY client_id
            ) AS scans ON scans.client_id = a.client_id
        ) AS m
        LEFT JOIN told ON told.client_id = m.client_id
        LEFT JOIN owed ON owed.client_id = m.client_id
        ASOF LEFT JOIN looked ON looked.one = m.one AND m.last_scan >= looked.first_seen
    ),
