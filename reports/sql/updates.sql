-- title: Updates
-- group: Compliance
-- columns: title!, percent!, bad, pending, restart, failed, compliant, not_known, severity, oldest_required,
--   not_applicable, released, outside, counted, topic_id
-- empty: no update is in this state
-- description: Where machines stand on each update, the update that most machines still need first. The classes of a row
--   add up to all machines of the site or of the collection. The counts of the site are at most minutes old, those of a
--   collection are made now, over its members.
-- with: stated, told, standings
-- param collection String = '': Only the members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- param group String = '': Only updates of this group
-- param search String = '': Part of a title, an article or an id
-- param severity String = '': Only updates of this severity
-- param state String = '' in '', problem: problem takes updates that a machine still needs
-- order: _not_compliant UInt64 desc, topic_id String
-- note percent: of the machines that need it and have answered; rounded down, so that 100.0 means all
-- note bad: needs it, and nothing is under way
-- note not_applicable: said that they do not need it, or looked since it was first seen and named it not
-- note not_known: machines that scan for updates, or of the target, of which nothing certain is known
-- note oldest_required: the client's own clock, at the oldest word of a machine that needs it
-- note outside: machines that are not asked; they are in no percentage
-- link title: compliance?topic_type=500&topic_id={topic_id}&collection={collection}&as_of={as_of}&tz={tz}
WITH
    ['update'] AS asked_kinds,
    [toUInt32(500), 400, 402] AS asked_types
SELECT
    u.title AS title,
    u.severity AS severity,
    u.released AS released,
    portion(good, good + _not_compliant) AS percent,
    s.good AS compliant,
    s.bad AS bad,
    s.pending AS pending,
    s.restart AS restart,
    s.failed AS failed,
    s.not_applicable AS not_applicable,
    s.not_known AS not_known,
    s.oldest_bad AS oldest_required,
    s.counted AS counted,
    toUInt64(greatest(toInt64(scope_clients) - toInt64(good + _not_compliant + not_applicable + not_known), 0)) AS outside,
    s.topic_id AS topic_id,
    s.bad + s.pending + s.restart + s.failed AS _not_compliant
FROM standings AS s
INNER JOIN (SELECT topic_id, title, article, severity, released, grp FROM subjects WHERE kind = 'update') AS u
    ON u.topic_id = s.topic_id
WHERE ({group:String} = '' OR u.grp = {group:String})
  AND ({severity:String} = '' OR u.severity = {severity:String})
  AND ({state:String} = '' OR _not_compliant > 0)
  AND ({search:String} = '' OR positionCaseInsensitiveUTF8(u.title, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(u.article, {search:String}) > 0
       OR positionCaseInsensitiveUTF8(s.topic_id, {search:String}) > 0)
