-- title: Clients by last report
-- group: Clients
-- description: Every client known to this site, the longest silent first.
-- param name String = '': Part of the computer name or of the client id; empty takes all
-- param min_age_hours Float64 = 0 in 0..1000000: Only clients whose last report is at least this old
-- param max_age_hours Float64 = 1000000 in 0..1000000: Only clients whose last report is younger than this
-- order: last_report_time DateTime64(6,'UTC'), client_id UUID
-- note age_hours: hours since the last report arrived
-- note open_gaps: ranges of serial numbers that never arrived, as of the last gap check
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- link open_gaps: missing-ranges?client={client_id}
SELECT
    c.netbios_name AS netbios_name,
    c.client_version AS client_version,
    c.client_type AS client_type,
    c.first_report_time AS first_report_time,
    c.last_report_time AS last_report_time,
    round(dateDiff('second', c.last_report_time, now64(3, 'UTC')) / 3600, 1) AS age_hours,
    g.ranges AS open_gaps,
    c.client_id AS client_id
FROM clients AS c
LEFT JOIN (SELECT ClientID AS client_id, count() AS ranges FROM SR_MissingMessageRanges WHERE SerialJump = 0 GROUP BY client_id) AS g ON g.client_id = c.client_id
WHERE ({name:String} = ''
       OR positionCaseInsensitiveUTF8(c.netbios_name, {name:String}) > 0
       OR position(toString(c.client_id), lower(replaceRegexpOne({name:String}, '(?i)^guid:', ''))) > 0)
  AND c.last_report_time <= now64(3, 'UTC') - toIntervalSecond(toInt64({min_age_hours:Float64} * 3600))
  AND c.last_report_time > now64(3, 'UTC') - toIntervalSecond(toInt64({max_age_hours:Float64} * 3600))
