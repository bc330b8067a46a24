-- title: Why clients use HTTP
-- group: Site
-- columns: why_http!, clients!, percent
-- empty: no client uses HTTP for the channel
-- description: The reasons that clients give for HTTP in place of TCP, as they say them, of all that are connected over
--   HTTP now; the most frequent first.
-- note why_http: empty = the client did not say
-- note percent: of all connected clients, over either channel
SELECT
    why AS why_http,
    count() AS clients,
    round(100 * count() / (SELECT count() FROM client_presence FINAL WHERE online_status = 1
        AND client_id NOT IN (SELECT client_id FROM retired_clients)), 1) AS percent
FROM client_presence FINAL
WHERE online_status = 1 AND channel_type = 1 AND client_id NOT IN (SELECT client_id FROM retired_clients)
GROUP BY why
ORDER BY clients DESC, why
LIMIT 100
