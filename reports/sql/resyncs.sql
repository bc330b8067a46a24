-- title: Outstanding resyncs
-- group: Site
-- description: Clients that were asked to send everything again and haven't said that they finished, the longest wait first.
-- order: issued DateTime64(6,'UTC'), client_id UUID
-- link client_id: client-states?client={client_id}
-- link netbios_name: client-states?client={client_id}
SELECT
    c.netbios_name AS netbios_name,
    assumeNotNull(s.LastResyncIssuedTime) AS issued,
    round(dateDiff('second', issued, now64(3, 'UTC')) / 3600, 1) AS waiting_hours,
    s.LastResyncClientCompletedTime AS last_completed,
    c.last_report_time AS last_report,
    s.LastSerialNumber AS last_serial,
    s.ClientID AS client_id
FROM SR_ClientMessageStats AS s
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM clients WHERE client_id IN (SELECT client_id FROM resyncs)) AS c ON c.client_id = s.ClientID
WHERE s.LastResyncIssuedTime IS NOT NULL
  AND (s.LastResyncClientCompletedTime IS NULL OR s.LastResyncIssuedTime > s.LastResyncClientCompletedTime)
