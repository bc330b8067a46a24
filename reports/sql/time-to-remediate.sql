-- title: Time to remediate
-- group: Compliance
-- columns: title!, fixed!, open!, p50_days, p90_days, within_7d, within_14d, within_30d, required_ever, oldest_open, topic_id
-- empty: no machine needed anything within these dates
-- description: How long machines take from the day they needed something until they had it, in days of the calendar. A
--   machine that needs it again after a fix counts again. Who turned out not to need it, or no longer said so, is in no
--   figure. Within N days: fixed in time, of those that were fixed in time or had the time and were not.
--   On a site of 2,000 clients or more (for one subject 50,000) the site's rows are kept, and are some minutes old.
-- param subject String = '': Only this subject: title, topic id, or KIND/ID such as update/KB5043080
-- param kind String = '' in '', update, deployment, baseline: Only subjects of this kind
-- param collection String = '': Only the members of this collection, of today
-- param group String = '': Only subjects of this group
-- param search String = '': Part of a title, an article or an id
-- param severity String = '': Only updates of this severity
-- param from Date = 1970-01-01: Only what became required on this day or later
-- param to Date = 2149-06-06: Only what became required on this day or earlier
-- param since String = first_required in first_required, released: When the clock starts: when the machine first needed it, or
--   when it was released, but not before the machine first reported; released takes only subjects with a date
-- param as_of String = '': Only what had arrived by this moment: a date is its end; empty takes now
-- param tz String = '': IANA time zone of the days; empty takes reports.timezone
-- order: open UInt64 desc, topic_id String
-- note required_ever: fixed and open
-- note p50_days: half of the fixed took so many days or less
-- note p90_days: nine of ten did
-- note within_7d: percent, rounded down; empty where none had the time yet
-- note oldest_open: since which day the longest waiting machine needs it
-- link title: burn-down?subject={subject}&collection={collection}&as_of={as_of}&tz={tz}
-- with: over_time, stated, told, events, moves, spells
WITH
    -- if subject_id:
    -- else:
    if({kind:String} = '', ['update', 'deployment', 'baseline'], [{kind:String}]) AS asked_kinds,
    multiIf({kind:String} = 'update', [toUInt32(500), 400, 402],
            {kind:String} = 'deployment', [toUInt32(300), 301, 302],
            {kind:String} = 'baseline', [toUInt32(401), 402, 500, 400],
            [toUInt32(300), 301, 302, 400, 401, 402, 500]) AS asked_types,
    -- end:
    about AS
    (
        SELECT kind, topic_id, title, released
        FROM subjects
        WHERE kind IN (SELECT arrayJoin(asked_kinds))
        -- if subject_id:
          AND topic_id = {subject_id:String}
        -- end:
          AND ({group:String} = '' OR grp = {group:String})
          AND ({severity:String} = '' OR severity = {severity:String})
          AND ({search:String} = '' OR positionCaseInsensitiveUTF8(title, {search:String}) > 0
               OR positionCaseInsensitiveUTF8(article, {search:String}) > 0
               OR positionCaseInsensitiveUTF8(topic_id, {search:String}) > 0)
    ),
    -- How many machines: of what, since when, for how long (65535: still), and when the clock of its release began.
    times AS
    (
        -- if spells_kept:
        SELECT CAST(kind, 'String') AS kind, topic_id, required_day, days_to_fix, clock_day, machines AS n
        FROM subject_ttr FINAL
        WHERE machines > 0 AND (days_to_fix = 65535 OR fixed) AND kind IN (SELECT arrayJoin(asked_kinds))
          -- if subject_id:
          AND topic_id = {subject_id:String}
          -- else:
          AND topic_id IN (SELECT topic_id FROM about)
          -- end:
        -- else:
        SELECT sp.kind AS kind, sp.topic_id AS topic_id,
            toDate(fromUnixTimestamp64Micro(sp.began), {zone:String}) AS required_day,
            if(sp.ended = 0, 65535, toUInt16(toDate(fromUnixTimestamp64Micro(sp.ended), {zone:String}) - required_day)) AS days_to_fix,
            if(isNull(a.released), toDate(0), greatest(assumeNotNull(a.released), toDate(c.first, {zone:String}))) AS clock_day,
            count() AS n
        FROM spells AS sp
        INNER JOIN about AS a ON a.kind = sp.kind AND a.topic_id = sp.topic_id
        LEFT JOIN (SELECT client_id, first_report_time AS first FROM clients_seen FINAL) AS c ON c.client_id = sp.client_id
        WHERE (sp.ended = 0 OR sp.fixed)
          AND ((sp.kind, sp.topic_id) NOT IN (SELECT kind, topic_id FROM asked WHERE target != '')
               OR (sp.kind, sp.topic_id, sp.client_id) IN
                  (
                      SELECT asked.kind, asked.topic_id, collection_members.client_id
                      FROM collection_members INNER JOIN asked ON asked.target = collection_members.name
                  ))
        GROUP BY kind, topic_id, required_day, days_to_fix, clock_day
        -- end:
    ),
    taken AS
    (
        SELECT kind, topic_id, required_day, n, days_to_fix = 65535 AS still,
            -- if since in released:
            greatest(0, toInt32(if(still, last_day, required_day + days_to_fix) - clock_day)) AS took
            -- else:
            toInt32(if(still, last_day - required_day, days_to_fix)) AS took
            -- end:
        FROM times
        WHERE required_day BETWEEN {from:Date} AND {to:Date}
        -- if since in released:
          AND clock_day > toDate(0)
        -- end:
    )
SELECT
    any(a.title) AS title,
    sum(t.n) AS required_ever,
    sumIf(t.n, NOT t.still) AS fixed,
    sumIf(t.n, t.still) AS open,
    if(fixed = 0, NULL, quantileExactWeightedIf(0.5)(t.took, t.n, NOT t.still)) AS p50_days,
    if(fixed = 0, NULL, quantileExactWeightedIf(0.9)(t.took, t.n, NOT t.still)) AS p90_days,
    if(sumIf(t.n, NOT t.still AND t.took <= 7) + sumIf(t.n, t.took > 7) = 0, NULL,
        intDiv(1000 * sumIf(t.n, NOT t.still AND t.took <= 7),
            greatest(1, sumIf(t.n, NOT t.still AND t.took <= 7) + sumIf(t.n, t.took > 7))) / 10) AS within_7d,
    if(sumIf(t.n, NOT t.still AND t.took <= 14) + sumIf(t.n, t.took > 14) = 0, NULL,
        intDiv(1000 * sumIf(t.n, NOT t.still AND t.took <= 14),
            greatest(1, sumIf(t.n, NOT t.still AND t.took <= 14) + sumIf(t.n, t.took > 14))) / 10) AS within_14d,
    if(sumIf(t.n, NOT t.still AND t.took <= 30) + sumIf(t.n, t.took > 30) = 0, NULL,
        intDiv(1000 * sumIf(t.n, NOT t.still AND t.took <= 30),
            greatest(1, sumIf(t.n, NOT t.still AND t.took <= 30) + sumIf(t.n, t.took > 30))) / 10) AS within_30d,
    if(open = 0, NULL, minIf(t.required_day, t.still)) AS oldest_open,
    concat(t.kind, '/', t.topic_id) AS subject,
    t.topic_id AS topic_id
FROM taken AS t
INNER JOIN about AS a ON a.kind = t.kind AND a.topic_id = t.topic_id
GROUP BY t.kind, t.topic_id
