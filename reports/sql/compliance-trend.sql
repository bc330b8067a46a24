-- title: Compliance by day
-- group: Compliance
-- columns: day!, percent!, compliant, not_compliant, not_applicable, not_known, final
-- empty: no day of the stored history is counted yet
-- description: How compliance went: where the machines stood at the end of each day, and in the last row where they stand
--   now. Of all machines, of the pairs of a machine and an update, a deployment or a baseline, or of one subject. What counts
--   is what had arrived at the site by then: a day that is over changes only where a report of it comes late.
-- param kind String = machine in machine, update, deployment, baseline: machine counts each machine once, the others pairs of
--   a machine and a subject; with a subject it is not read
-- param subject String = '': Only this subject: title, topic id, or KIND/ID such as update/KB5043080
-- param collection String = '': Only the members of this collection, of today
-- param days UInt16 = 90 in 1..400: How many days, the last one included
-- param as_of String = '': The last row is this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of the days; empty takes reports.timezone
-- order: day Date
-- lines: day, compliant, not_compliant
-- note percent: compliant of those that are compliant or not, rounded down; empty where there are none
-- note not_compliant: a machine that lacks anything; of pairs and of a subject: bad, pending, restart and failed
-- note not_applicable: of a collection, in another zone or at a moment within a day, only what was said
-- note not_known: the same, of those that said state 0
-- note final: 0 = the day is not over, or reports waited when it was counted
-- with: over_time, stated, told, events, moves
WITH
    -- if subject_id:
    -- else:
    if({kind:String} = 'machine', ['update', 'deployment', 'baseline'], [{kind:String}]) AS asked_kinds,
    multiIf({kind:String} = 'update', [toUInt32(500), 400, 402],
            {kind:String} = 'deployment', [toUInt32(300), 301, 302],
            {kind:String} = 'baseline', [toUInt32(401), 402, 500, 400],
            [toUInt32(300), 301, 302, 400, 401, 402, 500]) AS asked_types,
    -- end:
    last_day - {days:UInt16} + 1 AS first_day,
    -- Who counts: members of the target, where there is one.
    counting AS
    (
        SELECT kind, topic_id, client_id, at, before, class
        FROM moves
        WHERE (kind, topic_id) IN (SELECT kind, topic_id FROM asked WHERE target = '')
           OR (kind, topic_id, client_id) IN
              (
                  SELECT asked.kind, asked.topic_id, collection_members.client_id
                  FROM collection_members INNER JOIN asked ON asked.target = collection_members.name
              )
    ),
    -- How many came into each class, or left it, on each day.
    changes AS
    (
        -- if subject_id:
        SELECT toDate(fromUnixTimestamp64Micro(at), {zone:String}) AS day,
            sum(toInt64(class = 1) - toInt64(before = 1)) AS compliant,
            sum(toInt64(lacks(class)) - toInt64(lacks(before))) AS not_compliant,
            sum(toInt64(class = 6) - toInt64(before = 6)) AS not_applicable,
            sum(toInt64(class = 7) - toInt64(before = 7)) AS not_known
        FROM counting
        GROUP BY day
        -- else:
        -- if kind in machine:
        SELECT day,
            sum(toInt64(stands = 1) - toInt64(stood = 1)) AS compliant,
            sum(toInt64(stands = 2) - toInt64(stood = 2)) AS not_compliant,
            sum(toInt64(stands = 4) - toInt64(stood = 4)) AS not_applicable,
            sum(toInt64(stands = 3) - toInt64(stood = 3)) AS not_known
        FROM
        (
            SELECT day, client_id, toUInt8(multiIf(lacking > 0, 2, having_any > 0, 1, unsure_of > 0, 3, 4)) AS stands,
                lagInFrame(stands, 1, toUInt8(0)) OVER (PARTITION BY client_id ORDER BY day
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stood
            FROM
            (
                SELECT day, client_id, sum(lack) OVER so_far AS lacking, sum(good) OVER so_far AS having_any,
                    sum(unsure) OVER so_far AS unsure_of
                FROM
                (
                    SELECT client_id, toDate(fromUnixTimestamp64Micro(at), {zone:String}) AS day,
                        sum(toInt64(class = 1) - toInt64(before = 1)) AS good,
                        sum(toInt64(lacks(class)) - toInt64(lacks(before))) AS lack,
                        sum(toInt64(class = 7) - toInt64(before = 7)) AS unsure
                    FROM counting
                    GROUP BY client_id, day
                )
                WINDOW so_far AS (PARTITION BY client_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
            )
        )
        GROUP BY day
        -- else:
        SELECT toDate(fromUnixTimestamp64Micro(at), {zone:String}) AS day,
            sum(toInt64(class = 1) - toInt64(before = 1)) AS compliant,
            sum(toInt64(lacks(class)) - toInt64(lacks(before))) AS not_compliant,
            sum(toInt64(class = 6) - toInt64(before = 6)) AS not_applicable,
            sum(toInt64(class = 7) - toInt64(before = 7)) AS not_known
        FROM counting
        GROUP BY day
        -- end:
        -- end:
    ),
    standing AS
    (
        -- if days_from in kept:
        -- if subject_id:
        SELECT day, good AS compliant, bad + pending + restart + failed AS not_compliant,
            na_said + na_implied AS not_applicable, said_unknown + arraySum(mapValues(s.not_known)) AS not_known
        FROM subject_days AS s FINAL
        WHERE kind = {subject_kind:String} AND topic_id = {subject_id:String} AND deleted = 0
          AND ({subject_kind:String} != 'other' OR topic_type = {subject_type:UInt32})
          AND day >= first_day AND day <= last_day
        -- else:
        SELECT day, sumIf(pairs, class = 'compliant') AS compliant,
            sumIf(pairs, class IN ('not_compliant', 'bad', 'pending', 'restart', 'failed')) AS not_compliant,
            sumIf(pairs, class = 'not_applicable') AS not_applicable, sumIf(pairs, class = 'not_known') AS not_known
        FROM class_days FINAL
        WHERE kind = {kind:String} AND day >= first_day AND day <= last_day
        GROUP BY day
        -- end:
        -- else:
        SELECT first_day + number AS day,
            toUInt64(sumIf(c.compliant, c.day <= first_day + number)) AS compliant,
            toUInt64(sumIf(c.not_compliant, c.day <= first_day + number)) AS not_compliant,
            toUInt64(sumIf(c.not_applicable, c.day <= first_day + number)) AS not_applicable,
            toUInt64(sumIf(c.not_known, c.day <= first_day + number)) AS not_known
        FROM numbers({days:UInt16}) AS n CROSS JOIN changes AS c
        GROUP BY number
        HAVING min(c.day) <= day
        -- end:
    ),
    -- The last row, where the day is not over.
    latest AS
    (
        -- if counted_from in counts:
        -- if subject_id:
        SELECT good AS compliant, bad + pending + restart + failed AS not_compliant, na_said + na_implied AS not_applicable,
            said_unknown + arraySum(mapValues(s.not_known)) AS not_known
        FROM subject_counts AS s FINAL
        WHERE kind = {subject_kind:String} AND topic_id = {subject_id:String} AND deleted = 0
          AND ({subject_kind:String} != 'other' OR topic_type = {subject_type:UInt32})
        -- else:
        -- if kind in machine:
        SELECT countIf(m.required = 0 AND m.good > 0) AS compliant, countIf(m.required > 0) AS not_compliant,
            countIf(m.required = 0 AND m.good = 0 AND m.not_known = 0 AND m.subjects > 0) AS not_applicable,
            countIf(m.required = 0 AND m.good = 0 AND (m.not_known > 0 OR m.subjects = 0)) AS not_known
        FROM machine_states AS m
        -- else:
        SELECT sum(good) AS compliant, sum(bad + pending + restart + failed) AS not_compliant,
            sum(na_said + na_implied) AS not_applicable,
            sum(said_unknown + arraySum(mapValues(c.not_known))) AS not_known
        FROM (SELECT * FROM subject_counts FINAL WHERE kind = {kind:String} AND deleted = 0) AS c
        -- end:
        -- end:
        -- else:
        -- if kind in machine:
        SELECT countIf(NOT lack AND good) AS compliant, countIf(lack) AS not_compliant,
            countIf(NOT lack AND NOT good AND NOT unsure) AS not_applicable,
            countIf(NOT lack AND NOT good AND unsure) AS not_known
        FROM
        (
            SELECT client_id, max(lacks(class)) AS lack, max(class = 1) AS good, max(class = 7) AS unsure
            FROM placed
            GROUP BY client_id
        )
        -- else:
        SELECT countIf(class = 1) AS compliant, countIf(lacks(class)) AS not_compliant, countIf(class = 6) AS not_applicable,
            countIf(class = 7) AS not_known
        FROM placed
        -- end:
        -- end:
    ),
    placed AS
    (
        SELECT kind, topic_id, client_id, class
        FROM told
        WHERE (kind, topic_id) IN (SELECT kind, topic_id FROM asked WHERE target = '')
           OR (kind, topic_id, client_id) IN
              (
                  SELECT asked.kind, asked.topic_id, collection_members.client_id
                  FROM collection_members INNER JOIN asked ON asked.target = collection_members.name
              )
    )
SELECT
    day,
    s.compliant AS compliant,
    s.not_compliant AS not_compliant,
    s.not_applicable AS not_applicable,
    s.not_known AS not_known,
    if(compliant + not_compliant = 0, NULL, intDiv(1000 * compliant, greatest(compliant + not_compliant, 1)) / 10) AS percent,
    toUInt8(day IN (SELECT day FROM class_days FINAL WHERE kind = 'machine' GROUP BY day HAVING min(final) = 1)) AS final
FROM
(
    SELECT day, compliant, not_compliant, not_applicable, not_known
    FROM standing
    -- if days_from in kept:
    -- if counted_from in days:
    -- else:
    WHERE day != last_day
    UNION ALL
    SELECT last_day AS day, compliant, not_compliant, not_applicable, not_known
    FROM latest
    WHERE compliant + not_compliant + not_applicable + not_known > 0
    -- end:
    -- end:
) AS s
