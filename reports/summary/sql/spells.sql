-- The spells by subject, day, days and the day on which the clock of its release begins.
    released AS
    (
        SELECT topic_id, assumeNotNull(released) AS day
        FROM subjects
        WHERE kind = {kind:String} AND isNotNull(released)
    )
SELECT
    {kind:String},
    sp.topic_id AS topic_id,
    toDate(fromUnixTimestamp64Micro(sp.began), {zone:String}) AS required_day,
    if(sp.ended = 0, 65535, toUInt16(least(65534, toDate(fromUnixTimestamp64Micro(sp.ended), {zone:String}) - required_day))) AS days,
    toUInt8(sp.fixed) AS fixed,
    if(r.day = toDate(0), toDate(0), greatest(r.day, toDate(c.first, {zone:String}))) AS clock_day,
    count()
FROM spells AS sp
LEFT JOIN released AS r ON r.topic_id = sp.topic_id
LEFT JOIN
(
    SELECT client_id, first_report_time AS first FROM clients_seen FINAL
    WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
) AS c ON c.client_id = sp.client_id
GROUP BY topic_id, required_day, days, fixed, clock_day
