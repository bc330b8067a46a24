-- title: Clients by last report
-- group: Clients
-- columns: netbios_name!, last_report_time!, client_version, open_gaps, first_report_time, age_hours, client_type,
--   client_id
-- empty: no client has this name, or none has reported yet
-- description: Every client known to this site, the longest silent first.
-- param name String = '': Part of the computer name or of the client id; empty takes all
-- param min_age_hours Float64 = 0 in 0..1000000: Only clients whose last report is at least this old
-- param max_age_hours Float64 = 1000000 in 0..1000000: Only clients whose last report is younger than this
-- param collection String = '': Only members of this collection
-- order: last_report_time DateTime64(6,'UTC'), client_id UUID
-- note age_hours: hours since the last report arrived
-- note open_gaps: ranges of serial numbers that never arrived, as of the last gap check
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- link open_gaps: missing-ranges?client={client_id}
WITH
    page AS
    (
        SELECT client_id, netbios_name, client_version, client_type, first_report_time, last_report_time
        FROM clients
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND ({name:String} = ''
               OR positionCaseInsensitiveUTF8(netbios_name, {name:String}) > 0
               OR position(toString(client_id), lower(replaceRegexpOne({name:String}, '(?i)^guid:', ''))) > 0)
          AND last_report_time <= now64(3, 'UTC') - toIntervalSecond(toInt64({min_age_hours:Float64} * 3600))
          AND last_report_time > now64(3, 'UTC') - toIntervalSecond(toInt64({max_age_hours:Float64} * 3600))
          AND ({after:UInt8} = 0 OR (last_report_time, client_id) > ({after_last_report_time:DateTime64(6,'UTC')},
              {after_client_id:UUID}))
        ORDER BY last_report_time, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    page.netbios_name AS netbios_name,
    page.client_version AS client_version,
    page.client_type AS client_type,
    page.first_report_time AS first_report_time,
    page.last_report_time AS last_report_time,
    round(dateDiff('second', page.last_report_time, now64(3, 'UTC')) / 3600, 1) AS age_hours,
    g.ranges AS open_gaps,
    page.client_id AS client_id
FROM page
LEFT JOIN
(
    SELECT ClientID AS client_id, count() AS ranges FROM SR_MissingMessageRanges
    WHERE ClientID IN (SELECT arrayJoin(page_ids)) AND SerialJump = 0 GROUP BY client_id
) AS g ON g.client_id = page.client_id
ORDER BY last_report_time, client_id
