-- title: Missing messages
-- group: Site
-- description: Ranges of serial numbers that never arrived, the oldest first, as of the last gap check.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- order: detected_time DateTime64(6,'UTC'), client_id UUID, first_serial UInt64
-- note detected_time: the first gap check that saw any of the range missing
-- link client_id: messages?client={client_id}
-- link netbios_name: client-states?client={client_id}
SELECT
    c.netbios_name AS netbios_name,
    g.FirstSerial AS first_serial,
    g.LastSerial AS last_serial,
    toUInt64(g.LastSerial - g.FirstSerial + 1) AS messages,
    g.DetectedTime AS detected_time,
    c.last_report_time AS last_report,
    s.LastResyncIssuedTime AS resync_issued,
    s.LastResyncClientCompletedTime AS resync_completed,
    g.ClientID AS client_id
FROM SR_MissingMessageRanges AS g
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM clients WHERE client_id IN (SELECT client_id FROM missing_ranges)) AS c ON c.client_id = g.ClientID
LEFT JOIN SR_ClientMessageStats AS s ON s.ClientID = g.ClientID
WHERE {client:String} = '' OR lower(c.netbios_name) = lower(trim({client:String}))
   OR g.ClientID = toUUIDOrZero(replaceRegexpOne(trim({client:String}), '(?i)^guid:', ''))
