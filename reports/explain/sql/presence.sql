-- The presence of one client, what its server last said, and how often the client connected lately.
SELECT
    p.found AS found, p.online AS online, p.channel AS channel, p.server_id AS server_id, p.since AS since,
    p.heard AS heard, p.address AS address, p.reason AS reason, p.why AS why,
    s.server_name AS server, s.reported_time AS told,
    (SELECT count() FROM notification_servers FINAL) AS servers,
    h.times AS times, h.lost_as AS lost_as, h.lost AS lost
FROM (SELECT toUUID({client:UUID}) AS client_id) AS one
LEFT JOIN
(
    SELECT client_id, 1 AS found, online_status AS online, channel_type AS channel, server_id, last_status_time AS since, last_heard AS heard,
        address, CAST(client_presence.reason, 'String') AS reason, why
    FROM client_presence FINAL WHERE client_id = {client:UUID}
) AS p ON p.client_id = one.client_id
LEFT JOIN (SELECT server_id, server_name, reported_time FROM notification_servers FINAL) AS s ON s.server_id = p.server_id
LEFT JOIN
(
    SELECT client_id, sum(n) AS times, argMax(by, n) AS lost_as, max(n) AS lost
    FROM
    (
        SELECT client_id, CAST(presence_history.reason, 'String') AS by, count() AS n
        FROM presence_history FINAL
        WHERE client_id = {client:UUID} AND to_time >= {since:DateTime64(6, 'UTC')}
        GROUP BY client_id, by
    )
    GROUP BY client_id
) AS h ON h.client_id = one.client_id
