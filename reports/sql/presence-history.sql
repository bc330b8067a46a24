-- title: When a client was connected
-- group: Clients
-- columns: from_time!, to_time!, channel, server, reason, seconds, netbios_name, session, client_id
-- empty: no client of this id or name was ever connected
-- description: Each time that a client was connected, once it is over, and how it ended; the latest first. The connection
--   that is open now is in the report presence. Times are kept for notifier.history.
-- param client String: Client id (with or without GUID:) or computer name
-- param days UInt32 = 90 in 1..100000: Only what ended in so many days
-- order: from_time DateTime64(6,'UTC') desc, client_id UUID, _server UInt32, session UInt64
-- note reason: closed, reset, silent, server_stopping, server_lost, server_full, revoked, or replaced: it came again
-- link netbios_name: /clients/{client_id}
-- with: wanted
WITH
    h AS
    (
        SELECT client_id, server_id, channel_type, session, from_time, to_time, reason
        FROM presence_history FINAL
        WHERE client_id IN (SELECT arrayJoin(wanted_ids))
          AND to_time >= now64(6, 'UTC') - toIntervalDay({days:UInt32})
    )
SELECT
    c.netbios_name AS netbios_name,
    if(h.channel_type = 1, 'HTTP', 'TCP') AS channel,
    s.server_name AS server,
    h.from_time AS from_time,
    h.to_time AS to_time,
    dateDiff('second', h.from_time, h.to_time) AS seconds,
    CAST(h.reason, 'String') AS reason,
    h.client_id AS client_id,
    h.session AS session,
    h.server_id AS _server
FROM h
LEFT JOIN (SELECT client_id, netbios_name FROM clients WHERE client_id IN (SELECT arrayJoin(wanted_ids))) AS c
    ON c.client_id = h.client_id
LEFT JOIN (SELECT server_id, server_name FROM notification_servers FINAL) AS s ON s.server_id = h.server_id
