-- The same at the end of a day, as it was counted then; no row where that day was not counted.
SELECT s.kind AS kind, s.topic_type AS topic_type, s.topic_id AS topic_id, s.title AS title, s.severity AS severity,
    c.good AS compliant, c.bad AS bad, c.pending AS pending, c.restart AS restart, c.failed AS failed,
    c.na_said + c.na_implied AS not_applicable, c.said_unknown + arraySum(mapValues(c.not_known)) AS not_known,
    c.other AS other,
    if(compliant + bad + pending + restart + failed = 0, NULL,
       floor(100 * compliant / (compliant + bad + pending + restart + failed), 1)) AS percent
FROM
(
    SELECT kind, topic_id, topic_type, good, bad, pending, restart, failed, na_said, na_implied, said_unknown, not_known,
        subject_days.other AS other
    FROM subject_days FINAL
    WHERE deleted = 0 AND day = {day:Date} AND kind IN splitByChar(',', {kinds:String})
) AS c
INNER JOIN
(
    SELECT kind, topic_type, topic_id, title, severity
    FROM subjects
    WHERE kind IN splitByChar(',', {kinds:String})
      AND ({group:String} = '' OR grp = {group:String})
      AND ({severity:String} = '' OR severity = {severity:String})
      AND ({search:String} = '' OR positionCaseInsensitiveUTF8(title, {search:String}) > 0
           OR positionCaseInsensitiveUTF8(topic_id, {search:String}) > 0
           OR positionCaseInsensitiveUTF8(article, {search:String}) > 0)
) AS s ON s.kind = c.kind AND s.topic_id = c.topic_id AND (s.topic_type = c.topic_type OR s.kind != 'other')
ORDER BY bad + pending + restart + failed DESC, not_known DESC, title, topic_id
LIMIT 200
