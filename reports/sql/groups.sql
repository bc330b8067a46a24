-- title: Groups
-- group: Compliance
-- columns: group!, percent!, machines, compliant, required, not_known, subjects
-- empty: no subject was put into a group
-- description: How many machines have all that they need of each group of updates, deployments and baselines. A machine is
--   compliant with a group when nothing of it is missing there, and nothing is not known. Counted now, over the site or the
--   members of a collection.
-- param collection String = '': Only the members of this collection
-- param group String = '': Only this group
-- order: required UInt64 desc, group String
-- note machines: those that need something of the group, and those of which that is not known
-- note percent: compliant of compliant and required; rounded down, so that 100.0 means all
-- note required: machines on which something of the group is not compliant
-- note not_known: machines that lack nothing of it that is known, but of some of it nothing is
-- note not_applicable: machines that need nothing of it
-- link group: updates?group={group}&collection={collection}
WITH
    members AS
    (
        SELECT client_id
        FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- end:
    ),
    asked AS
    (
        SELECT kind, topic_id, target, toUnixTimestamp64Micro(first_seen) AS seen, grp
        FROM subjects
        WHERE grp != '' AND kind IN ('update', 'deployment', 'baseline') AND ({group:String} = '' OR grp = {group:String})
    ),
    ['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown', 'other'] AS class_names,
    told AS
    (
        SELECT
            kind,
            topic_id,
            client_id,
            argMinIf(code, place, place > 0) AS leads,
            argMaxIf(code, rank, place = 0) AS detail,
            if(leads > 0, leads, detail) AS class
        FROM
        (
            SELECT
                multiIf(topic_type IN (300, 301, 302), 'deployment',
                    topic_id IN (SELECT topic_id FROM asked WHERE kind = 'baseline'), 'baseline', 'update') AS kind,
                topic_id,
                client_id,
                toUInt8(multiIf(kind = 'update', indexOf([500, 400], topic_type), kind = 'baseline', topic_type = 401,
                    topic_type = 300)) AS place,
                bitShiftLeft(toUInt128(serial), 64) + toUInt128(toUnixTimestamp64Milli(message_time)) AS rank,
                toUInt8(if(c.code > 0, c.code, 7)) AS code
            FROM
            (
                SELECT topic_type, topic_id, client_id, state_id, serial, message_time
                FROM current_states
                WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500) AND topic_id IN (SELECT topic_id FROM asked)
                  AND client_id IN (SELECT client_id FROM members)
            ) AS s
            ANY LEFT JOIN (SELECT topic_type, state_id, indexOf(class_names, class) AS code FROM classes) AS c
                ON c.topic_type = s.topic_type AND c.state_id = s.state_id
            WHERE kind != 'update' OR topic_type != 401
        )
        GROUP BY kind, topic_id, client_id
    ),
    scans AS
    (
        SELECT client_id, max(1000 * toUnixTimestamp64Milli(CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')'))) AS scan,
            client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap
        FROM client_scans
        WHERE client_id IN (SELECT client_id FROM members)
        GROUP BY client_id
    ),
    aimed AS
    (
        SELECT DISTINCT name, client_id
        FROM collection_members
        WHERE name IN (SELECT target FROM asked WHERE target != '') AND client_id IN (SELECT client_id FROM members)
    ),
    -- Per group and machine: what it said, and of how much it had to say something to be known.
    shares AS
    (
        SELECT a.grp AS grp, told.client_id AS client_id, toInt64(class = 1) AS good, toInt64(class IN (2, 3, 4, 5)) AS bad,
            toInt64(class IN (7, 8)) AS unsure,
            -toInt64(if(a.target != '', 1, told.kind = 'update' AND s.scanned AND (s.gap OR a.seen > s.scan))) AS owes
        FROM told
        INNER JOIN asked AS a ON a.kind = told.kind AND a.topic_id = told.topic_id
        LEFT JOIN (SELECT client_id, 1 AS scanned, scan, gap FROM scans) AS s ON s.client_id = told.client_id
        WHERE a.target = '' OR (a.target, told.client_id) IN (SELECT name, client_id FROM aimed)
        UNION ALL
        SELECT g.grp, s.client_id, toInt64(0), toInt64(0), toInt64(0),
            toInt64(if(s.gap, length(g.seens), arrayCount(x -> x > s.scan, g.seens)))
        FROM scans AS s
        CROSS JOIN (SELECT grp, groupArray(seen) AS seens FROM asked WHERE kind = 'update' AND target = '' GROUP BY grp) AS g
        UNION ALL
        SELECT a.grp, m.client_id, toInt64(0), toInt64(0), toInt64(0), toInt64(1)
        FROM asked AS a
        INNER JOIN aimed AS m ON m.name = a.target
    )
SELECT
    n.grp AS `group`,
    any(n.subjects) AS subjects,
    countIf(stands IN (1, 2, 3)) AS machines,
    countIf(stands = 3) AS compliant,
    if(compliant + required = 0, NULL, intDiv(1000 * compliant, greatest(compliant + required, 1)) / 10) AS percent,
    countIf(stands = 1) AS required,
    countIf(stands = 2) AS not_known,
    countIf(stands = 4) AS not_applicable
FROM (SELECT grp, toUInt64(count()) AS subjects FROM asked GROUP BY grp) AS n
LEFT JOIN
(
    SELECT grp, client_id, multiIf(sum(bad) > 0, 1, sum(unsure) > 0 OR sum(owes) > 0, 2, sum(good) > 0, 3, 4) AS stands
    FROM shares
    GROUP BY grp, client_id
) AS m ON m.grp = n.grp
GROUP BY n.grp
