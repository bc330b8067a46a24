-- Where each machine of the scope stands over all its subjects: as machine_states says it of now, or with as_of by what it had said by then. Of another moment what it should have said and did not is not known: it is not_known where it had said nothing. Needs told before it, with its asked_kinds and asked_types.
    machine_stands AS
    (
        -- if as_of:
        SELECT
            m.client_id AS client_id,
            multiIf(f.failed > 0, 'failed',
                    f.restart > 0, 'restart',
                    f.required > 0, 'required',
                    f.not_known > 0 OR f.subjects = 0, 'not_known',
                    'compliant') AS class,
            f.required AS required, f.failed AS failed, f.restart AS restart, f.not_known AS not_known, f.good AS good,
            f.oldest_required AS oldest_required, f.restart_since AS restart_since, f.restart_for AS restart_for,
            CAST(NULL, 'Nullable(DateTime(\'UTC\'))') AS last_scan, f.grouped.1 AS group_names, f.grouped.2 AS group_classes,
            f.grouped.3 AS group_required, f.grouped.4 AS group_failed, f.grouped.5 AS group_restart,
            f.grouped.6 AS group_not_known, f.grouped.7 AS group_oldest
        FROM members AS m
        LEFT JOIN
        (
            SELECT
                client_id,
                toUInt32(sum(g.required)) AS required,
                toUInt32(sum(g.failed)) AS failed,
                toUInt32(sum(g.restart)) AS restart,
                toUInt32(sum(g.not_known)) AS not_known,
                toUInt32(sum(g.good)) AS good,
                toUInt32(sum(g.subjects)) AS subjects,
                nullIf(toDateTime(minIf(g.oldest, g.oldest > 0), 'UTC'), toDateTime(0, 'UTC')) AS oldest_required,
                nullIf(toDateTime(minIf(g.waits, g.waits > 0), 'UTC'), toDateTime(0, 'UTC')) AS restart_since,
                arraySlice(arraySort(groupArrayArray(g.restart_for)), 1, 20) AS restart_for,
                groupArrayIf((grp, multiIf(g.failed > 0, 'failed', g.restart > 0, 'restart', g.required > 0, 'required',
                    g.not_known > 0, 'not_known', g.good > 0, 'compliant', 'not_applicable'), toUInt32(g.required),
                    toUInt32(g.failed), toUInt32(g.restart), toUInt32(g.not_known), g.oldest), grp != '') AS grouped
            FROM
            (
                SELECT
                    t.client_id AS client_id,
                    if(t.kind = 'scan', '', a.grp) AS grp,
                    countIf(t.kind != 'scan' AND t.class IN (2, 3, 4, 5)) AS required,
                    countIf(t.class = 5) AS failed,
                    countIf(t.kind != 'scan' AND t.class = 4) AS restart,
                    countIf(t.class = 7) AS not_known,
                    countIf(t.kind != 'scan' AND t.class = 1) AS good,
                    count() AS subjects,
                    toUInt32(minIf(t.seconds, t.kind != 'scan' AND t.class IN (2, 3, 4, 5))) AS oldest,
                    toUInt32(minIf(t.seconds, t.kind != 'scan' AND t.class = 4)) AS waits,
                    groupArrayIf(t.topic_id, t.kind != 'scan' AND t.class = 4) AS restart_for
                FROM
                (
                    SELECT kind, topic_id, client_id, class,
                        toUInt32(greatest(1, least(4294967295, intDiv(since_ms, 1000)))) AS seconds
                    FROM told
                ) AS t
                INNER JOIN
                (
                    SELECT kind, topic_id, target, grp FROM subjects WHERE kind IN (SELECT arrayJoin(asked_kinds))
                ) AS a ON a.kind = t.kind AND a.topic_id = t.topic_id
                WHERE a.target = '' OR (a.target, t.client_id) IN
                    (SELECT name, client_id FROM collection_members WHERE name IN (SELECT target FROM asked WHERE target != ''))
                GROUP BY client_id, grp
            ) AS g
            GROUP BY client_id
        ) AS f ON f.client_id = m.client_id
        -- else:
        SELECT client_id, class, required, failed, restart, not_known, good, oldest_required, restart_since, restart_for,
            last_scan, group_names, group_classes, group_required, group_failed, group_restart, group_not_known, group_oldest
        FROM machine_states
        -- end:
    ),
