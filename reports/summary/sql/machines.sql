-- Where the machines of a slice stand, those that changed or all, unless they stand there just so: the rule of
-- docs/compliance.md, counted by machine. Views are named once and subjects are numbers from there on: each name of a view
-- is planned anew.
INSERT INTO machine_now (client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects,
    oldest_required, restart_since, restart_for, failed_for, last_scan, groups.name, groups.class, groups.required,
    groups.failed, groups.restart, groups.not_known, groups.oldest_required, version)
WITH
    asked_machines AS
    (
        SELECT DISTINCT client_id
        FROM clients_seen
        WHERE client_id > {after:UUID} AND client_id <= {upto:UUID}
          AND ({whole:UInt8} = 1 OR client_id IN (SELECT client_id FROM machines_changed))
          AND client_id NOT IN (SELECT client_id FROM client_retirements FINAL WHERE state = 'erasing')
    ),
    (
        SELECT arraySort(groupArray((topic_id, kind, target, if(kind = 'scan', '', grp), toUnixTimestamp64Micro(first_seen))))
        FROM subjects
        WHERE kind IN ('update', 'deployment', 'baseline', 'scan')
    ) AS subject_rows,
    -- The first group is that of all that is in none.
    arrayConcat([''], arraySort(arrayFilter(g -> g != '', arrayDistinct(subject_rows.4)))) AS group_names,
    arraySort(arrayFilter(t -> t != '', arrayDistinct(subject_rows.3))) AS target_names,
    -- A subject is a number, in the order of the topic ids. An update without a target has a place in its group, in the
    -- order in which they were first seen: a scan looked at those up to its time.
    numbered AS
    (
        SELECT
            (arrayJoin(arrayZip(arrayEnumerate(subject_rows), subject_rows)) AS r).1 AS number,
            r.2.1 AS topic_id,
            r.2.2 AS kind,
            toUInt32(indexOf(target_names, r.2.3)) AS aim,
            toUInt32(indexOf(group_names, r.2.4)) AS grp,
            r.2.5 AS seen,
            toUInt8(kind = 'update' AND aim = 0) AS open
    ),
    placed AS
    (
        SELECT *, if(open, toUInt32(row_number() OVER (PARTITION BY grp, open ORDER BY seen)), 0) AS place
        FROM numbered
    ),
    asked AS
    (
        SELECT topic_id,
            -- The state of the greatest role leads; those of role 0 are details.
            arrayJoin(multiIf(kind = 'update', [(500, 2), (400, 1), (402, 0)],
                              kind = 'deployment', [(300, 1), (301, 0), (302, 0)],
                              kind = 'baseline', [(401, 1), (402, 0), (500, 0), (400, 0)],
                              [(501, 1)])) AS type,
            toUInt32(type.1) AS topic_type,
            toUInt8(type.2) AS role,
            -- All that a subject is, in one number: its own, its place, its group, and twice its target with whether it scans.
            toUInt128(number) + bitShiftLeft(toUInt128(place), 32) + bitShiftLeft(toUInt128(grp), 64)
                + bitShiftLeft(toUInt128(2 * aim + (kind = 'scan')), 96) AS subject
        FROM placed
    ),
    aimed AS
    (
        SELECT toUInt32(indexOf(target_names, name)) AS aim, client_id
        FROM collection_members
        WHERE has(target_names, name) AND client_id > {after:UUID} AND client_id <= {upto:UUID}
          AND client_id IN (SELECT client_id FROM asked_machines)
    ),
    -- What each machine said of each subject. A class is: 1 good, 2 bad, 3 pending, 4 restart, 5 failed, 6 not applicable,
    -- 7 that it does not know. Each state is one number, so that the greatest decides, with the class in its last four bits:
    -- those that lead by role, then time in seconds; details by serial, then time in milliseconds, then topic type.
    said AS
    (
        SELECT client_id, subject,
            max(if(role > 0, bitShiftLeft(toUInt64(role), 60)
                + toUInt64(greatest(1, least(4294967295, intDiv(ms, 1000)))) * 16 + code, 0)) AS leads,
            max(if(role = 0, detail, 0)) AS details,
            max(if(role = 0 AND code IN (3, 4, 5), detail, 0)) AS works,
            toUInt64(multiIf(leads = 0, details, bitAnd(leads, 15) = 2, works, 0)) AS decides
        FROM
        (
            SELECT st.client_id AS client_id, asked.subject AS subject, asked.role AS role,
                toUnixTimestamp64Milli(st.message_time) AS ms,
                toUInt8(if(k.code > 0, k.code, 7)) AS code,
                bitShiftLeft(toUInt128(st.serial), 64)
                    + toUInt64(((ms + 4398046511104) * 512 + st.topic_type) * 16 + code) AS detail
            FROM
            (
                SELECT client_id, topic_type, topic_id, state_id, message_time, serial
                FROM current_states
                WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500, 501)
                  AND client_id > {after:UUID} AND client_id <= {upto:UUID}
                  AND ({whole:UInt8} = 1 OR client_id IN (SELECT client_id FROM asked_machines))
            ) AS st
            INNER JOIN asked ON asked.topic_type = st.topic_type AND asked.topic_id = st.topic_id
            ANY LEFT JOIN
            (
                SELECT topic_type, state_id,
                    indexOf(['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable'], class) AS code
                FROM classes
            ) AS k ON k.topic_type = st.topic_type AND k.state_id = st.state_id
        )
        GROUP BY client_id, subject
    ),
    -- Completed scans, with how many updates of each group they looked at; one row of the first group for each machine.
    looks AS
    (
        SELECT m.client_id AS client_id, m.grp AS grp, m.scanned AS scanned, m.last_scan AS last_scan,
            if(m.scanned, m.open, 0) AS open, if(m.gap, 0, l.place) AS looked
        FROM
        (
            SELECT a.client_id AS client_id, g.grp AS grp, g.open AS open, s.scanned AS scanned, s.scan AS last_scan,
                a.client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap
            FROM asked_machines AS a
            LEFT JOIN
            (
                SELECT client_id, toUInt8(1) AS scanned,
                    1000 * toUnixTimestamp64Milli(CAST(max(client_scans.last_scan), 'DateTime64(3, \'UTC\')')) AS scan
                FROM client_scans
                WHERE client_id > {after:UUID} AND client_id <= {upto:UUID}
                GROUP BY client_id
            ) AS s ON s.client_id = a.client_id
            CROSS JOIN
            (
                SELECT grp, toUInt32(sum(open)) AS open
                FROM (SELECT grp, open FROM numbered UNION ALL SELECT toUInt32(1), toUInt8(0))
                GROUP BY grp
                HAVING open > 0 OR grp = 1
            ) AS g
            WHERE s.scanned OR g.grp = 1
        ) AS m
        ASOF LEFT JOIN (SELECT grp, seen, max(place) AS place FROM placed WHERE open GROUP BY grp, seen) AS l
            ON l.grp = m.grp AND m.last_scan >= l.seen
    ),
    -- By machine and group. Scans are of none, and count where they failed (15) or are not known (17). owes is of how many
    -- subjects with a target a machine has said nothing.
    shares AS
    (
        SELECT
            client_id,
            grp,
            countIf(class IN (2, 3, 4, 5)) AS required,
            countIf(class = 3) AS pending,
            countIf(class IN (5, 15)) AS failed,
            countIf(class = 4) AS restart,
            countIf(class IN (7, 17)) AS said_unknown,
            countIf(class = 1) AS good,
            groupArrayIf(place, place > 0) AS places,
            max(looked) AS looked,
            max(open) AS open,
            max(scanned) AS scanned,
            max(last_scan) AS last_scan,
            said_unknown + sum(owes)
                + if(scanned, open - looked - arrayCount(p -> p > looked, places), 0) AS not_known,
            countIf(class BETWEEN 1 AND 7) + sum(owes) + if(scanned, open - length(places), 0) AS subjects,
            minIf(since, class IN (2, 3, 4, 5)) AS oldest_required,
            minIf(since, class = 4) AS restart_since,
            groupArrayIf(number, class = 4) AS restart_for,
            groupArrayIf(number, class IN (5, 15)) AS failed_for
        FROM
        (
            SELECT client_id, toUInt32(bitShiftRight(subject, 64)) AS grp,
                toUInt8(bitAnd(if(decides > 0, decides, leads), 15)) AS code,
                toUInt32(bitShiftRight(subject, 96)) AS aims,
                toUInt8(multiIf(bitAnd(aims, 1) = 0, code, code IN (5, 7), code + 10, 0)) AS class,
                toUInt32(if(decides > 0,
                    greatest(1, least(4294967295, intDiv(toInt64(bitShiftRight(decides, 13)) - 4398046511104, 1000))),
                    bitAnd(bitShiftRight(leads, 4), 4294967295))) AS since,
                toUInt32(subject) AS number,
                toUInt32(bitShiftRight(subject, 32)) AS place,
                toInt64(if(aims > 1 AND bitAnd(aims, 1) = 0, -1, 0)) AS owes,
                toUInt8(0) AS scanned, toUInt32(0) AS open, toUInt32(0) AS looked, toInt64(0) AS last_scan
            FROM said
            WHERE bitShiftRight(subject, 97) = 0
               OR (toUInt32(bitShiftRight(subject, 97)), client_id) IN (SELECT aim, client_id FROM aimed)
            UNION ALL
            SELECT aimed.client_id, t.grp, 0, 0, 0, 0, 0, 0, t.subjects, 0, 0, 0, 0
            FROM aimed
            INNER JOIN
            (
                SELECT aim, grp, toInt64(count()) AS subjects FROM numbered WHERE kind != 'scan' AND aim > 0 GROUP BY aim, grp
            ) AS t ON t.aim = aimed.aim
            UNION ALL
            SELECT client_id, grp, 0, 0, 0, 0, 0, 0, 0, scanned, open, looked, last_scan
            FROM looks
        )
        GROUP BY client_id, grp
    ),
    figures AS
    (
        SELECT
            s.client_id AS client_id,
            toUInt32(sum(s.required)) AS required,
            toUInt32(sum(s.pending)) AS pending,
            toUInt32(sum(s.failed)) AS failed,
            toUInt32(sum(s.restart)) AS restart,
            toUInt32(sum(s.said_unknown)) AS said_unknown,
            toUInt32(sum(s.not_known)) AS not_known,
            toUInt32(sum(s.good)) AS good,
            toUInt32(sum(s.subjects) + if(max(s.scanned), has(subject_rows.2, 'scan'), 0)) AS subjects,
            minIf(s.oldest_required, s.oldest_required > 0) AS oldest,
            minIf(s.restart_since, s.restart_since > 0) AS since,
            nullIf(toDateTime(oldest, 'UTC'), toDateTime(0, 'UTC')) AS oldest_required,
            nullIf(toDateTime(since, 'UTC'), toDateTime(0, 'UTC')) AS restart_since,
            -- Numbers are in the order of the topic ids.
            arrayMap(n -> transform(n, arrayEnumerate(subject_rows), subject_rows.1, ''),
                arraySlice(arraySort(groupArrayArray(s.restart_for)), 1, 20)) AS restart_for,
            arrayMap(n -> transform(n, arrayEnumerate(subject_rows), subject_rows.1, ''),
                arraySlice(arraySort(groupArrayArray(s.failed_for)), 1, 20)) AS failed_for,
            nullIf(toDateTime(toUInt32(greatest(0, least(4294967295, intDiv(max(s.last_scan), 1000000)))), 'UTC'),
                toDateTime(0, 'UTC')) AS last_scan,
            arraySort(groupArrayIf((s.grp, multiIf(s.failed > 0, 1, s.restart > 0, 2, s.required > 0, 3, s.not_known > 0, 4,
                s.good > 0, 5, 6), toUInt32(s.required), toUInt32(s.failed), toUInt32(s.restart), toUInt32(s.not_known),
                s.oldest_required), s.grp > 1 AND s.subjects > 0)) AS grouped,
            arrayMap(n -> transform(n, arrayEnumerate(group_names), group_names, ''), grouped.1) AS names,
            arrayMap(c -> transform(c, [1, 2, 3, 4, 5, 6],
                ['failed', 'restart', 'required', 'not_known', 'compliant', 'not_applicable'], ''), grouped.2) AS classes_in
        FROM shares AS s
        GROUP BY s.client_id
    )
SELECT client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects, oldest_required,
    restart_since, restart_for, failed_for, last_scan, names, classes_in, grouped.3, grouped.4, grouped.5, grouped.6, grouped.7,
    {version:UInt64}
FROM figures
WHERE sipHash64(client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects, oldest, since,
    restart_for, failed_for, ifNull(last_scan, toDateTime(0, 'UTC')), names, classes_in, grouped.3, grouped.4, grouped.5,
    grouped.6, grouped.7) NOT IN
(
    SELECT sipHash64(client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects,
        toUInt32(ifNull(oldest_required, toDateTime(0, 'UTC'))), toUInt32(ifNull(restart_since, toDateTime(0, 'UTC'))),
        restart_for, failed_for, ifNull(last_scan, toDateTime(0, 'UTC')),
        CAST(groups.name, 'Array(String)'), CAST(groups.class, 'Array(String)'), groups.required, groups.failed, groups.restart,
        groups.not_known, groups.oldest_required)
    FROM machine_now FINAL
    WHERE client_id > {after:UUID} AND client_id <= {upto:UUID}
)
