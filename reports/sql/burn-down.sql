-- title: Burn-down
-- group: Compliance
-- columns: day!, remaining!, fixed, newly_required, needed_ever
-- empty: no machine needed it within these days
-- description: How fast the machines that need something get less: at the end of each day how many are not compliant, how
--   many became so on that day and how many no longer are. The difference of two days is newly_required less fixed. Counted
--   by what had arrived at the site; the last row is the day that is not over.
--   On a site of 50,000 clients or more the site's rows are kept, and are some minutes old.
-- param subject String: Title, topic id, or KIND/ID such as update/KB5043080
-- param collection String = '': Only the members of this collection, of today
-- param days UInt16 = 90 in 1..400: How many days, the last one included
-- param as_of String = '': Only what had arrived by this moment: a date is its end; empty takes now
-- param tz String = '': IANA time zone of the days; empty takes reports.timezone
-- order: day Date
-- lines: day, remaining, newly_required, fixed
-- note remaining: machines that are not compliant at the end of the day: bad, pending, restart or failed
-- note fixed: no longer not compliant; nearly all are compliant, some turn out not to need it
-- note newly_required: became not compliant; a machine that needs it again counts again
-- note needed_ever: how often machines became not compliant so far
-- with: over_time, stated, told, events, moves, spells
WITH
    last_day - {days:UInt16} + 1 AS first_day,
    -- How many began and ended on which day; 1970 did not end.
    flows AS
    (
        -- if spells_kept:
        SELECT required_day AS began_day, if(days_to_fix = 65535, toDate(0), required_day + days_to_fix) AS ended_day,
            sum(machines) AS n
        FROM subject_ttr FINAL
        WHERE kind = {subject_kind:String} AND topic_id = {subject_id:String}
        GROUP BY began_day, ended_day
        -- else:
        SELECT toDate(fromUnixTimestamp64Micro(began), {zone:String}) AS began_day,
            if(ended = 0, toDate(0), toDate(fromUnixTimestamp64Micro(ended), {zone:String})) AS ended_day, count() AS n
        FROM spells
        WHERE {subject_target:String} = '' OR client_id IN
            (SELECT client_id FROM collection_members WHERE name = {subject_target:String})
        GROUP BY began_day, ended_day
        -- end:
    ),
    (SELECT min(began_day) FROM flows) AS since
SELECT
    day,
    sumIf(f.n, f.began_day <= day AND (f.ended_day = toDate(0) OR f.ended_day > day)) AS remaining,
    sumIf(f.n, f.ended_day = day) AS fixed,
    sumIf(f.n, f.began_day = day) AS newly_required,
    sumIf(f.n, f.began_day <= day) AS needed_ever
FROM (SELECT first_day + number AS day FROM numbers({days:UInt16})) AS d
CROSS JOIN flows AS f
WHERE day >= since
GROUP BY day
