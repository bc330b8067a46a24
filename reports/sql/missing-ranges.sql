-- title: Missing messages
-- group: Completeness
-- columns: netbios_name!, first_serial!, last_serial!, messages, detected_time, last_report, missing_hours,
--   resync_issued, resync_completed, serial_jump, client_id
-- empty: no message is missing
-- description: Ranges of serial numbers that never arrived, the longest missing first, as of the last gap check, with
--   how far their client's resync got.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param jumps String = 'no' in no, only, both: Ranges below a serial that jumped by more than 1,000,000, which nobody
--   counts as lost
-- param min_age_hours Float64 = 0 in 0..1000000: Only ranges missing for at least so long
-- param max_age_hours Float64 = 1000000 in 0..1000000: Only ranges missing for less than this
-- order: detected_time DateTime64(6,'UTC'), client_id UUID, first_serial UInt64
-- note detected_time: the first gap check that saw any of the range missing
-- note resync_issued: the client's latest resync; the client page tells how far it got
-- link client_id: messages?client={client_id}
-- link netbios_name: /clients/{client_id}
-- link first_serial: /clients/{client_id}?serial={first_serial}
-- link resync_issued: resyncs?client={client_id}&step=any
-- with: wanted, named
WITH
    page AS
    (
        SELECT ClientID AS client_id, FirstSerial AS first_serial, LastSerial AS last_serial,
            DetectedTime AS detected_time, SerialJump AS jump
        FROM SR_MissingMessageRanges
        WHERE ({jumps:String} = 'both' OR jump = ({jumps:String} = 'only'))
            AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          -- A check that was made for another time may have stamped a time ahead; such a range is new, never hidden.
          AND ({min_age_hours:Float64} = 0
              OR detected_time <= now64(6, 'UTC') - toIntervalSecond(toInt64({min_age_hours:Float64} * 3600)))
          AND detected_time > now64(6, 'UTC') - toIntervalSecond(toInt64({max_age_hours:Float64} * 3600))
          AND ({after:UInt8} = 0 OR (detected_time, client_id, first_serial)
                > ({after_detected_time:DateTime64(6,'UTC')}, {after_client_id:UUID}, {after_first_serial:UInt64}))
        ORDER BY detected_time, client_id, first_serial
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupUniqArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.first_serial AS first_serial,
    page.last_serial AS last_serial,
    toUInt64(page.last_serial - page.first_serial + 1) AS messages,
    page.detected_time AS detected_time,
    round(greatest(dateDiff('second', page.detected_time, now64(3, 'UTC')), 0) / 3600, 1) AS missing_hours,
    c.last_report_time AS last_report,
    r.issued AS resync_issued,
    d.completed AS resync_completed,
    page.jump = 1 AS serial_jump,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(issued_time)) AS issued FROM resyncs FINAL
        WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS r ON r.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(received_time)) AS completed FROM completions_data FINAL
        WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS d ON d.client_id = page.client_id
ORDER BY detected_time, client_id, first_serial
