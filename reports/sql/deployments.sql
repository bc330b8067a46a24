-- title: Deployments
-- group: Compliance
-- columns: title!, percent!, success, error, in_progress, restart, bad, not_known, target, percent_low,
--   newest_change, not_applicable, outside, topic_id
-- empty: no deployment is in this state
-- description: How far each deployment is, the one with most machines that are not done first. The classes of a row add
--   up to all machines of the site or of the collection. The counts of the site are at most minutes old, those of a
--   collection are made now, over its members.
-- with: stated, told, standings
-- param collection String = '': Only the members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- param group String = '': Only deployments of this group
-- param search String = '': Part of a title, an article or an id
-- param severity String = '': Only deployments of this severity
-- param state String = '' in '', problem: problem takes deployments that are not done on a machine
-- order: _not_compliant UInt64 desc, topic_id String
-- note percent: of the machines that have answered; rounded down, so that 100.0 means all
-- note percent_low: the same if none of those that are not known is done
-- note bad: not compliant, and nothing more was said
-- note error: the deployment failed there
-- note not_known: machines of the target of which nothing certain is known
-- note outside: machines that are not asked; they are in no percentage
-- link title: compliance?topic_type=300&topic_id={topic_id}&collection={collection}&as_of={as_of}&tz={tz}
WITH
    ['deployment'] AS asked_kinds,
    [toUInt32(300), 301, 302] AS asked_types
SELECT
    u.title AS title,
    u.target AS target,
    portion(success, success + _not_compliant) AS percent,
    -- if counted_from in then:
    CAST(NULL, 'Nullable(Float64)') AS percent_low,
    -- else:
    portion(success, success + _not_compliant + not_known) AS percent_low,
    -- end:
    s.good AS success,
    s.pending AS in_progress,
    s.restart AS restart,
    s.bad AS bad,
    s.failed AS error,
    s.not_applicable AS not_applicable,
    s.not_known AS not_known,
    toUInt64(greatest(toInt64(scope_clients) - toInt64(success + _not_compliant + not_applicable + not_known), 0)) AS outside,
    if(toUnixTimestamp64Milli(s.newest) = 0, NULL, s.newest) AS newest_change,
    s.topic_id AS topic_id,
    s.bad + s.pending + s.restart + s.failed AS _not_compliant
FROM standings AS s
INNER JOIN (SELECT topic_id, title, article, severity, target, grp FROM subjects WHERE kind = 'deployment') AS u
    ON u.topic_id = s.topic_id
WHERE ({group:String} = '' OR u.grp = {group:String})
  AND ({severity:String} = '' OR u.severity = {severity:String})
  AND ({state:String} = '' OR _not_compliant > 0)
  AND ({search:String} = '' OR positionCaseInsensitiveUTF8(u.title, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(u.article, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(s.topic_id, {search:String}) > 0)
